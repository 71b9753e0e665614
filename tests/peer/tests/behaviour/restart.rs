//! An MGS that restarts, forgets, is not there, or plays with cookies.
use crate::pair::{Pair, nid};
use lustre_peer::{Command, Event, Input, Violation};
use std::time::Duration;
use wire::ptlrpc::{connect_op, opc};

fn connects(pair: &Pair) -> Vec<u32> {
    pair.mgs.seen.iter().filter(|s| s.opc == opc::MGS_CONNECT).map(|s| s.body.conn_cnt).collect()
}

#[test]
fn after_a_restart_everything_is_taken_again() {
    let mut pair = Pair::new();
    pair.mount_mdt();
    pair.mount_ost(0);
    pair.mgs.seen.clear();
    pair.mgs.restart();
    pair.cut();
    assert!(pair.mgs.seen.is_empty(), "a broken connection is not told upwards");
    pair.seconds(26);
    assert_eq!(connects(&pair), [2]);
    let ready: Vec<u32> =
        pair.mgs.seen.iter().filter(|s| s.opc == opc::MGS_TARGET_REG).map(|s| s.opc).collect();
    assert_eq!(ready.len(), 2, "NID notification for each target");
    assert!(pair.events.iter().any(|e| matches!(e, Event::Connected { evicted: true, conn_cnt: 2, .. })));
    pair.mgs.seen.clear();
    pair.seconds(11);
    let logs: Vec<&str> =
        pair.mgs.seen.iter().filter(|s| s.opc == 501 || s.opc == 256).map(|s| s.log.as_str()).collect();
    assert_eq!(
        logs,
        [
            "testfs-client",
            "testfs-OST0000",
            "params",
            "testfs-client",
            "testfs-mdtir",
            "testfs-MDT0000",
            "params",
            "nodemap",
            "testfs-sptlrpc"
        ],
        "youngest mount first"
    );
    assert_eq!(pair.mgs.locks.len(), 10);
    assert!(pair.violations().is_empty(), "{:?}", pair.violations());
}

#[test]
fn an_unknown_handle_leads_to_a_reconnect() {
    let mut pair = Pair::new();
    pair.mount_client();
    pair.mgs.seen.clear();
    pair.mgs.evict();
    pair.seconds(26);
    assert_eq!(pair.mgs.opcodes()[..2], [opc::OBD_PING, opc::MGS_CONNECT]);
    assert_ne!(pair.mgs.seen[1].body.handle, 0, "the old handle is stated");
    assert_eq!(pair.mgs.seen[1].body.op_flags & connect_op::INITIAL, 0);
    pair.seconds(10);
    assert_eq!(pair.mgs.locks.len(), 4);
}

#[test]
fn a_reconnect_with_the_same_cookie_keeps_locks() {
    let mut pair = Pair::new();
    pair.mount_client();
    pair.mgs.seen.clear();
    pair.mgs.twist = Some(Box::new(|a| a.dropped = a.opc == opc::OBD_PING));
    pair.seconds(41);
    assert_eq!(connects(&pair), [2]);
    let evicted = |e: &Event| matches!(e, Event::Connected { evicted: true, .. });
    assert!(!pair.events.iter().any(evicted));
    assert_eq!(pair.mgs.locks.len(), 4);
    assert!(pair.mgs.seen.iter().all(|s| s.opc == opc::OBD_PING || s.opc == opc::MGS_CONNECT));
}

#[test]
fn reconnect_with_another_cookie_is_an_eviction() {
    let mut pair = Pair::new();
    pair.mount_client();
    pair.mgs.twist = Some(Box::new(|a| a.dropped = a.opc == opc::OBD_PING));
    pair.seconds(26);
    let mut first = true;
    pair.mgs.twist = Some(Box::new(move |a| {
        if a.opc == opc::MGS_CONNECT && std::mem::take(&mut first) {
            assert_eq!(a.body.op_flags, connect_op::RECONNECT);
            a.body.handle ^= 0xff00_0000;
        }
    }));
    pair.seconds(20);
    assert!(pair.events.iter().any(|e| matches!(e, Event::Connected { evicted: true, .. })));
    // The handle it was given is unknown to this MGS, which the next request finds out.
    pair.seconds(60);
    assert_eq!(pair.node.config("testfs-client").unwrap().to_string(), "1 MDT, 2 OSTs");
}

