//! ptlrpc: message, body, connect data.
use crate::{Codec, Order, Reader, Result, Writer};
use bytes::Bytes;

/// `lustre_msg_v2`: header and buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `lm_secflvr`, whole word.
    pub secflvr: u32,
    /// `lm_repsize`.
    pub repsize: u32,
    /// `lm_cksum`, early replies only.
    pub cksum: u32,
    /// `lm_flags`, see [`msg_flags`].
    pub flags: u32,
    /// `lm_opc`, 0.
    pub opc: u32,
    /// Buffers, unpadded; buffer 0 is the [`Body`].
    pub buffers: Vec<Bytes>,
    /// Byte order of the sender.
    pub order: Order,
}
/// `lm_flags`.
pub mod msg_flags {
    /// Adaptive timeouts: the reply goes to offset 224.
    pub const AT_SUPPORT: u32 = 1;
    /// Always set beside it.
    pub const CKSUM_INCOMPAT18: u32 = 2;
}
impl Message {
    /// Reads a whole message. Surplus bytes and buffers are accepted.
    pub fn decode(_bytes: &Bytes) -> Result<Self> {
        todo!()
    }
    /// The bytes, buffers padded to 8 with zeros.
    pub fn to_bytes(&self) -> Bytes {
        todo!()
    }
    /// A reader over buffer `i`; error when absent.
    pub fn buffer(&self, _i: usize) -> Result<Reader<'_>> {
        todo!()
    }
    /// Buffer 0.
    pub fn body(&self) -> Result<Body> {
        todo!()
    }
    /// A message with flavor 0 from a body and further buffers.
    pub fn new(_body: &Body, _rest: Vec<Bytes>) -> Self {
        todo!()
    }
}
/// `pb_type`.
pub mod msg_type {
    /// Request.
    pub const REQUEST: u32 = 4711;
    /// Error: body only.
    pub const ERR: u32 = 4712;
    /// Reply.
    pub const REPLY: u32 = 4713;
}
/// High half of `pb_version`.
pub mod version {
    /// OBD.
    pub const OBD: u32 = 0x0001_0000;
    /// LDLM.
    pub const DLM: u32 = 0x0004_0000;
    /// llog.
    pub const LOG: u32 = 0x0005_0000;
    /// MGS.
    pub const MGS: u32 = 0x0006_0000;
    /// Low half.
    pub const PTLRPC: u32 = 3;
}
/// Opcodes.
pub mod opc {
    #![allow(missing_docs)]
    pub const LDLM_ENQUEUE: u32 = 101;
    pub const LDLM_CONVERT: u32 = 102;
    pub const LDLM_CANCEL: u32 = 103;
    pub const LDLM_BL_CALLBACK: u32 = 104;
    pub const LDLM_CP_CALLBACK: u32 = 105;
    pub const LDLM_GL_CALLBACK: u32 = 106;
    pub const MGS_CONNECT: u32 = 250;
    pub const MGS_DISCONNECT: u32 = 251;
    pub const MGS_EXCEPTION: u32 = 252;
    pub const MGS_TARGET_REG: u32 = 253;
    pub const MGS_TARGET_DEL: u32 = 254;
    pub const MGS_SET_INFO: u32 = 255;
    pub const MGS_CONFIG_READ: u32 = 256;
    pub const OBD_PING: u32 = 400;
    pub const LLOG_ORIGIN_HANDLE_CREATE: u32 = 501;
    pub const LLOG_ORIGIN_HANDLE_NEXT_BLOCK: u32 = 502;
    pub const LLOG_ORIGIN_HANDLE_READ_HEADER: u32 = 503;
    pub const LLOG_ORIGIN_HANDLE_PREV_BLOCK: u32 = 508;
    pub const SEC_CTX_INIT: u32 = 801;
    pub const SEC_CTX_FINI: u32 = 803;
}
/// `pb_flags`.
pub mod pb_flags {
    #![allow(missing_docs)]
    pub const RESENT: u32 = 2;
    pub const REPLAY: u32 = 4;
    pub const PACK_UID_GID: u32 = 0x200;
}
/// `pb_op_flags` of a connect.
pub mod connect_op {
    #![allow(missing_docs)]
    pub const RECOVERING: u32 = 0x1;
    pub const RECONNECT: u32 = 0x2;
    pub const REPLAYABLE: u32 = 0x4;
    pub const LIBCLIENT: u32 = 0x10;
    pub const INITIAL: u32 = 0x20;
    pub const NEXT_VER: u32 = 0x80;
}
/// `ocd_connect_flags` and `ocd_connect_flags2` bits that an MGS meets.
pub mod connect_flags {
    #![allow(missing_docs)]
    pub const VERSION: u64 = 0x20;
    pub const MGS_NIDLIST: u64 = 0x40;
    pub const BARRIER: u64 = 0x2000;
    pub const AT: u64 = 0x100_0000;
    pub const MNE_SWAB: u64 = 0x400_0000;
    pub const FULL20: u64 = 0x10_0000_0000;
    pub const IMP_RECOV: u64 = 0x100_0000_0000;
    pub const LVB_TYPE: u64 = 0x4000_0000_0000;
    pub const PINGLESS: u64 = 0x4_0000_0000_0000;
    pub const BULK_MBITS: u64 = 0x2000_0000_0000_0000;
    pub const FLAGS2: u64 = 0x8000_0000_0000_0000;
    /// flags2
    pub const REP_MBITS: u64 = 0x10_0000;
    /// flags2
    pub const LARGE_NID: u64 = 0x1_0000_0000;
}

