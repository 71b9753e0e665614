//! Write and apply. While a commit is in flight requests queue; then they are planned one after the other on the
//! view to come and committed as one. Replies wait until it is durable.

use super::ahead::Note;
use super::audit::{self, Entry};
use super::flight::{Flight, apply, apply_as_in, apply_commit, checked, fits, written_logs};
use super::{Answer, CommitResult, Engine, Event, Output, ReqId, Ticket};
use crate::Errno;
use crate::error::Error;
use crate::locks::Lock;
use crate::model::command::{self, Command, Done, Order, eviction, fs};
use crate::model::commit::{CommitRecord, Event as Noted, EventKind};
use crate::model::keys::Key;
use crate::model::logs::LogEntry;
use crate::model::tx::{Changes, Finished, Tx};
use crate::model::view::Meta;
use crate::model::{Resource, TargetId, admission, keys, recovery, registration};
use crate::rpc::target_reg;
use crate::time::Now;
use std::collections::VecDeque;

/// Most requests planned for one commit.
const BATCH: usize = 64;
/// Most things that end with one commit, of each kind.
const EXPIRE: usize = 30;
/// Most requests waiting; more are told to come again.
const QUEUE: usize = 65_536;

/// A change that waits for its turn.
#[derive(Debug)]
pub(super) enum Write {
    /// First start: identity and the logs that every MGS has.
    Create { uuid: String },
    /// MGS_TARGET_REG, operation REG.
    Register(ReqId, Box<registration::Request>),
    /// MGS_TARGET_REG, operation READY.
    Ready(ReqId, Box<registration::Request>),
    /// A target that a reader did not hear of is back.
    Confirm(String, TargetId),
    /// Something stored has ended.
    Expire,
    /// Who has to be remounted.
    Note(Note),
    /// What somebody asks for.
    Order(Ticket, Box<Order>),
    /// What is only written down.
    Entry(Entry),
}

impl Write {
    /// Nobody waits for its answer.
    const fn is_ours(&self) -> bool {
        !matches!(self, Self::Register(..) | Self::Ready(..) | Self::Order(..))
    }

    /// Who waits for an entry, once.
    const fn told(&mut self) -> Option<(Ticket, Box<Done>)> {
        match self {
            Self::Entry(entry) => entry.told.take(),
            _ => None,
        }
    }
}

/// Queue and the commit in flight.
#[derive(Debug, Default)]
pub(super) struct Writes {
    queue: VecDeque<Write>,
    pub(super) flight: Option<Flight>,
    /// A commit of another daemon that has to be applied before anything is planned.
    behind: u64,
    /// The store does not say what became of the commit in flight: nothing new is taken until it does.
    pub(super) stuck: Option<Error>,
    /// Commits sent.
    pub(super) sent: u64,
}

impl Writes {
    pub(super) const fn is_in_flight(&self) -> bool {
        self.flight.is_some()
    }
}

/// To whom it may concern.
#[derive(Debug)]
pub(super) enum Reply {
    /// A node, with lines for the log.
    Peer(ReqId, Answer, Vec<Event>),
    /// Who gave the order.
    Order(Ticket, Result<Box<Done>, Error>),
    /// Who gave an order that is done, whether or not it is written down.
    Told(Ticket, Box<Done>),
}

/// An answer, and what is known to run.
#[derive(Default)]
struct Verdict {
    reply: Option<Reply>,
    confirmed: Option<(String, TargetId)>,
    /// Nothing of it happens until somebody approves it.
    wait: bool,
}

impl Engine {
    pub(super) fn create_mgs(&mut self, now: Now) {
        let uuid = registration::uuid_text(self.entropy.bytes());
        self.queue_write(Write::Create { uuid }, now);
    }

    /// Queues a registration.
    pub(crate) fn queue_registration(
        &mut self,
        id: ReqId,
        mut request: Box<registration::Request>,
        now: Now,
    ) {
        if self.writes.queue.len() >= QUEUE {
            let error = Error::NotNow { what: "too many registrations are waiting", errno: Errno::EAGAIN };
            return self.answer_error(id, &error, now);
        }
        if let Some(error) = self.no_writes() {
            return self.refuse(&Write::Register(id, request), &error, now);
        }
        request.entropy = [self.entropy.bytes(), self.entropy.bytes()];
        let ready = request.info.flags & wire::mgs::ldd::OPC_READY != 0;
        let write = if ready { Write::Ready(id, request) } else { Write::Register(id, request) };
        self.queue_write(write, now);
    }

    pub(super) fn queue_confirm(&mut self, fs: String, id: TargetId, now: Now) {
        self.queue_write(Write::Confirm(fs, id), now);
    }

