//! `mgsd backup` and `mgsd restore`: what they do is decided in `store-backends` and in `mgs_core::model::restore`.

use mgs_core::lint;
use mgs_core::model::restore::{self, How, Plan, Restore};
use mgs_core::model::view::View;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use store_backends::sqlite::{self, Backup, Offline};
use store_backends::{Place, Snapshot, StoreError};

/// Why there is no backup, or no restore.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store or the backup cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the backup holds cannot be used.
    #[error("{0}")]
    Content(String),
}

fn view(snapshot: &Snapshot) -> Result<View, BackupError> {
    View::load(snapshot.entries.iter().map(|e| (e.key.as_str(), e.value.as_slice())))
        .map_err(|e| BackupError::Content(e.to_string()))
}

/// Copies a store, in use or not, to `file`; what to say of it.
///
/// # Errors
/// Nothing was made, or what was made did not pass its check.
pub fn backup(place: &Place, file: &Path) -> Result<Vec<String>, BackupError> {
    let made = match place {
        Place::Sqlite(dir) => sqlite::backup(dir, file)?,
        place => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|e| BackupError::Content(format!("no runtime: {e}")))?;
            let snapshot = runtime.block_on(async { place.open().await?.snapshot().await })?;
            let bytes = sqlite::write(&snapshot, file)?;
            Backup { snapshot, bytes }
        }
    };
    let view = view(&made.snapshot)?;
    if let Some(finding) = lint::view(&view).into_iter().next() {
        return Err(BackupError::Content(format!("{}: {finding}", file.display())));
    }
    let (uuid, epoch) = view.meta.map_or_else(Default::default, |m| (m.uuid, m.epoch));
    Ok(vec![format!(
        "{}: MGS {uuid}, epoch {epoch}, commit {}: {} values, {} bytes, checked",
        file.display(),
        made.snapshot.seq,
        made.snapshot.entries.len(),
        made.bytes
    )])
}

/// Puts the backup `from` in the place of an embedded store; what to say of it, who must be remounted included.
///
/// # Errors
/// Nothing was changed.
pub fn restore(place: &Place, from: &Path, gap: u32) -> Result<Vec<String>, BackupError> {
    let Place::Sqlite(data) = place else {
        return Err(BackupError::Content(format!(
            "{place}: only an embedded store is replaced in place; restore to sqlite:DIR, then copy that to a new prefix: \
             mgsctl store copy --from sqlite:DIR --to etcd:…"
        )));
    };
    let backup = sqlite::read(from)?;
    view(&backup)?;
    let place = Offline::take(data)?;
    let mut said = Vec::new();
    let present = match place.snapshot() {
        Ok(present) => present,
        Err(error) => {
            said.push(format!("the present store cannot be read: {error}"));
            None
        }
    };
    let lost = match present.as_ref().map(view) {
        Some(Err(error)) => {
            said.push(format!("the present store cannot be used: {error}"));
            None
        }
        Some(Ok(lost)) if lost.meta.is_some() => Some(lost),
        Some(Ok(_)) | None => None,
    };
    #[allow(clippy::disallowed_methods)] // the rim: here the clock is read
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let txn = uuid::Uuid::new_v4().as_u128();
    let how = How { time, txn, actor: format!("uid:{}", rustix::process::geteuid().as_raw()), gap };
    let entries = backup.entries.into_iter().map(|e| (e.key, e.value)).filter(|(key, _)| key != "seq");
    let plan = restore::plan(entries.collect(), lost.as_ref(), &how)
        .map_err(|e| BackupError::Content(e.to_string()))?;
    let snapshot = Snapshot::of(plan.entries.clone(), plan.seq);
    let aside = format!("before-epoch-{}", plan.restore.epoch);
    let kept = place.replace(&snapshot, &aside)?;
    said.extend(report(&plan, kept.as_deref()));
    Ok(said)
}

fn report(plan: &Plan, kept: Option<&Path>) -> Vec<String> {
    let Restore { epoch, backup, lost, .. } = plan.restore;
    let mut said = vec![match lost {
        Some(lost) => format!(
            "restored commit {backup} as epoch {epoch}; {} later commits are lost",
            lost.saturating_sub(backup)
        ),
        None => format!("restored commit {backup} as epoch {epoch}; what came after it is not known"),
    }];
    said.extend(kept.map(|kept| format!("what was there is kept as {}", kept.display())));
    for (log, fence) in &plan.restore.logs {
        let records = fence.resume.saturating_sub(fence.last);
        said.push(format!(
            "log {log}: goes on at {}, {records} behind the backup",
            fence.resume.saturating_add(1)
        ));
    }
    said.extend(plan.servers.iter().map(|t| format!("must be remounted: {t}: it has executed lost records")));
    said.extend(plan.unknown.iter().map(|t| {
        format!("must be registered again (tunefs.lustre --writeconf): {t}: it came after the backup")
    }));
    let gone: BTreeSet<&str> =
        plan.restore.gone.iter().filter_map(|log| log.strip_suffix("-client")).collect();
    said.extend(
        gone.into_iter().map(|fs| format!("must be remounted: all of {fs}: it was made after the backup")),
    );
    said.push(if plan.restore.logs.is_empty() && plan.restore.gone.is_empty() {
        "no client has to be remounted: no log has lost a record".to_owned()
    } else {
        "clients that had read lost records show themselves when they are back: mgsctl status lists them"
            .to_owned()
    });
    said
}
