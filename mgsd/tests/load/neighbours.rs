//! A dead and a stopped client delay nobody else.

use crate::pace::median;
use crate::senders::{FS, node_config};
use crate::{is_full, meter};
use lustre_peer::host::{HostConfig, PeerHost};
use lustre_peer::node::Event;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use wire::ldlm::ConfigKind;

/// Their clocks run faster: a kernel waits 5 to 10 s before it reads a changed log again.
const SPEED: u32 = 8;
/// Blocks without and with them, in turn.
const ROUNDS: u32 = 9;

/// What a client reports: it was called back, and it has read what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Called(Instant),
    Read,
}

fn config(number: u32, mgs: SocketAddr) -> HostConfig {
    HostConfig { speed: SPEED, ..node_config(number, mgs) }
}

/// A mounted client that reports, once each time.
async fn client(config: HostConfig, tell: UnboundedSender<Told>) -> PeerHost {
    let host = PeerHost::start(config).await.unwrap();
    host.mount_client(FS).await.unwrap();
    let (mut events, nid) = (host.events(), host.nid());
    tokio::spawn(async move {
        let mut called = false;
        loop {
            match events.recv().await {
                Ok(Event::Notified { kind: ConfigKind::Config, .. }) if !called => {
                    called = true;
                    let _gone = tell.send(Told::Called(Instant::now()));
                }
                Ok(Event::Reconfigured { .. }) if called => {
                    called = false;
                    let _gone = tell.send(Told::Read);
                }
                Ok(Event::Violation(what)) => panic!("{nid}: {what}"),
                Ok(_) => {}
                Err(RecvError::Lagged(n)) => panic!("{n} events were not looked at"),
                Err(RecvError::Closed) => return,
            }
        }
    });
    host
}

/// Adds an OST; how long until the last of `clients` was called back. Returns when all have read what is new.
async fn change(
    server: &PeerHost,
    index: u32,
    clients: usize,
    told: &mut UnboundedReceiver<Told>,
) -> Duration {
    let before = Instant::now();
    server.mount_ost(FS, index).await.unwrap();
    let mut last = before;
    let (mut called, mut read) = (0, 0);
    while (called, read) != (clients, clients) {
        match told.recv().await.unwrap() {
            Told::Called(at) => {
                called += 1;
                last = last.max(at);
            }
            Told::Read => read += 1,
        }
    }
    last - before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_and_a_stopped_client_delay_nobody() {
    let (clients, rounds) = if is_full() { (998, ROUNDS) } else { (40, 2) };
    let dir = tempfile::tempdir().unwrap();
    let (_meter, mgs) = meter::start(dir.path()).await;
    let server = PeerHost::start(config(60_000, mgs)).await.unwrap();
    server.mount_mdt(FS, 0).await.unwrap();
    let (tell, mut told) = unbounded_channel();
    let mut all = Vec::new();
    for number in 0..clients {
        all.push(client(config(number, mgs), tell.clone()).await);
    }
    let (mut without, mut with) = (Vec::new(), Vec::new());
    // The first change is to warm up.
    change(&server, 0, all.len(), &mut told).await;
    for round in 0..rounds {
        without.push(change(&server, 2 * round + 1, all.len(), &mut told).await);
        let (nobody, _ignored) = unbounded_channel();
        let dead = client(config(50_000 + round, mgs), nobody.clone()).await;
        let stopped = client(config(51_000 + round, mgs), nobody).await;
        dead.power_off().await;
        let frozen = stopped.freeze().await;
        with.push(change(&server, 2 * round + 2, all.len(), &mut told).await);
        drop(frozen);
        stopped.umount(&format!("{FS}-client")).await.unwrap();
    }
    let (without, with) = (median(without), median(with));
    println!("{clients} clients called back in {without:?}, beside a dead and a stopped one in {with:?}");
    assert!(!is_full() || with <= without.mul_f64(1.1), "{with:?}, {without:?} without them");
}
