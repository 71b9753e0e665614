//! PUTs and GETs for the daemon, and what becomes of them.
use crate::io::ConnId;
use crate::peer::{Kind, Outgoing, Peer, PeerKey};
use crate::proxy::Proxy;
use crate::timers::Timer;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;
use wire::Order;
use wire::lnet::{Handle, Header, Message};
use wire::relay::{Frame, PostStatus};
use wire::socklnd::{Frame as SockFrame, LNET_PID, MAX_PAYLOAD, MsgHeader, MsgKind};

/// A message whose ACK or REPLY must still come.
#[derive(Debug)]
pub(crate) struct Awaited {
    cookie: u64,
    until: Duration,
    what: Answer,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Ack,
    /// REPLY of at most so many bytes.
    Reply(usize),
}

impl Proxy {
    /// A Post or Fetch of the daemon.
    ///
    /// # Errors
    /// The frame is one that a daemon never sends.
    pub(crate) fn on_errand(&mut self, frame: Frame, now: Duration) -> Result<(), String> {
        let (key, outgoing) = match frame {
            Frame::Post {
                cookie,
                peer,
                local,
                incarnation,
                portal,
                match_bits,
                offset,
                want_ack,
                payload,
            } => {
                let kind = Kind::Post { offset, want_ack, payload };
                (PeerKey { peer, local }, Outgoing { cookie, incarnation, portal, match_bits, kind })
            }
            Frame::Fetch { cookie, peer, local, incarnation, portal, match_bits, length } => {
                let kind = Kind::Fetch { length };
                (PeerKey { peer, local }, Outgoing { cookie, incarnation, portal, match_bits, kind })
            }
            Frame::Hello { .. } | Frame::Welcome { .. } => {
                return Err("daemon greets twice".to_owned());
            }
            _ => return Err("daemon sent a frame that only a proxy sends".to_owned()),
        };
        self.counters.posts += 1;
        self.dispatch(key, outgoing, now);
        Ok(())
    }

    fn dispatch(&mut self, key: PeerKey, outgoing: Outgoing, now: Duration) {
        if !self.config.nids.contains(&key.local) || outgoing.payload_len() > MAX_PAYLOAD {
            self.report(&outgoing, PostStatus::Unreachable);
            return;
        }
        if self.is_full(key, outgoing.charge()) {
            self.counters.posts_over_budget += 1;
            self.report(&outgoing, PostStatus::Unreachable);
            return;
        }
        if key.is_routed() {
            self.dispatch_routed(key, outgoing, now);
            return;
        }
        let peer = self.peers.entry(key).or_default();
        if peer.conns.is_empty() && peer.dialler.is_none() {
            if peer.pause.is_some_and(|(until, _)| now < until) {
                self.report(&outgoing, PostStatus::Unreachable);
                return;
            }
            self.enqueue(key, outgoing);
            self.dial_first(key, now);
        } else {
            self.enqueue(key, outgoing);
            self.send_outbox(key, now);
        }
    }