#[test]
fn export_cookie_0_is_a_fault() {
    let mut pair = Pair::new();
    pair.mgs.twist = Some(Box::new(|a| {
        if a.opc == opc::MGS_CONNECT {
            a.body.handle = 0;
        }
    }));
    pair.mount_client();
    assert!(matches!(pair.violations()[..], [Violation::BadReply { opc: opc::MGS_CONNECT, .. }]));
}

#[test]
fn a_standby_is_left_for_the_next_nid() {
    let mut pair = Pair::with(|c| c.mgs = vec![nid("10.0.0.1@tcp"), nid("10.0.0.9@tcp")]);
    pair.unreachable = true;
    pair.mount_client();
    pair.pass(Duration::from_millis(500));
    pair.unreachable = false;
    pair.mgs.nid = nid("10.0.0.9@tcp");
    pair.seconds(3);
    assert_eq!(pair.mounted(), ["testfs-client"]);
    assert!(
        pair.events.iter().any(|e| matches!(e, Event::Connected { mgs, .. } if *mgs == nid("10.0.0.9@tcp")))
    );
}

#[test]
fn without_an_mgs_a_mount_gives_up() {
    let mut pair = Pair::new();
    pair.unreachable = true;
    pair.mount_client();
    pair.seconds(120);
    assert!(pair.failure().is_some());
    let mut pair = Pair::new();
    pair.unreachable = true;
    pair.mount_ost(0);
    pair.seconds(120);
    assert_eq!(pair.failure(), Some(-110));
}

#[test]
fn connect_refused_with_an_error_is_tried_again_after_25_seconds() {
    let mut pair = Pair::new();
    let mut left = 1;
    pair.mgs.twist = Some(Box::new(move |a| {
        if a.opc == opc::MGS_CONNECT && left > 0 {
            left -= 1;
            (a.body.status, a.body.msg_type) = (-19, wire::ptlrpc::msg_type::ERR);
            a.buffers.clear();
        }
    }));
    pair.mount_client();
    pair.seconds(24);
    assert_eq!(connects(&pair), [1]);
    pair.seconds(2);
    assert_eq!(connects(&pair), [1, 2]);
    assert_eq!(pair.mounted(), ["testfs-client"]);
}

#[test]
fn a_known_target_starts_from_its_copy_and_catches_up() {
    let mut pair = Pair::new();
    pair.mount_ost(0);
    pair.feed(Input::Command(Command::Umount("testfs-OST0000".to_owned())));
    assert!(pair.mounted().is_empty());
    pair.mgs.restart();
    pair.cut();
    pair.unreachable = true;
    pair.mgs.seen.clear();
    pair.mount_ost(0);
    pair.seconds(60);
    assert_eq!(pair.mounted(), ["testfs-OST0000"]);
    assert_eq!(pair.node.config("testfs-OST0000").unwrap().devices.len(), 1);
    assert!(pair.mgs.seen.is_empty());
    pair.unreachable = false;
    pair.seconds(60);
    let ready = pair.mgs.opcodes().into_iter().filter(|o| *o == opc::MGS_TARGET_REG).count();
    assert_eq!((ready, pair.mgs.registrations.last().map(|r| r.0.instance)), (1, Some(2)), "READY now");
    assert!(pair.mgs.seen.iter().any(|s| s.opc == 501 && s.log == "testfs-OST0000"));
    assert_eq!(pair.mgs.locks.len(), 5, "sptlrpc, nodemap, own log, params, client log");
    assert!(pair.violations().is_empty(), "{:?}", pair.violations());
}

