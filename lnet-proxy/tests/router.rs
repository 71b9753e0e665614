//! A router on the loopback: requests of a node behind it, replies, and a callback that has to call the router.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod node;

use bytes::BytesMut;
use lnet_proxy::DialOverride;
use node::{Node, client, config, hello, mgs, nid, post, put, start};
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use wire::relay::{Frame, PostStatus};
use wire::socklnd::{ConnReq, ConnType, Hello};
use wire::{Nid, Order};

fn origin() -> Nid {
    nid("10.1.0.9@o2ib")
}

fn to_origin(cookie: u64) -> Frame {
    let Frame::Post { local, portal, match_bits, offset, want_ack, payload, .. } =
        post(cookie, false, b"for you".to_vec())
    else {
        panic!()
    };
    let (peer, incarnation) = (origin(), 0);
    Frame::Post { cookie, peer, local, incarnation, portal, match_bits, offset, want_ack, payload }
}

/// The peer of the other tests is the router here.
#[tokio::test]
async fn there_and_back() {
    let (handle, mut daemon) = start(config()).await;
    let mut router = Node::connect(handle.addresses[0], ConnType::Control).await;
    router.send_from(origin(), put(26, 5), b"request").await;
    assert!(matches!(daemon.rx.recv().await, Some(Frame::PeerUp { gateway: None, .. })));
    let Some(Frame::PeerUp { slot, peer, gateway, .. }) = daemon.rx.recv().await else { panic!() };
    assert_eq!((peer, gateway), (origin(), Some(client())));
    let Some(Frame::Deliver { slot: of, match_bits: 5, .. }) = daemon.rx.recv().await else { panic!() };
    assert_eq!(of, slot);
    daemon.tx.send(to_origin(1)).await.unwrap();
    let (header, payload) = router.message().await;
    assert_eq!((header.dest, header.src, &payload[..]), (origin(), mgs(), &b"for you"[..]));
    assert_eq!(daemon.rx.recv().await, Some(Frame::Done { cookie: 1, status: PostStatus::Sent }));
    drop(router);
    let gone = [daemon.rx.recv().await, daemon.rx.recv().await];
    assert!(gone.iter().all(|f| matches!(f, Some(Frame::PeerDown { .. }))), "{gone:?}");
}

#[tokio::test]
async fn a_callback_calls_the_declared_router() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let mut config = config();
    config.core.routes = vec![format!("o2ib via {}", client()).parse().unwrap()];
    config.dial_override = Some(DialOverride(Arc::new(move |nid| (nid == client()).then_some(at))));
    let (_handle, daemon) = start(config).await;
    daemon.tx.send(to_origin(1)).await.unwrap();
    let mut routers = Vec::new();
    for expected in [ConnType::Control, ConnType::BulkIn, ConnType::BulkOut] {
        let (stream, _) = listener.accept().await.unwrap();
        let mut router = Node { stream, buffer: BytesMut::new() };
        assert_eq!(router.read(ConnReq::parse).await.0.nid, client());
        assert_eq!(router.read(Hello::parse).await.0.ctype, expected);
        router.stream.write_all(&hello(expected.inverted()).to_bytes(Order::Little)).await.unwrap();
        routers.push(router);
    }
    assert_eq!(routers[0].message().await.0.dest, origin());
}
