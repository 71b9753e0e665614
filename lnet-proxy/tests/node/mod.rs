//! A node at the other end of TCP, and a daemon at the other end of the link.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use bytes::{Bytes, BytesMut};
use lnet_proxy::link::{self, FrameLink};
use lnet_proxy::{Config, Handle, Link, spawn};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::lnet::{Handle as Wire, Header, Message};
use wire::relay::Frame;
use wire::socklnd::{ConnReq, ConnType, Frame as SockFrame, Hello, MsgHeader, MsgKind, Step};
use wire::{Nid, Order};

pub fn nid(text: &str) -> Nid {
    text.parse().unwrap()
}
pub fn mgs() -> Nid {
    nid("127.0.0.1@tcp")
}
pub fn client() -> Nid {
    nid("10.77.0.4@tcp")
}

pub fn config() -> Config {
    Config::new(vec![mgs()]).with_port(0)
}

pub fn welcome() -> Frame {
    let (mgs_uuid, daemon) = ("u".to_owned(), "d".to_owned());
    Frame::Welcome { version: 1, features: 0, mgs_uuid, daemon, max_inflight: 0, max_bytes: 0 }
}

pub async fn greet(daemon: &mut FrameLink) {
    let Some(Frame::Hello { nids, .. }) = daemon.rx.recv().await else { panic!("no Hello") };
    assert_eq!(nids, [mgs()]);
    daemon.tx.send(welcome()).await.unwrap();
}

pub async fn start(config: Config) -> (Handle, FrameLink) {
    let (near, mut far) = link::pair();
    let handle = spawn(config, Link::Memory(near)).unwrap();
    greet(&mut far).await;
    (handle, far)
}

/// A node at the other end of one TCP connection.
pub struct Node {
    pub stream: TcpStream,
    pub buffer: BytesMut,
}

impl Node {
    pub async fn connect(at: SocketAddr, ctype: ConnType) -> Self {
        Self::connect_as(at, &hello(ctype)).await
    }
    pub async fn connect_as(at: SocketAddr, hello: &Hello) -> Self {
        let stream = TcpStream::connect(at).await.unwrap();
        let mut node = Self { stream, buffer: BytesMut::new() };
        let request = ConnReq { version: 1, nid: mgs() }.to_bytes(Order::Little);
        node.stream.write_all(&request).await.unwrap();
        node.stream.write_all(&hello.to_bytes(Order::Little)).await.unwrap();
        assert_eq!(node.read(Hello::parse).await.0.ctype, hello.ctype.inverted());
        node
    }
    pub async fn read<T>(&mut self, parse: impl Fn(&[u8]) -> wire::Result<Step<T>>) -> T {
        loop {
            match parse(&self.buffer).unwrap() {
                Step::Done(found, taken) => {
                    let _ = self.buffer.split_to(taken);
                    return found;
                }
                Step::Need(_) => {
                    assert_ne!(self.stream.read_buf(&mut self.buffer).await.unwrap(), 0, "closed");
                }
            }
        }
    }
    pub async fn message(&mut self) -> (Header, Bytes) {
        match self.read(|bytes| SockFrame::parse(&BytesMut::from(bytes), 3, Order::Little)).await {
            SockFrame::Lnet(_, header, payload) => (header, payload),
            SockFrame::Noop(_) => panic!("NOOP"),
        }
    }
    pub async fn send(&mut self, msg: Message, payload: &[u8]) {
        self.send_from(client(), msg, payload).await;
    }
    pub async fn send_from(&mut self, src: Nid, msg: Message, payload: &[u8]) {
        let head = MsgHeader { kind: MsgKind::Lnet, csum: 0, zc_cookies: [0, 0] };
        let payload_len = payload.len().try_into().unwrap();
        let header = Header { dest: mgs(), src, dest_pid: 12345, src_pid: 12345, payload_len, msg };
        let frame = SockFrame::Lnet(head, header, Bytes::copy_from_slice(payload));
        self.stream.write_all(&frame.to_bytes(3, Order::Little)).await.unwrap();
    }
}

pub fn hello(ctype: ConnType) -> Hello {
    Hello {
        version: 3,
        src_nid: client(),
        dst_nid: mgs(),
        src_pid: 12345,
        dst_pid: 0,
        src_incarnation: 5,
        dst_incarnation: 0,
        ctype,
        ips: vec![],
    }
}

pub fn put(portal: u32, match_bits: u64) -> Message {
    Message::Put { ack: Wire::NONE, match_bits, hdr_data: 0, portal, offset: 0 }
}

pub fn post(cookie: u64, want_ack: bool, payload: Vec<u8>) -> Frame {
    Frame::Post {
        cookie,
        peer: client(),
        local: mgs(),
        incarnation: 5,
        portal: 25,
        match_bits: 9,
        offset: 0,
        want_ack,
        payload: payload.into(),
    }
}
