//! The engine: peers of a capture speak to mgsd; its answers are compared.
//!
//! Lock step, in the order of the capture: what a peer said is sent on the connection that stands for the captured
//! one; where the recorded MGS said something, mgsd must say the same before anything more is sent. It may have said
//! it earlier, so answers and callbacks are found by what they are about:
//!
//! ```text
//!  portal 25, 18   answer        match bits, which the peer chose
//!  portal 33       bulk          match bits; before its answer
//!  portal 15       callback      opcode, resource, lock cookie of the peer; those to one peer in their order
//!  ACK, REPLY      answers to the peer's push and ping
//! ```
//! Time does not pass: seconds without traffic are skipped. What a server chooses (cookies, log ids, xids of
//! callbacks) is put into the peers' messages in the place of the recorded value.
mod about;
mod compare;
mod difference;
mod fields;
mod join;
mod maps;
mod net;
#[cfg(test)]
mod teeth;
mod translate;

pub(crate) use compare::base as log_base;
pub use difference::Difference;

use crate::Error;
use crate::gap::{Gap, Gaps};
use crate::mask::{Mask, Rule};
use crate::timeline::{Event, Item, MGS, Timeline, VERSION};
use about::{About, about, is_early, is_request, opcode, probe};
use compare::{Asked, Comparer, Found};
use net::{Arrived, Conn, Said};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use wire::lnet::{Handle, Header, Message, portal};
use wire::ptlrpc::opc;
use wire::rpc::{Rpc, opcode_name};
use wire::socklnd::{ConnType, Frame, LNET_PID, MsgHeader};
use wire::{Nid, Order};

/// How long mgsd may think. It takes milliseconds; this only ends a test that would hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a session needs beside its capture.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Known differences.
    pub gaps: &'static [Gap],
    /// Marker steps may count on from another number: the recorded MGS had counted other file systems or restarts.
    pub steps: bool,
    /// Connect flags that mgsd says it does not offer (`ocd_connect_flags`, `ocd_connect_flags2`).
    pub not_offered: (u64, u64),
    /// File systems that only the recorded MGS accepts.
    pub without: &'static [&'static str],
    /// When the recorded MGS left STARTUP, since the Unix epoch; zero: not in this session.
    pub full_at: Duration,
    /// Parameters are stored that the judge of mgsd refuses.
    pub lenient: bool,
}

/// What was played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Messages of peers that were sent.
    pub sent: usize,
    /// RPCs among them.
    pub requests: usize,
    /// ptlrpc messages of mgsd that were compared: answers, bulks, callbacks.
    pub compared: usize,
}

/// What came out.
#[derive(Debug)]
pub struct Finished {
    /// What mgsd did otherwise.
    pub differences: Vec<Difference>,
    /// What was masked.
    pub mask: Mask,
    /// What was known.
    pub gaps: Gaps,
}

/// Something heard and not yet compared.
#[derive(Debug)]
struct Heard {
    node: usize,
    ctype: ConnType,
    about: Option<About>,
    frame: Frame,
}

#[derive(Debug)]
struct Open {
    node: usize,
    ctype: ConnType,
    conn: Conn,
}

/// A session that is being replayed.
#[derive(Debug)]
pub struct Replay {
    timeline: Timeline,
    options: Options,
    /// Index of the next event.
    next: usize,
    to: SocketAddr,
    open: BTreeMap<usize, Open>,
    inbox: UnboundedReceiver<Arrived>,
    sender: UnboundedSender<Arrived>,
    welcomes: BTreeMap<usize, wire::socklnd::Hello>,
    heard: Vec<Heard>,
    said: translate::Said,
    compare: Comparer,
    differences: Vec<Difference>,
    played: Played,
    probes: u64,
    stage: String,
    /// mgsd failed to say something: what follows would hang.
    halted: bool,
    /// Connections that ended with a recorded MGS: what peers said on them nobody heard.
    lost: BTreeSet<usize>,
    /// Connections that were open when the recorded MGS ended.
    left: BTreeSet<usize>,
}

