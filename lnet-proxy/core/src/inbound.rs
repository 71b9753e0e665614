//! LNet messages from a peer.
use crate::Error;
use crate::peer::{Delivery, PeerKey};
use crate::ping;
use crate::proxy::Proxy;
use bytes::Bytes;
use std::time::Duration;
use wire::lnet::{Handle, Header, Message, PING_MATCH_BITS, portal};
use wire::socklnd::{Frame, MsgHeader, MsgKind};

/// Second cookie of a NOOP that only says "I live".
const KEEPALIVE: u64 = 1;

impl Proxy {
    /// One message from an open connection.
    ///
    /// # Errors
    /// The rule that was broken; the connection is to be closed.
    pub(crate) fn on_message(&mut self, key: PeerKey, frame: Frame, now: Duration) -> Result<(), Error> {
        let (head, header, payload) = match frame {
            Frame::Noop(head) => {
                self.on_noop(&head);
                return Ok(());
            }
            Frame::Lnet(head, header, payload) => (head, header, payload),
        };
        self.counters.messages_in += 1;
        let [request, ack] = head.zc_cookies;
        if ack != 0 {
            self.counters.zc_acks_unexpected += 1;
        }
        if header.dest != key.local {
            // Same network: the peer takes us for somebody else. Another one: it takes us for a router.
            if header.dest.lnd == key.local.lnd && header.dest.net == key.local.net {
                return Err(Error::WrongDestination { dest: header.dest, local: key.local });
            }
            self.counters.dropped_foreign += 1;
        } else if header.src != key.peer {
            if let Some(origin) = self.admit_routed(header.src, key) {
                self.on_lnet(origin, &header, payload, now);
            }
        } else {
            self.on_lnet(key, &header, payload, now);
        }
        if request != 0 { self.acknowledge_zero_copy(key, request, now) } else { Ok(()) }
    }

    fn on_noop(&mut self, head: &MsgHeader) {
        // We never ask for acknowledgements: whatever else a NOOP carries means nothing here.
        match head.zc_cookies {
            [0, KEEPALIVE] => self.counters.keepalives += 1,
            _ => self.counters.zc_acks_unexpected += 1,
        }
    }

    /// The payload has been taken whole: let the peer unpin its pages. Once per cookie, on the peer's behalf over
    /// any of its connections; nothing is queued, so nothing can outlive the connection that brought the request.
    fn acknowledge_zero_copy(&mut self, key: PeerKey, cookie: u64, now: Duration) -> Result<(), Error> {
        let Some(peer) = self.peers.get(&key) else { return Ok(()) };
        let Some(id) = peer.choose_for_noop(&self.conns) else { return Ok(()) };
        if self.is_full(key, MsgHeader::SIZE) {
            return Err(Error::Limit { limit: "peer_outbound_bytes" });
        }
        let head = MsgHeader { kind: MsgKind::Noop, csum: 0, zc_cookies: [0, cookie] };
        self.counters.zc_acks += 1;
        self.write_frame(id, key, &Frame::Noop(head), None, now);
        Ok(())
    }

    fn on_lnet(&mut self, key: PeerKey, header: &Header, payload: Bytes, now: Duration) {
        match header.msg {
            Message::Put { ack, match_bits, portal, offset, .. } => {
                let accepted = if portal == portal::LNET_RESERVED && match_bits == PING_MATCH_BITS {
                    self.counters.pushes += 1;
                    true
                } else if self.config.portals.contains(&portal) {
                    let payload = payload.clone();
                    self.enqueue_delivery(key, Delivery { portal, match_bits, offset, payload })
                } else {
                    self.counters.dropped_portal += 1;
                    false
                };
                if accepted && ack != Handle::NONE {
                    let reply = Message::Ack { dst: ack, match_bits, mlength: header.payload_len };
                    self.answer(key, reply, Bytes::new(), now);
                }
            }
            Message::Get { ret, match_bits, portal, src_offset, sink_length } => {
                if portal == portal::LNET_RESERVED && match_bits == PING_MATCH_BITS {
                    self.counters.pings += 1;
                    let information = Bytes::from(ping::answer(key.local, self.config.features));
                    let length = information.len();
                    let from = usize::try_from(src_offset).map_or(length, |n| n.min(length));
                    let most = usize::try_from(sink_length).unwrap_or(usize::MAX);
                    let to = from.saturating_add(most).min(length);
                    self.answer(key, Message::Reply { dst: ret }, information.slice(from..to), now);
                } else {
                    self.counters.dropped_portal += 1;
                }
            }
            Message::Ack { dst, mlength, .. } => {
                self.on_ack(key, dst, mlength);
                self.send_outbox(key, now);
            }
            Message::Reply { dst } => {
                self.on_reply(key, dst, payload);
                self.send_outbox(key, now);
            }
        }
    }

    /// Sends an answer, unless the peer does not read.
    fn answer(&mut self, key: PeerKey, msg: Message, payload: Bytes, now: Duration) {
        if !self.send_now(key, msg, payload, None, now) {
            self.counters.dropped_outbound_full += 1;
        }
    }
}
