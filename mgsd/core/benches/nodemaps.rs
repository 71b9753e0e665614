//! 32,000 nodemaps in and out, by one batch each, against 3,200: `cargo bench -p mgs-core --bench nodemaps`.
//!
//! Time on a processor, which others that run meanwhile have no part in. The sizes alternate, and the best round of a size
//! counts. Exits with 1 when ten times as many take more than eleven times as long, or more than one commit or one
//! redistribution each way.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::expect_used,
    missing_docs,
    dead_code
)]

#[path = "../tests/harness/mod.rs"]
mod harness;
#[path = "../tests/nodemaps/mod.rs"]
mod nodemaps;

use harness::Mgs;
use mgs_core::engine::{CommitResult, Input, Output};
use mgs_core::model::command::nodemap::Command;
use nodemaps::{Server, edits, entries};
use std::process::ExitCode;
use std::time::Duration;

const SIZES: [usize; 2] = [3_200, 32_000];
const ROUNDS: usize = 7;
const GROWTH: f64 = 11.0;
const STEPS: [&str; 3] = ["in", "read", "out"];

/// A range and two pairs of ids each, and an offset for every hundredth.
fn batch(size: usize) -> String {
    let one = |n: usize| {
        let offset = match n % 100 {
            0 => format!("add_offset nm{n} {}+1000\n", 100_000 + n * 1000),
            _ => String::new(),
        };
        let net = format!("10.{}.{}", n / 256, n % 256);
        format!("add nm{n}\nadd_range nm{n} {net}.0/24@tcp\nadd_idmap nm{n} uid 500-501:{n}\n{offset}")
    };
    (0..size).map(one).collect()
}

/// How long this thread has been on a processor. The kernel counts it when the thread leaves one.
fn on_processor() -> Duration {
    std::thread::yield_now();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

/// Has a batch done: how long the engine is at work, without the map that stands for its store here.
fn done(mgs: &mut Mgs, batch: Command) -> Duration {
    mgs.hold();
    let start = on_processor();
    let ticket = mgs.give(batch.into(), false);
    let mut took = on_processor() - start;
    for output in mgs.held.take().unwrap() {
        if let Output::Commit { base, changes, record, .. } = output {
            assert_eq!(base, mgs.seq);
            mgs.seq += 1;
            mgs.commits += 1;
            mgs.store.insert(format!("commit/{:016x}", mgs.seq), record);
            for (key, value) in changes {
                match value {
                    Some(value) => drop(mgs.store.insert(key, value)),
                    None => drop(mgs.store.remove(&key)),
                }
            }
            let start = on_processor();
            mgs.input(Input::Committed(CommitResult::Committed));
            took += on_processor() - start;
        }
    }
    mgs.done.remove(&ticket).unwrap().unwrap();
    took
}

/// One batch in, all of it read, one batch out.
fn round(size: usize) -> [Duration; 3] {
    let into = edits(&batch(size));
    let out = edits(&(0..size).map(|n| format!("del nm{n}\n")).collect::<String>());
    let mut mgs = Mgs::new();
    let mut server = Server::new(&mut mgs);
    server.lock(&mut mgs);
    let commits = mgs.commits;

    let took_in = done(&mut mgs, into);
    assert_eq!((mgs.commits - commits, server.callbacks(&mgs)), (1, 1), "one commit, one redistribution");

    let start = on_processor();
    let read = server.all(&mut mgs);
    let took_read = on_processor() - start;
    assert_eq!(read.len(), 2 + 4 * size + size / 100);
    assert!(read == entries(&mgs), "what was read is the index");

    server.lock(&mut mgs);
    let took_out = done(&mut mgs, out);
    assert_eq!((mgs.commits - commits, server.callbacks(&mgs)), (2, 2), "one commit, one redistribution");
    assert_eq!(server.all(&mut mgs).len(), 2);
    [took_in, took_read, took_out]
}

fn main() -> ExitCode {
    let mut best = [[Duration::MAX; 3]; SIZES.len()];
    for _ in 0..ROUNDS {
        for (size, best) in SIZES.iter().zip(&mut best) {
            for (took, best) in round(*size).into_iter().zip(best) {
                *best = took.min(*best);
            }
        }
    }
    let [small, large] = best;
    let mut kept = true;
    for ((step, small), large) in STEPS.iter().zip(small).zip(large) {
        let growth = large.as_secs_f64() / small.as_secs_f64();
        println!(
            "{step:>5}: {small:9.1?} for {}, {large:9.1?} for {}, growth {growth:.2}",
            SIZES[0], SIZES[1]
        );
        kept &= growth <= GROWTH;
    }
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
