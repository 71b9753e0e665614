//! The write barrier: a round of glimpse callbacks to the holders of its lock, which are the MDTs (protocol/3, 3.6).
//!
//! ```text
//!  freeze   1: status 1 ─► all answer 1 ─► 2: status 2 ─► all answer 3: frozen
//!           somebody does not, or too late ─► failed or expired, and everybody is told to lift it
//!  thaw     status 4 ─► all answer 5: thawed          rescan   status 8 ─► who answers 0 is there
//! ```
//! Nothing is stored but who asked for it, in the audit. MDTs lift a barrier by themselves when its time is over, also when this daemon is gone.

use super::{Engine, Event, Output, Put, Ticket, Timer};
use crate::Errno;
use crate::error::Error;
use crate::export::Address;
use crate::locks::Lock;
use crate::model::command::barrier::{Action, Command, DEFAULT_TIMEOUT, State};
use crate::model::command::{Done, Order};
use crate::model::commit::EventKind;
use crate::model::names::{MAX_INDEX, TargetId, TargetKind};
use crate::model::registration::Request;
use crate::time::Now;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use wire::ldlm::{BarrierDesc, BarrierLvb, ConfigKind, LdlmRequest, LockDesc, PLAIN, ResId, mode};
use wire::lnet::portal;
use wire::ptlrpc::{Body, Message, connect_flags, msg_flags, msg_type, opc, version};
use wire::relay::PostStatus;
use wire::{Codec, Order as ByteOrder};

/// How long MDTs have to answer where the barrier itself has no time: less than a caller of the API waits.
const PATIENCE: Duration = Duration::from_secs(20);
/// Time the peer has for its reply, seconds.
const TIMEOUT: u32 = 11;

/// Barriers by file system, and the callbacks under way.
#[derive(Debug, Default)]
pub(super) struct Barriers {
    by_fs: BTreeMap<String, Barrier>,
    glimpses: BTreeMap<u64, Glimpse>,
    rounds: u64,
}

#[derive(Debug, Default)]
struct Barrier {
    state: State,
    /// When the freeze began.
    since: Duration,
    timeout: Duration,
    /// MDTs that did not answer the last count.
    absent: BTreeSet<u32>,
    round: Option<Round>,
}

/// Callbacks that belong together.
#[derive(Debug)]
struct Round {
    number: u64,
    /// Who asked for it, and waits for its end.
    asked: Option<(Ticket, String)>,
    command: Command,
    expected: State,
    answered: BTreeSet<u32>,
    trouble: Option<Trouble>,
    open: usize,
}

/// What went wrong in a round; the last word counts.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// An MDT is in another state.
    State(u32),
    /// An MDT answered with this.
    Errno(Errno),
}

/// A callback without an answer.
#[derive(Debug)]
struct Glimpse {
    fs: String,
    round: u64,
    lock: Lock,
}

/// A barrier, for people to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BarrierStatus {
    /// How far it got.
    pub state: State,
    /// It ends by itself after so long.
    pub left: Duration,
    /// MDTs that count.
    pub mdts: usize,
    /// MDTs that did not answer the last count, and do not count.
    pub absent: usize,
}

impl Engine {
    /// The barrier of a file system; one whose time is over is expired.
    pub fn barrier(&self, fs: &str, now: Now) -> BarrierStatus {
        let known = self.barriers.by_fs.get(fs);
        let mdts = self.mdts(fs);
        let absent = known.map_or(0, |b| b.absent.intersection(&mdts).count());
        let of = |state, left| BarrierStatus { state, left, mdts: mdts.len() - absent, absent };
        match known {
            None => of(State::Init, Duration::ZERO),
            Some(b) if b.state.is_timed() => match (b.since + b.timeout).checked_sub(now.mono) {
                Some(left) if !left.is_zero() => of(b.state, left),
                _ => of(State::Expired, Duration::ZERO),
            },
            Some(b) => of(b.state, Duration::ZERO),
        }
    }

