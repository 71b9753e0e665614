//! What a router is given at most, and who counts as a peer behind one.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod net;

use lnet_core::{Config, Input};
use net::{Net, config, hello, mgs, nid, put};
use std::time::Duration;
use wire::Nid;
use wire::relay::{Frame, PostStatus};
use wire::socklnd::ConnType;

const HEADERS: usize = 24 + 72;

fn origin(n: usize) -> Nid {
    nid(&format!("10.1.0.{n}@o2ib"))
}
fn router(n: u8) -> Nid {
    nid(&format!("192.168.1.{}@tcp", 200 + n))
}
fn routed() -> Config {
    let mut config = config();
    config.routes = vec!["o2ib via 192.168.1.201@tcp,192.168.1.202@tcp".parse().unwrap()];
    config
}
fn post(cookie: u64, peer: Nid, want_ack: bool, payload: usize) -> Frame {
    Frame::Post {
        cookie,
        peer,
        local: mgs(),
        incarnation: 0,
        portal: 15,
        match_bits: 7,
        offset: 0,
        want_ack,
        payload: vec![1; payload].into(),
    }
}
fn fetch(cookie: u64, peer: Nid) -> Frame {
    Frame::Fetch { cookie, peer, local: mgs(), incarnation: 0, portal: 33, match_bits: 8, length: 100 }
}
fn dones(net: &Net) -> Vec<(u64, PostStatus)> {
    let done =
        |f: &Frame| if let Frame::Done { cookie, status } = f { Some((*cookie, *status)) } else { None };
    net.relay.iter().filter_map(done).collect()
}
const LOST: PostStatus = PostStatus::Unreachable;

/// `router_outbound_bytes` stands in for `peer_outbound_bytes`, and only for who has somebody behind it. What does not
/// fit is answered at once, whichever kind it is: nobody waits for the answer to a message that was never sent.
#[test]
fn bytes_for_a_router() {
    let mut config = routed();
    config.limits.router_outbound_bytes = 3 * (HEADERS + 100);
    config.limits.peer_outbound_bytes = 1000;
    let mut net = Net::new(config);
    let [conn, ..] = net.connect_all(router(1), 1);
    net.send(conn, origin(1), put(26, 1), b"request");
    net.relay.clear();
    net.flows = false;
    // The last one finds room for its payload, not for a byte more.
    for cookie in 1..=2 {
        net.frame(post(cookie, origin(cookie as usize), false, 100));
    }
    net.frame(post(3, origin(3), false, HEADERS + 101));
    net.frame(post(4, origin(4), true, HEADERS + 101));
    assert_eq!(dones(&net), [(3, LOST), (4, LOST)]);
    net.frame(post(5, origin(5), false, HEADERS + 100));
    assert_eq!(net.take(conn).len(), 4 * HEADERS + 300);
    net.frame(post(6, origin(6), false, 0));
    net.frame(fetch(7, origin(7)));
    assert_eq!(dones(&net)[2..], [(6, LOST)]);
    assert_eq!(net.relay.last(), Some(&Frame::Fetched { cookie: 7, payload: None }));
    let c = net.proxy.counters();
    assert_eq!((c.posts_over_budget, c.posts_unreachable), (4, 4));
    net.relay.clear();
    net.advance(Duration::from_secs(49));
    net.input(Input::Flushed { conn, bytes: 4 * HEADERS + 300 });
    net.advance(Duration::from_secs(100));
    assert_eq!(dones(&net), [(1, PostStatus::Sent), (2, PostStatus::Sent), (5, PostStatus::Sent)]);
}

/// The 72-byte header of a small NID cannot name a large one (protocol/1, 1.5.1).
#[test]
fn large_nids_behind_a_router_need_a_large_nid_of_ours() {
    let mut config = config();
    config.routes = vec!["tcp1 via 192.168.1.201@tcp".parse().unwrap()];
    let mut net = Net::new(config);
    let [conn, ..] = net.connect_all(router(1), 1);
    net.frame(post(1, nid("fd00::1@tcp1"), false, 1));
    assert_eq!((dones(&net), net.take(conn)), (vec![(1, LOST)], vec![]));
    net.frame(post(2, nid("10.1.0.1@tcp1"), false, 1));
    assert_eq!(dones(&net)[1..], [(2, PostStatus::Sent)]);
}

