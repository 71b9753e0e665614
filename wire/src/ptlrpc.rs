//! ptlrpc: message, body, connect data.
mod body;
mod connect;
mod message;

pub use body::Body;
pub use connect::{ConnectData, ConnectRequest};
pub use message::{MAGIC, MAX_BUFFERS, Message, early_checksum, msg_flags};

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
