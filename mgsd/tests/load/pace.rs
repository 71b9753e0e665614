//! How long it takes.

use crate::meter::{self, Meter};
use crate::senders::{Ack, FS, Senders, node};
use crate::{ALL, register_mdts};
use lustre_peer::node::TargetKind;
use std::time::Duration;

/// Registrations of one sender alone.
pub(crate) const LONE: u32 = 60;
/// Blocks that are compared, large and small in turn.
const ROUNDS: u32 = 9;
/// Registrations in each, around the hundredth.
const BLOCK: u32 = 128;
const FROM: u32 = 100 - BLOCK / 2;

pub(crate) fn median<T: PartialOrd + Copy>(mut all: Vec<T>) -> T {
    all.sort_by(|a, b| a.partial_cmp(b).unwrap());
    all[all.len() / 2]
}

/// Time per target.
pub(crate) fn over(acks: &[Ack]) -> Duration {
    (acks[acks.len() - 1].at - acks[0].at) / u32::try_from(acks.len() - 1).unwrap()
}

/// Nobody waits for company: the answer comes within the time of two commits.
pub(crate) async fn a_lone_sender(senders: &Senders, meter: &Meter, from: u32) {
    let before = meter.commits().len();
    let acks = senders.register(1, TargetKind::Ost, from, from + LONE).await;
    let commits = meter.commits().split_off(before);
    assert_eq!(commits.len(), acks.len());
    let (reply, commit) = (median(acks.iter().map(|a| a.took).collect()), median(commits));
    println!("one sender alone: answered in {reply:?}, a commit takes {commit:?}");
    assert!(reply <= 2 * commit);
}

/// A target more costs what the hundredth does. Blocks alternate, so that a busy machine is busy for both.
pub(crate) async fn large_against_small(large: &Senders, meter: &Meter, mdts: u32, mut from: u32) {
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let dir = tempfile::tempdir().unwrap();
        let (small_meter, mgs) = meter::start(dir.path()).await;
        let small = Senders::start(mgs).await;
        register_mdts(&small, mdts).await;
        small.register(ALL, TargetKind::Ost, 0, FROM).await;
        // The large site has a client, which reads what is new and takes processor time.
        let client = node(60_000, mgs).await;
        client.mount_client(FS).await.unwrap();
        let marks = [small_meter.commits().len(), meter.commits().len()];
        let hundredth = over(&small.register(ALL, TargetKind::Ost, FROM, FROM + BLOCK).await);
        let last = over(&large.register(ALL, TargetKind::Ost, from, from + BLOCK).await);
        from += BLOCK;
        let stored = [&small_meter.commits()[marks[0]..], &meter.commits()[marks[1]..]]
            .map(|commits| commits.iter().sum::<Duration>() / BLOCK);
        println!(
            "{hundredth:?} per target around the hundredth, {:?} of it in the store; at {from} {last:?} and {:?}",
            stored[0], stored[1]
        );
        ratios.push(last.as_secs_f64() / hundredth.as_secs_f64());
    }
    let ratio = median(ratios);
    println!("a target at {from} takes {ratio:.2} times the hundredth (median of {ROUNDS})");
    assert!(ratio <= 1.2);
}
