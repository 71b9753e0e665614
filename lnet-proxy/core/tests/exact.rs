//! Where each limit begins, to the byte, and what each counter counts, to the one.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod net;

use bytes::Bytes;
use lnet_core::{Config, Error, Event, Input, Limits};
use net::{Net, client, config, hello, message, nid, post, put};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use wire::lnet::{Handle, Header, Message, PING_MATCH_BITS, PingInfo, PingNi};
use wire::relay::{Frame, PostStatus};
use wire::socklnd::{ConnReq, ConnType, Frame as SockFrame, Hello, MAX_PAYLOAD, MsgHeader};
use wire::{Nid, Order};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(1);
/// socklnd and LNet header (protocol/1, 1.4 and 1.5).
const HEADERS: usize = 24 + 72;
/// What the queues charge beside the payload.
const PLACE: usize = 128;

fn with(change: impl FnOnce(&mut Limits)) -> Config {
    let mut config = config();
    change(&mut config.limits);
    config
}
fn other() -> Nid {
    nid("192.168.1.21@tcp")
}
fn dones(net: &Net) -> Vec<(u64, PostStatus)> {
    let done =
        |f: &Frame| if let Frame::Done { cookie, status } = f { Some((*cookie, *status)) } else { None };
    net.relay.iter().filter_map(done).collect()
}
fn post_to(peer: Nid, cookie: u64, payload: &[u8]) -> Frame {
    let Frame::Post { local, portal, match_bits, offset, want_ack, payload, .. } =
        post(cookie, 0, false, payload)
    else {
        panic!()
    };
    Frame::Post { cookie, peer, local, incarnation: 0, portal, match_bits, offset, want_ack, payload }
}

/// An LNet message carries 1 MiB at most (protocol/1, 1.5).
#[test]
fn the_largest_payload_of_a_post() {
    let mut net = Net::new(config());
    let conn = net.connect(client(), 5, ConnType::Control);
    net.relay.clear();
    net.frame(post(1, 5, false, &vec![1; MAX_PAYLOAD]));
    assert_eq!(net.take(conn).len(), HEADERS + (1 << 20));
    net.frame(post(2, 5, false, &vec![1; MAX_PAYLOAD + 1]));
    assert_eq!(dones(&net), [(1, PostStatus::Sent), (2, PostStatus::Unreachable)]);
    assert_eq!(net.take(conn), []);
}

/// While no daemon is there, PUTs wait: as many bytes as the limits say, of one peer and of all.
#[test]
fn bytes_for_the_daemon() {
    for (of_peer, of_all, fit) in [(1000, 5000, [true, false, true]), (5000, 1000, [true, false, false])] {
        let mut net = Net::new(with(|l| {
            l.peer_inbound_bytes = of_peer;
            l.inbound_bytes = of_all;
        }));
        let mine = net.connect(client(), 5, ConnType::Control);
        let others = net.connect(other(), 5, ConnType::Control);
        net.input(Input::LinkDown);
        net.relay.clear();
        let mut dropped = 0;
        let mut held = 0;
        for (n, (conn, from)) in
            [(mine, client()), (mine, client()), (others, other())].into_iter().enumerate()
        {
            // The first fills the limit exactly; one byte more is too much.
            let payload = if n == 0 { 1000 - PLACE } else { 0 };
            net.send(conn, from, put(26, n as u64), &vec![1; payload]);
            dropped += u64::from(!fit[n]);
            held += if fit[n] { payload + PLACE } else { 0 };
            assert_eq!(net.proxy.counters().dropped_inbound_full, dropped, "{n} of {of_peer}, {of_all}");
            assert_eq!(net.proxy.held_bytes(), held, "{n} of {of_peer}, {of_all}");
        }
        net.link_up();
        let delivered = net.relay.iter().filter(|f| matches!(f, Frame::Deliver { .. })).count();
        assert_eq!(delivered, fit.iter().filter(|f| **f).count());
        assert_eq!(net.proxy.held_bytes(), 0);
    }
}

