//! The link to the daemon: greeting, and peers announced.
//!
//! ```text
//!  Down ──LinkUp: Hello──► Greeting ──Welcome: PeerUp of all──► Up ──LinkDown, DropLink──► Down
//! ```
//!
//! A daemon that sent Drain finishes what it has and gets nothing new: neither peers nor their PUTs.
use crate::io::Output;
use crate::peer::{Delivery, PeerKey};
use crate::proxy::Proxy;
use crate::pulse::Pulse;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use wire::relay::{Frame, VERSION, feature};

/// Slots are below the names that a Credit has for other things.
const SLOTS: u32 = wire::relay::credit::EACH_PEER;

/// They go round.
const fn slot_after(slot: u32) -> u32 {
    if slot + 1 == SLOTS { 0 } else { slot + 1 }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Down,
    Greeting,
    Up,
}

#[derive(Debug, Default)]
pub(crate) struct Link {
    state: State,
    /// The daemon is about to end.
    draining: bool,
    /// Deliveries allowed; `None`: without limit.
    pub(crate) credit: Option<u64>,
    /// What each peer begins with.
    pub(crate) initial: Option<u64>,
    /// From the Welcome; 0: none.
    pub(crate) max_inflight: usize,
    max_bytes: u64,
    /// Frames handed to the link and not yet taken.
    pub(crate) unflushed: usize,
    /// Peers that may deliver, in turn.
    pub(crate) round: VecDeque<PeerKey>,
    /// Peers announced.
    pub(crate) slots: BTreeMap<u32, PeerKey>,
    next_slot: u32,
    pub(crate) pulse: Pulse,
}

impl Link {
    pub(crate) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    pub(crate) fn is_down(&self) -> bool {
        self.state == State::Down
    }

    /// It takes peers and what they send.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_up() && !self.draining
    }

    /// More than this daemon takes; without one, nothing is.
    pub(crate) fn is_too_long(&self, delivery: &Delivery) -> bool {
        self.max_bytes != 0 && u64::try_from(delivery.payload.len()).unwrap_or(u64::MAX) > self.max_bytes
    }
}

impl Proxy {
    pub(crate) fn on_link_up(&mut self, now: Duration) {
        self.forget_link();
        self.link.state = State::Greeting;
        self.start_pulse(now);
        let hello = Frame::Hello {
            min_version: VERSION,
            max_version: VERSION,
            features: feature::CREDIT,
            identity: self.config.identity.clone(),
            nids: self.config.nids.clone(),
        };
        self.emit(hello);
    }

    pub(crate) fn on_link_down(&mut self) {
        if self.link.state != State::Down {
            self.counters.links_lost += 1;
            self.forget_link();
        }
    }

    pub(crate) fn drop_link(&mut self, reason: String) {
        self.on_link_down();
        // Frames still queued for the old link must not reach the new one.
        self.outputs.retain(|o| !matches!(o, Output::Relay(_)));
        self.outputs.push_back(Output::DropLink { reason });
    }

    /// What the old daemon wanted means nothing to the next one. Connections stay, and what it was not given.
    fn forget_link(&mut self) {
        self.stop_pulse_timer();
        let next_slot = self.link.next_slot;
        self.link = Link { next_slot, ..Link::default() };
        let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        for key in keys {
            self.clear_outbox(key);
            if let Some(peer) = self.peers.get_mut(&key) {
                peer.credit = None;
                peer.in_round = false;
                peer.slot = None;
                peer.bulk = None;
            }
            self.forget_if_idle(key);
        }
        for conn in self.conns.values_mut() {
            let _ = conn.stranded().count();
        }
        self.clear_awaited();
    }

    /// Sends a frame to the daemon, if there is one.
    pub(crate) fn emit(&mut self, frame: Frame) {
        let speaks = match self.link.state {
            State::Down => false,
            State::Greeting => matches!(frame, Frame::Hello { .. }),
            State::Up => true,
        };
        if !speaks {
            return;
        }
        if self.link.unflushed >= self.config.limits.link_frames {
            self.drop_link(format!("daemon does not read: {} frames wait for it", self.link.unflushed));
            return;
        }
        self.link.unflushed += 1;
        self.outputs.push_back(Output::Relay(frame));
    }

    pub(crate) fn on_link_flushed(&mut self, frames: usize) {
        self.link.unflushed = self.link.unflushed.saturating_sub(frames);
        self.deliver_waiting();
    }

    pub(crate) fn on_frame(&mut self, frame: Frame, now: Duration) {
        if self.link.is_up() || matches!(frame, Frame::Welcome { .. }) && !self.link.is_down() {
            self.feel_pulse(now);
        }
        match (self.link.state, frame) {
            (State::Down, _) => {}
            (State::Greeting, Frame::Welcome { version, features, max_inflight, max_bytes, .. }) => {
                if version != VERSION {
                    self.drop_link(format!("daemon speaks relay version {version}, this proxy {VERSION}"));
                    return;
                }
                self.link.state = State::Up;
                self.link.max_inflight = usize::try_from(max_inflight).unwrap_or(usize::MAX);
                self.link.max_bytes = max_bytes;
                if features & feature::CREDIT != 0 {
                    self.link.credit = Some(0);
                    self.link.initial = Some(0);
                }
                let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
                for key in keys {
                    self.announce(key);
                }
            }
            (_, Frame::Ping { token }) => self.emit(Frame::Pong { token }),
            (_, Frame::Pong { .. } | Frame::View { .. }) => {}
            (State::Greeting, _) => self.drop_link("daemon did not begin with Welcome".to_owned()),
            (State::Up, Frame::Drain) => self.link.draining = true,
            (State::Up, Frame::Credit { slot, count }) => self.on_credit(slot, count),
            (State::Up, frame) => {
                if let Err(reason) = self.on_errand(frame, now) {
                    self.drop_link(reason);
                }
            }
        }
    }

    /// Tells the daemon of a peer that has connections and no slot yet.
    pub(crate) fn announce(&mut self, key: PeerKey) {
        if !self.link.is_ready() {
            return;
        }
        let Some(peer) = self.peers.get(&key) else { return };
        if peer.slot.is_some() {
            return;
        }
        let gateway = peer.via;
        let carrier = self.peers.get(&gateway.unwrap_or(key));
        let Some(conn) = carrier.and_then(|c| c.conns.first()) else { return };
        let remote = self.conns.get(conn).and_then(|c| c.remote);
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let slot = self.link.next_slot;
        self.link.next_slot = slot_after(slot);
        peer.slot = Some(slot);
        self.link.slots.insert(slot, key);
        let frame = Frame::PeerUp {
            slot,
            peer: key.peer,
            local: key.local,
            incarnation: peer.incarnation,
            remote: remote.map(|r| r.to_string()).unwrap_or_default(),
            gateway: gateway.map(|g| g.peer),
        };
        self.emit(frame);
        self.admit(key);
    }

    /// Tells the daemon that a peer is gone.
    pub(crate) fn retract(&mut self, key: PeerKey, reason: &str) {
        self.clear_inbox(key);
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.credit = None;
        if let Some(slot) = peer.slot.take() {
            self.link.slots.remove(&slot);
            self.emit(Frame::PeerDown { slot, reason: reason.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_go_round_below_the_names_of_credit() {
        assert_eq!([0, 1, u32::MAX - 3, u32::MAX - 2].map(slot_after), [1, 2, u32::MAX - 2, 0]);
    }
}
