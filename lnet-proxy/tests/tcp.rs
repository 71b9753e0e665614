//! The driver over real sockets on the loopback, all ports chosen by the system.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod node;

use bytes::BytesMut;
use lnet_proxy::link::{self, RelayListener};
use lnet_proxy::{Config, DialOverride, Link, spawn};
use node::{Node, client, config, greet, hello, mgs, nid, post, put, start};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wire::lnet::{Handle as Wire, Message, PING_MATCH_BITS, PingInfo};
use wire::relay::{Frame, PostStatus};
use wire::socklnd::{ConnReq, ConnType, Hello};
use wire::{Nid, Order};

#[tokio::test]
async fn ping_request_reply_and_goodbye() {
    let (handle, mut daemon) = start(config()).await;
    let at = handle.addresses[0];
    let mut control = Node::connect(at, ConnType::Control).await;
    let ret = Wire([7; 16]);
    let get = Message::Get { ret, match_bits: PING_MATCH_BITS, portal: 0, src_offset: 0, sink_length: 272 };
    control.send(get, b"").await;
    let (header, payload) = control.message().await;
    assert_eq!(header.msg, Message::Reply { dst: ret });
    assert_eq!(PingInfo::decode(&payload).unwrap().0.nis[1].nid, mgs());

    let mut bulk_in = Node::connect(at, ConnType::BulkIn).await;
    control.send(put(26, 9), b"request").await;
    let Some(Frame::PeerUp { slot: 0, incarnation: 5, .. }) = daemon.rx.recv().await else { panic!() };
    let Some(Frame::Deliver { slot: 0, portal: 26, match_bits: 9, payload, .. }) = daemon.rx.recv().await
    else {
        panic!()
    };
    assert_eq!(&payload[..], b"request");
    daemon.tx.send(post(1, false, b"reply".to_vec())).await.unwrap();
    daemon.tx.send(post(2, false, vec![3; 1 << 20])).await.unwrap();
    assert_eq!(&control.message().await.1[..], b"reply");
    assert_eq!(bulk_in.message().await.1, vec![3; 1 << 20]);
    let sent = |cookie| Some(Frame::Done { cookie, status: PostStatus::Sent });
    assert_eq!([daemon.rx.recv().await, daemon.rx.recv().await], [sent(1), sent(2)]);

    drop(control);
    assert_eq!(bulk_in.stream.read_buf(&mut bulk_in.buffer).await.unwrap(), 0, "siblings together");
    assert!(matches!(daemon.rx.recv().await, Some(Frame::PeerDown { slot: 0, .. })));
    let numbers = handle.wait_for(|s| s.connections == 0).await.unwrap();
    assert_eq!((numbers.counters.opened, numbers.counters.delivered, numbers.peers), (2, 1, 0));
    assert!(numbers.counters.entries().any(|entry| entry == ("delivered", 1)));
    handle.shutdown().await;
    assert!(TcpStream::connect(at).await.is_err(), "nobody listens any more");
    assert_eq!(daemon.rx.recv().await, None, "the link ends with the proxy");
}

#[tokio::test]
async fn it_ends_with_the_daemon_of_its_process() {
    let (handle, daemon) = start(config()).await;
    let mut control = Node::connect(handle.addresses[0], ConnType::Control).await;
    drop(daemon);
    handle.ended().await;
    assert_eq!(control.stream.read_buf(&mut control.buffer).await.unwrap(), 0);
    handle.shutdown().await;
}

#[tokio::test]
async fn a_refusal_arrives_before_the_close() {
    let (handle, _daemon) = start(config()).await;
    let mut stream = TcpStream::connect(handle.addresses[0]).await.unwrap();
    stream.write_all(&0x4572_6963_u32.to_le_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, ConnReq { version: 1, nid: Nid::from_u64(0) }.to_bytes(Order::Little));
    handle.wait_for(|s| s.connections == 0 && s.counters.malformed == 1).await.unwrap();
}

