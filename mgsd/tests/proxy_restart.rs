//! mgsd is killed, or told to end, and restarted behind a proxy that goes on: no TCP connection of a node breaks, every node is back in
//! service by one reconnect of its import, with all its locks.
//!
//! `RESTARTS` sets how often (5; `make soak` says 100), `PEERS` how many nodes (50; 500).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod daemon;

use daemon::{command, serve};
use lnet_proxy::{Handle, Link};
use lustre_peer::host::{HostConfig, PeerHost};
use lustre_peer::node::Event;
use rustix::process::{Pid, Signal, kill_process};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::process::Child;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use wire::Nid;
use wire::ldlm::ConfigKind;

const FS: &str = "testfs";
/// The order to wait for a callback.
const LAST: u32 = u32::MAX;
const MGS: &str = "127.0.0.1@tcp";

fn env(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().map_or(default, |v| v.parse().expect(name))
}

/// Starts the daemon and waits until it serves.
async fn start(data: &Path, relay: &Path) -> Child {
    let relay = format!("unix:{}", relay.display());
    serve(command(data).args(["--nid", MGS, "--relay", &relay])).await.0
}

fn node(number: u32, mgs: SocketAddr, speed: u32) -> HostConfig {
    let [_, _, high, low] = number.to_be_bytes();
    let nid = Nid::tcp(Ipv4Addr::new(10, 8, high, low).into(), 0);
    let mut config = HostConfig::new(nid, vec![MGS.parse().unwrap()]).with_mgs_addr(mgs);
    config.speed = speed;
    config
}

/// What a node went through since the daemon was killed.
#[derive(Default)]
struct Round {
    connects: u32,
    evicted: bool,
    attempts: u32,
    client_log: bool,
    pinged: bool,
}

/// A client node. Each number in `rounds` is the order to look whether the new daemon knows it; the answer to `done` is
/// how many attempts the import needed until it was in full service again.
async fn client(
    config: HostConfig,
    ready: mpsc::Sender<()>,
    mut rounds: watch::Receiver<u32>,
    done: mpsc::Sender<u32>,
) {
    let host = PeerHost::start(config).await.unwrap();
    let mut events = host.events();
    host.mount_client(FS).await.unwrap();
    let mut last = 0;
    let mut round = Round::default();
    while let Ok(event) = events.try_recv() {
        if let Event::Connected { conn_cnt, .. } = event {
            last = conn_cnt;
        }
    }
    ready.send(()).await.unwrap();
    let mut ordered = 0;
    loop {
        let event = tokio::select! {
            changed = rounds.changed() => {
                if changed.is_err() {
                    return;
                }
                ordered = *rounds.borrow_and_update();
                if ordered == LAST {
                    done.send(0).await.unwrap();
                    continue;
                }
                host.ping().await.unwrap();
                continue;
            }
            event = events.recv() => event,
        };
        match event {
            Ok(Event::Connected { conn_cnt, evicted, .. }) => {
                round.connects += 1;
                round.attempts += conn_cnt - std::mem::replace(&mut last, conn_cnt);
                round.evicted |= evicted;
            }
            Ok(Event::LogRead { owner, .. }) if round.connects > 0 && owner.ends_with("-client") => {
                round.client_log = true;
                host.ping().await.unwrap();
            }
            Ok(Event::Pinged { .. }) if round.client_log => round.pinged = true,
            Ok(Event::Notified { kind: ConfigKind::Config, .. }) if ordered == LAST => {
                ordered = 0;
                done.send(0).await.unwrap();
            }
            Ok(Event::Violation(what)) => panic!("{}: a rule of kernel peers is broken: {what}", host.nid()),
            Ok(_) => {}
            Err(RecvError::Lagged(n)) => panic!("{n} events lost"),
            Err(RecvError::Closed) => panic!("the node ended"),
        }
        if ordered > 0 && ordered != LAST && round.pinged {
            assert_eq!(round.connects, 1, "{}: in round {ordered}", host.nid());
            assert!(round.evicted, "a new daemon knows no export");
            let attempts = std::mem::take(&mut round).attempts;
            ordered = 0;
            done.send(attempts).await.unwrap();
        }
    }
}

