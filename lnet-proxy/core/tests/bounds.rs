//! The link to the daemon, bounds, and peers that do not read.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod net;

use lnet_core::Input;
use net::{Net, client, config, message, mgs, nid, post, put};
use std::time::Duration;
use wire::lnet::{Message, PING_MATCH_BITS};
use wire::relay::{DaemonState, Frame, PostStatus};
use wire::socklnd::ConnType;

fn welcome(version: u16, max_inflight: u32, max_bytes: u64) -> Frame {
    let (mgs_uuid, daemon) = (String::new(), String::new());
    Frame::Welcome { version, features: 0, mgs_uuid, daemon, max_inflight, max_bytes }
}

fn bits(net: &Net) -> Vec<u64> {
    let found = net.relay.iter().filter_map(|f| match f {
        Frame::Deliver { match_bits, .. } => Some(*match_bits),
        _ => None,
    });
    found.collect()
}

#[test]
fn nothing_flows_before_the_welcome() {
    let mut net = Net::without_daemon(config());
    let conn = net.connect(client(), 5, ConnType::Control);
    net.send(conn, client(), put(26, 1), b"x");
    net.input(Input::LinkUp);
    net.send(conn, client(), put(26, 2), b"x");
    let [Frame::Hello { min_version: 1, max_version: 1, nids, .. }] = net.relay.as_slice() else {
        panic!("{:?}", net.relay)
    };
    assert_eq!(*nids, [mgs()]);
    net.frame(welcome(1, 0, 0));
    assert!(matches!(net.relay[1], Frame::PeerUp { slot: 0, incarnation: 5, .. }));
    net.send(conn, client(), put(26, 3), b"x");
    assert_eq!(bits(&net), [1, 2, 3], "what came before waited for it");
    assert_eq!(net.proxy.counters().dropped_no_daemon, 0);
}

#[test]
fn connections_outlive_the_link_and_the_next_daemon_learns_of_them() {
    let mut net = Net::new(config());
    let conn = net.connect(client(), 5, ConnType::Control);
    net.frame(post(1, 5, true, b"x"));
    net.input(Input::LinkDown);
    net.relay.clear();
    net.send(conn, client(), put(26, 1), b"x");
    assert_eq!(net.relay, []);
    net.link_up();
    assert!(
        matches!(
            net.relay[..],
            [Frame::Hello { .. }, Frame::PeerUp { slot: 1, .. }, Frame::Deliver { slot: 1, .. }]
        ),
        "{:?}",
        net.relay
    );
    net.relay.clear();
    net.advance(Duration::from_secs(100));
    assert_eq!(net.relay, [], "cookies of the old daemon mean nothing to the new one");
    assert!(!net.is_closed(conn));
    assert_eq!(net.proxy.counters().links_lost, 1);
}

#[test]
fn daemons_that_break_the_rules_lose_the_link() {
    let deliver = Frame::Deliver {
        slot: 0,
        incarnation: 0,
        portal: 0,
        match_bits: 0,
        offset: 0,
        payload: Default::default(),
    };
    let bad = [welcome(1, 0, 0), deliver, Frame::PeerDown { slot: 0, reason: String::new() }];
    for frame in bad {
        let mut net = Net::new(config());
        let conn = net.connect(client(), 5, ConnType::Control);
        net.frame(frame.clone());
        assert_eq!(net.links_dropped.len(), 1, "{frame:?}");
        assert!(!net.is_closed(conn));
        net.link_up();
        assert_eq!(net.links_dropped.len(), 1);
    }
    for first in [welcome(2, 0, 0), Frame::Drain, post(1, 5, false, b"x")] {
        let mut net = Net::without_daemon(config());
        net.input(Input::LinkUp);
        net.frame(first);
        assert_eq!(net.links_dropped.len(), 1);
    }
}

#[test]
fn ping_is_answered_and_views_are_taken() {
    let mut net = Net::new(config());
    net.frame(Frame::Ping { token: 9 });
    net.frame(Frame::Pong { token: 9 });
    net.frame(Frame::View { daemons: vec![("d".into(), DaemonState::Ready)] });
    assert_eq!((net.relay.as_slice(), net.links_dropped.len()), ([Frame::Pong { token: 9 }].as_slice(), 0));
}

#[test]
fn a_slow_daemon_is_served_fairly_and_the_queue_of_a_peer_is_bounded() {
    let mut c = config();
    c.limits.link_window = 2;
    c.limits.peer_inbound_bytes = 10_000;
    let mut net = Net::new(c);
    let noisy = net.connect(client(), 5, ConnType::Control);
    let quiet_nid = nid("192.168.1.21@tcp");
    let quiet = net.connect(quiet_nid, 5, ConnType::Control);
    net.relay.clear();
    net.flows = false;
    for n in 0..100 {
        net.send(noisy, client(), put(26, n), &[0; 872]); // 1000 with the place in the queue
    }
    net.send(quiet, quiet_nid, put(26, 1000), b"x");
    assert_eq!(bits(&net), [0, 1], "the window");
    assert_eq!(net.proxy.counters().dropped_inbound_full, 100 - 2 - 10);
    for _ in 0..20 {
        net.input(Input::LinkFlushed { frames: 1 });
    }
    assert_eq!(bits(&net), [0, 1, 2, 1000, 3, 4, 5, 6, 7, 8, 9, 10, 11], "the quiet one has its turn");
    net.flows = true;
    net.send(noisy, client(), put(26, 200), &[0; 872]);
    assert_eq!(bits(&net).last(), Some(&200), "room again");
}

