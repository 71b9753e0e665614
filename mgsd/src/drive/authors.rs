//! Who wrote records that no setting tells of: failover nodes, and what an import or an edit of a log has brought. The
//! chain of commits knows, as far back as it goes.

use super::api::time;
use mgs_api::{EffectiveParam, ParamAssigned, ParamInForce};
use mgs_core::model::commit::{CommitRecord, EventKind};
use std::collections::BTreeMap;
use store_backends::Store;

/// Most commits that one answer looks up.
const MOST: usize = 512;

/// Commits that have been looked up.
struct Chain<'a> {
    /// None, once it has failed: it is not waited for again.
    store: Option<&'a dyn Store>,
    known: BTreeMap<u64, Option<CommitRecord>>,
}

/// Who, when (unix seconds), and the target whose registration it was.
struct Author {
    by: String,
    time: i64,
    from: Option<String>,
}

impl Chain<'_> {
    async fn record(&mut self, seq: u64) -> Option<&CommitRecord> {
        if !self.known.contains_key(&seq) {
            let store = self.store.filter(|_| self.known.len() < MOST)?;
            // A chain that cannot be read is told of elsewhere; here only a name is missing.
            let Ok(found) = store.commits(seq.saturating_sub(1), 1).await else {
                self.store = None;
                return None;
            };
            let record = found.into_iter().find(|(at, _)| *at == seq);
            let record = record.and_then(|(_, bytes)| serde_json::from_slice(&bytes).ok());
            self.known.insert(seq, record);
        }
        self.known.get(&seq)?.as_ref()
    }

    /// The author of an assignment (`testfs-OST0000.failover.node`) that a commit wrote.
    async fn author(&mut self, seq: u64, assignment: &str) -> Option<Author> {
        let record = self.record(seq).await?;
        let author = |by: &String, from| Author { by: by.clone(), time: record.time, from };
        for event in record.events.iter().rev() {
            if let EventKind::ParamSet { device, name, .. } = &event.kind
                && assignment.strip_prefix(device.as_str()).and_then(|rest| rest.strip_prefix('.'))
                    == Some(name)
            {
                return Some(author(&event.actor, None));
            }
        }
        for event in record.events.iter().rev() {
            if let EventKind::TargetRegistered { target, .. } = &event.kind
                && assignment.strip_prefix(target.as_str()).is_some_and(|rest| rest.starts_with('.'))
            {
                return Some(author(&event.actor, Some(target.clone())));
            }
        }
        let first = &record.events.first()?.actor;
        record.events.iter().all(|e| e.actor == *first).then(|| author(first, None))
    }
}

/// Names the authors of a list. `written`: the commits of its items.
pub(super) async fn of_list(store: &dyn Store, items: &mut [ParamInForce], written: &[Option<u64>]) {
    let mut chain = Chain { store: Some(store), known: BTreeMap::new() };
    for (item, seq) in items.iter_mut().zip(written) {
        let (None, Some(seq)) = (&item.assigned, *seq) else { continue };
        let assignment = match &item.device {
            Some(device) => format!("{device}.{}", item.name),
            None => format!("params.{}", item.name),
        };
        if let Some(Author { by, time: at, from }) = chain.author(seq, &assignment).await {
            item.assigned = Some(ParamAssigned { by, time: time(at), seq, from, unset: false });
        }
    }
}

/// Names the authors of what is told.
pub(super) async fn of_told(store: &dyn Store, found: &mut EffectiveParam) {
    let mut chain = Chain { store: Some(store), known: BTreeMap::new() };
    for reader in &mut found.readers {
        for told in reader.in_force.iter_mut().chain(&mut reader.shadowed).filter(|t| t.by.is_none()) {
            if let Some(Author { by, from, .. }) = chain.author(told.seq, &told.name).await {
                told.by = Some(by);
                told.from = told.from.take().or(from);
            }
        }
    }
}