impl Replay {
    /// A replay against the mgsd that listens at `to`.
    pub fn new(timeline: Timeline, to: SocketAddr, mask: Mask, options: Options) -> Self {
        let (sender, inbox) = unbounded_channel();
        let Options { steps, not_offered, .. } = options;
        let compare =
            Comparer { mask, steps, not_offered, gaps: Gaps::new(options.gaps), ..Comparer::default() };
        Self {
            timeline,
            options,
            next: 0,
            to,
            open: BTreeMap::new(),
            inbox,
            sender,
            welcomes: BTreeMap::new(),
            heard: Vec::new(),
            said: translate::Said::default(),
            compare,
            differences: Vec::new(),
            played: Played::default(),
            probes: 0,
            stage: String::new(),
            halted: false,
            lost: BTreeSet::new(),
            left: BTreeSet::new(),
        }
    }

    /// Plays everything captured before `until` (since the Unix epoch). Differences are collected.
    ///
    /// # Errors
    /// The capture cannot be replayed, or there is no connection.
    pub async fn stage(&mut self, name: &str, until: Duration) -> Result<Played, Error> {
        self.stage = name.to_owned();
        let before = self.played;
        while let Some(event) = self.timeline.events.get(self.next).filter(|e| e.time < until && !self.halted)
        {
            let event = event.clone();
            self.next += 1;
            self.compare.full = !self.options.full_at.is_zero() && event.time >= self.options.full_at;
            self.event(&event).await?;
        }
        let Played { sent, requests, compared } = self.played;
        Ok(Played {
            sent: sent - before.sent,
            requests: requests - before.requests,
            compared: compared - before.compared,
        })
    }

    /// Plays up to the answer to the next registration, which comes before `until`.
    ///
    /// # Errors
    /// The capture cannot be replayed, or there is no connection.
    pub async fn registration(&mut self, name: &str, until: Duration) -> Result<(), Error> {
        name.clone_into(&mut self.stage);
        while let Some(event) = self.timeline.events.get(self.next).filter(|e| e.time < until && !self.halted)
        {
            let event = event.clone();
            self.next += 1;
            self.event(&event).await?;
            if let Item::Mgs(Frame::Lnet(_, header, payload)) = &event.item
                && matches!(header.msg, Message::Put { portal: portal::MGC_REPLY, .. })
                && opcode(header.msg, payload) == Some(opc::MGS_TARGET_REG)
            {
                break;
            }
        }
        Ok(())
    }

    /// The same of one that mgsd refuses ([`Gap::ReservedName`]); what follows before `until`, the mount that nobody
    /// refused, is left out but for new connections.
    ///
    /// # Errors
    /// The capture cannot be replayed, or there is no connection.
    pub async fn refused(&mut self, name: &str, until: Duration) -> Result<(), Error> {
        self.compare.refuses = true;
        self.registration(name, until).await?;
        self.compare.refuses = false;
        while let Some(event) = self.timeline.events.get(self.next).filter(|e| e.time < until && !self.halted)
        {
            let event = event.clone();
            self.next += 1;
            if matches!(event.item, Item::Dial(..) | Item::Welcome(_)) {
                self.event(&event).await?;
            }
        }
        Ok(())
    }

    /// When the next thing was captured.
    pub fn now(&self) -> Duration {
        self.timeline.events.get(self.next).map_or(Duration::MAX, |e| e.time)
    }

    /// Whether everything captured was played.
    pub fn at_end(&self) -> bool {
        self.next == self.timeline.events.len()
    }

    /// Whether it was given up, since mgsd did not say what it had to say.
    pub const fn halted(&self) -> bool {
        self.halted
    }

    /// What the store holds is compared by the same rules.
    pub const fn rules(&mut self) -> (&mut Mask, &mut Gaps) {
        (&mut self.compare.mask, &mut self.compare.gaps)
    }

    /// Distance of our NID table versions, by file system.
    pub const fn tables(&self) -> &BTreeMap<String, i64> {
        &self.compare.maps.tables
    }

    /// Ends: whatever mgsd said beyond the recorded MGS is a difference too.
    ///
    /// # Errors
    /// There is no connection any more.
    pub async fn finish(mut self) -> Result<Finished, Error> {
        self.close().await?;
        let Comparer { mask, gaps, .. } = self.compare;
        Ok(Finished { differences: self.differences, mask, gaps })
    }

