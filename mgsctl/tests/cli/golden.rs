//! Logs come out as the kernel's own tools showed them.

use super::*;

fn vector(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../vectors/api/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn print_equals_lctl_llog_print_and_llog_reader() {
    let daemon = Daemon::start(Fake::default());
    let print = |args: &[&str]| daemon.stdout(&[&["log", "print", "testfs-client"], args].concat());
    assert_eq!(print(&[]), text(&vector("testfs-client.llog_print.txt")));
    assert_eq!(print(&["--format", "yaml"]), text(&vector("testfs-client.llog_print.txt")));
    assert_eq!(print(&["--raw"]), text(&vector("testfs-client.llog_print-raw.txt")));
    assert_eq!(print(&["--format", "reader"]), text(&vector("testfs-client.llog_reader.txt")));
}

#[test]
fn a_range_is_those_lines_of_the_whole() {
    let daemon = Daemon::start(Fake::default());
    let whole = text(&vector("testfs-client.llog_print-raw.txt"));
    let index = |line: &&str| line["- { index: ".len()..].split_once(',').unwrap().0.parse::<u32>().unwrap();
    let wanted: Vec<&str> = whole.lines().filter(|line| (13..=29).contains(&index(line))).collect();
    assert!(wanted.len() > 10);
    let print = daemon.stdout(&["log", "print", "testfs-client", "--raw", "--start", "13", "--end", "29"]);
    assert_eq!(print.lines().collect::<Vec<_>>(), wanted);
}

#[test]
fn export_gives_the_file() {
    let daemon = Daemon::start(Fake::default());
    let out = daemon.run(&["log", "export", "testfs-client"]);
    assert!(out.status.success() && out.stderr.is_empty());
    assert_eq!(out.stdout, vector("testfs-client"));

    let file = daemon.dir.path().join("exported");
    assert_eq!(daemon.stdout(&["log", "export", "testfs-client", "-o", file.to_str().unwrap()]), "");
    assert_eq!(std::fs::read(&file).unwrap(), vector("testfs-client"));

    let nowhere = daemon.dir.path().join("nosuch/exported");
    let out = daemon.run(&["log", "export", "testfs-client", "-o", nowhere.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(1));
    assert_eq!(
        text(&out.stderr),
        format!("mgsctl: {}: No such file or directory (os error 2)\n", nowhere.display())
    );
}
