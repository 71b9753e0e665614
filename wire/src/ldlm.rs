//! Config locks: resource names, lock descriptors, requests, replies.
use crate::{Codec, Reader, Result, Writer};

/// Lock modes.
pub mod mode {
    #![allow(missing_docs)]
    pub const NONE: u32 = 0;
    pub const EX: u32 = 1;
    pub const PW: u32 = 2;
    pub const PR: u32 = 4;
    pub const CW: u32 = 8;
    pub const CR: u32 = 16;
    pub const NL: u32 = 32;
}
/// `LDLM_PLAIN`.
pub const PLAIN: u32 = 10;
/// Lock flags on the wire.
pub mod lock_flags {
    #![allow(missing_docs)]
    pub const BLOCK_GRANTED: u32 = 0x2;
    pub const BLOCK_WAIT: u32 = 0x8;
    pub const AST_SENT: u32 = 0x20;
    pub const REPLAY: u32 = 0x100;
    pub const HAS_INTENT: u32 = 0x1000;
}
/// Kind of data a config lock guards: word 1 of the resource name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum ConfigKind {
    Config,
    Recover,
    Params,
    Nodemap,
    Barrier,
}
/// `ldlm_res_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ResId(pub [u64; 4]);
impl ResId {
    /// Name of at most 8 bytes, and kind; `None` when the name is empty or longer.
    pub fn config(_base: &str, _kind: ConfigKind) -> Option<Self> {
        todo!()
    }
    /// Base name and kind back, if it is such a name.
    pub fn parse_config(&self) -> Option<(String, ConfigKind)> {
        todo!()
    }
}
/// `ldlm_lock_desc`, 80 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct LockDesc {
    pub lock_type: u32,
    pub pad: u32,
    pub resource: ResId,
    pub req_mode: u32,
    pub granted_mode: u32,
    pub policy: [u64; 4],
}
impl Codec for LockDesc {
    fn decode(_r: &mut Reader<'_>) -> Result<Self> {
        todo!()
    }
    fn encode(&self, _w: &mut Writer) {
        todo!()
    }
}
/// `ldlm_request`, 88 bytes + 8 per handle, at least 104.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct LdlmRequest {
    pub flags: u32,
    pub count: u32,
    pub desc: LockDesc,
    /// All handles in the buffer, at least two when encoded.
    pub handles: Vec<u64>,
}
impl Codec for LdlmRequest {
    fn decode(_r: &mut Reader<'_>) -> Result<Self> {
        todo!()
    }
    fn encode(&self, _w: &mut Writer) {
        todo!()
    }
}
/// `ldlm_reply`, 112 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct LdlmReply {
    pub flags: u32,
    pub padding: u32,
    pub desc: LockDesc,
    pub handle: u64,
    pub policy_res1: u64,
    pub policy_res2: u64,
}
impl Codec for LdlmReply {
    fn decode(_r: &mut Reader<'_>) -> Result<Self> {
        todo!()
    }
    fn encode(&self, _w: &mut Writer) {
        todo!()
    }
}
/// Glimpse descriptor of a barrier, 64 bytes of which 16 are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct BarrierDesc {
    pub status: u32,
    pub timeout: u32,
    pub padding: u64,
}
/// LVB of a barrier glimpse reply, 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct BarrierLvb {
    pub status: u32,
    pub index: u32,
    pub padding: u64,
}
