//! One bulk at a time for each peer.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod net;

use lnet_core::{ConnId, Input};
use net::{Net, client, config, post};
use std::time::Duration;
use wire::lnet::{Handle, Message};
use wire::relay::{Frame, PostStatus};
use wire::socklnd::Frame as SockFrame;

fn acks(net: &mut Net, conn: ConnId) -> Vec<Handle> {
    let wanted = |frame| match frame {
        SockFrame::Lnet(_, header, _) => match header.msg {
            Message::Put { ack, .. } => ack,
            other => panic!("{other:?}"),
        },
        SockFrame::Noop(_) => panic!("NOOP"),
    };
    net.messages(conn).into_iter().map(wanted).collect()
}

#[test]
fn the_next_bulk_waits_for_the_ack_and_nothing_else_does() {
    let mut net = Net::new(config());
    let [control, bulk_in, _] = net.connect_all(client(), 5);
    net.relay.clear();
    for cookie in 1..=4 {
        net.frame(post(cookie, 5, true, &[1; 2000]));
    }
    net.frame(post(9, 5, false, b"a callback"));
    assert_eq!(acks(&mut net, control).len(), 1);
    for cookie in 1..=4 {
        let [ack] = acks(&mut net, bulk_in)[..] else { panic!("bulk {cookie}") };
        net.send(control, client(), Message::Ack { dst: ack, match_bits: 7, mlength: 2000 }, b"");
        let done = Frame::Done { cookie, status: PostStatus::Acked(2000) };
        assert_eq!(net.relay.last(), Some(&done));
    }
    assert_eq!((net.take(bulk_in), net.proxy.held_bytes()), (vec![], 0));
}

#[test]
fn a_bulk_without_answer_holds_up_for_five_seconds() {
    let mut net = Net::new(config());
    let [_, bulk_in, _] = net.connect_all(client(), 5);
    net.frame(post(1, 5, true, &[1; 2000]));
    net.frame(post(2, 5, true, &[1; 2000]));
    assert_eq!(acks(&mut net, bulk_in).len(), 1);
    net.advance(Duration::from_millis(4999));
    assert_eq!(acks(&mut net, bulk_in).len(), 0);
    net.advance(Duration::from_millis(1));
    assert_eq!(acks(&mut net, bulk_in).len(), 1);
}

#[test]
fn what_waits_is_lost_with_the_peer_and_with_the_daemon() {
    let mut net = Net::new(config());
    let [control, ..] = net.connect_all(client(), 5);
    net.relay.clear();
    for cookie in 1..=3 {
        net.frame(post(cookie, 5, true, &[1; 2000]));
    }
    net.input(Input::Closed { conn: control, error: None });
    let lost = |f: &&Frame| matches!(f, Frame::Done { status: PostStatus::Unreachable, .. });
    assert_eq!(net.relay.iter().filter(lost).count(), 3, "{:?}", net.relay);
    assert_eq!(net.proxy.held_bytes(), 0);

    let [_, bulk_in, _] = net.connect_all(client(), 6);
    net.frame(post(4, 6, true, &[1; 2000]));
    net.frame(post(5, 6, true, &[1; 2000]));
    net.input(Input::LinkDown);
    net.link_up();
    net.take(bulk_in);
    net.frame(post(6, 6, true, &[1; 2000]));
    assert_eq!(acks(&mut net, bulk_in).len(), 1, "the old daemon's bulk holds up nothing");
}
