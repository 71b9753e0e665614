//! Registration: answers, refusals, and what survives a lost reply or a failed commit.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod harness;
mod targets;

use harness::{LINK, Mgs, nid};
use mgs_core::Errno;
use mgs_core::engine::{CommitResult, Input, Output};
use mgs_core::model::{TargetId, View};
use std::time::Duration;
use targets::{mdt, ost, register};
use wire::mgs::ldd;
use wire::relay::Frame;

fn refused(mgs: &mut Mgs, node: &targets::Node, errno: Errno) {
    let before = mgs.store.clone();
    let reply = register(mgs, node);
    assert_eq!(reply.status, errno.status(), "{}", node.info.svname);
    assert_eq!(reply.info.flags, node.info.flags | ldd::ERROR);
    assert_eq!(mgs.store, before, "a refusal writes nothing");
}

#[test]
fn answers_are_those_of_the_kernel() {
    let mut mgs = Mgs::new();
    let first = register(&mut mgs, &mdt(0));
    assert_eq!((first.status, first.info.flags), (0, 0x1002_0081));
    assert_eq!(first.info.uuid, "testfs-MDT0000_UUID");
    let replace = ost(0).with(|n| n.info.flags &= !ldd::VIRGIN);
    register(&mut mgs, &ost(0));
    let replaced = register(&mut mgs, &replace);
    assert_eq!((replaced.status, replaced.info.flags, replaced.info.uuid.as_str()), (0, 0x1002_0482, ""));
    let again = register(&mut mgs, &ost(0).again());
    assert_eq!((again.status, again.info.flags, again.info.uuid.as_str()), (0, 0x1002_0002, ""));
    let ready = register(&mut mgs, &ost(0).ready(1));
    assert_eq!((ready.status, ready.info.flags & ldd::IR_CAPABLE), (0, 0), "startup");
    mgs.advance(Duration::from_secs(401));
    let ready = register(&mut mgs, &ost(0).ready(2));
    assert_eq!(ready.info.flags & ldd::IR_CAPABLE, ldd::IR_CAPABLE, "full");
}

#[test]
fn refusals_name_their_errno_and_leave_no_trace() {
    let mut mgs = Mgs::new();
    refused(
        &mut mgs,
        &ost(0).again().of("nofs").with(|n| n.info.flags |= ldd::UPDATE | ldd::OPC_UNREG),
        Errno::EINVAL,
    );
    register(&mut mgs, &mdt(0));
    register(&mut mgs, &ost(0));
    register(&mut mgs, &ost(0).ready(1));
    refused(&mut mgs, &ost(0), Errno::EADDRINUSE);
    refused(&mut mgs, &ost(7).again(), Errno::ENOENT);
    refused(&mut mgs, &ost(65535), Errno::ERANGE);
    refused(&mut mgs, &ost(1).of("toolongfs"), Errno::EINVAL);
    refused(&mut mgs, &ost(1).of("params"), Errno::EINVAL);
    refused(&mut mgs, &ost(1).with(|n| n.info.flags &= !ldd::SV_TYPE_OST), Errno::EINVAL);
    refused(&mut mgs, &ost(1).with(|n| n.nids = vec!["junk".to_owned()]), Errno::EINVAL);
    refused(
        &mut mgs,
        &ost(1).with(|n| n.info.params = "failover.node=10.0.0.3@tcp ".to_owned()),
        Errno::EADDRNOTAVAIL,
    );
    refused(&mut mgs, &ost(1).with(|n| n.info.params = "a=\"b ".to_owned()), Errno::EINVAL);
    refused(&mut mgs, &ost(1).ready(0), Errno::EINVAL);
    refused(&mut mgs, &ost(1).ready(1), Errno::ENOENT);
    assert_eq!(register(&mut mgs, &ost(1)).status, 0, "the index is still free");
}

