//! Messages of an open connection: ping, push, deliveries, acknowledgements, rules that close.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod net;

use bytes::Bytes;
use lnet_core::{ConnId, Input};
use net::{Net, client, config, hex, message, mgs, nid, put, with_cookies};
use std::time::Duration;
use wire::Order;
use wire::lnet::{Handle, Message, PING_MATCH_BITS, PingInfo};
use wire::relay::Frame;
use wire::socklnd::{ConnType, Frame as SockFrame, MsgHeader, MsgKind};

const HANDLE: Handle = Handle([0xab; 16]);

fn peer() -> (Net, [ConnId; 3]) {
    let mut net = Net::new(config());
    let conns = net.connect_all(client(), 5);
    net.relay.clear();
    (net, conns)
}

fn ping(portal: u32, match_bits: u64, src_offset: u32, sink_length: u32) -> Message {
    Message::Get { ret: HANDLE, match_bits, portal, src_offset, sink_length }
}

fn replies(net: &mut Net, conn: ConnId) -> Vec<Bytes> {
    let found = net.messages(conn).into_iter().map(|frame| match frame {
        SockFrame::Lnet(_, header, payload) => {
            assert_eq!(header.msg, Message::Reply { dst: HANDLE });
            assert_eq!(
                (header.dest, header.src, header.dest_pid, header.src_pid),
                (client(), mgs(), 12345, 12345)
            );
            payload
        }
        SockFrame::Noop(_) => panic!("NOOP"),
    });
    found.collect()
}

#[test]
fn a_ping_never_gets_more_than_it_has_room_for() {
    let (mut net, [control, ..]) = peer();
    net.send(control, client(), ping(0, PING_MATCH_BITS, 0, 272), b"");
    let whole = replies(&mut net, control).remove(0);
    assert_eq!(whole.len(), 48);
    for room in [0, 1, 16, 47, 48, 49, u32::MAX] {
        net.send(control, client(), ping(0, PING_MATCH_BITS, 0, room), b"");
        assert_eq!(replies(&mut net, control), [whole.slice(..48.min(room as usize))], "{room}");
    }
    net.send(control, client(), ping(0, PING_MATCH_BITS, 40, 272), b"");
    net.send(control, client(), ping(0, PING_MATCH_BITS, u32::MAX, 272), b"");
    assert_eq!(replies(&mut net, control), [whole.slice(40..), Bytes::new()]);
    assert_eq!(net.proxy.counters().pings, 10);
}

#[test]
fn a_ping_is_answered_without_a_daemon_and_names_the_nid_pinged() {
    let second = nid("10.0.0.1@tcp");
    let mut c = config();
    c.nids.insert(0, second);
    let mut net = Net::without_daemon(c);
    let conn = net.connect(client(), 5, ConnType::Control);
    net.send(conn, client(), ping(0, PING_MATCH_BITS, 0, 272), b"");
    let (info, _) = PingInfo::decode(&replies(&mut net, conn)[0]).unwrap();
    assert_eq!(info.features, 0x0e);
    let nids: Vec<_> = info.nis.iter().map(|ni| (ni.nid, ni.status)).collect();
    assert_eq!(nids, [(nid("0@lo"), 1), (mgs(), 0x15aa_c0de)]);
}

#[test]
fn gets_on_other_portals_are_dropped_and_counted() {
    let (mut net, [control, ..]) = peer();
    net.send(control, client(), ping(33, 9, 0, 272), b"");
    net.send(control, client(), ping(0, 9, 0, 272), b"");
    assert_eq!(replies(&mut net, control), [] as [Bytes; 0]);
    assert_eq!(net.proxy.counters().dropped_portal, 2);
    assert!(!net.is_closed(control));
}

