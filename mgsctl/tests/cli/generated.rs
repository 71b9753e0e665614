//! Completions and man pages follow the definition of the command line.

use std::collections::BTreeMap;

use super::*;

const MAN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/man");

/// `mgsctl man packaging/man` writes them; this test does with `MGSD_BLESS=1`.
#[test]
fn man_pages_are_fresh() {
    let fresh: BTreeMap<String, String> =
        ::mgsctl::man_pages().unwrap().into_iter().map(|(name, page)| (name, text(&page))).collect();
    if std::env::var_os("MGSD_BLESS").is_some() {
        for (name, page) in &fresh {
            std::fs::write(format!("{MAN}/{name}"), page).unwrap();
        }
    }
    let kept: BTreeMap<String, String> = std::fs::read_dir(MAN)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), std::fs::read_to_string(entry.path()).unwrap())
        })
        // Pages of other programs are not ours to judge.
        .filter(|(name, _)| name.starts_with("mgsctl"))
        .collect();
    let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(&kept),
        names(&fresh),
        "packaging/man: delete what is too much, MGSD_BLESS=1 writes the rest"
    );
    assert!(
        kept == fresh,
        "packaging/man is stale: run MGSD_BLESS=1 cargo test -p mgsctl man_pages_are_fresh"
    );
}

#[test]
fn the_hidden_command_writes_the_same_pages() {
    let dir = tempfile::tempdir().unwrap();
    let out = mgsctl(&["man", dir.path().to_str().unwrap()]).output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
    for (name, page) in ::mgsctl::man_pages().unwrap() {
        assert_eq!(std::fs::read(dir.path().join(&name)).unwrap(), page, "{name}");
    }
    let out = mgsctl(&["man", "/nosuch"]).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
}

#[test]
fn completions_are_valid_bash_that_knows_the_nouns() {
    let out = mgsctl(&["completions", "bash"]).output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty());
    let script = text(&out.stdout);
    for noun in ["status", "fs", "target", "client", "log", "why", "completions"] {
        assert!(script.contains(&format!("mgsctl,{noun})")), "{noun}");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mgsctl.bash");
    std::fs::write(&path, script).unwrap();
    let checked = Command::new("bash").arg("-n").arg(&path).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}