#[test]
fn a_lost_reply_is_answered_again_until_ready() {
    let mut mgs = Mgs::new();
    let first = register(&mut mgs, &ost(3));
    let commits = mgs.commits;
    let again = register(&mut mgs, &ost(3));
    assert_eq!((again.status, &again.info), (0, &first.info));
    assert_eq!(mgs.commits, commits, "nothing is written twice");
    // Also by an MGS that was killed in between.
    let mut mgs = mgs.restarted();
    assert_eq!(register(&mut mgs, &ost(3)).info, first.info);
    // Another node, other NIDs, other parameters: that is another target.
    assert_eq!(register(&mut mgs, &ost(3).with(|n| n.uuid = "new MGC".to_owned())).info, first.info);
    refused(&mut mgs, &ost(3).with(|n| n.nids = vec!["10.0.0.9@tcp".to_owned()]), Errno::EADDRINUSE);
    refused(
        &mut mgs,
        &ost(3).with(|n| n.info.params = "failover.node=10.0.0.9@tcp ".to_owned()),
        Errno::EADDRINUSE,
    );
    // READY proves that the reply arrived.
    register(&mut mgs, &ost(3).ready(1));
    refused(&mut mgs, &ost(3), Errno::EADDRINUSE);
}

#[test]
fn a_failed_commit_frees_the_index_and_says_so() {
    let mut mgs = Mgs::new();
    let handle = mgs.connect(nid("10.0.0.3@tcp"), "server");
    mgs.hold();
    let (body, buffers) = targets::request(&ost(0), handle);
    let xid = mgs.send(nid("10.0.0.3@tcp"), body, buffers);
    assert!(mgs.reply(xid).is_none(), "acknowledged means durable");
    assert!(matches!(mgs.held.take().unwrap()[..], [Output::Commit { .. }]));
    let full = CommitResult::Failed { errno: Errno::ENOSPC, why: "disk full".to_owned() };
    mgs.input(Input::Committed(full));
    let reply = mgs.reply(xid).unwrap();
    assert_eq!(reply.body().status, Errno::ENOSPC.status());
    let info: wire::mgs::TargetInfo =
        wire::Codec::from_slice(&reply.message().buffers[1], wire::Order::Little).unwrap();
    assert_eq!(info.flags & ldd::ERROR, ldd::ERROR);
    assert!(mgs.engine.view().fs.is_empty());
    let again = register(&mut mgs, &ost(0));
    assert_eq!((again.status, again.info.flags & ldd::ERROR), (0, 0));
}

#[test]
fn requests_queue_while_a_commit_is_in_flight_and_share_the_next() {
    let mut mgs = Mgs::new();
    let node = nid("10.0.0.3@tcp");
    let handle = mgs.connect(node, "server");
    mgs.hold();
    let xids: Vec<u64> = (0..20)
        .map(|i| {
            let (body, buffers) = targets::request(&ost(i), handle);
            mgs.send(node, body, buffers)
        })
        .collect();
    let commits = mgs.commits;
    let first = mgs.held.take().unwrap();
    first.into_iter().for_each(|o| mgs.serve_store(o));
    mgs.drain();
    assert!(xids.iter().all(|x| mgs.reply(*x).is_some_and(|r| r.body().status == 0)));
    assert_eq!(mgs.commits - commits, 2, "the first alone, the other nineteen together");
    // What a restart reads is what was served.
    let again = mgs.restarted();
    let (a, b) = (mgs.engine.view(), again.engine.view());
    assert_eq!(a.fs, b.fs);
    for (name, entry) in &a.logs {
        assert_eq!(entry.log.to_file(), b.logs[name].log.to_file(), "{name}");
        assert_eq!(entry.head, b.logs[name].head);
    }
    assert_eq!(a.last_hash, b.last_hash);
}

#[test]
fn need_index_takes_the_lowest_free_one() {
    let mut mgs = Mgs::new();
    register(&mut mgs, &ost(0));
    register(&mut mgs, &ost(2));
    let any = ost(0).with(|n| n.info.flags |= ldd::NEED_INDEX);
    let reply = register(&mut mgs, &any);
    assert_eq!((reply.status, reply.info.stripe_index, reply.info.svname.as_str()), (0, 1, "testfs-OST0001"));
}

#[test]
fn a_target_whose_logs_are_lost_registers_again_by_itself() {
    let mut mgs = Mgs::new();
    let reply = register(&mut mgs, &mdt(0).again());
    assert_eq!((reply.status, reply.info.flags & ldd::REWRITE_LDD), (0, ldd::REWRITE_LDD));
    assert!(mgs.engine.view().logs.contains_key("testfs-MDT0000"));
}