#[test]
fn mgs_portals_are_delivered_from_any_connection_and_nothing_else_is() {
    let (mut net, conns) = peer();
    for portal in 0..64 {
        net.send(conns[portal as usize % 3], client(), put(portal, u64::from(portal)), b"body");
    }
    let delivered: Vec<_> = net
        .relay
        .iter()
        .map(|f| match f {
            Frame::Deliver { slot: 0, incarnation: 5, portal, match_bits, offset: 0, payload } => {
                assert_eq!((u64::from(*portal), &payload[..]), (*match_bits, b"body".as_slice()));
                *portal
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(delivered, [16, 17, 26]);
    assert_eq!(net.proxy.counters().dropped_portal, 61);
    assert!(conns.iter().all(|c| !net.is_closed(*c)));
}

fn acked_put(portal: u32, match_bits: u64) -> Message {
    Message::Put { ack: HANDLE, match_bits, hdr_data: 3, portal, offset: 0 }
}

fn acks(net: &mut Net, conn: ConnId) -> Vec<Message> {
    let found = net.messages(conn).into_iter().map(|frame| match frame {
        SockFrame::Lnet(_, header, payload) if payload.is_empty() => header.msg,
        other => panic!("{other:?}"),
    });
    found.collect()
}

#[test]
fn an_ack_goes_out_for_what_was_delivered_and_asked_for_it() {
    let (mut net, [control, ..]) = peer();
    net.send(control, client(), acked_put(26, 77), &[1; 100]);
    assert_eq!(acks(&mut net, control), [Message::Ack { dst: HANDLE, match_bits: 77, mlength: 100 }]);
    net.send(control, client(), put(26, 78), &[1; 100]);
    net.send(control, client(), acked_put(33, 79), &[1; 100]);
    assert_eq!(acks(&mut net, control), [], "not asked for; not delivered");
    net.input(Input::LinkDown);
    net.advance(Duration::from_secs(3));
    net.send(control, client(), acked_put(26, 80), &[1; 100]);
    assert_eq!(acks(&mut net, control), [], "no daemon");
    assert_eq!(net.proxy.counters().dropped_no_daemon, 1);
    assert!(!net.is_closed(control));
}

#[test]
fn a_push_is_acknowledged_and_ignored() {
    let (mut net, [control, ..]) = peer();
    net.send(control, client(), acked_put(0, PING_MATCH_BITS), &[0; 48]);
    let ack = Message::Ack { dst: HANDLE, match_bits: PING_MATCH_BITS, mlength: 48 };
    assert_eq!(acks(&mut net, control), [ack]);
    assert_eq!((net.relay.len(), net.proxy.counters().pushes), (0, 1));
}

#[test]
fn keepalives_are_ignored_and_foreign_acks_too() {
    let (mut net, [_, bulk_in, _]) = peer();
    for cookies in [[0, 1], [0, 99], [5, 9], [9, 5]] {
        let head = MsgHeader { kind: MsgKind::Noop, csum: 0, zc_cookies: cookies };
        net.bytes(bulk_in, &SockFrame::Noop(head).to_bytes(3, Order::Little));
    }
    let c = net.proxy.counters();
    assert_eq!((c.keepalives, c.zc_acks_unexpected), (1, 3));
    assert!(net.written.values().all(Vec::is_empty) && !net.is_closed(bulk_in));
    net.advance(Duration::from_secs(3600));
    assert!(!net.is_closed(bulk_in), "an idle peer stays");
}

/// Our BULK_IN is what the peer calls BULK_OUT.
#[test]
fn a_zero_copy_request_is_acknowledged_once_and_after_its_last_byte() {
    let (mut net, [control, bulk_in, bulk_out]) = peer();
    let bytes = with_cookies(client(), [0x1234, 0], put(26, 1), &[7; 20_000]);
    let (last, rest) = bytes.split_last().unwrap();
    net.bytes(bulk_in, rest);
    assert_eq!(net.take(bulk_out), []);
    net.bytes(bulk_in, &[*last]);
    let noop = hex("c0 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 34 12 00 00 00 00 00 00");
    assert_eq!(net.take(bulk_out), noop);
    assert_eq!((net.take(control), net.take(bulk_in)), (vec![], vec![]));
    // Dropped messages pin pages as well.
    net.bytes(control, &with_cookies(client(), [0x1234, 0], put(33, 1), &[7; 10]));
    assert_eq!(net.take(bulk_out), noop);
    net.advance(Duration::from_secs(3600));
    assert!(net.written.values().all(Vec::is_empty), "and no second time");
    assert_eq!(net.proxy.counters().zc_acks, 2);
}

#[test]
fn nothing_is_acknowledged_after_the_connection_ended_or_over_another_peers() {
    let (mut net, [control, ..]) = peer();
    let other = net.connect(nid("192.168.1.21@tcp"), 5, ConnType::Control);
    let bytes = with_cookies(client(), [0x1234, 0], put(26, 1), &[7; 20_000]);
    net.bytes(control, &bytes[..bytes.len() - 1]);
    net.input(Input::Closed { conn: control, error: None });
    net.input(Input::Bytes { conn: control, bytes: Bytes::from_static(&[7]) });
    let again = net.connect(client(), 5, ConnType::Control);
    net.advance(Duration::from_secs(60));
    assert_eq!((net.take(other), net.take(again)), (vec![], vec![]));
    assert_eq!(net.proxy.counters().zc_acks, 0);
}

fn closes(bytes: &[u8]) -> bool {
    let (mut net, conns) = peer();
    net.bytes(conns[0], bytes);
    let closed = net.is_closed(conns[0]);
    assert!(conns.iter().all(|c| net.is_closed(*c) == closed), "siblings together");
    assert_eq!(net.relay.iter().any(|f| matches!(f, Frame::PeerDown { .. })), closed);
    closed
}

#[test]
fn broken_rules_close_the_connection() {
    let good = message(client(), put(26, 1), &[0; 8]);
    let patched = |at: usize, bytes: &[u8]| {
        let mut m = good.clone();
        m[at..at + bytes.len()].copy_from_slice(bytes);
        m
    };
    assert!(!closes(&good));
    assert!(closes(&patched(0, &[0xc2])), "unknown socklnd type");
    assert!(closes(&patched(24, &hex("0b 01 a8 c0"))), "another NID of our network");
    assert!(!closes(&patched(30, &hex("05 00"))), "another network: not routed, dropped");
    assert!(!closes(&patched(32, &hex("15 01 a8 c0"))), "another source: dropped");
    assert!(closes(&patched(24 + 24, &[4])), "unknown LNet type");
    assert!(closes(&patched(24 + 24, &[0])), "ACK with payload");
    assert!(closes(&patched(24 + 24, &[2])), "GET with payload");
    assert!(closes(&patched(24 + 28, &hex("01 00 10 00"))), "1 MiB and a byte");
    assert!(closes(&patched(24 + 28, &hex("ff ff ff ff"))), "length of all ones");
    assert!(!closes(&patched(4, &hex("01 02 03 04"))), "a checksum may be ignored");
}

#[test]
fn messages_for_others_are_not_delivered() {
    let (mut net, [control, ..]) = peer();
    net.send(control, nid("192.168.1.21@tcp"), put(26, 1), b"spoofed");
    net.send(control, nid("192.168.1.21@tcp"), ping(0, PING_MATCH_BITS, 0, 272), b"");
    assert_eq!((net.relay.len(), net.take(control)), (0, vec![]));
    assert_eq!(net.proxy.counters().dropped_foreign, 2);
}

#[test]
fn a_message_that_does_not_go_on_is_given_up_after_fifty_seconds() {
    let (mut net, conns) = peer();
    let bytes = message(client(), put(26, 1), &[0; 1000]);
    net.bytes(conns[2], &bytes[..100]);
    net.advance(Duration::from_secs(49));
    net.bytes(conns[2], &bytes[100..200]);
    net.advance(Duration::from_secs(49));
    assert!(!net.is_closed(conns[2]), "progress counts");
    net.bytes(conns[2], &bytes[200..]);
    net.advance(Duration::from_secs(500));
    assert!(!net.is_closed(conns[2]), "it is complete");
    net.bytes(conns[2], &bytes[..1]);
    net.advance(Duration::from_secs(50));
    assert!(conns.iter().all(|c| net.is_closed(*c)));
    assert_eq!(net.proxy.counters().timed_out, 1);
}
