//! An engine, a store that does what it is told, and a clock that only moves on request.
use super::judge;
use mgs_core::Errno;
use mgs_core::Now;
use mgs_core::engine::{CommitResult, Config, Engine, Event, Input, LinkId, Output};
use mgs_core::model::{View, keys};
use std::collections::BTreeMap;
use std::time::Duration;
use wire::ldlm::LdlmReply;
use wire::llog_rpc::{LlogdBody, LogId};
use wire::lnet::portal;
use wire::ptlrpc::{Message, opc};
use wire::relay::{Frame, PostStatus};
use wire::{Codec, Nid, Order};

/// The one proxy.
pub(super) const LINK: LinkId = LinkId(1);
/// Peers that a script can speak as: nodes of the recordings.
pub(super) const PEERS: u8 = 4;
/// Most outputs of one input that no lock and no waiting request explains.
const MOST_OUTPUTS: usize = 70;

/// The commit in flight: its number, and values or deletions.
type Flight = (u64, Vec<(String, Option<Vec<u8>>)>);

/// The engine and everything around it.
pub struct World {
    pub(super) engine: Engine,
    now: Now,
    store: BTreeMap<String, Vec<u8>>,
    seq: u64,
    flight: Option<Flight>,
    barrier: bool,
    /// Store and proxy answer at once.
    pub(super) prompt: bool,
    /// Time goes by without any word of the store.
    pub(super) silent: bool,
    inputs: usize,
    /// What the MGS gave out, for later requests: handles by peer, and lock cookies, log ids, cookies of posts.
    pub(super) handles: BTreeMap<Nid, u64>,
    pub(super) locks: Vec<u64>,
    pub(super) logs: Vec<LogId>,
    pub(super) posts: Vec<(u64, u32)>,
    pub(super) fetches: Vec<u64>,
    pub(super) callbacks: Vec<(Nid, u64)>,
    sent: Vec<Frame>,
    answers: Vec<Frame>,
}

impl World {
    /// A new MGS with its peers.
    pub fn new() -> Self {
        let now = Now { mono: Duration::from_secs(1), wall: 1_700_000_000 };
        let mut world = Self {
            engine: Engine::new(Config::default(), View::default(), [7; 32], now),
            now,
            store: BTreeMap::new(),
            seq: 0,
            flight: None,
            barrier: false,
            prompt: true,
            silent: false,
            inputs: 0,
            handles: BTreeMap::new(),
            locks: Vec::new(),
            logs: Vec::new(),
            posts: Vec::new(),
            fetches: Vec::new(),
            callbacks: Vec::new(),
            sent: Vec::new(),
            answers: Vec::new(),
        };
        world.drain();
        assert!(world.engine.is_ready());
        (0..PEERS).for_each(|n| world.peer_up(n, 1));
        world
    }

    /// Node `n` of the recordings: 10.77.0.3 and those behind it.
    pub(super) fn peer(n: u8) -> Nid {
        Nid::tcp([10, 77, 0, 3 + n % PEERS].into(), 0)
    }

    pub(super) fn peer_up(&mut self, n: u8, incarnation: u64) {
        let (slot, peer) = ((n % PEERS).into(), Self::peer(n));
        let local = Nid::tcp([10, 77, 0, 2].into(), 0);
        self.relay(Frame::PeerUp { slot, peer, local, incarnation, remote: String::new(), gateway: None });
    }

    /// A frame of the proxy.
    pub fn relay(&mut self, frame: Frame) {
        self.sent.push(frame.clone());
        self.input(Input::Relay(LINK, frame));
    }

    pub(super) fn input(&mut self, input: Input) {
        self.inputs += 1;
        self.engine.handle(input, self.now);
        self.drain();
    }

    /// Time passes, everything that falls due is done.
    pub(super) fn wait(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while let Some(at) = self.engine.poll_timeout().filter(|at| *at <= end) {
            self.now.mono = self.now.mono.max(at);
            self.engine.handle_timeout(self.now);
            assert!(
                self.engine.poll_timeout().is_none_or(|next| next > self.now.mono),
                "a deadline stays due"
            );
            self.drain();
            // An idle store is asked now and then.
            if !self.silent {
                self.barrier_answers(true);
                self.drain();
            }
        }
        self.now.mono = end;
    }

    pub(super) fn settle(&mut self) {
        self.drain();
    }

