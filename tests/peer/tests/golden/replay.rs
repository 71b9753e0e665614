//! Drives a node through the timeline of a capture.
use crate::compare::Maps;
use crate::timeline::{Boot, Item, Timed};
use bytes::BytesMut;
use lustre_peer::interp::ConfigTree;
use lustre_peer::{Command, ConnId, Event, Input, Node, NodeConfig, Transmit};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use wire::lnet::{Message, portal};
use wire::mgs::ldd;
use wire::ptlrpc::opc;
use wire::rpc::{Request, Rpc};
use wire::socklnd::{ConnReq, ConnType, Frame, Hello, Step};
use wire::{Nid, Order};

/// A requeue comes 5 to 10 s after the loss; on the recorded, emulated machines after 4 s at times.
const LATEST: Duration = Duration::from_secs(10);

/// What different kernel threads send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Setup,
    Lnet,
    CallbackReply,
    /// Only when not strict: else cancels are requests like others.
    Cancel,
    Request,
}

fn class(item: &Item, strict: bool) -> Class {
    match item {
        Item::Request(_) | Item::Hello(_) | Item::Broken => Class::Setup,
        Item::Frame(Frame::Lnet(_, header, _)) => match header.msg {
            Message::Put { portal: portal::LDLM_CB_REPLY, .. } => Class::CallbackReply,
            Message::Put { portal: portal::LNET_RESERVED, .. } => Class::Lnet,
            Message::Put { portal: portal::LDLM_CANCEL_REQUEST, .. } if !strict => Class::Cancel,
            Message::Put { .. } => Class::Request,
            _ => Class::Lnet,
        },
        Item::Frame(Frame::Noop(_)) => Class::Lnet,
    }
}

/// The RPC of a captured message.
fn rpc(item: &Item) -> Option<Rpc> {
    match item {
        Item::Frame(Frame::Lnet(_, header, payload)) => match header.msg {
            Message::Put { portal, .. } => Rpc::decode_put(portal, payload).ok(),
            _ => None,
        },
        _ => None,
    }
}

struct Emitted {
    stream: BytesMut,
    hello_done: bool,
    request_done: bool,
}

pub(crate) struct Done {
    pub(crate) mounted: Vec<String>,
    pub(crate) requests: usize,
    pub(crate) pings_alone: usize,
    pub(crate) pings_asked: usize,
    pub(crate) config: ConfigTree,
}

pub(crate) struct Replay {
    node: Node,
    boot: Boot,
    maps: Maps,
    now: Duration,
    /// Node's connection by type, once its HELLO is known.
    conns: BTreeMap<ConnId, (Option<ConnType>, Emitted)>,
    items: BTreeMap<(u8, Class), VecDeque<Item>>,
    events: Vec<Event>,
    /// Handles that belong to pings of an administrator.
    foreign: BTreeSet<[u8; 16]>,
    refused: Option<i32>,
}

const fn code(ctype: ConnType) -> u8 {
    match ctype {
        ConnType::None => 0,
        ConnType::Any => 1,
        ConnType::Control => 2,
        ConnType::BulkIn => 3,
        ConnType::BulkOut => 4,
    }
}

impl Replay {
    pub(crate) fn new(boot: Boot) -> Self {
        let mgs: Nid = "10.77.0.2@tcp".parse().unwrap();
        let config = NodeConfig::new(boot.peer, vec![mgs], 77, Duration::from_nanos(boot.incarnation));
        Self {
            node: Node::new(config),
            boot,
            maps: Maps::strict(),
            now: Duration::ZERO,
            conns: BTreeMap::new(),
            items: BTreeMap::new(),
            events: Vec::new(),
            foreign: BTreeSet::new(),
            refused: None,
        }
    }

    /// Two kernel threads answer callbacks and cancel: take the answer to the same callback, the cancel of the same lock.
    pub(crate) fn loose(mut self) -> Self {
        self.maps.strict = false;
        self
    }

    /// A mount has to fail with this errno.
    pub(crate) fn refused(mut self, errno: i32) -> Self {
        self.refused = Some(errno);
        self
    }