/// A peer that has no connection is called, and takes the callback on the connection that suits it.
#[tokio::test]
async fn a_callback_is_dialled() {
    let peer = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = peer.local_addr().unwrap();
    let mut config = config();
    config.dial_override = Some(DialOverride(Arc::new(move |nid| (nid == client()).then_some(at))));
    let (_handle, mut daemon) = start(config).await;
    daemon.tx.send(post(1, true, vec![1; 2000])).await.unwrap();
    let mut nodes = Vec::new();
    for expected in [ConnType::Control, ConnType::BulkIn, ConnType::BulkOut] {
        let (stream, from) = peer.accept().await.unwrap();
        let mut node = Node { stream, buffer: BytesMut::new() };
        assert_eq!(node.read(ConnReq::parse).await.0.nid, client());
        let theirs = node.read(Hello::parse).await.0;
        assert_eq!((theirs.ctype, theirs.src_nid), (expected, mgs()));
        node.stream.write_all(&hello(expected.inverted()).to_bytes(Order::Little)).await.unwrap();
        nodes.push((node, from));
    }
    let (bulk, from) = &mut nodes[2];
    let (header, payload) = bulk.message().await;
    assert_eq!(payload, vec![1; 2000]);
    let Message::Put { ack, .. } = header.msg else { panic!("{header:?}") };
    bulk.send(Message::Ack { dst: ack, match_bits: 9, mlength: 2000 }, b"").await;
    assert!(matches!(daemon.rx.recv().await, Some(Frame::PeerUp { .. })));
    let done = Frame::Done { cookie: 1, status: PostStatus::Acked(2000) };
    assert_eq!(daemon.rx.recv().await, Some(done));
    // Where the system allows it, as kernel peers demand.
    let privileged = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 600)).is_ok();
    assert_eq!(from.port() < 1024, privileged, "source port {}", from.port());
}

#[tokio::test]
async fn nobody_answers_the_call() {
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let mut config = config();
    config.dial_override = Some(DialOverride(Arc::new(move |_| Some(closed))));
    let (_handle, mut daemon) = start(config).await;
    daemon.tx.send(post(1, true, vec![])).await.unwrap();
    let done = Frame::Done { cookie: 1, status: PostStatus::Unreachable };
    assert_eq!(daemon.rx.recv().await, Some(done));
}

/// The daemon goes and comes back over its Unix socket; the peer's connection stays.
#[tokio::test]
async fn connections_outlive_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.sock");
    let handle = spawn(config(), Link::Unix(path.clone())).unwrap();
    let mut control = Node::connect(handle.addresses[0], ConnType::Control).await;
    for round in 0..3 {
        let listener = RelayListener::bind(&path).await.unwrap();
        let (mut daemon, uid) = listener.accept().await.unwrap();
        assert_eq!(uid, uid_of_this_process(&folder));
        greet(&mut daemon).await;
        assert!(matches!(daemon.rx.recv().await, Some(Frame::PeerUp { .. })));
        control.send(put(26, round), &vec![1; 100_000]).await;
        let Some(Frame::Deliver { match_bits, payload, .. }) = daemon.rx.recv().await else { panic!() };
        assert_eq!((match_bits, payload.len()), (round, 100_000));
        drop(daemon);
        handle.wait_for(|s| s.counters.links_lost == round + 1).await.unwrap();
    }
    let again = RelayListener::bind(&path).await.unwrap();
    assert!(RelayListener::bind(&path).await.is_err(), "a living daemon is not replaced");
    drop(again);
    let _left = std::os::unix::net::UnixListener::bind(&path).unwrap();
    drop(_left);
    RelayListener::bind(&path).await.expect("a socket file left by a dead daemon is replaced");
}

/// The owner of a file made by this process.
fn uid_of_this_process(folder: &tempfile::TempDir) -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(folder.path()).unwrap().uid()
}

#[tokio::test]
async fn a_stream_that_is_no_relay_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.sock");
    let listener = RelayListener::bind(&path).await.unwrap();
    let mut stranger = tokio::net::UnixStream::connect(&path).await.unwrap();
    let (mut link, _) = listener.accept().await.unwrap();
    stranger.write_all(&u32::MAX.to_le_bytes()).await.unwrap();
    assert_eq!(link.rx.recv().await, None);
}

#[tokio::test]
async fn addresses_that_cannot_be_bound_say_so() {
    let refusal = |config: Config| {
        let (near, _far) = link::pair();
        spawn(config, Link::Memory(near)).unwrap_err().to_string()
    };
    let text = refusal(Config::new(vec![nid("192.0.2.1@tcp")]).with_port(0));
    assert!(text.starts_with("192.0.2.1:0: not an address of this host"), "{text}");
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut config = config();
    config.bind = vec![taken.local_addr().unwrap()];
    let text = refusal(config);
    assert!(text.contains("in use by another process"), "{text}");
}

/// Two NIDs on two addresses, one proxy; a third NID that shares an address.
#[tokio::test]
async fn every_nid_is_listened_on() {
    let mut config = Config::new(vec![mgs(), nid("127.0.0.2@tcp"), nid("127.0.0.2@tcp1")]).with_port(0);
    config.bind = Vec::new();
    let (near, _far) = link::pair();
    let handle = spawn(config, Link::Memory(near)).unwrap();
    let ips: Vec<IpAddr> = handle.addresses.iter().map(SocketAddr::ip).collect();
    assert!(ips.contains(&"127.0.0.1".parse().unwrap()) && ips.contains(&"127.0.0.2".parse().unwrap()));
    for at in &handle.addresses {
        Node::connect(*at, ConnType::Control).await;
    }
}
