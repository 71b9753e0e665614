//! A capture as one sequence: who said what to whom, over which connection, when.
use crate::Error;
use bytes::BytesMut;
use capture::{Connection, Stream};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;
use wire::socklnd::{ConnReq, Frame, Hello, Step};
use wire::{Nid, Order};

/// Address of the recorded MGS.
pub const MGS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// HELLO version of the recordings.
pub const VERSION: u32 = 3;

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// When its last byte was readable, since the Unix epoch.
    pub time: Duration,
    /// Index of the node in [`Timeline::nodes`].
    pub node: usize,
    /// Connection, numbered in the order of the SYNs.
    pub conn: usize,
    /// What.
    pub item: Item,
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum Item {
    /// The peer connects and sends its acceptor request and HELLO.
    Dial(ConnReq, Hello),
    /// The MGS answers the HELLO.
    Welcome(Hello),
    /// The peer says something.
    Peer(Frame),
    /// The MGS says something.
    Mgs(Frame),
}

/// One incarnation of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its NID.
    pub nid: Nid,
    /// When its LNet was loaded.
    pub incarnation: u64,
}

/// All that passed between an MGS and its peers.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// The peers, in the order in which they appear.
    pub nodes: Vec<Node>,
    /// By time.
    pub events: Vec<Event>,
}

impl Timeline {
    /// Reads the connections to [`MGS`] in a capture. Those between other nodes are left out.
    ///
    /// # Errors
    /// An unreadable capture; a connection that begins before the capture does; a stream that is not LNet, or is cut
    /// in a message.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let mut timeline = Self::default();
        let to_mgs = |c: &Connection| c.server.ip() == IpAddr::V4(MGS);
        for (conn, connection) in capture::load(path)?.iter().filter(|c| to_mgs(c)).enumerate() {
            timeline.add(conn, connection).map_err(|(time, what)| Error::Capture {
                path: path.to_path_buf(),
                peer: connection.client,
                time,
                what,
            })?;
        }
        timeline.events.sort_by_key(|e| e.time);
        Ok(timeline)
    }

    fn add(&mut self, conn: usize, c: &Connection) -> Result<(), (Duration, String)> {
        if !c.from_start {
            return Err((c.start, "the connection was open before the capture began".to_owned()));
        }
        let (stream, answers) = (&c.to_server, &c.to_client);
        let (request, at) = step(stream, 0, ConnReq::parse(&stream.bytes))?;
        let (hello, peer_at) = hello(stream, at)?;
        let node = Node { nid: hello.src_nid, incarnation: hello.src_incarnation };
        let node = self.nodes.iter().position(|n| *n == node).unwrap_or_else(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        });
        let event = |time, item| Event { time, node, conn, item };
        self.events.push(event(stream.time_of(peer_at - 1), Item::Dial(request.0, hello)));
        let (welcome, mgs_at) = self::hello(answers, 0)?;
        self.events.push(event(answers.time_of(mgs_at - 1), Item::Welcome(welcome)));
        for (end, frame) in frames(stream, peer_at)? {
            self.events.push(event(stream.time_of(end - 1), Item::Peer(frame)));
        }
        for (end, frame) in frames(answers, mgs_at)? {
            self.events.push(event(answers.time_of(end - 1), Item::Mgs(frame)));
        }
        Ok(())
    }
}

type Parsed<T> = wire::Result<Step<T>>;

fn step<T>(stream: &Stream, at: usize, parsed: Parsed<T>) -> Result<(T, usize), (Duration, String)> {
    match parsed {
        Ok(Step::Done(value, used)) => Ok((value, at + used)),
        Ok(Step::Need(_)) => Err((stream.time_of(at), format!("cut behind byte {at} of the stream"))),
        Err(error) => Err((stream.time_of(at), format!("byte {at} of the stream: {error}"))),
    }
}

fn hello(stream: &Stream, at: usize) -> Result<(Hello, usize), (Duration, String)> {
    let ((hello, order), at) = step(stream, at, Hello::parse(stream.bytes.get(at..).unwrap_or_default()))?;
    if hello.version != VERSION || order != Order::Little {
        return Err((stream.time_of(at), format!("HELLO version {} in order {order:?}", hello.version)));
    }
    Ok((hello, at))
}

fn frames(stream: &Stream, mut at: usize) -> Result<Vec<(usize, Frame)>, (Duration, String)> {
    let mut out = Vec::new();
    let mut rest = BytesMut::from(stream.bytes.get(at..).unwrap_or_default());
    while !rest.is_empty() {
        let (frame, end) = step(stream, at, Frame::split(&mut rest, VERSION, Order::Little))?;
        out.push((end, frame));
        at = end;
    }
    Ok(out)
}