    pub(crate) fn run(mut self, script: Vec<Command>) -> Done {
        let mut script = VecDeque::from(script);
        let items = std::mem::take(&mut self.boot.items);
        let start = items[0].time;
        let (mut requests, mut pings_alone, mut pings_asked) = (0, 0, 0);
        for (i, timed) in items.iter().enumerate() {
            self.feed(Input::Tick, timed.time - start);
            if self.administrators_ping(timed) {
                continue;
            }
            if timed.item == Item::Broken {
                for conn in std::mem::take(&mut self.conns).into_keys() {
                    self.feed(Input::Closed(conn), self.now);
                }
                continue;
            }
            if !timed.from_peer {
                self.hear_mgs(timed);
                continue;
            }
            let ping = rpc(&timed.item).and_then(|r| r.body().map(|b| b.opc)) == Some(opc::OBD_PING);
            if ping && self.has(timed) {
                pings_alone += 1;
            } else if ping {
                pings_asked += 1;
                self.feed(Input::Command(Command::Ping), self.now);
            } else if !self.has(timed) && starts_command(&timed.item) {
                let command =
                    script.pop_front().unwrap_or_else(|| panic!("item {i}: no command left for {timed:?}"));
                self.feed(Input::Command(command), self.now);
            }
            let limit = self.now + LATEST;
            while !self.has(timed) && self.node.poll_timeout().is_some_and(|at| at <= limit) {
                let at = self.node.poll_timeout().unwrap();
                self.feed(Input::Tick, at);
            }
            requests += usize::from(matches!(self.class(&timed.item), Class::Request | Class::Cancel));
            self.expect(i, timed);
        }
        assert!(script.is_empty(), "commands left: {script:?}");
        for (key, left) in &self.items {
            assert!(left.is_empty(), "emitted, but not captured on {key:?}: {left:?}");
        }
        self.no_complaint();
        let mounted: Vec<String> = self.node.mounted().map(str::to_owned).collect();
        let config = mounted.first().and_then(|name| self.node.config(name)).cloned().unwrap_or_default();
        Done { mounted, requests, pings_alone, pings_asked, config }
    }

    /// `lctl ping` and `lnetctl discover` on the recorded node, with all that belongs to them.
    fn administrators_ping(&mut self, timed: &Timed) -> bool {
        let Item::Frame(Frame::Lnet(_, header, _)) = &timed.item else { return false };
        match header.msg {
            Message::Get { ret, .. } if timed.from_peer && !self.has(timed) => self.foreign.insert(ret.0),
            Message::Put { portal: portal::LNET_RESERVED, ack, .. }
                if timed.from_peer && !self.has(timed) =>
            {
                self.foreign.insert(ack.0)
            }
            Message::Reply { dst } | Message::Ack { dst, .. } if !timed.from_peer => {
                self.foreign.contains(&dst.0)
            }
            _ => false,
        }
    }

    fn class(&self, item: &Item) -> Class {
        class(item, self.maps.strict)
    }

    fn has(&self, timed: &Timed) -> bool {
        self.items.get(&(code(timed.ctype), self.class(&timed.item))).is_some_and(|q| !q.is_empty())
    }