/// The MGC of another target has a connection that nobody has found dead yet: what was sent on it is given up as soon as
/// what waits for one (`rq_delay_limit`), and the mount goes on.
#[test]
fn a_known_target_starts_from_its_copy_though_the_connection_seemed_to_stand() {
    let mut pair = Pair::new();
    pair.mount_mdt();
    pair.mount_ost(0);
    pair.feed(Input::Command(Command::Umount("testfs-OST0000".to_owned())));
    assert_eq!(pair.mounted(), ["testfs-MDT0000"]);
    pair.cut();
    pair.unreachable = true;
    let started = pair.now;
    pair.mount_ost(0);
    while pair.mounted().len() < 2 && pair.now < started + Duration::from_secs(120) {
        pair.seconds(1);
    }
    // 10 s for REG, 35 for the log of which the lock is held, 5 for own log, params and client log, 10 for READY.
    let took = pair.now - started;
    assert!(took <= Duration::from_secs(80), "{took:?}");
    pair.unreachable = false;
    pair.mgs.restart();
    pair.mgs.seen.clear();
    pair.seconds(120);
    let enqueued = pair.mgs.seen.iter().filter(|s| s.opc == opc::LDLM_ENQUEUE).count();
    assert_eq!(enqueued, pair.mgs.locks.len(), "each lock is taken once");
    assert!(enqueued >= 5 + 4, "{enqueued}");
    assert!(pair.violations().is_empty(), "{:?}", pair.violations());
}

#[test]
fn a_late_reply_is_no_fault() {
    let mut pair = Pair::new();
    pair.mount_client();
    pair.mgs.twist = Some(Box::new(|a| a.dropped = a.opc == opc::OBD_PING));
    pair.seconds(41);
    let ping = pair.mgs.seen.iter().find(|s| s.opc == opc::OBD_PING).unwrap();
    let body = wire::ptlrpc::Body { msg_type: 4713, version: 3, opc: opc::OBD_PING, ..Default::default() };
    let reply = wire::ptlrpc::Message::new(&body, Vec::new()).to_bytes();
    pair.mgs.put(25, ping.xid, 224, reply, false);
    pair.pump();
    assert!(pair.violations().is_empty());
}

/// A lock that could not be had makes the log lost while the mount reads it; the thread that reads lost logs again must
/// not execute the same records beside it: the second of them would find every device there already (EEXIST).
#[test]
fn a_log_lost_while_it_is_read_is_not_read_twice_at_once() {
    let mut pair = Pair::new();
    let (mut enqueues, mut cut) = (0, false);
    pair.mgs.twist = Some(Box::new(move |a| {
        if a.opc == opc::LDLM_ENQUEUE {
            enqueues += 1;
            // sptlrpc, nodemap, then the target's own log.
            if enqueues == 3 {
                a.body.status = -12;
            }
        }
        if a.opc == opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK && a.log == "testfs-OST0000" && !cut {
            cut = true;
            a.dropped = true;
        }
    }));
    pair.mount_ost(0);
    pair.seconds(120);
    assert_eq!(pair.failure(), None);
    assert_eq!(pair.mounted(), ["testfs-OST0000"]);
    assert!(pair.violations().is_empty(), "{:?}", pair.violations());
    let unread = |e: &&Event| matches!(e, Event::LogRead { log, records: Some(n), .. } if log == "testfs-OST0000" && *n > 0);
    assert_eq!(pair.events.iter().filter(unread).count(), 1, "its records were executed once");
    // And the lock is there in the end: the lost log was read again, nothing new in it.
    assert!(
        pair.mgs
            .seen
            .iter()
            .filter(|s| s.opc == opc::LLOG_ORIGIN_HANDLE_CREATE && s.log == "testfs-OST0000")
            .count()
            >= 2
    );
}
