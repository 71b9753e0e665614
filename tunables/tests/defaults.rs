//! How many defaults nodes can be told, and which only nodes know.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use tunables::{Assignment, Catalogue, Class, Judge, Mode, Syntax, Tunable, default_of};

/// Settings that may be stored and that have a default in the catalogue.
fn settings() -> impl Iterator<Item = &'static Tunable> {
    let all = Catalogue::shipped().tunables().iter();
    all.filter(|t| t.mode != Mode::Ro && t.not_stored().is_none() && t.default.is_some())
}

/// Defaults that depend on the memory, the device or the timeout of a node.
const NODES_KNOW: &[&str] = &[
    "global.debug_mb",
    "global.max_dirty_mb",
    "ldlm.lock_limit_mb",
    "ldlm.lock_reclaim_threshold_mb",
    "ldlm.namespaces.pool.limit",
    "ldlm.namespaces.pool.recalc_period",
    "llite.enable_filename_encryption",
    "llite.max_cached_mb",
    "llite.max_read_ahead_async_active",
    "llite.max_read_ahead_mb",
    "llite.max_read_ahead_per_file_mb",
    "llite.read_ahead_async_file_threshold_mb",
    "lod.dom_threshold_free_mb",
    "mdc.checksum_type",
    "mdc.max_dirty_mb",
    "mdc.max_mb_per_rpc_read",
    "mdc.max_mb_per_rpc_write",
    "mdc.max_pages_per_rpc",
    "mdd.changelog_mask",
    "mdt.client_cache_seconds",
    "mdt.hsm_control",
    "mdt.recovery_time_hard",
    "mdt.recovery_time_soft",
    "mdt.sync_lock_cancel",
    "mdt.tgt_fmd_seconds",
    "mgs.ir_timeout",
    "obdfilter.brw_size",
    "obdfilter.client_cache_seconds",
    "obdfilter.precreate_batch",
    "obdfilter.recovery_time_hard",
    "obdfilter.recovery_time_soft",
    "obdfilter.sync_lock_cancel",
    "obdfilter.tgt_fmd_seconds",
    "osc.checksum_type",
    "osc.max_dirty_mb",
    "osc.max_mb_per_rpc_read",
    "osc.max_mb_per_rpc_write",
    "osc.max_pages_per_rpc",
    "osd-ldiskfs.index_in_idif",
    "osd-ldiskfs.nonrotational",
    "osd-ldiskfs.quota_slave.verion_mismatch_timeout",
    "osd-ldiskfs.read_cache_enable",
    "osd-ldiskfs.readcache_max_filesize",
    "osd-ldiskfs.writethrough_cache_enable",
    "osd-zfs.quota_slave.verion_mismatch_timeout",
    "osd-zfs.readcache_max_filesize",
    "osp.mdt.reserved_ino_high",
    "osp.mdt.reserved_mb_high",
    "osp.mdt.reserved_mb_low",
    "osp.ost.reserved_ino_high",
    "osp.ost.reserved_mb_high",
    "osp.ost.reserved_mb_low",
    "ost.service.threads_max",
    "qmt.<md|dt>-<pool>.soft_least_qunit",
];

#[test]
fn most_defaults_can_be_told() {
    let catalogue = Catalogue::shipped();
    let (told, unknown): (Vec<_>, Vec<_>) = settings().partition(|t| default_of(catalogue, t).is_some());
    let unknown: BTreeSet<&str> = unknown.iter().map(|t| t.id.as_str()).collect();
    assert_eq!(unknown, NODES_KNOW.iter().copied().collect(), "{} told", told.len());
    // Twelve of them with a unit or a remark, which no node takes as it stands.
    let other = told.iter().filter(|t| default_of(catalogue, t) != t.default).count();
    assert_eq!((told.len(), other), (378, 12));
}

/// A default that is told is one that may be assigned.
#[test]
fn a_default_is_no_mistake() {
    let catalogue = Catalogue::shipped();
    for tunable in settings() {
        let (Some(default), Some(path)) = (default_of(catalogue, tunable), &tunable.path) else { continue };
        let name = path.split('.').map(|part| if part.contains('<') { "*" } else { part });
        let text = format!("{}={default}", name.collect::<Vec<_>>().join("."));
        let verdict = Judge::new(catalogue).judge(&Assignment::new(Syntax::SetParamP, &text));
        // A pattern may hit others of this name whose range is another; one service alone sorts by object.
        let alone = verdict.tunables == [tunable.id.as_str()] && verdict.class != Class::WrongService;
        assert!(!alone || !verdict.is_refused(), "{text}: {} {verdict}", verdict.class);
    }
}