    fn expect(&mut self, i: usize, timed: &Timed) {
        let queue = self.items.entry((code(timed.ctype), self.class(&timed.item))).or_default();
        let at = if self.maps.strict { 0 } else { same_thing(queue, &timed.item) };
        let Some(emitted) = queue.remove(at) else {
            panic!(
                "item {i} at {:?}: the node did not send {:?}; events {:?}",
                timed.time, timed.item, self.events
            )
        };
        let context = format!("item {i} at {:?} on {:?}", timed.time, timed.ctype);
        match (&timed.item, &emitted) {
            (Item::Frame(captured), Item::Frame(emitted)) => {
                let (captured, emitted) = (captured.clone(), emitted.clone());
                let maps = &mut self.maps;
                let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    maps.check(&captured, &emitted)
                }));
                assert!(
                    checked.is_ok(),
                    "{context}\n captured {:?}\n emitted  {:?}",
                    rpc(&timed.item),
                    rpc(&Item::Frame(emitted))
                );
            }
            (captured, emitted) => assert_eq!(captured, emitted, "{context}"),
        }
    }

    fn hear_mgs(&mut self, timed: &Timed) {
        let conn = self.conns.iter().find(|(_, (ctype, _))| *ctype == Some(timed.ctype)).map(|(id, _)| *id);
        let conn = conn.expect("MGS speaks on a connection that the node has");
        let bytes = match &timed.item {
            Item::Request(_) => panic!("the MGS did not dial"),
            Item::Broken => unreachable!("handled before"),
            Item::Hello(hello) => hello.to_bytes(Order::Little),
            Item::Frame(frame) => self.maps.translate(frame).to_bytes(3, Order::Little),
        };
        self.feed(Input::Bytes(conn, bytes.into()), self.now);
    }

    fn feed(&mut self, input: Input, now: Duration) {
        self.now = self.now.max(now);
        self.node.handle(input, self.now);
        while let Some(transmit) = self.node.poll_transmit() {
            match transmit {
                Transmit::Dial { conn, .. } => {
                    let emitted = Emitted { stream: BytesMut::new(), hello_done: false, request_done: false };
                    self.conns.insert(conn, (None, emitted));
                    self.node.handle(Input::Connected(conn), self.now);
                }
                Transmit::Bytes { conn, bytes } => {
                    self.conns.get_mut(&conn).unwrap().1.stream.extend_from_slice(&bytes);
                    self.parse(conn);
                }
                Transmit::Close { conn } => {
                    assert!(self.conns.is_empty(), "the node closed {conn:?}: {:?}", self.events);
                }
            }
        }
        while let Some(event) = self.node.poll_event() {
            self.events.push(event);
        }
    }

    fn parse(&mut self, conn: ConnId) {
        let (ctype, emitted) = self.conns.get_mut(&conn).unwrap();
        let mut out = Vec::new();
        while !emitted.stream.is_empty() {
            let (item, used) = if !emitted.request_done {
                let Step::Done((request, _), used) = ConnReq::parse(&emitted.stream).unwrap() else {
                    panic!("cut")
                };
                emitted.request_done = true;
                (Item::Request(request), used)
            } else if !emitted.hello_done {
                let Step::Done((hello, _), used) = Hello::parse(&emitted.stream).unwrap() else {
                    panic!("cut")
                };
                emitted.hello_done = true;
                *ctype = Some(hello.ctype);
                (Item::Hello(hello), used)
            } else {
                let step = Frame::parse(&emitted.stream, 3, Order::Little).unwrap();
                let Step::Done(frame, used) = step else { panic!("cut") };
                (Item::Frame(frame), used)
            };
            let _parsed = emitted.stream.split_to(used);
            out.push(item);
        }
        let ctype = ctype.expect("HELLO comes with the request");
        for item in out {
            self.items.entry((code(ctype), class(&item, self.maps.strict))).or_default().push_back(item);
        }
    }

    /// A kernel MGS breaks no rule, and mounts fail only as announced.
    fn no_complaint(&self) {
        let mut refused = None;
        for event in &self.events {
            assert!(!matches!(event, Event::Violation(_) | Event::Crashed { .. }), "{event:?}");
            if let Event::MountFailed { errno, .. } = event {
                refused = Some(*errno);
            }
        }
        assert_eq!(refused, self.refused);
    }
}

/// The first message of what a person did.
fn starts_command(item: &Item) -> bool {
    match (item, rpc(item)) {
        (Item::Request(_), _) => true,
        (_, Some(Rpc::Request { content: Request::TargetReg { info, .. }, .. })) => {
            info.flags & ldd::OPC_REG != 0
        }
        (_, Some(Rpc::Request { content: Request::Cancel(_), .. })) => true,
        _ => false,
    }
}

/// Place in the queue of the message about the same callback or lock; the first place when there is none.
fn same_thing(queue: &VecDeque<Item>, captured: &Item) -> usize {
    let about = |item: &Item| match (item, rpc(item)) {
        (_, Some(Rpc::Request { content: Request::Cancel(lock), .. })) => lock.handles.first().copied(),
        (Item::Frame(Frame::Lnet(_, header, _)), _) => match header.msg {
            Message::Put { portal: portal::LDLM_CB_REPLY, match_bits, .. } => Some(match_bits),
            _ => None,
        },
        _ => None,
    };
    let wanted = about(captured);
    wanted.and_then(|w| queue.iter().position(|i| about(i) == Some(w))).unwrap_or(0)
}
