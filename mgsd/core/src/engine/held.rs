//! Registrations that wait for a yes or no. A request that waits is in service like any other: early replies keep its
//! node patient, a resent one takes its place, and it goes with its export. Nothing of it is stored, so that a restart
//! makes its node ask again.

use super::{Engine, Output, ReqId, Ticket, Timer};
use crate::Errno;
use crate::error::Error;
use crate::model::command::{Done, Order, registration};
use crate::model::commit::EventKind;
use crate::model::names::TargetId;
use crate::model::registration::Request;
use crate::model::rules::{Policy, RuleKey, Verdict};
use crate::model::tx::Changes;
use crate::model::view::View;
use crate::time::Now;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use wire::Nid;

/// How long somebody has to decide.
pub const PATIENCE: Duration = Duration::from_secs(50);
/// Who sends no AT_SUPPORT gets no early reply: it is answered so long before it gives up.
const MARGIN: Duration = Duration::from_secs(5);
/// Most that wait at a time.
const MOST: usize = 8192;
/// Refusals remembered for people to see.
const REMEMBERED: usize = 256;

/// A target that wants to register, or was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applicant {
    /// File system.
    pub fs: String,
    /// Target.
    pub id: TargetId,
    /// Its node; `None` when somebody spoke before it came.
    pub nid: Option<Nid>,
    /// `mti_flags` of its request.
    pub flags: Option<u32>,
    /// When it came, or when somebody spoke, unix seconds.
    pub since: i64,
    /// How far it got.
    pub state: Standing,
    /// Who decided, and what is to be known of it.
    pub why: String,
}

/// How far an applicant got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// For a yes or no.
    Waiting,
    /// No, or nobody said anything.
    Refused,
    /// Let in when it comes.
    Approved,
}

#[derive(Debug)]
struct Waiting {
    request: Box<Request>,
    id: TargetId,
    since: Now,
    until: Duration,
    /// On its way through the planner: it will be answered, or wait on.
    queued: bool,
}

/// Who waits, and who was refused lately.
#[derive(Debug, Default)]
pub(super) struct Held {
    waiting: BTreeMap<ReqId, Waiting>,
    refused: VecDeque<Applicant>,
}

impl Held {
    /// The request was answered.
    pub(super) fn answered(&mut self, id: ReqId) {
        self.waiting.remove(&id);
    }

    /// Requests of an export that only wait.
    pub(super) fn idle(&self) -> impl Iterator<Item = ReqId> + '_ {
        self.waiting.iter().filter(|(_, w)| !w.queued).map(|(id, _)| *id)
    }
}

impl Engine {
    /// The planner found that somebody has to decide.
    pub(super) fn hold(&mut self, id: ReqId, request: Box<Request>, now: Now) {
        let (Some(open), Ok(target)) = (self.requests.get(id), request.target()) else { return };
        if let Some(waiting) = self.held.waiting.get_mut(&id) {
            waiting.queued = false;
            if waiting.until <= now.mono {
                self.lapse(id, now);
            }
            return;
        }
        if self.held.waiting.len() >= MOST {
            let what = "too many targets wait for approval";
            return self.refuse_held(id, request, &Error::NotNow { what, errno: Errno::EAGAIN }, now);
        }
        let patience = Duration::from_secs(open.timeout.into()).saturating_sub(MARGIN);
        let until = open.arrived + if open.at { PATIENCE } else { PATIENCE.min(patience) };
        let nid = open.from.peer;
        self.count("registrations_held");
        self.event(super::Event::Held { nid, target: target.svname(&request.info.fsname) });
        self.held.waiting.insert(id, Waiting { request, id: target, since: now, until, queued: false });
        self.timer(until, Timer::Held(id));
    }

    /// Nobody has decided in time.
    pub(super) fn lapse(&mut self, id: ReqId, now: Now) {
        let due = self.held.waiting.get(&id).is_some_and(|w| !w.queued && w.until <= now.mono);
        let Some(waiting) = due.then(|| self.held.waiting.remove(&id)).flatten() else { return };
        let name = waiting.id.svname(&waiting.request.info.fsname);
        let waited = now.mono.saturating_sub(waiting.since.mono).as_secs();
        let hint = format!("'mgsctl registration approve {name}', then mount it again");
        let error =
            Error::refused(&name, Errno::EACCES, format!("nobody approved it within {waited} s"), hint);
        self.refuse_held(id, waiting.request, &error, now);
    }

    /// Rules have changed: those whom it concerns go through the planner again, which the caller lets run.
    pub(super) fn reconsider(&mut self, changes: &Changes) {
        if self.held.waiting.is_empty() {
            return;
        }
        let concerned = concerned(changes, &self.view);
        let mut again = Vec::new();
        for (id, waiting) in self.held.waiting.iter_mut().filter(|(_, w)| !w.queued) {
            if concerned(&waiting.request.info.fsname, waiting.id) {
                waiting.queued = true;
                again.push((*id, waiting.request.clone()));
            }
        }
        drop(concerned);
        for (id, request) in again {
            self.queue_again(id, request);
        }
    }

