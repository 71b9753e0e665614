//! Nodes that register targets, each one after the other, all at the same time.

use lustre_peer::host::{HostConfig, PeerHost};
use lustre_peer::node::{Event, TargetKind, TargetOptions};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::broadcast::error::TryRecvError;
use tokio::task::JoinSet;
use wire::Nid;

pub(crate) const MGS: &str = "127.0.0.1@tcp";
pub(crate) const FS: &str = "testfs";
/// As many nodes register at the same time.
pub(crate) const SENDERS: u32 = 64;

/// An acknowledged registration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ack {
    /// When.
    pub(crate) at: Instant,
    /// From request to answer.
    pub(crate) took: Duration,
}

/// The nodes, connected or not yet.
pub(crate) struct Senders(Vec<Arc<PeerHost>>);

/// A node of its own NID.
pub(crate) fn node_config(number: u32, mgs: SocketAddr) -> HostConfig {
    let [_, _, high, low] = number.to_be_bytes();
    let nid = Nid::tcp(Ipv4Addr::new(10, 7, high, low).into(), 0);
    HostConfig::new(nid, vec![MGS.parse().unwrap()]).with_mgs_addr(mgs)
}

pub(crate) async fn node(number: u32, mgs: SocketAddr) -> PeerHost {
    PeerHost::start(node_config(number, mgs)).await.unwrap()
}

/// A target with a second NID and a partner of two NIDs, as large sites have them.
fn target(kind: TargetKind, index: u32) -> TargetOptions {
    let [_, _, high, low] = index.to_be_bytes();
    let nid = |net: u8| Nid::tcp(Ipv4Addr::new(10, net, high, low).into(), 0);
    TargetOptions {
        more_nids: vec![nid(20)],
        failnodes: vec![vec![nid(21), nid(22)]],
        ..TargetOptions::new(FS, kind, index)
    }
}

impl Senders {
    pub(crate) async fn start(mgs: SocketAddr) -> Self {
        let mut nodes = Vec::new();
        for number in 0..SENDERS {
            nodes.push(Arc::new(node(number, mgs).await));
        }
        Self(nodes)
    }

    /// Registers targets `from..to` from the first `nodes` of the nodes; the acknowledgements in their order.
    pub(crate) async fn register(&self, nodes: usize, kind: TargetKind, from: u32, to: u32) -> Vec<Ack> {
        let next = Arc::new(AtomicU32::new(from));
        let mut running = JoinSet::new();
        for node in self.0.iter().take(nodes) {
            running.spawn(one_after_the_other(Arc::clone(node), kind, Arc::clone(&next), to));
        }
        let mut acks: Vec<Ack> = running.join_all().await.into_iter().flatten().collect();
        acks.sort_by_key(|a| a.at);
        assert_eq!(u32::try_from(acks.len()).unwrap(), to - from);
        acks
    }
}

async fn one_after_the_other(
    node: Arc<PeerHost>,
    kind: TargetKind,
    next: Arc<AtomicU32>,
    end: u32,
) -> Vec<Ack> {
    let mut acks = Vec::new();
    let mut events = node.events();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= end {
            return acks;
        }
        let before = Instant::now();
        node.register(target(kind, index)).await.unwrap();
        acks.push(Ack { at: Instant::now(), took: before.elapsed() });
        loop {
            match events.try_recv() {
                Ok(Event::Violation(what)) => panic!("{}: {what}", node.nid()),
                Ok(_) => {}
                Err(TryRecvError::Lagged(n)) => panic!("{n} events were not looked at"),
                Err(_) => break,
            }
        }
    }
}
