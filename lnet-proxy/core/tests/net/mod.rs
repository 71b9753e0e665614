//! A proxy with an instant network, a daemon that listens, and virtual time.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use bytes::{Bytes, BytesMut};
use lnet_core::{Config, ConnId, Event, Input, Output, Proxy};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use wire::lnet::{Header, Message};
use wire::relay::Frame;
use wire::socklnd::{ConnReq, ConnType, Frame as SockFrame, Hello, MsgHeader, MsgKind, Step};
use wire::{Nid, Order};

pub const OWN_INCARNATION: u64 = 0x1122_3344_5566_7788;

pub fn nid(text: &str) -> Nid {
    text.parse().unwrap()
}
pub fn mgs() -> Nid {
    nid("192.168.1.10@tcp")
}
pub fn client() -> Nid {
    nid("192.168.1.20@tcp")
}
pub fn config() -> Config {
    Config::new(vec![mgs()], OWN_INCARNATION)
}

pub struct Net {
    pub proxy: Proxy,
    pub now: Duration,
    /// Frames to the daemon, in order.
    pub relay: Vec<Frame>,
    /// Bytes to each connection.
    pub written: BTreeMap<ConnId, Vec<u8>>,
    /// Closed connections, and whether they are to be drained.
    pub closed: BTreeMap<ConnId, bool>,
    pub dials: Vec<(ConnId, Nid, ConnType)>,
    pub links_dropped: Vec<String>,
    pub events: Vec<Event>,
    /// The listener is open.
    pub listening: bool,
    /// TCP and link take everything at once.
    pub flows: bool,
    /// The daemon answers no Ping, which then stays in `relay`.
    pub hangs: bool,
}

impl Net {
    /// With a daemon that has said Welcome.
    pub fn new(config: Config) -> Self {
        let mut net = Self::without_daemon(config);
        net.link_up();
        net.relay.clear();
        net
    }
    pub fn without_daemon(config: Config) -> Self {
        Self {
            proxy: Proxy::new(config),
            now: Duration::from_secs(1000),
            relay: Vec::new(),
            written: BTreeMap::new(),
            closed: BTreeMap::new(),
            dials: Vec::new(),
            links_dropped: Vec::new(),
            events: Vec::new(),
            listening: true,
            flows: true,
            hangs: false,
        }
    }
    pub fn link_up(&mut self) {
        self.link_up_with(0);
    }
    pub fn link_up_with(&mut self, features: u64) {
        self.input(Input::LinkUp);
        self.frame(Frame::Welcome {
            version: 1,
            features,
            mgs_uuid: "u".into(),
            daemon: "d".into(),
            max_inflight: 0,
            max_bytes: 0,
        });
    }
    pub fn input(&mut self, input: Input) {
        self.proxy.handle(input, self.now);
        self.run();
    }
    pub fn frame(&mut self, frame: Frame) {
        self.input(Input::Relay(frame));
    }
    pub fn bytes(&mut self, conn: ConnId, bytes: &[u8]) {
        self.input(Input::Bytes { conn, bytes: Bytes::copy_from_slice(bytes) });
    }
    fn run(&mut self) {
        while let Some(output) = self.proxy.poll_output() {
            match output {
                Output::Write { conn, bytes } => {
                    assert!(!self.closed.contains_key(&conn), "write after close");
                    self.written.entry(conn).or_default().extend_from_slice(&bytes);
                    if self.flows {
                        self.proxy.handle(Input::Flushed { conn, bytes: bytes.len() }, self.now);
                    }
                }
                Output::Close { conn, drain } => {
                    assert_eq!(self.closed.insert(conn, drain), None, "closed twice");
                }
                Output::Dial { conn, peer, ctype, .. } => self.dials.push((conn, peer, ctype)),
                Output::Relay(Frame::Ping { token }) if !self.hangs => {
                    self.proxy.handle(Input::LinkFlushed { frames: 1 }, self.now);
                    self.proxy.handle(Input::Relay(Frame::Pong { token }), self.now);
                }
                Output::Relay(frame) => {
                    self.relay.push(frame);
                    if self.flows {
                        self.proxy.handle(Input::LinkFlushed { frames: 1 }, self.now);
                    }
                }
                Output::DropLink { reason } => self.links_dropped.push(reason),
                Output::Listen { open } => {
                    assert_ne!(self.listening, open, "said twice");
                    self.listening = open;
                }
                Output::Event(event) => self.events.push(event),
            }
        }
    }
    /// Lets time pass, waking the proxy whenever it wants to be.
    pub fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(at) = self.proxy.poll_timeout().filter(|at| *at <= end) {
            assert!(at >= self.now, "a deadline in the past");
            self.now = at;
            self.input(Input::Tick);
            assert_ne!(self.proxy.poll_timeout(), Some(at), "a deadline that does not go away");
        }
        self.now = end;
    }
    pub fn accept(&mut self) -> ConnId {
        self.proxy.accept(SocketAddr::from((Ipv4Addr::new(192, 168, 1, 20), 1023)), self.now).unwrap()
    }
    /// A peer connects and greets; checks our HELLO.
    pub fn connect(&mut self, peer: Nid, incarnation: u64, ctype: ConnType) -> ConnId {
        let conn = self.accept();
        self.bytes(conn, &ConnReq { version: 1, nid: mgs() }.to_bytes(Order::Little));
        self.bytes(conn, &hello(peer, incarnation, ctype).to_bytes(Order::Little));
        let answer = self.take(conn);
        let Step::Done((ours, _), taken) = Hello::parse(&answer).unwrap() else {
            panic!("no HELLO: {answer:?}")
        };
        assert_eq!(ours.ctype, ctype.inverted());
        assert_eq!((ours.src_nid, ours.dst_nid), (mgs(), peer));
        // What had waited for the connection follows.
        *self.written.entry(conn).or_default() = answer[taken..].to_vec();
        conn
    }
    /// All three connections: CONTROL, BULK_IN, BULK_OUT as the peer sees them.
    pub fn connect_all(&mut self, peer: Nid, incarnation: u64) -> [ConnId; 3] {
        [ConnType::Control, ConnType::BulkIn, ConnType::BulkOut]
            .map(|ctype| self.connect(peer, incarnation, ctype))
    }
    /// A dialled peer takes the call and greets.
    pub fn answer_dial(&mut self, conn: ConnId, reply: &Hello) -> (ConnReq, Hello) {
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 988));
        self.input(Input::Dialled { conn, result: Ok((at, at)) });
        let sent = self.take(conn);
        let Step::Done((request, _), n) = ConnReq::parse(&sent).unwrap() else { panic!("no request") };
        let Step::Done((hello, _), m) = Hello::parse(&sent[n..]).unwrap() else { panic!("no HELLO") };
        assert_eq!(sent.len(), n + m);
        self.bytes(conn, &reply.to_bytes(Order::Little));
        (request, hello)
    }
    /// Bytes written to a connection since the last look.
    pub fn take(&mut self, conn: ConnId) -> Vec<u8> {
        self.written.remove(&conn).unwrap_or_default()
    }
    /// The same as messages.
    pub fn messages(&mut self, conn: ConnId) -> Vec<SockFrame> {
        let mut bytes = BytesMut::from(self.take(conn).as_slice());
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let Step::Done(frame, taken) = SockFrame::parse(&bytes, 3, Order::Little).unwrap() else {
                panic!("half a message was written");
            };
            let _ = bytes.split_to(taken);
            found.push(frame);
        }
        found
    }
    pub fn is_closed(&self, conn: ConnId) -> bool {
        self.closed.contains_key(&conn)
    }
    pub fn send(&mut self, conn: ConnId, from: Nid, msg: Message, payload: &[u8]) {
        self.bytes(conn, &message(from, msg, payload));
    }
}