    /// Queues a registration that waited for somebody's word. Whoever calls lets the planner run.
    pub(super) fn queue_again(&mut self, id: ReqId, request: Box<registration::Request>) {
        self.writes.queue.push_back(Write::Register(id, request));
    }

    /// Queues something for the audit. Whoever calls lets the planner run.
    pub(super) fn queue_entry(&mut self, events: Vec<Noted>, told: Option<(Ticket, Box<Done>)>) {
        self.writes.queue.push_back(Write::Entry(Entry { events, told }));
    }

    /// Queues what is to be written down of a node.
    pub(super) fn queue_note(&mut self, note: Note, now: Now) {
        self.queue_write(Write::Note(note), now);
    }

    /// Queues the end of what has ended.
    pub(super) fn queue_expiry(&mut self, now: Now) {
        self.queue_write(Write::Expire, now);
    }

    /// Refuses a registration that waited.
    pub(super) fn refuse_held(
        &mut self,
        id: ReqId,
        request: Box<registration::Request>,
        error: &Error,
        now: Now,
    ) {
        self.refuse(&Write::Register(id, request), error, now);
    }

    /// Queues an order.
    pub(super) fn queue_order(&mut self, ticket: Ticket, order: Box<Order>, now: Now) {
        // what no commit has
        match &order.command {
            Command::Barrier(command) => return self.barrier_order(ticket, &order, command, now),
            Command::Client(eviction::Command::Evict { who }) => {
                return self.evict_order(ticket, &order, who, now);
            }
            Command::Fs(fs::Command::Startup { seconds }) => {
                return self.startup_order(ticket, &order, *seconds, now);
            }
            Command::Fs(fs::Command::ForgetNotified { fs }) => {
                return self.forget_notified_order(ticket, &order, fs, now);
            }
            Command::Registration(command::registration::Command::Forget { target })
                if self.forget_order(ticket, &order, target) =>
            {
                return;
            }
            _ => {}
        }
        if self.writes.queue.len() >= QUEUE {
            let error = Error::NotNow { what: "too many changes are waiting", errno: Errno::EAGAIN };
            return self.reply(Reply::Order(ticket, Err(error)), now);
        }
        if let Some(error) = self.no_writes() {
            return self.reply(Reply::Order(ticket, Err(error)), now);
        }
        self.queue_write(Write::Order(ticket, order), now);
    }

    fn queue_write(&mut self, write: Write, now: Now) {
        self.writes.queue.push_back(write);
        self.plan(now);
    }

    /// Plans what is queued, if no commit is in flight.
    pub(super) fn plan(&mut self, now: Now) {
        let behind = self.writes.behind > self.view.seq;
        if behind || self.writes.flight.is_some() || self.writes.queue.is_empty() {
            return;
        }
        let seq = self.view.seq + 1;
        let mut all = Finished::default();
        let mut answers = Vec::new();
        let mut confirmed = Vec::new();
        let mut ordinal = 0;
        let mut taken = Vec::new();
        let mut held = Vec::new();
        for _ in 0..BATCH {
            let Some(write) = self.writes.queue.pop_front() else { break };
            let mut tx = Tx::new(&self.next, seq, ordinal, now.wall, self.actor(&write));
            tx.dead_sections = self.config.dead_sections;
            let decided = self.decide(&mut tx, &write, now);
            ordinal = tx.ordinal();
            let finished = decided.and_then(|verdict| Ok((verdict, checked(&self.next, tx.finish()?)?)));
            let finished = finished.map(|(verdict, finished)| match &write {
                Write::Order(_, order) if order.dry_run => (verdict, Finished::default()),
                _ if verdict.wait => (verdict, Finished::default()),
                _ => (verdict, finished),
            });
            match finished {
                Ok((_, finished)) if !fits(&all.changes, &finished.changes) => {
                    // It begins the next commit.
                    self.writes.queue.push_front(write);
                    break;
                }
                Ok((verdict, finished)) => {
                    if let Err(error) = apply(&mut self.next, &finished.changes) {
                        // The plan does not survive its own reading: without it, the batch is planned again.
                        self.event(Event::Bug { what: error.to_string() });
                        self.next = self.view.clone();
                        self.refuse(&write, &error, now);
                        taken.into_iter().rev().for_each(|w| self.writes.queue.push_front(w));
                        held.into_iter().for_each(|(id, request)| self.queue_again(id, request));
                        return self.plan(now);
                    }
                    match all.changes.is_empty() {
                        true => all.changes = finished.changes,
                        false => all.changes.extend(finished.changes),
                    }
                    all.touched.extend(finished.touched);
                    all.events.extend(finished.events);
                    all.noted |= finished.noted;
                    confirmed.extend(verdict.confirmed);
                    answers.extend(verdict.reply);
                    if let (true, Write::Register(id, request)) = (verdict.wait, &write) {
                        held.push((*id, request.clone()));
                        continue; // it waits elsewhere from now on
                    }
                }
                Err(error) => {
                    // Judged on what is not yet durable: answered with the rest.
                    answers.extend(self.refusal(&write, &error, now));
                }
            }
            taken.push(write);
        }
        for (id, request) in held {
            self.hold(id, request, now);
        }
        let flight = Flight { changes: all.changes, touched: all.touched, confirmed, answers, taken };
        if flight.changes.is_empty() && !all.noted {
            self.landed(flight, now);
            return self.plan(now);
        }
        self.commit(flight, all.events, now);
    }

