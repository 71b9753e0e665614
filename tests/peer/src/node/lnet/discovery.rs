//! Before the first message to a NID: ping, and a push of the own interfaces when the answer announces discovery.
use super::{Discovery, Lnet, Up};
use crate::node::event::{ConsoleLine, Violation};
use bytes::Bytes;
use std::time::Duration;
use wire::Nid;
use wire::lnet::{Handle, Message, PING_MATCH_BITS, PingInfo, PingNi, feature, portal};
use wire::socklnd::LNET_PID;

/// `lnet_transaction_timeout`: a ping or push that is not answered has failed.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(150);
/// Room for 16 interfaces.
const PING_SINK: u32 = 272;
/// An interface that is up.
const NI_UP: u32 = 0x15aa_c0de;

impl Lnet {
    /// Asks for discovery of `nid`; [`Up::Discovered`] or [`Up::Unreachable`] follows.
    pub(crate) fn discover(&mut self, nid: Nid, now: Duration) {
        match self.peer(nid, now).discovery {
            Discovery::Done => self.up.push_back(Up::Discovered(nid)),
            Discovery::Unknown => self.ping(nid, false, now),
            Discovery::Pinging { .. } | Discovery::Pushing { .. } => self.dial_next(nid, now),
        }
    }

    pub(super) fn ping(&mut self, nid: Nid, again: bool, now: Duration) {
        let ret = self.handle();
        self.peer(nid, now).discovery = Discovery::Pinging { ret, again, until: now + TRANSACTION_TIMEOUT };
        let get = Message::Get {
            ret,
            match_bits: PING_MATCH_BITS,
            portal: portal::LNET_RESERVED,
            src_offset: 0,
            sink_length: PING_SINK,
        };
        self.send(nid, get, Bytes::new(), now);
    }

    /// What this node tells about its interfaces.
    pub(super) fn ping_info(&self) -> Vec<u8> {
        let info = PingInfo {
            features: feature::NI_STATUS | feature::RTE_DISABLED | feature::MULTI_RAIL | feature::DISCOVERY,
            pid: LNET_PID,
            nis: vec![
                PingNi { nid: Nid::LOOPBACK, status: 1, msg_size: 0 },
                PingNi { nid: self.nid, status: NI_UP, msg_size: 0 },
            ],
            large: Vec::new(),
            tail: Vec::new(),
        };
        info.to_bytes(self.order)
    }

    pub(super) fn on_ping_answer(&mut self, from: Nid, dst: Handle, payload: &[u8], now: Duration) {
        let Discovery::Pinging { ret, again, .. } = self.peer(from, now).discovery else { return };
        if ret != dst {
            return;
        }
        let info = match PingInfo::decode(payload) {
            Ok((info, _)) => info,
            Err(error) => {
                self.peer(from, now).discovery = Discovery::Unknown;
                return self.violation(Violation::PingAnswer { what: error.to_string() });
            }
        };
        if info.features & feature::NI_STATUS == 0 || info.nis.first().map(|n| n.nid) != Some(Nid::LOOPBACK) {
            self.peer(from, now).discovery = Discovery::Unknown;
            let what = "without NI_STATUS, or entry 0 is not 0@lo".to_owned();
            return self.violation(Violation::PingAnswer { what });
        }
        let rail = info.features & feature::MULTI_RAIL != 0;
        if rail && info.features & feature::DISCOVERY != 0 {
            let ack = self.handle();
            self.peer(from, now).discovery = Discovery::Pushing { ack, until: now + TRANSACTION_TIMEOUT };
            let msg = Message::Put {
                ack,
                match_bits: PING_MATCH_BITS,
                hdr_data: 0,
                portal: portal::LNET_RESERVED,
                offset: 0,
            };
            let info = self.ping_info();
            return self.send(from, msg, info.into(), now);
        }
        if again {
            return self.settled(from, now);
        }
        if !rail {
            let line = format!("lnet_discovery_event_reply() Multi-Rail state vanished from {from}");
            self.console(ConsoleLine::error(line));
        }
        // The peer entry is deleted and made anew without Multi-Rail, hence a second ping.
        self.ping(from, true, now);
    }

    pub(super) fn settled(&mut self, nid: Nid, now: Duration) {
        self.peer(nid, now).discovery = Discovery::Done;
        self.up.push_back(Up::Discovered(nid));
    }
}
