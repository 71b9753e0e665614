//! Noun `param`: what is assigned, what nodes are told, how far they are.

use super::api::time;
use mgs_api::{
    ChangeReach, EffectiveParam, LogFetched, LogReach, NodeReach, ParamAssigned, ParamEvent, ParamInForce,
    ParamReader, ParamTold, Problem, ProblemKind, RecordAt, Time, Validation, Writeconf,
};
use mgs_core::engine::Engine;
use mgs_core::export::Export;
use mgs_core::model::command::param::{self, Listed, PARAMS};
use mgs_core::model::commit::{CommitRecord, EventKind};
use mgs_core::model::effective::{Effective, Told};
use mgs_core::model::names::log_of;
use mgs_core::model::settings;
use store_backends::Store;
use tunables::{Syntax, canonical, translate};

/// Records fetched at a time.
const STEP: usize = 512;

pub(super) const fn validation(of: settings::Validation) -> Validation {
    match of {
        settings::Validation::Enforce => Validation::Enforce,
        settings::Validation::Warn => Validation::Warn,
    }
}

pub(super) const fn writeconf(of: settings::Writeconf) -> Writeconf {
    match of {
        settings::Writeconf::Reapply => Writeconf::Reapply,
        settings::Writeconf::Wipe => Writeconf::Wipe,
        settings::Writeconf::Ask => Writeconf::Ask,
    }
}

fn spelled(device: Option<&str>, name: &str) -> (Syntax, String) {
    match device {
        Some(device) => (Syntax::ConfParam, format!("{device}.{name}")),
        None => (Syntax::SetParamP, name.to_owned()),
    }
}

pub(super) fn in_force(listed: Listed) -> ParamInForce {
    let Listed { param, assigned, .. } = listed;
    let at = |(log, index)| RecordAt { log, index };
    let (syntax, name) = spelled(param.device.as_deref(), &param.name);
    let other = translate(syntax, &name).into_iter().map(|t| t.name);
    ParamInForce {
        spellings: std::iter::once(name.clone()).chain(other.filter(|o| !o.starts_with("FSNAME."))).collect(),
        device: param.device,
        name: param.name,
        value: param.value,
        records: param.logs.into_iter().map(at).collect(),
        assigned: assigned.map(|v| ParamAssigned {
            by: v.by,
            time: time(v.time),
            seq: v.seq,
            from: v.from,
            unset: v.unset,
        }),
    }
}

pub(super) fn effective(found: Effective) -> EffectiveParam {
    let reader = |r: mgs_core::model::effective::Reader| ParamReader {
        log: r.log,
        in_force: r.in_force.into_iter().map(told).collect(),
        shadowed: r.shadowed.into_iter().map(told).collect(),
    };
    EffectiveParam {
        canonical: found.canonical,
        conf_param: found.conf_param,
        set_param: found.set_param,
        tunables: found.tunables,
        default: found.default,
        unit: found.unit,
        registered: found.registered,
        readers: found.readers.into_iter().map(reader).collect(),
    }
}

fn told(t: Told) -> ParamTold {
    ParamTold {
        name: t.name,
        value: t.value,
        record: RecordAt { log: t.log, index: t.index },
        seq: t.seq,
        time: time(t.time),
        by: t.by,
        from: t.from,
        unset: t.unset,
    }
}

/// How far a node has fetched the logs that are still there.
pub(super) fn fetched(engine: &Engine, export: &Export) -> Vec<LogFetched> {
    let logs = &engine.view().logs;
    let there = export.fetched.iter().filter_map(|(log, f)| {
        // a newer generation has taken over the name since
        let mut there =
            [log.as_str(), log_of(log)].into_iter().filter_map(|name| Some((name, logs.get(name)?)));
        let (log, entry) = there.find(|(_, entry)| entry.head.oid == f.oid)?;
        Some(LogFetched { log: log.to_owned(), index: f.index, last: entry.log.last_index(), at: time(f.at) })
    });
    there.collect()
}

/// Which nodes have fetched past a commit.
pub(super) fn reach(engine: &Engine, seq: Option<u64>) -> Result<ChangeReach, Problem> {
    let logs = &engine.view().logs;
    let newest = logs.values().filter_map(|entry| entry.segment_seqs().last()).max();
    let seq = seq.or(newest).unwrap_or(0);
    if seq > engine.view().seq {
        let what = format!("has not been made; the last one is {}", engine.view().seq);
        return Err(Problem::new(ProblemKind::UnknownName, format!("commit {seq}"), what)
            .hint("'mgsctl audit list' shows the commits"));
    }
    let written = logs.iter().filter_map(|(log, entry)| {
        let index = entry.last_index_of(seq)?;
        let readers = engine.exports().iter().filter_map(|export| {
            let found = export.fetched_of(log, entry.head.oid);
            // Whoever has mounted reads `params`, once there is something in it.
            let reads = found.is_some() || (log == PARAMS && !export.fetched.is_empty());
            let fetched = found.map_or(0, |f| f.index);
            reads.then(|| NodeReach {
                nid: export.address.peer.to_string(),
                uuid: export.uuid.clone(),
                fetched,
                at: found.map(|f| time(f.at)),
                past: fetched >= index,
            })
        });
        let mut nodes: Vec<NodeReach> = readers.collect();
        nodes.sort_by(|a, b| (a.past, &a.nid, &a.uuid).cmp(&(b.past, &b.nid, &b.uuid)));
        Some(LogReach { log: log.clone(), index, nodes })
    });
    Ok(ChangeReach { seq, logs: written.collect() })
}

/// Changes of a parameter that the chain still has.
pub(super) async fn history(store: &dyn Store, name: &str) -> Result<Vec<ParamEvent>, Problem> {
    let wanted = [canonical(Syntax::ConfParam, name), canonical(Syntax::SetParamP, name)];
    let (mut after, mut out) = (0, Vec::new());
    loop {
        let found = store.commits(after, STEP).await.map_err(|e| {
            Problem::new(ProblemKind::Storage, "commits", e.to_string())
                .hint("'mgsctl status' tells of the store")
        })?;
        let Some((last, _)) = found.last() else { return Ok(out) };
        after = *last;
        for (seq, record) in &found {
            let Ok(record) = serde_json::from_slice::<CommitRecord>(record) else { continue };
            let when = Time::from_unix(u64::try_from(record.time).unwrap_or(0));
            for event in record.events {
                let (device, param, value, before) = match event.kind {
                    EventKind::ParamSet { device, name, value, before } => {
                        (device, name, Some(value), before)
                    }
                    EventKind::ParamDeleted { device, name, before } => (device, name, None, before),
                    _ => continue,
                };
                let (syntax, spelled) = spelled(Some(device.as_str()).filter(|d| *d != PARAMS), &param);
                if param == name || spelled == name || wanted.contains(&canonical(syntax, &spelled)) {
                    out.push(ParamEvent {
                        seq: *seq,
                        time: when,
                        by: event.actor,
                        name: spelled,
                        value,
                        before,
                    });
                }
            }
        }
    }
}

/// Each with the commit that wrote it.
pub(super) fn listed(engine: &Engine, fs: Option<&str>) -> Vec<(ParamInForce, Option<u64>)> {
    let listed = param::listed(engine.view(), fs).into_iter();
    listed.map(|l| (l.written, l)).map(|(written, l)| (in_force(l), written)).collect()
}