    fn commit(&mut self, mut flight: Flight, events: Vec<Noted>, now: Now) {
        let base = self.view.seq;
        let txn = u128::from_le_bytes(self.entropy.bytes());
        let record = CommitRecord {
            seq: base + 1,
            txn: format!("{txn:032x}"),
            time: now.wall,
            touched: flight.touched.iter().map(ToString::to_string).collect(),
            events,
            keys: flight.changes.keys().cloned().collect(),
            prev: self.view.last_hash.clone(),
        };
        let record = serde_json::to_vec(&record).unwrap_or_default();
        self.out.push_back(Output::Commit {
            base,
            txn,
            changes: flight.changes.clone(),
            record: record.clone(),
        });
        flight.changes.insert(keys::commit(base + 1), Some(record));
        self.writes.flight = Some(flight);
        self.writes.sent += 1;
        self.watch_commit(self.writes.sent, now);
    }

    fn actor(&self, write: &Write) -> String {
        match write {
            Write::Order(_, order) => order.actor.clone(),
            Write::Register(id, _) | Write::Ready(id, _) => match self.in_service(*id) {
                Ok(request) => format!("nid:{}", request.from.peer),
                Err(_) => "nid:?".to_owned(),
            },
            // each event of an entry has its own
            Write::Create { .. } | Write::Confirm(..) | Write::Expire | Write::Note(..) | Write::Entry(_) => {
                "mgsd".to_owned()
            }
        }
    }

    fn decide(&self, tx: &mut Tx<'_>, write: &Write, now: Now) -> Result<Verdict, Error> {
        match write {
            // Another daemon was quicker.
            Write::Create { .. } if self.next.meta.is_some() => Ok(Verdict::default()),
            Write::Create { uuid } => {
                tx.set_meta(Meta::new(uuid, "MGS"));
                tx.create_log("params");
                tx.event(EventKind::MgsCreated { uuid: uuid.clone() });
                Ok(Verdict::default())
            }
            Write::Register(id, request) => {
                self.guard_barrier(request, now)?;
                let mismatch = admission::check(tx, request)?;
                let registration::Plan::Done(outcome) = registration::plan(tx, request)? else {
                    return Ok(Verdict { wait: true, ..Verdict::default() });
                };
                self.guard(request)?;
                let nid = self.in_service(*id)?.from.peer;
                let target = outcome.info.svname.clone();
                let registered = Event::Registered { nid, target, seq: tx.seq() };
                let answer = Answer::ok(vec![target_reg::encode(&outcome.info)]);
                let mut events: Vec<Event> =
                    mismatch.map(|m| mismatched(nid, request, m)).into_iter().collect();
                events.extend((!outcome.unchanged).then_some(registered));
                Ok(Verdict { reply: Some(Reply::Peer(*id, answer, events)), ..Verdict::default() })
            }
            Write::Ready(id, request) => {
                let (fs, target) = (&request.info.fsname, request.target()?);
                let mismatch = admission::check(tx, request)?;
                let nid = self.in_service(*id)?.from.peer;
                let ready = recovery::plan_ready(tx, request, self.recovery.withheld(fs, target))?;
                let info = target_reg::ready_reply(request, self.ir_state(fs, now));
                let (name, instance) = (info.svname.clone(), info.instance);
                let event = match ready {
                    recovery::Ready::Changed(version) => {
                        Some(Event::Ready { nid, target: name, instance, version })
                    }
                    recovery::Ready::Outdated => Some(Event::Outdated { nid, target: name, instance }),
                    recovery::Ready::Unchanged => None,
                };
                let mut events: Vec<Event> =
                    mismatch.map(|m| mismatched(nid, request, m)).into_iter().collect();
                events.extend(event);
                let answer = Answer::ok(vec![target_reg::encode(&info)]);
                let confirmed = (ready != recovery::Ready::Outdated).then(|| (fs.clone(), target));
                Ok(Verdict { reply: Some(Reply::Peer(*id, answer, events)), confirmed, wait: false })
            }
            Write::Confirm(fs, target) => {
                // A READY may have been quicker.
                if self.recovery.withheld(fs, *target) {
                    recovery::plan_confirm(tx, fs, *target)?;
                }
                Ok(Verdict { confirmed: Some((fs.clone(), *target)), ..Verdict::default() })
            }
            Write::Note(note) => {
                note.plan(tx);
                Ok(Verdict::default())
            }
            Write::Expire => {
                tx.expire(EXPIRE);
                Ok(Verdict::default())
            }
            Write::Entry(entry) => {
                tx.note(&entry.events);
                let done = |done: &Done| Box::new(Done { seq: Some(tx.seq()), ..done.clone() });
                let reply = entry.told.as_ref().map(|(ticket, told)| Reply::Told(*ticket, done(told)));
                Ok(Verdict { reply, ..Verdict::default() })
            }
            Write::Order(ticket, order) => {
                self.guard_order(&order.command)?;
                self.retires(tx, &order.command, now)?;
                // what somebody has to do comes first
                self.remounts(&order.command).into_iter().for_each(|warning| tx.warn(warning));
                order.command.plan(tx)?;
                let done = tx.done(order.dry_run);
                let reply = Some(Reply::Order(*ticket, Ok(Box::new(done))));
                Ok(Verdict { reply, ..Verdict::default() })
            }
        }
    }

