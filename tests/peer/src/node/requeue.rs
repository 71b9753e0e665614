//! Logs that lost their lock are read again: 5 s later, and up to 5 s more.
use super::mount::{Stage, Step, Task};
use super::rpc::Owner;
use super::{ConfigLog, LogKey, Node, Role};
use std::time::Duration;

/// `mgc_requeue_timeout_min`.
const REQUEUE: Duration = Duration::from_secs(5);
/// As much again at random, in milliseconds.
const SPREAD: u64 = 5_000;

impl Node {
    /// The log has to be read again.
    pub(crate) fn mark_lost(&mut self, key: LogKey) {
        if let Some(log) = self.logs.get_mut(&key) {
            log.lost = true;
            if self.requeue.is_none() {
                self.schedule_requeue();
            }
        }
    }

    pub(crate) fn schedule_requeue(&mut self) {
        if self.requeue_at.is_none() {
            let extra = self.random.below(SPREAD);
            self.requeue_at = Some(self.now + REQUEUE + Duration::from_millis(extra));
        }
    }

    /// Reads every lost log again: mounts from the youngest to the oldest, then nodemap and sptlrpc.
    pub(crate) fn start_requeue(&mut self) {
        self.requeue_at = None;
        let mut keys: Vec<LogKey> = Vec::new();
        for mount in self.mounts.iter().rev() {
            for role in mount.requeue_order() {
                keys.extend(self.lost_logs(|l| l.owner == mount.name && l.role == *role));
            }
        }
        keys.extend(self.lost_logs(|l| l.role == Role::Nodemap));
        keys.extend(self.lost_logs(|l| l.role == Role::Sptlrpc));
        if !keys.is_empty() {
            self.run(Task::new(Owner::Requeue, "", keys.into_iter().map(Step::Again)));
        }
    }

    fn lost_logs(&self, mine: impl Fn(&ConfigLog) -> bool) -> Vec<LogKey> {
        self.logs.iter().filter(|(_, l)| l.lost && mine(l)).map(|(k, _)| *k).collect()
    }

    /// Eviction: no lock is left, everything is read again.
    pub(crate) fn lose_all_locks(&mut self) {
        self.locks.held.clear();
        let held: Vec<LogKey> = self.logs.iter().filter(|(_, l)| l.lock.is_some()).map(|(k, _)| *k).collect();
        for key in held {
            if let Some(log) = self.logs.get_mut(&key) {
                log.lock = None;
            }
            self.mark_lost(key);
        }
        for owner in [Owner::Mount, Owner::Requeue] {
            let slot = if owner == Owner::Requeue { &mut self.requeue } else { &mut self.mount_task };
            let waits = |t: &mut Task| matches!(&t.stage, Stage::Reading(r) if r.is_granting());
            if let Some(mut task) = slot.take_if(waits)
                && let Stage::Reading(reading) = std::mem::replace(&mut task.stage, Stage::Next)
            {
                self.read_part(&mut task, reading);
                self.run(task);
            }
        }
    }
}
