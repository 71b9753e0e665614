//! Messages on a connection whose HELLOs are done.
use super::Step;
use crate::cursor::len32;
use crate::lnet;
use crate::{Codec, Error, Order, Reader, Result, Writer};
use bytes::{Bytes, BytesMut};

/// `ksock_msg_hdr`, 24 bytes.
///
/// ```text
/// socklnd.h: struct ksock_msg_hdr, native order of the sender
///  0          4          8                  16                 24
///  +----------+----------+------------------+------------------+
///  | ksh_type | ksh_csum | zc_cookies[0]    | zc_cookies[1]    |
///  +----------+----------+------------------+------------------+
///   0xC0 NOOP   0         request cookie     acknowledged cookie
///   0xC1 LNET             (NOOP: first ack)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsgHeader {
    /// NOOP or LNET.
    pub kind: MsgKind,
    /// 0: none.
    pub csum: u32,
    /// Zero-copy request, acknowledgement.
    pub zc_cookies: [u64; 2],
}
/// `ksh_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MsgKind {
    /// 0xC0.
    Noop,
    /// 0xC1.
    Lnet,
}
impl MsgHeader {
    /// Bytes of the header.
    pub const SIZE: usize = 24;
    /// Header of an LNet message that neither asks for nor gives a zero-copy acknowledgement.
    pub const LNET: Self = Self { kind: MsgKind::Lnet, csum: 0, zc_cookies: [0, 0] };
    /// Keepalive (reserved cookie 1).
    pub const KEEPALIVE: Self = Self::zc_ack(1);

    /// NOOP that acknowledges one zero-copy cookie.
    pub const fn zc_ack(cookie: u64) -> Self {
        Self { kind: MsgKind::Noop, csum: 0, zc_cookies: [0, cookie] }
    }
}
impl Codec for MsgHeader {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let mut r = r.sub("ksock_msg_hdr", Self::SIZE)?;
        let kind = match r.u32("ksh_type")? {
            0xc0 => MsgKind::Noop,
            0xc1 => MsgKind::Lnet,
            other => return Err(Error::BadValue { what: "ksh_type (0xc0 or 0xc1)", got: other.into() }),
        };
        let csum = r.u32("ksh_csum")?;
        Ok(Self { kind, csum, zc_cookies: [r.u64("ksh_zc_cookies")?, r.u64("ksh_zc_cookies")?] })
    }
    fn encode(&self, w: &mut Writer) {
        w.u32(match self.kind {
            MsgKind::Noop => 0xc0,
            MsgKind::Lnet => 0xc1,
        });
        w.u32(self.csum);
        self.zc_cookies.iter().for_each(|c| w.u64(*c));
    }
}

/// One message on the stream.
///
/// ```text
///  NOOP   ksock_msg_hdr (24)
///  LNET   ksock_msg_hdr (24) | lnet header (72; V4: 96) | payload (payload_len, at most 1 MiB)
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Keepalive or ZC-ACK.
    Noop(MsgHeader),
    /// LNet message with its payload.
    Lnet(MsgHeader, lnet::Header, Bytes),
}