/// `ptlrpc_body_v3`, 184 bytes; 152 (v2) accepted.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Body {
    pub handle: u64,
    pub msg_type: u32,
    pub version: u32,
    pub opc: u32,
    /// Negative errno in a reply.
    pub status: i32,
    pub last_xid: u64,
    pub tag: u16,
    pub padding0: u16,
    pub projid: u32,
    pub last_committed: u64,
    pub transno: u64,
    pub flags: u32,
    pub op_flags: u32,
    pub conn_cnt: u32,
    pub timeout: u32,
    pub service_time: u32,
    pub limit: u32,
    pub slv: u64,
    pub pre_versions: [u64; 4],
    pub mbits: u64,
    pub padding64: [u64; 2],
    pub uid: u32,
    pub gid: u32,
    pub jobid: [u8; 32],
}
impl Codec for Body {
    fn decode(_r: &mut Reader<'_>) -> Result<Self> {
        todo!()
    }
    fn encode(&self, _w: &mut Writer) {
        todo!()
    }
}
/// `obd_connect_data`, 192 bytes; shorter is filled with zeros, longer is cut.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct ConnectData {
    pub flags: u64,
    pub version: u32,
    pub grant: u32,
    pub index: u32,
    pub brw_size: u32,
    pub ibits_known: u64,
    pub grant_blkbits: u8,
    pub grant_inobits: u8,
    pub grant_tax_kb: u16,
    pub grant_max_blks: u32,
    pub transno: u64,
    pub group: u32,
    pub cksum_types: u32,
    pub max_easize: u32,
    pub instance: u32,
    pub maxbytes: u64,
    pub maxmodrpcs: u16,
    pub conn_policy: u8,
    pub padding0: u8,
    pub padding1: u32,
    pub flags2: u64,
    pub compr_type: u64,
    pub padding: [u64; 12],
}
impl Codec for ConnectData {
    fn decode(_r: &mut Reader<'_>) -> Result<Self> {
        todo!()
    }
    fn encode(&self, _w: &mut Writer) {
        todo!()
    }
}
/// Buffers 1..5 of MGS_CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest {
    /// `MGS`.
    pub target: String,
    /// UUID of the MGC.
    pub client_uuid: String,
    /// To be used as `pb_handle` in callbacks to it.
    pub callback_cookie: u64,
    /// Flags asked.
    pub data: ConnectData,
    /// SELinux policy; `None`: buffer absent (2.12.0).
    pub sepol: Option<Bytes>,
}
impl ConnectRequest {
    /// From the message of an MGS_CONNECT.
    pub fn from_message(_m: &Message) -> Result<Self> {
        todo!()
    }
    /// Buffers behind the body (uuid buffers of 39 bytes).
    pub fn to_buffers(&self, _order: Order) -> Vec<Bytes> {
        todo!()
    }
}
/// CRC-32 of an early reply over the body bytes (reflected 0xEDB88320, initial all ones, no final inversion).
pub fn early_checksum(_body: &[u8]) -> u32 {
    todo!()
}
