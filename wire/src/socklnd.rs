//! socklnd: acceptor request, HELLO, message header.
use crate::{Codec, Nid, Order, Reader, Result, Writer};

/// LNet process id of every Lustre node.
pub const LNET_PID: u32 = 12345;
/// Largest LNet payload.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// First bytes of the connecting side (acceptor connection request).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnReq {
    /// 1 or 2; chosen by the size of the address when sending.
    pub version: u32,
    /// The NID dialled.
    pub nid: Nid,
}
/// What a stream decoder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// Not yet enough bytes: at least so many in all.
    Need(usize),
    /// A value, and how many bytes it took.
    Done(T, usize),
}
impl ConnReq {
    /// Incremental decode from the start of a stream; tells the byte order of the sender too.
    pub fn parse(_bytes: &[u8]) -> Result<Step<(Self, Order)>> {
        todo!()
    }
    /// The bytes to send.
    pub fn to_bytes(&self, _order: Order) -> Vec<u8> {
        todo!()
    }
}

/// Type of a connection as its owner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnType {
    /// Refusal: try again, or another version.
    None,
    /// Untyped.
    Any,
    /// Small messages.
    Control,
    /// Node receives bulk here, and sends ZC-ACK and keepalive NOOPs.
    BulkIn,
    /// Node sends bulk here.
    BulkOut,
}
impl ConnType {
    /// The same connection seen from the other end.
    pub fn inverted(self) -> Self {
        todo!()
    }
}
/// HELLO V2, V3 (56 bytes + addresses) or V4 (80 bytes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// 2, 3 or 4.
    pub version: u32,
    /// Sender.
    pub src_nid: Nid,
    /// Receiver.
    pub dst_nid: Nid,
    /// 12345.
    pub src_pid: u32,
    /// Not filled by kernels.
    pub dst_pid: u32,
    /// Changes with each start of the sender.
    pub src_incarnation: u64,
    /// Not filled by kernels.
    pub dst_incarnation: u64,
    /// As the sender sees the connection.
    pub ctype: ConnType,
    /// IPv4 addresses (V2/V3; kernels send none, at most 16).
    pub ips: Vec<u32>,
}
impl Hello {
    /// Incremental decode; tells the sender's order too.
    pub fn parse(_bytes: &[u8]) -> Result<Step<(Self, Order)>> {
        todo!()
    }
    /// The bytes to send.
    pub fn to_bytes(&self, _order: Order) -> Vec<u8> {
        todo!()
    }
}

/// `ksock_msg_hdr`, 24 bytes.
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
impl Codec for MsgHeader {
    fn decode(_r: &mut Reader<'_>) -> Result<Self> {
        todo!()
    }
    fn encode(&self, _w: &mut Writer) {
        todo!()
    }
}
/// One message on the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Keepalive or ZC-ACK.
    Noop(MsgHeader),
    /// LNet message with its payload.
    Lnet(MsgHeader, crate::lnet::Header, bytes::Bytes),
}
impl Frame {
    /// Incremental decode; `version` and `order` are those of the connection's HELLO. Payload above 1 MiB is an error
    /// as soon as the header is there.
    pub fn parse(_bytes: &bytes::BytesMut, _version: u32, _order: Order) -> Result<Step<Self>> {
        todo!()
    }
    /// The bytes to send.
    pub fn to_bytes(&self, _version: u32, _order: Order) -> Vec<u8> {
        todo!()
    }
}
