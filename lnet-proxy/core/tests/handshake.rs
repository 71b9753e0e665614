//! First contact and everything that may go wrong with it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod net;

use lnet_core::{Accept, ConnId, Error, Event, Input};
use net::{Net, OWN_INCARNATION, client, config, hello, hex, mgs, nid};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use wire::relay::Frame;
use wire::socklnd::{ConnReq, ConnType, Hello, Step};
use wire::{Nid, Order};

const REQUEST: &str = "00 71 ce ac 01 00 00 00 0a 01 a8 c0 00 00 02 00";
const HELLO: &str = "63 69 72 45 03 00 00 00 | 14 01 a8 c0 00 00 02 00 | 0a 01 a8 c0 00 00 02 00 | 39 30 00 00 | \
    00 00 00 00 | 01 02 03 04 05 06 07 08 | 00 00 00 00 00 00 00 00 | 01 00 00 00 | 00 00 00 00";
const OUR_HELLO: &str = "63 69 72 45 03 00 00 00 | 0a 01 a8 c0 00 00 02 00 | 14 01 a8 c0 00 00 02 00 | 39 30 00 00 | \
    00 00 00 00 | 88 77 66 55 44 33 22 11 | 00 00 00 00 00 00 00 00 | 01 00 00 00 | 00 00 00 00";
const SOCK_HEADER: &str = "c1 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00";
const PING: &str = "0a 01 a8 c0 00 00 02 00 | 14 01 a8 c0 00 00 02 00 | 39 30 00 00 | 39 30 00 00 | 02 00 00 00 | \
    00 00 00 00 | a0 a1 a2 a3 a4 a5 a6 a7 b0 b1 b2 b3 b4 b5 b6 b7 | 00 00 00 00 00 00 00 80 | 00 00 00 00 | \
    00 00 00 00 | 10 01 00 00 | 00 00 00 00";
const PONG: &str = "14 01 a8 c0 00 00 02 00 | 0a 01 a8 c0 00 00 02 00 | 39 30 00 00 | 39 30 00 00 | 03 00 00 00 | \
    30 00 00 00 | a0 a1 a2 a3 a4 a5 a6 a7 b0 b1 b2 b3 b4 b5 b6 b7 | 00 00 00 00 00 00 00 00 | 00 00 00 00 | \
    00 00 00 00 | 00 00 00 00 | 00 00 00 00";
/// protocol/1, 1.6.2.
const INFORMATION: &str = "67 6e 69 70 0e 00 00 00 39 30 00 00 02 00 00 00 00 00 00 00 00 00 09 00 01 00 00 00 \
    00 00 00 00 0a 01 a8 c0 00 00 02 00 de c0 aa 15 00 00 00 00";

fn all(parts: &[&str]) -> Vec<u8> {
    parts.iter().flat_map(|p| hex(p)).collect()
}

/// The worked example of protocol/1, 1.7.
#[test]
fn first_contact_byte_for_byte() {
    let mut net = Net::new(config());
    let conn = net.accept();
    net.bytes(conn, &hex(REQUEST));
    assert_eq!(net.take(conn), [], "nothing is sent after the request");
    net.bytes(conn, &hex(HELLO));
    assert_eq!(net.take(conn), hex(OUR_HELLO));
    net.bytes(conn, &all(&[SOCK_HEADER, PING]));
    assert_eq!(net.take(conn), all(&[SOCK_HEADER, PONG, INFORMATION]));
    let [Frame::PeerUp { peer, local, incarnation, .. }] = net.relay.as_slice() else { panic!() };
    assert_eq!((*peer, *local, *incarnation), (client(), mgs(), 0x0807_0605_0403_0201));
}

#[test]
fn first_contact_one_byte_at_a_time() {
    let mut net = Net::new(config());
    let conn = net.accept();
    for byte in all(&[REQUEST, HELLO, SOCK_HEADER, PING]) {
        net.bytes(conn, &[byte]);
    }
    assert_eq!(net.take(conn), all(&[OUR_HELLO, SOCK_HEADER, PONG, INFORMATION]));
}

