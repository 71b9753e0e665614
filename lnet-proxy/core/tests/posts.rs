//! What the daemon sends: posts, fetches, and dialling peers that have no connection.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod net;

use bytes::Bytes;
use lnet_core::{ConnId, Error, Event, Input};
use net::{Net, OWN_INCARNATION, client, config, hello, hex, mgs, nid, post};
use std::time::Duration;
use wire::lnet::{Handle, Message};
use wire::relay::{Frame, PostStatus};
use wire::socklnd::{ConnType, Frame as SockFrame, Hello};

/// Bulks do not wait for each other here: tests/bulk.rs is about that.
fn peer() -> (Net, [ConnId; 3]) {
    let mut config = config();
    config.timing.bulk = Duration::ZERO;
    let mut net = Net::new(config);
    let conns = net.connect_all(client(), 5);
    net.relay.clear();
    (net, conns)
}

fn done(cookie: u64, status: PostStatus) -> Frame {
    Frame::Done { cookie, status }
}

fn puts(net: &mut Net, conn: ConnId) -> Vec<(Message, usize)> {
    let found = net.messages(conn).into_iter().map(|frame| match frame {
        SockFrame::Lnet(_, header, payload) => {
            assert_eq!((header.dest, header.src), (client(), mgs()));
            assert_eq!((header.dest_pid, header.src_pid), (12345, 12345));
            (header.msg, payload.len())
        }
        SockFrame::Noop(_) => panic!("NOOP"),
    });
    found.collect()
}

/// Peer's names of the connections: 0 CONTROL, 1 BULK_IN (there we send bulk), 2 BULK_OUT.
#[test]
fn size_decides_the_connection_and_sent_means_taken_by_tcp() {
    let (mut net, conns) = peer();
    net.flows = false;
    // 24 + 72 bytes of headers: 927 bytes make 1023.
    for (cookie, size, via) in [(1, 0, 0), (2, 927, 0), (3, 928, 1), (4, 5000, 1)] {
        net.frame(post(cookie, 5, false, &vec![9; size]));
        let put = Message::Put { ack: Handle::NONE, match_bits: 7, hdr_data: 0, portal: 25, offset: 0 };
        assert_eq!(puts(&mut net, conns[via]), [(put, size)], "{size}");
        let whole = 96 + size;
        net.input(Input::Flushed { conn: conns[via], bytes: whole - 1 });
        assert_eq!(net.relay, [], "{size}: a byte is still here");
        net.input(Input::Flushed { conn: conns[via], bytes: 1 });
        assert_eq!(std::mem::take(&mut net.relay), [done(cookie, PostStatus::Sent)]);
    }
}

#[test]
fn without_the_right_type_any_other_will_do() {
    for (ctype, size) in
        [(ConnType::Control, 5000), (ConnType::BulkIn, 0), (ConnType::BulkOut, 0), (ConnType::Any, 0)]
    {
        let mut net = Net::new(config());
        let conn = net.connect(client(), 5, ctype);
        net.frame(post(1, 5, false, &vec![9; size]));
        assert_eq!(puts(&mut net, conn).len(), 1, "{ctype:?}");
        assert_eq!(net.dials, [], "{ctype:?}: a peer that came is not dialled");
    }
}

#[test]
fn several_connections_of_a_type_share_the_load() {
    let mut net = Net::new(config());
    let conns: Vec<_> = (0..2).map(|_| net.connect(client(), 5, ConnType::BulkIn)).collect();
    net.flows = false;
    for cookie in 0..4 {
        net.frame(post(cookie, 5, false, &[9; 2000]));
    }
    let sizes: Vec<_> = conns.iter().map(|c| puts(&mut net, *c).len()).collect();
    assert_eq!(sizes, [2, 2]);
}

