//! What real kernel peers sent to a kernel MGS, fed into the proxy.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod net;

use bytes::BytesMut;
use capture::Connection;
use lnet_core::{Config, Counters, Event};
use net::{Net, OWN_INCARNATION, hex, nid};
use std::net::SocketAddr;
use std::time::Duration;
use wire::Nid;
use wire::lnet::Message;
use wire::relay::Frame;
use wire::socklnd::{ConnReq, Frame as SockFrame, Hello, Step};

/// A delivery as the capture shows it, found without the proxy: time it was complete, xid, portal, payload.
type Expected = (Duration, u64, u32, Vec<u8>);

struct Session {
    pieces: Vec<(Duration, usize, Vec<u8>)>,
    /// Per connection.
    expected: Vec<Vec<Expected>>,
    pings: u64,
    pushes: u64,
    keepalives: u64,
    messages: u64,
    answers: u64,
}

/// Frames of one direction behind request and HELLO. Offsets are counted here, on the raw bytes.
fn scan(c: &Connection, all: &mut Session) {
    let bytes = &c.to_server.bytes;
    let Step::Done(_, n) = ConnReq::parse(bytes).unwrap() else { panic!() };
    let Step::Done((hello, order), m) = Hello::parse(&bytes[n..]).unwrap() else { panic!() };
    let mut at = n + m;
    let mut expected = Vec::new();
    while at < bytes.len() {
        let kind = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        if kind == 0xc0 {
            at += 24;
            all.keepalives += 1;
            continue;
        }
        let length = u32::from_le_bytes(bytes[at + 24 + 28..at + 24 + 32].try_into().unwrap()) as usize;
        let end = at + 24 + 72 + length;
        let Step::Done(SockFrame::Lnet(_, header, payload), taken) =
            SockFrame::parse(&BytesMut::from(&bytes[at..end]), hello.version, order).unwrap()
        else {
            panic!("half a message")
        };
        assert_eq!(taken, end - at);
        all.messages += 1;
        match header.msg {
            Message::Put { portal: 0, .. } => all.pushes += 1,
            Message::Put { portal, match_bits, .. } => {
                expected.push((c.to_server.time_of(end - 1), match_bits, portal, payload.to_vec()));
            }
            Message::Get { portal: 0, .. } => all.pings += 1,
            Message::Get { .. } => {}
            Message::Ack { .. } | Message::Reply { .. } => all.answers += 1,
        }
        at = end;
    }
    all.expected.push(expected);
}

fn replay(name: &str) -> (Net, Session) {
    let file = capture::vectors_dir().join("captures").join(name);
    let connections: Vec<_> = capture::load(&file)
        .unwrap()
        .into_iter()
        .filter(|c| c.server.ip().to_string() == "10.77.0.2")
        .collect();
    let mut all = Session {
        pieces: vec![],
        expected: vec![],
        pings: 0,
        pushes: 0,
        keepalives: 0,
        messages: 0,
        answers: 0,
    };
    for (i, c) in connections.iter().enumerate() {
        assert!(c.from_start, "{name} {}", c.client);
        scan(c, &mut all);
        for (start, end, time) in c.to_server.pieces() {
            all.pieces.push((time, i, c.to_server.bytes[start..end].to_vec()));
        }
    }
    all.pieces.sort_by_key(|(time, i, _)| (*time, *i));
    let mut net = Net::new(Config::new(vec![nid("10.77.0.2@tcp")], OWN_INCARNATION));
    let begin = connections.iter().map(|c| c.start).min().unwrap();
    net.now = Duration::ZERO;
    let mut ids = vec![None; connections.len()];
    for (time, i, bytes) in &all.pieces {
        let then = *time - begin;
        net.advance(then.saturating_sub(net.now));
        let id = *ids[*i].get_or_insert_with(|| {
            let remote: SocketAddr = connections[*i].client;
            net.proxy.accept(remote, net.now).unwrap()
        });
        assert!(!net.is_closed(id), "{name}: {} closed: {:?}", connections[*i].client, net.events);
        net.bytes(id, bytes);
    }
    // Half a message left over would now be missed.
    net.advance(Duration::from_secs(1000));
    (net, all)
}

