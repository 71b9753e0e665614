//! PUTs on their way to the daemon: kept with their peer until credit and link let them through, peers in turn.
//!
//! ```text
//!  PUT ─► inbox of the peer ─credit of the peer─► round ─credit of the link, window─► frame Deliver
//! ```
//!
//! On a link with [`feature::CREDIT`](wire::relay::feature::CREDIT) nothing is delivered without credit of both kinds, so
//! that one peer can never use up what all have. On another link, deliveries are bounded by what the link takes
//! ([`crate::Limits::link_window`], and `max_inflight` of the Welcome if that is smaller but not 0). A `max_bytes` other
//! than 0 is the largest payload.
//!
//! While no daemon is there but one is expected, or the present one drains, PUTs wait for the next one: it tells their
//! senders at once that they have to connect again, where silence would cost them a time-out.
use crate::link::Link;
use crate::peer::{Delivery, Peer, PeerKey};
use crate::proxy::Proxy;
use wire::relay::{Frame, credit};

impl Link {
    /// The peer may be next: it has something, and is allowed to.
    fn join_round(&mut self, key: PeerKey, peer: &mut Peer) {
        if !peer.in_round && !peer.inbox.is_empty() && peer.slot.is_some() && peer.credit != Some(0) {
            peer.in_round = true;
            self.round.push_back(key);
        }
    }
}

impl Proxy {
    pub(crate) fn on_credit(&mut self, slot: u32, count: u32) {
        let count = u64::from(count);
        let more = |credit: Option<u64>| Some(credit.unwrap_or(0).saturating_add(count));
        match slot {
            credit::LINK => self.link.credit = more(self.link.credit),
            credit::EACH_PEER => {
                self.link.initial = more(self.link.initial);
                for (key, peer) in self.peers.iter_mut().filter(|(_, peer)| peer.slot.is_some()) {
                    peer.credit = more(peer.credit);
                    self.link.join_round(*key, peer);
                }
            }
            slot => {
                if let Some(key) = self.link.slots.get(&slot).copied()
                    && let Some(peer) = self.peers.get_mut(&key)
                {
                    peer.credit = more(peer.credit);
                    self.link.join_round(key, peer);
                }
            }
        }
        self.deliver_waiting();
    }

    /// Takes a PUT for the daemon. `false`: dropped and counted.
    pub(crate) fn enqueue_delivery(&mut self, key: PeerKey, delivery: Delivery) -> bool {
        let Some(peer) = self.peers.get_mut(&key) else { return false };
        if !self.presence.listening {
            self.counters.dropped_no_daemon += 1;
            return false;
        }
        // What waits is charged with its payload and a little, so that empty PUTs are bounded too.
        let charge = delivery.charge();
        if self.link.is_too_long(&delivery)
            || peer.inbox_bytes + charge > self.config.limits.peer_inbound_bytes
            || self.inbound_bytes + charge > self.config.limits.inbound_bytes
        {
            self.counters.dropped_inbound_full += 1;
            return false;
        }
        peer.inbox_bytes += charge;
        self.inbound_bytes += charge;
        peer.inbox.push_back(delivery);
        self.link.join_round(key, peer);
        self.deliver_waiting();
        true
    }

    pub(crate) fn deliver_waiting(&mut self) {
        let window = match self.link.max_inflight {
            0 => self.config.limits.link_window,
            n => n.min(self.config.limits.link_window),
        };
        while self.link.is_ready() && self.link.unflushed < window && self.link.credit != Some(0) {
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
            if self.link.is_too_long(&delivery) {
                self.counters.dropped_inbound_full += 1; // the daemon for which it was taken took more
                self.link.join_round(key, peer);
                continue;
            }
            peer.credit = peer.credit.map(|n| n - 1);
            self.link.join_round(key, peer);
            self.link.credit = self.link.credit.map(|n| n - 1);
            self.counters.delivered += 1;
            let Delivery { portal, match_bits, offset, payload } = delivery;
            self.emit(Frame::Deliver { slot, incarnation, portal, match_bits, offset, payload });
        }
    }

    /// The peer is announced: what it sent before may go.
    pub(crate) fn admit(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.credit = self.link.initial;
        self.link.join_round(key, peer);
        self.deliver_waiting();
    }

    pub(crate) fn clear_inbox(&mut self, key: PeerKey) {
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

    /// No daemon came: nothing waits any longer.
    pub(crate) fn clear_inboxes(&mut self) {
        let keys: Vec<PeerKey> =
            self.peers.iter().filter(|(_, p)| !p.inbox.is_empty()).map(|(key, _)| *key).collect();
        keys.into_iter().for_each(|key| self.clear_inbox(key));
    }
}