/// TCP connections that ever were, and are.
fn connections(proxy: &Handle) -> (u64, u64, usize, usize) {
    let now = proxy.snapshot();
    (now.counters.accepted, now.counters.opened, now.connections, now.peers)
}

async fn count<T>(n: u32, from: &mut mpsc::Receiver<T>, nodes: &mut JoinSet<()>, mut each: impl FnMut(T)) {
    for _ in 0..n {
        tokio::select! {
            one = from.recv() => each(one.unwrap()),
            ended = nodes.join_next() => match ended {
                Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
                _ => panic!("a node gave up"),
            },
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::disallowed_methods)] // figures for the log, nothing is asserted on them
async fn no_connection_breaks_when_mgsd_restarts() {
    let (restarts, peers, speed) = (env("RESTARTS", 5), env("PEERS", 50), env("SPEED", 10));
    let dir = tempfile::tempdir().unwrap();
    let (data, relay) = (dir.path().join("data"), dir.path().join("relay.sock"));
    let config = lnet_proxy::Config::new(vec![MGS.parse().unwrap()]).with_port(0);
    let proxy = lnet_proxy::spawn(config, Link::Unix(relay.clone())).unwrap();
    let mgs = *proxy.addresses.first().unwrap();
    let mut daemon = start(&data, &relay).await;
    assert_eq!(relay.metadata().unwrap().permissions().mode() & 0o777, 0o660);

    let servers = PeerHost::start(node(60_000, mgs, speed)).await.unwrap();
    servers.mount_mdt(FS, 0).await.unwrap();
    servers.mount_ost(FS, 0).await.unwrap();
    servers.power_off().await;
    proxy.wait_for(|s| s.peers == 0).await.unwrap();

    let (orders, rounds) = watch::channel(0);
    let (done, mut in_service) = mpsc::channel(64);
    let (mounted, mut ready) = mpsc::channel(64);
    let mut nodes = JoinSet::new();
    for number in 1..=peers {
        nodes.spawn(client(node(number, mgs, speed), mounted.clone(), rounds.clone(), done.clone()));
    }
    count(peers, &mut ready, &mut nodes, |()| ()).await;
    let before = connections(&proxy);
    assert_eq!(before.3, usize::try_from(peers).unwrap());

    let (mut slowest, mut more) = (Duration::ZERO, 0);
    let begin = Instant::now();
    for round in 1..=restarts {
        let killed = Instant::now();
        if round % 2 == 0 {
            let pid = i32::try_from(daemon.id().unwrap()).unwrap();
            kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
            assert!(daemon.wait().await.unwrap().success());
        } else {
            daemon.kill().await.unwrap();
        }
        daemon = start(&data, &relay).await;
        orders.send_replace(round);
        count(peers, &mut in_service, &mut nodes, |attempts| more += u32::from(attempts > 1)).await;
        slowest = slowest.max(killed.elapsed());
        assert_eq!(connections(&proxy), before, "TCP connections after restart {round}");
    }
    let lost = proxy.snapshot().counters.links_lost;
    eprintln!(
        "{restarts} restarts, {peers} peers, {} TCP connections: 0 lost; {} reconnects, {more} of them with a second \
         attempt; slowest round {slowest:?}, all {:?}",
        before.2,
        restarts * peers,
        begin.elapsed(),
    );
    assert_eq!(lost, u64::from(restarts));
    assert_eq!(proxy.snapshot().counters.listeners_closed, 0);

    // And the locks are really there: a change reaches everybody.
    orders.send_replace(LAST);
    count(peers, &mut in_service, &mut nodes, |_| ()).await;
    let server = PeerHost::start(node(60_001, mgs, speed)).await.unwrap();
    let registers = tokio::spawn(async move { server.mount_ost(FS, 1).await.map(|_| server) });
    count(peers, &mut in_service, &mut nodes, |_| ()).await;
    registers.await.unwrap().unwrap();
    nodes.abort_all();
    proxy.shutdown().await;
}