    fn mdts(&self, fs: &str) -> BTreeSet<u32> {
        let ids = self.view.fs.get(fs).into_iter().flat_map(|f| f.targets.keys());
        ids.filter(|id| id.kind == TargetKind::Mdt).map(|id| id.index).collect()
    }

    /// While a barrier is in force no MDT joins.
    pub(super) fn guard_barrier(&self, request: &Request, now: Now) -> Result<(), Error> {
        let mdt = request.target().is_ok_and(|id| id.kind == TargetKind::Mdt);
        let fs = request.info.fsname.as_str();
        if !mdt || !self.barrier(fs, now).state.is_timed() {
            return Ok(());
        }
        Err(Error::refused(
            format!("target '{}'", request.info.svname.escape_default()),
            Errno::EBUSY,
            format!("the write barrier of '{fs}' is in force"),
            format!("mount it again when the barrier is lifted: 'mgsctl barrier thaw {fs}'"),
        ))
    }

    /// Somebody asks for, or ends, a barrier.
    pub(super) fn barrier_order(&mut self, ticket: Ticket, order: &Order, command: &Command, now: Now) {
        if let Err(error) = self.check_barrier(command, now) {
            return self.out.push_back(Output::Done(ticket, Err(error)));
        }
        if order.dry_run {
            let done = Done { events: vec![planned(command)], ..Done::default() };
            return self.out.push_back(Output::Done(ticket, Ok(Box::new(done))));
        }
        let barrier = self.barriers.by_fs.entry(command.fs.clone()).or_default();
        let (state, expected, timeout) = match command.action {
            Action::Freeze { timeout } => {
                let timeout = if timeout == 0 { DEFAULT_TIMEOUT } else { timeout };
                barrier.since = now.mono;
                barrier.timeout = Duration::from_secs(timeout.into());
                (State::FreezingP1, State::FreezingP1, timeout)
            }
            Action::Thaw => (State::Thawing, State::Thawed, 0),
            Action::Rescan => (State::Rescan, State::Init, 0),
        };
        barrier.state = state;
        self.event(Event::Barrier { fs: command.fs.clone(), state: state.as_str(), by: order.actor.clone() });
        self.ask_mdts(command, expected, timeout, Some((ticket, order.actor.clone())), now);
    }

    fn check_barrier(&self, command: &Command, now: Now) -> Result<(), Error> {
        let fs = command.fs.as_str();
        if fs.is_empty() || fs.len() > 8 {
            return Err(command.refused(
                Errno::EINVAL,
                "is of no file system",
                "a name has 1 to 8 characters",
            ));
        }
        command.check(self.barrier(fs, now).state)?;
        let absent = self.barriers.by_fs.get(fs).map(|b| &b.absent);
        let counts =
            |index: &u32| command.action == Action::Rescan || absent.is_none_or(|a| !a.contains(index));
        if !self.mdts(fs).iter().any(counts) {
            let hint = "see 'mgsctl target list'; 'mgsctl barrier rescan' counts the MDTs again";
            return Err(command.refused(Errno::ENODEV, "has no MDT", hint));
        }
        let old = self.exports.iter().find(|e| {
            let mdt = |t: &String| {
                TargetId::parse_svname(t).is_some_and(|(f, id)| f == fs && id.kind == TargetKind::Mdt)
            };
            !e.has(connect_flags::BARRIER) && e.targets.iter().any(mdt)
        });
        match old.filter(|_| matches!(command.action, Action::Freeze { .. })) {
            None => Ok(()),
            Some(old) => {
                let what = format!("the MDT on {} has no write barrier", old.address.peer);
                Err(command.refused(Errno::EOPNOTSUPP, what, "every MDT needs Lustre 2.11 or later"))
            }
        }
    }

