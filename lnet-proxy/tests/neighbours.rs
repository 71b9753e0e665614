//! Silent, churning and doubled neighbours: an honest node is served all the while, and nothing stays behind.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod node;

use lnet_proxy::Handle;
use node::{Node, client, config, hello, nid, put, start};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use wire::lnet::{Handle as Wire, Message, PING_MATCH_BITS};
use wire::relay::Frame;
use wire::socklnd::ConnType;

async fn ping(node: &mut Node) {
    let ret = Wire([7; 16]);
    let get = Message::Get { ret, match_bits: PING_MATCH_BITS, portal: 0, src_offset: 0, sink_length: 272 };
    node.send(get, b"").await;
    assert_eq!(node.message().await.0.msg, Message::Reply { dst: ret });
}

async fn only_left(handle: &Handle, connections: usize) {
    handle.wait_for(|s| s.connections == connections).await.unwrap();
}

/// 400 connections that never say a word, 32 allowed: the oldest go, the youngest have a moment, the honest one is served.
#[tokio::test]
async fn silent_connections() {
    let mut config = config();
    config.core.limits.half_open = 32;
    config.core.timing.first_byte_busy = Duration::from_millis(300);
    let (handle, _daemon) = start(config).await;
    let at = handle.addresses[0];
    let mut honest = Node::connect(at, ConnType::Control).await;
    let mut silent = Vec::new();
    for n in 0..400 {
        silent.push(TcpStream::connect(at).await.unwrap());
        if n % 50 == 0 {
            ping(&mut honest).await;
            let mut another = hello(ConnType::Control);
            another.src_nid = nid(&format!("10.77.2.{}@tcp", n / 50));
            Node::connect_as(at, &another).await;
        }
    }
    assert!(handle.snapshot().connections <= 32 + 1 + 8, "{:?}", handle.snapshot());
    // Hurried: gone without anybody pushing, long before the five seconds of an idle node.
    only_left(&handle, 1).await;
    let c = handle.snapshot().counters;
    assert!(c.half_open_evicted >= 360 && c.timed_out >= 1, "{c:?}");
    for mut stream in silent {
        assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)));
    }
    ping(&mut honest).await;
}

#[tokio::test]
async fn churn_leaves_nothing() {
    let (handle, mut daemon) = start(config()).await;
    let frames = tokio::spawn(async move {
        let (mut ups, mut downs) = (0, 0);
        while let Some(frame) = daemon.rx.recv().await {
            match frame {
                Frame::PeerUp { .. } => ups += 1,
                Frame::PeerDown { .. } => downs += 1,
                _ => {}
            }
        }
        (ups, downs)
    });
    for n in 0..300 {
        let mut who = hello(ConnType::Control);
        who.src_nid = nid(&format!("10.77.1.{}@tcp", n % 7));
        let mut node = Node::connect_as(handle.addresses[0], &who).await;
        node.send_from(who.src_nid, put(26, n), b"request").await;
    }
    only_left(&handle, 0).await;
    let now = handle.snapshot();
    assert_eq!((now.peers, now.counters.opened, now.counters.malformed), (0, 300, 0));
    handle.shutdown().await;
    let (ups, downs) = frames.await.unwrap();
    assert_eq!(ups, downs);
}

/// Two nodes that both claim a NID: the later one is believed, the sockets of the earlier one go.
#[tokio::test]
async fn doubled_incarnations() {
    let (handle, mut daemon) = start(config()).await;
    let mut last = None;
    for incarnation in 1..=50 {
        let mut who = hello(ConnType::Control);
        who.src_incarnation = incarnation;
        let node = Node::connect_as(handle.addresses[0], &who).await;
        if let Some(mut old) = last.replace(node) {
            let old: &mut Node = &mut old;
            assert!(matches!(old.stream.read_buf(&mut old.buffer).await, Ok(0) | Err(_)));
            assert!(matches!(daemon.rx.recv().await, Some(Frame::PeerDown { .. })));
        }
        assert!(matches!(daemon.rx.recv().await, Some(Frame::PeerUp { .. })));
    }
    let now = handle.snapshot();
    assert_eq!((now.connections, now.peers, now.counters.restarts), (1, 1, 49));
}

/// `conns_per_peer` 4: nine sockets, and requests may come on any of them.
#[tokio::test]
async fn nine_sockets() {
    let (handle, mut daemon) = start(config()).await;
    let mut nodes = vec![Node::connect(handle.addresses[0], ConnType::Control).await];
    for _ in 0..4 {
        nodes.push(Node::connect(handle.addresses[0], ConnType::BulkIn).await);
        nodes.push(Node::connect(handle.addresses[0], ConnType::BulkOut).await);
    }
    let Some(Frame::PeerUp { slot, peer, .. }) = daemon.rx.recv().await else { panic!() };
    assert_eq!(peer, client());
    for (n, node) in (0..).zip(&mut nodes) {
        node.send(put(26, n), b"request").await;
        let Some(Frame::Deliver { slot: of, match_bits, .. }) = daemon.rx.recv().await else { panic!() };
        assert_eq!((of, match_bits), (slot, n));
    }
    assert_eq!((handle.snapshot().connections, handle.snapshot().peers), (9, 1));
}
