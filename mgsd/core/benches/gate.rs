//! One assignment judged by the gate of the daemon, with 1 to 10,000 registered targets: `cargo bench -p mgs-core`.
//!
//! Blocks of all sizes alternate, so that a busy machine is busy for each alike; the best block of a size counts. Exits
//! with 1 when the slowest size takes more than 1.3 times as long as the fastest.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, missing_docs)]

use mgs_core::model::command::gate::{self, How};
use mgs_core::model::command::param::Syntax;
use mgs_core::model::tx::Tx;
use mgs_core::model::view::{FsHead, Registered, Target};
use mgs_core::model::{TargetId, View, keys, rules, settings};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const SIZES: [u32; 5] = [1, 10, 100, 1_000, 10_000];
const BLOCKS: usize = 300;
const ROUNDS: u32 = 8;
const FLAT: f64 = 1.3;

const ASSIGNMENTS: [(Syntax, &str); 6] = [
    (Syntax::ConfParam, "testfs-OST0000.osc.max_dirty_mb=64"),
    (Syntax::ConfParam, "testfs.llite.max_read_ahead_mb=1G"),
    (Syntax::SetParam, "osc.testfs-OST*.max_rpcs_in_flight=32"),
    (Syntax::SetParam, "obdfilter.*.brw_size=16"),
    (Syntax::ConfParam, "testfs-OSTfffe.osc.max_dirty_mb=64"),
    (Syntax::ConfParam, "testfs-OST0000.osc.max_drity_mb=64"),
];

fn view(targets: u32) -> View {
    let mut view = View::default();
    let head = FsHead {
        uuid: String::new(),
        created: 0,
        generation: 1,
        nidtbl_version: 2,
        recovery_off: false,
        registration: rules::Policy::Open,
        writeconf: settings::Writeconf::Reapply,
    };
    view.apply(&keys::fs("testfs"), Some(&serde_json::to_vec(&head).unwrap())).unwrap();
    for index in 0..targets {
        let target = Target {
            id: String::new(),
            uuid: String::new(),
            nids: vec!["10.0.0.1@tcp".parse().unwrap()],
            failover: Vec::new(),
            params: String::new(),
            lustre_version: if index % 2 == 0 { 0x020f_0400 } else { 0x0211_3900 },
            registered: Registered { seq: 1, time: 0, flags: 0, mgc_uuid: String::new() },
            ready: true,
        };
        let key = keys::target("testfs", TargetId::ost(index));
        view.apply(&key, Some(&serde_json::to_vec(&target).unwrap())).unwrap();
    }
    view
}

fn main() -> ExitCode {
    let views = SIZES.map(view);
    let mut flat = true;
    for (syntax, text) in ASSIGNMENTS {
        let mut best = [Duration::MAX; SIZES.len()];
        for _ in 0..BLOCKS {
            for (view, best) in views.iter().zip(&mut best) {
                let start = Instant::now();
                for _ in 0..ROUNDS {
                    let tx = Tx::new(view, 2, 0, 0, "uid:0".to_owned());
                    let _ = black_box(gate::judge(&tx, black_box(text), syntax, How::default()));
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