    /// Closes all connections, when everything that mgsd has to say has come.
    async fn close(&mut self) -> Result<(), Error> {
        let nodes: Vec<usize> = self.open.values().map(|o| o.node).collect();
        for node in nodes {
            self.hang_up(node).await?;
        }
        for heard in std::mem::take(&mut self.heard) {
            let text = match &heard.frame {
                Frame::Lnet(_, Header { msg: Message::Put { portal, .. }, .. }, payload) => {
                    format!("{:x?}", Rpc::decode_put(*portal, payload))
                }
                other => format!("{other:x?}"),
            };
            let what = self.name(heard.node, &heard.frame);
            self.differ(Duration::ZERO, &what, ("message".to_owned(), "-".to_owned(), text));
        }
        Ok(())
    }

    async fn event(&mut self, event: &Event) -> Result<(), Error> {
        match &event.item {
            Item::Dial(request, hello) => {
                let node = self.timeline.nodes.get(event.node).map(|n| n.nid);
                let nid = |o: &Open| self.timeline.nodes.get(o.node).map(|n| n.nid);
                // A new boot, or all connections of this one anew: the old ones are gone.
                let stale = self.open.values().find(|o| {
                    nid(o) == node
                        && (o.node != event.node
                            || (hello.ctype == ConnType::Control && o.ctype == ConnType::Control))
                });
                if let Some(stale) = stale.map(|o| o.node) {
                    self.hang_up(stale).await?;
                }
                let mut hello = hello.clone();
                let incarnations = &self.compare.maps.incarnations;
                incarnations.replace(Rule::Incarnation, &mut hello.dst_incarnation, &mut self.compare.mask);
                let mut conn =
                    Conn::open(self.to, event.conn, self.sender.clone()).await.map_err(Error::Tcp)?;
                let mut bytes = request.to_bytes(Order::Little);
                bytes.extend(hello.to_bytes(Order::Little));
                conn.say(&bytes).await.map_err(Error::Tcp)?;
                self.open.insert(event.conn, Open { node: event.node, ctype: hello.ctype, conn });
            }
            Item::Welcome(kernel) => {
                while !self.welcomes.contains_key(&event.conn) && !self.halted {
                    self.listen(event.time, "HELLO").await;
                }
                if let Some(ours) = self.welcomes.remove(&event.conn) {
                    let found = self.compare.welcome(kernel, &ours);
                    self.differs(event.time, "HELLO", found);
                }
            }
            Item::Peer(_) if self.lost.contains(&event.conn) => {}
            Item::Peer(frame) => {
                let frame = self.said.repeat(&mut self.compare, event.node, event.time, frame)?;
                if let Some(frame) = frame {
                    self.played.sent += 1;
                    self.played.requests += usize::from(is_request(&frame));
                    self.send(event.conn, event.time, &frame).await?;
                }
            }
            Item::Mgs(frame) => self.expect(event, frame).await,
        }
        Ok(())
    }

    async fn send(&mut self, conn: usize, time: Duration, frame: &Frame) -> Result<(), Error> {
        match self.open.get_mut(&conn) {
            Some(open) => open.conn.say(&frame.to_bytes(VERSION, Order::Little)).await.map_err(Error::Tcp),
            None => Err(Error::Unplayable {
                time,
                what: "a message on a connection that was replaced".to_owned(),
            }),
        }
    }

    /// The recorded MGS said this: waits until mgsd has said it too, and compares.
    async fn expect(&mut self, event: &Event, kernel: &Frame) {
        let Some(about) = self.about_recorded(event.node, kernel) else { return };
        let what = self.name(event.node, kernel);
        let at = loop {
            let is_it = |h: &Heard| h.node == event.node && h.about.as_ref() == Some(&about);
            if let Some(at) = self.heard.iter().position(is_it) {
                break at;
            }
            if self.halted {
                return;
            }
            self.listen(event.time, &what).await;
        };
        if let Some(place) = self.out_of_turn(at, &about) {
            let first = (place.to_owned(), "first".to_owned(), "behind another".to_owned());
            self.differ(event.time, &what, first);
        }
        let ours = self.heard.remove(at);
        let ctype = self.open.get(&event.conn).map(|o| o.ctype);
        if ctype != Some(ours.ctype) {
            self.compare.mask.used(Rule::Connections);
        }
        let asked = self.asked(event.node, &about).cloned();
        let found = self.compare.frame(event.node, kernel, &ours.frame, asked.as_ref());
        self.played.compared += usize::from(!matches!(about, About::Lnet(_)));
        self.differs(event.time, &what, found);
    }