pub fn hello(peer: Nid, incarnation: u64, ctype: ConnType) -> Hello {
    Hello {
        version: 3,
        src_nid: peer,
        dst_nid: mgs(),
        src_pid: 12345,
        dst_pid: 0,
        src_incarnation: incarnation,
        dst_incarnation: 0,
        ctype,
        ips: vec![],
    }
}

pub fn message(from: Nid, msg: Message, payload: &[u8]) -> Vec<u8> {
    with_cookies(from, [0, 0], msg, payload)
}

pub fn with_cookies(from: Nid, zc_cookies: [u64; 2], msg: Message, payload: &[u8]) -> Vec<u8> {
    let head = MsgHeader { kind: MsgKind::Lnet, csum: 0, zc_cookies };
    let header = Header {
        dest: mgs(),
        src: from,
        dest_pid: 12345,
        src_pid: 12345,
        payload_len: payload.len() as u32,
        msg,
    };
    SockFrame::Lnet(head, header, Bytes::copy_from_slice(payload)).to_bytes(3, Order::Little)
}

pub fn put(portal: u32, match_bits: u64) -> Message {
    Message::Put { ack: wire::lnet::Handle::NONE, match_bits, hdr_data: 0, portal, offset: 0 }
}

pub fn post(cookie: u64, incarnation: u64, want_ack: bool, payload: &[u8]) -> Frame {
    Frame::Post {
        cookie,
        peer: client(),
        local: mgs(),
        incarnation,
        portal: 25,
        match_bits: 7,
        offset: 0,
        want_ack,
        payload: Bytes::copy_from_slice(payload),
    }
}

/// From text as it stands in the protocol documents.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '|')
        .map(|c| c.to_digit(16).unwrap() as u8)
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
