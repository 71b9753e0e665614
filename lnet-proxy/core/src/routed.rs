//! Peers behind LNet routers. They have no connection of their own: what they send comes over a router's, and leaves
//! by the router through which they were heard last; the daemon's own messages take any declared router that lives.
//!
//! ```text
//!  message with a foreign source ─► via = that router ─────────────► PeerUp with gateway
//!  errand, no via ─► a declared router with connections ─ or ─► dial one after the other
//!  router lost    ─► another declared router that lives, else PeerDown
//! ```
//!
//! A routed peer has no incarnation that we could know: 0.
use crate::conn::Conn;
use crate::peer::{Outgoing, PeerKey};
use crate::proxy::Proxy;
use std::time::Duration;
use wire::Nid;
use wire::nid::{NidAddr, lnd};
use wire::relay::PostStatus;

impl PeerKey {
    /// On another network than our NID: reached by a router only.
    pub(crate) fn is_routed(&self) -> bool {
        (self.peer.lnd, self.peer.net) != (self.local.lnd, self.local.net)
    }
}

impl Proxy {
    /// Whose connections carry the messages to a peer: its own, or a router's.
    pub(crate) fn carrier(&self, key: PeerKey) -> PeerKey {
        self.peers.get(&key).and_then(|p| p.via).unwrap_or(key)
    }