#[test]
fn writeconf_of_mdt0000_makes_new_logs_and_keeps_the_table_version() {
    let mut mgs = Mgs::new();
    register(&mut mgs, &mdt(0));
    register(&mut mgs, &ost(0));
    register(&mut mgs, &mdt(0).ready(1));
    let old = mgs.engine.view().clone();
    let reply = register(&mut mgs, &mdt(0).writeconf());
    assert_eq!((reply.status, reply.info.flags), (0, 0x1002_0081));
    let new = mgs.engine.view();
    assert_eq!(new.fs["testfs"].head.nidtbl_version, old.fs["testfs"].head.nidtbl_version);
    assert!(new.fs["testfs"].nidtbl.is_empty());
    assert!(!new.logs.contains_key("testfs-OST0000"));
    let id = |view: &View| view.fs["testfs"].targets[&TargetId::mdt(0)].id.clone();
    assert_eq!(
        (id(new).len(), id(new) == id(&old)),
        (36, false),
        "MDT0000 erased everything, itself included"
    );
    assert_ne!(new.logs["testfs-client"].id(), old.logs["testfs-client"].id());
    assert!(new.log_by_id(old.logs["testfs-client"].id()).is_none(), "the old id answers 'gone'");
    assert_eq!(new.fs["testfs"].head.uuid, old.fs["testfs"].head.uuid);
    let restarted = mgs.restarted();
    assert_eq!(restarted.engine.view().fs, mgs.engine.view().fs);
    refused(&mut mgs, &ost(0).again(), Errno::ENOENT);
    assert_eq!(register(&mut mgs, &ost(0).writeconf()).status, 0);
}

#[test]
fn a_long_nid_list_is_fetched() {
    let mut mgs = Mgs::new();
    let node = nid("10.0.0.3@tcp");
    let handle = mgs.connect(node, "server");
    let (body, mut buffers) = targets::request(&ost(0), handle);
    let list = wire::mgs::TargetNidList { flags: wire::mgs::mtn::IN_BULK, count: 2, inline: vec![] };
    buffers[1] = harness::encode(&list);
    let xid = mgs.send(node, body, buffers);
    let Some(Frame::Fetch { cookie, length, portal, .. }) = mgs.fetches.pop() else { panic!("no fetch") };
    assert_eq!((length, portal), (128, 33));
    let mut bytes = vec![0; 128];
    bytes[..12].copy_from_slice(b"10.0.0.3@tcp");
    bytes[64..76].copy_from_slice(b"10.1.0.3@tcp");
    mgs.input(Input::Relay(LINK, Frame::Fetched { cookie, payload: Some(bytes.into()) }));
    assert_eq!(mgs.reply(xid).unwrap().body().status, 0);
    assert_eq!(mgs.engine.view().fs["testfs"].targets[&TargetId::ost(0)].nids.len(), 2);
}

#[test]
fn the_commit_chain_links_each_record_to_the_one_before() {
    let mut mgs = Mgs::new();
    register(&mut mgs, &mdt(0));
    register(&mut mgs, &ost(0));
    let mut last = String::new();
    for seq in 1..=mgs.seq {
        let record = &mgs.store[&format!("commit/{seq:016x}")];
        let parsed: mgs_core::model::commit::CommitRecord = serde_json::from_slice(record).unwrap();
        assert_eq!((parsed.seq, &parsed.prev), (seq, &last));
        assert!(!parsed.events.is_empty());
        last = mgs_core::model::view::sha256_hex(record);
    }
    assert_eq!(mgs.engine.view().last_hash, last);
}

#[test]
fn a_writeconf_of_one_mdt_edits_and_appends_in_one_commit() {
    // The old section is skipped in a segment that the new one follows: each byte is stored once.
    let mut mgs = Mgs::new();
    for target in [mdt(0), mdt(1)] {
        assert_eq!(register(&mut mgs, &target).status, 0);
    }
    let before = mgs.engine.view().logs["testfs-client"].log.count();
    assert_eq!(register(&mut mgs, &mdt(1).writeconf()).status, 0);
    let again = mgs.restarted();
    for (name, entry) in &mgs.engine.view().logs {
        assert_eq!(again.engine.view().logs[name].log.to_file(), entry.log.to_file(), "{name}");
    }
    assert_eq!(again.engine.view().logs["testfs-client"].log.count(), before + 6);
}
