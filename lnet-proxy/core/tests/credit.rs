//! Credit of the link and of each peer, and a daemon that drains.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    missing_docs
)]

mod net;

use lnet_core::Input;
use net::{Net, client, config, nid, put};
use proptest::prelude::*;
use std::collections::BTreeMap;
use wire::Nid;
use wire::relay::{Frame, credit, feature};
use wire::socklnd::ConnType;

fn with_credit(link: u32, each: u32) -> Net {
    let mut net = Net::without_daemon(config());
    net.link_up_with(feature::CREDIT);
    net.frame(Frame::Credit { slot: credit::LINK, count: link });
    net.frame(Frame::Credit { slot: credit::EACH_PEER, count: each });
    net.relay.clear();
    net
}

fn other() -> Nid {
    nid("192.168.1.21@tcp")
}

/// Match bits delivered.
fn bits(net: &Net) -> Vec<u64> {
    let found = net.relay.iter().filter_map(|f| match f {
        Frame::Deliver { match_bits, .. } => Some(*match_bits),
        _ => None,
    });
    found.collect()
}

/// Slot of the only peer announced last.
fn slot(net: &Net) -> u32 {
    let up = net.relay.iter().rev().find_map(|f| match f {
        Frame::PeerUp { slot, .. } => Some(*slot),
        _ => None,
    });
    up.unwrap()
}

#[test]
fn it_is_offered_and_nothing_is_delivered_before_it_comes() {
    let mut net = Net::without_daemon(config());
    let conn = net.connect(client(), 5, ConnType::Control);
    net.link_up_with(feature::CREDIT);
    assert!(matches!(net.relay[0], Frame::Hello { features: feature::CREDIT, .. }), "{:?}", net.relay);
    net.send(conn, client(), put(26, 1), b"x");
    net.frame(Frame::Credit { slot: credit::LINK, count: 10 });
    assert_eq!(bits(&net), []);
    net.frame(Frame::Credit { slot: credit::EACH_PEER, count: 10 });
    assert_eq!(bits(&net), [1]);
}

/// The one with a thousand requests gets what a peer gets; all others are served as if it were not there.
#[test]
fn a_peer_cannot_use_up_the_link() {
    let mut net = with_credit(10, 4);
    let noisy = net.connect(client(), 5, ConnType::Control);
    let of_noisy = slot(&net);
    let quiet = net.connect(other(), 5, ConnType::Control);
    for n in 0..1000 {
        net.send(noisy, client(), put(26, n), b"x");
    }
    for n in 2000..2003 {
        net.send(quiet, other(), put(26, n), b"x");
    }
    assert_eq!(bits(&net), [0, 1, 2, 3, 2000, 2001, 2002]);
    // Credit for the link alone helps nobody who has used up his own.
    net.frame(Frame::Credit { slot: credit::LINK, count: 100 });
    assert_eq!(bits(&net).len(), 7);
    net.frame(Frame::Credit { slot: of_noisy, count: 2 });
    assert_eq!(bits(&net)[7..], [4, 5]);
    assert_eq!(net.proxy.counters().dropped_inbound_full, 0, "held back, not dropped");
}

#[test]
fn the_link_has_a_limit_of_its_own_and_peers_share_it_in_turns() {
    let mut net = with_credit(3, 100);
    let a = net.connect(client(), 5, ConnType::Control);
    let b = net.connect(other(), 5, ConnType::Control);
    for n in 0..10 {
        net.send(a, client(), put(26, n), b"x");
    }
    net.send(b, other(), put(26, 100), b"x");
    assert_eq!(bits(&net), [0, 1, 2]);
    net.frame(Frame::Credit { slot: credit::LINK, count: 3 });
    assert_eq!(bits(&net)[3..], [3, 100, 4]);
    net.frame(Frame::Credit { slot: credit::LINK, count: u32::MAX });
    assert_eq!(bits(&net)[6..], [5, 6, 7, 8, 9]);
}

#[test]
fn credit_that_means_nobody_does_nothing() {
    let mut net = with_credit(10, 0);
    let conn = net.connect(client(), 5, ConnType::Control);
    net.send(conn, client(), put(26, 1), b"x");
    net.frame(Frame::Credit { slot: 77, count: 5 });
    net.input(Input::LinkDown);
    net.frame(Frame::Credit { slot: credit::EACH_PEER, count: 5 });
    assert_eq!(bits(&net), []);
}

/// Credit is between one daemon and one link: the next daemon gives its own, or asks for no accounts at all.
#[test]
fn credit_ends_with_the_link() {
    let mut net = with_credit(100, 100);
    let conn = net.connect(client(), 5, ConnType::Control);
    net.input(Input::LinkDown);
    net.link_up_with(feature::CREDIT);
    for n in 0..5 {
        net.send(conn, client(), put(26, n), b"x");
    }
    assert_eq!(bits(&net), []);
    net.input(Input::LinkDown);
    net.link_up();
    assert_eq!(bits(&net), [0, 1, 2, 3, 4]);
}

/// A peer that leaves and comes back begins anew: its new slot has what each peer begins with, no less and no more.
#[test]
fn a_new_slot_has_new_credit() {
    let mut net = with_credit(100, 2);
    for round in 0..3 {
        let conn = net.connect(client(), round + 1, ConnType::Control);
        for n in 0..5 {
            net.send(conn, client(), put(26, round * 10 + n), b"x");
        }
        net.input(Input::Closed { conn, error: None });
    }
    assert_eq!(bits(&net), [0, 1, 10, 11, 20, 21]);
}

