//! Relay v1: the frames between lnet-proxy and mgsd (docs/relay.md).
use crate::cursor::len32;
use crate::{Nid, Order, Reader, Result, Writer};
use bytes::{Bytes, BytesMut};

mod fields;

/// Largest frame, its length word not counted: 1 MiB of payload and 64 KiB around it.
pub const MAX_FRAME: usize = (1 << 20) + (64 << 10);
/// Version spoken.
pub const VERSION: u16 = 1;

/// Feature bits: offered in Hello, and valid on a link when the Welcome names them too.
pub mod feature {
    /// Deliveries need credit from the first one on: see [`super::credit`].
    pub const CREDIT: u64 = 1;
}

/// What a Credit is for, if not for the peer of a slot.
pub mod credit {
    /// The link: all peers together.
    pub const LINK: u32 = u32::MAX;
    /// Each peer: those announced get it, and those to come begin with it.
    pub const EACH_PEER: u32 = u32::MAX - 1;
}

/// State of a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DaemonState {
    Ready,
    Draining,
    Down,
}
/// Fate of a posted message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostStatus {
    /// Handed to TCP, no ACK was wanted.
    Sent,
    /// The peer's LNet ACK came; bytes accepted.
    Acked(u32),
    /// No connection could be made.
    Unreachable,
    /// The peer has another incarnation by now.
    Stale,
}
/// A frame.
///
/// ```text
///  0        4      5                          4 + length
///  +--------+------+---------------+----------+
///  | length | kind | fields        | payload  |     all little endian; length = kind + fields + payload,
///  | u32    | u8   |               |          |     at most MAX_FRAME
///  +--------+------+---------------+----------+
///
///  kind         fields, in this order                                                             payload
///   1 Hello     u16 min, u16 max, u64 features, text identity, u16 n, n x nid                     -
///   2 Welcome   u16 version, u64 features, text mgs_uuid, text daemon, u32 inflight, u64 bytes    -
///   3 View      u16 n, n x { text daemon, u8 state: 0 ready, 1 draining, 2 down }                 -
///   4 PeerUp    u32 slot, nid peer, nid local, u64 incarnation, text remote,
///               u8 routed, nid gateway (only with routed = 1)                                     -
///   5 PeerDown  u32 slot, text reason                                                             -
///   6 Deliver   u32 slot, u64 incarnation, u32 portal, u64 match bits, u32 offset                 the PUT's
///   7 Post      u64 cookie, nid peer, nid local, u64 incarnation, u32 portal, u64 match bits,
///               u32 offset, u8 want_ack                                                           the PUT's
///   8 Done      u64 cookie, u8 status: 0 sent, 1 acked, 2 unreachable, 3 stale, u32 bytes acked   -
///   9 Fetch     u64 cookie, nid peer, nid local, u64 incarnation, u32 portal, u64 match bits,
///               u32 length                                                                        -
///  10 Fetched   u64 cookie, u8 ok                                                                 the REPLY's
///  11 Credit    u32 slot (or the link, or each peer: [`credit`]), u32 count                       -
///  12 Ping      u64 token                                                                         -
///  13 Pong      u64 token                                                                         -
///  14 Drain                                                                                       -
///
///  text = u16 length, UTF-8 bytes     nid = the 20 bytes of struct lnet_nid     flags: 0 or 1
/// ```
///
/// A frame is exactly as long as its fields say: what grows gets a new version or a feature bit, not a tail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Frame {
    /// Both: first frame of the proxy.
    Hello {
        min_version: u16,
        max_version: u16,
        features: u64,
        identity: String,
        nids: Vec<Nid>,
    },
    /// Daemon's answer.
    Welcome {
        version: u16,
        features: u64,
        mgs_uuid: String,
        daemon: String,
        max_inflight: u32,
        max_bytes: u64,
    },
    /// Daemons known.
    View {
        daemons: Vec<(String, DaemonState)>,
    },
    /// A peer has at least one connection. `slot` is the proxy's short name for it.
    PeerUp {
        slot: u32,
        peer: Nid,
        local: Nid,
        incarnation: u64,
        remote: String,
        gateway: Option<Nid>,
    },
    /// All its connections are gone, or it rebooted.
    PeerDown {
        slot: u32,
        reason: String,
    },
    /// A PUT from a peer on an MGS portal.
    Deliver {
        slot: u32,
        incarnation: u64,
        portal: u32,
        match_bits: u64,
        offset: u32,
        payload: Bytes,
    },
    /// A PUT to a peer.
    Post {
        cookie: u64,
        peer: Nid,
        local: Nid,
        incarnation: u64,
        portal: u32,
        match_bits: u64,
        offset: u32,
        want_ack: bool,
        payload: Bytes,
    },
    /// Its fate.
    Done {
        cookie: u64,
        status: PostStatus,
    },
    /// A GET from a peer.
    Fetch {
        cookie: u64,
        peer: Nid,
        local: Nid,
        incarnation: u64,
        portal: u32,
        match_bits: u64,
        length: u32,
    },
    /// Its result; `None`: it failed.
    Fetched {
        cookie: u64,
        payload: Option<Bytes>,
    },
    /// Deliveries the other side may still send: for the link (`slot` = `u32::MAX`) or for a peer.
    Credit {
        slot: u32,
        count: u32,
    },
    Ping {
        token: u64,
    },
    Pong {
        token: u64,
    },
    /// No new peers, please.
    Drain,
}
impl Frame {
    /// One frame from the start of a stream: u32 length (little endian), then the frame. `None`: more bytes needed.
    /// Copies the payload; [`Frame::split`] does not.
    ///
    /// # Errors
    /// A length of 0 or above [`MAX_FRAME`], as soon as 4 bytes are there; an unknown kind; fields that do not fill the
    /// length exactly; text that is not UTF-8. The stream cannot be read on.
    pub fn parse(buf: &[u8]) -> Result<Option<(Self, usize)>> {
        let Some(total) = fields::total(buf)? else { return Ok(None) };
        let Some(frame) = buf.get(4..total) else { return Ok(None) };
        Ok(Some((Self::decode(frame, Bytes::copy_from_slice)?, total)))
    }
    /// Like [`Frame::parse`], but takes the frame off the buffer; the payload shares its memory.
    pub fn split(buf: &mut BytesMut) -> Result<Option<Self>> {
        let Some(total) = fields::total(buf)? else { return Ok(None) };
        if buf.len() < total {
            return Ok(None);
        }
        let taken = buf.split_to(total).freeze();
        Self::decode(taken.get(4..).unwrap_or_default(), |payload| taken.slice_ref(payload)).map(Some)
    }
    /// The bytes with their length. Text and lists that do not fit their u16 length are cut; payload is the caller's
    /// to keep within 1 MiB.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new(Order::Little);
        w.u32(0);
        self.encode(&mut w);
        let length = len32(w.len() - 4);
        let mut bytes = w.into_vec();
        if let Some(word) = bytes.first_chunk_mut() {
            *word = length.to_le_bytes();
        }
        bytes
    }
    fn decode(bytes: &[u8], payload: impl Fn(&[u8]) -> Bytes) -> Result<Self> {
        let mut r = Reader::new(bytes, Order::Little);
        let frame = fields::decode(&mut r, payload)?;
        fields::end(&r)?;
        Ok(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    /// Proxy and daemon of different releases meet: these bytes may not change within version 1.
    #[test]
    fn version_1_is_these_bytes() {
        let peer: Nid = "10.0.0.2@tcp".parse().unwrap();
        let local: Nid = "10.0.0.1@tcp".parse().unwrap();
        let (nid2, nid1) =
            ("00 02 0000 0a000002 000000000000000000000000", "00 02 0000 0a000001 000000000000000000000000");
        let payload = Bytes::from_static(b"MGS");
        for (frame, bytes) in [
            (
                Frame::Hello {
                    min_version: 1,
                    max_version: 2,
                    features: 3,
                    identity: "p".into(),
                    nids: vec![local],
                },
                format!("26000000 01 0100 0200 0300000000000000 0100 70 0100 {nid1}"),
            ),
            (
                Frame::Welcome {
                    version: 1,
                    features: 2,
                    mgs_uuid: "u".into(),
                    daemon: "d".into(),
                    max_inflight: 3,
                    max_bytes: 4,
                },
                "1d000000 02 0100 0200000000000000 0100 75 0100 64 03000000 0400000000000000".into(),
            ),
            (
                Frame::View {
                    daemons: vec![("a".into(), DaemonState::Draining), (String::new(), DaemonState::Down)],
                },
                "0a000000 03 0200 0100 61 01 0000 02".into(),
            ),
            (
                Frame::PeerUp {
                    slot: 1,
                    peer,
                    local,
                    incarnation: 2,
                    remote: "r".into(),
                    gateway: Some(local),
                },
                format!("4d000000 04 01000000 {nid2} {nid1} 0200000000000000 0100 72 01 {nid1}"),
            ),
            (
                Frame::PeerUp { slot: 1, peer, local, incarnation: 2, remote: "r".into(), gateway: None },
                format!("39000000 04 01000000 {nid2} {nid1} 0200000000000000 0100 72 00"),
            ),
            (Frame::PeerDown { slot: 1, reason: "é".into() }, "09000000 05 01000000 0200 c3a9".into()),
            (
                Frame::Deliver {
                    slot: 1,
                    incarnation: 2,
                    portal: 26,
                    match_bits: 3,
                    offset: 4,
                    payload: payload.clone(),
                },
                "20000000 06 01000000 0200000000000000 1a000000 0300000000000000 04000000 4d4753".into(),
            ),
            (
                Frame::Post {
                    cookie: 1,
                    peer,
                    local,
                    incarnation: 2,
                    portal: 25,
                    match_bits: 3,
                    offset: 224,
                    want_ack: true,
                    payload: payload.clone(),
                },
                format!(
                    "4d000000 07 0100000000000000 {nid2} {nid1} 0200000000000000 19000000 0300000000000000 e0000000 01 4d4753"
                ),
            ),
            (
                Frame::Done { cookie: 1, status: PostStatus::Sent },
                "0e000000 08 0100000000000000 00 00000000".into(),
            ),
            (
                Frame::Done { cookie: 1, status: PostStatus::Acked(5) },
                "0e000000 08 0100000000000000 01 05000000".into(),
            ),
            (
                Frame::Done { cookie: 1, status: PostStatus::Unreachable },
                "0e000000 08 0100000000000000 02 00000000".into(),
            ),
            (
                Frame::Done { cookie: 1, status: PostStatus::Stale },
                "0e000000 08 0100000000000000 03 00000000".into(),
            ),
            (
                Frame::Fetch {
                    cookie: 1,
                    peer,
                    local,
                    incarnation: 2,
                    portal: 33,
                    match_bits: 3,
                    length: 64,
                },
                format!(
                    "49000000 09 0100000000000000 {nid2} {nid1} 0200000000000000 21000000 0300000000000000 40000000"
                ),
            ),
            (
                Frame::Fetched { cookie: 1, payload: Some(payload) },
                "0d000000 0a 0100000000000000 01 4d4753".into(),
            ),
            (Frame::Fetched { cookie: 1, payload: None }, "0a000000 0a 0100000000000000 00".into()),
            (Frame::Credit { slot: credit::LINK, count: 8 }, "09000000 0b ffffffff 08000000".into()),
            (Frame::Credit { slot: credit::EACH_PEER, count: 8 }, "09000000 0b feffffff 08000000".into()),
            (Frame::Ping { token: 1 }, "09000000 0c 0100000000000000".into()),
            (Frame::Pong { token: 1 }, "09000000 0d 0100000000000000".into()),
            (Frame::Drain, "01000000 0e".into()),
        ] {
            let bytes = hex(&bytes);
            assert_eq!(frame.to_bytes(), bytes, "{frame:?}");
            assert_eq!(Frame::parse(&bytes), Ok(Some((frame, bytes.len()))));
        }
    }

    #[test]
    fn the_largest_payload_fits() {
        let peer: Nid = "fd00::2@tcp".parse().unwrap();
        let frame = Frame::Post {
            cookie: 1,
            peer,
            local: peer,
            incarnation: 2,
            portal: 33,
            match_bits: 3,
            offset: 0,
            want_ack: true,
            payload: vec![7; crate::socklnd::MAX_PAYLOAD].into(),
        };
        let mut buf = BytesMut::from(&frame.to_bytes()[..]);
        assert_eq!(Frame::split(&mut buf), Ok(Some(frame)));
    }

    #[test]
    fn text_that_is_too_long_is_cut_between_characters() {
        let frame = Frame::PeerDown { slot: 0, reason: "é".repeat(40_000) };
        let Ok(Some((Frame::PeerDown { reason, .. }, _))) = Frame::parse(&frame.to_bytes()) else {
            panic!("not a PeerDown")
        };
        assert_eq!(reason, "é".repeat(32_767));
    }
}
