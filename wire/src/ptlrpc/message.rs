//! `lustre_msg_v2`: a header and numbered buffers.
use super::Body;
use crate::cursor::len32;
use crate::{Codec, Error, Order, Reader, Result, Writer};
use bytes::Bytes;

/// `LUSTRE_MSG_MAGIC_V2`.
pub const MAGIC: u32 = 0x0bd0_0bd3;
/// More buffers than any message has; a count above is refused before anything is computed from it.
pub const MAX_BUFFERS: u32 = 32;
/// Bytes of the header before the lengths.
const HEADER: usize = 32;

/// `lustre_msg_v2`: header and buffers.
///
/// ```text
/// lustre_idl.h: struct lustre_msg_v2, native order of the sender
///   0 bufcount   4 secflvr   8 magic   12 repsize   16 cksum   20 flags   24 opc   28 padding
///  32 u32 buflens[bufcount], exact lengths
///     zeros up to a multiple of 8
///     buffer 0, zeros up to a multiple of 8
///     buffer 1, ...
/// ```
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
    /// Reads a whole message. Surplus bytes and buffers are accepted. Buffers share the memory of `bytes`.
    ///
    /// # Errors
    /// Fewer than 32 bytes; another magic (the pre-2.0 format too); no or more than [`MAX_BUFFERS`] buffers; buffers
    /// that reach beyond `bytes`.
    pub fn decode(bytes: &Bytes) -> Result<Self> {
        let have = bytes.len();
        let truncated = |need| Error::Truncated { what: "lustre_msg_v2", need, have };
        let mut probe = Reader::new(bytes, Order::Little);
        let mut probe = probe.sub("lustre_msg_v2", HEADER)?;
        probe.take("lm_magic", 8)?;
        let raw = probe.array("lm_magic")?;
        let order = match (u32::from_le_bytes(raw), u32::from_be_bytes(raw)) {
            (MAGIC, _) => Order::Little,
            (_, MAGIC) => Order::Big,
            (got, _) => return Err(Error::BadMagic { what: "lustre_msg_v2", got: got.into() }),
        };
        let mut r = Reader::new(bytes, order);
        let (count, secflvr) = (r.u32("lm_bufcount")?, r.u32("lm_secflvr")?);
        r.take("lm_magic", 4)?;
        let (repsize, cksum) = (r.u32("lm_repsize")?, r.u32("lm_cksum")?);
        let (flags, opc) = (r.u32("lm_flags")?, r.u32("lm_opc")?);
        r.take("lm_padding_3", 4)?;
        if count == 0 || count > MAX_BUFFERS {
            return Err(Error::BadValue { what: "lm_bufcount (1 to 32)", got: count.into() });
        }
        let count = count as usize;
        let mut buffers = Vec::with_capacity(count);
        let mut at = header_len(count);
        for _ in 0..count {
            let len = r.u32("lm_buflens")? as usize;
            let end = at.checked_add(len).ok_or(truncated(usize::MAX))?;
            let next = end.checked_next_multiple_of(8).ok_or(truncated(usize::MAX))?;
            if next > have {
                return Err(truncated(next));
            }
            buffers.push(bytes.slice(at..end));
            at = next;
        }
        Ok(Self { secflvr, repsize, cksum, flags, opc, buffers, order })
    }
    /// The bytes, buffers padded to 8 with zeros. At most [`MAX_BUFFERS`] buffers are written.
    pub fn to_bytes(&self) -> Bytes {
        let buffers = self.buffers.get(..self.buffers.len().min(MAX_BUFFERS as usize)).unwrap_or_default();
        let mut w = Writer::new(self.order);
        w.u32(len32(buffers.len()));
        for v in [self.secflvr, MAGIC, self.repsize, self.cksum, self.flags, self.opc, 0] {
            w.u32(v);
        }
        buffers.iter().for_each(|b| w.u32(len32(b.len())));
        w.pad8();
        for buffer in buffers {
            w.put(buffer);
            w.pad8();
        }
        w.into_vec().into()
    }
    /// Bytes that [`Message::to_bytes`] gives.
    pub fn wire_len(&self) -> usize {
        self.buffers.iter().map(|b| b.len().next_multiple_of(8)).sum::<usize>()
            + header_len(self.buffers.len())
    }
    /// A reader over buffer `i`; error when absent.
    pub fn buffer(&self, i: usize) -> Result<Reader<'_>> {
        let have = self.buffers.len();
        match self.buffers.get(i) {
            Some(b) => Ok(Reader::new(b, self.order)),
            None => Err(Error::Truncated { what: "buffers of the message", need: i.saturating_add(1), have }),
        }
    }
    /// Buffer 0.
    pub fn body(&self) -> Result<Body> {
        Body::decode(&mut self.buffer(0)?)
    }
    /// A message with flavor 0 from a body and further buffers. Little endian, as `rest` has to be.
    pub fn new(body: &Body, rest: Vec<Bytes>) -> Self {
        let order = Order::Little;
        let mut buffers = Vec::with_capacity(rest.len() + 1);
        buffers.push(Bytes::from(body.to_vec(order)));
        buffers.extend(rest);
        Self { secflvr: 0, repsize: 0, cksum: 0, flags: 0, opc: 0, buffers, order }
    }
}