    fn drain(&mut self) {
        let explained = self.engine.locks().len() + self.inputs;
        let mut outputs = 0;
        while let Some(output) = self.engine.poll_transmit() {
            outputs += 1;
            assert!(outputs <= MOST_OUTPUTS + 2 * explained, "{outputs} outputs of one input");
            match output {
                Output::Relay(_, frame) => self.sent_out(frame),
                Output::Lost(why) => panic!("{why}"),
                Output::Done(..) => panic!("an answer to an order that nobody gave"),
                Output::Commit { base, changes, record, .. } => {
                    assert_eq!(base, self.seq, "a commit on another base than the store is at");
                    assert!(self.flight.is_none(), "two commits in flight");
                    judge::commit(self.engine.view(), &changes, &record, base + 1);
                    let mut all: Vec<_> = changes.into_iter().collect();
                    all.push((keys::commit(base + 1), Some(record)));
                    self.flight = Some((base + 1, all));
                }
                Output::Barrier => {
                    assert!(!self.barrier, "two barriers in flight");
                    self.barrier = true;
                }
            }
            if self.prompt && self.engine_idle() {
                self.store_answers(true);
                self.barrier_answers(true);
            }
        }
        while let Some(event) = self.engine.poll_event() {
            assert!(!matches!(event, Event::Bug { .. }), "{event:?}");
        }
        assert_eq!(self.engine.counters().get("lint_violations"), 0);
        judge::bounds(&self.engine, self.inputs);
    }

    /// Nothing but the store is asked for: the answers may be given in the same breath.
    const fn engine_idle(&self) -> bool {
        self.flight.is_some() || self.barrier
    }

    /// The commit in flight, if any, succeeds or certainly fails.
    pub(super) fn store_answers(&mut self, done: bool) {
        let Some((seq, changes)) = self.flight.take() else { return };
        let result = if done {
            self.seq = seq;
            for (key, value) in changes {
                match value {
                    Some(value) => drop(self.store.insert(key, value)),
                    None => drop(self.store.remove(&key)),
                }
            }
            CommitResult::Committed
        } else {
            CommitResult::Failed { errno: Errno::EIO, why: "disk".to_owned() }
        };
        self.engine.handle(Input::Committed(result), self.now);
        if done && self.flight.is_none() {
            assert!(self.engine.view().seq >= seq, "committed, but not applied");
        }
    }

    /// The store says where it is, or that it does not know.
    pub(super) fn barrier_answers(&mut self, known: bool) {
        if std::mem::take(&mut self.barrier) {
            self.engine.handle(Input::Barrier(known.then_some(self.seq)), self.now);
        }
    }

    fn sent_out(&mut self, frame: Frame) {
        judge::frame(&frame);
        self.answers.push(frame.clone());
        match frame {
            Frame::Post { cookie, portal: portal::MGS_BULK, payload, .. } => {
                let length = u32::try_from(payload.len()).unwrap();
                if self.prompt {
                    self.relay_later(Frame::Done { cookie, status: PostStatus::Acked(length) });
                } else {
                    self.posts.push((cookie, length));
                }
            }
            Frame::Post { peer, portal: portal::LDLM_CB_REQUEST, match_bits, cookie, .. } => {
                self.callbacks.push((peer, match_bits));
                self.posts.push((cookie, 0));
            }
            Frame::Post { peer, payload, .. } => self.learn(peer, &payload),
            Frame::Fetch { cookie, .. } => self.fetches.push(cookie),
            _ => {}
        }
    }

    /// The outputs of one input are taken first, then the proxy answers.
    fn relay_later(&mut self, frame: Frame) {
        self.engine.handle(Input::Relay(LINK, frame), self.now);
    }

    /// What later requests have to carry.
    fn learn(&mut self, peer: Nid, reply: &bytes::Bytes) {
        let message = Message::decode(reply).unwrap();
        let body = message.body().unwrap();
        let buffer = message.buffers.get(1).filter(|_| body.status == 0);
        match (body.opc, buffer) {
            (opc::MGS_CONNECT, Some(_)) => drop(self.handles.insert(peer, body.handle)),
            (opc::LDLM_ENQUEUE, Some(b)) => {
                self.locks.push(LdlmReply::from_slice(b, Order::Little).unwrap().handle);
            }
            (opc::LLOG_ORIGIN_HANDLE_CREATE, Some(b)) => {
                self.logs.push(LlogdBody::from_slice(b, Order::Little).unwrap().logid);
            }
            _ => {}
        }
    }

    /// Everybody answers, then falls silent: the engine forgets all but what is committed, and the store holds that.
    pub fn end(&mut self) {
        (self.prompt, self.silent) = (true, false);
        while self.engine_idle() {
            self.store_answers(true);
            self.barrier_answers(true);
            self.drain();
        }
        // Longer than a transfer may take, shorter than a silent export lives.
        self.wait(Duration::from_secs(120));
        assert!(self.engine.exports().iter().all(|e| e.in_service == 0), "requests that nobody answers");
        self.wait(Duration::from_secs(4000));
        assert_eq!(self.engine.exports().len(), 0, "exports left over");
        assert_eq!(self.engine.locks().len(), 0, "locks left over");
        assert!(self.engine.is_at_rest(), "deadlines left over");
        judge::same(self.engine.view(), &self.store, self.seq);
    }

    /// Frames sent so far, and their answers.
    pub fn traffic(self) -> (Vec<Frame>, Vec<Frame>) {
        (self.sent, self.answers)
    }

    /// Counters of the engine.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        self.engine.counters().iter().collect()
    }

    /// Entries of the store.
    pub fn stored(self) -> Vec<(String, Vec<u8>)> {
        self.store.into_iter().collect()
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