/// Held: of incomplete messages, for the daemon, for peers.
#[test]
fn held_bytes_are_the_sum_of_three() {
    let mut net = Net::new(config());
    let a = net.connect(client(), 5, ConnType::Control);
    let b = net.connect(other(), 5, ConnType::Control);
    net.input(Input::LinkDown);
    net.send(a, client(), put(26, 1), &[1; 10]);
    assert_eq!(net.proxy.held_bytes(), 10 + PLACE);
    net.bytes(a, &message(client(), put(26, 1), &[1; 10])[..7]);
    assert_eq!(net.proxy.held_bytes(), 10 + PLACE + 7);
    net.flows = false;
    let ret = Handle([1; 16]);
    let ping = Message::Get { ret, match_bits: PING_MATCH_BITS, portal: 0, src_offset: 0, sink_length: 272 };
    net.send(b, other(), ping, b"");
    assert_eq!(net.proxy.held_bytes(), 10 + PLACE + 7 + HEADERS + 48);
    net.bytes(a, &message(client(), put(26, 1), &[1; 10])[7..9]);
    assert_eq!(net.proxy.held_bytes(), 10 + PLACE + 9 + HEADERS + 48);
    net.input(Input::Flushed { conn: b, bytes: 40 });
    assert_eq!(net.proxy.held_bytes(), 10 + PLACE + 9 + HEADERS + 8);
    net.input(Input::Closed { conn: b, error: None });
    assert_eq!(net.proxy.held_bytes(), 10 + PLACE + 9);
    net.input(Input::Closed { conn: a, error: None });
    assert_eq!(net.proxy.held_bytes(), 0);
}

/// A post fits while its payload, its place, and what is not yet taken by TCP make no more than the limit.
#[test]
fn bytes_for_a_peer_and_for_all_peers() {
    // After the first post 96 + 100 bytes wait.
    let room = HEADERS + 100 + PLACE + 50;
    for (of_peer, of_all, least) in [(room, 5000, false), (5000, room, true)] {
        let limits = |l: &mut Limits| {
            l.peer_outbound_bytes = of_peer;
            l.outbound_bytes = of_all;
        };
        for (payload, sent) in [(50, true), (51, false)] {
            let mut net = Net::new(with(limits));
            net.connect(client(), 5, ConnType::Control);
            net.connect(other(), 5, ConnType::Control);
            net.relay.clear();
            net.flows = false;
            net.frame(post_to(client(), 1, &[1; 100]));
            net.frame(post_to(if least { other() } else { client() }, 2, &vec![1; payload]));
            let expected: &[_] = if sent { &[] } else { &[(2, PostStatus::Unreachable)] };
            assert_eq!(dones(&net), expected, "{payload} of {of_peer}, {of_all}");
            assert_eq!(net.proxy.counters().posts_over_budget, u64::from(!sent));
        }
    }
}

#[test]
fn incomplete_messages() {
    for (bytes, closed) in [(500, false), (501, true)] {
        let mut net = Net::new(with(|l| l.partial_bytes = 500));
        let conn = net.connect(client(), 5, ConnType::Control);
        net.bytes(conn, &message(client(), put(26, 1), &[0; 1000])[..bytes]);
        assert_eq!(net.is_closed(conn), closed, "{bytes}");
        assert_eq!(net.proxy.counters().limit_closed, u64::from(closed));
    }
}

/// Half of the places in use: who comes then has a second for the first byte; who has said something has five.
#[test]
fn patience_of_the_half_open() {
    let mut net = Net::new(with(|l| l.half_open = 4));
    let conns = [0; 4].map(|_| net.accept());
    net.bytes(conns[3], &[0x00, 0x71]);
    net.advance(SECOND - TICK);
    assert_eq!(conns.map(|c| net.is_closed(c)), [false; 4]);
    net.advance(TICK);
    assert_eq!(conns.map(|c| net.is_closed(c)), [false, false, true, false]);
    net.advance(SECOND * 4 - TICK);
    assert_eq!(conns.map(|c| net.is_closed(c)), [false, false, true, false]);
    net.advance(TICK);
    assert_eq!(conns.map(|c| net.is_closed(c)), [true; 4]);
    assert_eq!(net.proxy.counters().timed_out, 4);
}

