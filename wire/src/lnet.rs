//! LNet message header, ping information, portals.
use crate::{Nid, Order, Reader, Result, Writer};

/// Portals an MGS deals with (`lustre_idl.h`).
pub mod portal {
    /// Ping and push.
    pub const LNET_RESERVED: u32 = 0;
    /// MGS sends blocking, completion, glimpse callbacks here.
    pub const LDLM_CB_REQUEST: u32 = 15;
    /// Replies to those.
    pub const LDLM_CB_REPLY: u32 = 16;
    /// LDLM_CANCEL comes here.
    pub const LDLM_CANCEL_REQUEST: u32 = 17;
    /// Its replies.
    pub const LDLM_CANCEL_REPLY: u32 = 18;
    /// Replies to an MGC.
    pub const MGC_REPLY: u32 = 25;
    /// Requests to the MGS.
    pub const MGS_REQUEST: u32 = 26;
    /// Bulk of CONFIG_READ and long NID lists.
    pub const MGS_BULK: u32 = 33;
}
/// Match bits of ping and push.
pub const PING_MATCH_BITS: u64 = 0x8000_0000_0000_0000;

/// Opaque 16 bytes, echoed as they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle(pub [u8; 16]);
impl Handle {
    /// "No ACK wanted".
    pub const NONE: Self = Self([0xff; 16]);
}
/// What the message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// 0.
    Ack { /// The PUT's `ack`.
        dst: Handle, /// Of the PUT.
        match_bits: u64, /// Bytes accepted.
        mlength: u32 },
    /// 1.
    Put { /// Where the ACK goes, or [`Handle::NONE`].
        ack: Handle, /// Match bits.
        match_bits: u64, /// Opaque, 0.
        hdr_data: u64, /// Portal.
        portal: u32, /// Offset in the remote buffer.
        offset: u32 },
    /// 2.
    Get { /// Echoed in the REPLY.
        ret: Handle, /// Match bits.
        match_bits: u64, /// Portal.
        portal: u32, /// Offset in the source buffer.
        src_offset: u32, /// Most bytes wanted.
        sink_length: u32 },
    /// 3.
    Reply { /// The GET's `ret`.
        dst: Handle },
}
/// LNet header: 72 bytes with 4-byte NIDs (HELLO V2, V3), 96 with large ones (V4). Always little endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Receiver.
    pub dest: Nid,
    /// Origin.
    pub src: Nid,
    /// 12345.
    pub dest_pid: u32,
    /// 12345.
    pub src_pid: u32,
    /// Bytes behind the header.
    pub payload_len: u32,
    /// Type and its fields.
    pub msg: Message,
}
impl Header {
    /// Size of the header for a HELLO version.
    pub const fn size(version: u32) -> usize {
        if version >= 4 { 96 } else { 72 }
    }
    /// Reads a header of the form that belongs to the HELLO version.
    pub fn decode(_r: &mut Reader<'_>, _version: u32) -> Result<Self> {
        todo!()
    }
    /// Appends it.
    pub fn encode(&self, _w: &mut Writer, _version: u32) {
        todo!()
    }
}

/// Ping information feature bits.
pub mod feature {
    /// Mandatory.
    pub const NI_STATUS: u32 = 2;
    /// Not a router.
    pub const RTE_DISABLED: u32 = 4;
    /// Multi-rail.
    pub const MULTI_RAIL: u32 = 8;
    /// Discovery.
    pub const DISCOVERY: u32 = 16;
    /// Large addresses follow (2.16+).
    pub const LARGE_ADDR: u32 = 32;
    /// First large NID is the primary.
    pub const PRIMARY_LARGE: u32 = 64;
    /// More data follows (2.17+).
    pub const METADATA: u32 = 128;
}
/// One interface in a ping answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PingNi {
    /// NID.
    pub nid: Nid,
    /// `0x15aac0de` up, `0xdeadface` down; entry 0: a sequence number.
    pub status: u32,
    /// Entry 0 with LARGE_ADDR: total bytes.
    pub msg_size: u32,
}
/// Payload of a ping answer or a push. Order: found from the magic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PingInfo {
    /// See [`feature`].
    pub features: u32,
    /// 12345.
    pub pid: u32,
    /// Entry 0 is `0@lo`; 4-byte NIDs.
    pub nis: Vec<PingNi>,
    /// Large entries (msg_size unused), with LARGE_ADDR.
    pub large: Vec<PingNi>,
    /// Bytes behind that we do not know (METADATA), kept for re-encoding.
    pub tail: Vec<u8>,
}
impl PingInfo {
    /// Reads it.
    pub fn decode(_bytes: &[u8]) -> Result<(Self, Order)> {
        todo!()
    }
    /// The bytes.
    pub fn to_bytes(&self, _order: Order) -> Vec<u8> {
        todo!()
    }
}