    /// A refused registration is a reply with its body, the flag ERROR set: the peer ends the mount with our errno.
    fn refusal(&mut self, write: &Write, error: &Error, now: Now) -> Option<Reply> {
        let asked = match write {
            Write::Order(_, order) => !order.dry_run,
            _ => true,
        };
        if asked {
            let actor = self.actor(write);
            self.note_forbidden(&actor, error, now);
        }
        match write {
            Write::Register(id, request) | Write::Ready(id, request) => {
                self.blame(*id, error);
                if error.errno() == Errno::EACCES {
                    self.note_refused(*id, request, error, now);
                }
                let body = target_reg::encode(&target_reg::refused(request));
                Some(Reply::Peer(*id, Answer::status(error.errno().status(), vec![body]), Vec::new()))
            }
            Write::Order(ticket, order) => {
                let (actor, errno, why) = (order.actor.clone(), error.errno(), error.to_string());
                self.event(Event::OrderRefused { actor, errno, why });
                Some(Reply::Order(*ticket, Err(error.clone())))
            }
            Write::Create { .. } | Write::Confirm(..) | Write::Expire | Write::Note(..) | Write::Entry(_) => {
                self.event(Event::Bug { what: error.to_string() });
                None
            }
        }
    }

    fn refuse(&mut self, write: &Write, error: &Error, now: Now) {
        if let Some(reply) = self.refusal(write, error, now) {
            self.reply(reply, now);
        }
    }

    fn reply(&mut self, reply: Reply, now: Now) {
        match reply {
            Reply::Peer(id, answer, events) => {
                self.events.extend(events);
                self.answer(id, answer, now);
            }
            Reply::Order(ticket, result) => self.out.push_back(Output::Done(ticket, result)),
            Reply::Told(ticket, done) => self.out.push_back(Output::Done(ticket, Ok(done))),
        }
    }

    /// The store's verdict.
    pub(super) fn committed(&mut self, result: CommitResult, now: Now) {
        let Some(flight) = self.writes.flight.take() else {
            return self.event(Event::Bug { what: "a commit ended that was not in flight".to_owned() });
        };
        self.writes.stuck = None;
        if !matches!(result, CommitResult::Failed { .. }) {
            self.store_answers(now);
        }
        match result {
            CommitResult::Committed => self.landed(flight, now),
            CommitResult::Conflict { at } => {
                self.next = self.view.clone();
                self.count("commits_conflicted");
                self.writes.behind = at;
                flight.taken.into_iter().rev().for_each(|write| self.writes.queue.push_front(write));
            }
            CommitResult::Failed { errno, why } => {
                self.next = self.view.clone();
                self.count("commits_failed");
                self.event(Event::CommitFailed { why: why.clone() });
                self.fail(flight.answers, &Error::Storage { what: why, errno }, now);
                // They may wait because of a rule that is not in force after all.
                self.reconsider(&Changes::new());
                if self.view.meta.is_none() {
                    self.create_mgs(now);
                }
            }
        }
        self.plan(now);
    }

