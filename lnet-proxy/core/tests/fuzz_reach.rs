//! What fuzzing reaches: a driver that did nothing would find nothing, and nobody would notice.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs
)]

use lnet_core::Counters;
use lnet_core::fuzz::{OWN, events, stream};
use wire::lnet::{Handle, Header, Message};
use wire::relay::Frame;
use wire::socklnd::{ConnReq, ConnType, Frame as SockFrame, Hello, MsgHeader};
use wire::{Nid, Order};

const ACCEPT: u8 = 0;
const BYTES: u8 = 1;
const CLOSED: u8 = 2;
const FLUSHED: u8 = 3;
const DIALLED: u8 = 4;
const FRAME: u8 = 5;
const LINK_UP: u8 = 6;
const LINK_FLUSHED: u8 = 7;
const WAIT: u8 = 8;
const FLOWS: u8 = 9;

fn peer() -> Nid {
    "10.77.0.9@tcp".parse().unwrap()
}
fn own() -> Nid {
    OWN.parse().unwrap()
}
fn greeting() -> Vec<u8> {
    let hello = Hello {
        version: 3,
        src_nid: peer(),
        dst_nid: own(),
        src_pid: 12345,
        dst_pid: 0,
        src_incarnation: 5,
        dst_incarnation: 0,
        ctype: ConnType::Control,
        ips: vec![],
    };
    let request = ConnReq { version: 1, nid: own() }.to_bytes(Order::Little);
    [request, hello.to_bytes(Order::Little)].concat()
}
fn put() -> Vec<u8> {
    let msg = Message::Put { ack: Handle::NONE, match_bits: 1, hdr_data: 0, portal: 26, offset: 0 };
    let header = Header { dest: own(), src: peer(), dest_pid: 12345, src_pid: 12345, payload_len: 0, msg };
    SockFrame::Lnet(MsgHeader::LNET, header, Vec::new().into()).to_bytes(3, Order::Little)
}
fn post(to: Nid) -> Vec<u8> {
    let frame = Frame::Post {
        cookie: 1,
        peer: to,
        local: own(),
        incarnation: 0,
        portal: 25,
        match_bits: 1,
        offset: 0,
        want_ack: false,
        payload: vec![7; 10].into(),
    };
    frame.to_bytes()
}
fn play(script: &[(u8, u8, &[u8])]) -> Counters {
    let line = |(what, which, content): &(u8, u8, &[u8])| {
        [&[*what, *which, content.len().try_into().unwrap()], *content].concat()
    };
    events(&script.iter().flat_map(line).collect::<Vec<u8>>())
}

#[test]
fn a_stream_is_a_conversation() {
    let c = stream(&[greeting(), put(), put()].concat());
    assert_eq!((c.accepted, c.opened, c.messages_in, c.delivered), (1, 1, 2, 2));
}

#[test]
fn connections_and_bytes() {
    let (greeting, put) = (greeting(), put());
    let c = play(&[(ACCEPT, 0, &[]), (BYTES, 0, &greeting), (BYTES, 0, &put)]);
    assert_eq!((c.accepted, c.opened, c.delivered), (1, 1, 1));
    // What a closed connection says is not heard.
    let c = play(&[(ACCEPT, 0, &[]), (CLOSED, 0, &[]), (BYTES, 0, &greeting)]);
    assert_eq!((c.accepted, c.bytes_in), (1, 0));
    // The second one; and kinds of events go round.
    let c = play(&[(ACCEPT, 0, &[]), (ACCEPT + 10, 0, &[]), (CLOSED, 0, &[]), (BYTES, 1, &greeting)]);
    assert_eq!((c.accepted, c.opened), (2, 1));
}

#[test]
fn what_flows_and_what_does_not() {
    let (greeting, put) = (greeting(), put());
    let start: [(u8, u8, &[u8]); 2] = [(ACCEPT, 0, &[]), (BYTES, 0, &greeting)];
    assert_eq!(play(&start).bytes_out, 56, "our HELLO");
    let stuck = [&[(FLOWS, 0, &[][..])], &start[..]].concat();
    assert_eq!(play(&stuck).bytes_out, 0);
    let a_little = [&stuck[..], &[(FLUSHED, 0, &[0; 2])]].concat();
    assert_eq!(play(&a_little).bytes_out, 32);
    // The announcement and three of five PUTs fill the link's window of four.
    let puts: [(u8, u8, &[u8]); 5] = [(BYTES, 0, &put); 5];
    assert_eq!(play(&[&start[..], &puts].concat()).delivered, 5);
    assert_eq!(play(&[&stuck[..], &puts].concat()).delivered, 3);
    let one_more = [&stuck[..], &puts, &[(LINK_FLUSHED, 0, &[0])]].concat();
    assert_eq!(play(&one_more).delivered, 4);
}

#[test]
fn the_daemon_and_its_posts() {
    let (greeting, put, post) = (greeting(), put(), post(peer()));
    let c = play(&[(FRAME, 0, &post), (DIALLED, 0, &[])]);
    assert_eq!((c.posts, c.dials, c.dials_failed, c.bytes_out), (1, 1, 1, 0));
    let c = play(&[(FRAME, 0, &post), (DIALLED, 0, &[1])]);
    assert_eq!((c.posts, c.dials, c.bytes_out), (1, 1, 16 + 56), "request and HELLO");
    // One that drains gets nothing, until it is replaced.
    let drain = Frame::Drain.to_bytes();
    let script: [(u8, u8, &[u8]); 4] =
        [(ACCEPT, 0, &[]), (BYTES, 0, &greeting), (FRAME, 0, &drain), (BYTES, 0, &put)];
    assert_eq!(play(&script).delivered, 0);
    assert_eq!(play(&[&script[..], &[(LINK_UP, 0, &[])]].concat()).delivered, 1);
}

/// A byte of time is 256 ms: 19 of them are less than the five seconds that an acceptor has patience.
#[test]
fn time() {
    assert_eq!(play(&[(ACCEPT, 0, &[]), (WAIT, 19, &[])]).timed_out, 0);
    assert_eq!(play(&[(ACCEPT, 0, &[]), (WAIT, 20, &[])]).timed_out, 1);
    // Twice the same, after which it is later.
    assert_eq!(play(&[(ACCEPT, 0, &[]), (WAIT, 10, &[]), (WAIT, 10, &[])]).timed_out, 1);
}