#[test]
fn a_draining_daemon_gets_nothing_new_and_the_next_one_gets_it() {
    let mut net = with_credit(100, 10);
    let old = net.connect(client(), 5, ConnType::Control);
    net.frame(Frame::Drain);
    net.relay.clear();
    let new = net.connect(other(), 5, ConnType::Control);
    net.send(new, other(), put(26, 1), b"x");
    net.send(old, client(), put(26, 2), b"x");
    assert_eq!(net.relay, [], "neither the new peer nor a request of the old one");
    // What the daemon itself still says goes out.
    net.frame(net::post(1, 5, false, b"the last reply"));
    assert_eq!(net.messages(old).len(), 1);
    net.input(Input::LinkDown);
    net.relay.clear();
    net.link_up();
    let mut both = bits(&net);
    both.sort_unstable();
    assert_eq!(both, [1, 2]);
}

/// Nothing waits longer than the listener: then peers look for another MGS.
#[test]
fn what_waits_for_a_daemon_that_does_not_come_is_dropped() {
    let mut net = Net::new(config());
    let conn = net.connect(client(), 5, ConnType::Control);
    net.input(Input::LinkDown);
    net.send(conn, client(), put(26, 1), b"x");
    net.advance(std::time::Duration::from_millis(2999));
    assert_eq!((net.proxy.counters().dropped_no_daemon, net.proxy.held_bytes() > 0), (0, true));
    net.advance(std::time::Duration::from_millis(1));
    net.send(conn, client(), put(26, 2), b"x");
    assert_eq!((net.proxy.counters().dropped_no_daemon, net.proxy.held_bytes()), (2, 0));
    net.link_up();
    net.send(conn, client(), put(26, 3), b"x");
    assert_eq!(bits(&net), [3]);
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8),
    Grant(u8, u8),
    GrantLink(u8),
    Reconnect(u8),
    Flushed(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..4u8).prop_map(Step::Put),
        3 => (0..4u8, 0..6u8).prop_map(|(p, n)| Step::Grant(p, n)),
        2 => (0..9u8).prop_map(Step::GrantLink),
        1 => (0..4u8).prop_map(Step::Reconnect),
        2 => (0..9u8).prop_map(Step::Flushed),
    ]
}

proptest! {
    /// Held against accounts that the daemon keeps: never more than was granted, to none; and what was granted is used
    /// as soon as there is something to deliver.
    #[test]
    fn never_more_than_granted_and_never_less(steps in prop::collection::vec(step(), 1..200)) {
        let (mut link, each) = (5_i64, 3_i64);
        let mut net = with_credit(link as u32, each as u32);
        let who = |p: u8| nid(&format!("192.168.1.{}@tcp", 30 + p));
        let mut conns: Vec<_> = (0..4).map(|p| net.connect(who(p), 1, ConnType::Control)).collect();
        let mut left: BTreeMap<u32, i64> = BTreeMap::new();
        let mut waiting: BTreeMap<u32, i64> = BTreeMap::new();
        let mut slots: Vec<u32> = Vec::new();
        let account = |net: &mut Net, left: &mut BTreeMap<u32, i64>, slots: &mut Vec<u32>,
                       waiting: &mut BTreeMap<u32, i64>, link: &mut i64| {
            for frame in net.relay.drain(..) {
                match frame {
                    Frame::PeerUp { slot, peer, .. } => {
                        let p = (0..4).position(|p| who(p) == peer).unwrap();
                        slots.resize(4, u32::MAX);
                        slots[p] = slot;
                        left.insert(slot, each);
                        waiting.insert(slot, 0);
                    }
                    Frame::PeerDown { slot, .. } => {
                        left.remove(&slot);
                        waiting.remove(&slot);
                    }
                    Frame::Deliver { slot, .. } => {
                        *link -= 1;
                        *left.get_mut(&slot).unwrap() -= 1;
                        *waiting.get_mut(&slot).unwrap() -= 1;
                    }
                    _ => {}
                }
            }
        };
        account(&mut net, &mut left, &mut slots, &mut waiting, &mut link);
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Put(p) => {
                    *waiting.get_mut(&slots[usize::from(p)]).unwrap() += 1;
                    net.send(conns[usize::from(p)], who(p), put(26, n as u64), b"x");
                }
                Step::Grant(p, count) => {
                    *left.get_mut(&slots[usize::from(p)]).unwrap() += i64::from(count);
                    net.frame(Frame::Credit { slot: slots[usize::from(p)], count: count.into() });
                }
                Step::GrantLink(count) => {
                    link += i64::from(count);
                    net.frame(Frame::Credit { slot: credit::LINK, count: count.into() });
                }
                Step::Reconnect(p) => {
                    net.input(Input::Closed { conn: conns[usize::from(p)], error: None });
                    conns[usize::from(p)] = net.connect(who(p), n as u64 + 2, ConnType::Control);
                }
                Step::Flushed(frames) => net.input(Input::LinkFlushed { frames: frames.into() }),
            }
            account(&mut net, &mut left, &mut slots, &mut waiting, &mut link);
            prop_assert!(link >= 0 && left.values().all(|n| *n >= 0), "{link} {left:?}");
            let stuck = waiting.iter().any(|(slot, n)| *n > 0 && left[slot] > 0);
            prop_assert!(link == 0 || !stuck, "{link} {left:?} {waiting:?}");
        }
    }
}
