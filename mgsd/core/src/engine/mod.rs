//! The engine: owns the view, the exports and the locks; its inputs are totally ordered (architecture, section 5).

mod ahead;
mod audit;
mod barrier;
mod bulk;
mod callbacks;
mod eviction;
mod fence;
mod flight;
mod follow;
mod generations;
mod grants;
mod guard;
mod held;
mod io;
mod recovery;
mod request;
mod service;
mod writes;

pub use barrier::BarrierStatus;
pub use fence::SILENCE;
pub(crate) use generations::Generation;
pub use held::{Applicant, PATIENCE as HELD_FOR, Standing};
pub use io::{CommitResult, Config, Counters, Event, Input, LinkId, Output, Ticket};
pub use recovery::IrStatus;
pub(crate) use request::{Answer, ReqId, Request, Step};

use crate::entropy::Entropy;
use crate::error::Error;
use crate::export::{Address, Connect, Export, Exports};
use crate::locks::Locks;
use crate::model::View;
use crate::model::generation::Tag;
use crate::time::Now;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;
use wire::Nid;
use wire::ptlrpc::connect_flags;
use wire::relay::{Frame, PostStatus};

/// An export without a request for so long is dead: six ping intervals.
pub const EXPORT_TIMEOUT: Duration = Duration::from_secs(150);

/// The MGS.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    entropy: Entropy,
    started: Now,
    /// What is committed: every read is served from here.
    pub(crate) view: View,
    /// What will be, once the commit in flight is done: every plan is made on it.
    next: View,
    pub(crate) exports: Exports,
    pub(crate) locks: Locks,
    peers: HashMap<(LinkId, u32), Address>,
    requests: request::Requests,
    writes: writes::Writes,
    grants: grants::Grants,
    fence: fence::Fence,
    held: held::Held,
    /// The next end of something stored (unix seconds), and the timer for it.
    expiry: (Option<i64>, u64),
    callbacks: callbacks::Callbacks,
    pub(crate) recovery: recovery::Recovery,
    bulks: bulk::Bulks,
    barriers: barrier::Barriers,
    refusals: audit::Refusals,
    /// Nodemaps as servers read them, rendered once for each version.
    pub(crate) nodemaps: Option<std::sync::Arc<crate::model::nodemap::index::Index>>,
    ahead: ahead::Seen,
    away: generations::Away,
    timers: BTreeMap<(Duration, u64), Timer>,
    timer_count: u64,
    out: VecDeque<Output>,
    events: VecDeque<Event>,
    counters: Counters,
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug)]
enum Timer {
    /// An export may have died silently.
    Export(u64),
    /// A callback is to be repeated, or its lock's holder to be evicted.
    Callback(u64),
    /// The barrier takes long.
    Barrier(u64),
    /// The commit takes long.
    Commit(u64),
    /// Whether the store is still there.
    Fence,
    /// MDTs have not answered a round of callbacks about a write barrier.
    Round(u64),
    /// A bulk transfer got no answer.
    Bulk(u64),
    /// A request in service nears its deadline.
    Early(ReqId),
    /// Nobody has approved a registration.
    Held(ReqId),
    /// Refusals that were counted are to be written down.
    Refusals,
    /// Something stored has ended: an approval, a reservation. Only the newest timer counts.
    Expiry(u64),
}

impl Engine {
    /// Starts on what the store holds. A view without `meta` is a new MGS: the first output creates it.
    pub fn new(config: Config, mut view: View, seed: [u8; 32], now: Now) -> Self {
        view.catalogue = config.catalogue.clone();
        let mut engine = Self {
            config,
            entropy: Entropy::new(seed),
            started: now,
            next: view.clone(),
            recovery: recovery::Recovery::new(&view),
            view,
            exports: Exports::default(),
            locks: Locks::default(),
            peers: HashMap::new(),
            requests: request::Requests::default(),
            writes: writes::Writes::default(),
            grants: grants::Grants::default(),
            fence: fence::Fence::new(now),
            held: held::Held::default(),
            expiry: (None, 0),
            callbacks: callbacks::Callbacks::new(now),
            bulks: bulk::Bulks::default(),
            barriers: barrier::Barriers::default(),
            refusals: audit::Refusals::default(),
            nodemaps: None,
            ahead: ahead::Seen::default(),
            away: generations::Away::default(),
            timers: BTreeMap::new(),
            timer_count: 0,
            out: VecDeque::new(),
            events: VecDeque::new(),
            counters: Counters::default(),
        };
        if engine.view.meta.is_none() {
            engine.create_mgs(now);
        }
        engine.watch_expiry(now);
        engine.watch_store(now);
        engine
    }

