//! MGS_CONNECT: the table of protocol/2, section 2.5.6, row by row.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod harness;

use harness::{ASKED, Mgs, connect_body, connect_request, nid};
use mgs_core::Errno;
use std::time::Duration;
use wire::ptlrpc::{Body, ConnectData, connect_flags as cf, opc};
use wire::{Codec, Order};

fn status(mgs: &mut Mgs, from: &str, body: Body, request: Vec<Vec<u8>>) -> (i32, Body) {
    let xid = mgs.send(nid(from), body, request);
    let reply = mgs.reply(xid).unwrap().body();
    (reply.status, reply)
}

#[test]
fn flags_are_masked_by_what_was_asked() {
    let mut mgs = Mgs::new();
    let xid = mgs.send(nid("10.0.0.2@tcp"), connect_body(1), connect_request("a"));
    let reply = mgs.reply(xid).unwrap().clone();
    let data = ConnectData::from_slice(&reply.message().buffers[1], Order::Little).unwrap();
    // As the kernel MGS answers the same words (protocol/2, "Seen in the captures").
    assert_eq!((data.flags, data.flags2), (0xa000_0110_0100_2060, 0x1_0010_0000));
    assert_eq!(data.version, 0x0211_3900);
    assert_eq!((reply.offset, reply.payload.len()), (0, 416));

    let old = ConnectData { flags: ASKED & !cf::FLAGS2, flags2: 0xff, ..ConnectData::default() };
    let mut request = connect_request("b");
    request[3] = old.to_vec(Order::Little);
    let xid = mgs.send(nid("10.0.0.3@tcp"), connect_body(1), request);
    let reply = mgs.reply(xid).unwrap().message();
    let data = ConnectData::from_slice(&reply.buffers[1], Order::Little).unwrap();
    assert_eq!(data.flags2, 0, "without FLAGS2 there is no second word");
}

#[test]
fn reconnect_keeps_the_handle() {
    let mut mgs = Mgs::new();
    let peer = nid("10.0.0.2@tcp");
    let handle = mgs.connect(peer, "a");
    let body = Body { handle, ..connect_body(2) };
    let (status_code, reply) = status(&mut mgs, "10.0.0.2@tcp", body, connect_request("a"));
    assert_eq!((status_code, reply.handle, reply.op_flags), (0, handle, 2));
    // The older connection's requests are stale now.
    let before = mgs.sent.len();
    mgs.send(peer, Body { conn_cnt: 1, ..harness::request_body(handle, opc::OBD_PING) }, vec![]);
    assert_eq!(mgs.sent.len(), before);
    assert_eq!(mgs.engine.counters().get("dropped_stale_connection"), 1);
}

#[test]
fn a_second_node_with_the_same_uuid_waits() {
    let mut mgs = Mgs::new();
    mgs.connect(nid("10.0.0.2@tcp"), "a");
    let (code, _) = status(&mut mgs, "10.0.0.9@tcp", connect_body(1), connect_request("a"));
    assert_eq!(code, Errno::EALREADY.status());
    let body = Body { op_flags: 0, ..connect_body(1) };
    let (code, _) = status(&mut mgs, "10.0.0.2@tcp", body, connect_request("a"));
    assert_eq!(code, Errno::EALREADY.status(), "conn_cnt does not rise");
}

#[test]
fn an_unknown_uuid_after_a_restart_means_evicted() {
    let mut mgs = Mgs::new();
    let handle = mgs.connect(nid("10.0.0.2@tcp"), "a");
    let mut mgs = mgs.restarted();
    let xid = mgs.send(nid("10.0.0.2@tcp"), harness::request_body(handle, opc::OBD_PING), vec![]);
    let lost = mgs.reply(xid).unwrap().clone();
    assert_eq!(
        (lost.body().status, lost.body().msg_type, lost.body().timeout),
        (Errno::ENOTCONN.status(), 4712, 0)
    );
    assert_eq!(lost.offset, 224);
    let body = Body { handle, ..connect_body(2) };
    let (code, reply) = status(&mut mgs, "10.0.0.2@tcp", body, connect_request("a"));
    assert_eq!((code, reply.op_flags), (0, 2));
    assert_ne!(reply.handle, handle, "a known handle would let the client believe in its locks");
}

#[test]
fn ancient_and_nameless_clients_are_refused() {
    let mut mgs = Mgs::new();
    let mut request = connect_request("a");
    request[3] = ConnectData { flags: cf::AT, ..ConnectData::default() }.to_vec(Order::Little);
    assert_eq!(status(&mut mgs, "10.0.0.2@tcp", connect_body(1), request).0, Errno::EPROTO.status());
    assert_eq!(
        status(&mut mgs, "10.0.0.2@tcp", connect_body(1), connect_request("")).0,
        Errno::EPROTO.status()
    );
    assert_eq!(
        status(&mut mgs, "10.0.0.2@tcp", connect_body(0), connect_request("a")).0,
        Errno::EPROTO.status()
    );
    assert!(mgs.engine.exports().is_empty());
}

#[test]
fn silence_for_150_seconds_ends_an_export_and_a_ping_prolongs_it() {
    let mut mgs = Mgs::new();
    let peer = nid("10.0.0.2@tcp");
    let handle = mgs.connect(peer, "a");
    mgs.advance(Duration::from_secs(149));
    assert_eq!(mgs.call(peer, handle, opc::OBD_PING, vec![]).body().status, 0);
    mgs.advance(Duration::from_secs(149));
    assert_eq!(mgs.engine.exports().len(), 1);
    mgs.advance(Duration::from_secs(2));
    assert!(mgs.engine.exports().is_empty());
}

#[test]
fn disconnect_drops_the_export() {
    let mut mgs = Mgs::new();
    let peer = nid("10.0.0.2@tcp");
    let handle = mgs.connect(peer, "a");
    assert_eq!(mgs.call(peer, handle, opc::MGS_DISCONNECT, vec![]).body().status, 0);
    let again = mgs.call(peer, handle, opc::MGS_DISCONNECT, vec![]);
    assert_eq!(again.body().status, Errno::ENOTCONN.status());
}

#[test]
fn a_new_mgs_answers_only_when_it_exists_in_its_store() {
    let mut mgs = Mgs::new();
    assert!(mgs.engine.is_ready());
    assert_eq!(mgs.commits, 1, "the first commit makes the MGS");
    assert_eq!(mgs.restarted().commits, 0);
    let uuid = mgs.engine.view().meta.as_ref().unwrap().uuid.clone();
    assert_eq!(mgs.restarted().engine.view().meta.as_ref().unwrap().uuid, uuid);
    mgs.connect(nid("10.0.0.2@tcp"), "a");
}