    /// Sends a round of callbacks about the state that the barrier is in.
    fn ask_mdts(
        &mut self,
        command: &Command,
        expected: State,
        timeout: u32,
        asked: Option<(Ticket, String)>,
        now: Now,
    ) {
        let Some(barrier) = self.barriers.by_fs.get_mut(&command.fs) else { return };
        let held =
            ResId::config(&command.fs, ConfigKind::Barrier).map(|r| self.locks.on(r).copied().collect());
        let held: Vec<Lock> = held.unwrap_or_default();
        self.barriers.rounds += 1;
        let number = self.barriers.rounds;
        let trouble = held.is_empty().then_some(Trouble::Errno(Errno::ENODEV));
        let command = command.clone();
        let (fs, status) = (command.fs.clone(), barrier.state.wire());
        let until = if timeout == 0 { now.mono + PATIENCE } else { barrier.since + barrier.timeout };
        barrier.round = Some(Round {
            number,
            asked,
            command,
            expected,
            answered: BTreeSet::new(),
            trouble,
            open: held.len(),
        });
        for lock in &held {
            let Some(export) = self.exports.get(lock.export) else { continue };
            let (to, callback, at) = (export.address, export.callback_cookie, export.has(connect_flags::AT));
            let numbers = self.callbacks.number(lock.export);
            self.barriers.glimpses.insert(numbers.0, Glimpse { fs: fs.clone(), round: number, lock: *lock });
            let payload = glimpse(lock, callback, numbers, at, BarrierDesc { status, timeout, padding: 0 });
            let put = Put {
                portal: portal::LDLM_CB_REQUEST,
                match_bits: numbers.0,
                offset: 0,
                want_ack: false,
                payload,
            };
            self.post(&to, numbers.0, put);
            self.count("glimpses_sent");
        }
        self.timer(until, Timer::Round(number));
        if held.is_empty() {
            self.round_done(&fs, now);
        }
    }

    /// A node's answer to a callback; `false`: it was none of ours.
    pub(super) fn glimpse_reply(
        &mut self,
        from: Address,
        xid: u64,
        message: &Message,
        status: i32,
        now: Now,
    ) -> bool {
        let Some(glimpse) = self.barriers.glimpses.get(&xid) else { return false };
        let export = self.exports.get(glimpse.lock.export);
        if export.is_none_or(|e| e.address.peer != from.peer) {
            self.count("callback_replies_unmatched");
            return true;
        }
        let lock = glimpse.lock;
        let lvb = message.buffer(1).ok().and_then(|mut r| BarrierLvb::decode(&mut r).ok());
        match (Errno::from_status(status), lvb) {
            (None, Some(lvb)) => self.glimpse_done(xid, Ok(lvb), now),
            (None, None) => self.glimpse_done(xid, Err(Some(Errno::EPROTO)), now),
            (Some(Errno::EINVAL | Errno::ENODEV), _) => {
                // It does not know the lock: whoever held it has let go.
                self.locks.remove(lock.cookie);
                self.lock_gone(lock.cookie);
                self.glimpse_done(xid, Err(None), now);
            }
            (Some(Errno::ENOTCONN), _) => {
                self.glimpse_done(xid, Err(Some(Errno::ENOTCONN)), now);
                self.evict(lock.export, "does not know its callback handle", now);
            }
            (Some(errno), _) => self.glimpse_done(xid, Err(Some(errno)), now),
        }
        true
    }

    /// The proxy's word on a callback.
    pub(super) fn glimpse_sent(&mut self, xid: u64, status: PostStatus, now: Now) {
        if status == PostStatus::Stale && self.barriers.glimpses.contains_key(&xid) {
            self.glimpse_done(xid, Err(Some(Errno::ENOTCONN)), now);
        }
    }

