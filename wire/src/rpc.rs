//! What an LNet payload says: one typed value for each message between a peer and an MGS.
//!
//! For readers of traffic (flight recorder, captures, tests). The daemon itself takes messages apart where it answers
//! them, since it has to judge each buffer on its own.

mod reply;
mod request;

pub use reply::Reply;
pub use request::Request;

use crate::lnet::{PingInfo, portal};
use crate::mgs::{NidTblEntry, nid_entries, parse_nid_entries};
use crate::nodemap::{IndexPage, PAGE_MAGIC};
use crate::ptlrpc::{Body, Message, msg_type, opc};
use crate::{Codec, Error, Order, Reader, Result, Writer};
use bytes::Bytes;

/// An LNet payload by its content.
///
/// ```text
///  PUT on portal 0                         Ping (a push)
///  PUT on 15, 17, 26 (16, 18, 25)          Request (Reply), typed by pb_opc; the direction is in pb_type
///  PUT on any other service portal         Request, Reply with the buffers as they are; Raw when it is no message (bulk)
///  PUT on 33                               NidTable or Nodemap: index pages start with a magic
///  REPLY                                   Ping or NidList: ping information starts with a magic
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rpc {
    /// ptlrpc request.
    Request {
        /// Header, and buffers behind those that the content knows.
        head: Head,
        /// Buffer 0.
        body: Body,
        /// The rest.
        content: Request,
    },
    /// ptlrpc reply or error.
    Reply {
        /// Header, and buffers behind those that the content knows.
        head: Head,
        /// Buffer 0.
        body: Body,
        /// The rest.
        content: Reply,
    },
    /// Ping answer or push.
    Ping(PingInfo, Order),
    /// Bulk of a RECOVER read; empty too when there was nothing to send.
    NidTable(Vec<NidTblEntry>, Order),
    /// Bulk of a NODEMAP read.
    Nodemap(Vec<IndexPage>),
    /// Answer to the bulk GET of a registration.
    NidList(Vec<String>),
    /// Bulk of another service.
    Raw(Bytes),
}

/// Fields of the message header (see [`Message`]) and what stands behind the known buffers.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Head {
    pub secflvr: u32,
    pub repsize: u32,
    pub cksum: u32,
    pub flags: u32,
    pub opc: u32,
    pub order: Order,
    /// Surplus buffers of newer peers.
    pub extra: Vec<Bytes>,
}

impl Rpc {
    /// Reads the payload of a PUT.
    ///
    /// # Errors
    /// On the portals of an MGS: what is not the message that portal and opcode announce, or has a security flavor.
    pub fn decode_put(portal: u32, payload: &Bytes) -> Result<Self> {
        match portal {
            portal::LNET_RESERVED => PingInfo::decode(payload).map(|(info, order)| Self::Ping(info, order)),
            portal::MGS_BULK => Self::decode_bulk(payload),
            portal::LDLM_CB_REQUEST | portal::LDLM_CANCEL_REQUEST | portal::MGS_REQUEST => {
                Self::decode_message(payload, true)
            }
            portal::LDLM_CB_REPLY | portal::LDLM_CANCEL_REPLY | portal::MGC_REPLY => {
                Self::decode_message(payload, true)
            }
            _ => match Self::decode_message(payload, false) {
                Err(Error::BadMagic { .. } | Error::Truncated { .. }) => Ok(Self::Raw(payload.clone())),
                other => other,
            },
        }
    }
    /// Reads the payload of a REPLY, the answer to a GET.
    ///
    /// # Errors
    /// Neither ping information nor a list of 64-byte text NIDs.
    pub fn decode_reply(payload: &Bytes) -> Result<Self> {
        match PingInfo::decode(payload) {
            Err(Error::BadMagic { .. } | Error::Truncated { what: "ping magic", .. }) => {
                parse_nid_entries(payload).map(Self::NidList)
            }
            other => other.map(|(info, order)| Self::Ping(info, order)),
        }
    }
    /// The payload again. Equal to what was read as long as padding is zero and no structure was longer than known.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Request { head, body, content } => head.message(body, content.to_buffers(head.order)),
            Self::Reply { head, body, content } => head.message(body, content.to_buffers(head.order)),
            Self::Ping(info, order) => info.to_bytes(*order).into(),
            Self::NidTable(entries, order) => {
                let mut w = Writer::new(*order);
                entries.iter().for_each(|e| e.encode(&mut w));
                w.into_vec().into()
            }
            Self::Nodemap(pages) => {
                let mut w = Writer::new(Order::Little);
                pages.iter().for_each(|p| p.encode(&mut w));
                w.into_vec().into()
            }
            Self::NidList(list) => nid_entries(list).into(),
            Self::Raw(bytes) => bytes.clone(),
        }
    }
    /// The body of a request or reply.
    pub const fn body(&self) -> Option<&Body> {
        match self {
            Self::Request { body, .. } | Self::Reply { body, .. } => Some(body),
            _ => None,
        }
    }

    fn decode_bulk(payload: &Bytes) -> Result<Self> {
        if payload.starts_with(&PAGE_MAGIC.to_le_bytes()) {
            let mut r = Reader::new(payload, Order::Little);
            let mut pages = Vec::new();
            while r.remaining() > 0 {
                pages.push(IndexPage::decode(&mut r)?);
            }
            return Ok(Self::Nodemap(pages));
        }
        // The order is that of the reply, which comes later. No entry is as long as a swapped length says.
        let little = NidTblEntry::decode_all(&mut Reader::new(payload, Order::Little));
        match (little, NidTblEntry::decode_all(&mut Reader::new(payload, Order::Big))) {
            (Err(_), Ok(entries)) => Ok(Self::NidTable(entries, Order::Big)),
            (little, _) => little.map(|entries| Self::NidTable(entries, Order::Little)),
        }
    }
    fn decode_message(payload: &Bytes, typed: bool) -> Result<Self> {
        let m = Message::decode(payload)?;
        if m.secflvr & FLAVOR_MASK != 0 {
            return Err(Error::BadValue { what: "lm_secflvr (only null is read)", got: m.secflvr.into() });
        }
        let body = m.body()?;
        match body.msg_type {
            msg_type::REQUEST => {
                let content = if typed { Request::decode(&m, body.opc)? } else { Request::other(&m) };
                let head = Head::behind(&m, content.buffers());
                Ok(Self::Request { head, body, content })
            }
            msg_type::REPLY | msg_type::ERR => {
                let content = if typed { Reply::decode(&m, body.opc)? } else { Reply::other(&m) };
                let head = Head::behind(&m, content.buffers());
                Ok(Self::Reply { head, body, content })
            }
            other => Err(Error::BadValue { what: "pb_type (4711 to 4713)", got: other.into() }),
        }
    }
}

