//! What is judged by who is connected, and what ends with time: a writeconf under mounted nodes, and leave, approvals
//! and reservations that nobody used.

use super::{Engine, Timer};
use crate::Errno;
use crate::error::Error;
use crate::export::Export;
use crate::model::command::{Command, InUse};
use crate::model::names::log_base;
use crate::model::registration::Request;
use crate::time::Now;
use std::collections::BTreeSet;
use std::time::Duration;
use wire::Nid;
use wire::ldlm::{ConfigKind, ResId};
use wire::ptlrpc::connect_flags;

/// Nodes that a refusal names.
const NAMED: usize = 8;
/// After an end that could not be written down the store is tried again.
const AGAIN: Duration = Duration::from_secs(60);

impl Engine {
    /// Nodes that have a file system mounted: they hold a lock on its configuration.
    pub fn mounted(&self, fs: &str) -> BTreeSet<Nid> {
        let Some(resource) = ResId::config(fs, ConfigKind::Config) else { return BTreeSet::new() };
        let holders = self.locks.on(resource).filter_map(|lock| self.exports.get(lock.export));
        holders.map(|export| export.address.peer).collect()
    }

    /// A writeconf of MDT0000 erases what nodes have mounted only with leave. A node that mounts MDT0000 takes its
    /// locks after the registration, so that whoever holds one has something else mounted.
    pub(super) fn guard(&self, request: &Request) -> Result<(), Error> {
        let fs = request.info.fsname.as_str();
        if !request.erases() || self.next.rules.leaves.contains_key(fs) {
            return Ok(());
        }
        let nodes = self.mounted(fs);
        if nodes.is_empty() {
            return Ok(());
        }
        Err(Error::refused(
            format!("{fs}-MDT0000"),
            // mount.lustre takes EBUSY for a device that is mounted already, and says so.
            Errno::EPERM,
            format!("its writeconf erases every log of '{fs}', which is mounted on {}", listed(&nodes)),
            format!(
                "unmount all targets and clients of '{fs}' (a node that died counts for 150 s), \
                 or allow it with 'mgsctl fs approve-writeconf {fs}', then mount MDT0000 again"
            ),
        ))
    }

    /// Nodes that have read logs of a file system, or started a target of it, and are still connected.
    fn users(&self, of: InUse<'_>) -> BTreeSet<Nid> {
        let uses = |export: &&Export| match of {
            InUse::Fs(fs) => export.opened.contains(fs) || export.targets.iter().any(|t| log_base(t) == fs),
            InUse::All => true,
        };
        let users = self.exports.iter().filter(uses).map(|export| export.address.peer);
        match of {
            InUse::Fs(fs) => users.chain(self.mounted(fs)).collect(),
            InUse::All => users.collect(),
        }
    }

    /// What takes logs away from under their readers is refused while there are any.
    pub(super) fn guard_order(&self, command: &Command) -> Result<(), Error> {
        let Some((of, errno)) = command.unmounts() else { return Ok(()) };
        let nodes = self.users(of);
        if nodes.is_empty() {
            return Ok(());
        }
        let (object, whose) = match of {
            InUse::Fs(fs) => (format!("file system '{}'", fs.escape_default()), "of it "),
            InUse::All => ("log 'params'".to_owned(), ""),
        };
        Err(Error::refused(
            object,
            errno,
            format!("is in use by {}", listed(&nodes)),
            format!(
                "unmount every target and client {whose}(a node that died counts for 150 s; 'mgsctl client evict NID' \
                 forgets it at once)"
            ),
        ))
    }

    /// What else is to be known of an order: nodes that have to mount again.
    pub(super) fn remounts(&self, command: &Command) -> Option<String> {
        let Command::Nids(command) = command else { return None };
        let (fs, large) = command.readers()?;
        let exports = self.exports.iter().filter(|e| e.opened.contains(fs));
        let blind = exports.filter(|e| large && !e.has2(connect_flags::LARGE_NID));
        let nodes: BTreeSet<Nid> = blind.map(|e| e.address.peer).collect();
        Some(match nodes.is_empty() {
            true => "remount: no node; running nodes get the new addresses as further connections".to_owned(),
            false => format!("remount: {}, whose Lustre does not understand these NIDs", listed(&nodes)),
        })
    }

    /// Sets the timer for the next end.
    pub(super) fn watch_expiry(&mut self, now: Now) {
        let next = self.view.rules.next_end();
        if next != self.expiry.0 {
            let wait = next.map(|until| u64::try_from(until.saturating_sub(now.wall)).unwrap_or(0));
            self.expiry = (next, self.expiry.1 + 1);
            if let Some(wait) = wait {
                self.timer(now.mono + Duration::from_secs(wait), Timer::Expiry(self.expiry.1));
            }
        }
    }

    /// Something has ended, unless the clock was set back: then it ends later. It counts until a commit says so.
    pub(super) fn expiry_due(&mut self, number: u64, now: Now) {
        let (Some(until), true) = (self.expiry.0, number == self.expiry.1) else { return };
        if until <= now.wall {
            self.queue_expiry(now);
            self.timer(now.mono + AGAIN, Timer::Expiry(number));
        } else {
            let wait = u64::try_from(until.saturating_sub(now.wall)).unwrap_or(0);
            self.timer(now.mono + Duration::from_secs(wait), Timer::Expiry(number));
        }
    }
}

/// The first of them, and how many more.
pub(super) fn listed(nodes: &BTreeSet<Nid>) -> String {
    let mut named: Vec<String> = nodes.iter().take(NAMED).map(ToString::to_string).collect();
    if nodes.len() > NAMED {
        named.push(format!("{} more", nodes.len() - NAMED));
    }
    named.join(", ")
}
