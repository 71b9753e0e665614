//! The NIDs that a node claims, against the address that it is seen at; and a late READY.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod harness;
mod targets;

use harness::{LINK, Mgs, nid};
use mgs_core::Errno;
use mgs_core::engine::{Event, Input};
use mgs_core::model::command::Command;
use mgs_core::model::command::registration::{self, Bind};
use mgs_core::model::commit::{CommitRecord, EventKind};
use mgs_core::model::rules::{Binding, Mode, Node as Declared};
use targets::{Node, ost, register};
use wire::Nid;
use wire::relay::Frame;

fn bind(net: &str, mode: Mode, nodes: &[&[&str]], routers: &[&str]) -> Bind {
    let nids = |texts: &[&str]| texts.iter().map(|t| nid(t)).collect::<Vec<Nid>>();
    let nodes = nodes.iter().map(|node| nids(node)).collect();
    Bind { net: net.to_owned(), mode, nodes, routers: nids(routers), reset: false }
}

fn order(bind: Bind) -> Command {
    Command::Registration(registration::Command::Bind(bind))
}

/// A peer whose connection comes from an address.
fn up(mgs: &mut Mgs, peer: &str, remote: &str, gateway: Option<&str>) {
    let peer = nid(peer);
    let slot = mgs.peer_up(peer);
    let (local, gateway) = (nid("10.0.0.1@tcp"), gateway.map(nid));
    let frame = Frame::PeerUp { slot, peer, local, incarnation: 1, remote: remote.to_owned(), gateway };
    mgs.input(Input::Relay(LINK, frame));
}

/// A target of the node that speaks from `peer` and claims these NIDs.
fn claims(index: u32, peer: &str, nids: &[&str]) -> Node {
    ost(index).with(|n| {
        n.nid = nid(peer);
        n.uuid = format!("mgc of {peer}");
        n.nids = nids.iter().map(|t| (*t).to_owned()).collect();
    })
}

fn mismatches(mgs: &Mgs) -> Vec<(Vec<Nid>, Nid)> {
    let found = mgs.events.iter().filter_map(|e| match e {
        Event::NidMismatch { claimed, seen, .. } => Some((claimed.clone(), *seen)),
        _ => None,
    });
    found.collect()
}

#[test]
fn what_fits_is_not_mentioned() {
    let mut mgs = Mgs::new();
    up(&mut mgs, "10.0.0.3@tcp", "10.0.0.3:1023", None);
    up(&mut mgs, "fd00::3@tcp", "[fd00::3]:1023", None);
    up(&mut mgs, "10.0.0.4@tcp", "[::ffff:10.0.0.4]:1023", None);
    up(&mut mgs, "10.9.0.1@tcp", "127.0.0.1:40000", None);
    for (index, target) in [
        claims(0, "10.0.0.3@tcp", &["10.0.0.3@tcp"]),
        claims(1, "10.0.0.3@tcp", &["10.1.0.3@tcp1", "10.0.0.3@tcp"]),
        claims(2, "fd00::3@tcp", &["fd00::3@tcp"]),
        claims(3, "10.0.0.4@tcp", &["10.0.0.4@tcp"]),
        // This host's own: simulated nodes.
        claims(4, "10.9.0.1@tcp", &["10.9.0.1@tcp"]),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(register(&mut mgs, &target).status, 0, "{index}");
        assert_eq!(register(&mut mgs, &target.ready(1)).status, 0, "{index}");
    }
    assert!(mismatches(&mgs).is_empty(), "{:?}", mismatches(&mgs));
}

#[test]
fn a_mismatch_is_told_and_let_through_unless_somebody_said_otherwise() {
    let mut mgs = Mgs::new();
    up(&mut mgs, "10.0.0.3@tcp", "10.0.0.66:1023", None);
    let target = claims(0, "10.0.0.3@tcp", &["10.0.0.3@tcp"]);
    assert_eq!(register(&mut mgs, &target).status, 0);
    assert_eq!(mismatches(&mgs), [(vec![nid("10.0.0.3@tcp")], nid("10.0.0.66@tcp"))]);
    assert_eq!(register(&mut mgs, &target.clone().ready(1)).status, 0);
    assert_eq!(mismatches(&mgs).len(), 2, "READY says where clients go, too");
    mgs.order(order(bind("tcp", Mode::Off, &[], &[]))).unwrap();
    assert_eq!(register(&mut mgs, &target.ready(2)).status, 0);
    assert_eq!(mismatches(&mgs).len(), 2);
}

