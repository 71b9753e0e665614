//! Honest nodes mount while a crowd is at the door: they are served as if it were not there, and it leaves nothing behind.
//!
//! `FLOOD=full` (`make soak`, release build): 5,000 silent connections and 1,000 connects a second, 10 alternating blocks,
//! and the median of mounts under flood is at most 1.3 times the idle one. Without it a small crowd, and only what does not
//! depend on the machine is asserted: every mount succeeds, no descriptor is left, memory does not grow.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::as_conversions,
    clippy::cast_precision_loss
)]
#![allow(clippy::disallowed_methods)] // times are the subject

mod crowd;

use crowd::{Crowd, Size};
use lustre_peer::host::{HostConfig, PeerHost};
use lustre_peer::node::Event;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::broadcast::error::TryRecvError;
use wire::Nid;

const FS: &str = "testfs";
const MGS: &str = "127.0.0.1@tcp";

/// `half_open` of the proxy.
const HALF_OPEN: usize = 1024;
/// Descriptors of nodes, and of connections that mgsd has not got round to close.
const ROOM: usize = 400;

/// Honest nodes, one after the other: few, so that mgsd's record of their last conversations is full early.
const NODES: u32 = 16;

struct Plan {
    silent: usize,
    connects: u64,
    blocks: usize,
    /// In each block.
    mounts: usize,
    /// Of the medians.
    ratio: Option<f64>,
}

impl Plan {
    fn new() -> Self {
        match std::env::var("FLOOD") {
            Ok(full) if full == "full" => {
                Self { silent: 5000, connects: 1000, blocks: 10, mounts: 200, ratio: Some(1.3) }
            }
            Ok(other) => panic!("FLOOD={other}: only 'full' is known"),
            Err(_) => Self { silent: 1500, connects: 200, blocks: 4, mounts: 10, ratio: None },
        }
    }
}

