//! A writeconf of MDT0000 under nodes that have the file system mounted, and reserved indices.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod harness;
mod targets;

use harness::{Mgs, encode, nid};
use mgs_core::Errno;
use mgs_core::engine::{EXPORT_TIMEOUT, Event};
use mgs_core::model::TargetKind;
use mgs_core::model::command::reservation::{self, Reserve};
use mgs_core::model::command::{Command, fs};
use mgs_core::model::commit::EventKind;
use mgs_core::model::rules::Policy;
use std::time::Duration;
use targets::{Node, mdt, ost, register};
use wire::ldlm::{ConfigKind, LdlmRequest, LockDesc, PLAIN, ResId, mode};
use wire::mgs::ldd;
use wire::ptlrpc::opc;

/// A node takes the lock that everybody holds who has the file system mounted. Returns handle and cookie.
fn mount(mgs: &mut Mgs, peer: &str, uuid: &str, fs: &str, kind: ConfigKind) -> (u64, u64) {
    let known = mgs.engine.exports().iter().find(|e| e.uuid == uuid).map(|e| e.cookie);
    let handle = known.unwrap_or_else(|| mgs.connect(nid(peer), uuid));
    let desc = LockDesc {
        lock_type: PLAIN,
        resource: ResId::config(fs, kind).unwrap(),
        req_mode: mode::CR,
        ..LockDesc::default()
    };
    let request = LdlmRequest { desc, handles: vec![0x11, 0], ..LdlmRequest::default() };
    assert_eq!(mgs.call(nid(peer), handle, opc::LDLM_ENQUEUE, vec![encode(&request)]).body().status, 0);
    let cookie = mgs.engine.locks().of_export(handle).last().unwrap().cookie;
    (handle, cookie)
}

fn umount(mgs: &mut Mgs, peer: &str, (handle, cookie): (u64, u64)) {
    let request = LdlmRequest { count: 1, handles: vec![cookie, 0], ..LdlmRequest::default() };
    mgs.call(nid(peer), handle, opc::LDLM_CANCEL, vec![encode(&request)]);
}

fn leave() -> Command {
    Command::Fs(fs::Command::ApproveWriteconf { fs: "testfs".to_owned() })
}

fn why(mgs: &Mgs) -> String {
    let refused = |e: &Event| if let Event::Refused { why, .. } = e { Some(why.clone()) } else { None };
    mgs.events.iter().rev().find_map(refused).unwrap()
}

fn site() -> Mgs {
    let mut mgs = Mgs::new();
    for target in [mdt(0), ost(0)] {
        assert_eq!(register(&mut mgs, &target).status, 0);
    }
    mgs
}

#[test]
fn a_writeconf_of_everything_needs_everybody_to_unmount() {
    let mut mgs = site();
    let client = mount(&mut mgs, "10.0.0.4@tcp", "client", "testfs", ConfigKind::Config);
    let before = mgs.store.clone();
    assert_eq!(register(&mut mgs, &mdt(0).writeconf()).status, Errno::EPERM.status());
    assert_eq!(mgs.store, before);
    assert_eq!(
        why(&mgs),
        "testfs-MDT0000: its writeconf erases every log of 'testfs', which is mounted on 10.0.0.4@tcp; unmount all \
         targets and clients of 'testfs' (a node that died counts for 150 s), or allow it with 'mgsctl fs \
         approve-writeconf testfs', then mount MDT0000 again"
    );
    // Other registrations, and a writeconf of one target, do as they did.
    assert_eq!(register(&mut mgs, &ost(0).writeconf()).status, 0);
    umount(&mut mgs, "10.0.0.4@tcp", client);
    assert_eq!(register(&mut mgs, &mdt(0).writeconf()).status, 0);
}

#[test]
fn the_node_of_mdt0000_counts_when_it_has_something_else_mounted() {
    let mut mgs = site();
    let other = mount(&mut mgs, "10.0.0.3@tcp", "server", "testfs", ConfigKind::Config);
    assert_eq!(register(&mut mgs, &mdt(0).writeconf()).status, Errno::EPERM.status());
    assert!(why(&mgs).contains("mounted on 10.0.0.3@tcp;"), "{}", why(&mgs));
    umount(&mut mgs, "10.0.0.3@tcp", other);
    assert_eq!(register(&mut mgs, &mdt(0).writeconf()).status, 0);
}

