//! Nodemaps and security rules as the API shows them.

use mgs_api::{
    Nodemap, NodemapCaps, NodemapEntry, NodemapExport, NodemapFileset, NodemapIdKind, NodemapIds,
    NodemapOffset, NodemapRange, NodemapTest, Nodemaps, Problem, ProblemKind, SecurityRule,
};
use mgs_core::engine::Engine;
use mgs_core::model::command::sptlrpc;
use mgs_core::model::logs::LogEntry;
use mgs_core::model::nodemap::sorted::Sorted;
use mgs_core::model::nodemap::{self as model, Range, words};
use wire::Nid;
use wire::nodemap::{IdKind, cluster_flags as f, cluster_flags2 as f2};

/// All of them.
pub(super) fn list(engine: &Engine) -> Nodemaps {
    let maps = &engine.view().nodemaps;
    let item = |(name, map): (&str, &model::Nodemap)| NodemapEntry {
        name: name.to_owned(),
        id: map.id,
        ranges: map.ranges.len() as u64,
        bans: map.bans.len() as u64,
        idmaps: (map.uid.len() + map.gid.len() + map.projid.len()) as u64,
        fileset: map.filesets.get(0).map(|f| f.path.clone()),
    };
    let (active, version) = (maps.head.active, maps.head.version);
    Nodemaps { seq: engine.view().seq, active, version, items: maps.iter().map(item).collect() }
}

/// One of them.
pub(super) fn one(engine: &Engine, name: &str) -> Result<Nodemap, Problem> {
    let maps = &engine.view().nodemaps;
    let Some(map) = maps.get(name) else {
        return Err(Problem::unknown_name("nodemap", name, maps.iter().map(|(name, _)| name)));
    };
    let (on, on2) = (|bit| map.flags & bit != 0, |bit| map.flags2 & bit != 0);
    Ok(Nodemap {
        seq: engine.view().seq,
        name: name.to_owned(),
        id: map.id,
        admin: on(f::ALLOW_ROOT),
        trusted: on(f::TRUST_IDS),
        deny_unknown: on(f::DENY_UNKNOWN),
        audit_mode: on(f::AUDIT),
        forbid_encryption: on(f::FORBID_ENCRYPTION),
        readonly_mount: on2(f2::READONLY),
        deny_mount: on2(f2::DENY_MOUNT),
        gssonly_identification: on2(f2::GSS),
        map_mode: map.map_mode_text(),
        squash_uid: map.squash.uid,
        squash_gid: map.squash.gid,
        squash_projid: map.squash.projid,
        rbac: map.rbac_text(),
        child_raise_privileges: map.raise_text(),
        sepol: map.sepol.clone(),
        offset: map.offset.map(|o| NodemapOffset { start: o.start, limit: o.limit }),
        caps: map.caps.map(|c| NodemapCaps {
            kind: words::CAP_KINDS.get(usize::from(c.kind)).unwrap_or(&"?").to_string(),
            caps: words::exact(c.mask, words::CAPABILITIES),
        }),
        filesets: map.filesets.iter().map(fileset).collect(),
        ranges: ranges(&map.ranges),
        banlist: ranges(&map.bans),
        idmap: ids(map),
        exports: exports(engine, name),
    })
}

fn fileset((n, fileset): (u32, &model::Fileset)) -> NodemapFileset {
    NodemapFileset { path: fileset.path.clone(), alternate: n != 0, ro: fileset.ro }
}

fn ranges(ranges: &Sorted<Range>) -> Vec<NodemapRange> {
    let shown = |(id, range): (u32, &Range)| {
        let (start, end) = match range {
            Range::Row(start, end) => (start, end),
            Range::Prefix(nid, _) => (nid, nid),
        };
        NodemapRange { id, range: range.to_string(), start: start.to_string(), end: end.to_string() }
    };
    ranges.iter().rev().map(shown).collect()
}

fn ids(map: &model::Nodemap) -> Vec<NodemapIds> {
    let kinds = [
        (NodemapIdKind::Uid, IdKind::Uid),
        (NodemapIdKind::Gid, IdKind::Gid),
        (NodemapIdKind::Projid, IdKind::Projid),
    ];
    let of = |(kind, of)| map.idmap(of).iter().map(move |(client, fs)| NodemapIds { kind, client, fs });
    kinds.into_iter().flat_map(of).collect()
}

fn exports(engine: &Engine, name: &str) -> Vec<NodemapExport> {
    let maps = &engine.view().nodemaps;
    let all = engine.exports().iter().filter_map(|export| {
        let (owner, _, banned) = maps.classify(&export.address.peer);
        let (nid, uuid) = (export.address.peer.to_string(), export.uuid.clone());
        (owner == name).then_some(NodemapExport { nid, uuid, banned })
    });
    all.collect()
}

/// Whose a NID is, and what becomes of an id there.
pub(super) fn test(engine: &Engine, nid: &str, id: Option<(IdKind, u32)>) -> Result<NodemapTest, Problem> {
    let parsed: Nid = nid.parse().map_err(|e: wire::Error| {
        Problem::new(ProblemKind::Refused, format!("NID {nid:?}"), e.to_string())
            .hint("write an address and a network, such as 10.0.0.4@tcp")
            .errno(Some("EINVAL"))
    })?;
    let maps = &engine.view().nodemaps;
    let (name, map, banned) = maps.classify(&parsed);
    let active = maps.head.active;
    Ok(NodemapTest {
        seq: engine.view().seq,
        nid: parsed.to_string(),
        nodemap: name.to_owned(),
        banned,
        active,
        id: id.map(|(kind, id)| if active { map.map_id(kind, id) } else { id }),
    })
}

/// Security rules in force: those of each file system in the order in which nodes look for them.
pub(super) fn security_rules(engine: &Engine, only: Option<&str>) -> Vec<SecurityRule> {
    let logs = engine
        .view()
        .logs
        .iter()
        .filter_map(|(name, entry)| Some((name, name.strip_suffix("-sptlrpc")?, entry)));
    let wanted = logs.filter(|(_, fs, _)| only.is_none_or(|only| only == *fs));
    let of = |(name, _, entry): (&String, &str, &LogEntry)| -> Vec<SecurityRule> {
        let shown = |rule: sptlrpc::Rule| SecurityRule {
            device: rule.device,
            network: rule.net,
            direction: rule.direction,
            flavor: rule.flavor,
            log: name.clone(),
            index: rule.index,
        };
        sptlrpc::rules(&entry.log).into_iter().map(shown).collect()
    };
    wanted.flat_map(of).collect()
}
