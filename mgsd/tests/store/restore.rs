//! An older backup restored under nodes that had read on.

use crate::daemon::{Daemon, Node, mgsd};
use lustre_peer::node::{TargetKind, TargetOptions, TargetState};
use std::collections::{BTreeMap, BTreeSet};

fn ost(fs: &str, index: u32) -> TargetOptions {
    TargetOptions::new(fs, TargetKind::Ost, index)
}

/// What each node has read, log by log.
type Positions = BTreeMap<String, BTreeMap<String, u32>>;

fn positions(nodes: &[&Node]) -> Positions {
    nodes.iter().map(|n| (n.nid(), n.state().logs)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_under_nodes_that_had_read_on() {
    let mut daemon = Daemon::new().await;
    let (first, second) = (daemon.node(1, 50).await, daemon.node(2, 50).await);
    first.host.mount_mdt("alpha", 0).await.unwrap();
    first.host.mount_ost("alpha", 0).await.unwrap();
    let third = daemon.node(3, 50).await;
    third.host.mount_mdt("beta", 0).await.unwrap();
    third.host.mount_ost("beta", 0).await.unwrap();
    // two that read on at once, two whose clocks let them wait, one of another file system
    let quick = [daemon.node(11, 50).await, daemon.node(12, 50).await];
    let slow = [daemon.node(13, 4).await, daemon.node(14, 4).await];
    let other = daemon.node(15, 50).await;
    for node in quick.iter().chain(&slow) {
        node.host.mount_client("alpha").await.unwrap();
    }
    other.host.mount_client("beta").await.unwrap();

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup.db");
    let file = file.to_str().unwrap();
    let said = mgsd(&["backup", file, "--data", daemon.data()]).await.unwrap();
    assert!(said.contains("checked"), "{said}");
    let again = mgsd(&["backup", file, "--data", daemon.data()]).await.unwrap_err();
    assert!(again.contains("never overwritten"), "{again}");
    let api = daemon.api().await;
    let before: BTreeMap<String, u32> =
        api.logs(None).await.unwrap().items.into_iter().map(|l| (l.name, l.last_index)).collect();
    let versions: BTreeMap<String, u64> =
        api.fs_list().await.unwrap().items.into_iter().map(|f| (f.name, f.nidtbl_version)).collect();

    // what will be lost: an OST, and a file system of its own
    second.host.mount_ost("alpha", 1).await.unwrap();
    for node in &quick {
        node.until_it_knows("alpha-client", 1).await;
    }
    first.until("the OST in its own log", |s| s.logs["alpha-MDT0000"] > before["alpha-MDT0000"]).await;
    second.host.mount_mdt("gamma", 0).await.unwrap();
    let late = daemon.node(16, 50).await;
    late.host.mount_client("gamma").await.unwrap();
    daemon.kill().await;

    let nodes = [&first, &second, &third, &quick[0], &quick[1], &slow[0], &slow[1], &other, &late];
    let held = positions(&nodes);
    let ahead = |log: &String, last: &u32| *last > before.get(log).copied().unwrap_or(0);
    let expected: BTreeMap<String, BTreeSet<String>> = held
        .iter()
        .map(|(nid, logs)| {
            let ahead = logs.iter().filter(|(log, last)| ahead(log, last)).map(|(log, _)| log.clone());
            (nid.clone(), ahead.collect::<BTreeSet<_>>())
        })
        .filter(|(_, logs)| !logs.is_empty())
        .collect();
    let said = mgsd(&["restore", "--from", file, "--data", daemon.data()]).await.unwrap();
    eprintln!("{said}");
    assert!(said.contains("as epoch 2"), "{said}");
    assert!(said.contains("must be remounted: alpha-MDT0000"), "{said}");
    assert!(said.contains("(tunefs.lustre --writeconf): alpha-OST0001"), "{said}");
    assert!(said.contains("must be remounted: all of gamma"), "{said}");
    assert!(!said.contains("remounted: beta") && !said.contains("remounted: alpha-OST0000"), "{said}");
    assert!(mgsd(&["check", "--data", daemon.data()]).await.unwrap().contains("no damage"));

    // everybody comes back, and reads everything again
    let evicted: Vec<usize> = nodes.iter().map(|n| n.state().evictions).collect();
    daemon.start().await;
    let resume: BTreeMap<String, u32> = daemon
        .api()
        .await
        .logs(None)
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|l| (l.name, l.last_index))
        .collect();
    for (node, evicted) in nodes.into_iter().zip(evicted) {
        node.until("the MGS again", |s| s.evictions > evicted).await;
        for log in held[&node.nid()].keys().filter(|l| resume.contains_key(*l)) {
            node.until(log, |s| s.logs[log] >= resume[log]).await;
        }
    }
    let api = daemon.api().await;
    let listed = || async {
        let status = api.status().await.unwrap();
        assert_eq!(status.epoch, 2);
        let list = status.must_remount.into_iter().map(|m| (m.nid, m.logs.into_iter().collect()));
        list.collect::<BTreeMap<String, BTreeSet<String>>>()
    };
    // the last open of a log that is gone may still be under way
    while listed().await.len() < expected.len() {
        tokio::task::yield_now().await;
    }
    let list = listed().await;
    eprintln!("{list:#?}");
    assert_eq!(list, expected, "the list is exact");
    assert!(!list.contains_key(&other.nid()) && !list.contains_key(&third.nid()));
    assert!(list.contains_key(&quick[0].nid()) && list.contains_key(&late.nid()));

    // a second restart: they have passed the mark by which they were known, and are still on the list
    let noted = || async {
        let commits = api.commits(0, 10_000).await.unwrap().items;
        let events = commits.into_iter().flat_map(|commit| commit.events);
        events.filter(|event| event["event"] == "node_ahead").count()
    };
    while noted().await < list.values().map(BTreeSet::len).sum() {
        tokio::task::yield_now().await;
    }
    let evicted: Vec<usize> = nodes.iter().map(|n| n.state().evictions).collect();
    daemon.kill().await;
    daemon.start().await;
    let api = daemon.api().await;
    for (node, evicted) in nodes.iter().zip(evicted) {
        node.until("the MGS once more", |s| s.evictions > evicted).await;
    }
    let listed = || async {
        let list = api.status().await.unwrap().must_remount;
        let list = list.into_iter().map(|m| (m.nid, m.logs.into_iter().collect()));
        list.collect::<BTreeMap<String, BTreeSet<String>>>()
    };
    assert_eq!(listed().await, expected, "the list outlives the daemon");

    // nobody is deaf: a new OST reaches each client, wherever it stood
    let new = daemon.node(4, 50).await;
    new.host.mount_ost("alpha", 7).await.unwrap();
    new.host.mount_ost("beta", 7).await.unwrap();
    for node in quick.iter().chain(&slow) {
        node.until_it_knows("alpha-client", 7).await;
        assert!(node.state().tables["alpha-cliir"] > versions["alpha"]);
    }
    other.until_it_knows("beta-client", 7).await;

    // a node that was remounted is off the list; the lost OST registers again
    for node in &quick {
        node.host.umount("alpha-client").await.unwrap();
        let tree = node.host.mount_client("alpha").await.unwrap();
        assert_eq!(tree.osts.keys().map(|(_, i)| *i).collect::<Vec<_>>(), [0, 7]);
        assert!(!listed().await.contains_key(&node.nid()));
    }
    second.host.umount("alpha-OST0001").await.unwrap();
    let mut lost = ost("alpha", 1);
    lost.state = TargetState::Writeconf;
    second.host.mount_target(lost).await.unwrap();
    for node in &quick {
        node.until_it_knows("alpha-client", 1).await;
    }
    for node in nodes.into_iter().chain([&new]) {
        assert_eq!(node.state().violations, Vec::<String>::new(), "{}", node.nid());
    }
    daemon.kill().await;
    assert!(mgsd(&["check", "--data", daemon.data()]).await.unwrap().contains("no damage"));
}

/// Without the store that is replaced nobody knows what was lost: a gap is left, which nobody is assumed to have filled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_over_a_ruin() {
    let mut daemon = Daemon::new().await;
    let server = daemon.node(1, 50).await;
    server.host.mount_mdt("alpha", 0).await.unwrap();
    let client = daemon.node(2, 50).await;
    client.host.mount_client("alpha").await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup.db");
    let file = file.to_str().unwrap();
    mgsd(&["backup", file, "--data", daemon.data()]).await.unwrap();
    let api = daemon.api().await;
    let last = api.logs(Some("alpha")).await.unwrap().items[0].last_index;
    server.host.mount_ost("alpha", 0).await.unwrap();
    client.until_it_knows("alpha-client", 0).await;
    daemon.kill().await;

    let db = daemon.dir.path().join("mgs.db");
    std::fs::write(&db, vec![0x55; 20_000]).unwrap();
    std::fs::remove_file(daemon.dir.path().join("mgs.db-wal")).unwrap();
    let wrong =
        mgsd(&["restore", "--from", db.to_str().unwrap(), "--data", daemon.data()]).await.unwrap_err();
    assert!(wrong.contains("not a database of mgsd"), "{wrong}");
    let said = mgsd(&["restore", "--from", file, "--data", daemon.data(), "--gap", "300"]).await.unwrap();
    eprintln!("{said}");
    assert!(said.contains("cannot be read") && said.contains("is not known"), "{said}");
    assert!(daemon.dir.path().join("mgs.db.before-epoch-2").exists());
    daemon.start().await;
    let api = daemon.api().await;
    let log = api.logs(Some("alpha")).await.unwrap().items.remove(0);
    assert!(log.last_index > last + 300, "{log:?}");
    client.until("the log again", |s| s.logs["alpha-client"] >= log.last_index).await;
    let list = api.status().await.unwrap().must_remount;
    assert!(list.iter().any(|m| m.nid == client.nid()), "{list:?}");
    let new = daemon.node(4, 50).await;
    new.host.mount_ost("alpha", 7).await.unwrap();
    client.until_it_knows("alpha-client", 7).await;
    daemon.kill().await;
    assert!(mgsd(&["check", "--data", daemon.data()]).await.unwrap().contains("no damage"));
}
