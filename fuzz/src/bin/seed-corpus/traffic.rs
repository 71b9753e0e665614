//! What the recorded nodes and the kernel MGS said to each other.
use bytes::{Bytes, BytesMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use wire::Order;
use wire::lnet::Message;
use wire::rpc::Rpc;
use wire::socklnd::{ConnReq, Frame, Hello, Step};

/// The kernel MGS.
pub(crate) const MGS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2));

/// Whole sessions first: other files repeat parts of them.
const FILES: [(&str, &str); 6] = [
    ("A", "A/A-session"),
    ("B", "B/B-session"),
    ("C", "C/C-session"),
    ("E", "E/E-session"),
    ("E03b", "E/E03b-dup-index-refused-by-mgs"),
    ("E05", "E/E05-client-mount-with-sptlrpc"),
];

/// One direction of one connection.
pub(crate) struct Heard {
    pub(crate) session: &'static str,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    /// The sender dialled.
    pub(crate) dialler: bool,
    /// Acceptor request and HELLO, where the file has the beginning.
    pub(crate) request: Option<Bytes>,
    pub(crate) hello: Option<Bytes>,
    /// Everything, from the first byte on.
    pub(crate) stream: Vec<u8>,
    /// Bytes before the first frame.
    pub(crate) start: usize,
    pub(crate) frames: Vec<(Duration, Frame)>,
}

impl Heard {
    pub(crate) fn touches_mgs(&self) -> bool {
        [self.from.ip(), self.to.ip()].contains(&MGS)
    }
    /// Frames with something to read in them: whether it is a REPLY, the portal, payload, meaning.
    pub(crate) fn payloads(&self) -> impl Iterator<Item = (Duration, Option<u32>, &Bytes, Rpc)> {
        self.frames.iter().filter_map(|(time, frame)| {
            let Frame::Lnet(_, header, payload) = frame else { return None };
            let (portal, rpc) = match header.msg {
                Message::Put { portal, .. } => (Some(portal), Rpc::decode_put(portal, payload)),
                Message::Reply { .. } => (None, Rpc::decode_reply(payload)),
                Message::Ack { .. } | Message::Get { .. } => return None,
            };
            Some((*time, portal, payload, rpc.expect("golden")))
        })
    }
}

/// All of it, in the order of the files.
pub(crate) fn all() -> Vec<Heard> {
    let mut list = Vec::new();
    for (session, file) in FILES {
        let path = capture::vectors_dir().join("captures").join(format!("{file}.pcap.gz"));
        for c in capture::load(&path).unwrap_or_else(|e| panic!("{e}")) {
            list.push(heard(session, &c.to_server, (c.client, c.server), true, c.from_start));
            list.push(heard(session, &c.to_client, (c.server, c.client), false, c.from_start));
        }
    }
    list
}

fn heard(
    session: &'static str,
    stream: &capture::Stream,
    (from, to): (SocketAddr, SocketAddr),
    dialler: bool,
    from_start: bool,
) -> Heard {
    let mut buf = BytesMut::from(&stream.bytes[..]);
    let mut take = |used: usize| buf.split_to(used).freeze();
    let (mut request, mut hello) = (None, None);
    if from_start
        && dialler
        && let Ok(Step::Done(_, used)) = ConnReq::parse(&stream.bytes)
    {
        request = Some(take(used));
    }
    let start = request.as_ref().map_or(0, Bytes::len);
    if from_start && let Ok(Step::Done(_, used)) = Hello::parse(&stream.bytes[start..]) {
        hello = Some(take(used));
    }
    let start = start + hello.as_ref().map_or(0, Bytes::len);
    let mut frames = Vec::new();
    while let Ok(Step::Done(frame, _)) = Frame::split(&mut buf, 3, Order::Little) {
        frames.push((stream.time_of(stream.bytes.len() - buf.len() - 1), frame));
    }
    Heard { session, from, to, dialler, request, hello, stream: stream.bytes.clone(), start, frames }
}
