//! `kill -9` at random moments of a registration storm, with the store in SQLite and in etcd: nothing acknowledged is
//! lost, nothing is half written, and no target finds its own index "in use".
//!
//! `KILLS` sets how often (20; `make soak` says 1,000), `SEED` repeats a run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod daemon;

use daemon::{command, free_port, serve};
use lustre_peer::host::{HostConfig, PeerError, PeerHost};
use lustre_peer::node::{Event, TargetKind, TargetOptions};
use mgs_core::lint;
use mgs_core::model::view::View;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use store_backends::Place;
use store_backends::conformance::cluster::{Cluster, Settings};
use tokio::process::Child;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use wire::Nid;

const FS: &str = "storm";
/// Server nodes that register at the same time.
const NODES: u32 = 8;
/// Their clocks run so many times faster: a kernel's time-outs are seconds.
const SPEED: u32 = 50;
/// EADDRINUSE.
const IN_USE: i32 = -98;

/// An index that mgsd acknowledged, or what it did wrong.
type Said = Result<u32, String>;

/// SplitMix64: which moments, from one seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

fn env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |v| v.parse().expect(name))
}

/// Starts the daemon and waits until it serves.
async fn start(data: &Path, store: &str, port: u16) -> Child {
    let mut command = command(data);
    let at = ["--store", store, "--nid", "127.0.0.1@tcp", "--port", &port.to_string()];
    serve(command.args(at)).await.0
}