    /// An export is gone, and with it the answers that it owes.
    pub(super) fn glimpses_lost(&mut self, export: u64, now: Now) {
        let lost = self.barriers.glimpses.iter().filter(|(_, g)| g.lock.export == export);
        let lost: Vec<u64> = lost.map(|(xid, _)| *xid).collect();
        lost.into_iter().for_each(|xid| self.glimpse_done(xid, Err(Some(Errno::ENOTCONN)), now));
    }

    /// One answer more, or none to come. `Err(None)`: it does not count.
    fn glimpse_done(&mut self, xid: u64, answer: Result<BarrierLvb, Option<Errno>>, now: Now) {
        let Some(glimpse) = self.barriers.glimpses.remove(&xid) else { return };
        self.callbacks.answered(glimpse.lock.export, xid);
        let round = self.barriers.by_fs.get_mut(&glimpse.fs).and_then(|b| b.round.as_mut());
        let Some(round) = round.filter(|r| r.number == glimpse.round) else { return };
        round.open = round.open.saturating_sub(1);
        match answer {
            Ok(lvb) if lvb.index > MAX_INDEX => round.trouble = Some(Trouble::Errno(Errno::EINVAL)),
            Ok(lvb) if lvb.status == round.expected.wire() => drop(round.answered.insert(lvb.index)),
            Ok(lvb) if round.answered.contains(&lvb.index) => {}
            Ok(lvb) => round.trouble = Some(Trouble::State(lvb.status)),
            Err(Some(errno)) => round.trouble = Some(Trouble::Errno(errno)),
            Err(None) => {}
        }
        if round.open == 0 {
            self.round_done(&glimpse.fs, now);
        }
    }

    /// Whoever has not answered will not be waited for.
    pub(super) fn round_late(&mut self, number: u64, now: Now) {
        let found = self.barriers.by_fs.iter_mut().find_map(|(fs, b)| {
            let round = b.round.as_mut().filter(|r| r.number == number && r.open > 0)?;
            round.trouble = Some(Trouble::Errno(Errno::ETIMEDOUT));
            Some(fs.clone())
        });
        if let Some(fs) = found {
            self.round_done(&fs, now);
        }
    }

