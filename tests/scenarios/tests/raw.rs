//! What no well-behaved node of ours shows: requests put together by hand, over TCP to mgsd. Match bits that differ from the
//! xid, the status at the end of a log, security flavors that are not served.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use bytes::{Bytes, BytesMut};
use scenarios::daemon::Daemon;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::llog_rpc::LlogdBody;
use wire::lnet::{Handle, Header, Message as Lnet, PING_MATCH_BITS, portal};
use wire::ptlrpc::{Body, ConnectData, ConnectRequest, Message, connect_flags as cf, msg_type, opc, version};
use wire::socklnd::{ConnReq, ConnType, Frame, Hello, LNET_PID, MsgHeader, MsgKind, Step};
use wire::{Codec, Nid, Order};

const MGS: &str = "10.0.0.1@tcp";
const NODE: &str = "10.0.0.7@tcp";
/// What a node of 2.17 asks for.
const ASKED: u64 = 0xa000_4110_0100_2060;

fn nid(text: &str) -> Nid {
    text.parse().unwrap()
}

/// A node, one TCP connection, no manners.
struct Raw {
    /// Of its own: where one connection of a node ends, the others of that node end, too.
    node: Nid,
    stream: TcpStream,
    buffer: BytesMut,
    /// From the MGS.
    handle: u64,
}

impl Raw {
    /// Connects as a release, which has the match bits of replies follow `pb_mbits`, or not.
    async fn connect(daemon: &Daemon, node: &str, release: u32, by_mbits: bool) -> Self {
        let stream = TcpStream::connect(daemon.lnet).await.unwrap();
        let mut raw = Self { node: nid(node), stream, buffer: BytesMut::new(), handle: 0 };
        let hello = Hello {
            version: 3,
            src_nid: raw.node,
            dst_nid: nid(MGS),
            src_pid: LNET_PID,
            dst_pid: 0,
            src_incarnation: 5,
            dst_incarnation: 0,
            ctype: ConnType::Control,
            ips: Vec::new(),
        };
        let request = ConnReq { version: 1, nid: nid(MGS) };
        raw.stream.write_all(&request.to_bytes(Order::Little)).await.unwrap();
        raw.stream.write_all(&hello.to_bytes(Order::Little)).await.unwrap();
        raw.read(Hello::parse).await;
        let flags2 = if by_mbits { cf::REP_MBITS } else { 0 };
        let data = ConnectData { flags: ASKED, flags2, version: release, ..ConnectData::default() };
        let connect = ConnectRequest {
            target: "MGS".to_owned(),
            client_uuid: format!("raw-{release:x}-{by_mbits}"),
            callback_cookie: 0xcb,
            data,
            sepol: Some(Bytes::new()),
        };
        let buffers = connect.to_buffers(Order::Little).into_iter().collect();
        let body = Body { op_flags: 0x20, ..raw.body(opc::MGS_CONNECT, version::OBD) };
        raw.ask(0x80, &body, buffers, 0).await;
        let (bits, reply) = raw.reply().await;
        assert_eq!((bits, reply.body().unwrap().status), (0x80, 0));
        raw.handle = reply.body().unwrap().handle;
        raw
    }

    fn body(&self, opc: u32, kind: u32) -> Body {
        let (handle, msg_type) = (self.handle, msg_type::REQUEST);
        let version = kind | version::PTLRPC;
        Body { handle, msg_type, version, opc, conn_cnt: 1, timeout: 11, ..Body::default() }
    }

    async fn read<T>(&mut self, parse: impl Fn(&[u8]) -> wire::Result<Step<T>>) -> T {
        loop {
            if let Step::Done(found, taken) = parse(&self.buffer).unwrap() {
                let _ = self.buffer.split_to(taken);
                return found;
            }
            assert_ne!(self.stream.read_buf(&mut self.buffer).await.unwrap(), 0, "closed");
        }
    }

    async fn lnet(&mut self, msg: Lnet, payload: Bytes) {
        let head = MsgHeader { kind: MsgKind::Lnet, csum: 0, zc_cookies: [0, 0] };
        let header = Header {
            dest: nid(MGS),
            src: self.node,
            dest_pid: LNET_PID,
            src_pid: LNET_PID,
            payload_len: payload.len().try_into().unwrap(),
            msg,
        };
        let bytes = Frame::Lnet(head, header, payload).to_bytes(3, Order::Little);
        self.stream.write_all(&bytes).await.unwrap();
    }

    async fn ask(&mut self, xid: u64, body: &Body, buffers: Vec<Bytes>, flavor: u32) {
        let mut message = Message::new(body, buffers);
        message.secflvr = flavor;
        let (ack, portal) = (Handle::NONE, portal::MGS_REQUEST);
        let put = Lnet::Put { ack, match_bits: xid, hdr_data: 0, portal, offset: 0 };
        self.lnet(put, message.to_bytes()).await;
    }

    /// The next reply, and where it was sent to.
    async fn reply(&mut self) -> (u64, Message) {
        let parse = |bytes: &[u8]| Frame::parse(&BytesMut::from(bytes), 3, Order::Little);
        let Frame::Lnet(_, header, payload) = self.read(parse).await else { panic!("a NOOP") };
        let Lnet::Put { match_bits, portal: portal::MGC_REPLY, .. } = header.msg else {
            panic!("{header:?}")
        };
        (match_bits, Message::decode(&payload).unwrap())
    }

    async fn call(&mut self, xid: u64, body: &Body, buffers: Vec<Bytes>) -> Message {
        self.ask(xid, body, buffers, 0).await;
        let (bits, reply) = self.reply().await;
        assert_eq!(bits, xid);
        reply
    }
}

