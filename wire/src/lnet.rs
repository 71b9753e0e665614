//! LNet message header, ping information, portals.
use crate::socklnd::MAX_PAYLOAD;
use crate::{Codec, Error, Nid, Order, Reader, Result, Writer};

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
    Ack {
        /// The PUT's `ack`.
        dst: Handle,
        /// Of the PUT.
        match_bits: u64,
        /// Bytes accepted.
        mlength: u32,
    },
    /// 1.
    Put {
        /// Where the ACK goes, or [`Handle::NONE`].
        ack: Handle,
        /// Match bits.
        match_bits: u64,
        /// Opaque, 0.
        hdr_data: u64,
        /// Portal.
        portal: u32,
        /// Offset in the remote buffer.
        offset: u32,
    },
    /// 2.
    Get {
        /// Echoed in the REPLY.
        ret: Handle,
        /// Match bits.
        match_bits: u64,
        /// Portal.
        portal: u32,
        /// Offset in the source buffer.
        src_offset: u32,
        /// Most bytes wanted.
        sink_length: u32,
    },
    /// 3.
    Reply {
        /// The GET's `ret`.
        dst: Handle,
    },
}
/// LNet header: 72 bytes with 4-byte NIDs (HELLO V2, V3), 96 with large ones (V4). Always little endian.
///
/// ```text
/// lnet-idl.h: struct lnet_hdr_nid4 (72)            struct lnet_hdr_nid16 (96)
///    0  u64 dest_nid     8  u64 src_nid               0  lnet_nid dest     20  lnet_nid src
///   16  u32 dest_pid    20  u32 src_pid              40  u32 dest_pid      44  u32 src_pid
///   24  u32 type        28  u32 payload_length       48  u32 type          52  u32 payload_length
///   32  union of 40 bytes                            56  union of 40 bytes
///
/// union   0        8         16           24          28           32            36        40
///   ACK   | dst handle       | match_bits | mlength   |            zeros                    |
///   PUT   | ack handle       | match_bits | hdr_data               | portal      | offset   |
///   GET   | return handle    | match_bits | portal    | src_offset | sink_length | zeros    |
///   REPLY | dst handle       |                        zeros                                 |
/// ```
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
    /// Reads a header of the form that belongs to the HELLO version. Little endian whatever the order of the cursor.
    ///
    /// # Errors
    /// A type other than ACK, PUT, GET, REPLY; a payload above 1 MiB, or with an ACK or GET. All are protocol errors.
    pub fn decode(r: &mut Reader<'_>, version: u32) -> Result<Self> {
        let mut r = Reader::new(r.take("LNet header", Self::size(version))?, Order::Little);
        let mut nid = || match version {
            4.. => Nid::decode(&mut r),
            _ => Ok(Nid::from_u64(r.u64("LNet header NID")?)),
        };
        let (dest, src) = (nid()?, nid()?);
        let (dest_pid, src_pid) = (r.u32("dest_pid")?, r.u32("src_pid")?);
        let kind = r.u32("LNet type")?;
        let payload_len = r.u32("payload_length")?;
        let handle = Handle(r.array("LNet handle")?);
        let msg = match kind {
            0 => Message::Ack { dst: handle, match_bits: r.u64("match_bits")?, mlength: r.u32("mlength")? },
            1 => Message::Put {
                ack: handle,
                match_bits: r.u64("match_bits")?,
                hdr_data: r.u64("hdr_data")?,
                portal: r.u32("ptl_index")?,
                offset: r.u32("offset")?,
            },
            2 => Message::Get {
                ret: handle,
                match_bits: r.u64("match_bits")?,
                portal: r.u32("ptl_index")?,
                src_offset: r.u32("src_offset")?,
                sink_length: r.u32("sink_length")?,
            },
            3 => Message::Reply { dst: handle },
            other => return Err(Error::BadValue { what: "LNet type (0 to 3)", got: other.into() }),
        };
        if payload_len as usize > MAX_PAYLOAD {
            return Err(Error::BadValue { what: "payload_length (at most 1 MiB)", got: payload_len.into() });
        }
        if payload_len > 0 && matches!(msg, Message::Ack { .. } | Message::Get { .. }) {
            return Err(Error::BadValue { what: "payload_length (0 for ACK, GET)", got: payload_len.into() });
        }
        Ok(Self { dest, src, dest_pid, src_pid, payload_len, msg })
    }
    /// Appends it. A large NID has no place in the 72-byte form and is written as ANY, which every receiver refuses.
    pub fn encode(&self, w: &mut Writer, version: u32) {
        let mut le = Writer::new(Order::Little);
        for nid in [&self.dest, &self.src] {
            match version {
                4.. => nid.encode(&mut le),
                _ => le.u64(nid.to_u64().unwrap_or(u64::MAX)),
            }
        }
        le.u32(self.dest_pid);
        le.u32(self.src_pid);
        let (kind, handle) = match self.msg {
            Message::Ack { dst, .. } => (0, dst),
            Message::Put { ack, .. } => (1, ack),
            Message::Get { ret, .. } => (2, ret),
            Message::Reply { dst } => (3, dst),
        };
        le.u32(kind);
        le.u32(self.payload_len);
        le.put(&handle.0);
        match self.msg {
            Message::Ack { match_bits, mlength, .. } => {
                le.u64(match_bits);
                le.u32(mlength);
            }
            Message::Put { match_bits, hdr_data, portal, offset, .. } => {
                le.u64(match_bits);
                le.u64(hdr_data);
                le.u32(portal);
                le.u32(offset);
            }
            Message::Get { match_bits, portal, src_offset, sink_length, .. } => {
                le.u64(match_bits);
                le.u32(portal);
                le.u32(src_offset);
                le.u32(sink_length);
            }
            Message::Reply { .. } => {}
        }
        le.zeros(Self::size(version).saturating_sub(le.len()));
        w.put(&le.into_vec());
    }
}

mod ping;
pub use ping::{NI_DOWN, NI_UP, PING_MAGIC, PingInfo, PingNi, feature};
