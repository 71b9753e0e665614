//! The service around the requests: matching, duplicates, errors, hostile bytes; log and table service.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod harness;

use bytes::Bytes;
use harness::{Mgs, encode, nid, request_body};
use mgs_core::Errno;
use mgs_core::engine::Event;
use proptest::prelude::*;
use std::time::Duration;
use wire::ldlm::{ConfigKind, LdlmRequest, LockDesc, PLAIN, ResId, mode};
use wire::llog_rpc::LlogdBody;
use wire::lnet::portal;
use wire::mgs::{ConfigBody, ConfigRes, config_type};
use wire::ptlrpc::{Body, Message, msg_flags, msg_type, opc, pb_flags};
use wire::{Codec, Order};

const PEER: &str = "10.0.0.2@tcp";

fn connected() -> (Mgs, u64) {
    let mut mgs = Mgs::new();
    let handle = mgs.connect(nid(PEER), "a");
    (mgs, handle)
}

fn enqueue(client_cookie: u64) -> Vec<Vec<u8>> {
    let desc = LockDesc {
        lock_type: PLAIN,
        resource: ResId::config("testfs", ConfigKind::Config).unwrap(),
        req_mode: mode::CR,
        ..LockDesc::default()
    };
    vec![encode(&LdlmRequest { desc, handles: vec![client_cookie, 0], ..LdlmRequest::default() })]
}

#[test]
fn replies_go_behind_the_room_of_early_replies() {
    let (mut mgs, handle) = connected();
    let ping = mgs.call(nid(PEER), handle, opc::OBD_PING, vec![]);
    assert_eq!((ping.portal, ping.offset, ping.payload.len()), (portal::MGC_REPLY, 224, 224));
    let body = ping.body();
    assert_eq!((body.msg_type, body.version, body.timeout, body.service_time), (msg_type::REPLY, 3, 5, 1));
    assert_eq!((body.transno, body.last_committed, body.handle, body.conn_cnt), (0, 0, 0, 0));
    // Without AT_SUPPORT the whole buffer is for the reply.
    let body = Body { msg_type: msg_type::REQUEST, mbits: 0x880, ..request_body(handle, opc::OBD_PING) };
    mgs.deliver(nid(PEER), portal::MGS_REQUEST, 0x880, Message::new(&body, vec![]).to_bytes());
    assert_eq!(mgs.reply(0x880).unwrap().offset, 0);
}

#[test]
fn unknown_opcodes_versions_and_portals_have_their_errno() {
    let (mut mgs, handle) = connected();
    let unknown = mgs.call(nid(PEER), handle, 252, vec![]).body();
    assert_eq!((unknown.status, unknown.msg_type), (Errno::EOPNOTSUPP.status(), msg_type::ERR));
    let version = Body { version: 3, ..request_body(handle, opc::OBD_PING) };
    let xid = mgs.send(nid(PEER), version, vec![]);
    assert_eq!(mgs.reply(xid).unwrap().body().status, Errno::EINVAL.status());
    let short = mgs.call(nid(PEER), handle, opc::LDLM_ENQUEUE, vec![vec![0; 10]]).body();
    assert_eq!((short.status, short.msg_type), (Errno::EPROTO.status(), msg_type::ERR));
    let gone = mgs.call(nid(PEER), handle, opc::MGS_TARGET_DEL, vec![]).body();
    assert_eq!(gone.status, 0, "counted, and nothing done, as in the kernel");
}

#[test]
fn flavors_are_dropped_counted_and_named() {
    let (mut mgs, handle) = connected();
    let body = Body { msg_type: msg_type::REQUEST, ..request_body(handle, opc::OBD_PING) };
    let mut message = Message::new(&body, vec![]);
    message.secflvr = 0x0300_0000;
    mgs.deliver(nid(PEER), portal::MGS_REQUEST, 0x880, message.to_bytes());
    assert!(mgs.reply(0x880).is_some(), "the sending part says MGC, the flavor is null");
    message.secflvr = 0x0302_1001;
    let before = mgs.sent.len();
    mgs.deliver(nid(PEER), portal::MGS_REQUEST, 0x900, message.to_bytes());
    assert_eq!(mgs.sent.len(), before);
    assert!(mgs.events.contains(&Event::Flavor { nid: nid(PEER), flavor: 0x21001 }));
    assert_eq!(mgs.engine.counters().get("dropped_flavor"), 1);
}