/// The flavor without the part of the sender.
const FLAVOR_MASK: u32 = 0xf_ffff;

impl Head {
    /// Header of `m`, whose content took `known` buffers behind the body.
    fn behind(m: &Message, known: usize) -> Self {
        let extra = m.buffers.get(1 + known..).unwrap_or_default().to_vec();
        let Message { secflvr, repsize, cksum, flags, opc, order, .. } = *m;
        Self { secflvr, repsize, cksum, flags, opc, order, extra }
    }
    fn message(&self, body: &Body, content: Vec<Bytes>) -> Bytes {
        let Self { secflvr, repsize, cksum, flags, opc, order, .. } = *self;
        let mut buffers = vec![Bytes::from(body.to_vec(order))];
        buffers.extend(content);
        buffers.extend(self.extra.iter().cloned());
        Message { secflvr, repsize, cksum, flags, opc, buffers, order }.to_bytes()
    }
}

/// Bytes of one structure.
fn one(value: &impl Codec, order: Order) -> Bytes {
    value.to_vec(order).into()
}
/// Buffer `i` as it is.
fn raw(m: &Message, i: usize) -> Result<Bytes> {
    m.buffer(i)?;
    Ok(m.buffers.get(i).cloned().unwrap_or_default())
}

/// Name of an opcode that an MGS meets, as in `lustre_idl.h`.
pub const fn opcode_name(code: u32) -> Option<&'static str> {
    Some(match code {
        opc::LDLM_ENQUEUE => "LDLM_ENQUEUE",
        opc::LDLM_CONVERT => "LDLM_CONVERT",
        opc::LDLM_CANCEL => "LDLM_CANCEL",
        opc::LDLM_BL_CALLBACK => "LDLM_BL_CALLBACK",
        opc::LDLM_CP_CALLBACK => "LDLM_CP_CALLBACK",
        opc::LDLM_GL_CALLBACK => "LDLM_GL_CALLBACK",
        opc::MGS_CONNECT => "MGS_CONNECT",
        opc::MGS_DISCONNECT => "MGS_DISCONNECT",
        opc::MGS_EXCEPTION => "MGS_EXCEPTION",
        opc::MGS_TARGET_REG => "MGS_TARGET_REG",
        opc::MGS_TARGET_DEL => "MGS_TARGET_DEL",
        opc::MGS_SET_INFO => "MGS_SET_INFO",
        opc::MGS_CONFIG_READ => "MGS_CONFIG_READ",
        opc::OBD_PING => "OBD_PING",
        opc::LLOG_ORIGIN_HANDLE_CREATE => "LLOG_ORIGIN_HANDLE_CREATE",
        opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK => "LLOG_ORIGIN_HANDLE_NEXT_BLOCK",
        opc::LLOG_ORIGIN_HANDLE_READ_HEADER => "LLOG_ORIGIN_HANDLE_READ_HEADER",
        opc::LLOG_ORIGIN_HANDLE_PREV_BLOCK => "LLOG_ORIGIN_HANDLE_PREV_BLOCK",
        opc::SEC_CTX_INIT => "SEC_CTX_INIT",
        opc::SEC_CTX_FINI => "SEC_CTX_FINI",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lnet::{PingNi, feature};
    use crate::mgs::ConfigBody;
    use crate::nodemap::untouched;

    fn request(code: u32, buffers: Vec<Bytes>) -> Message {
        let body = Body { msg_type: msg_type::REQUEST, opc: code, ..Body::default() };
        Message::new(&body, buffers)
    }

    #[test]
    fn the_portal_tells_whose_service_it_is() {
        let config = ConfigBody { name: "nodemap".into(), ..ConfigBody::default() };
        let m = request(opc::MGS_CONFIG_READ, vec![one(&config, Order::Little)]).to_bytes();
        let Ok(Rpc::Request { content, .. }) = Rpc::decode_put(portal::MGS_REQUEST, &m) else {
            panic!("not a request")
        };
        assert_eq!(content, Request::ConfigRead(config));
        let Ok(Rpc::Request { content, .. }) = Rpc::decode_put(12, &m) else { panic!("not a request") };
        assert!(matches!(content, Request::Other(buffers) if buffers.len() == 1));
    }

    #[test]
    fn surplus_buffers_are_kept() {
        let mut m = request(opc::OBD_PING, Vec::new());
        assert!(matches!(
            Rpc::decode_put(26, &m.to_bytes()),
            Ok(Rpc::Request { content: Request::Empty, .. })
        ));
        m = request(opc::LDLM_CANCEL, vec![vec![0; 104].into(), Bytes::from_static(b"new")]);
        let rpc = Rpc::decode_put(portal::LDLM_CANCEL_REQUEST, &m.to_bytes()).unwrap();
        let Rpc::Request { head, content: Request::Cancel(_), .. } = &rpc else { panic!("{rpc:?}") };
        assert_eq!(head.extra, [&b"new"[..]]);
        assert_eq!(rpc.to_bytes(), m.to_bytes());
    }

    #[test]
    fn what_is_no_message_is_bulk_only_on_foreign_portals() {
        let data = Bytes::from_static(b"file data of an OST, more than a header long");
        assert_eq!(Rpc::decode_put(8, &data), Ok(Rpc::Raw(data.clone())));
        for portal in [0, 15, 16, 17, 18, 25, 26, 33] {
            assert!(Rpc::decode_put(portal, &data).is_err(), "portal {portal}");
        }
    }

    #[test]
    fn flavors_and_unknown_types_are_refused() {
        let mut m = request(opc::OBD_PING, Vec::new());
        m.secflvr = 0x0302_1001;
        assert!(Rpc::decode_put(26, &m.to_bytes()).is_err());
        // The sending part is no flavor.
        m.secflvr = 0x0300_0000;
        assert!(Rpc::decode_put(26, &m.to_bytes()).is_ok());
        let m = Message::new(&Body { msg_type: 4714, ..Body::default() }, Vec::new());
        assert!(Rpc::decode_put(26, &m.to_bytes()).is_err());
    }

    #[test]
    fn answers_to_gets() {
        let list = vec!["10.0.0.1@tcp".to_owned(), "#tcp1".to_owned()];
        let rpc = Rpc::NidList(list.clone());
        assert_eq!(Rpc::decode_reply(&rpc.to_bytes()), Ok(rpc));
        assert_eq!(Rpc::decode_reply(&Bytes::new()), Ok(Rpc::NidList(Vec::new())));
        let ping = PingInfo {
            features: feature::NI_STATUS,
            pid: 12345,
            nis: vec![PingNi { nid: crate::Nid::LOOPBACK, status: 1, msg_size: 0 }],
            large: Vec::new(),
            tail: Vec::new(),
        };
        let rpc = Rpc::Ping(ping, Order::Big);
        assert_eq!(Rpc::decode_reply(&rpc.to_bytes()), Ok(rpc.clone()));
        // A cut answer is not taken for a list.
        assert!(Rpc::decode_reply(&rpc.to_bytes().slice(..20)).is_err());
    }

    #[test]
    fn bulk_by_its_magic() {
        let pages = IndexPage::pages(&untouched());
        let rpc = Rpc::Nodemap(pages);
        assert_eq!(Rpc::decode_put(33, &rpc.to_bytes()), Ok(rpc));
        assert_eq!(Rpc::decode_put(33, &Bytes::new()), Ok(Rpc::NidTable(Vec::new(), Order::Little)));
    }
}
