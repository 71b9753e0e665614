//! Captured against emitted: what the node chose itself is mapped, the rest must be equal.
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use wire::lnet::{Handle, Header, Message, portal};
use wire::ptlrpc::opc;
use wire::rpc::{Request, Rpc};
use wire::socklnd::Frame;

/// Old (captured) → new (of the node), one map per kind of value; a value maps to one value only, both ways.
#[derive(Debug, Default)]
pub(crate) struct Maps {
    /// Cancels outstanding together come in the order of their xids.
    pub(crate) strict: bool,
    xids: BTreeMap<u64, u64>,
    /// The latest pair of xids.
    last: (u64, u64),
    cookies: BTreeMap<u64, u64>,
    handles: BTreeMap<[u8; 16], [u8; 16]>,
    uuids: BTreeMap<String, String>,
    /// Captured xids of connects.
    connects: BTreeSet<u64>,
}

fn bind<K: Ord + Clone + std::fmt::Debug>(map: &mut BTreeMap<K, K>, old: &K, new: &K, what: &str) {
    match map.get(old) {
        Some(known) => assert_eq!(known, new, "{what}: {old:?} was {known:?} before"),
        None => {
            assert!(map.values().all(|v| v != new), "{what}: {new:?} stands for two values");
            map.insert(old.clone(), new.clone());
        }
    }
}

impl Maps {
    pub(crate) fn strict() -> Self {
        Self { strict: true, ..Self::default() }
    }

    /// A message of the peer: equal to what the node emitted?
    pub(crate) fn check(&mut self, captured: &Frame, emitted: &Frame) {
        let (Frame::Lnet(old_msg, old, old_payload), Frame::Lnet(new_msg, new, new_payload)) =
            (captured, emitted)
        else {
            return assert_eq!(captured, emitted);
        };
        assert_eq!(old_msg, new_msg, "socklnd header");
        let mut expected: Header = *old;
        self.check_message(&mut expected.msg, &new.msg);
        assert_eq!(&expected, new, "LNet header");
        if let Message::Put { portal, match_bits, .. } = old.msg {
            self.check_payload(portal, match_bits, old_payload, new_payload, &new.msg);
        } else if let Message::Reply { .. } = old.msg {
            assert_eq!(Rpc::decode_reply(old_payload), Rpc::decode_reply(new_payload));
        } else {
            assert_eq!(old_payload, new_payload);
        }
    }

    /// Maps what the node chose in an LNet header.
    fn check_message(&mut self, old: &mut Message, new: &Message) {
        match (old, new) {
            (
                Message::Put { ack, match_bits, portal, .. },
                Message::Put { ack: new_ack, match_bits: new_bits, .. },
            ) => {
                if *ack != Handle::NONE && *new_ack != Handle::NONE {
                    bind(&mut self.handles, &ack.0, &new_ack.0, "handle of a PUT");
                    *ack = *new_ack;
                }
                if matches!(*portal, portal::MGS_REQUEST | portal::LDLM_CANCEL_REQUEST) {
                    assert_eq!(*new_bits & 127, 0, "low bits of an xid");
                    if self.strict || *portal != portal::LDLM_CANCEL_REQUEST {
                        let (old, new) = self.last;
                        assert!(old < *match_bits && new < *new_bits, "xids rise");
                        self.last = (*match_bits, *new_bits);
                    }
                    bind(&mut self.xids, match_bits, new_bits, "xid");
                    *match_bits = *new_bits;
                }
            }
            (Message::Get { ret, .. }, Message::Get { ret: new_ret, .. }) => {
                bind(&mut self.handles, &ret.0, &new_ret.0, "handle of a GET");
                *ret = *new_ret;
            }
            // The ACK of a bulk repeats its match bits, which are an xid of the node.
            (Message::Ack { match_bits, .. }, Message::Ack { .. }) => {
                *match_bits = self.xids.get(match_bits).copied().unwrap_or(*match_bits);
            }
            _ => {}
        }
    }