    fn declared(&self, nid: Nid) -> impl Iterator<Item = Nid> + '_ {
        let routes = self.config.routes.iter().filter(move |r| r.leads_to(nid));
        routes.flat_map(|r| r.gateways().iter().copied())
    }

    /// Who sent a message that came over a router. `None`: it is dropped, and counted.
    pub(crate) fn admit_routed(&mut self, source: Nid, router: PeerKey) -> Option<PeerKey> {
        let origin = PeerKey { peer: source, local: router.local };
        let undeclared = self.declared(source).next().is_none();
        let allowed = undeclared || self.declared(source).any(|gateway| gateway == router.peer);
        let real = !source.is_any() && source.lnd != lnd::LO && origin.is_routed();
        if !(allowed && real) {
            self.counters.dropped_foreign += 1;
            return None;
        }
        let known = self.peers.get(&origin).is_some_and(|p| p.via.is_some());
        if !known && self.routed >= self.config.limits.routed_peers {
            self.counters.dropped_routed_full += 1;
            return None;
        }
        self.lead_by(origin, router);
        Some(origin)
    }

    /// From now on this router carries.
    fn lead_by(&mut self, origin: PeerKey, router: PeerKey) {
        let peer = self.peers.entry(origin).or_default();
        if peer.via == Some(router) {
            return;
        }
        self.routed += usize::from(peer.via.is_none());
        let earlier = [peer.via.replace(router), peer.awaits.take()];
        for old in earlier.into_iter().flatten() {
            if let Some(old) = self.peers.get_mut(&old) {
                old.behind.remove(&origin);
            }
        }
        if let Some(router) = self.peers.get_mut(&router) {
            router.behind.insert(origin);
        }
        self.announce(origin);
    }

    fn live_router(&self, origin: PeerKey) -> Option<PeerKey> {
        let keys = self.declared(origin.peer).map(|peer| PeerKey { peer, local: origin.local });
        let mut live = keys.filter(|k| self.peers.get(k).is_some_and(|p| !p.conns.is_empty()));
        live.next()
    }

    /// A message of the daemon for a peer behind a router.
    pub(crate) fn dispatch_routed(&mut self, key: PeerKey, outgoing: Outgoing, now: Duration) {
        let fits = matches!(key.peer.addr, NidAddr::Small(_)) || matches!(key.local.addr, NidAddr::Large(_));
        if !fits {
            self.report(&outgoing, PostStatus::Unreachable);
            return;
        }
        let (led, waits) = {
            let peer = self.peers.entry(key).or_default();
            (peer.via.is_some(), peer.awaits.is_some())
        };
        self.enqueue(key, outgoing);
        if !led {
            match self.live_router(key) {
                Some(router) => self.lead_by(key, router),
                None if waits => return,
                None => return self.dial_router(key, now),
            }
        }
        self.send_outbox(key, now);
    }

    /// Dials the first declared router that did not fail a moment ago.
    fn dial_router(&mut self, origin: PeerKey, now: Duration) {
        let keys = self.declared(origin.peer).map(|peer| PeerKey { peer, local: origin.local });
        let rested =
            |k: &PeerKey| self.peers.get(k).and_then(|p| p.pause).is_none_or(|(until, _)| now >= until);
        let next = keys.filter(|k| !k.is_routed()).find(rested);
        let Some(router) = next else {
            self.refuse_outbox(origin);
            self.forget_if_idle(origin);
            return;
        };
        if let Some(peer) = self.peers.get_mut(&origin) {
            peer.awaits = Some(router);
        }
        let gateway = self.peers.entry(router).or_default();
        gateway.behind.insert(origin);
        if gateway.dialler.is_none() {
            self.dial_first(router, now);
        }
    }

    /// A router has a connection: it carries for those who waited, when its outbox is sent.
    pub(crate) fn router_up(&mut self, router: PeerKey) {
        for origin in self.waiting_for(router) {
            self.lead_by(origin, router);
            self.block(origin, router);
        }
    }

    /// A router cannot be dialled: the next one.
    pub(crate) fn router_failed(&mut self, router: PeerKey, now: Duration) {
        for origin in self.waiting_for(router) {
            if let Some(peer) = self.peers.get_mut(&origin) {
                peer.awaits = None;
            }
            if let Some(gateway) = self.peers.get_mut(&router) {
                gateway.behind.remove(&origin);
            }
            self.dial_router(origin, now);
        }
    }

    fn waiting_for(&self, router: PeerKey) -> Vec<PeerKey> {
        let behind = self.peers.get(&router).into_iter().flat_map(|p| p.behind.iter().copied());
        behind.filter(|o| self.peers.get(o).is_some_and(|p| p.awaits == Some(router))).collect()
    }

    /// A router lost its connections: whoever came by it takes another one, or is gone.
    pub(crate) fn router_down(&mut self, router: PeerKey, reason: &str) {
        let Some(gateway) = self.peers.get_mut(&router) else { return };
        let behind = std::mem::take(&mut gateway.behind);
        gateway.blocked.clear();
        for origin in behind {
            let Some(peer) = self.peers.get_mut(&origin) else { continue };
            self.routed -= usize::from(peer.via.take().is_some());
            peer.awaits = None;
            peer.is_blocked = false;
            self.give_up_awaited(origin, PostStatus::Unreachable);
            self.refuse_outbox(origin);
            match self.live_router(origin) {
                Some(other) => self.lead_by(origin, other),
                None => {
                    self.retract(origin, &format!("router {}: {reason}", router.peer));
                    self.forget_if_idle(origin);
                }
            }
        }
    }

    /// So many messages of peers behind this router wait for TCP that no more are given to it.
    pub(crate) fn is_congested(&self, router: PeerKey) -> bool {
        let Some(peer) = self.peers.get(&router) else { return false };
        let waiting =
            peer.conns.iter().filter_map(|id| self.conns.get(id)).map(Conn::departing).sum::<usize>();
        waiting >= self.config.limits.router_in_flight
    }

    /// A peer waits until its router has room.
    pub(crate) fn block(&mut self, origin: PeerKey, router: PeerKey) {
        let Some(peer) = self.peers.get_mut(&origin) else { return };
        if !std::mem::replace(&mut peer.is_blocked, true)
            && let Some(router) = self.peers.get_mut(&router)
        {
            router.blocked.push_back(origin);
        }
    }

    /// A router may have room: those who wait go on in turn.
    pub(crate) fn unblock(&mut self, router: PeerKey, now: Duration) {
        // Who finds no room comes to the end again: each once.
        for _ in 0..self.peers.get(&router).map_or(0, |p| p.blocked.len()) {
            if self.is_congested(router) {
                return;
            }
            let first = self.peers.get_mut(&router).and_then(|p| p.blocked.pop_front());
            let Some(origin) = first else { return };
            if let Some(peer) = self.peers.get_mut(&origin) {
                peer.is_blocked = false;
                self.send_outbox(origin, now);
            }
        }
    }
}