    fn round_done(&mut self, fs: &str, now: Now) {
        let mdts = self.mdts(fs);
        let Some(barrier) = self.barriers.by_fs.get_mut(fs) else { return };
        let Some(round) = barrier.round.take() else { return };
        self.barriers.glimpses.retain(|_, g| g.round != round.number);
        // Undoing a freeze is nobody's order, and does not make it undone.
        let Some((ticket, actor)) = round.asked else { return };
        let missing: BTreeSet<u32> = mdts.difference(&round.answered).copied().collect();
        let counted = missing.difference(&barrier.absent).next().is_none();
        let left = (barrier.since + barrier.timeout).checked_sub(now.mono).filter(|left| !left.is_zero());
        let command = &round.command;
        let refused = |errno, what: String| {
            Err(command.refused(
                errno,
                what,
                format!("see 'mgsctl barrier stat {fs}' and the MDTs' consoles"),
            ))
        };
        let silent = || {
            let names: Vec<String> = missing.iter().map(|i| TargetId::mdt(*i).svname(fs)).collect();
            format!("not every MDT did its part: no answer of {}", names.join(", "))
        };
        let freezing = matches!(command.action, Action::Freeze { .. });
        let result = match (command.action, round.trouble) {
            (
                Action::Rescan,
                None | Some(Trouble::Errno(Errno::ETIMEDOUT | Errno::ENODEV | Errno::ENOTCONN)),
            ) => {
                barrier.absent = missing;
                barrier.state = State::Init;
                let total = mdts.union(&round.answered).count();
                let absent = barrier.absent.len();
                Ok(EventKind::BarrierRescanned {
                    fs: fs.to_owned(),
                    total: count(total),
                    absent: count(absent),
                })
            }
            (_, _) if freezing && left.is_none() => {
                barrier.state = State::Expired;
                refused(Errno::ETIME, format!("its time was over first; {}", silent()))
            }
            (_, Some(Trouble::Errno(Errno::ETIMEDOUT))) if freezing => {
                barrier.state = State::Expired;
                refused(Errno::ETIME, silent())
            }
            (_, Some(Trouble::State(state))) => {
                barrier.state = State::from_wire(state).unwrap_or(State::Failed);
                refused(Errno::EREMOTE, format!("an MDT is in state '{}'", barrier.state.as_str()))
            }
            (_, Some(Trouble::Errno(errno))) => {
                barrier.state = State::Failed;
                refused(errno, silent())
            }
            (_, None) if !counted => {
                barrier.state = State::Failed;
                refused(Errno::EREMOTE, silent())
            }
            (Action::Freeze { .. }, None) if barrier.state == State::FreezingP1 => {
                barrier.state = State::FreezingP2;
                let seconds = left.map_or(0, |left| u32::try_from(left.as_secs()).unwrap_or(u32::MAX)).max(1);
                return self.ask_mdts(&round.command, State::Frozen, seconds, Some((ticket, actor)), now);
            }
            (Action::Freeze { .. }, None) => {
                barrier.state = State::Frozen;
                Ok(planned(command))
            }
            (_, None) => {
                barrier.state = State::Thawed;
                Ok(planned(command))
            }
        };
        let state = barrier.state.as_str();
        self.event(Event::Barrier { fs: fs.to_owned(), state, by: String::new() });
        if freezing && result.is_err() {
            // Everybody lifts what they have of it.
            let lift = Command { fs: fs.to_owned(), action: Action::Thaw };
            self.ask_mdts(&lift, State::Thawed, 0, None, now);
        }
        match result {
            Ok(event) => {
                self.note_done(ticket, &actor, Done { events: vec![event], ..Done::default() }, now);
            }
            Err(error) => {
                let (fs, state) = (fs.to_owned(), state.to_owned());
                let failed = EventKind::BarrierFailed { fs, state, why: error.to_string() };
                self.note_failed(&actor, failed, now);
                self.out.push_back(Output::Done(ticket, Err(error)));
            }
        }
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// What an order comes to.
fn planned(command: &Command) -> EventKind {
    let fs = command.fs.clone();
    match command.action {
        Action::Freeze { timeout } => {
            EventKind::BarrierFrozen { fs, timeout: if timeout == 0 { DEFAULT_TIMEOUT } else { timeout } }
        }
        Action::Thaw => EventKind::BarrierThawed { fs },
        Action::Rescan => EventKind::BarrierRescanned { fs, total: 0, absent: 0 },
    }
}

/// LDLM_GL_CALLBACK: the lock as its holder knows it, and the state that it is to bring about.
fn glimpse(
    lock: &Lock,
    callback_cookie: u64,
    (xid, first): (u64, u64),
    at: bool,
    desc: BarrierDesc,
) -> Bytes {
    let body = Body {
        handle: callback_cookie,
        msg_type: msg_type::REQUEST,
        version: version::DLM | version::PTLRPC,
        opc: opc::LDLM_GL_CALLBACK,
        last_xid: first - 1,
        timeout: TIMEOUT,
        mbits: xid,
        ..Body::default()
    };
    let request = LdlmRequest {
        desc: LockDesc {
            lock_type: PLAIN,
            resource: lock.resource,
            req_mode: mode::CR,
            granted_mode: mode::CR,
            ..LockDesc::default()
        },
        handles: vec![lock.client_cookie, 0],
        ..LdlmRequest::default()
    };
    let buffers = vec![request.to_vec(ByteOrder::Little).into(), desc.to_vec(ByteOrder::Little).into()];
    let mut message = Message::new(&body, buffers);
    message.repsize = 224;
    message.flags = if at { msg_flags::AT_SUPPORT | msg_flags::CKSUM_INCOMPAT18 } else { 0 };
    message.to_bytes()
}