/// The link takes so many frames; the next one costs it.
#[test]
fn frames_for_a_daemon_that_does_not_read() {
    let mut net = Net::without_daemon(with(|l| l.link_frames = 3));
    net.flows = false;
    net.connect(client(), 5, ConnType::Control);
    net.connect(other(), 5, ConnType::Control);
    net.link_up();
    assert_eq!((net.relay.len(), net.links_dropped.len()), (3, 0), "Hello and two PeerUp");
    net.connect(nid("192.168.1.22@tcp"), 5, ConnType::Control);
    assert_eq!(net.links_dropped, ["daemon does not read: 3 frames wait for it"]);
    // The next link begins with an empty queue. Four frames are too many for it too, and those that were still in our
    // hands then are not given to the one after it.
    net.link_up();
    assert_eq!((net.relay.len(), net.links_dropped.len()), (3 + 1, 2));
    assert!(matches!(net.relay[3], Frame::Hello { .. }));
}

/// The question itself finds the queue full: the link goes, and nothing remains that would wake us.
#[test]
fn a_ping_that_does_not_fit_costs_the_link() {
    let mut net = Net::without_daemon(with(|l| l.link_frames = 1));
    net.flows = false;
    net.hangs = true;
    net.link_up();
    net.advance(SECOND);
    assert_eq!(net.links_dropped.len(), 1);
    net.advance(SECOND * 3);
    assert!(!net.listening);
    assert_eq!((net.proxy.poll_timeout(), net.proxy.counters().links_lost), (None, 1));
}

#[test]
fn what_is_wrong_with_a_daemon_is_said() {
    for (frame, why) in [
        (
            Frame::Hello { min_version: 1, max_version: 1, features: 0, identity: "p".into(), nids: vec![] },
            "daemon greets twice",
        ),
        (Frame::PeerDown { slot: 0, reason: String::new() }, "daemon sent a frame that only a proxy sends"),
    ] {
        let mut net = Net::new(config());
        net.frame(frame);
        assert_eq!(net.links_dropped, [why]);
    }
}

/// One conversation, and every counter that it moves.
#[test]
fn counters_of_a_conversation() {
    let mut net = Net::new(config());
    let conn = net.connect(client(), 5, ConnType::Control);
    let (in_, out) = (16 + 56, 56);
    let count = |net: &Net| {
        let c = net.proxy.counters();
        (c.messages_in, c.messages_out, c.bytes_in, c.bytes_out)
    };
    assert_eq!(count(&net), (0, 0, in_, out));
    let message = |n: usize| (HEADERS + n) as u64;
    let acked = Message::Put { ack: Handle([1; 16]), match_bits: 0, hdr_data: 0, portal: 26, offset: 0 };
    net.send(conn, client(), acked, &[0; 10]);
    assert_eq!(count(&net), (1, 1, in_ + message(10), out + message(0)), "a PUT and its ACK");
    net.frame(post(1, 5, false, &[0; 20]));
    net.frame(post(2, 5, false, &[0; 20]));
    assert_eq!(count(&net), (1, 3, in_ + message(10), out + message(0) + 2 * message(20)));
    let unread: Vec<_> = net.proxy.counters().entries().filter(|(_, n)| *n > 0).collect();
    assert_eq!(
        unread,
        [
            ("accepted", 1),
            ("opened", 1),
            ("messages_in", 1),
            ("messages_out", 3),
            ("bytes_in", in_ + message(10)),
            ("bytes_out", out + message(0) + 2 * message(20)),
            ("delivered", 1),
            ("posts", 2),
        ]
    );
}

