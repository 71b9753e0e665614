//! Peers behind routers.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod net;

use bytes::Bytes;
use lnet_core::{Config, ConnId, Input};
use net::{Net, config, hello, message, mgs, nid, put};
use std::time::Duration;
use wire::Nid;
use wire::lnet::{Handle, Message, PING_MATCH_BITS};
use wire::relay::{Frame, PostStatus};
use wire::socklnd::{ConnType, Frame as SockFrame};

fn origin() -> Nid {
    nid("10.1.0.9@o2ib")
}
fn router(n: u8) -> Nid {
    nid(&format!("192.168.1.{}@tcp", 200 + n))
}
fn routed() -> Config {
    let mut config = config();
    config.routes = vec!["o2ib via 192.168.1.201@tcp,192.168.1.202@tcp".parse().unwrap()];
    config
}
fn post(cookie: u64, peer: Nid, want_ack: bool) -> Frame {
    let payload = Bytes::from_static(b"callback");
    Frame::Post {
        cookie,
        peer,
        local: mgs(),
        incarnation: 0,
        portal: 15,
        match_bits: 7,
        offset: 0,
        want_ack,
        payload,
    }
}
/// Destinations and messages on a connection since the last look.
fn sent(net: &mut Net, conn: ConnId) -> Vec<(Nid, Message)> {
    let lnet = |frame| match frame {
        SockFrame::Lnet(_, header, _) => (header.dest, header.msg),
        SockFrame::Noop(_) => panic!("NOOP"),
    };
    net.messages(conn).into_iter().map(lnet).collect()
}
fn dones(net: &Net) -> Vec<(u64, PostStatus)> {
    let done =
        |f: &Frame| if let Frame::Done { cookie, status } = f { Some((*cookie, *status)) } else { None };
    net.relay.iter().filter_map(done).collect()
}

#[test]
fn a_request_through_a_router_is_the_origins_and_its_reply_leaves_by_that_router() {
    for config in [config(), routed()] {
        let mut net = Net::new(config);
        let [one, ..] = net.connect_all(router(1), 1);
        let [two, ..] = net.connect_all(router(2), 2);
        net.relay.clear();
        net.send(two, origin(), put(26, 9), b"request");
        let [
            Frame::PeerUp { slot, peer, local, incarnation: 0, gateway, .. },
            Frame::Deliver { slot: of, .. },
        ] = net.relay.as_slice()
        else {
            panic!("{:?}", net.relay)
        };
        assert_eq!((slot, *peer, *local, *gateway), (of, origin(), mgs(), Some(router(2))));
        net.frame(post(1, origin(), false));
        assert!(matches!(sent(&mut net, two).as_slice(), [(dest, Message::Put { .. })] if *dest == origin()));
        assert_eq!((net.take(one), dones(&net)), (vec![], vec![(1, PostStatus::Sent)]));
        // It moves to the other router: so do its replies, and it is the same peer.
        net.relay.clear();
        net.send(one, origin(), put(26, 10), b"request");
        net.frame(post(2, origin(), false));
        assert_eq!((sent(&mut net, one).len(), net.take(two)), (1, vec![]));
        assert!(
            matches!(net.relay.as_slice(), [Frame::Deliver { .. }, Frame::Done { .. }]),
            "{:?}",
            net.relay
        );
    }
}

#[test]
fn pings_and_acks_pass_routers() {
    let mut net = Net::new(routed());
    let [conn, ..] = net.connect_all(router(1), 1);
    let ret = Handle([3; 16]);
    let get = Message::Get { ret, match_bits: PING_MATCH_BITS, portal: 0, src_offset: 0, sink_length: 272 };
    net.send(conn, origin(), get, b"");
    assert_eq!(sent(&mut net, conn), [(origin(), Message::Reply { dst: ret })]);
    net.frame(post(4, origin(), true));
    let [(_, Message::Put { ack, .. })] = sent(&mut net, conn)[..] else { panic!() };
    // The router itself did not get the PUT: its ACK is none.
    let answer = Message::Ack { dst: ack, match_bits: 7, mlength: 8 };
    net.send(conn, router(1), answer, b"");
    assert_eq!(dones(&net), []);
    net.send(conn, origin(), answer, b"");
    assert_eq!(dones(&net), [(4, PostStatus::Acked(8))]);
}

#[test]
fn who_may_bring_what() {
    let mut net = Net::new(routed());
    let [stranger, ..] = net.connect_all(router(9), 1);
    net.relay.clear();
    net.send(stranger, origin(), put(26, 1), b"not a declared router");
    net.send(stranger, nid("0@lo"), put(26, 1), b"loopback");
    net.send(stranger, nid("192.168.1.77@tcp"), put(26, 1), b"our own network needs no router");
    assert_eq!((net.relay.len(), net.proxy.counters().dropped_foreign), (0, 3));
    net.send(stranger, nid("10.1.0.9@o2ib5"), put(26, 1), b"no route says otherwise");
    assert_eq!(net.relay.len(), 2, "{:?}", net.relay);
}