#[test]
fn first_contact_in_one_piece_without_waiting() {
    let mut net = Net::new(config());
    let conn = net.accept();
    net.bytes(conn, &all(&[REQUEST, HELLO, SOCK_HEADER, PING]));
    assert_eq!(net.take(conn), all(&[OUR_HELLO, SOCK_HEADER, PONG, INFORMATION]));
}

#[test]
fn types_are_inverted() {
    let mut net = Net::new(config());
    net.connect_all(client(), 5); // checks the answers
    net.connect(client(), 5, ConnType::Any);
    assert_eq!(net.proxy.connected_peers(), 1);
    assert_eq!(net.relay.len(), 1, "one peer, one PeerUp");
}

#[test]
fn version_2_and_the_other_byte_order_are_understood() {
    let mut net = Net::new(config());
    let conn = net.accept();
    net.bytes(conn, &ConnReq { version: 1, nid: mgs() }.to_bytes(Order::Big));
    let theirs = Hello { version: 2, ..hello(client(), 5, ConnType::BulkIn) };
    net.bytes(conn, &theirs.to_bytes(Order::Big));
    let answer = net.take(conn);
    let Step::Done((ours, order), 56) = Hello::parse(&answer).unwrap() else { panic!() };
    assert_eq!((ours.version, ours.ctype, order), (2, ConnType::BulkOut, Order::Little));
}

#[test]
fn large_nids_speak_version_4_only() {
    let own = nid("fd00::10@tcp");
    let peer = nid("fd00::20@tcp");
    let mut net = Net::new(lnet_core::Config::new(vec![own], OWN_INCARNATION));
    let conn = net.accept();
    net.bytes(conn, &ConnReq { version: 2, nid: own }.to_bytes(Order::Little));
    let theirs = Hello { version: 4, src_nid: peer, dst_nid: own, ..hello(client(), 5, ConnType::Control) };
    net.bytes(conn, &theirs.to_bytes(Order::Little));
    let Step::Done((ours, _), 80) = Hello::parse(&net.take(conn)).unwrap() else { panic!() };
    assert_eq!((ours.version, ours.src_nid, ours.dst_nid), (4, own, peer));

    let conn = net.accept();
    net.bytes(conn, &ConnReq { version: 2, nid: own }.to_bytes(Order::Little));
    net.bytes(conn, &hello(client(), 5, ConnType::Control).to_bytes(Order::Little));
    let Step::Done((ours, _), 80) = Hello::parse(&net.take(conn)).unwrap() else { panic!() };
    assert_eq!((ours.version, ours.ctype), (4, ConnType::None));
    assert!(net.closed[&conn], "after the refusal is out");
}

