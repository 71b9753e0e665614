//! Without a ready daemon the node stops listening, and connections stay.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod net;

use lnet_core::Input;
use net::{Net, client, config, mgs, nid, put};
use std::time::Duration;
use wire::relay::Frame;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn three_seconds_of_patience_then_closed_and_open_again_with_a_daemon() {
    let mut net = Net::new(config());
    let conns = net.connect_all(client(), 5);
    net.input(Input::LinkDown);
    net.advance(SECOND * 3 - Duration::from_millis(1));
    assert!(net.listening);
    net.advance(Duration::from_millis(1));
    assert!(!net.listening);
    net.advance(SECOND * 20);
    assert!(conns.iter().all(|c| !net.is_closed(*c)), "connections stay");
    assert_eq!(net.proxy.counters().listeners_closed, 1);
    // A link alone is no daemon: it has to say Welcome.
    net.input(Input::LinkUp);
    assert!(!net.listening);
    net.relay.clear();
    net.link_up();
    assert!(net.listening);
    let announced = net.relay.iter().filter(|f| matches!(f, Frame::PeerUp { incarnation: 5, .. })).count();
    assert_eq!(announced, 1, "{:?}", net.relay);
    net.send(conns[0], client(), put(26, 1), b"request");
    assert!(matches!(net.relay.last(), Some(Frame::Deliver { .. })));
}

#[test]
fn a_daemon_that_comes_back_in_time_is_not_noticed() {
    let mut net = Net::new(config());
    for _ in 0..10 {
        net.input(Input::LinkDown);
        net.advance(SECOND * 2);
        net.link_up();
        net.advance(SECOND * 2);
        assert!(net.listening);
    }
    assert_eq!(net.proxy.counters().listeners_closed, 0);
}

#[test]
fn a_node_that_never_had_a_daemon_and_one_whose_daemon_drains_close_too() {
    let mut net = Net::without_daemon(config());
    net.input(Input::Tick);
    net.advance(SECOND * 3);
    assert!(!net.listening);

    let mut net = Net::new(config());
    net.frame(Frame::Drain);
    net.advance(SECOND * 3);
    assert!(!net.listening);
}

/// What came by an address that moved away is closed; what came by another one stays.
#[test]
fn an_address_that_leaves_takes_its_connections_along() {
    let mut net = Net::new(config());
    let conns = net.connect_all(client(), 5);
    net.input(Input::AddressGone { ip: nid("10.0.0.1@tcp").ip().unwrap() });
    assert!(conns.iter().all(|c| !net.is_closed(*c)));
    net.input(Input::AddressGone { ip: mgs().ip().unwrap() });
    assert!(conns.iter().all(|c| net.is_closed(*c)));
    assert!(matches!(net.relay.last(), Some(Frame::PeerDown { .. })), "{:?}", net.relay);
    net.connect_all(client(), 5);
    assert!(matches!(net.relay.last(), Some(Frame::PeerUp { .. })));
}
