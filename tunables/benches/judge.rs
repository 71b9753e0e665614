//! One assignment judged, with 1 to 10,000 registered targets: `cargo bench -p tunables`.
//!
//! Blocks of all sizes alternate, so that a busy machine is busy for each alike; the best block of a size counts. Exits
//! with 1 when the slowest size takes more than 1.3 times as long as the fastest.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, missing_docs)]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tunables::{Assignment, Catalogue, Judge, Syntax, TargetId, TargetKind, Topology};

const SIZES: [u16; 5] = [1, 10, 100, 1_000, 10_000];
const BLOCKS: usize = 300;
const ROUNDS: u32 = 8;
const FLAT: f64 = 1.3;

/// Each names what exists in all topologies, or a class.
const ASSIGNMENTS: [(Syntax, &str); 6] = [
    (Syntax::ConfParam, "testfs-OST0000.osc.max_dirty_mb=64"),
    (Syntax::ConfParam, "testfs.llite.max_read_ahead_mb=1G"),
    (Syntax::SetParamP, "osc.testfs-OST*.max_rpcs_in_flight=32"),
    (Syntax::SetParamP, "obdfilter.*.brw_size=16"),
    (Syntax::ConfParam, "testfs-OSTfffe.osc.max_dirty_mb=64"),
    (Syntax::ConfParam, "testfs-OST0000.osc.max_drity_mb=64"),
];

fn topology(targets: u16) -> Topology {
    let mut topology = Topology::default();
    for index in 0..targets {
        let version = if index % 2 == 0 { "2.15.4" } else { "2.17.57" };
        topology.add_target("testfs", TargetId { kind: TargetKind::Ost, index }, version.parse().ok());
    }
    topology
}

fn main() -> ExitCode {
    let catalogue = Catalogue::shipped();
    let topologies = SIZES.map(topology);
    let mut flat = true;
    for (syntax, text) in ASSIGNMENTS {
        let assignment = Assignment::new(syntax, text);
        let mut best = [Duration::MAX; SIZES.len()];
        for _ in 0..BLOCKS {
            for (topology, best) in topologies.iter().zip(&mut best) {
                let judge = Judge::new(catalogue).topology(topology);
                let start = Instant::now();
                for _ in 0..ROUNDS {
                    black_box(judge.judge(black_box(&assignment)));
                }
                *best = (*best).min(start.elapsed() / ROUNDS);
            }
        }
        let (low, high) = (best.iter().min().unwrap(), best.iter().max().unwrap());
        let ratio = high.as_secs_f64() / low.as_secs_f64();
        let times: Vec<String> = best.iter().map(|t| format!("{:.1}", t.as_secs_f64() * 1e6)).collect();
        println!("{:6} us at {SIZES:?} targets, ratio {ratio:.2}: {text}", times.join(" "));
        flat &= ratio <= FLAT;
    }
    if flat { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