/// Each kind of end has a counter of its own.
#[test]
fn counters_of_ends() {
    let start = |config: Config| {
        let mut net = Net::new(config);
        let conn = net.connect(client(), 5, ConnType::Control);
        (net, conn)
    };
    let ends = |net: &Net| {
        let c = net.proxy.counters();
        [c.limit_closed, c.timed_out, c.malformed, c.misbehaved, c.refused]
    };
    let (mut net, conn) = start(config());
    net.bytes(conn, &[0xff; 24]);
    assert_eq!(ends(&net), [0, 0, 1, 0, 0], "no socklnd message");
    let (mut net, conn) = start(config());
    let mut misdirected = message(client(), put(26, 1), b"");
    misdirected[24] ^= 1;
    net.bytes(conn, &misdirected);
    assert_eq!(ends(&net), [0, 0, 0, 1, 0], "for another NID of the network");
    let (mut net, conn) = start(config());
    net.input(Input::Closed { conn, error: Some("reset".into()) });
    assert_eq!(ends(&net), [0; 5], "the network's fault is nobody's");
    let (mut net, conn) = start(config());
    net.bytes(conn, &[0xc1]);
    net.advance(SECOND * 50);
    assert_eq!(ends(&net), [0, 1, 0, 0, 0]);
    let (mut net, _) = start(config());
    let conn = net.accept();
    net.bytes(conn, &ConnReq { version: 1, nid: other() }.to_bytes(Order::Little));
    assert_eq!(ends(&net), [0, 0, 0, 0, 1], "not our NID");
    let mut secure = config();
    secure.accept = lnet_core::Accept::Secure;
    let (mut net, _) = start(secure);
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 1024));
    assert!(net.proxy.accept(at, net.now).is_err());
    assert_eq!((ends(&net), net.proxy.counters().accepted), ([0, 0, 0, 0, 1], 2));
}

#[test]
fn counters_of_dials() {
    let mut net = Net::new(config());
    net.frame(post(1, 5, false, b"x"));
    net.input(Input::Dialled { conn: net.dials[0].0, result: Err("no route".into()) });
    net.advance(SECOND);
    net.frame(post(2, 5, false, b"x"));
    let reply = hello(client(), 5, ConnType::Control);
    net.answer_dial(net.dials[1].0, &reply);
    let c = net.proxy.counters();
    assert_eq!((c.dials, c.dials_failed, c.opened, c.posts, c.posts_unreachable), (3, 1, 1, 2, 1));
}

/// Connected, or only remembered: for the pause after a failed dial.
#[test]
fn peers_known() {
    let mut net = Net::new(config());
    let count = |net: &Net| (net.proxy.known_peers(), net.proxy.connected_peers(), net.proxy.connections());
    assert_eq!(count(&net), (0, 0, 0));
    net.connect_all(client(), 5);
    let conn = net.connect(other(), 5, ConnType::Control);
    net.frame(post_to(nid("192.168.1.22@tcp"), 1, b"x"));
    assert_eq!(count(&net), (3, 2, 5));
    net.input(Input::Dialled { conn: net.dials[0].0, result: Err("no route".into()) });
    net.input(Input::Closed { conn, error: None });
    assert_eq!(count(&net), (2, 1, 3));
    net.advance(SECOND * 61);
    assert_eq!(count(&net), (1, 1, 3));
}

/// protocol/1, 1.6.1: large addresses are announced whatever else is, and twice said is not unsaid.
#[test]
fn features_of_a_large_nid() {
    let (own, peer) = (nid("fd00::10@tcp"), nid("fd00::20@tcp"));
    for features in [0x0e, 0x0e | 32, 0x0e | 64] {
        let mut net = Net::new(Config { features, ..Config::new(vec![own], net::OWN_INCARNATION) });
        let conn = net.accept();
        net.bytes(conn, &ConnReq { version: 2, nid: own }.to_bytes(Order::Little));
        let greeting =
            Hello { version: 4, src_nid: peer, dst_nid: own, ..hello(client(), 5, ConnType::Control) };
        net.bytes(conn, &greeting.to_bytes(Order::Little));
        net.take(conn);
        let get = Header {
            dest: own,
            src: peer,
            dest_pid: 12345,
            src_pid: 12345,
            payload_len: 0,
            msg: Message::Get {
                ret: Handle([1; 16]),
                match_bits: PING_MATCH_BITS,
                portal: 0,
                src_offset: 0,
                sink_length: 272,
            },
        };
        let get = SockFrame::Lnet(MsgHeader::LNET, get, Bytes::new());
        net.bytes(conn, &get.to_bytes(4, Order::Little));
        // 24 and 96 bytes of headers.
        let answer = net.take(conn).split_off(120);
        let expected = PingInfo {
            features: 0x0e | 32 | 64,
            pid: 12345,
            nis: vec![PingNi { nid: nid("0@lo"), status: 1, msg_size: 56 }],
            large: vec![PingNi { nid: own, status: 0x15aa_c0de, msg_size: 0 }],
            tail: vec![],
        };
        assert_eq!((answer.len(), PingInfo::decode(&answer)), (56, Ok((expected, Order::Little))));
    }
}