    /// What the recorded message is about; `None` when mgsd need not send the like.
    fn about_recorded(&mut self, node: usize, kernel: &Frame) -> Option<About> {
        let Frame::Lnet(head, header, payload) = kernel else { return None };
        if head.zc_cookies != [0, 0] {
            let [cookie, _] = head.zc_cookies;
            self.said.zc.insert((node, cookie));
        }
        match header.msg {
            Message::Get { ret, .. } => self.said.pings.insert(ret.0),
            Message::Put { portal: portal::LNET_RESERVED, ack, .. } => self.said.pings.insert(ack.0),
            Message::Put { portal: portal::LDLM_CB_REQUEST, match_bits, .. }
                if opcode(header.msg, payload) == Some(opc::LDLM_CP_CALLBACK) =>
            {
                self.said.unsent.insert((node, match_bits))
            }
            Message::Put { portal: portal::LDLM_CB_REQUEST, match_bits, .. }
                if self.is_refusing() && self.compare.gaps.meets(Gap::RefusedRevokes) =>
            {
                self.said.unsent.insert((node, match_bits));
                return None;
            }
            Message::Put { .. } if is_early(header.msg, payload) => true,
            _ => return about(&header.msg, payload),
        };
        let rule = match header.msg {
            Message::Put { portal: portal::LDLM_CB_REQUEST, .. } => Rule::Completion,
            Message::Put { portal: portal::LNET_RESERVED, .. } | Message::Get { .. } => Rule::Discovery,
            _ => Rule::Timing,
        };
        self.compare.mask.used(rule);
        None
    }

    /// Whether the recorded MGS is serving a registration that it will refuse.
    fn is_refusing(&self) -> bool {
        self.timeline.events.iter().skip(self.next).any(|e| {
            let Item::Mgs(Frame::Lnet(_, header, payload)) = &e.item else { return false };
            let Message::Put { portal: portal::MGC_REPLY, match_bits, .. } = header.msg else { return false };
            let Ok(Rpc::Reply { body, .. }) = Rpc::decode_put(portal::MGC_REPLY, payload) else {
                return false;
            };
            let asked = self.said.asked.contains_key(&(e.node, portal::MGC_REPLY, match_bits));
            body.opc == opc::MGS_TARGET_REG && body.status < 0 && asked
        })
    }

    fn asked(&self, node: usize, about: &About) -> Option<&Asked> {
        let About::Answer(portal, bits) = about else { return None };
        let portal = if *portal == portal::MGS_BULK { portal::MGC_REPLY } else { *portal };
        self.said.asked.get(&(node, portal, *bits))
    }