/// The headers of a frame: all that is needed to know its length.
enum Head {
    Noop(MsgHeader),
    Lnet(MsgHeader, lnet::Header, usize),
}
impl Head {
    fn parse(bytes: &[u8], version: u32, order: Order) -> Result<Step<Self>> {
        if bytes.len() < MsgHeader::SIZE {
            return Ok(Step::Need(MsgHeader::SIZE));
        }
        let mut r = Reader::new(bytes, order);
        let head = MsgHeader::decode(&mut r)?;
        if head.kind == MsgKind::Noop {
            return Ok(Step::Done(Self::Noop(head), MsgHeader::SIZE));
        }
        let start = MsgHeader::SIZE + lnet::Header::size(version);
        if bytes.len() < start {
            return Ok(Step::Need(start));
        }
        let lnet = lnet::Header::decode(&mut r, version)?;
        let total = start + lnet.payload_len as usize;
        if bytes.len() < total {
            return Ok(Step::Need(total));
        }
        Ok(Step::Done(Self::Lnet(head, lnet, start), total))
    }
}
impl Frame {
    /// Incremental decode; `version` and `order` are those of the connection's HELLO. Payload above 1 MiB is an error
    /// as soon as the header is there. Copies the payload; [`Frame::split`] does not.
    ///
    /// # Errors
    /// Unknown `ksh_type` or LNet type, payload on an ACK or GET, payload above 1 MiB: protocol errors that end the
    /// connection.
    pub fn parse(bytes: &BytesMut, version: u32, order: Order) -> Result<Step<Self>> {
        Ok(match Head::parse(bytes, version, order)? {
            Step::Need(n) => Step::Need(n),
            Step::Done(Head::Noop(head), n) => Step::Done(Self::Noop(head), n),
            Step::Done(Head::Lnet(head, lnet, start), n) => {
                let payload = bytes.get(start..n).unwrap_or_default();
                Step::Done(Self::Lnet(head, lnet, Bytes::copy_from_slice(payload)), n)
            }
        })
    }
    /// Like [`Frame::parse`], but takes the frame off the buffer and shares its memory. [`Step::Done`] tells how many
    /// bytes were taken.
    pub fn split(bytes: &mut BytesMut, version: u32, order: Order) -> Result<Step<Self>> {
        Ok(match Head::parse(bytes, version, order)? {
            Step::Need(n) => Step::Need(n),
            Step::Done(head, n) => {
                let taken = bytes.split_to(n).freeze();
                let frame = match head {
                    Head::Noop(head) => Self::Noop(head),
                    Head::Lnet(head, lnet, start) => Self::Lnet(head, lnet, taken.slice(start..)),
                };
                Step::Done(frame, n)
            }
        })
    }
    /// The bytes to send. `payload_len` is written from the payload.
    pub fn to_bytes(&self, version: u32, order: Order) -> Vec<u8> {
        let mut w = Writer::new(order);
        match self {
            Self::Noop(head) => head.encode(&mut w),
            Self::Lnet(head, lnet, payload) => {
                head.encode(&mut w);
                lnet::Header { payload_len: len32(payload.len()), ..*lnet }.encode(&mut w, version);
                w.put(payload);
            }
        }
        w.into_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;
    use crate::lnet::{Handle, Header, Message};

    /// Step 5 of the first contact of a client: GET to portal 0.
    #[test]
    fn ping_example() {
        let bytes = hex("c1 00 00 00 | 00 00 00 00 | 00 00 00 00 00 00 00 00 | 00 00 00 00 00 00 00 00
            0a 01 a8 c0 00 00 02 00 | 14 01 a8 c0 00 00 02 00 | 39 30 00 00 | 39 30 00 00 | 02 00 00 00 | 00 00 00 00
            07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 | 00 00 00 00 00 00 00 80 | 00 00 00 00 | 00 00 00 00
            10 01 00 00 | 00 00 00 00");
        let header = Header {
            dest: "192.168.1.10@tcp".parse().unwrap(),
            src: "192.168.1.20@tcp".parse().unwrap(),
            dest_pid: 12345,
            src_pid: 12345,
            payload_len: 0,
            msg: Message::Get {
                ret: Handle([7; 16]),
                match_bits: lnet::PING_MATCH_BITS,
                portal: lnet::portal::LNET_RESERVED,
                src_offset: 0,
                sink_length: 272,
            },
        };
        let frame = Frame::Lnet(MsgHeader::LNET, header, Bytes::new());
        assert_eq!(frame.to_bytes(3, Order::Little), bytes);
        assert_eq!(Frame::parse(&BytesMut::from(&bytes[..]), 3, Order::Little), Ok(Step::Done(frame, 96)));
    }

    /// The length on the wire is that of the payload, whatever the header said.
    #[test]
    fn payload_length_is_written_from_the_payload() {
        let header = Header {
            dest: lnet_nid(1),
            src: lnet_nid(2),
            dest_pid: 12345,
            src_pid: 12345,
            payload_len: 77,
            msg: Message::Reply { dst: Handle([1; 16]) },
        };
        let bytes = Frame::Lnet(MsgHeader::LNET, header, Bytes::from_static(b"four")).to_bytes(4, Order::Big);
        let Ok(Step::Done(Frame::Lnet(_, got, payload), n)) =
            Frame::parse(&BytesMut::from(&bytes[..]), 4, Order::Big)
        else {
            panic!("not a frame")
        };
        assert_eq!((n, got.payload_len, &payload[..]), (24 + 96 + 4, 4, &b"four"[..]));
    }

    fn lnet_nid(n: u32) -> crate::Nid {
        crate::Nid::tcp(std::net::Ipv4Addr::from_bits(n).into(), 0)
    }
}