/// We are no router.
#[test]
fn messages_for_another_network_are_counted() {
    let mut net = Net::new(config());
    let conn = net.connect(client(), 5, ConnType::Control);
    // tcp1 where tcp was: low byte of the network number in a little-endian NID.
    let mut foreign = message(client(), put(26, 1), b"x");
    foreign[24 + 4] = 1;
    net.bytes(conn, &foreign);
    let c = net.proxy.counters();
    assert_eq!((c.dropped_foreign, c.delivered, net.is_closed(conn)), (1, 0, false));
}

/// What TCP never took is reported lost with its connection, and counted.
#[test]
fn counters_of_what_did_not_leave() {
    let mut net = Net::new(config());
    let conn = net.connect(client(), 5, ConnType::Control);
    net.flows = false;
    net.relay.clear();
    net.frame(post(1, 5, false, b"x"));
    net.frame(post(2, 4, false, b"x"));
    net.input(Input::Closed { conn, error: None });
    assert_eq!(dones(&net), [(2, PostStatus::Stale), (1, PostStatus::Unreachable)]);
    let c = net.proxy.counters();
    assert_eq!((c.posts, c.posts_unreachable, c.posts_stale), (2, 1, 1));
}

/// More than the daemon takes is dropped and counted, also when the daemon before it took more.
#[test]
fn what_is_too_long_for_this_daemon() {
    let mut net = Net::without_daemon(config());
    let conn = net.connect(client(), 5, ConnType::Control);
    for n in [100, 101] {
        net.send(conn, client(), put(26, n), &vec![1; n as usize]);
    }
    net.input(Input::LinkUp);
    let (mgs_uuid, daemon) = (String::new(), String::new());
    net.frame(Frame::Welcome { version: 1, features: 0, mgs_uuid, daemon, max_inflight: 0, max_bytes: 100 });
    let [Frame::Hello { .. }, Frame::PeerUp { .. }, Frame::Deliver { match_bits: 100, payload, .. }] =
        net.relay.as_slice()
    else {
        panic!("{:?}", net.relay)
    };
    assert_eq!(payload, &Bytes::from(vec![1; 100]));
    let c = net.proxy.counters();
    assert_eq!((c.dropped_inbound_full, c.delivered, net.proxy.held_bytes()), (1, 1, 0));
}

/// What a driver logs: who came, who went and why; a half-open connection that goes is nobody's peer.
#[test]
fn events_of_connections() {
    let remote = SocketAddr::from((Ipv4Addr::new(192, 168, 1, 20), 1023));
    let (peer, local) = (client(), net::mgs());
    let up = Event::Connected { peer, local, remote, ctype: ConnType::Control };
    let down = |reason: &str| Event::PeerDown { peer, local, reason: reason.into() };
    let trouble = |peer, remote, error| Event::Trouble { peer, remote, error };

    let mut net = Net::new(config());
    let conn = net.connect(client(), 5, ConnType::Control);
    net.input(Input::Closed { conn, error: None });
    assert_eq!(net.events, [up.clone(), down("closed by the peer")], "one line of it is enough");

    let mut net = Net::new(config());
    let conn = net.connect(client(), 5, ConnType::Control);
    net.input(Input::Closed { conn, error: Some("reset".into()) });
    let reset = Error::Network { reason: "reset".into() };
    assert_eq!(net.events, [up, trouble(Some(peer), Some(remote), reset), down("reset")]);

    let mut net = Net::new(config());
    let conn = net.accept();
    net.input(Input::Closed { conn, error: None });
    assert_eq!(net.events, [trouble(None, Some(remote), Error::Closed)]);

    let mut net = Net::new(config());
    net.frame(post(1, 5, false, b"x"));
    net.input(Input::Dialled { conn: net.dials[0].0, result: Err("no route".into()) });
    let error = Error::Network { reason: "no route".into() };
    assert_eq!(net.events, [trouble(Some(peer), None, error)]);
}