    /// Whoever waits on this export has gone or asks anew: dropped without an answer. `true`: there was one.
    pub(crate) fn drop_held(&mut self, export: u64) -> bool {
        let of_it = |id: &ReqId| self.requests.get(*id).is_some_and(|r| r.export == Some(export));
        let gone: Vec<ReqId> = self.held.idle().filter(of_it).collect();
        for id in &gone {
            self.held.waiting.remove(id);
            self.abandon(*id, "held_dropped");
        }
        !gone.is_empty()
    }

    /// Keeps a refusal for people to see.
    pub(super) fn note_refused(&mut self, id: ReqId, request: &Request, error: &Error, now: Now) {
        let (Ok(target), Some(open)) = (request.target(), self.requests.get(id)) else { return };
        let nid = Some(open.from.peer);
        let fs = request.info.fsname.clone();
        self.held.refused.retain(|a| (&a.fs, a.id, a.nid) != (&fs, target, nid));
        self.held.refused.push_back(Applicant {
            fs,
            id: target,
            nid,
            flags: Some(request.info.flags),
            since: now.wall,
            state: Standing::Refused,
            why: error.to_string(),
        });
        if self.held.refused.len() > REMEMBERED {
            self.held.refused.pop_front();
        }
    }

    /// A refusal that nobody spoke is in memory only, and so no commit forgets it. `true`: answered.
    pub(super) fn forget_order(&mut self, ticket: Ticket, order: &Order, target: &str) -> bool {
        let Ok((fs, id)) = registration::name(target) else { return false };
        let of_it = |a: &Applicant| a.fs == fs && a.id == id;
        let registered = self.view.fs.get(fs).is_some_and(|f| f.targets.contains_key(&id));
        if registered || !self.held.refused.iter().any(of_it) {
            return false;
        }
        if !order.dry_run {
            self.held.refused.retain(|a| !of_it(a));
        }
        if self.view.rules.verdicts.contains_key(&(fs.to_owned(), id)) {
            return false; // and what somebody said goes, too
        }
        let forgotten = EventKind::VerdictForgotten { target: id.svname(fs), before: None };
        let done = Done { events: vec![forgotten], ..Done::default() };
        self.out.push_back(Output::Done(ticket, Ok(Box::new(done))));
        true
    }

    /// Who waits, who was let in and has not come, and who was refused lately and has not come in since.
    pub fn applicants(&self) -> Vec<Applicant> {
        let mut out: Vec<Applicant> = Vec::new();
        for (req, waiting) in &self.held.waiting {
            out.push(Applicant {
                fs: waiting.request.info.fsname.clone(),
                id: waiting.id,
                nid: self.requests.get(*req).map(|r| r.from.peer),
                flags: Some(waiting.request.info.flags),
                since: waiting.since.wall,
                state: Standing::Waiting,
                why: String::new(),
            });
        }
        for ((fs, id), verdict) in &self.view.rules.verdicts {
            out.push(spoken(fs, *id, verdict));
        }
        let known = |fs: &str, id| self.view.fs.get(fs).is_some_and(|f| f.targets.contains_key(&id));
        let listed: Vec<Applicant> = self
            .held
            .refused
            .iter()
            .filter(|a| !known(&a.fs, a.id))
            .filter(|a| !out.iter().any(|o| (&o.fs, o.id) == (&a.fs, a.id)))
            .cloned()
            .collect();
        out.extend(listed);
        out.sort_by(|a, b| (&a.fs, a.id, a.nid).cmp(&(&b.fs, b.id, b.nid)));
        out
    }
}

/// A verdict that waits for its target.
fn spoken(fs: &str, id: TargetId, verdict: &Verdict) -> Applicant {
    Applicant {
        fs: fs.to_owned(),
        id,
        nid: verdict.from.first().copied(),
        flags: None,
        since: verdict.time,
        state: if verdict.approved { Standing::Approved } else { Standing::Refused },
        why: format!("{} by {}", if verdict.approved { "approved" } else { "refused" }, verdict.by),
    }
}

/// Which of those who wait are to be judged anew: those that a changed rule names, and those of whose file system it is
/// no longer so that somebody has to approve them.
fn concerned<'a>(changes: &'a Changes, view: &'a View) -> impl Fn(&str, TargetId) -> bool + 'a {
    move |fs, id| {
        let named = [RuleKey::Verdict(fs, id), RuleKey::Reserved(fs, id)];
        let policy = view.fs.get(fs).map_or(view.rules.default, |f| f.head.registration);
        policy != Policy::Approve || named.iter().any(|key| changes.contains_key(&key.to_string()))
    }
}
