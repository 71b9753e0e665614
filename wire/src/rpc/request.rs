//! Requests by opcode.
use super::{one, raw};
use crate::ldlm::{BarrierDesc, LdlmRequest};
use crate::llog_rpc::LlogdBody;
use crate::mgs::{ConfigBody, TargetInfo, TargetNidList};
use crate::ptlrpc::{ConnectRequest, Message, opc};
use crate::{Codec, Order, Result, Writer};
use bytes::Bytes;

/// Buffers of a request behind the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// MGS_CONNECT.
    Connect(ConnectRequest),
    /// A request that is only a body: MGS_DISCONNECT, OBD_PING.
    Empty,
    /// MGS_TARGET_REG: registration or READY.
    TargetReg {
        /// The target.
        info: TargetInfo,
        /// Third buffer of 2.17 and later.
        list: Option<TargetNidList>,
    },
    /// MGS_SET_INFO: `char[1024]`.
    SetInfo(String),
    /// MGS_CONFIG_READ.
    ConfigRead(ConfigBody),
    /// LLOG_ORIGIN_HANDLE_CREATE.
    LlogOpen {
        /// All zero, or an id to open by.
        body: LlogdBody,
        /// Name of the log.
        name: String,
        /// `mdt_body` of the caller (2.14 and later), opaque.
        credentials: Option<Bytes>,
    },
    /// LLOG_ORIGIN_HANDLE_READ_HEADER, NEXT_BLOCK, PREV_BLOCK.
    LlogRead(LlogdBody),
    /// LDLM_ENQUEUE.
    Enqueue(LdlmRequest),
    /// LDLM_CANCEL.
    Cancel(LdlmRequest),
    /// LDLM_BL_CALLBACK.
    Blocking(LdlmRequest),
    /// LDLM_CP_CALLBACK, with its LVB.
    Completion(LdlmRequest, Bytes),
    /// LDLM_GL_CALLBACK; other services than the MGS may leave out the descriptor.
    Glimpse(LdlmRequest, Option<BarrierDesc>),
    /// An opcode or service that is not ours: buffers as they are.
    Other(Vec<Bytes>),
}

impl Request {
    pub(super) fn other(m: &Message) -> Self {
        Self::Other(m.buffers.get(1..).unwrap_or_default().to_vec())
    }
    pub(super) fn decode(m: &Message, code: u32) -> Result<Self> {
        let lock = || LdlmRequest::decode(&mut m.buffer(1)?);
        let has = |i| m.buffers.len() > i;
        Ok(match code {
            _ if !has(1) => Self::Empty,
            opc::MGS_CONNECT => Self::Connect(ConnectRequest::from_message(m)?),
            opc::MGS_TARGET_REG => Self::TargetReg {
                info: TargetInfo::decode(&mut m.buffer(1)?)?,
                list: if has(2) { Some(TargetNidList::decode(&mut m.buffer(2)?)?) } else { None },
            },
            opc::MGS_SET_INFO => Self::SetInfo(m.buffer(1)?.cstr("mgs_param", SET_INFO)?),
            opc::MGS_CONFIG_READ => Self::ConfigRead(ConfigBody::decode(&mut m.buffer(1)?)?),
            opc::LLOG_ORIGIN_HANDLE_CREATE => {
                let mut name = m.buffer(2)?;
                Self::LlogOpen {
                    body: LlogdBody::decode(&mut m.buffer(1)?)?,
                    name: name.cstr("log name", name.remaining())?,
                    credentials: m.buffers.get(3).cloned(),
                }
            }
            opc::LLOG_ORIGIN_HANDLE_READ_HEADER
            | opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK
            | opc::LLOG_ORIGIN_HANDLE_PREV_BLOCK => Self::LlogRead(LlogdBody::decode(&mut m.buffer(1)?)?),
            opc::LDLM_ENQUEUE => Self::Enqueue(lock()?),
            opc::LDLM_CANCEL => Self::Cancel(lock()?),
            opc::LDLM_BL_CALLBACK => Self::Blocking(lock()?),
            opc::LDLM_CP_CALLBACK => Self::Completion(lock()?, raw(m, 2)?),
            opc::LDLM_GL_CALLBACK if has(2) => {
                Self::Glimpse(lock()?, Some(BarrierDesc::decode(&mut m.buffer(2)?)?))
            }
            opc::LDLM_GL_CALLBACK => Self::Glimpse(lock()?, None),
            _ => Self::other(m),
        })
    }
    pub(super) fn to_buffers(&self, order: Order) -> Vec<Bytes> {
        match self {
            Self::Connect(connect) => connect.to_buffers(order),
            Self::Empty => Vec::new(),
            Self::TargetReg { info, list } => {
                let mut buffers = vec![one(info, order)];
                buffers.extend(list.iter().map(|l| one(l, order)));
                buffers
            }
            Self::SetInfo(param) => vec![text(param, SET_INFO)],
            Self::ConfigRead(body) => vec![one(body, order)],
            Self::LlogOpen { body, name, credentials } => {
                let mut buffers = vec![one(body, order), text(name, name.len() + 1)];
                buffers.extend(credentials.clone());
                buffers
            }
            Self::LlogRead(body) => vec![one(body, order)],
            Self::Enqueue(lock) | Self::Cancel(lock) | Self::Blocking(lock) => vec![one(lock, order)],
            Self::Completion(lock, lvb) => vec![one(lock, order), lvb.clone()],
            Self::Glimpse(lock, desc) => {
                let mut buffers = vec![one(lock, order)];
                buffers.extend(desc.iter().map(|d| one(d, order)));
                buffers
            }
            Self::Other(buffers) => buffers.clone(),
        }
    }
    /// Buffers behind the body that the content holds.
    pub(super) fn buffers(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Connect(connect) => 4 + usize::from(connect.sepol.is_some()),
            Self::TargetReg { list, .. } => 1 + usize::from(list.is_some()),
            Self::LlogOpen { credentials, .. } => 2 + usize::from(credentials.is_some()),
            Self::Completion(..) => 2,
            Self::Glimpse(_, desc) => 1 + usize::from(desc.is_some()),
            Self::Other(buffers) => buffers.len(),
            Self::SetInfo(_) | Self::ConfigRead(_) | Self::LlogRead(_) => 1,
            Self::Enqueue(_) | Self::Cancel(_) | Self::Blocking(_) => 1,
        }
    }
}

/// Bytes of `mgs_param`.
const SET_INFO: usize = 1024;

fn text(text: &str, size: usize) -> Bytes {
    let mut w = Writer::new(Order::Little);
    w.cstr(text, size);
    w.into_vec().into()
}
