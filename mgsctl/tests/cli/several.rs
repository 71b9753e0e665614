//! A daemon with several MGS: one is chosen by its name, and without one nothing is done.

use super::*;
use mgsd::http::{Entry, door};

/// The socket that lists `names`, and a fake daemon behind each of `serving`.
fn site(names: &[(&str, Option<&str>)], serving: &[&str]) -> Daemon {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let socket = |name: &str| dir.path().join(name).join("api.sock");
    for name in serving {
        std::fs::create_dir(dir.path().join(name)).unwrap();
        let api = runtime.block_on(UnixApi::bind(&socket(name))).unwrap();
        runtime.spawn(api.serve(router(Arc::new(Fake::default())), std::future::pending()));
    }
    let entry = |(name, down): &(&str, Option<&str>)| Entry {
        name: (*name).to_owned(),
        api: socket(name),
        down: down.map(str::to_owned),
    };
    let entries = names.iter().map(entry).collect();
    let api = runtime.block_on(UnixApi::bind(&dir.path().join("api.sock"))).unwrap();
    // The sender may go: what it said last stays.
    let listed = tokio::sync::watch::channel(entries).1;
    runtime.spawn(api.serve(door(listed), std::future::pending()));
    Daemon { runtime, dir }
}

/// Exit code and the one line on stderr.
fn failed(output: &Output) -> (i32, String) {
    let line = text(&output.stderr);
    assert_eq!(line.lines().count(), 1, "{output:?}");
    assert!(line.starts_with("mgsctl: ") && output.stdout.is_empty(), "{output:?}");
    (output.status.code().unwrap(), line)
}

#[test]
fn one_is_chosen_by_option_or_environment() {
    let site = site(&[("home", None), ("scratch", None)], &["home", "scratch"]);
    let alone = Daemon::start(Fake::default());
    let told = alone.stdout(&["fs", "list"]);
    for args in [["--mgs", "home", "fs", "list"], ["fs", "list", "--mgs", "scratch"]] {
        assert_eq!(site.stdout(&args), told, "{args:?}");
    }
    let out = site.mgsctl(&["fs", "list"]).env("MGSD_MGS", "home").output().unwrap();
    assert_eq!(text(&out.stdout), told, "{out:?}");
    let front = site.run(&["--mgs", "home", "lctl", "--list-commands"]);
    assert!(front.status.success(), "{front:?}");
}

#[test]
fn without_a_name_the_names_are_listed_and_nothing_is_done() {
    let site = site(&[("home", None), ("scratch", None)], &["home", "scratch"]);
    for args in [&["status"][..], &["fs", "erase", "testfs"], &["param", "set", "testfs.sys.timeout=100"]] {
        let (code, line) = failed(&site.run(args));
        assert_eq!(code, 2, "{line}");
        assert!(line.contains("allowed: home, scratch") && line.contains("mgsctl --mgs home"), "{line}");
    }
    // lctl's own way to say that there is no such device, with the names behind it
    let out = site.run(&["lctl", "conf_param", "testfs.sys.timeout=100"]);
    assert_eq!(out.status.code(), Some(19), "{out:?}");
    assert!(text(&out.stderr).contains("home, scratch"), "{out:?}");
}

#[test]
fn a_name_that_is_not_served_is_told_what_is() {
    let site = site(&[("home", None), ("scratch", Some("its disk is gone"))], &["home"]);
    let (code, line) = failed(&site.run(&["--mgs", "hme", "status"]));
    assert_eq!(code, 3, "{line}");
    assert!(line.contains("MGS \"hme\": not served now") && line.contains("home, scratch"), "{line}");
    let (code, line) = failed(&site.run(&["--mgs", "scratch", "status"]));
    assert_eq!(code, 3, "{line}");
    assert!(line.contains("scratch does not serve: its disk is gone"), "{line}");
    let alone = Daemon::start(Fake::default());
    let (code, line) = failed(&alone.run(&["--mgs", "home", "status"]));
    assert_eq!(code, 3, "{line}");
    assert!(line.contains("leave --mgs out"), "{line}");
    let nobody = tempfile::tempdir().unwrap();
    let api = format!("unix:{}", nobody.path().join("api.sock").display());
    let (code, line) = failed(&mgsctl(&["--api", &api, "--mgs", "home", "status"]).output().unwrap());
    assert_eq!(code, 3, "{line}");
    assert!(line.contains("home/api.sock") && line.contains("no such socket"), "{line}");
}

#[test]
fn what_cannot_be_a_name_is_usage() {
    let alone = Daemon::start(Fake::default());
    for name in ["", "..", "a/b", &"x".repeat(100)] {
        let (code, line) = failed(&alone.run(&["--mgs", name, "status"]));
        assert!(code == 2 && line.contains("MGS \""), "{line}");
    }
}