#[test]
fn other_locks_and_other_file_systems_do_not_count() {
    let mut mgs = site();
    mount(&mut mgs, "10.0.0.4@tcp", "client", "testfs", ConfigKind::Recover);
    mount(&mut mgs, "10.0.0.4@tcp", "client", "testfs2", ConfigKind::Config);
    mount(&mut mgs, "10.0.0.4@tcp", "client", "params", ConfigKind::Params);
    assert_eq!(register(&mut mgs, &mdt(0).writeconf()).status, 0);
}

#[test]
fn a_node_that_died_counts_until_it_is_evicted() {
    let mut mgs = site();
    mount(&mut mgs, "10.0.0.4@tcp", "client", "testfs", ConfigKind::Config);
    mgs.advance(EXPORT_TIMEOUT + Duration::from_secs(1));
    assert_eq!(register(&mut mgs, &mdt(0).writeconf()).status, 0);
}

#[test]
fn leave_is_for_one_writeconf() {
    let mut mgs = site();
    mount(&mut mgs, "10.0.0.4@tcp", "client", "testfs", ConfigKind::Config);
    let done = mgs.order(leave()).unwrap();
    assert_eq!(
        done.events,
        [EventKind::WriteconfApproved {
            fs: "testfs".to_owned(),
            until: mgs.now.wall + fs::LEAVE,
            before: None
        }]
    );
    let mut again = mgs.restarted();
    mount(&mut again, "10.0.0.4@tcp", "client", "testfs", ConfigKind::Config);
    assert_eq!(register(&mut again, &mdt(0).writeconf()).status, 0);
    assert!(again.engine.view().rules.leaves.is_empty(), "used up");
    assert_eq!(register(&mut again, &mdt(0).writeconf()).status, Errno::EPERM.status());
    // One that fails to be written is not used up.
    let no_nid = mdt(0).writeconf().with(|n| n.nids = vec!["junk".to_owned()]);
    assert_eq!(register(&mut mgs, &no_nid).status, Errno::EINVAL.status());
    assert_eq!(mgs.engine.view().rules.leaves.len(), 1);
}

#[test]
fn leave_ends_after_an_hour_by_a_commit() {
    let mut mgs = site();
    mount(&mut mgs, "10.0.0.4@tcp", "client", "testfs", ConfigKind::Config);
    mgs.order(leave()).unwrap();
    let commits = mgs.commits;
    mgs.now.wall += fs::LEAVE;
    // The client lives on.
    for _ in 0..40 {
        mgs.advance(Duration::from_secs(100));
        let handle = mgs.engine.exports().iter().find(|e| e.uuid == "client").unwrap().cookie;
        mgs.call(nid("10.0.0.4@tcp"), handle, opc::OBD_PING, vec![]);
    }
    assert_eq!((mgs.commits, mgs.engine.view().rules.leaves.len()), (commits + 1, 0));
    assert_eq!(register(&mut mgs, &mdt(0).writeconf()).status, Errno::EPERM.status());
    let unknown = Command::Fs(fs::Command::ApproveWriteconf { fs: "nofs".to_owned() });
    assert_eq!(mgs.order(unknown).unwrap_err().errno(), Errno::ENOENT);
}

// Reserved indices.

fn reserve(fs: &str, count: u32, nids: &[&str]) -> Reserve {
    Reserve {
        fs: fs.to_owned(),
        kind: TargetKind::Ost,
        count,
        expires: None,
        by: "rack 7".to_owned(),
        nids: nids.iter().map(|t| nid(t)).collect(),
    }
}

/// Names of what was reserved.
fn reserved(mgs: &mut Mgs, what: Reserve) -> Vec<String> {
    let done = mgs.order(Command::Reservation(reservation::Command::Reserve(what))).unwrap();
    let named = done.events.iter().map(|e| match e {
        EventKind::IndexReserved { target, .. } => target.clone(),
        other => panic!("{other:?}"),
    });
    named.collect()
}

fn on_demand() -> Node {
    ost(0).with(|n| n.info.flags |= ldd::NEED_INDEX)
}