#[test]
fn a_lost_router_is_replaced_and_the_last_one_takes_its_peers_along() {
    let mut net = Net::new(routed());
    let [one, ..] = net.connect_all(router(1), 1);
    let [two, ..] = net.connect_all(router(2), 2);
    net.send(one, origin(), put(26, 9), b"request");
    net.frame(post(1, origin(), true));
    net.relay.clear();
    net.input(Input::Closed { conn: one, error: None });
    assert_eq!(dones(&net), [(1, PostStatus::Unreachable)]);
    let downs = |net: &Net| net.relay.iter().filter(|f| matches!(f, Frame::PeerDown { .. })).count();
    assert_eq!(downs(&net), 1, "only the router: {:?}", net.relay);
    net.frame(post(2, origin(), false));
    assert_eq!(sent(&mut net, two).len(), 1);
    net.input(Input::Closed { conn: two, error: None });
    assert_eq!(downs(&net), 3, "{:?}", net.relay);
    // Nothing stays behind.
    net.advance(Duration::from_secs(200));
    assert_eq!((net.proxy.connections(), net.proxy.held_bytes()), (0, 0));
}

#[test]
fn callbacks_dial_one_declared_router_after_the_other() {
    let mut net = Net::new(routed());
    net.frame(post(1, origin(), false));
    net.frame(post(2, origin(), false));
    let [(first, gateway, ConnType::Control)] = net.dials[..] else { panic!("{:?}", net.dials) };
    assert_eq!(gateway, router(1));
    net.input(Input::Dialled { conn: first, result: Err("no route to host".into()) });
    for n in 1..4 {
        let (conn, gateway, ctype) = *net.dials.last().unwrap();
        assert_eq!((gateway, net.dials.len()), (router(2), n + 1));
        net.answer_dial(conn, &hello(router(2), 5, ctype.inverted()));
    }
    assert_eq!(dones(&net), [(1, PostStatus::Sent), (2, PostStatus::Sent)]);
    // Both fail: at once, and without a dial while they rest.
    let mut net = Net::new(routed());
    net.frame(post(1, origin(), false));
    for _ in 0..2 {
        let conn = net.dials.last().unwrap().0;
        net.input(Input::Dialled { conn, result: Err("no route to host".into()) });
    }
    net.frame(post(2, origin(), false));
    net.frame(post(3, nid("1.2.3.4@o2ib7"), false));
    let lost = PostStatus::Unreachable;
    assert_eq!((dones(&net), net.dials.len()), (vec![(1, lost), (2, lost), (3, lost)], 2));
    net.advance(Duration::from_secs(200));
    assert_eq!(net.proxy.held_bytes(), 0);
}

#[test]
fn a_router_is_given_so_many_messages_and_all_behind_it_get_their_turn() {
    let mut config = routed();
    config.limits.router_in_flight = 4;
    let mut net = Net::new(config);
    let [conn, ..] = net.connect_all(router(1), 1);
    let peers: Vec<Nid> = (1..=10).map(|n| nid(&format!("10.1.0.{n}@o2ib"))).collect();
    for peer in &peers {
        net.send(conn, *peer, put(26, 9), b"request");
    }
    net.relay.clear();
    net.flows = false;
    for (cookie, peer) in (1..).zip(&peers) {
        net.frame(post(cookie, *peer, false));
    }
    let mut written = net.take(conn);
    let size = written.len() / 4;
    assert_eq!(size, 24 + 72 + 8, "four messages are under way");
    for left in [5, 4, 3, 2, 1] {
        net.input(Input::Flushed { conn, bytes: size });
        written = net.take(conn);
        assert_eq!(written.len(), size, "one left, one goes: {left}");
    }
    net.flows = true;
    net.input(Input::Flushed { conn, bytes: size * 4 });
    assert_eq!(dones(&net).len(), 10);
    assert_eq!(net.proxy.held_bytes(), 0);
}

#[test]
fn peers_behind_routers_are_bounded() {
    let mut config = routed();
    config.limits.routed_peers = 5;
    let mut net = Net::new(config);
    let [conn, ..] = net.connect_all(router(1), 1);
    net.relay.clear();
    for n in 1..=50 {
        net.bytes(conn, &message(nid(&format!("10.1.1.{n}@o2ib")), put(26, 9), b"request"));
    }
    assert_eq!(net.proxy.counters().dropped_routed_full, 45);
    assert_eq!(net.relay.len(), 10, "an announcement and a request of each");
    net.input(Input::LinkDown);
    net.relay.clear();
    net.link_up();
    assert_eq!(net.relay.iter().filter(|f| matches!(f, Frame::PeerUp { .. })).count(), 6, "with the router");
}