fn header_len(buffers: usize) -> usize {
    (HEADER + 4 * buffers).next_multiple_of(8)
}

/// CRC-32 of an early reply over the body bytes (reflected 0xEDB88320, initial all ones, no final inversion).
pub fn early_checksum(body: &[u8]) -> u32 {
    body.iter().fold(u32::MAX, |crc, byte| {
        // Eight steps a byte: this runs over 184 bytes, once in a slow request.
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            let bit = crc & 1;
            (crc >> 1) ^ (0xedb8_8320 * bit)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn header_lengths() {
        assert_eq!([1, 2, 3, 4, 5, 6].map(header_len), [40, 40, 48, 48, 56, 56]);
    }

    #[test]
    fn buffers_are_padded_to_eight() {
        let m = Message { buffers: vec![Bytes::from_static(b"MGS\0"), Bytes::new()], ..header() };
        let bytes = m.to_bytes();
        let expected = hex("02000000 00000003 d30bd00b 20020000 00000000 03000000 00000000 00000000
            04000000 00000000 4d475300 00000000");
        assert_eq!(bytes, expected);
        assert_eq!(Message::decode(&bytes), Ok(m));
    }

    #[test]
    fn thirty_two_buffers_and_no_more() {
        let m = Message { buffers: vec![Bytes::from_static(b"8 bytes."); 32], ..header() };
        let bytes = m.to_bytes();
        assert_eq!((bytes[0], bytes.len()), (32, 32 + 4 * 32 + 8 * 32));
        assert_eq!(Message::decode(&bytes).as_ref(), Ok(&m));
        let mut more = bytes.to_vec();
        more[0] = 33;
        more.extend([0; 100]);
        assert!(Message::decode(&more.into()).is_err());
        let more = Message { buffers: vec![Bytes::new(); 33], ..m };
        assert_eq!(Message::decode(&more.to_bytes()).unwrap().buffers.len(), 32);
    }

    #[test]
    fn buffers_share_the_memory_of_the_message() {
        let bytes = Message { buffers: vec![Bytes::from_static(b"MGS\0")], ..header() }.to_bytes();
        let m = Message::decode(&bytes).unwrap();
        assert_eq!(m.buffers[0].as_ptr(), bytes[40..].as_ptr());
    }

    /// The check value of CRC-32, without its final inversion.
    #[test]
    fn early_reply_checksum() {
        assert_eq!(early_checksum(b"123456789"), !0xcbf4_3926);
        assert_eq!(early_checksum(b""), u32::MAX);
    }

    fn header() -> Message {
        let (secflvr, repsize) = (0x0300_0000, 544);
        Message { secflvr, repsize, cksum: 0, flags: 3, opc: 0, buffers: Vec::new(), order: Order::Little }
    }
}
