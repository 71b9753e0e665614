//! A target moves while nodes have it mounted: they get connections to the new address, mounts to come know no other.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod golden;
mod harness;
#[path = "golden/store.rs"]
mod store;
mod targets;

use capture::states;
use harness::{Mgs, encode, nid};
use lustre_peer::interp::{ConfigTree, Interpreter, Role, execute_log};
use mgs_core::Errno;
use mgs_core::model::TargetId;
use mgs_core::model::command::{Command, Done, log, nids};
use targets::{mdt, ost, register};
use wire::llog_rpc::LlogdBody;
use wire::ptlrpc::opc;

const OLD: &str = "10.77.0.3@tcp";

fn replace(target: &str, nids: &str) -> Command {
    nids::Command { target: target.to_owned(), nids: nids.to_owned(), rewrite: false }.into()
}

/// NIDs of the nodes that a device may connect to, the first one first; each node once.
fn reaches(tree: &ConfigTree, device: &str) -> Vec<Vec<String>> {
    tree.devices[device].connections.iter().map(|node| tree.nodes[node].clone()).collect()
}

/// The logs that connect to targets, with the role of their readers.
const LOGS: [(&str, Role); 3] =
    [("testfs-client", Role::Client), ("testfs-MDT0000", Role::Mdt), ("testfs-MDT0001", Role::Mdt)];

/// What a node that has read everything before makes of what is appended.
fn running(before: &llog::Log, after: &llog::Log, name: &str, role: Role) -> ConfigTree {
    let mut node = Interpreter::new(role, name, Vec::new());
    let old = before.records().filter(|r| r.live && !r.is_pad());
    let new = after.records_from(before.last_index() + 1).filter(|r| r.live && !r.is_pad());
    for record in old.chain(new) {
        node.execute(record.index, record.payload).unwrap();
    }
    node.tree().clone()
}

/// Moves a target; the trees of running nodes and of mounts to come, by log.
fn moved(mgs: &mut Mgs, target: &str, nids: &str) -> (Box<Done>, Vec<(ConfigTree, ConfigTree)>) {
    let before: Vec<llog::Log> = LOGS.iter().map(|(n, _)| mgs.engine.view().logs[*n].log.clone()).collect();
    let done = mgs.order(replace(target, nids)).unwrap();
    let trees = LOGS.iter().zip(before).map(|((name, role), before)| {
        let after = &mgs.engine.view().logs[*name].log;
        // Nothing moves: indices and lengths are those of before.
        assert_eq!(after.bytes_from(before.end()).len(), after.to_file().len() - before.to_file().len());
        let frames = |log: &llog::Log| {
            log.records()
                .take_while(|r| r.index <= before.last_index())
                .map(|r| (r.index, r.offset, r.len))
                .collect::<Vec<_>>()
        };
        assert_eq!(frames(after), frames(&before), "{name}");
        let (tree, error) = execute_log(*role, name, after);
        assert_eq!(error, None, "{name}");
        (running(&before, after, name, *role), tree)
    });
    (done, trees.collect())
}

/// Devices of a target in the three logs.
fn devices(target: &str, kinds: [&str; 3]) -> Vec<String> {
    kinds.iter().map(|kind| format!("{target}-{kind}")).collect()
}

#[test]
fn running_nodes_get_a_connection_and_new_mounts_only_that() {
    let golden = states::session("C");
    for to in [
        "10.77.0.5@tcp",
        "1.2.3.4@tcp",
        "10.177.200.213@tcp12",
        "10.77.0.5@tcp,10.78.0.5@tcp1",
        "10.77.0.5@tcp:10.77.0.6@tcp",
    ] {
        let mut mgs = store::mgs(&golden, "C06c-writeconf-all");
        let (done, trees) = moved(&mut mgs, "testfs-OST0000", to);
        assert_eq!(done.notified.iter().map(ToString::to_string).collect::<Vec<_>>(), ["testfs/config"]);
        assert!(done.warnings[0].starts_with("remount: no node"), "{done:?}");
        let nodes: Vec<Vec<String>> =
            to.split(':').map(|n| n.split(',').map(str::to_owned).collect()).collect();
        for ((running, fresh), device) in
            trees.iter().zip(devices("testfs-OST0000", ["osc", "osc-MDT0000", "osc-MDT0001"]))
        {
            let now = reaches(running, &device);
            assert_eq!(now[0], [OLD], "{to}: what it has stays first");
            assert!(nodes.iter().all(|n| now.contains(n)), "{to}: {now:?}");
            let then = reaches(fresh, &device);
            assert_eq!(then[0][0], nodes[0][0], "{to}");
            assert!(nodes.iter().all(|n| then.contains(n)), "{to}: {then:?}");
            assert!(!then.iter().flatten().any(|nid| nid == OLD), "{to}: {then:?}");
            // Others are where they were.
            let other = device.replace("OST0000", "OST0001");
            assert_eq!(reaches(fresh, &other), [[OLD]], "{to}");
        }
        let target = &mgs.engine.view().fs["testfs"].targets[&TargetId::ost(0)];
        assert_eq!(target.nids[0].to_string(), nodes[0][0]);
        assert_eq!(mgs.order(replace("testfs-OST0000", to)).unwrap().seq, None, "it is so already");
        // What a restart reads is the same.
        let again = mgs.restarted();
        for (name, _) in LOGS {
            assert_eq!(
                again.engine.view().logs[name].log.to_file(),
                mgs.engine.view().logs[name].log.to_file()
            );
        }
    }
}

