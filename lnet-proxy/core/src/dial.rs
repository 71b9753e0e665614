//! Dialling a peer: CONTROL, BULK_IN, BULK_OUT, one after the other, because a peer without one of them has no way to
//! answer some messages.
//!
//! ```text
//!  errand, no connection ─► dial the first missing type ─HELLO─► the next … ─► all there: errands go
//!        NONE, same version: again after 1 s; other version: at once; three times: live with what is there
//!        failure: live with what is there; with nothing: errands fail, pause 1 s, doubled up to 60 s
//! ```
use crate::Error;
use crate::conn::{Conn, Dialled, Stage};
use crate::handshake;
use crate::io::{ConnId, Event, Output};
use crate::peer::{Dialler, PeerKey};
use crate::proxy::Proxy;
use crate::timers::Timer;
use std::net::SocketAddr;
use std::time::Duration;
use wire::nid::lnd;

/// Answers NONE after which a dial ends.
const MAX_REFUSALS: u32 = 3;

impl Proxy {
    /// Begins to dial a peer that has no connection.
    pub(crate) fn dial_first(&mut self, key: PeerKey, now: Duration) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let version = handshake::preferred_version(key.local);
        peer.dialler = Some(Dialler { attempt: None, version, refusals: 0 });
        self.dial_next(key, now);
    }

    /// Dials the next missing type, or ends the dial.
    pub(crate) fn dial_next(&mut self, key: PeerKey, now: Duration) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let Some(mut dialler) = peer.dialler else { return };
        let Some(ctype) = peer.missing(&self.conns) else {
            self.end_dial(key, now);
            return;
        };
        // Nobody on another network is dialled, and nobody on one that is not TCP.
        let direct = key.local.lnd == lnd::TCP && !key.is_routed();
        let Some(ip) = key.peer.ip().filter(|_| direct) else {
            self.on_dial_failed(key, now);
            return;
        };
        let stage = Stage::Dialling(Dialled { key, version: dialler.version, ctype });
        let id = self.insert(Conn::new(None, stage, now));
        dialler.attempt = Some(id);
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.dialler = Some(dialler);
        }
        self.counters.dials += 1;
        self.outputs.push_back(Output::Dial { conn: id, peer: key.peer, ip, local: key.local, ctype });
    }

    pub(crate) fn on_dialled(
        &mut self,
        id: ConnId,
        result: Result<(SocketAddr, SocketAddr), String>,
        now: Duration,
    ) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let Stage::Dialling(dialled) = conn.stage else { return };
        match result {
            Ok((_, remote)) => {
                conn.remote = Some(remote);
                conn.enter(Stage::Answer(dialled), now);
                let Dialled { key, version, ctype } = dialled;
                let bytes = handshake::introduction(key, version, self.config.incarnation, ctype);
                self.write(id, key, bytes.into(), None, now);
            }
            Err(reason) => self.fail(id, Error::Network { reason }, now),
        }
    }

    /// The peer answered with type NONE.
    pub(crate) fn on_dial_refused(&mut self, id: ConnId, dialled: Dialled, version: u32, now: Duration) {
        self.close(id, false);
        let key = dialled.key;
        let pause = self.config.timing.reconnect_min;
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let Some(dialler) = peer.dialler.as_mut() else { return };
        dialler.attempt = None;
        dialler.refusals += 1;
        if dialler.refusals >= MAX_REFUSALS {
            let remote = None;
            let event = Event::Trouble { peer: Some(key.peer), remote, error: Error::PeerRefuses };
            self.outputs.push_back(Output::Event(event));
            self.on_dial_failed(key, now);
        } else if version != dialled.version && (2..=4).contains(&version) {
            dialler.version = version;
            self.dial_next(key, now);
        } else {
            self.wake_peer(key, now + pause);
        }
    }

    /// An attempt failed for good.
    pub(crate) fn on_dial_failed(&mut self, key: PeerKey, now: Duration) {
        self.counters.dials_failed += 1;
        let timing = &self.config.timing;
        let (shortest, longest) = (timing.reconnect_min, timing.reconnect_max);
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if !peer.conns.is_empty() {
            self.end_dial(key, now);
            return;
        }
        peer.dialler = None;
        let length = peer.pause.map_or(shortest, |(_, last)| (last * 2).min(longest));
        peer.pause = Some((now + length, length));
        // The length is remembered for a while, then the next failure begins anew.
        self.wake_peer(key, now + length + longest);
        self.refuse_outbox(key);
        self.router_failed(key, now);
    }

    fn end_dial(&mut self, key: PeerKey, now: Duration) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.dialler = None;
        self.send_outbox(key, now);
        self.forget_if_idle(key);
    }

    fn wake_peer(&mut self, key: PeerKey, at: Duration) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if let Some(old) = peer.timer.replace(at) {
            self.timers.cancel(old, Timer::Peer(key));
        }
        self.timers.set(at, Timer::Peer(key));
    }

    pub(crate) fn on_peer_timer(&mut self, key: PeerKey, now: Duration) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.timer = None;
        if peer.dialler.is_some_and(|d| d.attempt.is_none()) {
            self.dial_next(key, now);
        } else if peer.dialler.is_none() {
            peer.pause = None;
            self.forget_if_idle(key);
        }
    }
}