    /// Takes an input.
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Relay(link, frame) => self.relay(link, frame, now),
            Input::LinkDown(link) => self.peers.retain(|(l, _), _| *l != link),
            Input::Order(ticket, order) => self.queue_order(ticket, order, now),
            Input::Followed(changes) => self.followed(changes, now),
            Input::Committed(result) => self.committed(result, now),
            Input::Stuck { errno, why } => self.stuck(errno, why, now),
            Input::Barrier(seq) => self.barrier_done(seq, now),
        }
    }

    /// The next output.
    pub fn poll_transmit(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Engine::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }

    /// Nothing is due but the next question to the store, which always is.
    pub fn is_at_rest(&self) -> bool {
        self.timers.values().all(|timer| matches!(timer, Timer::Fence | Timer::Barrier(_)))
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(entry) = self.timers.first_entry().filter(|e| e.key().0 <= now.mono) {
            match entry.remove() {
                Timer::Export(cookie) => self.check_export(cookie, now),
                Timer::Callback(xid) => self.callback_due(xid, now),
                Timer::Barrier(number) => self.barrier_late(number, now),
                Timer::Commit(number) => self.commit_late(number, now),
                Timer::Fence => self.look_at_store(now),
                Timer::Bulk(cookie) => self.bulk_late(cookie),
                Timer::Round(number) => self.round_late(number, now),
                Timer::Early(id) => self.early_reply(id, now),
                Timer::Held(id) => self.lapse(id, now),
                Timer::Refusals => self.refusals_due(now),
                Timer::Expiry(number) => self.expiry_due(number, now),
            }
        }
    }

    /// What is committed.
    pub const fn view(&self) -> &View {
        &self.view
    }
    /// Connected MGCs.
    pub const fn exports(&self) -> &Exports {
        &self.exports
    }
    /// Granted locks.
    pub const fn locks(&self) -> &Locks {
        &self.locks
    }
    /// Counters.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }
    /// The MGS exists in its store: it may be connected to.
    pub const fn is_ready(&self) -> bool {
        self.view.meta.is_some()
    }

    /// Every request is answered, but for those that only wait for somebody's word: their nodes ask the next daemon.
    pub fn is_idle(&self) -> bool {
        self.requests.len() == self.held.idle().count()
    }

    fn timer(&mut self, at: Duration, timer: Timer) {
        self.timer_count += 1;
        self.timers.insert((at, self.timer_count), timer);
    }

    fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    fn count(&mut self, name: &'static str) {
        self.counters.add(name);
    }

    fn post(&mut self, to: &Address, cookie: u64, put: Put) {
        self.out.push_back(Output::Relay(
            to.link,
            Frame::Post {
                cookie,
                peer: to.peer,
                local: to.local,
                incarnation: to.incarnation,
                portal: put.portal,
                match_bits: put.match_bits,
                offset: put.offset,
                want_ack: put.want_ack,
                payload: put.payload,
            },
        ));
    }

    fn relay(&mut self, link: LinkId, frame: Frame, now: Now) {
        match frame {
            Frame::PeerUp { slot, peer, local, incarnation, remote, gateway } => {
                let remote = remote.parse::<std::net::SocketAddr>().ok().map(|r| r.ip());
                let address = Address { link, peer, local, incarnation, remote, gateway };
                self.peers.insert((link, slot), address);
            }
            Frame::PeerDown { slot, .. } => {
                self.peers.remove(&(link, slot));
            }
            Frame::Deliver { slot, portal, match_bits, payload, .. } => {
                match self.peers.get(&(link, slot)).copied() {
                    Some(from) => self.deliver(from, portal, match_bits, &payload, now),
                    None => self.count("dropped_unknown_peer"),
                }
            }
            Frame::Done { cookie, status } => self.post_done(cookie, status, now),
            Frame::Fetched { cookie, payload } => self.fetched(cookie, payload, now),
            Frame::Ping { token } => self.out.push_back(Output::Relay(link, Frame::Pong { token })),
            // The driver opens links; credits are the proxy's own concern on an in-process link.
            Frame::Hello { .. }
            | Frame::Welcome { .. }
            | Frame::View { .. }
            | Frame::Post { .. }
            | Frame::Fetch { .. }
            | Frame::Credit { .. }
            | Frame::Pong { .. }
            | Frame::Drain => {}
        }
    }

    fn post_done(&mut self, cookie: u64, status: PostStatus, now: Now) {
        if cookie != 0 && !self.bulk_done(cookie, status, now) {
            self.glimpse_sent(cookie, status, now);
            self.callback_sent(cookie, status, now);
        }
    }

    fn check_export(&mut self, cookie: u64, now: Now) {
        let Some(export) = self.exports.get(cookie) else { return };
        let until = export.last_seen + EXPORT_TIMEOUT;
        if until <= now.mono {
            self.evict(cookie, "silent for six ping intervals", now);
        } else {
            self.timer(until, Timer::Export(cookie));
        }
    }

    /// Forgets an export and its locks. Its next request is told that it is not connected; it connects again, takes
    /// its locks and reads everything anew.
    pub fn evict(&mut self, cookie: u64, why: &'static str, now: Now) {
        if let Some(export) = self.forget(cookie, now) {
            self.count("evictions");
            self.pinned_left(&export);
            self.event(Event::Evicted { nid: export.address.peer, uuid: export.uuid, why });
        }
    }

    pub(crate) fn forget(&mut self, cookie: u64, now: Now) -> Option<Export> {
        self.locks.remove_export(cookie);
        self.drop_held(cookie);
        let export = self.exports.remove(cookie)?;
        self.glimpses_lost(cookie, now);
        self.reader_left(&export, now);
        Some(export)
    }

    pub(crate) fn disconnected(&mut self, export: Export, now: Now) {
        self.unmounted(&export, now);
        self.event(Event::Disconnected { nid: export.address.peer, uuid: export.uuid });
    }

    /// A handle that no export has.
    pub(crate) fn new_cookie(&mut self, tag: Tag) -> u64 {
        loop {
            let random = self.entropy.cookie();
            let mgs = self.view.meta.as_ref().map_or("", |m| m.uuid.as_str());
            let cookie = tag.seal(random, mgs);
            if self.exports.get(cookie).is_none() {
                return cookie;
            }
        }
    }

    /// A connect succeeded: watch the export, and say so.
    pub(crate) fn connected(&mut self, connect: &Connect, cookie: u64, again: bool, now: Now) {
        if !again {
            self.timer(now.mono + EXPORT_TIMEOUT, Timer::Export(cookie));
        }
        let (nid, version) = (connect.address.peer, connect.data.version);
        self.server_back(nid, now);
        self.mounts_anew(nid, &connect.uuid, now);
        self.away.back(nid);
        self.event(Event::Connected { nid, uuid: connect.uuid.clone(), version, again });
    }

    /// The client lets go of a lock of its own.
    pub(crate) fn let_go(&mut self, export: u64, cookie: u64) {
        if self.locks.get(cookie).is_some_and(|l| l.export == export) {
            self.locks.remove(cookie);
            self.lock_gone(cookie);
        }
    }

    /// The client reads a log or table: its locks live on that long.
    pub(crate) fn reads(&mut self, export: u64, now: Now) {
        if let Some(export) = self.exports.get_mut(export) {
            export.last_read = now.mono;
        }
    }

    /// The client opened a log of a file system.
    pub(crate) fn opens(&mut self, export: u64, fs: &str, now: Now) {
        if self.view.fs.contains_key(fs)
            && let Some(export) = self.exports.get_mut(export)
        {
            export.remember_fs(fs);
            let fresh = export.opened.insert(fs.to_owned());
            if fresh && !export.has(connect_flags::IMP_RECOV) {
                self.recovery.mixed(fs, now);
            }
        }
    }

    pub(crate) fn refused(&mut self, nid: Nid, op: &'static str, error: &Error) {
        match error {
            Error::Bug { what } => self.event(Event::Bug { what: what.clone() }),
            _ => self.event(Event::Refused { nid, op, errno: error.errno(), why: error.to_string() }),
        }
    }
}

/// A PUT that leaves.
struct Put {
    portal: u32,
    match_bits: u64,
    offset: u32,
    want_ack: bool,
    payload: bytes::Bytes,
}
