//! Noun `log`: how much of its life a log has used, and who is bound to it.

use super::api::time;
use mgs_api::{Forecast, Log, LogReader, Problem};
use mgs_core::Now;
use mgs_core::engine::Engine;
use mgs_core::model::logs::{self, LogEntry};
use mgs_core::model::names::{log_base, next_of};
use std::collections::BTreeMap;

/// Pinned nodes of a log that are named.
const NAMED: usize = 64;

/// Logs as the API shows them.
pub(super) fn list<'a>(
    engine: &Engine,
    now: Now,
    logs: impl Iterator<Item = (&'a String, &'a LogEntry)>,
) -> Vec<Log> {
    let mut readers: BTreeMap<u64, u64> = BTreeMap::new();
    for fetched in engine.exports().iter().flat_map(|export| export.fetched.values()) {
        *readers.entry(fetched.oid).or_default() += 1;
    }
    logs.map(|(name, entry)| {
        let readers = readers.get(&entry.head.oid).copied().unwrap_or(0);
        log_of(engine, name, entry, readers, now)
    })
    .collect()
}

fn log_of(engine: &Engine, name: &str, entry: &LogEntry, readers: u64, now: Now) -> Log {
    let id = entry.id();
    let total = entry.log.last_index();
    let base = log_base(name);
    let (budget, created) = (entry.budget(), entry.head.created);
    let (forecast, full_at) = match budget.forecast(now.wall) {
        logs::Forecast::TooEarly => (Forecast::TooEarly, None),
        logs::Forecast::Steady => (Forecast::Steady, None),
        logs::Forecast::Full(at) => (Forecast::Full, Some(time(at))),
    };
    let next = Some(next_of(name)).filter(|next| engine.view().logs.contains_key(next));
    let pinned = engine.pinned(name);
    Log {
        name: name.to_owned(),
        fs: (name.contains('-') && engine.view().fs.contains_key(base)).then(|| base.to_owned()),
        id: format!("[{:#x}:{:#x}:{:#x}]", id.seq, id.oid, id.ogen),
        records_live: entry.log.count().saturating_sub(1),
        records_total: total,
        records_pad: u32::try_from(entry.log.records().filter(llog::RecordRef::is_pad).count()).unwrap_or(0),
        last_index: total,
        size: entry.log.end(),
        budget_used: Log::budget_used(total),
        commits_left: budget.commits_left(),
        forecast,
        full_at,
        readers,
        next,
        pinned: pinned.iter().take(NAMED).map(ToString::to_string).collect(),
        pinned_count: pinned.len() as u64,
        created: (created != 0).then(|| time(created)),
    }
}

/// Connected nodes that have fetched a log: they remember an index of it, so that it has to go on where it ends.
pub(super) fn readers(engine: &Engine, name: &str) -> Result<Vec<LogReader>, Problem> {
    let logs = &engine.view().logs;
    let entry = logs.get(name).ok_or_else(|| Problem::unknown_name("log", name, logs.keys()))?;
    let of = engine.exports().iter().filter_map(|export| {
        let fetched = export.fetched_of(name, entry.head.oid)?;
        Some(LogReader {
            nid: export.address.peer.to_string(),
            uuid: export.uuid.clone(),
            index: fetched.index,
            last: entry.log.last_index(),
            at: time(fetched.at),
        })
    });
    let mut readers: Vec<LogReader> = of.collect();
    readers.sort_by(|a, b| (&a.nid, &a.uuid).cmp(&(&b.nid, &b.uuid)));
    Ok(readers)
}