/// Deliveries in the order of the relay: per connection the order of the stream, over all the order of arrival.
fn check(name: &str) -> Counters {
    let (net, all) = replay(name);
    let mut expected: Vec<Expected> = all.expected.iter().flatten().cloned().collect();
    expected.sort_by_key(|(time, ..)| *time);
    let delivered: Vec<_> = net
        .relay
        .iter()
        .filter_map(|f| match f {
            Frame::Deliver { portal, match_bits, payload, .. } => {
                Some((*match_bits, *portal, payload.to_vec()))
            }
            _ => None,
        })
        .collect();
    let expected: Vec<_> =
        expected.into_iter().map(|(_, bits, portal, payload)| (bits, portal, payload)).collect();
    assert_eq!(delivered.len(), expected.len(), "{name}");
    assert!(delivered == expected, "{name}: another order or content");
    let c = net.proxy.counters();
    assert_eq!(
        (c.messages_in, c.pings, c.pushes, c.keepalives),
        (all.messages, all.pings, all.pushes, all.keepalives)
    );
    assert_eq!(c.answers_unexpected, all.answers, "answers to what the kernel MGS asked");
    assert_eq!(
        (c.malformed, c.misbehaved, c.timed_out, c.refused, c.limit_closed),
        (0, 0, 0, 0, 0),
        "{name}"
    );
    assert_eq!(
        (c.dropped_portal, c.dropped_foreign, c.dropped_no_daemon, c.dropped_inbound_full),
        (0, 0, 0, 0)
    );
    let trouble: Vec<_> = net.events.iter().filter(|e| matches!(e, Event::Trouble { .. })).collect();
    assert!(trouble.is_empty(), "{name}: {trouble:?}");
    c
}

#[test]
fn first_registrations_and_remount() {
    for name in [
        "A/A01-mdt0000-first-registration.pcap.gz",
        "A/A02-ost0000-first-registration.pcap.gz",
        "A/A03-ost0001-first-registration.pcap.gz",
        "A/A04-remount-registered-targets.pcap.gz",
        "A/A05-client-mount.pcap.gz",
    ] {
        let c = check(name);
        assert_eq!(c.opened, 3, "{name}: one connection of each type");
        assert!(c.pings == 1 && c.pushes == 1 && c.delivered > 10, "{name}: {c:?}");
    }
}

/// Contains A06 and A07, of which the separate captures begin in the middle of the connections.
#[test]
fn whole_session_with_keepalives_and_unmount() {
    let c = check("A/A-session.pcap.gz");
    assert!(c.delivered > 150, "{c:?}");
}

/// With restarts of the MGS: peers connect again, with what they had in flight given up.
#[test]
fn other_sessions() {
    let mut keepalives = 0;
    for name in ["B/B-session.pcap.gz", "C/C-session.pcap.gz", "E/E-session.pcap.gz"] {
        let c = check(name);
        assert!(c.delivered > 100, "{name}: {c:?}");
        keepalives += c.keepalives;
    }
    assert!(keepalives > 0, "the sessions are known to contain some");
}

/// A kernel MGS answered the same ping with the same bytes but for the fields that `MASK.toml` names, and those are
/// the ones that protocol/1 recommends.
#[test]
fn ping_answer_and_push_ack_against_the_kernels() {
    let name = "A/A05-client-mount.pcap.gz";
    let (mut net, _) = replay(name);
    let file = capture::vectors_dir().join("captures").join(name);
    let kernel = &capture::load(&file).unwrap()[0].to_client.bytes;
    let ours = net.written.first_entry().unwrap().remove();
    // Our HELLO differs in the incarnation only.
    assert_eq!(ours[..32], kernel[..32]);
    assert_eq!(ours[40..56], kernel[40..56]);
    let parse = |bytes: &[u8]| {
        let mut bytes = BytesMut::from(&bytes[56..]);
        let mut found = Vec::new();
        while let Ok(Step::Done(SockFrame::Lnet(_, header, payload), taken)) =
            SockFrame::parse(&bytes, 3, wire::Order::Little)
        {
            let _ = bytes.split_to(taken);
            found.push((header, payload));
        }
        found
    };
    let reply = |all: &[(wire::lnet::Header, bytes::Bytes)]| {
        all.iter().find(|(h, _)| matches!(h.msg, Message::Reply { .. })).unwrap().clone()
    };
    let ack = |all: &[(wire::lnet::Header, bytes::Bytes)]| {
        all.iter().find(|(h, _)| matches!(h.msg, Message::Ack { .. })).unwrap().0
    };
    let (kernel, ours) = (parse(kernel), parse(&ours));
    let ((kernel_head, kernel_ping), (our_head, our_ping)) = (reply(&kernel), reply(&ours));
    assert_eq!(our_head, kernel_head);
    assert_eq!(ack(&ours), ack(&kernel), "ACK of the push");
    let mut masked = kernel_ping.to_vec();
    assert_eq!(masked[4], 0x1e);
    masked[4] = 0x0e;
    masked[24..28].copy_from_slice(&hex("01 00 00 00"));
    assert_eq!(our_ping, masked);
}

/// The names that the daemon sees.
#[test]
fn peers_are_announced_with_their_incarnation() {
    let (net, _) = replay("A/A05-client-mount.pcap.gz");
    let Frame::PeerUp { peer, local, incarnation, remote, gateway, .. } = &net.relay[0] else { panic!() };
    assert_eq!((*peer, *local, *gateway), (nid("10.77.0.4@tcp"), nid("10.77.0.2@tcp"), None::<Nid>));
    assert_eq!(remote, "10.77.0.4:1023");
    assert_ne!(*incarnation, 0);
}