/// A server node that mounts one new OST after the other, each until it works.
async fn server(number: u32, mgs: SocketAddr, next: Arc<AtomicU32>, said: mpsc::UnboundedSender<Said>) {
    let nid = Nid::tcp(Ipv4Addr::new(10, 9, 0, u8::try_from(number).unwrap()).into(), 0);
    let mut config = HostConfig::new(nid, vec!["127.0.0.1@tcp".parse().unwrap()]).with_mgs_addr(mgs);
    config.speed = SPEED;
    let host = PeerHost::start(config).await.unwrap();
    let mut events = host.events();
    tokio::spawn(async move {
        loop {
            match events.recv().await {
                Ok(Event::Registered { index, .. }) => drop(said.send(Ok(index))),
                Ok(Event::Violation(what)) => drop(said.send(Err(format!("mgsd broke a rule: {what:?}")))),
                Ok(_) => {}
                Err(RecvError::Lagged(n)) => drop(said.send(Err(format!("{n} events were missed")))),
                Err(RecvError::Closed) => return,
            }
        }
    });
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let options = TargetOptions::new(FS, TargetKind::Ost, index);
        loop {
            match host.mount_target(options.clone()).await {
                Ok(_) => break,
                Err(PeerError::Mount { errno: IN_USE, .. }) => {
                    panic!("OST{index:04x} finds its own index in use")
                }
                Err(PeerError::Mount { errno, why, .. }) => {
                    eprintln!("OST{index:04x}: {why}: {errno}, tries again");
                    tokio::task::yield_now().await;
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

/// Kills for one store: a look at a dead store takes the longer the more it holds.
const STORM: u64 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_at_random_moments() {
    storms(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_with_the_store_in_etcd() {
    storms(Some(Cluster::start(1, &Settings::default()))).await;
}

async fn storms(etcd: Option<Cluster>) {
    let (kills, seed) = (env("KILLS", 20), env("SEED", u64::from(std::process::id())));
    eprintln!("SEED={seed} KILLS={kills}");
    let mut acknowledged = 0;
    let mut left = kills;
    while left > 0 {
        let kills = left.min(STORM);
        acknowledged += storm(kills, seed.wrapping_add(left), etcd.as_ref()).await;
        left -= kills;
        eprintln!("{acknowledged} registrations acknowledged, {left} kills to come, none lost");
    }
    assert!(acknowledged >= kills);
}

/// So many kills of the daemons of one store; registrations acknowledged.
async fn storm(kills: u64, seed: u64, etcd: Option<&Cluster>) -> u64 {
    // The two tests run at the same time: ports of their own.
    let seed = seed.wrapping_mul(2).wrapping_add(etcd.is_some().into());
    let mut random = Random(seed);
    let dir = tempfile::tempdir().unwrap();
    let store = match etcd {
        Some(cluster) => cluster.url(&format!("storm-{seed}")),
        None => format!("sqlite:{}", dir.path().display()),
    };
    let port = free_port();
    let mgs = SocketAddr::from(([127, 0, 0, 1], port));
    let mut daemon = start(dir.path(), &store, port).await;

    let (tx, mut acks) = mpsc::unbounded_channel();
    let next = Arc::new(AtomicU32::new(0));
    let mut servers = JoinSet::new();
    for number in 1..=NODES {
        servers.spawn(server(number, mgs, Arc::clone(&next), tx.clone()));
    }
    let mut acknowledged = BTreeSet::new();
    for _ in 0..kills {
        for _ in 0..random.below(12) + 1 {
            acknowledged.insert(one(&mut acks, &mut servers).await);
        }
        for _ in 0..random.below(2000) {
            tokio::task::yield_now().await;
        }
        daemon.kill().await.unwrap();
        while let Ok(said) = acks.try_recv() {
            acknowledged.insert(said.unwrap());
        }
        check(&store, &acknowledged).await;
        daemon = start(dir.path(), &store, port).await;
    }
    // And the last one works: everybody gets on.
    for _ in 0..NODES * 2 {
        acknowledged.insert(one(&mut acks, &mut servers).await);
    }
    servers.abort_all();
    daemon.kill().await.unwrap();
    check(&store, &acknowledged).await;
    acknowledged.len() as u64
}

/// The next acknowledged registration. No server node ever gives up by itself: one that ends has failed.
async fn one(acks: &mut mpsc::UnboundedReceiver<Said>, servers: &mut JoinSet<()>) -> u32 {
    tokio::select! {
        said = acks.recv() => said.unwrap().unwrap(),
        ended = servers.join_next() => match ended {
            Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
            _ => panic!("a server node gave up"),
        },
    }
}

/// The store as a dead daemon left it: `mgsd check` is clean, and every acknowledged target is there with its logs.
async fn check(store: &str, acknowledged: &BTreeSet<u32>) {
    if let Some(data) = store.strip_prefix("sqlite:") {
        verdict(Path::new(data)).await;
    }
    let all = Place::parse(store).unwrap().open().await.unwrap().range("").await.unwrap();
    let view = View::load(all.entries.iter().map(|e| (e.key.as_str(), e.value.as_slice()))).unwrap();
    assert_eq!(lint::view(&view), Vec::<String>::new());
    let Some(fs) = view.fs.get(FS) else {
        assert!(acknowledged.is_empty());
        return;
    };
    let indices: BTreeSet<u32> = fs.targets.keys().map(|id| id.index).collect();
    let lost: Vec<&u32> = acknowledged.difference(&indices).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    // Written whole or not at all: as many sections as targets, in the client log and each in its own.
    let client = &view.logs.get("storm-client").expect("client log").log;
    let added: Vec<String> = client
        .records()
        .filter_map(|r| r.cfg().ok()?.marker())
        .filter(|m| m.is_start() && m.comment == "add osc")
        .map(|m| m.tgtname)
        .collect();
    let unique: BTreeSet<&String> = added.iter().collect();
    assert_eq!((added.len(), unique.len()), (indices.len(), indices.len()));
    for index in &indices {
        let own = view.logs.get(&format!("storm-OST{index:04x}")).expect("own log");
        assert_eq!(own.log.last_index(), 4);
    }
}

/// What `mgsd check` says of a store that nobody has open.
async fn verdict(data: &Path) {
    let verdict = command(data).arg("check").output().await.unwrap();
    let text = String::from_utf8_lossy(&verdict.stdout);
    assert!(verdict.status.success(), "{text}{}", String::from_utf8_lossy(&verdict.stderr));
}
