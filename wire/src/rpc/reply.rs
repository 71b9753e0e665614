//! Replies by opcode.
use super::{one, raw};
use crate::ldlm::{BarrierLvb, LdlmReply};
use crate::llog_rpc::LlogdBody;
use crate::mgs::{ConfigRes, TargetInfo};
use crate::ptlrpc::{ConnectData, Message, opc};
use crate::{Codec, Order, Result};
use bytes::Bytes;

/// Buffers of a reply behind the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Only a body: errors, ping, cancel, disconnect, most callbacks.
    Empty,
    /// MGS_CONNECT.
    Connect(ConnectData),
    /// MGS_TARGET_REG.
    TargetReg(TargetInfo),
    /// MGS_CONFIG_READ.
    ConfigRead(ConfigRes),
    /// LLOG_ORIGIN_HANDLE_CREATE.
    LlogOpen(LlogdBody),
    /// LLOG_ORIGIN_HANDLE_READ_HEADER: the header as stored (`llog` reads it).
    LlogHeader(Bytes),
    /// LLOG_ORIGIN_HANDLE_NEXT_BLOCK, PREV_BLOCK, and the chunk.
    LlogBlock(LlogdBody, Bytes),
    /// LDLM_ENQUEUE, and its LVB (empty).
    Enqueue(LdlmReply, Option<Bytes>),
    /// LDLM_GL_CALLBACK about a barrier.
    Glimpse(BarrierLvb),
    /// An opcode or service that is not ours: buffers as they are.
    Other(Vec<Bytes>),
}

impl Reply {
    pub(super) fn other(m: &Message) -> Self {
        Self::Other(m.buffers.get(1..).unwrap_or_default().to_vec())
    }
    pub(super) fn decode(m: &Message, code: u32) -> Result<Self> {
        let Some(first) = m.buffers.get(1) else { return Ok(Self::Empty) };
        let mut r = m.buffer(1)?;
        Ok(match code {
            opc::MGS_CONNECT => Self::Connect(ConnectData::decode(&mut r)?),
            opc::MGS_TARGET_REG => Self::TargetReg(TargetInfo::decode(&mut r)?),
            opc::MGS_CONFIG_READ => Self::ConfigRead(ConfigRes::decode(&mut r)?),
            opc::LLOG_ORIGIN_HANDLE_CREATE => Self::LlogOpen(LlogdBody::decode(&mut r)?),
            opc::LLOG_ORIGIN_HANDLE_READ_HEADER => Self::LlogHeader(first.clone()),
            opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK | opc::LLOG_ORIGIN_HANDLE_PREV_BLOCK => {
                Self::LlogBlock(LlogdBody::decode(&mut r)?, raw(m, 2)?)
            }
            opc::LDLM_ENQUEUE => Self::Enqueue(LdlmReply::decode(&mut r)?, m.buffers.get(2).cloned()),
            // The LVBs of other services have other sizes.
            opc::LDLM_GL_CALLBACK if first.len() == BarrierLvb::SIZE => {
                Self::Glimpse(BarrierLvb::decode(&mut r)?)
            }
            _ => Self::other(m),
        })
    }
    pub(super) fn to_buffers(&self, order: Order) -> Vec<Bytes> {
        match self {
            Self::Empty => Vec::new(),
            Self::Connect(data) => vec![one(data, order)],
            Self::TargetReg(info) => vec![one(info, order)],
            Self::ConfigRead(res) => vec![one(res, order)],
            Self::LlogOpen(body) => vec![one(body, order)],
            Self::LlogHeader(header) => vec![header.clone()],
            Self::LlogBlock(body, chunk) => vec![one(body, order), chunk.clone()],
            Self::Enqueue(lock, lvb) => {
                let mut buffers = vec![one(lock, order)];
                buffers.extend(lvb.clone());
                buffers
            }
            Self::Glimpse(lvb) => vec![one(lvb, order)],
            Self::Other(buffers) => buffers.clone(),
        }
    }
    /// Buffers behind the body that the content holds.
    pub(super) fn buffers(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::LlogBlock(..) => 2,
            Self::Enqueue(_, lvb) => 1 + usize::from(lvb.is_some()),
            Self::Other(buffers) => buffers.len(),
            Self::Connect(_) | Self::TargetReg(_) | Self::ConfigRead(_) => 1,
            Self::LlogOpen(_) | Self::LlogHeader(_) | Self::Glimpse(_) => 1,
        }
    }
}
