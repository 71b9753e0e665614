//! Revocation, reading again, umount.
use crate::fake::appended;
use crate::pair::Pair;
use llog::{LustreCfg, Marker};
use lustre_peer::{Command, Event, Input};
use std::time::Duration;
use wire::ldlm::{ConfigKind, ResId};
use wire::ptlrpc::opc;

fn config() -> ResId {
    ResId::config("testfs", ConfigKind::Config).unwrap()
}

/// A section as `conf_param` writes it.
fn section(step: u32, target: &str, name: &str, record: LustreCfg) -> Vec<LustreCfg> {
    let marker = |flags| {
        let marker =
            Marker { step, flags, tgtname: target.to_owned(), comment: name.to_owned(), ..Marker::default() };
        LustreCfg::marker_rec(&marker).unwrap()
    };
    vec![marker(1), record, marker(2)]
}

#[test]
fn a_changed_log_is_read_from_where_the_client_stood() {
    let mut pair = Pair::new();
    pair.mount_client();
    assert_eq!(pair.mgs.locks.len(), 4, "sptlrpc, client log, NID table, params");
    let added =
        section(14, "testfs", "sys.timeout", LustreCfg::set_timeout(60).with_text(1, "sys.timeout=60"));
    let log = appended(&pair.mgs.logs["testfs-client"], &added);
    pair.mgs.logs.insert("testfs-client".to_owned(), log);
    pair.mgs.revoke(config());
    pair.pump();
    assert_eq!(pair.mgs.callback_answers, [(opc::LDLM_BL_CALLBACK, 0), (opc::LDLM_BL_CALLBACK, 0)]);
    assert_eq!((pair.mgs.cancelled.len(), pair.mgs.locks.len()), (2, 2));
    pair.mgs.seen.clear();
    pair.pass(Duration::from_millis(4999));
    assert!(pair.mgs.seen.is_empty(), "not before 5 s");
    pair.pass(Duration::from_millis(5001));
    let logs: Vec<(u32, &str, u32)> =
        pair.mgs.seen.iter().map(|s| (s.opc, s.log.as_str(), s.position.0)).collect();
    assert_eq!(
        logs,
        [
            (101, "", 0),
            (501, "testfs-client", 0),
            (503, "testfs-client", 0),
            (502, "testfs-client", 30),
            (502, "testfs-client", 32),
            (101, "", 0),
            (501, "testfs-sptlrpc", 0),
        ]
    );
    assert_eq!(pair.node.config("testfs-client").unwrap().timeout, Some(60));
    assert!(
        pair.events
            .iter()
            .any(|e| matches!(e, Event::Reconfigured { config, .. } if config.timeout == Some(60)))
    );
    assert!(pair.violations().is_empty());
}

#[test]
fn a_param_for_an_unknown_device_stops_readers() {
    let mut pair = Pair::new();
    let bad = section(
        14,
        "testfs-OST0042",
        "osc.max_dirty_mb",
        LustreCfg::param(Some("testfs-OST0042-osc"), "osc.max_dirty_mb=1"),
    );
    let good =
        section(15, "testfs", "sys.timeout", LustreCfg::set_timeout(60).with_text(1, "sys.timeout=60"));
    let log = appended(&pair.mgs.logs["testfs-client"], &[bad, good].concat());
    pair.mgs.logs.insert("testfs-client".to_owned(), log);
    pair.mount_client();
    assert_eq!(pair.failure(), Some(-22));
    assert!(pair.mounted().is_empty());
    assert_eq!(pair.mgs.opcodes().last(), Some(&opc::MGS_DISCONNECT));
}

#[test]
fn unknown_file_system() {
    let mut pair = Pair::new();
    pair.mgs.logs.remove("testfs-client");
    pair.mount_client();
    assert_eq!(pair.failure(), Some(-2));
    assert_eq!(pair.mgs.opcodes(), [250, 101, 501, 101, 501, 103, 251], "one of two locks is cancelled");
}

#[test]
fn changes_within_the_delay_are_read_in_one_go() {
    let mut pair = Pair::new();
    pair.mount_client();
    pair.mgs.revoke(config());
    pair.pump();
    pair.mgs.revoke(ResId::config("params", ConfigKind::Params).unwrap());
    pair.pump();
    pair.mgs.seen.clear();
    pair.seconds(11);
    assert_eq!(pair.mgs.opcodes().iter().filter(|o| **o == opc::LDLM_ENQUEUE).count(), 3);
}

#[test]
fn idle_nodes_ping_every_25_seconds_and_umount_in_order() {
    let mut pair = Pair::new();
    pair.mount_client();
    pair.mgs.seen.clear();
    pair.seconds(101);
    assert_eq!(pair.mgs.opcodes(), [opc::OBD_PING; 4]);
    pair.mgs.seen.clear();
    let order: Vec<u64> = pair.mgs.locks[1..].iter().map(|l| l.2).collect();
    pair.feed(Input::Command(Command::Umount("testfs-client".to_owned())));
    assert_eq!(pair.mgs.opcodes(), [103, 103, 103, 251], "sptlrpc is dropped by the disconnect");
    assert_eq!(pair.mgs.cancelled, order);
    assert!(pair.events.contains(&Event::Unmounted { name: "testfs-client".to_owned() }));
    assert_eq!(pair.node.poll_timeout().filter(|at| *at < pair.now + Duration::from_secs(20)), None);
    pair.mount_client();
    assert_eq!(pair.mounted().len(), 1, "and again, as a new MGC");
    assert_eq!(
        pair.mgs.seen.iter().filter(|s| s.opc == 250).map(|s| s.body.conn_cnt).collect::<Vec<_>>(),
        [1]
    );
}

#[test]
fn a_lock_revoked_while_its_log_is_read_is_cancelled_afterwards() {
    let mut pair = Pair::new();
    pair.mgs.twist = Some(Box::new(|a| a.dropped = a.opc == opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK));
    pair.mount_client();
    assert_eq!(pair.mgs.opcodes().last(), Some(&opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK));
    pair.mgs.twist = None;
    pair.mgs.revoke(config());
    pair.pump();
    assert_eq!(pair.mgs.callback_answers.len(), 2);
    assert_eq!(pair.mgs.cancelled.len(), 1, "sptlrpc at once, the log being read not yet");
    pair.seconds(30);
    assert_eq!(pair.mounted(), ["testfs-client"]);
    assert!(pair.mgs.cancelled.len() >= 2);
}
