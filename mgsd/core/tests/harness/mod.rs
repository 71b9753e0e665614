//! An engine with a store in memory, driven by hand: every test of the core starts here.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

use bytes::Bytes;
use mgs_core::Error;
use mgs_core::Now;
use mgs_core::engine::{CommitResult, Config, Engine, Event, Input, LinkId, Output, Ticket};
use mgs_core::model::View;
use mgs_core::model::command::{Command, Done, Order as Request};
use mgs_core::model::commit::{CommitRecord, EventKind};
use std::collections::BTreeMap;
use std::time::Duration;
use wire::lnet::portal;
use wire::ptlrpc::{Body, ConnectData, ConnectRequest, Message, connect_flags as cf, msg_type, opc, version};
use wire::relay::{Frame, PostStatus};
use wire::{Codec, Nid, Order};

pub const LINK: LinkId = LinkId(0);
/// What a node of 2.17 asks for.
pub const ASKED: u64 = 0xa000_4110_0100_2060;
pub const ASKED2: u64 = cf::REP_MBITS | cf::LARGE_NID;

/// A PUT that the engine sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub link: LinkId,
    pub cookie: u64,
    pub peer: Nid,
    pub portal: u32,
    pub match_bits: u64,
    pub offset: u32,
    pub want_ack: bool,
    pub payload: Bytes,
}

impl Sent {
    pub fn message(&self) -> Message {
        Message::decode(&self.payload).unwrap()
    }
    pub fn body(&self) -> Body {
        self.message().body().unwrap()
    }
}

/// Engine, store, clock and what came out.
pub struct Mgs {
    pub engine: Engine,
    pub store: BTreeMap<String, Vec<u8>>,
    pub seq: u64,
    pub commits: usize,
    pub now: Now,
    pub sent: Vec<Sent>,
    pub fetches: Vec<Frame>,
    pub events: Vec<Event>,
    /// Answers to orders.
    pub done: BTreeMap<Ticket, Result<Box<Done>, Error>>,
    /// Commits and barriers wait here while held.
    pub held: Option<Vec<Output>>,
    slots: BTreeMap<Nid, u32>,
    xid: u64,
}

pub fn nid(text: &str) -> Nid {
    text.parse().unwrap()
}

impl Mgs {
    pub fn new() -> Self {
        Self::on(BTreeMap::new(), 0)
    }

    /// On what a store holds.
    pub fn on(store: BTreeMap<String, Vec<u8>>, seq: u64) -> Self {
        let mut mgs = Self::undriven(store, seq);
        mgs.drain();
        mgs
    }

    /// On an empty store, with other settings.
    pub fn with(config: Config) -> Self {
        let mut mgs = Self::configured(config, BTreeMap::new(), 0);
        mgs.drain();
        mgs
    }

    /// On an empty store, its first commit planned and not yet answered.
    pub fn unborn() -> Self {
        let mut mgs = Self::undriven(BTreeMap::new(), 0);
        while mgs.engine.poll_transmit().is_some() {}
        mgs
    }

    fn undriven(store: BTreeMap<String, Vec<u8>>, seq: u64) -> Self {
        Self::configured(Config::default(), store, seq)
    }

    fn configured(config: Config, store: BTreeMap<String, Vec<u8>>, seq: u64) -> Self {
        let view = View::load(store.iter().map(|(k, v)| (k.as_str(), v.as_slice()))).unwrap();
        let now = Now { mono: Duration::from_secs(1000), wall: 1_700_000_000 };
        let engine = Engine::new(config, view, [7; 32], now);
        Self {
            engine,
            store,
            seq,
            commits: 0,
            now,
            sent: Vec::new(),
            fetches: Vec::new(),
            events: Vec::new(),
            done: BTreeMap::new(),
            held: None,
            slots: BTreeMap::new(),
            xid: 0x1000,
        }
    }

    /// Power cut: what the store has is what there is.
    pub fn restarted(&self) -> Self {
        Self::on(self.store.clone(), self.seq)
    }

