//! The binary: output, exit codes, one line on stderr.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

use capture::states;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

struct Out {
    code: i32,
    out: String,
    err: String,
}

fn llog(args: &[&str]) -> Out {
    let done = Command::new(env!("CARGO_BIN_EXE_llog")).args(args).output().unwrap();
    Out {
        code: done.status.code().unwrap(),
        out: String::from_utf8(done.stdout).unwrap(),
        err: String::from_utf8(done.stderr).unwrap(),
    }
}

fn put(dir: &Path, name: &str, bytes: &[u8]) -> String {
    let path: PathBuf = dir.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn print() {
    let files = states::session("E");
    let dir = tempfile::tempdir().unwrap();
    let stage = "E08-set_param-P-many";
    let file = put(dir.path(), "log", &files[&format!("{stage}/CONFIGS/testfs-MDT0000")]);
    let reader =
        String::from_utf8(files[&format!("{stage}/testfs-MDT0000.llog_reader.txt")].clone()).unwrap();
    let texts = String::from_utf8(files[&format!("{stage}/llog_print.txt")].clone()).unwrap();
    let recorded = |command: &str| {
        let block = texts.split("== ").find_map(|b| b.strip_prefix(&format!("{command}\n"))).unwrap();
        block.to_owned()
    };
    for (args, want) in [
        (vec!["print", &file], recorded("llog_print testfs-MDT0000")),
        (vec!["print", "--raw", &file], recorded("llog_print --raw testfs-MDT0000")),
        (vec!["print", "--format", "reader", &file], reader),
    ] {
        let got = llog(&args);
        assert_eq!((got.code, got.out, got.err), (0, want, String::new()), "{args:?}");
    }
    let some = llog(&["print", "--start", "6", "--end", "8", &file]);
    let all = recorded("llog_print testfs-MDT0000");
    let want: String = all.lines().skip(2).take(3).map(|l| format!("{l}\n")).collect();
    assert!(want.starts_with("- { index: 6,") && want.contains("- { index: 8,"));
    assert_eq!((some.code, some.out), (0, want));
    let empty = put(dir.path(), "empty", b"");
    let got = llog(&["print", &empty]);
    assert_eq!((got.code, got.out.as_str(), got.err.as_str()), (0, "", ""));
}

#[test]
fn json() {
    let files = states::session("C");
    let dir = tempfile::tempdir().unwrap();
    let log = &files["C08-llog_cancel/CONFIGS/testfs-client"];
    let file = put(dir.path(), "log", log);
    let got = llog(&["json", &file]);
    assert_eq!((got.code, got.err.as_str()), (0, ""));
    let value: serde_json::Value = serde_json::from_str(&got.out).unwrap();
    assert_eq!(value["header"]["size"], log.len());
    let records = value["records"].as_array().unwrap();
    assert_eq!(value["header"]["last_index"], records.len());
    assert_eq!(records[0]["marker"]["tgtname"], "testfs-clilov");
    assert_eq!(records[1]["buffers"], serde_json::json!(["testfs-clilov", "lov", "testfs-clilov_UUID"]));
    assert!(records[2]["buffers"][1]["hex"].as_str().unwrap().starts_with("000000005cdeccb0"));
    let dead: Vec<_> = records.iter().filter(|r| r["live"] == false && r["event"] != "padding").collect();
    // del_ost took five records of OST0001, llog_cancel the add_osc of OST0002.
    let events: Vec<_> =
        dead.iter().map(|r| (r["event"].as_str().unwrap(), r["index"].as_u64().unwrap())).collect();
    assert_eq!(
        events,
        [
            ("attach", 32),
            ("setup", 33),
            ("add_osc", 34),
            ("add_osc", 44),
            ("conf_param", 47),
            ("add_pool", 54)
        ]
    );
    assert_eq!(dead[3]["buffers"], serde_json::json!(["testfs-clilov", "testfs-OST0002_UUID", "2", "1"]));
}

#[test]
fn check() {
    let files = states::session("B");
    let dir = tempfile::tempdir().unwrap();
    let good = put(dir.path(), "good", &files["B00-mounted/CONFIGS/testfs-client"]);
    let odd = put(dir.path(), "odd", &files["B11-mgs-crash-restarted/CONFIGS/testfs-client"]);
    let cut = put(dir.path(), "cut", &files["B00-mounted/CONFIGS/testfs-client"][..9000]);
    let got = llog(&["check", &good, &odd]);
    assert_eq!((got.code, got.err.as_str()), (0, ""), "warnings alone are no failure");
    assert!(got.out.starts_with(&format!("{good}: ok\n{odd}: warning: record ")), "{}", got.out);
    let got = llog(&["check", &good, &cut]);
    assert_eq!((got.code, got.err.as_str()), (1, "llog: 1 errors in 1 of 2 files\n"));
    assert!(got.out.contains(&format!("{cut}: error: record at offset 8")), "{}", got.out);
}

#[test]
fn diff() {
    let files = states::session("C");
    let dir = tempfile::tempdir().unwrap();
    let a = put(dir.path(), "a", &files["C09b-del_ost/CONFIGS/testfs-client"]);
    let b = put(dir.path(), "b", &files["C08-llog_cancel/CONFIGS/testfs-client"]);
    let same = llog(&["diff", &a, &a]);
    assert_eq!((same.code, same.out.as_str(), same.err.as_str()), (0, "", ""));
    let got = llog(&["diff", &a, &b]);
    assert_eq!((got.code, got.err), (1, format!("llog: {a} and {b} differ: 3 differences\n")));
    assert_eq!(got.out.lines().count(), 3, "{}", got.out);
}

#[test]
fn refusals_and_usage() {
    let dir = tempfile::tempdir().unwrap();
    let text = put(dir.path(), "text", &b"no log at all\n".repeat(1000));
    let missing = dir.path().join("missing").to_str().unwrap().to_owned();
    let folder = dir.path().to_str().unwrap().to_owned();
    for (args, part) in [
        (vec!["print", &text], "lrh_type"),
        (vec!["json", &missing], "No such file"),
        (vec!["check", &missing], "No such file"),
        (vec!["diff", &text, &text], "lrh_type"),
        (vec!["print", &folder], "directory"),
    ] {
        let got = llog(&args);
        assert_eq!((got.code, got.out.as_str()), (1, ""), "{args:?}");
        assert!(got.err.starts_with("llog: ") && got.err.contains(part), "{}", got.err);
        assert_eq!(got.err.lines().count(), 1, "{}", got.err);
    }
    for args in [vec![], vec!["print"], vec!["frob"], vec!["check"], vec!["print", "--format", "xml", &text]]
    {
        assert_eq!(llog(&args).code, 2, "{args:?}");
    }
    assert_eq!(llog(&["--help"]).code, 0);
}

/// `llog … | head -1` ends quietly.
#[test]
fn closed_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = llog::Log::new();
    for i in 0..20_000 {
        log.append(&llog::LustreCfg::set_timeout(i), 0).unwrap();
    }
    let file = put(dir.path(), "log", &log.to_file());
    for command in [vec!["print", "--raw", &file], vec!["json", &file], vec!["check", &file]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_llog"))
            .args(&command)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let done = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(done.stderr).unwrap(), "", "{command:?}");
        assert_eq!(done.status.code(), Some(0), "{command:?}");
    }
}