#[test]
fn limits_of_the_welcome() {
    let mut net = Net::without_daemon(config());
    let conn = net.connect(client(), 5, ConnType::Control);
    net.input(Input::LinkUp);
    net.frame(welcome(1, 1, 100));
    net.flows = false;
    net.input(Input::LinkFlushed { frames: 10 });
    for n in 0..3 {
        net.send(conn, client(), put(26, n), &[0; 100]);
    }
    net.send(conn, client(), put(26, 3), &[0; 101]);
    assert_eq!(bits(&net), [0], "one in flight");
    assert_eq!(net.proxy.counters().dropped_inbound_full, 1, "too long for this daemon");
    net.input(Input::LinkFlushed { frames: 1 });
    net.input(Input::LinkFlushed { frames: 1 });
    assert_eq!(bits(&net), [0, 1, 2]);
}

#[test]
fn a_daemon_that_does_not_read_at_all_loses_the_link() {
    let mut c = config();
    c.limits.link_frames = 50;
    let mut net = Net::new(c);
    net.flows = false;
    for incarnation in 0..100 {
        net.connect(client(), incarnation, ConnType::Control);
    }
    assert_eq!(net.links_dropped.len(), 1);
    assert!(net.relay.len() <= 50);
}

fn ping() -> Message {
    let ret = wire::lnet::Handle([1; 16]);
    Message::Get { ret, match_bits: PING_MATCH_BITS, portal: 0, src_offset: 0, sink_length: 272 }
}

#[test]
fn a_peer_that_does_not_read_costs_a_bounded_amount_and_then_its_connections() {
    let mut c = config();
    c.limits.peer_outbound_bytes = 20_000;
    let mut net = Net::new(c);
    let conn = net.connect(client(), 5, ConnType::Control);
    let good_nid = nid("192.168.1.21@tcp");
    let good = net.connect(good_nid, 5, ConnType::Control);
    net.relay.clear();
    net.flows = false;
    for _ in 0..1000 {
        net.send(conn, client(), ping(), b"");
    }
    let waiting = net.written[&conn].len();
    assert!((19_000..=20_200).contains(&waiting), "{waiting}");
    assert!(net.proxy.counters().dropped_outbound_full > 800);
    net.frame(post(1, 5, false, &[0; 1000]));
    assert_eq!(net.relay, [Frame::Done { cookie: 1, status: PostStatus::Unreachable }]);
    assert_eq!(net.proxy.counters().posts_over_budget, 1);
    // Others do not notice.
    net.send(good, good_nid, ping(), b"");
    let answer = net.take(good).len();
    assert_eq!(answer, 24 + 72 + 48);
    net.input(Input::Flushed { conn: good, bytes: answer });
    // It takes a little: that buys time. Then nothing for 50 s.
    net.advance(Duration::from_secs(40));
    net.input(Input::Flushed { conn, bytes: 100 });
    net.advance(Duration::from_secs(49));
    assert!(!net.is_closed(conn));
    net.advance(Duration::from_secs(1));
    assert!(net.is_closed(conn) && !net.is_closed(good));
}

#[test]
fn more_to_send_is_no_progress() {
    let mut net = Net::new(config());
    let conn = net.connect(client(), 5, ConnType::Control);
    net.flows = false;
    for _ in 0..2 {
        net.send(conn, client(), ping(), b"");
        net.advance(Duration::from_secs(25));
    }
    assert!(net.is_closed(conn), "it took nothing for 50 s");
}

#[test]
fn zero_copy_requests_of_a_peer_that_does_not_read_cost_its_connections() {
    let mut c = config();
    c.limits.peer_outbound_bytes = 2_000;
    let mut net = Net::new(c);
    let conn = net.connect(client(), 5, ConnType::Control);
    net.flows = false;
    for cookie in 2..1000 {
        if !net.is_closed(conn) {
            net.bytes(conn, &net::with_cookies(client(), [cookie, 0], put(33, 1), b""));
        }
    }
    assert!(net.is_closed(conn), "they must be answered, and cannot");
    assert!(net.written[&conn].len() <= 2_100);
}

#[test]
fn incomplete_messages_of_all_peers_together_are_bounded() {
    let mut c = config();
    c.limits.partial_bytes = 50_000;
    let mut net = Net::new(c);
    let bytes = message(client(), put(26, 1), &[0; 100_000]);
    let conns: Vec<_> = (0..5u8)
        .map(|n| {
            let peer = nid(&format!("192.168.1.{}@tcp", 30 + n));
            let conn = net.connect(peer, 5, ConnType::Control);
            net.bytes(conn, &bytes[..15_000]);
            conn
        })
        .collect();
    let closed: Vec<_> = conns.iter().map(|c| net.is_closed(*c)).collect();
    assert_eq!(closed, [false, false, false, true, true], "there is room for three");
    // Room comes back when they go.
    for conn in &conns {
        net.input(Input::Closed { conn: *conn, error: None });
    }
    let conn = net.connect(client(), 5, ConnType::Control);
    net.bytes(conn, &bytes[..45_000]);
    assert!(!net.is_closed(conn));
}

#[test]
fn answers_awaited_are_bounded() {
    let mut c = config();
    c.limits.pending = 10;
    c.timing.bulk = Duration::ZERO;
    let mut net = Net::new(c);
    net.connect(client(), 5, ConnType::Control);
    net.relay.clear();
    for cookie in 0..12 {
        net.frame(post(cookie, 5, true, b"x"));
    }
    let unreachable = |cookie| Frame::Done { cookie, status: PostStatus::Unreachable };
    assert_eq!(net.relay, [unreachable(10), unreachable(11)]);
}