    /// Everybody who waits for a change is told why there is none, or none that could be sworn to.
    pub(super) fn refuse_writes(&mut self, error: &Error, now: Now) {
        if let Some(flight) = &mut self.writes.flight {
            let answers = std::mem::take(&mut flight.answers);
            // Who was told comes again by itself.
            flight.taken.retain(Write::is_ours);
            flight.taken.iter_mut().for_each(|write| drop(write.told()));
            self.fail(answers, error, now);
        }
        for mut write in std::mem::take(&mut self.writes.queue) {
            if let Some((ticket, done)) = write.told() {
                self.fail(vec![Reply::Told(ticket, done)], error, now);
            }
            match write.is_ours() {
                true => self.writes.queue.push_back(write),
                false => self.refuse(&write, error, now),
            }
        }
    }

    fn fail(&mut self, answers: Vec<Reply>, error: &Error, now: Now) {
        for reply in answers {
            let reply = match reply {
                // Registrations keep their body: without it the peer would mount from its local copy.
                Reply::Peer(id, answer, _) => {
                    let status = error.errno().status();
                    Reply::Peer(id, Answer { status, ..with_error_flag(answer) }, Vec::new())
                }
                Reply::Order(ticket, _) => Reply::Order(ticket, Err(error.clone())),
                Reply::Told(ticket, done) => Reply::Told(ticket, Box::new(audit::unwritten(*done, error))),
            };
            self.reply(reply, now);
        }
    }

    /// Imperative recovery, off or not, of the file systems that a commit has to do with.
    fn switches(&self, changes: &Changes) -> Vec<(String, bool)> {
        let names = keys::below(changes, keys::FILE_SYSTEMS).filter_map(|(key, _)| match Key::parse(key) {
            Some(Key::Fs(fs)) => Some(fs.to_owned()),
            _ => None,
        });
        names.filter_map(|fs| Some((fs.clone(), self.view.fs.get(&fs)?.head.recovery_off))).collect()
    }

    /// Apply, mark and notify in one step; then the parked replies go out.
    pub(super) fn landed(&mut self, flight: Flight, now: Now) {
        if !flight.changes.is_empty() {
            let roomy: Vec<String> = written_logs(&flight.changes)
                .filter(|log| self.view.logs.get(*log).is_none_or(|e| !e.budget().is_low()))
                .map(str::to_owned)
                .collect();
            let switches = self.switches(&flight.changes);
            let applied = apply_as_in(&self.next, &mut self.view, &flight.changes);
            if let Err(error) = applied.and_then(|()| apply_commit(&mut self.next, &flight.changes)) {
                self.event(Event::Bug { what: error.to_string() });
            }
            for (fs, off) in switches {
                if self.view.fs.get(&fs).is_some_and(|f| f.head.recovery_off != off) {
                    self.recovery.mixed(&fs, now);
                }
            }
            self.reconsider(&flight.changes);
            if flight.changes.contains_key(keys::CONNECTIONS) {
                self.connections_set(now);
            }
            self.watch_expiry(now);
            self.stored_ahead();
            for log in roomy {
                let budget = self.view.logs.get(&log).map(LogEntry::budget);
                if let Some(budget) = budget.filter(|b| b.is_low()) {
                    self.event(Event::LogFilling { log, used: budget.used, limit: budget.limit });
                }
            }
        }
        let mut marked: Vec<Lock> = Vec::new();
        flight.touched.iter().for_each(|resource| self.recovery.told(resource));
        for resource in flight.touched.iter().filter_map(Resource::res_id) {
            marked.extend(self.locks.mark(resource));
        }
        self.call_back(&marked, now);
        for (fs, id) in &flight.confirmed {
            self.recovery.confirm(fs, *id);
        }
        if !flight.changes.is_empty() {
            let requests = flight.answers.len();
            self.count("commits");
            self.event(Event::Committed { seq: self.view.seq, requests, locks: marked.len() });
        }
        for reply in flight.answers {
            self.reply(reply, now);
        }
        self.grant_applied(now);
    }
}

fn mismatched(nid: wire::Nid, request: &registration::Request, found: admission::Mismatch) -> Event {
    let admission::Mismatch { claimed, seen, gateway } = found;
    let target = request.info.svname.replace([':', '='], "-");
    Event::NidMismatch { nid, target, claimed, seen, gateway }
}

fn with_error_flag(mut answer: Answer) -> Answer {
    if let Some(body) = answer.buffers.first_mut() {
        *body = target_reg::with_error_flag(body);
    }
    answer
}
