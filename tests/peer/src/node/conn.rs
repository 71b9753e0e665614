//! One TCP connection: acceptor request, HELLO, then frames.
//!
//! ```text
//!  dialled:   Dialling ──connected──► sends request + HELLO ──► AwaitAnswer ──HELLO──► Up
//!  accepted:                          AwaitRequest ──► AwaitHello ──sends HELLO──────► Up
//! ```
use bytes::{Buf, BytesMut};
use std::time::Duration;
use wire::socklnd::{ConnReq, ConnType, Frame, Hello, Step};
use wire::{Nid, Order};

/// Names a connection between a node and its driver. Dialled ones are numbered by the node, accepted ones by the
/// driver with [`ConnId::accepted`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u64);

impl ConnId {
    /// Name of the `n`-th connection that the driver accepted.
    pub const fn accepted(n: u64) -> Self {
        Self(n | 1 << 63)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Dialling,
    AwaitAnswer,
    AwaitRequest,
    AwaitHello,
    Up,
}

#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) state: State,
    /// Known from the start when dialled, from the HELLO when accepted.
    pub(crate) peer: Option<Nid>,
    /// As this node sees it.
    pub(crate) ctype: ConnType,
    /// Of the HELLO.
    pub(crate) version: u32,
    /// Byte order of the other side.
    pub(crate) order: Order,
    pub(crate) incarnation: u64,
    pub(crate) since: Duration,
    rx: BytesMut,
}

/// What came out of a stream.
#[derive(Debug)]
pub(crate) enum Parsed {
    Request(ConnReq),
    Hello(Hello),
    Frame(Frame),
}

impl Conn {
    pub(crate) fn new(state: State, peer: Option<Nid>, ctype: ConnType, now: Duration) -> Self {
        Self {
            state,
            peer,
            ctype,
            version: 3,
            order: Order::Little,
            incarnation: 0,
            since: now,
            rx: BytesMut::new(),
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.rx.extend_from_slice(bytes);
    }

    /// The next item of the stream in this state, if it is complete.
    pub(crate) fn next(&mut self) -> wire::Result<Option<Parsed>> {
        let (parsed, used) = match self.state {
            State::Dialling => return Ok(None),
            State::AwaitRequest => match ConnReq::parse(&self.rx)? {
                Step::Need(_) => return Ok(None),
                Step::Done((req, _), used) => (Parsed::Request(req), used),
            },
            State::AwaitAnswer | State::AwaitHello => match Hello::parse(&self.rx)? {
                Step::Need(_) => return Ok(None),
                Step::Done((hello, order), used) => {
                    self.order = order;
                    (Parsed::Hello(hello), used)
                }
            },
            State::Up => match Frame::parse(&self.rx, self.version, self.order)? {
                Step::Need(_) => return Ok(None),
                Step::Done(frame, used) => (Parsed::Frame(frame), used),
            },
        };
        self.rx.advance(used.min(self.rx.len()));
        Ok(Some(parsed))
    }
}
