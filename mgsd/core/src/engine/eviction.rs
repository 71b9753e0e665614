//! Nodes that somebody has forgotten, or does not let in any more.

use super::{Engine, Output, Ticket};
use crate::Errno;
use crate::error::Error;
use crate::export::Export;
use crate::model::command::{Done, Order};
use crate::model::commit::EventKind;
use crate::time::Now;
use wire::Nid;

/// Connected nodes that a refusal names.
const NAMED: usize = 8;

impl Engine {
    /// `evict_client`. Who is evicted connects again.
    pub(super) fn evict_order(&mut self, ticket: Ticket, order: &Order, who: &str, now: Now) {
        let found = self.named(who);
        if found.is_empty() {
            let mut known: Vec<String> =
                self.exports.iter().take(NAMED).map(|e| e.address.peer.to_string()).collect();
            known.dedup();
            let hint = match known.is_empty() {
                true => "nobody is connected".to_owned(),
                false => format!("connected: {} (see 'mgsctl client list')", known.join(", ")),
            };
            let object = format!("client '{}'", who.escape_default());
            let error =
                Error::refused(object, Errno::ENOENT, "is not connected under this NID or UUID", hint);
            return self.out.push_back(Output::Done(ticket, Err(error)));
        }
        let events = found
            .iter()
            .map(|(_, nid, uuid)| EventKind::ClientEvicted { nid: nid.to_string(), uuid: uuid.clone() });
        let done = Done { events: events.collect(), ..Done::default() };
        if order.dry_run {
            return self.out.push_back(Output::Done(ticket, Ok(Box::new(done))));
        }
        found.iter().for_each(|(cookie, ..)| self.evict(*cookie, "by an administrator", now));
        self.note_done(ticket, &order.actor, done, now);
    }

    fn named(&self, who: &str) -> Vec<(u64, Nid, String)> {
        let text = who.strip_prefix("nid:").or_else(|| who.strip_prefix("uuid:")).unwrap_or(who);
        let nid = text.parse::<Nid>().ok();
        let is = |e: &&Export| nid == Some(e.address.peer) || (nid.is_none() && e.uuid == text);
        self.exports.iter().filter(is).map(|e| (e.cookie, e.address.peer, e.uuid.clone())).collect()
    }

    /// A commit says who may connect: whoever may not, and is connected, goes.
    pub(super) fn connections_set(&mut self, now: Now) {
        let denied = &self.view.connections;
        let gone: Vec<u64> =
            self.exports.iter().filter(|e| denied.denies(e.address.peer)).map(|e| e.cookie).collect();
        gone.into_iter().for_each(|cookie| self.evict(cookie, "is denied", now));
    }
}