#[test]
fn reserved_indices_are_given_to_nobody_else() {
    let mut mgs = site();
    register(&mut mgs, &ost(2));
    let names = reserved(&mut mgs, reserve("testfs", 3, &[]));
    assert_eq!(names, ["testfs-OST0001", "testfs-OST0003", "testfs-OST0004"]);
    let mut mgs = mgs.restarted();
    assert_eq!(reserved(&mut mgs, reserve("testfs", 1, &[])), ["testfs-OST0005"]);
    let reply = register(&mut mgs, &on_demand());
    assert_eq!((reply.status, reply.info.stripe_index), (0, 6));
    // Whoever names it takes it, and the reservation has done its work.
    assert_eq!(register(&mut mgs, &ost(3)).status, 0);
    assert_eq!(mgs.engine.view().rules.reserved.len(), 3);
    let unreserve =
        |name: &str| Command::Reservation(reservation::Command::Unreserve { target: name.to_owned() });
    assert!(mgs.order(unreserve("testfs-OST0001")).unwrap().seq.is_some());
    assert_eq!(mgs.order(unreserve("testfs-OST0001")).unwrap_err().errno(), Errno::ENOENT);
    assert_eq!(reserved(&mut mgs, reserve("testfs", 1, &[])), ["testfs-OST0001"]);
}

#[test]
fn an_index_reserved_for_a_node_is_refused_to_strangers() {
    let mut mgs = site();
    assert_eq!(
        reserved(&mut mgs, reserve("testfs", 2, &["10.0.0.7@tcp"])),
        ["testfs-OST0001", "testfs-OST0002"]
    );
    assert_eq!(register(&mut mgs, &ost(1)).status, Errno::EACCES.status());
    assert!(why(&mgs).contains("reserved by rack 7 for 10.0.0.7@tcp"), "{}", why(&mgs));
    // It is no approval for others, and counts as one for its own node.
    mgs.order(Command::Fs(fs::Command::Policy { fs: "testfs".to_owned(), policy: Policy::Closed })).unwrap();
    let own = |index| {
        ost(index).with(|n| {
            n.uuid = "own".to_owned();
            n.nid = nid("10.0.0.7@tcp");
            n.nids = vec!["10.0.0.7@tcp".to_owned()];
        })
    };
    assert_eq!(register(&mut mgs, &own(1)).status, 0);
    assert_eq!(register(&mut mgs, &own(3)).status, Errno::EACCES.status(), "closed");
}

#[test]
fn a_file_system_to_come_can_have_reservations() {
    let mut mgs = Mgs::new();
    assert_eq!(reserved(&mut mgs, reserve("newfs", 1, &[])), ["newfs-OST0000"]);
    assert!(mgs.engine.view().fs.is_empty());
    let mut mgs = mgs.restarted();
    assert_eq!(register(&mut mgs, &on_demand().of("newfs")).info.stripe_index, 1);
    assert_eq!(register(&mut mgs, &ost(0).of("newfs")).status, 0);
}

#[test]
fn a_reservation_ends_in_time_by_a_commit() {
    let mut mgs = site();
    reserved(&mut mgs, Reserve { expires: Some(60), ..reserve("testfs", 64, &[]) });
    reserved(&mut mgs, reserve("testfs", 1, &[]));
    // By a daemon that started meanwhile, too.
    let mut mgs = mgs.restarted();
    mgs.now.wall += 59;
    mgs.advance(Duration::from_secs(59));
    assert_eq!(mgs.engine.view().rules.reserved.len(), 65);
    mgs.now.wall += 1;
    let commits = mgs.commits;
    // No more at a time than every store takes in one commit.
    mgs.advance(Duration::from_secs(300));
    assert_eq!((mgs.engine.view().rules.reserved.len(), mgs.commits), (1, commits + 3));
    assert_eq!(register(&mut mgs, &on_demand()).info.stripe_index, 1);
}

#[test]
fn indices_that_come_back_after_a_writeconf_are_not_free() {
    let mut mgs = site();
    register(&mut mgs, &ost(1));
    assert_eq!(register(&mut mgs, &mdt(0).writeconf()).status, 0);
    assert_eq!(reserved(&mut mgs, reserve("testfs", 1, &[])), ["testfs-OST0002"]);
}

#[test]
fn what_cannot_be_reserved_is_refused() {
    let mut mgs = site();
    for (what, errno) in [
        (reserve("testfs", 0, &[]), Errno::EINVAL),
        (reserve("testfs", 65, &[]), Errno::EINVAL),
        (reserve("toolongfs", 1, &[]), Errno::EINVAL),
        (Reserve { by: "a\nb".to_owned(), ..reserve("testfs", 1, &[]) }, Errno::EINVAL),
    ] {
        let error = mgs.order(Command::Reservation(reservation::Command::Reserve(what))).unwrap_err();
        assert_eq!(error.errno(), errno, "{error}");
    }
    assert!(mgs.engine.view().rules.reserved.is_empty());
}