fn trouble(net: &Net) -> Error {
    let found: Vec<_> = net
        .events
        .iter()
        .filter_map(|e| match e {
            Event::Trouble { error, .. } => Some(error.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

fn refused_at_request(bytes: &[u8]) -> (Vec<u8>, Error) {
    let mut net = Net::new(config());
    let conn = net.accept();
    net.bytes(conn, bytes);
    assert!(net.is_closed(conn));
    assert_eq!(net.relay, []);
    (net.take(conn), trouble(&net))
}

#[test]
fn requests_for_others_and_of_other_protocols() {
    let other = nid("192.168.1.11@tcp");
    let request = ConnReq { version: 1, nid: other }.to_bytes(Order::Little);
    let (answer, error) = refused_at_request(&request);
    assert_eq!((answer, error), (vec![], Error::NotOurNid { nid: other }));

    let ours = hex("00 71 ce ac 01 00 00 00 00 00 00 00 00 00 00 00");
    // "LNet unified" magic both ways round, and a version that does not exist.
    for probe in ["63 69 72 45 00 00 00 00", "45 72 69 63 00 00 00 00", "00 71 ce ac 09 00 00 00"] {
        let (answer, error) = refused_at_request(&hex(probe));
        assert_eq!(answer, ours, "{probe}");
        assert!(matches!(error, Error::Malformed { part: "connection request", .. }), "{error}");
    }
    let (answer, error) = refused_at_request(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(answer, []);
    assert!(matches!(error, Error::Malformed { part: "connection request", .. }), "{error}");
}

fn refused_at_hello(bytes: &[u8]) -> (Vec<u8>, Error) {
    let mut net = Net::new(config());
    let conn = net.accept();
    net.bytes(conn, &hex(REQUEST));
    net.bytes(conn, bytes);
    assert!(net.is_closed(conn));
    assert_eq!(net.relay, []);
    (net.take(conn), trouble(&net))
}

#[test]
fn hellos_that_are_refused() {
    let h = |change: fn(&mut Hello)| {
        let mut hello = hello(client(), 5, ConnType::Control);
        change(&mut hello);
        refused_at_hello(&hello.to_bytes(Order::Little))
    };
    assert!(matches!(h(|h| h.src_pid = 1), (a, Error::SourcePid { pid: 1 }) if a.is_empty()));
    assert!(matches!(h(|h| h.src_nid = Nid::ANY), (a, Error::SourceNid { .. }) if a.is_empty()));
    assert!(matches!(h(|h| h.src_nid = nid("1.2.3.4@tcp7")), (a, Error::SourceNid { .. }) if a.is_empty()));
    assert!(matches!(h(|h| h.src_nid = nid("1.2.3.4@o2ib")), (a, Error::SourceNid { .. }) if a.is_empty()));
    assert!(matches!(h(|h| h.ctype = ConnType::None), (a, Error::Type { .. }) if a.is_empty()));

    let (answer, error) = refused_at_hello(&hex("63 69 72 45 09 00 00 00"));
    let Step::Done((ours, _), _) = Hello::parse(&answer).unwrap() else { panic!("no refusal: {error}") };
    assert_eq!((ours.version, ours.ctype, ours.src_nid), (3, ConnType::None, mgs()));
    assert!(
        matches!(refused_at_hello(b"nonsense"), (a, Error::Malformed { part: "HELLO", .. }) if a.is_empty())
    );
}

#[test]
fn unprivileged_ports_are_refused_in_secure_mode() {
    let mut c = config();
    c.accept = Accept::Secure;
    let mut net = Net::new(c);
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    assert_eq!(net.proxy.accept(at(1024), net.now), Err(Error::UnprivilegedPort { port: 1024 }));
    assert!(net.proxy.accept(at(1023), net.now).is_ok());
    assert_eq!(Accept::default_for(988), Accept::Secure);
    assert_eq!(Accept::default_for(9988), Accept::All);
}

fn silent_after(bytes: &str) -> Duration {
    let mut net = Net::new(config());
    let conn = net.accept();
    net.bytes(conn, &hex(bytes));
    let begin = net.now;
    while !net.is_closed(conn) {
        net.advance(Duration::from_millis(100));
        assert!(net.now - begin < Duration::from_secs(60));
    }
    assert!(matches!(trouble(&net), Error::TimedOut { .. }));
    net.now - begin
}

#[test]
fn slow_greeters_are_closed_after_five_seconds() {
    for part in ["", "00 71", REQUEST, &format!("{REQUEST} 63 69 72 45")] {
        assert_eq!(silent_after(part), Duration::from_secs(5), "{part}");
    }
}

#[test]
fn a_byte_now_and_then_does_not_buy_time() {
    let mut net = Net::new(config());
    let conn = net.accept();
    for byte in &hex(REQUEST)[..10] {
        net.bytes(conn, &[*byte]);
        net.advance(Duration::from_secs(1));
    }
    assert!(net.is_closed(conn));
}

#[test]
fn too_many_half_open_connections_cost_the_oldest() {
    let mut c = config();
    c.limits.half_open = 4;
    let mut net = Net::new(c);
    let conns: Vec<ConnId> = (0..6).map(|_| net.accept()).collect();
    net.input(Input::Tick);
    let closed: Vec<bool> = conns.iter().map(|c| net.is_closed(*c)).collect();
    assert_eq!(closed, [true, true, false, false, false, false]);
    assert_eq!(net.proxy.counters().half_open_evicted, 2);
    // Beyond half of the limit there is less patience with those that say nothing.
    net.advance(Duration::from_secs(1));
    assert!(conns[2..].iter().all(|c| net.is_closed(*c)));
    // A good peer comes through all the time.
    for _ in 0..100 {
        let _ = net.accept();
        let _ = net.accept();
        let conn = net.connect(client(), 5, ConnType::Control);
        net.input(Input::Closed { conn, error: None });
    }
    assert!(net.proxy.connections() <= 4);
}

#[test]
fn connections_are_limited_in_all_and_per_peer() {
    let mut c = config();
    c.limits.connections = 6;
    c.limits.connections_per_peer = 5;
    let mut net = Net::new(c);
    for _ in 0..5 {
        net.connect(client(), 5, ConnType::Control);
    }
    let conn = net.accept();
    net.bytes(conn, &all(&[REQUEST]));
    net.bytes(conn, &hello(client(), 5, ConnType::Control).to_bytes(Order::Little));
    let Step::Done((ours, _), _) = Hello::parse(&net.take(conn)).unwrap() else { panic!() };
    assert_eq!((ours.ctype, net.is_closed(conn)), (ConnType::None, true));
    assert_eq!(net.proxy.connections(), 5, "the others stay");
    net.connect(nid("192.168.1.21@tcp"), 5, ConnType::Control);
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 1000));
    assert_eq!(net.proxy.accept(at, net.now), Err(Error::Limit { limit: "connections" }));
    assert_eq!(net.proxy.counters().limit_closed, 2);
}

#[test]
fn a_new_incarnation_ends_the_old_connections() {
    let mut net = Net::new(config());
    let old = net.connect_all(client(), 5);
    let other = net.connect(nid("192.168.1.21@tcp"), 5, ConnType::Control);
    net.relay.clear();
    let new = net.connect(client(), 6, ConnType::Control);
    assert!(old.iter().all(|c| net.is_closed(*c)));
    assert!(!net.is_closed(new) && !net.is_closed(other));
    let [Frame::PeerDown { slot: down, reason }, Frame::PeerUp { slot: up, incarnation: 6, .. }] =
        net.relay.as_slice()
    else {
        panic!("{:?}", net.relay)
    };
    assert_eq!((*down, *up, reason.as_str()), (0, 2, "peer restarted"));
    assert_eq!(net.proxy.counters().restarts, 1);
}

#[test]
fn siblings_end_together_and_a_broken_message_is_the_peers_fault() {
    for (half_message, misbehaved) in [(false, 0), (true, 1)] {
        let mut net = Net::new(config());
        let conns = net.connect_all(client(), 5);
        let other = net.connect(nid("192.168.1.21@tcp"), 5, ConnType::Control);
        if half_message {
            net.bytes(conns[1], &hex(SOCK_HEADER));
        }
        net.input(Input::Closed { conn: conns[1], error: None });
        assert!(conns.iter().all(|c| net.is_closed(*c)));
        assert!(!net.is_closed(other));
        assert!(matches!(net.relay.last(), Some(Frame::PeerDown { slot: 0, .. })));
        assert_eq!(net.proxy.counters().misbehaved, misbehaved);
        assert_eq!((net.proxy.connections(), net.proxy.connected_peers()), (1, 1));
    }
}

/// One host may dial for several NIDs from one address; several of our NIDs are several peers.
#[test]
fn peers_are_told_apart_by_nid_never_by_address() {
    let second = nid("192.168.1.12@tcp");
    let mut c = config();
    c.nids.push(second);
    let mut net = Net::new(c);
    let a = net.connect(client(), 5, ConnType::Control);
    let _ = net.connect(nid("192.168.1.21@tcp"), 9, ConnType::Control);
    let conn = net.accept();
    net.bytes(conn, &ConnReq { version: 1, nid: second }.to_bytes(Order::Little));
    net.bytes(conn, &hello(client(), 5, ConnType::Control).to_bytes(Order::Little));
    let Step::Done((ours, _), _) = Hello::parse(&net.take(conn)).unwrap() else { panic!() };
    assert_eq!(ours.src_nid, second, "the NID that was called answers");
    assert_eq!(net.proxy.connected_peers(), 3);
    net.input(Input::Closed { conn: a, error: None });
    assert_eq!(net.proxy.connected_peers(), 2);
}
