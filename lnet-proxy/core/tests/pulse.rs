//! A daemon that keeps its link and says nothing: stopped, hung, or never awake.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod net;

use lnet_core::Input;
use net::{Net, client, config, put};
use std::time::Duration;
use wire::relay::Frame;
use wire::socklnd::ConnType;

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(1);

/// Asked after a second without a word, given up five seconds later, the listener closes three seconds later; then
/// a daemon that speaks opens it again. Connections stay throughout.
#[test]
fn a_stopped_daemon_is_given_up_and_the_node_stops_listening() {
    let mut net = Net::new(config());
    let conn = net.connect(client(), 5, ConnType::Control);
    net.relay.clear();
    net.hangs = true;
    net.advance(SECOND - TICK);
    assert_eq!(net.relay, []);
    net.advance(TICK);
    assert_eq!(net.relay, [Frame::Ping { token: 1 }]);
    net.advance(SECOND * 5 - TICK);
    assert_eq!((net.links_dropped.len(), net.listening), (0, true));
    net.advance(TICK);
    assert_eq!(net.links_dropped, ["daemon has not answered for 5 s"]);
    net.advance(SECOND * 3 - TICK);
    assert!(net.listening);
    net.advance(TICK);
    assert!(!net.listening && !net.is_closed(conn));
    let counters = net.proxy.counters();
    assert_eq!((counters.daemons_silent, counters.links_lost, counters.listeners_closed), (1, 1, 1));

    net.hangs = false;
    net.relay.clear();
    net.link_up();
    assert!(net.listening);
    net.send(conn, client(), put(26, 1), b"request");
    assert!(matches!(net.relay.last(), Some(Frame::Deliver { .. })));
    net.advance(SECOND * 1000);
    assert_eq!(net.links_dropped.len(), 1, "this one answers");
}

/// The socket of a stopped daemon takes calls: each is given up for want of a Welcome, and none opens the listener.
#[test]
fn a_link_without_a_welcome_is_given_up() {
    let mut net = Net::without_daemon(config());
    for calls in 1..=3 {
        net.input(Input::LinkUp);
        net.advance(SECOND * 5 - TICK);
        assert_eq!(net.links_dropped.len(), calls - 1);
        net.advance(TICK);
        assert_eq!(net.links_dropped.len(), calls);
        assert!(!net.listening);
        net.advance(SECOND);
    }
    net.input(Input::LinkUp);
    net.frame(Frame::Pong { token: 1 });
    net.frame(Frame::Ping { token: 1 });
    net.advance(SECOND * 5);
    assert_eq!(net.links_dropped.len(), 4, "only a Welcome is one");
}

/// A daemon with something to say is not asked.
#[test]
fn any_frame_is_a_sign_of_life() {
    let mut net = Net::new(config());
    net.connect(client(), 5, ConnType::Control);
    net.relay.clear();
    net.hangs = true;
    for _ in 0..50 {
        net.advance(SECOND - TICK);
        net.frame(net::post(1, 0, false, b"callback"));
    }
    assert!(!net.relay.iter().any(|f| matches!(f, Frame::Ping { .. })));
    net.relay.clear();
    net.advance(SECOND);
    assert_eq!(net.relay, [Frame::Ping { token: 1 }]);
    net.advance(SECOND * 4);
    net.frame(Frame::Pong { token: 1 });
    net.advance(SECOND * 5);
    assert_eq!((net.relay.len(), net.links_dropped.len()), (2, 0), "asked again, a second after its answer");
    net.advance(SECOND);
    assert_eq!(net.links_dropped.len(), 1);
}

/// The machine slept: that nothing was heard meanwhile says nothing about the daemon. It is asked once more.
#[test]
fn who_overslept_asks_again() {
    let mut net = Net::new(config());
    net.relay.clear();
    net.hangs = true;
    net.advance(SECOND);
    net.now += SECOND * 600;
    net.input(Input::Tick);
    assert_eq!((net.relay.len(), net.links_dropped.len()), (2, 0));
    net.advance(SECOND * 5);
    assert_eq!(net.links_dropped.len(), 1);
}

/// In one process both are hung or none: a link in memory is never given up.
#[test]
fn a_daemon_in_the_same_process_is_not_asked() {
    let mut config = config();
    config.timing.daemon_silence = None;
    let mut net = Net::new(config);
    net.hangs = true;
    net.advance(SECOND * 1000);
    assert_eq!((net.relay.as_slice(), net.links_dropped.len(), net.listening), ([].as_slice(), 0, true));
}
