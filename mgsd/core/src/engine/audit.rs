//! What the chain of commits has beside changes: what somebody did that nothing stored shows (an eviction, a write
//! barrier), and what somebody asked for that no policy lets pass.
//!
//! ```text
//!  refused ─► the same words of the same actor within the hour? ─► counted
//!          ─► one of 500 words at a time, then one a minute (users and nodes each have theirs)? ─► written down
//!          ─► else counted;  the counts of ten minutes are one commit
//! ```
//! So whoever asks for it does not fill the disk: in a day 3,000 refusals are written down at most, and 144 counts.

use super::{Engine, Output, Ticket, Timer};
use crate::error::Error;
use crate::model::command::Done;
use crate::model::commit::{Event, EventKind};
use crate::time::Now;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Refusals that are written down word by word at a time, of users and of nodes.
const BURST: u64 = 500;
/// One more after that.
const REFILL: Duration = Duration::from_secs(60);
/// Who asks the same again within this time is counted.
const SAME: Duration = Duration::from_secs(3600);
/// Counts are written down so often.
const COUNTS: Duration = Duration::from_secs(600);
/// Actors that have a count of their own.
const ACTORS: usize = 16;
/// Most characters of what was asked for, and of the answer.
const TEXT: usize = 256;

/// Something for the audit, and who waits for it to be there.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) events: Vec<Event>,
    pub(super) told: Option<(Ticket, Box<Done>)>,
}

/// What was refused lately.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    said: HashMap<(String, String), Duration>,
    users: Bucket,
    nodes: Bucket,
    again: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
struct Bucket {
    spent: u64,
    since: Duration,
}

impl Bucket {
    fn take(&mut self, now: Duration) -> bool {
        let refills = now.saturating_sub(self.since).as_secs() / REFILL.as_secs();
        self.spent = self.spent.saturating_sub(refills);
        self.since =
            if self.spent == 0 { now } else { self.since + Duration::from_secs(refills * REFILL.as_secs()) };
        let is_left = self.spent < BURST;
        self.spent += u64::from(is_left);
        is_left
    }
}

impl Refusals {
    /// It is to be written down word by word.
    fn is_news(&mut self, actor: &str, request: &str, now: Duration) -> bool {
        // as many at most as were let through in that time
        self.said.retain(|_, at| now < *at + SAME);
        let key = (actor.to_owned(), request.to_owned());
        let bucket = if actor.starts_with("nid:") { &mut self.nodes } else { &mut self.users };
        if !self.said.contains_key(&key) && bucket.take(now) {
            self.said.insert(key, now);
            return true;
        }
        let actor =
            if self.again.len() < ACTORS || self.again.contains_key(actor) { actor } else { "others" };
        *self.again.entry(actor.to_owned()).or_default() += 1;
        false
    }
}

impl Engine {
    /// An error that the audit is to have.
    pub(super) fn note_forbidden(&mut self, actor: &str, error: &Error, now: Now) {
        let Error::Forbidden { class, request, .. } = error else { return };
        let request = short(request);
        if self.refusals.is_news(actor, &request, now.mono) {
            let kind =
                EventKind::Refused { request, class: (*class).to_owned(), why: short(&error.to_string()) };
            self.queue_entry(vec![Event { actor: actor.to_owned(), kind }], None);
        } else if self.refusals.again.values().sum::<u64>() == 1 {
            self.timer(now.mono + COUNTS, Timer::Refusals);
        }
    }

    /// Refusals that were counted are written down as counts.
    pub(super) fn refusals_due(&mut self, now: Now) {
        let again = std::mem::take(&mut self.refusals.again);
        let events =
            again.into_iter().map(|(actor, times)| Event { actor, kind: EventKind::RefusedAgain { times } });
        self.queue_entry(events.collect(), None);
        self.plan(now);
    }

    /// Something was done that changes nothing stored: answered once it is written down.
    pub(super) fn note_done(&mut self, ticket: Ticket, actor: &str, done: Done, now: Now) {
        let event = |kind: &EventKind| Event { actor: actor.to_owned(), kind: kind.clone() };
        let events = done.events.iter().map(event).collect();
        let told = match self.no_writes() {
            None => Some((ticket, Box::new(done))),
            Some(error) => {
                self.out.push_back(Output::Done(ticket, Ok(Box::new(unwritten(done, &error)))));
                None
            }
        };
        self.queue_entry(events, told);
        self.plan(now);
    }

    /// Somebody's order failed in a way that others have noticed.
    pub(super) fn note_failed(&mut self, actor: &str, kind: EventKind, now: Now) {
        self.queue_entry(vec![Event { actor: actor.to_owned(), kind }], None);
        self.plan(now);
    }
}

/// It is done; whether the store has it is not known.
pub(super) fn unwritten(mut done: Done, error: &Error) -> Done {
    done.seq = None;
    done.warnings.push(format!("it is done, and the audit may not have it: {error}"));
    done
}

fn short(text: &str) -> String {
    let all: String = text.escape_default().collect();
    match all.char_indices().nth(TEXT) {
        // ASCII, as escaped
        Some((end, _)) => format!("{}… ({} bytes)", all.get(..end).unwrap_or_default(), text.len()),
        None => all,
    }
}
