//! What the engine knows of imperative recovery beyond the stored table: which entries are confirmed since it started,
//! and in which state each file system is (mgs/06).

use super::{Engine, Output, Ticket};
use crate::Errno;
use crate::error::Error;
use crate::export::Export;
use crate::model::command::{Done, Order};
use crate::model::commit::EventKind;
use crate::model::recovery::IrState;
use crate::model::{Resource, TargetId, View};
use crate::time::Now;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use wire::Nid;
use wire::ldlm::ConfigKind;
use wire::ptlrpc::connect_flags;

/// Imperative recovery of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IrStatus {
    /// State.
    pub state: IrState,
    /// How long it has been in it, as far as this daemon knows.
    pub since: Duration,
    /// Connected readers without the feature.
    pub nonir_clients: usize,
    /// How often readers of its table were told since this daemon started.
    pub notified: u64,
}

/// State that is not stored.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    /// Entries whose target is known to run since this daemon started.
    confirmed: BTreeMap<String, BTreeSet<TargetId>>,
    /// Entries that a reader asked for and did not get.
    withheld: BTreeMap<String, BTreeSet<TargetId>>,
    /// Stored entries that are not confirmed, by the addresses of their targets.
    stored: BTreeMap<Nid, Vec<(String, TargetId)>>,
    /// When the first reader without the feature came or the last one went.
    changed: BTreeMap<String, Duration>,
    /// How often readers of a table were told.
    notified: BTreeMap<String, u64>,
}

impl Recovery {
    /// Nothing of what is stored is confirmed yet.
    pub(super) fn new(view: &View) -> Self {
        let mut stored: BTreeMap<Nid, Vec<(String, TargetId)>> = BTreeMap::new();
        for (name, fs) in &view.fs {
            for (id, entry) in &fs.nidtbl {
                for nid in &entry.nids {
                    stored.entry(*nid).or_default().push((name.clone(), *id));
                }
            }
        }
        Self { stored, ..Self::default() }
    }

    /// Whether an entry is served. What is not is remembered: it gets a new version when its target is back.
    pub(crate) fn serves(&mut self, fs: &str, id: TargetId) -> bool {
        let served = self.confirmed.get(fs).is_some_and(|ids| ids.contains(&id));
        if !served {
            self.withheld.entry(fs.to_owned()).or_default().insert(id);
        }
        served
    }

    pub(super) fn withheld(&self, fs: &str, id: TargetId) -> bool {
        self.withheld.get(fs).is_some_and(|ids| ids.contains(&id))
    }

    /// The target runs, and whoever missed its entry will be told.
    pub(super) fn confirm(&mut self, fs: &str, id: TargetId) {
        self.confirmed.entry(fs.to_owned()).or_default().insert(id);
        if let Some(ids) = self.withheld.get_mut(fs) {
            ids.remove(&id);
        }
    }

    /// A commit has changed the table, and its readers are told.
    pub(super) fn told(&mut self, resource: &Resource) {
        if resource.kind == ConfigKind::Recover {
            *self.notified.entry(resource.base.clone()).or_default() += 1;
        }
    }

    pub(super) fn mixed(&mut self, fs: &str, now: Now) {
        self.changed.insert(fs.to_owned(), now.mono);
    }
}

impl Engine {
    /// `mgs.MGS.ir_timeout`: how long *startup* lasts.
    pub fn ir_timeout(&self) -> Duration {
        self.config.ir_timeout
    }

    /// Sets it until this daemon ends; written down, and not stored.
    pub(super) fn startup_order(&mut self, ticket: Ticket, order: &Order, seconds: u64, now: Now) {
        let before = self.config.ir_timeout.as_secs();
        let event = (seconds != before).then_some(EventKind::StartupSet { seconds, before });
        if !order.dry_run {
            self.config.ir_timeout = Duration::from_secs(seconds);
        }
        self.set_until_the_end(ticket, order, event, now);
    }

    /// Counts notifications from zero again.
    pub(super) fn forget_notified_order(&mut self, ticket: Ticket, order: &Order, fs: &str, now: Now) {
        if !self.view.fs.contains_key(fs) {
            let object = format!("file system '{}'", fs.escape_default());
            let error = Error::refused(object, Errno::ENOENT, "is not known", "see 'mgsctl fs list'");
            return self.out.push_back(Output::Done(ticket, Err(error)));
        }
        let before = self.recovery.notified.get(fs).copied().unwrap_or(0);
        let event = (before > 0).then(|| EventKind::NotifiedForgotten { fs: fs.to_owned(), before });
        if !order.dry_run {
            self.recovery.notified.remove(fs);
        }
        self.set_until_the_end(ticket, order, event, now);
    }

    fn set_until_the_end(&mut self, ticket: Ticket, order: &Order, event: Option<EventKind>, now: Now) {
        let done = Done { events: event.into_iter().collect(), ..Done::default() };
        match order.dry_run || done.events.is_empty() {
            true => self.out.push_back(Output::Done(ticket, Ok(Box::new(done)))),
            false => self.note_done(ticket, &order.actor, done, now),
        }
    }

    /// State of imperative recovery of a file system.
    pub fn ir_state(&self, fs: &str, now: Now) -> IrState {
        self.ir_status(fs, now).state
    }

    /// The same with its age and the readers that keep it from being full. *Startup* lasts until the time-out: which
    /// readers held the lock before this daemon started is not stored, so nothing shorter would be safe.
    pub fn ir_status(&self, fs: &str, now: Now) -> IrStatus {
        let off = self.view.fs.get(fs).is_some_and(|f| f.head.recovery_off);
        let up = self.started.mono.saturating_add(self.config.ir_timeout);
        let readers = self.exports.iter().filter(|e| !e.has(connect_flags::IMP_RECOV));
        let nonir_clients = readers.filter(|e| e.opened.contains(fs)).count();
        let changed = self.recovery.changed.get(fs).copied().unwrap_or(up).max(up);
        let (state, from) = match () {
            () if off => {
                (IrState::Disabled, self.recovery.changed.get(fs).copied().unwrap_or(self.started.mono))
            }
            () if now.mono < up => (IrState::Startup, self.started.mono),
            () if nonir_clients > 0 => (IrState::Partial, changed),
            () => (IrState::Full, changed),
        };
        let notified = self.recovery.notified.get(fs).copied().unwrap_or(0);
        IrStatus { state, since: now.mono.saturating_sub(from), nonir_clients, notified }
    }

    /// An MGC has connected from this address: the targets that were announced with it are served again.
    pub(super) fn server_back(&mut self, nid: Nid, now: Now) {
        for (fs, id) in self.recovery.stored.remove(&nid).unwrap_or_default() {
            if self.recovery.withheld(&fs, id) {
                self.queue_confirm(fs, id, now);
            } else {
                self.recovery.confirm(&fs, id);
            }
        }
    }

    /// A reader is gone: the last one without the feature makes room for *full*.
    pub(super) fn reader_left(&mut self, export: &Export, now: Now) {
        if !export.has(connect_flags::IMP_RECOV) {
            for fs in &export.opened {
                self.recovery.mixed(fs, now);
            }
        }
    }
}