/// Places of peers behind routers come back when their router goes.
#[test]
fn places_come_back() {
    let mut config = routed();
    config.limits.routed_peers = 2;
    let mut net = Net::new(config);
    for round in 1..=3 {
        let [conn, ..] = net.connect_all(router(1), round);
        let before = net.proxy.counters();
        for n in 1..=3 {
            net.send(conn, origin(n), put(26, 1), b"request");
            // Known already: no further place.
            net.send(conn, origin(1), put(26, 1), b"request");
        }
        let after = net.proxy.counters();
        assert_eq!(after.delivered - before.delivered, 5, "round {round}");
        assert_eq!(after.dropped_routed_full - before.dropped_routed_full, 1);
        net.input(Input::Closed { conn, error: None });
    }
}

/// A peer that changes its router keeps its place, and the router left behind does not take it along.
#[test]
fn who_changed_the_router_stays_when_the_old_one_goes() {
    let mut config = routed();
    config.limits.routed_peers = 1;
    let mut net = Net::new(config);
    let [one, ..] = net.connect_all(router(1), 1);
    let [two, ..] = net.connect_all(router(2), 2);
    net.send(one, origin(1), put(26, 1), b"request");
    net.send(two, origin(1), put(26, 2), b"request");
    net.relay.clear();
    net.input(Input::Closed { conn: one, error: None });
    assert!(matches!(net.relay.as_slice(), [Frame::PeerDown { slot: 0, .. }]), "{:?}", net.relay);
    net.send(two, origin(1), put(26, 3), b"request");
    assert!(matches!(net.relay.last(), Some(Frame::Deliver { match_bits: 3, .. })));
}

/// Nobody may be named who cannot be: the wildcard, the loopback, a neighbour.
#[test]
fn sources_that_no_router_brings() {
    let mut net = Net::new(config());
    let [conn, ..] = net.connect_all(router(1), 1);
    net.relay.clear();
    for (n, source) in [Nid::ANY, nid("0@lo"), nid("192.168.1.77@tcp")].into_iter().enumerate() {
        net.send(conn, source, put(26, 1), b"request");
        assert_eq!((net.relay.len(), net.proxy.counters().dropped_foreign), (0, n as u64 + 1), "{source}");
    }
    net.send(conn, origin(1), put(26, 1), b"request");
    assert_eq!(net.relay.len(), 2);
}

/// The second message for a peer whose router is being dialled waits with the first; another peer does too.
#[test]
fn one_dial_serves_all_who_wait() {
    let mut net = Net::new(routed());
    net.frame(post(1, origin(1), false, 1));
    net.frame(post(2, origin(2), false, 1));
    net.frame(post(3, origin(1), false, 1));
    assert_eq!(net.dials.len(), 1);
    let (conn, gateway, ctype) = net.dials[0];
    assert_eq!(gateway, router(1));
    net.answer_dial(conn, &hello(router(1), 5, ctype.inverted()));
    let mut sent = dones(&net);
    sent.sort_by_key(|(cookie, _)| *cookie);
    assert_eq!(sent, [1, 2, 3].map(|cookie| (cookie, PostStatus::Sent)));
    assert_eq!(ctype, ConnType::Control);
    assert_eq!(net.proxy.held_bytes(), 0);
    assert_eq!(net.take(conn).len(), 3 * (HEADERS + 1));
}

/// While one router is being dialled no other is, even if the first one has rested meanwhile.
#[test]
fn who_waits_for_a_router_waits_for_that_one() {
    let mut net = Net::new(routed());
    let refused = |net: &mut Net, n: usize| {
        net.input(Input::Dialled { conn: net.dials[n].0, result: Err("no route to host".into()) });
    };
    net.frame(post(1, origin(1), false, 1));
    refused(&mut net, 0);
    net.advance(Duration::from_secs(2));
    net.frame(post(2, origin(1), false, 1));
    let gateways: Vec<Nid> = net.dials.iter().map(|(_, gateway, _)| *gateway).collect();
    assert_eq!((gateways, dones(&net)), (vec![router(1), router(2)], vec![]));
    refused(&mut net, 1);
    assert_eq!((net.dials.len(), net.dials[2].1), (3, router(1)), "it has rested");
    refused(&mut net, 2);
    assert_eq!((net.dials.len(), dones(&net)), (3, vec![(1, LOST), (2, LOST)]));
}