async fn daemon() -> Daemon {
    Daemon::start(nid(MGS), Duration::from_secs(400)).await.unwrap()
}

/// 2.12 and 2.15 listen under the xid, later ones under the match bits that they name, which differ once a request is sent
/// again.
#[tokio::test(flavor = "multi_thread")]
async fn replies_go_where_the_node_listens() {
    let daemon = daemon().await;
    let nodes = [
        ("10.0.1.1@tcp", 0x020c_0900, false),
        ("10.0.1.2@tcp", 0x020f_0600, true),
        ("10.0.1.3@tcp", 0x0211_3900, true),
    ];
    for (node, release, by_mbits) in nodes {
        let mut raw = Raw::connect(&daemon, node, release, by_mbits).await;
        let mbits = 0x7000;
        let ping = Body { mbits, ..raw.body(opc::OBD_PING, version::OBD) };
        raw.ask(0x100, &ping, vec![], 0).await;
        let (bits, reply) = raw.reply().await;
        assert_eq!((bits, reply.body().unwrap().status), (if by_mbits { mbits } else { 0x100 }, 0));
        // A handle that is not known may come from either kind: it is answered under both.
        let lost = Body { handle: 1, mbits, ..ping };
        raw.ask(0x180, &lost, vec![], 0).await;
        let answers = [raw.reply().await, raw.reply().await];
        assert_eq!(answers.each_ref().map(|(bits, _)| *bits), [0x180, mbits]);
        assert!(answers.iter().all(|(_, m)| m.body().unwrap().status == -107), "ENOTCONN");
    }
    daemon.stop().await.unwrap();
}

/// -EIO before 2.17, -EBADR from 2.17 on, with the reader's place in both.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_log_has_the_status_of_the_release() {
    const EIO: i32 = -5;
    const EBADR: i32 = -53;
    let daemon = daemon().await;
    let releases = [
        (0x020c_0900, EIO),
        (0x020f_0600, EIO),
        (0x0210_0000, EIO),
        (0x0210_ffff, EIO),
        (0x0211_0000, EBADR),
        (0x0211_3900, EBADR),
    ];
    for (n, (release, status)) in releases.into_iter().enumerate() {
        let mut raw = Raw::connect(&daemon, &format!("10.0.1.{n}@tcp"), release, false).await;
        let body = |raw: &Raw, opc| raw.body(opc, version::LOG);
        let empty = LlogdBody::default().to_vec(Order::Little).into();
        let open = body(&raw, opc::LLOG_ORIGIN_HANDLE_CREATE);
        let opened = raw.call(0x100, &open, vec![empty, Bytes::from_static(b"params\0")]).await;
        let opened = LlogdBody::from_slice(&opened.buffers[1], Order::Little).unwrap();
        let past: Bytes = LlogdBody { index: 1, cur_offset: 8192, ..opened }.to_vec(Order::Little).into();
        let next = body(&raw, opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK);
        let end = raw.call(0x180, &next, vec![past]).await;
        assert_eq!(end.body().unwrap().status, status, "{release:#x}");
        let place = LlogdBody::from_slice(&end.buffers[1], Order::Little).unwrap();
        assert_eq!((place.cur_offset, end.buffers.len()), (8192, 3));
    }
    daemon.stop().await.unwrap();
}

/// Dropped, as a kernel does: there is no answer that would tell the node what to do. But not silently: LNet answers, a
/// counter counts, and `mgsctl why` names node, flavor and remedy.
#[tokio::test(flavor = "multi_thread")]
async fn a_security_flavor_is_dropped_and_named() {
    let daemon = daemon().await;
    let mut raw = Raw::connect(&daemon, NODE, 0x0211_3900, false).await;
    // plain, krb5p, one that nobody knows, and the negotiation of a GSS context.
    let flavors =
        [(opc::OBD_PING, 0x21001), (opc::OBD_PING, 0x62012), (opc::OBD_PING, 0xfffff), (801, 0x62012)];
    for (n, (code, flavor)) in (0..).zip(flavors) {
        let body = raw.body(code, version::OBD);
        raw.ask(0x1000 + n * 0x80, &body, vec![], 0x0300_0000 | flavor).await;
    }
    let (ret, match_bits) = (Handle([7; 16]), PING_MATCH_BITS);
    raw.lnet(Lnet::Get { ret, match_bits, portal: 0, src_offset: 0, sink_length: 272 }, Bytes::new()).await;
    let parse = |bytes: &[u8]| Frame::parse(&BytesMut::from(bytes), 3, Order::Little);
    let Frame::Lnet(_, header, _) = raw.read(parse).await else { panic!("a NOOP") };
    assert_eq!(header.msg, Lnet::Reply { dst: ret }, "nothing before it, and the connection is fine");
    // The sending part says "MGC"; the flavor is null: served.
    let ping = raw.body(opc::OBD_PING, version::OBD);
    raw.ask(0x2000, &ping, vec![], 0x0300_0000).await;
    assert_eq!(raw.reply().await.0, 0x2000);
    let counters = daemon.api.status().await.unwrap().counters;
    assert_eq!(counters.get("dropped_flavor"), Some(&4));
    let why = daemon.api.why(NODE).await.unwrap().items;
    for (_, flavor) in flavors {
        let named = why.iter().find(|d| d.op == "dropped" && d.why.contains(&format!("{flavor:#x}")));
        assert!(named.is_some_and(|d| d.nid == NODE && d.why.contains("mgssec")), "{flavor:#x}: {why:?}");
    }
    daemon.stop().await.unwrap();
}