#[test]
fn a_duplicate_in_service_is_answered_once_where_it_listens_now() {
    let (mut mgs, handle) = connected();
    mgs.hold();
    let xid = mgs.send(nid(PEER), request_body(handle, opc::LDLM_ENQUEUE), enqueue(0x77));
    assert!(mgs.reply(xid).is_none(), "a lock waits for the store's barrier");
    // Sent again: the same xid, new match bits.
    let again = Body {
        msg_type: msg_type::REQUEST,
        mbits: 0x9_0000,
        flags: pb_flags::RESENT,
        timeout: 11,
        ..request_body(handle, opc::LDLM_ENQUEUE)
    };
    let mut message = Message::new(&again, enqueue(0x77).into_iter().map(Bytes::from).collect());
    message.flags = msg_flags::AT_SUPPORT;
    mgs.deliver(nid(PEER), portal::MGS_REQUEST, xid, message.to_bytes());
    mgs.release();
    assert_eq!(mgs.engine.locks().len(), 1);
    assert!(mgs.reply(0x9_0000).is_some() && mgs.reply(xid).is_none());
    // Resent after it was answered: the same lock.
    mgs.deliver(nid(PEER), portal::MGS_REQUEST, xid, message.to_bytes());
    assert_eq!(mgs.engine.locks().len(), 1);
}

#[test]
fn a_slow_store_is_bridged_by_early_replies_and_stale_grants() {
    let (mut mgs, handle) = connected();
    mgs.hold();
    let xid = mgs.send(nid(PEER), request_body(handle, opc::LDLM_ENQUEUE), enqueue(1));
    mgs.advance(Duration::from_millis(1100));
    assert!(mgs.reply(xid).is_some(), "granted without the barrier");
    assert!(mgs.engine.locks().iter().all(|l| l.stale));
    mgs.release();
    assert!(mgs.engine.locks().iter().all(|l| !l.stale && l.marked), "and revoked when the store is back");
    let callback = mgs.sent.iter().find(|s| s.portal == portal::LDLM_CB_REQUEST).unwrap();
    assert_eq!(callback.body().handle, 0xcb);
}

#[test]
fn an_absent_log_keeps_the_shape_of_its_reply_and_is_not_made() {
    let (mut mgs, handle) = connected();
    let open = vec![encode(&LlogdBody::default()), b"nosuch-client\0".to_vec()];
    let reply = mgs.call(nid(PEER), handle, opc::LLOG_ORIGIN_HANDLE_CREATE, open).message();
    assert_eq!(reply.body().unwrap().status, Errno::ENOENT.status());
    assert_eq!((reply.body().unwrap().msg_type, reply.buffers.len()), (msg_type::REPLY, 2));
    assert!(!mgs.engine.view().logs.contains_key("nosuch-client"));
}