    fn check_payload(&mut self, portal: u32, xid: u64, old: &Bytes, new: &Bytes, new_msg: &Message) {
        assert_eq!(old.len(), new.len(), "length");
        let (mut old, new) = (Rpc::decode_put(portal, old).unwrap(), Rpc::decode_put(portal, new).unwrap());
        if let (
            Rpc::Request { body, content, .. },
            Rpc::Request { body: new_body, content: new_content, .. },
            Message::Put { match_bits: new_xid, .. },
        ) = (&mut old, &new, new_msg)
        {
            assert!(body.status > 0 && new_body.status > 0, "process id");
            body.status = new_body.status;
            if body.mbits != 0 {
                assert_eq!(
                    (body.mbits, new_body.mbits),
                    (xid, *new_xid),
                    "pb_mbits of a first sending is the xid"
                );
                body.mbits = new_body.mbits;
            }
            if body.opc == opc::MGS_CONNECT {
                self.connects.insert(xid);
            }
            // A request composed before the connect is through says 0, one composed right behind it does not: a race.
            let behind_connect = self.connects.contains(&(xid - 128));
            if (body.last_xid != 0 && new_body.last_xid != 0) || behind_connect {
                self.check_last_xid(content, xid, body.last_xid, new_body.last_xid, *new_xid);
                body.last_xid = new_body.last_xid;
            }
            self.check_request(content, new_content);
        }
        assert_eq!(old, new);
    }

    /// `pb_last_xid` is one below the oldest request without an answer. Among cancels of several threads it depends on
    /// their timing: then it must be one below any of the last requests.
    fn check_last_xid(&self, content: &Request, xid: u64, old: u64, new: u64, new_xid: u64) {
        if old == 0 || new == 0 {
            assert!(
                (old == 0 || old == xid - 1) && (new == 0 || new == new_xid - 1),
                "pb_last_xid behind the connect"
            );
        } else if !self.strict {
            let near =
                |last: u64, xid: u64| (last + 1).is_multiple_of(128) && last < xid && xid - last < 16 * 128;
            assert!(near(old, xid) && near(new, new_xid), "pb_last_xid");
        } else if matches!(content, Request::Cancel(_)) {
            let recent = |map: Vec<u64>, last: u64| map.into_iter().rev().take(6).any(|x| x == last + 1);
            assert!(recent(self.xids.keys().copied().collect(), old), "captured pb_last_xid {old:#x}");
            assert!(recent(self.xids.values().copied().collect(), new), "pb_last_xid {new:#x}");
        } else {
            assert_eq!((old, new), (xid - 1, new_xid - 1), "pb_last_xid");
        }
    }

    fn check_request(&mut self, old: &mut Request, new: &Request) {
        match (old, new) {
            (Request::Connect(old), Request::Connect(new)) => {
                assert_eq!(old.client_uuid.len(), new.client_uuid.len());
                bind(&mut self.uuids, &old.client_uuid, &new.client_uuid, "uuid");
                old.client_uuid.clone_from(&new.client_uuid);
                bind(&mut self.cookies, &old.callback_cookie, &new.callback_cookie, "callback cookie");
                old.callback_cookie = new.callback_cookie;
            }
            (Request::Enqueue(old), Request::Enqueue(new)) => {
                bind(&mut self.cookies, &old.handles[0], &new.handles[0], "lock cookie");
                old.handles[0] = new.handles[0];
            }
            _ => {}
        }
    }

    /// A message of the MGS, as it would be to this node.
    pub(crate) fn translate(&self, frame: &Frame) -> Frame {
        let Frame::Lnet(msg, header, payload) = frame else { return frame.clone() };
        let (mut header, mut payload) = (*header, payload.clone());
        match &mut header.msg {
            Message::Put { match_bits, portal, .. } => match *portal {
                portal::MGC_REPLY | portal::LDLM_CANCEL_REPLY | portal::MGS_BULK => {
                    *match_bits = *self.xids.get(match_bits).expect("answer to a request that was made");
                }
                portal::LDLM_CB_REQUEST => payload = self.callback(&payload),
                _ => {}
            },
            Message::Ack { dst, .. } | Message::Reply { dst } => {
                *dst = Handle(*self.handles.get(&dst.0).expect("handle that was given"));
            }
            Message::Get { .. } => {}
        }
        Frame::Lnet(*msg, header, payload)
    }

    fn callback(&self, payload: &Bytes) -> Bytes {
        let mut rpc = Rpc::decode_put(portal::LDLM_CB_REQUEST, payload).unwrap();
        assert_eq!(&rpc.to_bytes(), payload, "re-encoding");
        if let Rpc::Request { body, content, .. } = &mut rpc {
            body.handle = self.cookies[&body.handle];
            if let Request::Blocking(lock) | Request::Completion(lock, _) | Request::Glimpse(lock, _) =
                content
            {
                lock.handles[0] = self.cookies[&lock.handles[0]];
            }
        }
        rpc.to_bytes()
    }
}