#[test]
fn enforced_it_is_refused_by_name() {
    let mut mgs = Mgs::new();
    let seq = mgs.order(order(bind("tcp0", Mode::Enforce, &[], &[]))).unwrap().seq.unwrap();
    let record: CommitRecord = serde_json::from_slice(&mgs.store[&format!("commit/{seq:016x}")]).unwrap();
    let EventKind::BindingSet { net, binding, before } = &record.events[0].kind else { panic!("{record:?}") };
    assert_eq!((net.as_str(), binding.mode, before.mode), ("tcp", Mode::Enforce, Mode::Log));
    let mut mgs = mgs.restarted();
    up(&mut mgs, "10.0.0.3@tcp", "10.0.0.66:1023", None);
    up(&mut mgs, "10.0.0.9@tcp1", "10.0.0.66:1023", None);
    let target = claims(0, "10.0.0.3@tcp", &["10.0.0.3@tcp"]);
    let store = mgs.store.clone();
    assert_eq!(register(&mut mgs, &target).status, Errno::EACCES.status());
    assert_eq!(mgs.store, store);
    let refused = mgs.events.iter().rev().find_map(|e| match e {
        Event::Refused { why, .. } => Some(why.clone()),
        _ => None,
    });
    assert_eq!(
        refused.unwrap(),
        "target 'testfs-OST0000': claims to be 10.0.0.3@tcp, and is seen at 10.0.0.66@tcp; if that is right, declare \
         it with 'mgsctl registration bind tcp enforce --allow 10.0.0.3@tcp=10.0.0.66@tcp'"
    );
    assert_eq!(mgs.engine.applicants().len(), 1, "listed");
    // What the hint says works, and stands for both directions of this node only.
    let allow = bind("tcp", Mode::Enforce, &[&["10.0.0.3@tcp", "10.0.0.66@tcp"]], &[]);
    mgs.order(order(allow)).unwrap();
    assert_eq!(register(&mut mgs, &target).status, 0);
    let other = claims(1, "10.0.0.3@tcp", &["10.0.0.4@tcp"]);
    assert_eq!(register(&mut mgs, &other).status, Errno::EACCES.status());
    assert_eq!(register(&mut mgs, &target.ready(1)).status, 0);
    let moved = claims(0, "10.0.0.3@tcp", &["10.0.0.4@tcp"]).ready(2);
    assert_eq!(register(&mut mgs, &moved).status, Errno::EACCES.status(), "READY is held against it, too");
    // Another network has its own rule.
    let there = claims(2, "10.0.0.9@tcp1", &["10.0.0.9@tcp1"]);
    assert_eq!(register(&mut mgs, &there).status, 0);
}

#[test]
fn a_router_speaks_for_those_behind_it_and_may_have_to_be_declared() {
    let mut mgs = Mgs::new();
    up(&mut mgs, "10.3.0.7@o2ib", "10.0.0.254:1023", Some("10.0.0.254@tcp"));
    let target = claims(0, "10.3.0.7@o2ib", &["10.3.0.7@o2ib"]);
    mgs.order(order(bind("o2ib", Mode::Enforce, &[], &[]))).unwrap();
    assert_eq!(register(&mut mgs, &target).status, 0, "any that the proxy takes");
    mgs.order(order(bind("o2ib", Mode::Enforce, &[], &["10.0.0.253@tcp"]))).unwrap();
    let other = claims(1, "10.3.0.7@o2ib", &["10.3.0.7@o2ib"]);
    assert_eq!(register(&mut mgs, &other).status, Errno::EACCES.status());
    mgs.order(order(bind("o2ib", Mode::Enforce, &[], &["10.0.0.254@tcp"]))).unwrap();
    assert_eq!(register(&mut mgs, &other).status, 0, "both are declared now");
    // Behind a believed router the name still has to be the node's own.
    let alien = claims(2, "10.3.0.7@o2ib", &["10.3.0.8@o2ib"]);
    assert_eq!(register(&mut mgs, &alien).status, Errno::EACCES.status());
}

#[test]
fn declarations_add_up_until_a_reset() {
    let mut mgs = Mgs::new();
    let sets: [&[&str]; 2] = [&["10.0.0.2@tcp", "10.0.1.2@tcp"], &["10.0.0.3@tcp", "10.0.1.3@tcp"]];
    mgs.order(order(bind("tcp", Mode::Log, &sets[..1], &[]))).unwrap();
    mgs.order(order(bind("tcp", Mode::Enforce, &sets[1..], &[]))).unwrap();
    let binding = |mgs: &Mgs| mgs.engine.view().rules.bindings.get("tcp").cloned();
    let declared = |set: &[&str]| Declared(set.iter().map(|t| nid(t)).collect());
    assert_eq!(binding(&mgs).unwrap().nodes, sets.map(declared));
    assert_eq!(mgs.order(order(bind("tcp", Mode::Enforce, &sets, &[]))).unwrap().seq, None, "all there");
    mgs.order(order(Bind { reset: true, ..bind("tcp", Mode::Log, &[], &[]) })).unwrap();
    assert_eq!(binding(&mgs), None, "as if nothing was ever said");
    assert_eq!(Binding::default().mode, Mode::Log);
    for (net, nodes) in [("nonet", vec![]), ("", vec![]), ("tcp", vec![&["10.0.0.2@tcp"][..]])] {
        let error = mgs.order(order(bind(net, Mode::Enforce, &nodes, &[]))).unwrap_err();
        assert_eq!(error.errno(), Errno::EINVAL, "{error}");
    }
}

#[test]
fn a_ready_of_an_earlier_start_is_told() {
    let mut mgs = Mgs::new();
    let target = claims(0, "10.0.0.3@tcp", &["10.0.0.3@tcp"]);
    register(&mut mgs, &target);
    register(&mut mgs, &target.clone().ready(7));
    let store = mgs.store.clone();
    assert_eq!(register(&mut mgs, &target.ready(6)).status, 0, "the target mounts, as with a kernel MGS");
    assert_eq!(mgs.store, store);
    let outdated =
        Event::Outdated { nid: nid("10.0.0.3@tcp"), target: "testfs-OST0000".to_owned(), instance: 6 };
    assert!(mgs.events.contains(&outdated));
}
