//! Cost of a registration does not depend on how many there were before. `MGSD_SIZE=4600` OSTs and 16 MDTs are the
//! size of the largest site; small by default. What is counted is what a commit stores, not time.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr)]

mod harness;
mod targets;

use harness::{Mgs, nid};
use mgs_core::engine::Output;
use targets::{Node, mdt, ost};

/// Bytes and keys that one registration commits, record included.
fn cost(mgs: &mut Mgs, target: &Node, handle: u64) -> (usize, usize) {
    mgs.hold();
    let (body, buffers) = targets::request(target, handle);
    let xid = mgs.send(target.nid, body, buffers);
    let Some(Output::Commit { changes, record, .. }) = mgs.held.iter().flatten().next() else {
        unreachable!("{} is new", target.info.svname)
    };
    let values = changes.iter().map(|(k, v)| k.len() + v.as_ref().map_or(0, Vec::len)).sum::<usize>();
    let cost = (values + record.len(), changes.len());
    mgs.release();
    assert_eq!(mgs.reply(xid).unwrap().body().status, 0);
    mgs.sent.clear();
    mgs.events.clear();
    cost
}

/// Two NIDs of its own and a partner with two.
fn at_size(index: u32) -> Node {
    ost(index).with(|n| {
        let host = |n: u32| format!("10.{}.{}", 1 + n / 250, n % 250);
        n.nids = vec![format!("{}.1@tcp", host(index)), format!("{}.2@o2ib", host(index))];
        n.info.nid_count = 2;
        n.info.params = format!("failover.node={0}.3@tcp,{0}.4@o2ib ", host(index));
    })
}

#[test]
fn the_last_target_costs_what_the_hundredth_did() {
    let size: u32 = std::env::var("MGSD_SIZE").map_or(300, |n| n.parse().unwrap());
    let mdts = if size >= 4600 { 16 } else { 4 };
    let mut mgs = Mgs::new();
    let handle = mgs.connect(nid("10.0.0.3@tcp"), "server");
    for index in 0..mdts {
        cost(&mut mgs, &mdt(index), handle);
    }
    let mut costs = Vec::new();
    for index in 0..size {
        costs.push(cost(&mut mgs, &at_size(index), handle));
    }
    let budget = mgs.engine.view().logs["testfs-client"].budget();
    let (bytes, keys) = costs[100];
    let (last_bytes, last_keys) = *costs.last().unwrap();
    eprintln!(
        "{size} OSTs, {mdts} MDTs: {bytes} bytes at the hundredth, {last_bytes} at the last; {budget:?}"
    );
    assert_eq!(keys, last_keys);
    // Padding at the end of a chunk is stored too.
    assert!(last_bytes * 10 <= bytes * 12, "{last_bytes} bytes, {bytes} at the hundredth");
    assert!(budget.used < budget.limit, "{budget:?}");
    assert_eq!(mgs.engine.view().fs["testfs"].targets.len(), (size + mdts) as usize);
}