    pub(crate) fn enqueue(&mut self, key: PeerKey, outgoing: Outgoing) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.outbound_bytes += outgoing.charge();
        self.outbound_bytes += outgoing.charge();
        peer.outbox.push_back(outgoing);
    }

    /// Sends what can go; the rest waits for the dial under way.
    pub(crate) fn send_outbox(&mut self, key: PeerKey, now: Duration) {
        let reached = |p: &&mut Peer| !p.conns.is_empty() || p.via.is_some();
        let Some(peer) = self.peers.get_mut(&key).filter(reached) else { return };
        let (incarnation, via) = (peer.incarnation, peer.via);
        let mut kept = VecDeque::new();
        for outgoing in std::mem::take(&mut peer.outbox) {
            if outgoing.incarnation != 0 && outgoing.incarnation != incarnation {
                self.uncharge(key, outgoing.charge());
                self.report(&outgoing, PostStatus::Stale);
            } else if outgoing.is_bulk() && self.peers.get(&key).is_some_and(|p| p.bulk.is_some())
                || via.is_some_and(|router| self.is_congested(router))
                || self.choose(key, outgoing.payload_len()).is_none()
            {
                kept.push_back(outgoing);
            } else {
                self.uncharge(key, outgoing.charge());
                self.send_outgoing(key, outgoing, now);
            }
        }
        let waits = !kept.is_empty();
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.outbox = kept;
        }
        match via {
            Some(router) if waits => self.block(key, router),
            Some(_) => {}
            None => self.unblock(key, now),
        }
    }

    fn send_outgoing(&mut self, key: PeerKey, outgoing: Outgoing, now: Duration) {
        let too_many = outgoing.is_bulk() && self.awaited.len() >= self.config.limits.pending;
        // A router may be full where the peer behind it is not.
        if too_many || self.is_full(self.carrier(key), outgoing.payload_len()) {
            self.counters.posts_over_budget += 1;
            self.report(&outgoing, PostStatus::Unreachable);
            return;
        }
        let Outgoing { cookie, portal, match_bits, kind, .. } = outgoing;
        match kind {
            Kind::Post { offset, want_ack, payload } => {
                let ack = if want_ack { self.expect(key, cookie, Answer::Ack, now) } else { Handle::NONE };
                let msg = Message::Put { ack, match_bits, hdr_data: 0, portal, offset };
                let departure = (!want_ack).then_some(cookie);
                self.send_now(key, msg, payload, departure, now);
            }
            Kind::Fetch { length } => {
                let most = usize::try_from(length).unwrap_or(usize::MAX);
                let ret = self.expect(key, cookie, Answer::Reply(most), now);
                let msg = Message::Get { ret, match_bits, portal, src_offset: 0, sink_length: length };
                self.send_now(key, msg, Bytes::new(), None, now);
            }
        }
    }

    /// Writes a message to the connection that suits it. `false`: no connection, or the peer does not read.
    pub(crate) fn send_now(
        &mut self,
        key: PeerKey,
        msg: Message,
        payload: Bytes,
        departure: Option<u64>,
        now: Duration,
    ) -> bool {
        let Some(id) = self.choose(key, payload.len()) else { return false };
        let carrier = self.carrier(key);
        if self.is_full(carrier, payload.len()) {
            return false;
        }
        let head = MsgHeader { kind: MsgKind::Lnet, csum: 0, zc_cookies: [0, 0] };
        let header = Header {
            dest: key.peer,
            src: key.local,
            dest_pid: LNET_PID,
            src_pid: LNET_PID,
            payload_len: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            msg,
        };
        self.counters.messages_out += 1;
        self.write_frame(id, carrier, &SockFrame::Lnet(head, header, payload), departure, now);
        true
    }

    pub(crate) fn write_frame(
        &mut self,
        id: ConnId,
        key: PeerKey,
        frame: &SockFrame,
        departure: Option<u64>,
        now: Duration,
    ) {
        let Some(version) = self.conns.get(&id).and_then(crate::conn::Conn::version) else { return };
        let bytes = frame.to_bytes(version, Order::Little);
        self.write(id, key, bytes.into(), departure, now);
    }

    /// Connection for a payload of that size.
    fn choose(&self, key: PeerKey, payload: usize) -> Option<ConnId> {
        let version = crate::handshake::preferred_version(key.local);
        let size = MsgHeader::SIZE + Header::size(version) + payload;
        self.peers.get(&self.carrier(key))?.choose(&self.conns, size)
    }

    /// So many bytes more would be too many, for the peer or in all.
    pub(crate) fn is_full(&self, key: PeerKey, bytes: usize) -> bool {
        let limits = &self.config.limits;
        let (of_peer, most) = match self.peers.get(&key) {
            Some(router) if !router.behind.is_empty() => {
                (router.outbound_bytes, limits.router_outbound_bytes)
            }
            Some(peer) => (peer.outbound_bytes, limits.peer_outbound_bytes),
            None => (0, limits.peer_outbound_bytes),
        };
        of_peer.saturating_add(bytes) > most
            || self.outbound_bytes.saturating_add(bytes) > limits.outbound_bytes
    }

    /// A handle that is never used again: own incarnation, then a running number.
    fn expect(&mut self, key: PeerKey, cookie: u64, what: Answer, now: Duration) -> Handle {
        let object = self.next_handle;
        self.next_handle += 1;
        let until = now + self.config.timing.answer;
        self.awaited.insert((key, object), Awaited { cookie, until, what });
        self.timers.set(until, Timer::Answer(key, object));
        let free = now + self.config.timing.bulk;
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.bulk = Some((object, free));
            self.timers.set(free, Timer::Bulk(key));
        }
        let both = (u128::from(object) << 64) | u128::from(self.config.incarnation);
        Handle(both.to_le_bytes())
    }

    /// What a handle stood for, if it is one of ours and comes from the right peer.
    fn redeem(&mut self, key: PeerKey, handle: Handle) -> Option<Awaited> {
        let both = u128::from_le_bytes(handle.0);
        let object = u64::try_from(both >> 64).ok()?;
        let ours = both & u128::from(u64::MAX) == u128::from(self.config.incarnation);
        let known = if ours { self.awaited.remove(&(key, object)) } else { None };
        let Some(awaited) = known else {
            self.counters.answers_unexpected += 1;
            return None;
        };
        self.timers.cancel(awaited.until, Timer::Answer(key, object));
        if let Some(peer) = self.peers.get_mut(&key)
            && let Some((_, free)) = peer.bulk.take_if(|(of, _)| *of == object)
        {
            self.timers.cancel(free, Timer::Bulk(key));
        }
        Some(awaited)
    }

    pub(crate) fn on_bulk_timer(&mut self, key: PeerKey, now: Duration) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if peer.bulk.take_if(|(_, free)| *free <= now).is_some() {
            self.send_outbox(key, now);
        }
    }

    pub(crate) fn on_ack(&mut self, key: PeerKey, handle: Handle, mlength: u32) {
        let Some(Awaited { cookie, what, .. }) = self.redeem(key, handle) else { return };
        match what {
            Answer::Ack => self.emit(Frame::Done { cookie, status: PostStatus::Acked(mlength) }),
            // A GET is never answered so: whatever the peer means, there is no data.
            Answer::Reply(_) => self.emit(Frame::Fetched { cookie, payload: None }),
        }
    }

    pub(crate) fn on_reply(&mut self, key: PeerKey, handle: Handle, payload: Bytes) {
        let Some(Awaited { cookie, what, .. }) = self.redeem(key, handle) else { return };
        match what {
            Answer::Reply(most) => {
                let payload = (payload.len() <= most).then_some(payload);
                self.emit(Frame::Fetched { cookie, payload });
            }
            Answer::Ack => self.emit(Frame::Done { cookie, status: PostStatus::Unreachable }),
        }
    }

    pub(crate) fn on_answer_timer(&mut self, key: PeerKey, object: u64) {
        let Some(awaited) = self.awaited.remove(&(key, object)) else { return };
        self.report_lost(&awaited, PostStatus::Unreachable);
    }

    /// The connections are gone: nothing that was asked there will be answered.
    pub(crate) fn give_up_awaited(&mut self, key: PeerKey, status: PostStatus) {
        let lost: Vec<u64> =
            self.awaited.range((key, 0)..=(key, u64::MAX)).map(|((_, object), _)| *object).collect();
        for object in lost {
            let Some(awaited) = self.awaited.remove(&(key, object)) else { continue };
            self.timers.cancel(awaited.until, Timer::Answer(key, object));
            self.report_lost(&awaited, status);
        }
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.bulk = None;
        }
    }

    /// Nobody is there any more who wants to know.
    pub(crate) fn clear_awaited(&mut self) {
        for ((key, object), awaited) in std::mem::take(&mut self.awaited) {
            self.timers.cancel(awaited.until, Timer::Answer(key, object));
        }
    }

    fn report_lost(&mut self, awaited: &Awaited, status: PostStatus) {
        self.count_failure(status);
        let cookie = awaited.cookie;
        self.emit(match awaited.what {
            Answer::Ack => Frame::Done { cookie, status },
            Answer::Reply(_) => Frame::Fetched { cookie, payload: None },
        });
    }

    /// Tells the daemon that its message did not go out.
    pub(crate) fn report(&mut self, outgoing: &Outgoing, status: PostStatus) {
        self.count_failure(status);
        let cookie = outgoing.cookie;
        self.emit(match outgoing.kind {
            Kind::Post { .. } => Frame::Done { cookie, status },
            Kind::Fetch { .. } => Frame::Fetched { cookie, payload: None },
        });
    }

    fn count_failure(&mut self, status: PostStatus) {
        match status {
            PostStatus::Unreachable => self.counters.posts_unreachable += 1,
            PostStatus::Stale => self.counters.posts_stale += 1,
            PostStatus::Sent | PostStatus::Acked(_) => {}
        }
    }

    /// Everything that waits for a connection is refused.
    pub(crate) fn refuse_outbox(&mut self, key: PeerKey) {
        for outgoing in self.take_outbox(key) {
            self.report(&outgoing, PostStatus::Unreachable);
        }
    }

    /// Forgets what waits for a connection.
    pub(crate) fn clear_outbox(&mut self, key: PeerKey) {
        self.take_outbox(key);
    }

    fn take_outbox(&mut self, key: PeerKey) -> VecDeque<Outgoing> {
        let Some(peer) = self.peers.get_mut(&key) else { return VecDeque::new() };
        let outbox = std::mem::take(&mut peer.outbox);
        self.uncharge(key, outbox.iter().map(Outgoing::charge).sum());
        outbox
    }
}