/// Pings count up, so that a late Pong can be told from its successor's.
#[test]
fn each_ping_has_a_token_of_its_own() {
    let mut net = Net::new(config());
    net.relay.clear();
    net.hangs = true;
    for token in 1..4 {
        net.advance(SECOND);
        assert_eq!(std::mem::take(&mut net.relay), [Frame::Ping { token }]);
        net.frame(Frame::Pong { token });
    }
}

/// protocol/1, 1.4: the second cookie acknowledges. We never ask.
#[test]
fn an_lnet_message_that_acknowledges_what_nobody_asked() {
    let mut net = Net::new(config());
    let conn = net.connect(client(), 5, ConnType::Control);
    net.bytes(conn, &net::with_cookies(client(), [0, 9], put(26, 1), b"x"));
    let c = net.proxy.counters();
    assert_eq!(
        (c.zc_acks_unexpected, c.zc_acks, c.delivered),
        (1, 0, 1),
        "counted, and otherwise as any other"
    );
}

/// A network that is not TCP has no one who could be dialled, even if it is ours.
#[test]
fn a_nid_of_ours_on_another_network() {
    let (own, peer) = (nid("10.0.0.1@o2ib"), nid("10.0.0.2@o2ib"));
    let mut config = config();
    config.nids.push(own);
    let mut net = Net::new(config);
    let Frame::Post { incarnation, portal, match_bits, offset, want_ack, payload, .. } =
        post(0, 0, false, b"x")
    else {
        panic!()
    };
    net.frame(Frame::Post {
        cookie: 1,
        peer,
        local: own,
        incarnation,
        portal,
        match_bits,
        offset,
        want_ack,
        payload,
    });
    assert_eq!((dones(&net), net.dials.len()), (vec![(1, PostStatus::Unreachable)], 0));
}

/// The pause after a failed dial is remembered for its own length and the longest one; then the next begins anew.
#[test]
fn a_pause_is_forgotten() {
    for (wait, next) in [(SECOND * 61 - TICK, 2), (SECOND * 61, 1)] {
        let mut net = Net::new(config());
        net.frame(post(1, 5, false, b"x"));
        net.input(Input::Dialled { conn: net.dials[0].0, result: Err("refused".into()) });
        net.advance(wait);
        net.frame(post(2, 5, false, b"x"));
        net.input(Input::Dialled { conn: net.dials[1].0, result: Err("refused".into()) });
        net.advance(SECOND * next - TICK);
        net.frame(post(3, 5, false, b"x"));
        assert_eq!(net.dials.len(), 2);
        net.advance(TICK);
        net.frame(post(4, 5, false, b"x"));
        assert_eq!(net.dials.len(), 3, "after {wait:?}");
    }
}

/// What stands behind a large message is not lost with its memory.
#[test]
fn a_small_message_behind_a_large_one() {
    let mut net = Net::new(config());
    let conn = net.connect(client(), 5, ConnType::Control);
    net.relay.clear();
    let (large, small) =
        (message(client(), put(26, 1), &[7; 300_000]), message(client(), put(26, 2), b"small"));
    let bytes = [&large[..], &small, &large].concat();
    net.bytes(conn, &bytes[..large.len() + 10]);
    net.bytes(conn, &bytes[large.len() + 10..]);
    let lengths = net.relay.iter().map(|f| match f {
        Frame::Deliver { match_bits, payload, .. } => (*match_bits, payload.len()),
        other => panic!("{other:?}"),
    });
    assert_eq!(lengths.collect::<Vec<_>>(), [(1, 300_000), (2, 5), (1, 300_000)]);
}