    /// What is wrong with the time of a message: it came behind one that had to come later.
    fn out_of_turn(&self, at: usize, about: &About) -> Option<&'static str> {
        let this = self.heard.get(at)?;
        let others = self.heard.iter().filter(|h| h.node == this.node);
        let mut before = self.heard.iter().take(at).filter(|h| h.node == this.node);
        match about {
            About::Callback(..) => {
                let other = before.any(|h| matches!(h.about, Some(About::Callback(..))));
                other.then_some("order of the callbacks to one peer")
            }
            About::Answer(portal::MGS_BULK, bits) => {
                let reply = Some(About::Answer(portal::MGC_REPLY, *bits));
                others.into_iter().any(|h| h.about == reply).then_some("bulk and its answer")
            }
            _ => None,
        }
    }

    /// Takes the next thing that mgsd says.
    async fn listen(&mut self, time: Duration, waiting_for: &str) {
        let arrived = match tokio::time::timeout(PATIENCE, self.inbox.recv()).await {
            Ok(Some(arrived)) => arrived,
            Ok(None) | Err(_) => {
                let open = self.heard.iter().map(|h| self.name(h.node, &h.frame)).collect::<Vec<_>>();
                let ours = format!("nothing; said otherwise, and not yet compared: {open:?}");
                self.differ(time, waiting_for, ("message".to_owned(), "sent".to_owned(), ours));
                self.halted = true;
                return;
            }
        };
        let Some(open) = self.open.get(&arrived.conn) else { return };
        let (node, ctype) = (open.node, open.ctype);
        match arrived.said {
            Said::Welcome(hello) => drop(self.welcomes.insert(arrived.conn, hello)),
            Said::Frame(Frame::Noop(_)) => self.compare.mask.used(Rule::ZcCookies),
            Said::Frame(frame) => {
                let about = match &frame {
                    Frame::Lnet(_, header, payload) => about(&header.msg, payload),
                    Frame::Noop(_) => None,
                };
                self.heard.push(Heard { node, ctype, about, frame });
            }
            Said::End(why) => {
                let place = (format!("{ctype:?} connection"), "open".to_owned(), why);
                self.differ(time, waiting_for, place);
                self.halted = true;
            }
        }
    }

    /// Closes the connections of a node, when everything that mgsd has to say to it has come: a request of an unknown
    /// client is answered behind all that.
    async fn hang_up(&mut self, node: usize) -> Result<(), Error> {
        let control = self.open.iter().find(|(_, o)| o.node == node && o.ctype == ConnType::Control);
        if let (Some(conn), false) = (control.map(|(conn, _)| *conn), self.halted) {
            self.probes += 1;
            let xid = self.probes << 7;
            let probe = Frame::Lnet(MsgHeader::LNET, self.header(node, xid), probe(xid));
            self.send(conn, Duration::ZERO, &probe).await?;
            let answer = Some(About::Answer(portal::MGC_REPLY, xid));
            loop {
                if let Some(at) = self.heard.iter().position(|h| h.node == node && h.about == answer) {
                    self.heard.remove(at);
                    break;
                }
                if self.halted {
                    break;
                }
                self.listen(Duration::ZERO, "answer to a ping of an unknown client").await;
            }
        }
        self.open.retain(|_, o| o.node != node);
        Ok(())
    }

    fn header(&self, node: usize, xid: u64) -> Header {
        let src = self.timeline.nodes.get(node).map_or(Nid::LOOPBACK, |n| n.nid);
        let msg = Message::Put {
            ack: Handle::NONE,
            match_bits: xid,
            hdr_data: 0,
            portal: portal::MGS_REQUEST,
            offset: 0,
        };
        Header {
            dest: Nid::tcp(MGS.into(), 0),
            src,
            dest_pid: LNET_PID,
            src_pid: LNET_PID,
            payload_len: 0,
            msg,
        }
    }

    fn name(&self, node: usize, frame: &Frame) -> String {
        let nid = self.timeline.nodes.get(node).map_or(Nid::LOOPBACK, |n| n.nid);
        let Frame::Lnet(_, header, payload) = frame else { return format!("NOOP to {nid}") };
        let code = opcode(header.msg, payload);
        let text = match (header.msg, code.and_then(opcode_name)) {
            (Message::Put { portal: portal::LDLM_CB_REQUEST, .. }, Some(name)) => name.to_owned(),
            (_, Some(name)) => format!("{name} reply"),
            (Message::Put { portal, match_bits, .. }, None) => {
                let asked = self.asked(node, &About::Answer(portal, match_bits));
                let what = asked.and_then(|a| opcode_name(a.body.opc)).unwrap_or("?");
                format!("PUT portal {portal} for {what}")
            }
            (other, _) => format!("{other:?}"),
        };
        format!("{text} to {nid}")
    }

    fn differs(&mut self, time: Duration, what: &str, found: Found) {
        for place in found {
            self.differ(time, what, place);
        }
    }

    fn differ(&mut self, time: Duration, what: &str, (place, kernel, ours): (String, String, String)) {
        let (stage, what) = (self.stage.clone(), what.to_owned());
        self.differences.push(Difference { stage, time, what, place, kernel, ours });
    }
}