fn ack_handle(net: &mut Net, conn: ConnId) -> Handle {
    match puts(net, conn).as_slice() {
        [(Message::Put { ack, .. }, _)] => *ack,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_ack_is_matched_by_its_handle_once_and_from_the_right_peer() {
    let (mut net, conns) = peer();
    let other = nid("192.168.1.21@tcp");
    let stranger = net.connect(other, 5, ConnType::Control);
    net.relay.clear();
    net.frame(post(1, 5, true, &[9; 2000]));
    net.frame(post(2, 5, true, b"small"));
    assert_eq!(net.relay, [], "handed to TCP is not acknowledged");
    let (first, second) = (ack_handle(&mut net, conns[1]), ack_handle(&mut net, conns[0]));
    assert_ne!(first, second);
    assert_eq!(first.0[..8], OWN_INCARNATION.to_le_bytes(), "unique per start");
    let ack = |dst, mlength| Message::Ack { dst, match_bits: 0, mlength };
    net.send(stranger, other, ack(first, 2000), b"");
    net.send(conns[0], client(), ack(Handle::NONE, 1), b"");
    let mut of_an_earlier_start = first;
    of_an_earlier_start.0[0] ^= 1;
    net.send(conns[0], client(), ack(of_an_earlier_start, 1), b"");
    assert_eq!(net.relay, []);
    net.send(conns[2], client(), ack(second, 5), b"");
    net.send(conns[2], client(), ack(first, 1999), b"");
    net.send(conns[2], client(), ack(first, 2000), b"");
    assert_eq!(net.relay, [done(2, PostStatus::Acked(5)), done(1, PostStatus::Acked(1999))]);
    assert_eq!(net.proxy.counters().answers_unexpected, 4);
    net.advance(Duration::from_secs(100));
    assert_eq!(net.relay.len(), 2, "no time-out after the ACK");
}

#[test]
fn an_ack_that_does_not_come() {
    let (mut net, _) = peer();
    net.frame(post(1, 5, true, b"x"));
    net.advance(Duration::from_secs(49));
    assert_eq!(net.relay, []);
    net.advance(Duration::from_secs(1));
    assert_eq!(net.relay, [done(1, PostStatus::Unreachable)]);
}

#[test]
fn lost_connections_and_restarts_end_what_is_awaited() {
    let (mut net, conns) = peer();
    net.flows = false;
    net.frame(post(1, 5, true, b"x"));
    net.frame(post(2, 5, false, b"x"));
    net.input(Input::Closed { conn: conns[2], error: Some("reset".into()) });
    let mut found = std::mem::take(&mut net.relay);
    found.sort_by_key(|f| matches!(f, Frame::Done { cookie: 1, .. }));
    let down = Frame::PeerDown { slot: 0, reason: "reset".into() };
    let gone = |c| done(c, PostStatus::Unreachable);
    assert!(found.contains(&gone(1)) && found.contains(&gone(2)) && found.contains(&down), "{found:?}");
    assert_eq!(found.len(), 3);

    let (mut net, _) = peer();
    net.frame(post(1, 5, true, b"x"));
    net.connect(client(), 6, ConnType::Control);
    assert_eq!(net.relay[0], done(1, PostStatus::Stale));
}

#[test]
fn a_post_for_an_earlier_incarnation_is_stale() {
    let (mut net, conns) = peer();
    net.frame(post(1, 4, false, b"x"));
    assert_eq!(std::mem::take(&mut net.relay), [done(1, PostStatus::Stale)]);
    assert_eq!(net.take(conns[0]), []);
    net.frame(post(2, 0, false, b"x"));
    assert_eq!(net.relay, [done(2, PostStatus::Sent)], "0: whichever it has");
    let c = net.proxy.counters();
    assert_eq!((c.posts, c.posts_stale), (2, 1));
}

fn fetch(cookie: u64) -> Frame {
    Frame::Fetch {
        cookie,
        peer: client(),
        local: mgs(),
        incarnation: 5,
        portal: 33,
        match_bits: 8,
        length: 100,
    }
}

#[test]
fn fetch_is_get_and_reply() {
    let (mut net, [control, ..]) = peer();
    let get = |net: &mut Net, cookie| {
        net.frame(fetch(cookie));
        match puts(net, control).as_slice() {
            [(Message::Get { ret, match_bits: 8, portal: 33, src_offset: 0, sink_length: 100 }, 0)] => *ret,
            other => panic!("{other:?}"),
        }
    };
    let [a, b, c] = [1, 2, 3].map(|cookie| get(&mut net, cookie));
    net.send(control, client(), Message::Reply { dst: a }, b"nids");
    net.send(control, client(), Message::Reply { dst: a }, b"nids");
    net.send(control, client(), Message::Reply { dst: b }, &[0; 101]);
    net.send(control, client(), Message::Ack { dst: c, match_bits: 0, mlength: 0 }, b"");
    let fetched = |cookie, payload| Frame::Fetched { cookie, payload };
    let expected = [fetched(1, Some(Bytes::from_static(b"nids"))), fetched(2, None), fetched(3, None)];
    assert_eq!(std::mem::take(&mut net.relay), expected, "too long a REPLY is none");
    get(&mut net, 4);
    net.input(Input::Closed { conn: control, error: None });
    assert!(net.relay.contains(&fetched(4, None)));
}

fn dial(net: &Net, n: usize) -> (ConnId, ConnType) {
    assert_eq!(net.dials.len(), n + 1);
    assert_eq!(net.dials[n].1, client());
    (net.dials[n].0, net.dials[n].2)
}

#[test]
fn a_peer_without_connections_is_dialled_three_times() {
    let mut net = Net::new(config());
    net.frame(post(1, 5, false, b"small"));
    net.frame(post(2, 5, false, &[9; 2000]));
    let (control, ctype) = dial(&net, 0);
    assert_eq!(ctype, ConnType::Control);
    let (request, ours) = net.answer_dial(control, &hello(client(), 5, ConnType::Control));
    assert_eq!((request.version, request.nid), (1, client()));
    let expected =
        Hello { src_incarnation: OWN_INCARNATION, dst_nid: client(), ..hello(mgs(), 0, ConnType::Control) };
    assert_eq!(ours, expected);
    assert_eq!(puts(&mut net, control).len(), 1, "what suits CONTROL goes at once");

    let (bulk_in, ctype) = dial(&net, 1);
    assert_eq!(ctype, ConnType::BulkIn);
    net.answer_dial(bulk_in, &hello(client(), 5, ConnType::BulkOut));
    let (bulk_out, ctype) = dial(&net, 2);
    assert_eq!(ctype, ConnType::BulkOut);
    net.answer_dial(bulk_out, &hello(client(), 5, ConnType::BulkIn));
    assert_eq!(puts(&mut net, bulk_out).len(), 1);
    assert_eq!(net.dials.len(), 3);
    assert!(matches!(net.relay[0], Frame::PeerUp { incarnation: 5, .. }));
    assert_eq!(net.relay[1..], [done(1, PostStatus::Sent), done(2, PostStatus::Sent)]);
}

/// The first bytes of a dialled connection, as a kernel node sends them (protocol/1, 1.7, with the roles exchanged).
#[test]
fn the_introduction_byte_for_byte() {
    let mut net = Net::new(config());
    net.frame(post(1, 5, false, b"x"));
    let (conn, _) = dial(&net, 0);
    let at = "192.168.1.20:988".parse().unwrap();
    net.input(Input::Dialled { conn, result: Ok((at, at)) });
    let expected = hex("00 71 ce ac 01 00 00 00 14 01 a8 c0 00 00 02 00 | 63 69 72 45 03 00 00 00 | \
        0a 01 a8 c0 00 00 02 00 | 14 01 a8 c0 00 00 02 00 | 39 30 00 00 | 00 00 00 00 | 88 77 66 55 44 33 22 11 | \
        00 00 00 00 00 00 00 00 | 01 00 00 00 | 00 00 00 00");
    assert_eq!(net.take(conn), expected);
}

#[test]
fn a_failed_dial_fails_its_posts_and_is_not_repeated_at_once() {
    let mut net = Net::new(config());
    let mut dials = 0;
    for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
        net.frame(post(1, 5, true, b"x"));
        let (conn, _) = dial(&net, dials);
        dials += 1;
        assert_eq!(net.relay, []);
        net.input(Input::Dialled { conn, result: Err("connection refused".into()) });
        assert_eq!(std::mem::take(&mut net.relay), [done(1, PostStatus::Unreachable)]);
        // Until the pause is over there is no new attempt.
        net.advance(Duration::from_millis(pause * 1000 - 1));
        net.frame(post(2, 5, true, b"x"));
        assert_eq!(std::mem::take(&mut net.relay), [done(2, PostStatus::Unreachable)]);
        assert_eq!(net.dials.len(), dials, "pause {pause}");
        net.advance(Duration::from_millis(1));
    }
    assert_eq!(net.proxy.counters().dials_failed, 8);
    net.input(Input::LinkDown); // with its heartbeat
    net.advance(Duration::from_secs(1000));
    assert_eq!(net.proxy.poll_timeout(), None, "everything is forgotten in the end");
}

#[test]
fn a_dial_that_hangs_is_given_up() {
    let mut net = Net::new(config());
    net.frame(post(1, 5, false, b"x"));
    let (conn, _) = dial(&net, 0);
    net.advance(Duration::from_secs(10));
    assert!(net.is_closed(conn));
    assert_eq!(net.relay, [done(1, PostStatus::Unreachable)]);

    let mut net = Net::new(config());
    net.frame(post(1, 5, false, b"x"));
    let (conn, _) = dial(&net, 0);
    let at = "192.168.1.20:988".parse().unwrap();
    net.input(Input::Dialled { conn, result: Ok((at, at)) });
    net.advance(Duration::from_secs(10));
    assert!(net.is_closed(conn), "no answer to our HELLO");
    assert_eq!(net.relay, [done(1, PostStatus::Unreachable)]);
}

#[test]
fn a_peer_that_answers_none_is_asked_three_times() {
    let mut net = Net::new(config());
    net.frame(post(1, 5, false, b"x"));
    for n in 0..3 {
        let (conn, ctype) = dial(&net, n);
        assert_eq!(ctype, ConnType::Control);
        net.answer_dial(conn, &hello(client(), 5, ConnType::None));
        assert!(net.is_closed(conn));
        if n < 2 {
            assert_eq!(net.relay, []);
            net.advance(Duration::from_millis(999));
            assert_eq!(net.dials.len(), n + 1);
            net.advance(Duration::from_millis(1));
        }
    }
    assert_eq!(net.relay, [done(1, PostStatus::Unreachable)]);
    assert_eq!(net.dials.len(), 3);
}

/// It was calling us at the same moment.
#[test]
fn a_peer_that_answers_none_and_comes_itself() {
    let mut net = Net::new(config());
    net.frame(post(1, 5, false, b"x"));
    let (conn, _) = dial(&net, 0);
    net.answer_dial(conn, &hello(client(), 5, ConnType::None));
    let control = net.connect(client(), 5, ConnType::Control);
    assert_eq!(puts(&mut net, control).len(), 1, "the post goes over its connection");
    net.connect(client(), 5, ConnType::BulkIn);
    net.connect(client(), 5, ConnType::BulkOut);
    net.advance(Duration::from_secs(100));
    assert_eq!(net.dials.len(), 1, "all three are there");
}

#[test]
fn another_version_is_tried_at_once() {
    let mut net = Net::new(config());
    net.frame(post(1, 5, false, b"x"));
    let (conn, _) = dial(&net, 0);
    net.answer_dial(conn, &Hello { version: 2, ..hello(client(), 5, ConnType::None) });
    let (conn, _) = dial(&net, 1);
    let (_, ours) = net.answer_dial(conn, &Hello { version: 2, ..hello(client(), 5, ConnType::Control) });
    assert_eq!(ours.version, 2);
    assert_eq!(puts(&mut net, conn).len(), 1);
}

#[test]
fn answers_that_are_not_from_the_peer_we_dialled() {
    type Change = fn(&mut Hello);
    type Expected = fn(&Error) -> bool;
    let cases: [(Change, Expected); 4] = [
        (|h| h.src_nid = nid("192.168.1.99@tcp"), |e| matches!(e, Error::WrongNode { .. })),
        (|h| h.src_pid = 7, |e| matches!(e, Error::SourcePid { pid: 7 })),
        (|h| h.ctype = ConnType::BulkIn, |e| matches!(e, Error::Type { got: ConnType::BulkIn, .. })),
        (|h| h.ctype = ConnType::Any, |e| matches!(e, Error::Type { .. })),
    ];
    for (change, expected) in cases {
        let mut net = Net::new(config());
        net.frame(post(1, 5, false, b"x"));
        let (conn, _) = dial(&net, 0);
        let mut reply = hello(client(), 5, ConnType::Control);
        change(&mut reply);
        net.answer_dial(conn, &reply);
        assert!(net.is_closed(conn));
        assert_eq!(net.relay, [done(1, PostStatus::Unreachable)]);
        let Some(Event::Trouble { error, .. }) = net.events.last() else { panic!("{:?}", net.events) };
        assert!(expected(error), "{error}");
    }
}

#[test]
fn a_dialled_peer_that_restarted_gets_nothing_of_the_old_days() {
    let mut net = Net::new(config());
    net.frame(post(1, 5, false, b"x"));
    let (conn, _) = dial(&net, 0);
    net.answer_dial(conn, &hello(client(), 6, ConnType::Control));
    assert_eq!(puts(&mut net, conn), []);
    assert_eq!(net.relay[1..], [done(1, PostStatus::Stale)]);
}

#[test]
fn control_alone_must_do_if_the_peer_refuses_the_others() {
    let mut net = Net::new(config());
    net.frame(post(1, 5, false, &[9; 2000]));
    let (control, _) = dial(&net, 0);
    net.answer_dial(control, &hello(client(), 5, ConnType::Control));
    assert_eq!(puts(&mut net, control), [], "bulk waits for its connection");
    let (bulk_in, _) = dial(&net, 1);
    net.input(Input::Dialled { conn: bulk_in, result: Err("reset".into()) });
    assert_eq!(puts(&mut net, control).len(), 1);
    assert_eq!(net.relay.last(), Some(&done(1, PostStatus::Sent)));
}

#[test]
fn nids_that_cannot_be_dialled() {
    let mut net = Net::new(config());
    for (cookie, peer, local) in [
        (1, nid("10.0.0.1@o2ib"), mgs()),
        (2, nid("10.0.0.1@tcp5"), mgs()),
        (3, client(), nid("10.9.9.9@tcp")),
        (4, nid("0@lo"), mgs()),
    ] {
        let Frame::Post { incarnation, portal, match_bits, offset, want_ack, payload, .. } =
            post(0, 5, false, b"x")
        else {
            panic!()
        };
        net.frame(Frame::Post {
            cookie,
            peer,
            local,
            incarnation,
            portal,
            match_bits,
            offset,
            want_ack,
            payload,
        });
        assert_eq!(net.relay.pop(), Some(done(cookie, PostStatus::Unreachable)), "{peer}");
    }
    assert_eq!(net.dials, []);
}

#[test]
fn what_a_dialled_connection_has_not_sent_is_charged_to_the_peer() {
    let mut net = Net::new(config());
    net.flows = false;
    net.frame(post(1, 5, false, b""));
    let (conn, _) = dial(&net, 0);
    net.answer_dial(conn, &hello(client(), 5, ConnType::Control));
    assert_eq!(net.proxy.held_bytes(), 16 + 56 + 96, "request, HELLO, PUT");
    net.input(Input::Flushed { conn, bytes: 16 + 56 + 96 });
    assert_eq!(net.proxy.held_bytes(), 0);
    assert!(net.relay.contains(&done(1, PostStatus::Sent)));
}

#[test]
fn a_peer_that_comes_itself_ends_the_pause() {
    let mut net = Net::new(config());
    net.frame(post(1, 5, false, b"x"));
    let (conn, _) = dial(&net, 0);
    net.input(Input::Dialled { conn, result: Err("refused".into()) });
    let conn = net.connect(client(), 5, ConnType::Control);
    net.input(Input::Closed { conn, error: None });
    net.frame(post(2, 5, false, b"x"));
    let (conn, _) = dial(&net, 1);
    net.input(Input::Dialled { conn, result: Err("refused".into()) });
    net.advance(Duration::from_secs(1));
    net.frame(post(3, 5, false, b"x"));
    assert_eq!(net.dials.len(), 3, "the pause is the shortest again");
}

/// The next daemon uses the same cookies for other things.
#[test]
fn a_new_daemon_hears_nothing_of_the_posts_of_the_old_one() {
    let mut net = Net::new(config());
    let conn = net.connect(nid("192.168.1.21@tcp"), 5, ConnType::Control);
    net.flows = false;
    net.frame(post(1, 5, false, b"waits for its dial"));
    let Frame::Post { local, portal, match_bits, offset, want_ack, payload, .. } = post(0, 0, false, b"")
    else {
        panic!()
    };
    let peer = nid("192.168.1.21@tcp");
    net.frame(Frame::Post {
        cookie: 2,
        peer,
        local,
        incarnation: 5,
        portal,
        match_bits,
        offset,
        want_ack,
        payload,
    });
    net.input(Input::LinkDown);
    net.link_up();
    net.relay.clear();
    let (dialled, _) = dial(&net, 0);
    net.input(Input::Dialled { conn: dialled, result: Err("refused".into()) });
    net.input(Input::Flushed { conn, bytes: 1000 });
    assert_eq!(net.relay, []);
    assert_eq!(net.proxy.held_bytes(), 0);
}