/// mgsd with its proxy in one process, and where it listens.
async fn start(dir: &Path) -> (Child, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mgsd"))
        .kill_on_drop(true)
        .env("RUST_LOG", "error")
        .arg("--data")
        .arg(dir)
        .args(["--nid", MGS, "--bind", "127.0.0.1", "--port", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = loop {
        let line = lines.next_line().await.unwrap().expect("mgsd ended at its start");
        if let Some(rest) = line.trim().strip_prefix("LNet ") {
            break rest.split_whitespace().next().unwrap().parse().unwrap();
        }
    };
    tokio::spawn(async move { while lines.next_line().await.is_ok_and(|l| l.is_some()) {} });
    (child, address)
}

/// Open descriptors, and resident memory in KiB.
fn holds(mgsd: &Child) -> (usize, u64) {
    let process = format!("/proc/{}", mgsd.id().unwrap());
    let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
    let resident = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    let resident = resident.trim().trim_end_matches(" kB").parse().unwrap();
    (std::fs::read_dir(format!("{process}/fd")).unwrap().count(), resident)
}

/// Processor time that mgsd has used.
fn worked(mgsd: &Child) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", mgsd.id().unwrap())).unwrap();
    // Behind the name, which may hold anything: fields 14 and 15, in ticks of 10 ms.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks = [11, 12].iter().map(|n| fields.get(*n).unwrap().parse::<u64>().unwrap()).sum::<u64>();
    Duration::from_millis(ticks * 10)
}

fn node(number: u32, mgs: SocketAddr) -> HostConfig {
    let [_, _, high, low] = number.to_be_bytes();
    let nid = Nid::tcp(Ipv4Addr::new(10, 8, high, low).into(), 0);
    HostConfig::new(nid, vec![MGS.parse().unwrap()]).with_mgs_addr(mgs)
}

/// A node boots, mounts, unmounts, and leaves.
async fn mount(number: u32, mgs: SocketAddr) -> Duration {
    let host = PeerHost::start(node(number, mgs)).await.unwrap();
    let mut events = host.events();
    let begin = Instant::now();
    host.mount_client(FS).await.unwrap();
    let took = begin.elapsed();
    host.umount(&format!("{FS}-client")).await.unwrap();
    host.power_off().await;
    loop {
        match events.try_recv() {
            Ok(Event::Violation(what)) => panic!("{what}"),
            Ok(_) => {}
            Err(TryRecvError::Lagged(n)) => panic!("{n} events lost"),
            Err(_) => return took,
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_crowd_at_the_door_harms_nobody() {
    let plan = Plan::new();
    let dir = tempfile::tempdir().unwrap();
    let (mgsd, at) = start(dir.path()).await;
    let servers = PeerHost::start(node(60_000, at)).await.unwrap();
    servers.mount_mdt(FS, 0).await.unwrap();
    servers.mount_ost(FS, 0).await.unwrap();
    for number in 1..20 {
        mount(number, at).await; // caches of all kinds
    }
    let (idle_fds, idle_resident) = holds(&mgsd);
    let size = Size { mgs: (MGS.parse().unwrap(), at), silent: plan.silent, connects: plan.connects };
    let (mut quiet, mut flooded, mut resident) = (Vec::new(), Vec::new(), Vec::new());
    let mut number = 0;
    for block in 0..plan.blocks {
        let crowd = (block % 2 == 1).then(|| Crowd::gather(size));
        if let Some(crowd) = &crowd {
            // All of the silent ones have been there before the first mount is measured.
            while crowd.tally.connects.load(Ordering::Relaxed) < plan.silent as u64 {
                mount(number, at).await;
            }
        }
        let (begin, worked_before) = (Instant::now(), worked(&mgsd));
        let before = crowd.as_ref().map_or(0, |c| c.tally.connects.load(Ordering::Relaxed));
        let mut times = Vec::new();
        for _ in 0..plan.mounts {
            number = (number + 1) % NODES;
            times.push(mount(number, at).await);
        }
        let (took, shown) = (begin.elapsed(), median(times.clone()));
        let busy = (worked(&mgsd) - worked_before).as_secs_f64() / took.as_secs_f64() * 100.0;
        let Some(crowd) = crowd else {
            println!("block {block}: idle    mount {shown:?}; mgsd busy {busy:.0} %");
            quiet.extend(times);
            continue;
        };
        flooded.extend(times);
        let (fds, _) = holds(&mgsd);
        let held = crowd.tally.held.load(Ordering::Relaxed);
        // Half-open ones are bounded; what else is there are nodes and visitors.
        assert!(fds <= idle_fds + HALF_OPEN + ROOM, "{fds} descriptors");
        let tally = crowd.disperse();
        let connects = tally.connects.load(Ordering::Relaxed) - before;
        // Deadlines of half-open connections end; meanwhile honest nodes go on.
        let deadline = Instant::now() + Duration::from_secs(60);
        while holds(&mgsd).0 > idle_fds {
            assert!(Instant::now() < deadline, "{:?} held, {idle_fds} descriptors before", holds(&mgsd));
            mount(number, at).await;
        }
        resident.push(holds(&mgsd).1);
        println!(
            "block {block}: flooded mount {shown:?}; mgsd busy {busy:.0} %; {:.0} connects a second, {held} silent held, {} closed by mgsd, {} \
             not connected; mgsd: {fds} descriptors, afterwards {} KiB resident",
            connects as f64 / took.as_secs_f64(),
            tally.closed.load(Ordering::Relaxed),
            tally.failed.load(Ordering::Relaxed),
            resident.last().unwrap(),
        );
    }
    let ratio = median(flooded.clone()).as_secs_f64() / median(quiet.clone()).as_secs_f64();
    println!(
        "{} mounts idle: median {:?}; {} under flood: median {:?}; ratio {ratio:.2}; resident {idle_resident} KiB \
         before, after each flood {resident:?} KiB",
        quiet.len(),
        median(quiet.clone()),
        flooded.len(),
        median(flooded.clone()),
    );
    let (first, last) = (*resident.first().unwrap(), *resident.last().unwrap());
    assert!(last < first + first / 4 + 8192, "memory grows with each flood: {resident:?} KiB");
    if let Some(most) = plan.ratio {
        assert!(ratio <= most, "ratio {ratio:.2}, at most {most}");
    }
}