#[test]
fn failover_nodes_of_before_are_gone_for_new_mounts() {
    let golden = states::session("C");
    let mut mgs = store::mgs(&golden, "C06c-writeconf-all");
    let (_, trees) = moved(&mut mgs, "testfs-OST0002", "10.77.0.7@tcp:10.77.0.8@tcp");
    for ((running, fresh), device) in
        trees.iter().zip(devices("testfs-OST0002", ["osc", "osc-MDT0000", "osc-MDT0001"]))
    {
        assert!(reaches(running, &device).contains(&vec!["10.77.0.5@tcp".to_owned()]));
        assert_eq!(reaches(fresh, &device), [["10.77.0.7@tcp"], ["10.77.0.8@tcp"]]);
    }
    // Once more, elsewhere: the appended section of the first move is dead.
    let (_, trees) = moved(&mut mgs, "testfs-OST0002", "10.77.0.9@tcp");
    for ((_, fresh), device) in
        trees.iter().zip(devices("testfs-OST0002", ["osc", "osc-MDT0000", "osc-MDT0001"]))
    {
        assert_eq!(reaches(fresh, &device), [["10.77.0.9@tcp"]]);
    }
}

#[test]
fn an_mdt_moves_in_the_logs_of_the_others() {
    let golden = states::session("C");
    let mut mgs = store::mgs(&golden, "C06c-writeconf-all");
    let own = mgs.engine.view().logs["testfs-MDT0000"].log.to_file();
    let (done, trees) = moved(&mut mgs, "testfs-MDT0000", "10.77.0.5@tcp:10.77.0.3@tcp");
    assert_eq!(reaches(&trees[0].1, "testfs-MDT0000-mdc"), [["10.77.0.5@tcp"], ["10.77.0.3@tcp"]]);
    assert_eq!(reaches(&trees[2].1, "testfs-MDT0000-osp-MDT0001"), [["10.77.0.5@tcp"], ["10.77.0.3@tcp"]]);
    assert_eq!(mgs.engine.view().logs["testfs-MDT0000"].log.to_file(), own, "it does not connect to itself");
    assert_eq!(
        done.logs.iter().map(|l| l.log.as_str()).collect::<Vec<_>>(),
        ["testfs-MDT0001", "testfs-client"]
    );
}

#[test]
fn what_does_not_fit_in_place_is_refused_with_the_way_out() {
    let golden = states::session("C");
    let mut mgs = store::mgs(&golden, "C06c-writeconf-all");
    let before = mgs.store.clone();
    let error = mgs.order(replace("testfs-OST0000", "fd00::5@tcp")).unwrap_err();
    assert!(error.errno() == Errno::EINVAL && error.to_string().contains("--rewrite"), "{error}");
    assert_eq!(mgs.store, before);
}

/// A site whose client has read its log.
fn site() -> Mgs {
    let mut mgs = Mgs::new();
    for node in [mdt(0), ost(0)] {
        assert_eq!(register(&mut mgs, &node).status, 0);
    }
    let client = nid("10.0.0.4@tcp");
    let handle = mgs.connect(client, "client");
    let open = encode(&LlogdBody::default());
    mgs.call(client, handle, opc::LLOG_ORIGIN_HANDLE_CREATE, vec![open, b"testfs-client\0".to_vec()]);
    mgs
}

#[test]
fn writing_logs_anew_needs_everybody_to_go() {
    let mut mgs = site();
    let anew = |target: &str| -> Command {
        nids::Command { target: target.to_owned(), nids: "10.0.0.9@tcp".to_owned(), rewrite: true }.into()
    };
    let clear = || -> Command { log::Command::Clear { name: "testfs".to_owned() }.into() };
    for (command, errno) in [(anew("testfs-OST0000"), Errno::EINPROGRESS), (clear(), Errno::EBUSY)] {
        let error = mgs.order(command).unwrap_err();
        assert_eq!(error.errno(), errno);
        let text = error.to_string();
        assert!(text.contains("10.0.0.3@tcp, 10.0.0.4@tcp") && text.contains("evict"), "{text}");
    }
    let exports: Vec<u64> = mgs.engine.exports().iter().map(|e| e.cookie).collect();
    exports.into_iter().for_each(|cookie| mgs.engine.evict(cookie, "test", mgs.now));
    mgs.drain();
    assert!(mgs.order(anew("testfs-OST0000")).unwrap().seq.is_some());
    assert!(mgs.order(clear()).unwrap().seq.is_some());
}

/// The lint knows every device of a log, not only those of its first chunks.
#[test]
fn the_last_of_many_targets_moves_too() {
    let mut mgs = Mgs::new();
    register(&mut mgs, &mdt(0));
    for index in 0..120 {
        assert_eq!(register(&mut mgs, &ost(index)).status, 0);
    }
    let done = mgs.order(replace("testfs-OST0077", "10.0.0.9@tcp")).unwrap();
    assert_eq!(done.logs.len(), 2);
    let (tree, error) =
        execute_log(Role::Client, "testfs-client", &mgs.engine.view().logs["testfs-client"].log);
    assert_eq!(error, None);
    assert_eq!(reaches(&tree, "testfs-OST0077-osc"), [["10.0.0.9@tcp"]]);
    assert_eq!(reaches(&tree, "testfs-OST0076-osc"), [["10.0.0.3@tcp"]]);
}
