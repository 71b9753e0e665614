//! `mgsctl param`, which needs no daemon.

use std::io::Write;

use super::*;

const LISTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/tunables");

/// Exit code, stdout, stderr.
fn run(args: &[&str], stdin: &[u8]) -> (i32, String, String) {
    let mut command = mgsctl(args);
    // A daemon that is not there is not missed.
    command.env("MGSD_API", "unix:/nosuch/api.sock");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    let out = child.wait_with_output().unwrap();
    (out.status.code().unwrap(), text(&out.stdout), text(&out.stderr))
}

fn topology() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let text = "[[filesystem]]\nname = \"testfs\"\ntargets = [\"MDT0000\", \"MDT0001\", \"OST0000\", \
                \"OST0001\"]\nnodemaps = [\"c0\", \"nm\"]\n";
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// The third column of a list.
fn third(list: &str) -> Vec<String> {
    let text = std::fs::read_to_string(format!("{LISTS}/{list}")).unwrap();
    text.lines().filter(|l| !l.starts_with('#')).map(|l| l.split('\t').nth(2).unwrap().to_owned()).collect()
}

#[test]
fn the_lists_are_judged_alike_as_table_and_json() {
    let topology = topology();
    for with in [&[][..], &["--topology", topology.path().to_str().unwrap()]] {
        for (list, code) in [("examples-good.txt", 0), ("examples-bad.txt", 1)] {
            let path = format!("{LISTS}/{list}");
            let args: Vec<&str> = ["param", "validate", "-f", &path].iter().chain(with).copied().collect();
            let (table_code, table, stderr) = run(&args, b"");
            assert_eq!(table_code, code, "{stderr}");
            let json: Vec<&str> = args.iter().copied().chain(["--output", "json"]).collect();
            let (json_code, json, _) = run(&json, b"");
            assert_eq!(json_code, code);
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            let items = json["items"].as_array().unwrap();
            assert_eq!(json["skipped"].is_array(), with.is_empty());
            assert_eq!(table.contains("# not checked without --topology"), with.is_empty());
            let rows: Vec<&str> = table.lines().skip(1).filter(|l| !l.starts_with('#')).collect();
            let expected = third(list);
            assert_eq!((rows.len(), items.len()), (expected.len(), expected.len()));
            for ((row, item), expected) in rows.iter().zip(items).zip(&expected) {
                let words: Vec<&str> = row.split_whitespace().collect();
                assert_eq!(words[0], item["line"].to_string());
                assert_eq!(words[1], item["severity"].as_str().unwrap());
                assert_eq!(words[2], item["class"].as_str().unwrap());
                if code == 1 {
                    assert_eq!((words[1], words[2]), ("refuse", expected.as_str()), "{row}");
                } else {
                    assert_ne!(words[1], "refuse", "{row}");
                }
            }
            assert_eq!(stderr.is_empty(), code == 0);
            assert_eq!(json["refused"], if code == 0 { 0 } else { expected.len() });
        }
    }
}

#[test]
fn a_target_that_is_not_there_needs_the_topology() {
    let topology = topology();
    let line = b"conf_param\ttestfs-OST0042.osc.max_dirty_mb=1\n";
    let (code, out, _) = run(&["param", "validate"], line);
    assert_eq!(code, 0, "{out}");
    let path = topology.path().to_str().unwrap();
    let (code, out, err) = run(&["param", "validate", "-f", "-", "--topology", path], line);
    assert_eq!(code, 1);
    assert!(out.contains("bad-device") && out.contains("testfs-OST0000, testfs-OST0001"), "{out}");
    assert_eq!(err, "mgsctl: 1 of 1 assignments refused\n");
}

#[test]
fn input_that_is_none_is_named_with_its_line() {
    for (list, wanted) in [
        (&b"# x\n\nset_param\tdebug=-1\nno tab\n"[..], "stdin, line 4: \"no tab\" has no tab"),
        (b"param\tx=1\n", "stdin, line 1: \"param\" is no syntax"),
        (b"set_param\t\xff=1\n", "stdin, line 1: is not UTF-8"),
    ] {
        let (code, out, err) = run(&["param", "validate"], list);
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.starts_with("mgsctl: ") && err.contains(wanted) && err.lines().count() == 1, "{err}");
    }
    let mut bad = tempfile::NamedTempFile::new().unwrap();
    bad.write_all(b"[[filesystem]]\nname = \"testfs\"\ntarget = []\n").unwrap();
    let path = bad.path().to_str().unwrap();
    for option in ["--topology", "--catalogue"] {
        let (code, _, err) = run(&["param", "validate", option, path], b"");
        assert!(code == 1 && err.contains(path) && err.lines().count() == 1, "{err}");
    }
    assert_eq!(run(&["param", "validate", "-f", "/nosuch"], b"").0, 1);
    assert_eq!(run(&["param", "validate"], b""), (0, run(&["param", "validate"], b"").1, String::new()));
}

#[test]
fn another_catalogue() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tunables/catalogue.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(
        text.replace("\"max_dirty_mb\"", "\"max_wet_mb\"")
            .replace(".max_dirty_mb\"", ".max_wet_mb\"")
            .as_bytes(),
    )
    .unwrap();
    let args = ["param", "validate", "--catalogue", file.path().to_str().unwrap()];
    assert_eq!(run(&args, b"set_param-P\tosc.*.max_wet_mb=1\n").0, 0);
    assert_eq!(run(&args, b"set_param-P\tosc.*.max_dirty_mb=1\n").0, 1);
}

#[test]
fn explained() {
    let mut fresh = String::new();
    for name in [
        "testfs-OST0000.osc.max_dirty_mb",
        "obdfilter.*.sync_journal",
        "lru_max_age",
        "max_drity_mb",
        "zzzzzz",
    ] {
        let (code, out, err) = run(&["param", "explain", name], b"");
        fresh.push_str(&format!("$ mgsctl param explain {name}\n{out}{err}[exit {code}]\n\n"));
    }
    let list = b"conf_param\ttestfs-OST0000.osc.max_dirty_mb=64\nset_param-P\tosc.*.max_drity_mb=64\n";
    for format in ["table", "json", "yaml"] {
        let (code, out, err) = run(&["param", "validate", "--output", format], list);
        fresh.push_str(&format!("$ mgsctl param validate --output {format}\n{out}{err}[exit {code}]\n\n"));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots/param.txt");
    if std::env::var_os("MGSD_BLESS").is_some() {
        std::fs::write(path, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap();
    assert!(kept == fresh, "{path} differs (MGSD_BLESS=1 rewrites it); now it is\n{fresh}");
    let (_, json, _) = run(&["param", "explain", "max_dirty_mb", "--output", "json"], b"");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let ids: Vec<&str> =
        json["items"].as_array().unwrap().iter().map(|i| i["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["global.max_dirty_mb", "mdc.max_dirty_mb", "osc.max_dirty_mb"]);
}
