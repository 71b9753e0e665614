//! Whatever comes: no panic, no deadline that does not go away, nothing left over at the end.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod net;

use lnet_core::{ConnId, Input};
use net::{Net, client, config, hello, message, mgs, nid, post, put, with_cookies};
use proptest::prelude::*;
use std::time::Duration;
use wire::Order;
use wire::lnet::{Handle, Message, PING_MATCH_BITS};
use wire::relay::Frame;
use wire::socklnd::{ConnReq, ConnType};

/// A good conversation, to be broken.
fn conversation() -> Vec<u8> {
    let mut bytes = ConnReq { version: 1, nid: mgs() }.to_bytes(Order::Little);
    bytes.extend(hello(client(), 5, ConnType::Control).to_bytes(Order::Little));
    let get = Message::Get {
        ret: Handle([1; 16]),
        match_bits: PING_MATCH_BITS,
        portal: 0,
        src_offset: 0,
        sink_length: 272,
    };
    bytes.extend(message(client(), get, b""));
    bytes.extend(with_cookies(client(), [9, 0], put(26, 1), &[3; 300]));
    bytes.extend(message(client(), Message::Ack { dst: Handle([2; 16]), match_bits: 0, mlength: 0 }, b""));
    bytes.extend(message(client(), put(17, 2), b""));
    bytes
}

/// All connections gone, time passed: the proxy remembers nothing.
fn nothing_is_left(mut net: Net, conns: &[ConnId]) {
    for conn in conns {
        net.input(Input::Closed { conn: *conn, error: None });
    }
    for (conn, ..) in net.dials.clone() {
        net.input(Input::Dialled { conn, result: Err("no".into()) });
    }
    // A link has a heartbeat of its own: it goes too.
    net.input(Input::LinkDown);
    net.advance(Duration::from_secs(1000));
    assert_eq!(
        (net.proxy.connections(), net.proxy.connected_peers(), net.proxy.poll_timeout()),
        (0, 0, None)
    );
    assert_eq!((net.proxy.known_peers(), net.proxy.held_bytes()), (0, 0));
}

#[test]
fn every_length_of_a_conversation_and_every_cut() {
    let bytes = conversation();
    for cut in 0..=bytes.len() {
        let mut net = Net::new(config());
        let conn = net.accept();
        net.bytes(conn, &bytes[..cut]);
        assert!(!net.is_closed(conn));
        nothing_is_left(net, &[conn]);
    }
}

