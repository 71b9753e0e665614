//! The link to the daemon: greeting, peers announced, deliveries in fair turns within the daemon's credit.
//!
//! ```text
//!  Down ──LinkUp: Hello──► Greeting ──Welcome: PeerUp of all──► Up ──LinkDown, DropLink──► Down
//! ```
//!
//! Credit: the daemon may limit deliveries with `Credit` frames, for the link and for a peer. A limit exists from its
//! first `Credit` on; without any, deliveries are bounded by what the link takes ([`crate::Limits::link_window`], and
//! `max_inflight` of the Welcome if that is smaller but not 0). A `max_bytes` other than 0 is the largest payload.
use crate::io::Output;
use crate::peer::{Delivery, PeerKey};
use crate::proxy::Proxy;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use wire::relay::{Frame, VERSION};

/// Slot in a Credit that means the link.
const WHOLE_LINK: u32 = u32::MAX;

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
    /// The daemon takes no peers that it does not know already.
    draining: bool,
    /// Deliveries allowed; `None`: no limit was ever said.
    credit: Option<u64>,
    /// From the Welcome; 0: none.
    max_inflight: usize,
    max_bytes: u64,
    /// Frames handed to the link and not yet taken.
    unflushed: usize,
    /// Peers with deliveries, in turn.
    round: VecDeque<PeerKey>,
    /// Peers announced.
    slots: BTreeMap<u32, PeerKey>,
    next_slot: u32,
}

impl Link {
    pub(crate) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// It takes new peers.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_up() && !self.draining
    }
}

impl Proxy {
    pub(crate) fn on_link_up(&mut self) {
        self.forget_link();
        self.link.state = State::Greeting;
        let hello = Frame::Hello {
            min_version: VERSION,
            max_version: VERSION,
            features: 0,
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

    fn drop_link(&mut self, reason: String) {
        self.on_link_down();
        // Frames still queued for the old link must not reach the new one.
        self.outputs.retain(|o| !matches!(o, Output::Relay(_)));
        self.outputs.push_back(Output::DropLink { reason });
    }

    /// What the old daemon wanted means nothing to the next one. Connections stay.
    fn forget_link(&mut self) {
        let next_slot = self.link.next_slot;
        self.link = Link { next_slot, ..Link::default() };
        let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        for key in keys {
            self.clear_inbox(key);
            self.clear_outbox(key);
            if let Some(peer) = self.peers.get_mut(&key) {
                peer.credit = None;
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
        match (self.link.state, frame) {
            (State::Down, _) => {}
            (State::Greeting, Frame::Welcome { version, max_inflight, max_bytes, .. }) => {
                if version != VERSION {
                    self.drop_link(format!("daemon speaks relay version {version}, this proxy {VERSION}"));
                    return;
                }
                self.link.state = State::Up;
                self.link.max_inflight = usize::try_from(max_inflight).unwrap_or(usize::MAX);
                self.link.max_bytes = max_bytes;
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

    fn on_credit(&mut self, slot: u32, count: u32) {
        let count = u64::from(count);
        if slot == WHOLE_LINK {
            self.link.credit = Some(self.link.credit.unwrap_or(0).saturating_add(count));
        } else if let Some(key) = self.link.slots.get(&slot).copied()
            && let Some(peer) = self.peers.get_mut(&key)
        {
            peer.credit = Some(peer.credit.unwrap_or(0).saturating_add(count));
            if !peer.in_round && !peer.inbox.is_empty() {
                peer.in_round = true;
                self.link.round.push_back(key);
            }
        }
        self.deliver_waiting();
    }

    /// Tells the daemon of a peer that has connections and no slot yet.
    pub(crate) fn announce(&mut self, key: PeerKey) {
        if !self.link.is_up() || self.link.draining {
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
        self.link.next_slot = if slot == WHOLE_LINK - 1 { 0 } else { slot + 1 };
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

    /// Takes a PUT for the daemon. `false`: dropped and counted.
    pub(crate) fn enqueue_delivery(&mut self, key: PeerKey, delivery: Delivery) -> bool {
        let Some(peer) = self.peers.get_mut(&key) else { return false };
        if peer.slot.is_none() {
            self.counters.dropped_no_daemon += 1;
            return false;
        }
        let size = delivery.payload.len();
        let too_long =
            self.link.max_bytes != 0 && u64::try_from(size).unwrap_or(u64::MAX) > self.link.max_bytes;
        // What waits is charged with its payload and a little, so that empty PUTs are bounded too.
        let charge = delivery.charge();
        if too_long
            || peer.inbox_bytes + charge > self.config.limits.peer_inbound_bytes
            || self.inbound_bytes + charge > self.config.limits.inbound_bytes
        {
            self.counters.dropped_inbound_full += 1;
            return false;
        }
        peer.inbox_bytes += charge;
        self.inbound_bytes += charge;
        peer.inbox.push_back(delivery);
        if !peer.in_round && peer.credit != Some(0) {
            peer.in_round = true;
            self.link.round.push_back(key);
        }
        self.deliver_waiting();
        true
    }

    fn deliver_waiting(&mut self) {
        let window = match self.link.max_inflight {
            0 => self.config.limits.link_window,
            n => n.min(self.config.limits.link_window),
        };
        while self.link.is_up() && self.link.unflushed < window && self.link.credit != Some(0) {
            let Some(key) = self.link.round.pop_front() else { return };
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            peer.in_round = false;
            let Some(slot) = peer.slot else { continue };
            if peer.credit == Some(0) {
                continue; // back in the round with its next credit
            }
            let Some(delivery) = peer.inbox.pop_front() else { continue };
            let incarnation = peer.incarnation;
            let charge = delivery.charge();
            peer.inbox_bytes = peer.inbox_bytes.saturating_sub(charge);
            self.inbound_bytes = self.inbound_bytes.saturating_sub(charge);
            peer.credit = peer.credit.map(|n| n - 1);
            if !peer.inbox.is_empty() {
                peer.in_round = true;
                self.link.round.push_back(key);
            }
            self.link.credit = self.link.credit.map(|n| n - 1);
            self.counters.delivered += 1;
            let Delivery { portal, match_bits, offset, payload } = delivery;
            self.emit(Frame::Deliver { slot, incarnation, portal, match_bits, offset, payload });
        }
    }

    fn clear_inbox(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let lost = u64::try_from(peer.inbox.len()).unwrap_or(u64::MAX);
        self.counters.dropped_no_daemon += lost;
        self.inbound_bytes = self.inbound_bytes.saturating_sub(peer.inbox_bytes);
        peer.inbox.clear();
        peer.inbox_bytes = 0;
        if std::mem::take(&mut peer.in_round) {
            self.link.round.retain(|k| *k != key);
        }
    }
}