    /// What is stored, but for the records of commits.
    pub fn state(&self) -> BTreeMap<String, Vec<u8>> {
        let kept = self.store.iter().filter(|(key, _)| !key.starts_with("commit/"));
        kept.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Actors and events of all commits above a number.
    pub fn audit(&self, after: u64) -> Vec<(String, EventKind)> {
        let records = self.store.range(format!("commit/{:016x}", after + 1).."commit0".to_owned());
        let events =
            records.flat_map(|(_, value)| serde_json::from_slice::<CommitRecord>(value).unwrap().events);
        events.map(|event| (event.actor, event.kind)).collect()
    }

    pub fn input(&mut self, input: Input) {
        self.engine.handle(input, self.now);
        self.drain();
    }

    pub fn drain(&mut self) {
        while let Some(output) = self.engine.poll_transmit() {
            match (&mut self.held, output) {
                (
                    _,
                    Output::Relay(
                        link,
                        Frame::Post { cookie, peer, portal, match_bits, offset, want_ack, payload, .. },
                    ),
                ) => {
                    self.sent.push(Sent {
                        link,
                        cookie,
                        peer,
                        portal,
                        match_bits,
                        offset,
                        want_ack,
                        payload,
                    });
                    if want_ack {
                        let length = self.sent.last().unwrap().payload.len().try_into().unwrap();
                        let done = Frame::Done { cookie, status: PostStatus::Acked(length) };
                        self.engine.handle(Input::Relay(LINK, done), self.now);
                    }
                }
                (_, Output::Relay(_, frame)) => self.fetches.push(frame),
                (_, Output::Done(ticket, done)) => {
                    assert!(self.done.insert(ticket, done).is_none(), "answered twice");
                }
                (Some(held), output) => held.push(output),
                (None, output) => self.serve_store(output),
            }
        }
        while let Some(event) = self.engine.poll_event() {
            assert!(!matches!(event, Event::Bug { .. }), "{event:?}");
            self.events.push(event);
        }
    }

    pub fn serve_store(&mut self, output: Output) {
        match output {
            Output::Commit { base, changes, record, .. } => {
                assert_eq!(base, self.seq, "commit on a stale base");
                for (key, value) in changes {
                    match value {
                        Some(value) => drop(self.store.insert(key, value)),
                        None => drop(self.store.remove(&key)),
                    }
                }
                self.seq += 1;
                self.commits += 1;
                self.store.insert(format!("commit/{:016x}", self.seq), record);
                self.engine.handle(Input::Committed(CommitResult::Committed), self.now);
            }
            Output::Barrier => self.engine.handle(Input::Barrier(Some(self.seq)), self.now),
            Output::Relay(..) | Output::Done(..) | Output::Lost(_) => unreachable!(),
        }
    }

    /// Gives an order; it is not answered while the store's answers are held.
    pub fn give(&mut self, command: Command, dry_run: bool) -> Ticket {
        self.xid += 1;
        let ticket = Ticket(self.xid);
        let order = Request { actor: "uid:0".to_owned(), command, dry_run };
        self.input(Input::Order(ticket, Box::new(order)));
        ticket
    }
    /// Has somebody else's order done.
    pub fn order_by(&mut self, actor: &str, command: Command) -> Result<Box<Done>, Error> {
        self.xid += 1;
        let ticket = Ticket(self.xid);
        let order = Request { actor: actor.to_owned(), command, dry_run: false };
        self.input(Input::Order(ticket, Box::new(order)));
        self.done.remove(&ticket).expect("answered at once")
    }
    /// Gives an order and has it done.
    pub fn order(&mut self, command: Command) -> Result<Box<Done>, Error> {
        let ticket = self.give(command, false);
        self.done.remove(&ticket).expect("answered at once")
    }

    /// Holds the store's answers back.
    pub fn hold(&mut self) {
        self.held.get_or_insert_default();
    }
    /// Serves what was held.
    pub fn release(&mut self) {
        for output in self.held.take().unwrap() {
            self.serve_store(output);
        }
        self.drain();
    }

    pub fn advance(&mut self, by: Duration) {
        let end = self.now.mono + by;
        while let Some(due) = self.engine.poll_timeout().filter(|t| *t <= end) {
            self.now.mono = due.max(self.now.mono);
            self.engine.handle_timeout(self.now);
            self.drain();
        }
        self.now.mono = end;
    }

    pub fn peer_up(&mut self, peer: Nid) -> u32 {
        let next = u32::try_from(self.slots.len()).unwrap() + 1;
        let slot = *self.slots.entry(peer).or_insert(next);
        let local = nid("10.0.0.1@tcp");
        let up = Frame::PeerUp { slot, peer, local, incarnation: 1, remote: String::new(), gateway: None };
        self.input(Input::Relay(LINK, up));
        slot
    }

    /// A PUT of a peer.
    pub fn deliver(&mut self, peer: Nid, portal: u32, match_bits: u64, payload: Bytes) {
        let slot = self.slots.get(&peer).copied().unwrap_or_else(|| self.peer_up(peer));
        let deliver = Frame::Deliver { slot, incarnation: 1, portal, match_bits, offset: 0, payload };
        self.input(Input::Relay(LINK, deliver));
    }

    /// Sends a request; returns its xid.
    pub fn send(&mut self, peer: Nid, mut body: Body, buffers: Vec<Vec<u8>>) -> u64 {
        self.xid += 128;
        let xid = self.xid;
        body.msg_type = msg_type::REQUEST;
        body.mbits = xid;
        body.timeout = 11;
        let mut message = Message::new(&body, buffers.into_iter().map(Bytes::from).collect());
        let cancel = body.opc == opc::LDLM_CANCEL;
        message.flags = if body.opc == opc::MGS_CONNECT { 0 } else { 3 };
        let on = if cancel { portal::LDLM_CANCEL_REQUEST } else { portal::MGS_REQUEST };
        self.deliver(peer, on, xid, message.to_bytes());
        xid
    }

    /// The reply to an xid, if it has been sent.
    pub fn reply(&self, xid: u64) -> Option<&Sent> {
        self.sent.iter().rev().find(|s| s.match_bits == xid && s.portal != portal::MGS_BULK)
    }

    /// Connects a node; returns its handle.
    pub fn connect(&mut self, peer: Nid, uuid: &str) -> u64 {
        let request = connect_request(uuid);
        let body = connect_body(1);
        let xid = self.send(peer, body, request);
        let reply = self.reply(xid).expect("connect is answered at once").body();
        assert_eq!(reply.status, 0);
        reply.handle
    }

    pub fn call(&mut self, peer: Nid, handle: u64, code: u32, buffers: Vec<Vec<u8>>) -> Sent {
        let body = request_body(handle, code);
        let xid = self.send(peer, body, buffers);
        self.reply(xid).expect("answered").clone()
    }
}

pub fn connect_body(conn_cnt: u32) -> Body {
    Body {
        version: version::OBD | version::PTLRPC,
        opc: opc::MGS_CONNECT,
        conn_cnt,
        op_flags: if conn_cnt == 1 { 0x20 } else { 0 },
        ..Body::default()
    }
}

pub fn connect_request(uuid: &str) -> Vec<Vec<u8>> {
    let data = ConnectData { flags: ASKED, flags2: ASKED2, version: 0x0211_3900, ..ConnectData::default() };
    let request = ConnectRequest {
        target: "MGS".to_owned(),
        client_uuid: uuid.to_owned(),
        callback_cookie: 0xcb,
        data,
        sepol: Some(Bytes::new()),
    };
    request.to_buffers(Order::Little).into_iter().map(|b| b.to_vec()).collect()
}

pub fn request_body(handle: u64, code: u32) -> Body {
    let high = match code {
        101..=107 => version::DLM,
        253..=256 => version::MGS,
        501..=509 => version::LOG,
        _ => version::OBD,
    };
    Body { handle, version: high | version::PTLRPC, opc: code, conn_cnt: 1, ..Body::default() }
}

pub fn encode(value: &impl Codec) -> Vec<u8> {
    value.to_vec(Order::Little)
}