/// Every 32-bit word of the conversation, replaced by what lengths are attacked with.
#[test]
fn every_word_replaced() {
    let bytes = conversation();
    for at in (0..bytes.len() - 4).step_by(4) {
        for word in [0, 1, u32::MAX, 1 << 31, 1 << 20, (1 << 20) + 1] {
            for word in [word, word.swap_bytes()] {
                let mut broken = bytes.clone();
                broken[at..at + 4].copy_from_slice(&word.to_le_bytes());
                let mut net = Net::new(config());
                let conn = net.accept();
                net.bytes(conn, &broken);
                nothing_is_left(net, &[conn]);
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Accept,
    Request(usize),
    Greet(usize, u8, u8, u32),
    Garbage(usize, Vec<u8>),
    Put(usize, u8, u32, u16),
    Close(usize),
    Flushed(usize, u16),
    Post(u8, bool, u16, u8),
    Dialled(usize, bool),
    Credit(u32, u8),
    Link(bool),
    LinkFlushed(u8),
    Wait(u16),
    Flows(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Accept),
        3 => any::<usize>().prop_map(Step::Request),
        4 => (any::<usize>(), 0..3u8, 1..3u8, 0..5u32).prop_map(|(c, p, i, t)| Step::Greet(c, p, i, t)),
        1 => (any::<usize>(), proptest::collection::vec(any::<u8>(), 0..200)).prop_map(|(c, b)| Step::Garbage(c, b)),
        6 => (any::<usize>(), 0..3u8, 0..40u32, 0..2000u16).prop_map(|(c, p, t, n)| Step::Put(c, p, t, n)),
        1 => any::<usize>().prop_map(Step::Close),
        2 => (any::<usize>(), any::<u16>()).prop_map(|(c, n)| Step::Flushed(c, n)),
        4 => (0..4u8, any::<bool>(), 0..3000u16, 0..3u8).prop_map(|(p, a, n, i)| Step::Post(p, a, n, i)),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(c, ok)| Step::Dialled(c, ok)),
        1 => (prop_oneof![Just(u32::MAX), 0..5u32], any::<u8>()).prop_map(|(s, n)| Step::Credit(s, n)),
        1 => any::<bool>().prop_map(Step::Link),
        1 => any::<u8>().prop_map(Step::LinkFlushed),
        2 => (0..30_000u16).prop_map(Step::Wait),
        1 => any::<bool>().prop_map(Step::Flows),
    ]
}

fn pick<T: Copy>(all: &[T], n: usize) -> Option<T> {
    (!all.is_empty()).then(|| all[n % all.len()])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn garbage_after_any_part_of_a_conversation(
        cut in 0..600usize,
        garbage in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut bytes = conversation();
        bytes.truncate(cut);
        bytes.extend(&garbage);
        let mut whole = Net::new(config());
        let conn = whole.accept();
        whole.bytes(conn, &bytes);
        // The same bytes one by one have the same effect.
        let mut single = Net::new(config());
        let conn = single.accept();
        for byte in &bytes {
            single.bytes(conn, &[*byte]);
        }
        prop_assert_eq!(&whole.relay, &single.relay);
        prop_assert_eq!(&whole.written, &single.written);
        prop_assert_eq!(&whole.closed, &single.closed);
        nothing_is_left(whole, &[conn]);
        nothing_is_left(single, &[conn]);
    }

    /// Any order of events. Each post is answered exactly once, unless the link was lost.
    #[test]
    fn any_order_of_events(steps in proptest::collection::vec(step(), 1..120)) {
        let peers = [client(), nid("192.168.1.21@tcp"), nid("192.168.1.22@tcp"), nid("192.168.1.23@o2ib")];
        let mut c = config();
        c.limits.half_open = 8;
        c.limits.connections_per_peer = 4;
        c.limits.peer_outbound_bytes = 10_000;
        c.limits.peer_inbound_bytes = 5_000;
        c.limits.link_window = 4;
        c.limits.link_frames = 100;
        let mut net = Net::new(c);
        let mut conns: Vec<ConnId> = Vec::new();
        let (mut cookie, mut linked) = (0u64, true);
        for step in steps {
            let conn = |n: usize| pick(&conns, n);
            match step {
                Step::Accept => conns.push(net.accept()),
                Step::Request(n) => {
                    if let Some(conn) = conn(n) {
                        net.bytes(conn, &ConnReq { version: 1, nid: mgs() }.to_bytes(Order::Little));
                    }
                }
                Step::Greet(n, p, incarnation, ctype) => {
                    let types =
                        [ConnType::None, ConnType::Any, ConnType::Control, ConnType::BulkIn, ConnType::BulkOut];
                    if let Some(conn) = conn(n) {
                        let hello = hello(peers[p as usize], u64::from(incarnation), types[ctype as usize]);
                        net.bytes(conn, &hello.to_bytes(Order::Little));
                    }
                }
                Step::Garbage(n, bytes) => {
                    if let Some(conn) = conn(n) {
                        net.bytes(conn, &bytes);
                    }
                }
                Step::Put(n, p, portal, length) => {
                    if let Some(conn) = conn(n) {
                        net.send(conn, peers[p as usize], put(portal, 1), &vec![0; length as usize]);
                    }
                }
                Step::Close(n) => {
                    if let Some(conn) = conn(n) {
                        net.input(Input::Closed { conn, error: None });
                    }
                }
                Step::Flushed(n, bytes) => {
                    if let Some(conn) = conn(n) {
                        net.input(Input::Flushed { conn, bytes: bytes.into() });
                    }
                }
                Step::Post(p, want_ack, length, incarnation) => {
                    let Frame::Post { local, portal, match_bits, offset, .. } = post(0, 0, false, b"") else {
                        unreachable!()
                    };
                    let (peer, incarnation) = (peers[p as usize], u64::from(incarnation));
                    let payload = vec![0; length as usize].into();
                    net.frame(Frame::Post {
                        cookie, peer, local, incarnation, portal, match_bits, offset, want_ack, payload,
                    });
                    cookie += 1;
                }
                Step::Dialled(n, ok) => {
                    let open: Vec<_> = net.dials.iter().map(|d| d.0).collect();
                    if let Some(conn) = pick(&open, n) {
                        let at = "192.168.1.20:988".parse().unwrap();
                        let result = if ok { Ok((at, at)) } else { Err("refused".to_owned()) };
                        net.input(Input::Dialled { conn, result });
                        if ok && !conns.contains(&conn) {
                            conns.push(conn);
                        }
                    }
                }
                Step::Credit(slot, count) => net.frame(Frame::Credit { slot, count: count.into() }),
                Step::Link(up) => {
                    linked = false;
                    net.input(Input::LinkDown);
                    if up {
                        net.link_up();
                    }
                }
                Step::LinkFlushed(frames) => net.input(Input::LinkFlushed { frames: frames.into() }),
                Step::Wait(ms) => net.advance(Duration::from_millis(ms.into())),
                Step::Flows(flows) => net.flows = flows,
            }
            linked &= net.links_dropped.is_empty();
        }
        for conn in &conns {
            net.input(Input::Closed { conn: *conn, error: None });
        }
        net.advance(Duration::from_secs(1000));
        if linked && net.links_dropped.is_empty() {
            let mut done: Vec<u64> = net.relay.iter().filter_map(|f| match f {
                Frame::Done { cookie, .. } => Some(*cookie),
                _ => None,
            }).collect();
            done.sort_unstable();
            prop_assert_eq!(done, (0..cookie).collect::<Vec<_>>());
        }
        nothing_is_left(net, &conns);
    }
}
