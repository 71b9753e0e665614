//! A store that holds what a kernel MGS had on its disk at a stage of a session.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use crate::harness::{Mgs, nid};
use capture::states;
use mgs_core::model::TargetId;
use mgs_core::model::commit::CommitRecord;
use mgs_core::model::keys;
use mgs_core::model::logs::{LogHead, Segment};
use mgs_core::model::names::{is_log_of, log_base};
use mgs_core::model::view::{FsHead, Meta, Registered, Target};
use std::collections::{BTreeMap, BTreeSet};

pub fn store(golden: &states::Files, stage: &str) -> BTreeMap<String, Vec<u8>> {
    let prefix = format!("{stage}/CONFIGS/");
    let json = |v: serde_json::Value| serde_json::to_vec(&v).unwrap();
    let mut out = BTreeMap::new();
    let meta = Meta::new("mgs", "MGS");
    out.insert("meta".to_owned(), json(serde_json::to_value(meta).unwrap()));
    let record = CommitRecord {
        seq: 1,
        txn: "0".repeat(32),
        time: 0,
        touched: Vec::new(),
        events: Vec::new(),
        keys: Vec::new(),
        prev: String::new(),
    };
    out.insert(keys::commit(1), json(serde_json::to_value(record).unwrap()));
    let mut steps: BTreeMap<String, u32> = BTreeMap::new();
    let mut targets: BTreeSet<(String, TargetId)> = BTreeSet::new();
    let logs = golden.iter().filter_map(|(path, file)| Some((path.strip_prefix(&prefix)?, file)));
    let logs = logs.filter(|(n, _)| !["mountdata", "nodemap"].contains(n));
    for (oid, (name, file)) in (101..).zip(logs) {
        let log = llog::Log::from_file(file).unwrap();
        let head = LogHead { oid, created: log.timestamp(), ..LogHead::default() };
        out.insert(keys::log(name), json(serde_json::to_value(head).unwrap()));
        if !file.is_empty() {
            let cancelled = log.records().filter(|r| !r.live && !r.is_pad()).map(|r| r.index).collect();
            let segment = Segment { offset: 8192, cancelled, bytes: file[8192..].to_vec() };
            out.insert(keys::segment(name, 1), segment.encode());
        }
        let fs = log_base(name);
        if is_log_of(fs, name) && fs != "params" {
            let step = steps.entry(fs.to_owned()).or_default();
            let markers = log.records().filter_map(|r| r.cfg().ok()?.marker());
            *step = markers.map(|m| m.step).max().unwrap_or(1).max(*step);
            targets.extend(TargetId::parse_svname(name).map(|(fs, id)| (fs.to_owned(), id)));
        }
    }
    for (fs, generation) in steps {
        let head = FsHead {
            uuid: fs.clone(),
            generation,
            nidtbl_version: 2,
            ..serde_json::from_value(
                serde_json::json!({ "uuid": "", "created": 0, "generation": 1, "nidtbl_version": 2 }),
            )
            .unwrap()
        };
        out.insert(keys::fs(&fs), json(serde_json::to_value(head).unwrap()));
    }
    for (fs, id) in targets {
        let target = Target {
            id: id.svname(&fs),
            uuid: format!("{}_UUID", id.svname(&fs)),
            nids: vec![nid("10.77.0.3@tcp")],
            failover: Vec::new(),
            params: String::new(),
            lustre_version: 0,
            registered: Registered { seq: 1, time: 0, flags: 0, mgc_uuid: String::new() },
            ready: true,
        };
        out.insert(keys::target(&fs, id), json(serde_json::to_value(target).unwrap()));
    }
    out
}

/// An MGS with that store.
pub fn mgs(golden: &states::Files, stage: &str) -> Mgs {
    Mgs::on(store(golden, stage), 1)
}
