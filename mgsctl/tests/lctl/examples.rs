//! Every line of the lists of examples, typed at the front: taken, or refused with its class.

use std::time::Duration;

use mgs_api::Client;
use scenarios::daemon::Daemon;

use super::sessions::disk;
use super::terminal::says;

const EINVAL: i32 = 22;
const ENOENT: i32 = 2;

/// Syntax, assignment, and what a line says of it.
fn lines(list: &str) -> Vec<[String; 3]> {
    let path = capture::vectors_dir().join(format!("tunables/examples-{list}.txt"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            [columns[0], columns[1], columns[2]].map(str::to_owned)
        })
        .collect()
}

/// The words of a line, behind `lctl`.
fn words<'a>(syntax: &str, assignment: &'a str) -> Vec<&'a str> {
    match syntax {
        "conf_param" => vec!["conf_param", assignment],
        "set_param-P" => vec!["set_param", "-P", assignment],
        "set_param" => vec!["set_param", assignment],
        other => panic!("no syntax: {other}"),
    }
}

/// The site that the head of the lists describes: the recorded one with two MDTs and two OSTs, and two nodemaps.
async fn site() -> Daemon {
    let daemon = Daemon::start("10.77.0.2@tcp".parse().unwrap(), Duration::ZERO).await.unwrap();
    let disk = disk("C", "C01-mdt0001");
    let socket = daemon.socket();
    super::sessions::here_command(&socket, &["import", "--from", disk.path().to_str().unwrap()]);
    for nodemap in ["c0", "nm"] {
        assert_eq!(says(&socket, &["nodemap_add", "--name", nodemap]), (Vec::new(), 0));
    }
    let targets: Vec<String> =
        daemon.api.targets(None).await.unwrap().items.into_iter().map(|target| target.name).collect();
    assert_eq!(targets, ["testfs-MDT0000", "testfs-MDT0001", "testfs-OST0000", "testfs-OST0001"]);
    daemon
}

async fn seq(api: &Client) -> u64 {
    api.status().await.unwrap().seq
}

/// What `set_param` without `-P` names is on the node where it is typed: those of other nodes are not on an MGS.
const OF_OTHER_NODES: usize = 7;

#[tokio::test(flavor = "multi_thread")]
async fn good_examples_are_taken() {
    let daemon = site().await;
    let (mut wrong, mut elsewhere, mut done) = (Vec::new(), 0, 0);
    for [syntax, assignment, _] in lines("good") {
        let before = seq(&daemon.api).await;
        let (said, code) = says(&daemon.socket(), &words(&syntax, &assignment));
        let stored = seq(&daemon.api).await > before;
        let ours = syntax != "set_param" || assignment.starts_with("mgs.");
        if !ours {
            elsewhere += 1;
            assert_eq!((code, stored), (ENOENT, false), "{assignment}: {said:?}");
            assert!(said.iter().any(|line| line.starts_with("# ")), "{assignment}: {said:?}");
        } else if code != 0 || !stored {
            wrong.push(format!("{syntax} {assignment}: exit {code}, stored: {stored}, {said:?}"));
        } else {
            done += 1;
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!((elsewhere, done), (OF_OTHER_NODES, 146 - OF_OTHER_NODES));
    drop(daemon.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_examples_are_refused_with_their_class() {
    let daemon = site().await;
    let (mut wrong, mut done) = (Vec::new(), 0);
    let before = daemon.api.logs(None).await.unwrap().items;
    for [syntax, assignment, class] in lines("bad") {
        let (said, code) = says(&daemon.socket(), &words(&syntax, &assignment));
        let why: Vec<&String> = said.iter().filter(|line| line.starts_with("# ")).collect();
        let named = why.iter().any(|line| line.contains(&format!("({class})")));
        let errno = if syntax == "set_param" { ENOENT } else { EINVAL };
        if code != errno || why.len() != 1 || !named {
            wrong.push(format!("{syntax} {assignment}: exit {code}, {said:?} instead of {class}"));
        }
        done += 1;
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(done, 144);
    assert_eq!(daemon.api.logs(None).await.unwrap().items, before);
    assert!(daemon.api.params(None).await.unwrap().items.is_empty());
    drop(daemon.stop().await.unwrap());
}