#[test]
fn params_is_an_empty_log_from_the_start() {
    let (mut mgs, handle) = connected();
    let open = vec![encode(&LlogdBody::default()), b"params\0".to_vec()];
    let reply = mgs.call(nid(PEER), handle, opc::LLOG_ORIGIN_HANDLE_CREATE, open).message();
    let opened = LlogdBody::from_slice(&reply.buffers[1], Order::Little).unwrap();
    let header =
        mgs.call(nid(PEER), handle, opc::LLOG_ORIGIN_HANDLE_READ_HEADER, vec![encode(&opened)]).message();
    let mut r = header.buffer(1).unwrap();
    assert_eq!(r.remaining(), 8192);
    assert_eq!(r.u32("len").unwrap(), 8192);
    let past = LlogdBody { index: 1, cur_offset: 8192, ..opened.clone() };
    let end = mgs.call(nid(PEER), handle, opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK, vec![encode(&past)]).message();
    assert_eq!(end.body().unwrap().status, Errno::EBADR.status(), "2.17 and later");
    let body = LlogdBody::from_slice(&end.buffers[1], Order::Little).unwrap();
    assert_eq!((body.cur_offset, end.buffers.len()), (8192, 3));
    let gone = LlogdBody { logid: wire::llog_rpc::LogId { oid: 999, seq: 10, ogen: 0 }, ..past };
    let erased = mgs.call(nid(PEER), handle, opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK, vec![encode(&gone)]);
    assert_eq!(erased.body().status, Errno::ENOENT.status());
}

fn config_read(name: &str, config_type: u16) -> ConfigBody {
    ConfigBody { name: name.to_owned(), offset: 0, config_type, nid_size_or_pass: 0, bits: 12, units: 256 }
}

#[test]
fn a_table_is_read_by_bulk_then_reply() {
    let (mut mgs, handle) = connected();
    let ask = config_read("nodemap", config_type::NODEMAP);
    let reply = mgs.call(nid(PEER), handle, opc::MGS_CONFIG_READ, vec![encode(&ask)]);
    let bulk = mgs.sent.iter().find(|s| s.portal == portal::MGS_BULK).unwrap();
    assert_eq!((bulk.payload.len(), bulk.match_bits, bulk.want_ack), (4096, reply.match_bits, true));
    let res = ConfigRes::from_slice(&reply.message().buffers[1], Order::Little).unwrap();
    assert_eq!((res.offset, res.size_or_pass), (0xffff_ffff_ffff_fffe, 1));
}

#[test]
fn table_reads_that_make_no_sense_have_their_errno() {
    let (mut mgs, handle) = connected();
    let cases = [
        (config_read("testfs-cliir", config_type::CONFIG), Errno::EOPNOTSUPP),
        (config_read("testfs-cliir", config_type::RECOVER), Errno::ENOENT),
        (config_read("testfs", config_type::RECOVER), Errno::EINVAL),
        (config_read("-cliir", config_type::RECOVER), Errno::EINVAL),
        (config_read("x", config_type::BARRIER), Errno::EINVAL),
        (config_read("x", config_type::NODEMAP), Errno::EINVAL),
        (ConfigBody { units: u32::MAX, ..config_read("nodemap", config_type::NODEMAP) }, Errno::EINVAL),
        (ConfigBody { bits: 255, ..config_read("nodemap", config_type::NODEMAP) }, Errno::EINVAL),
        (ConfigBody { units: 0, ..config_read("nodemap", config_type::NODEMAP) }, Errno::EINVAL),
    ];
    for (ask, errno) in cases {
        let reply = mgs.call(nid(PEER), handle, opc::MGS_CONFIG_READ, vec![encode(&ask)]).body();
        assert_eq!(reply.status, errno.status(), "{ask:?}");
    }
    assert!(mgs.sent.iter().all(|s| s.portal != portal::MGS_BULK));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever arrives, the engine neither panics nor calls it a bug of ours (the harness checks that).
    #[test]
    fn any_bytes_on_any_portal(on in prop::sample::select(vec![16, 17, 26, 99]), bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let (mut mgs, _) = connected();
        mgs.deliver(nid(PEER), on, 0x1280, bytes.into());
    }

    /// The same with a good head, so that the bodies are reached.
    #[test]
    fn any_body_of_any_opcode(code in prop::sample::select(vec![101_u32, 103, 250, 251, 253, 254, 255, 256, 400, 501, 502, 503, 508]),
                              buffers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5000), 0..4)) {
        let (mut mgs, handle) = connected();
        mgs.send(nid(PEER), request_body(handle, code), buffers);
        mgs.advance(Duration::from_secs(400));
    }
}
