//! Registrations at the size of the largest sites: 64 nodes register at the same time, on SQLite, over TCP.
//!
//! `LOAD=full` (`make soak`, release build) registers 16 MDTs and 4,600 OSTs, looks at times, and has `strace` count what
//! mgsd syncs. Without it 4 MDTs and 252 OSTs, and nothing is asserted that depends on the machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)] // times are the subject

#[path = "../daemon/mod.rs"]
mod daemon;
mod meter;
mod neighbours;
mod pace;
mod senders;
mod synced;

use lustre_peer::node::{Event, TargetKind};
use senders::{FS, SENDERS, Senders, node};
use std::sync::atomic::Ordering;

pub(crate) const ALL: usize = SENDERS as usize;

pub(crate) fn is_full() -> bool {
    match std::env::var("LOAD") {
        Ok(size) if size == "full" => true,
        Ok(other) => panic!("LOAD={other}: only 'full' is known"),
        Err(_) => false,
    }
}

/// MDT0000, and then the others together.
pub(crate) async fn register_mdts(senders: &Senders, mdts: u32) {
    senders.register(1, TargetKind::Mdt, 0, 1).await;
    senders.register(ALL, TargetKind::Mdt, 1, mdts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registrations_share_commits_and_reading_needs_no_store() {
    let (mdts, osts) = if is_full() { (16, 4600) } else { (4, 252) };
    let dir = tempfile::tempdir().unwrap();
    let (meter, mgs) = meter::start(dir.path()).await;
    let senders = Senders::start(mgs).await;
    register_mdts(&senders, mdts).await;
    let before = meter.commits().len();
    let acks = senders.register(ALL, TargetKind::Ost, 0, osts).await;
    let commits = meter.commits().len() - before;
    println!("{} OSTs in {commits} commits, {:?} each", acks.len(), pace::over(&acks));
    // The first commits have few to take along.
    assert!((commits - 4) * 16 <= acks.len(), "{commits} commits for {} registrations", acks.len());

    // Who reads gets every block from memory: the store is only asked how far it is, for locks.
    let (reads, barriers) = (meter.reads.load(Ordering::Relaxed), meter.barriers.load(Ordering::Relaxed));
    assert_eq!(reads, 1, "the store was read at the start");
    let reader = node(60_000, mgs).await;
    let mut events = reader.events();
    let tree = reader.mount_client(FS).await.unwrap();
    assert_eq!(tree.to_string(), format!("{mdts} MDTs, {osts} OSTs"));
    let mut logs = 0;
    let mut records = 0;
    while let Ok(event) = events.try_recv() {
        logs += u64::from(matches!(
            event,
            Event::LogRead { .. } | Event::TableRead { .. } | Event::NodemapRead { .. }
        ));
        if let Event::LogRead { records: Some(n), .. } = event {
            records += n;
        }
    }
    assert!(records > 10 * osts as usize, "{records} records read");
    assert_eq!(meter.reads.load(Ordering::Relaxed), reads);
    let barriers = meter.barriers.load(Ordering::Relaxed) - barriers;
    assert!(barriers <= logs, "{barriers} barriers for {logs} locks");
    println!("{tree}: {records} records read, no read of the store, {barriers} barriers for {logs} locks");

    if is_full() {
        pace::a_lone_sender(&senders, &meter, osts).await;
        pace::large_against_small(&senders, &meter, mdts, osts + pace::LONE).await;
        synced::few_syncs(mdts, osts).await;
    }
}
