//! One TCP connection: what it waits for, what is half received, what is not yet sent.
use crate::config::Timing;
use crate::handshake::Greeting;
use crate::peer::PeerKey;
use bytes::{Buf, BytesMut};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use wire::socklnd::ConnType;
use wire::{Nid, Order};

/// Above this a receive buffer is given back once it is empty.
const KEEP_BUFFER: usize = 64 << 10;

/// Where a connection stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stage {
    /// Accepted: connection request comes.
    Request,
    /// Accepted: HELLO comes.
    Hello { local: Nid },
    /// Dialled: TCP is not there yet.
    Dialling(Dialled),
    /// Dialled: the peer's HELLO comes.
    Answer(Dialled),
    /// Messages.
    Open { key: PeerKey, version: u32, order: Order, ctype: ConnType },
}

/// Whom and how we dialled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialled {
    pub(crate) key: PeerKey,
    pub(crate) version: u32,
    pub(crate) ctype: ConnType,
}

#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) stage: Stage,
    /// Received and not yet understood.
    pub(crate) rx: BytesMut,
    /// As much of it as is counted in the sum over all connections.
    pub(crate) rx_counted: usize,
    /// Handed to the driver, not yet taken by TCP.
    pub(crate) tx_waiting: usize,
    /// All bytes ever handed to the driver.
    tx_total: u64,
    /// Ends (in `tx_total`) of messages whose departure the daemon wants to know, and its cookie.
    departures: VecDeque<(u64, u64)>,
    /// Begin of the stage.
    since: Duration,
    rx_progress: Duration,
    tx_progress: Duration,
    /// The first byte is awaited with less patience.
    pub(crate) hurried: bool,
    /// The timer that is set.
    pub(crate) timer: Option<Duration>,
}

impl Conn {
    pub(crate) fn new(remote: Option<SocketAddr>, stage: Stage, now: Duration) -> Self {
        Self {
            remote,
            stage,
            rx: BytesMut::new(),
            rx_counted: 0,
            tx_waiting: 0,
            tx_total: 0,
            departures: VecDeque::new(),
            since: now,
            rx_progress: now,
            tx_progress: now,
            hurried: false,
            timer: None,
        }
    }

    pub(crate) fn enter(&mut self, stage: Stage, now: Duration) {
        self.stage = stage;
        self.since = now;
    }

    pub(crate) fn open(&mut self, g: &Greeting, now: Duration) {
        let stage = Stage::Open { key: g.key, version: g.version, order: g.order, ctype: g.ctype };
        self.enter(stage, now);
    }

    /// The peer, once it is known.
    pub(crate) fn key(&self) -> Option<PeerKey> {
        match self.stage {
            Stage::Open { key, .. } => Some(key),
            Stage::Dialling(d) | Stage::Answer(d) => Some(d.key),
            Stage::Request | Stage::Hello { .. } => None,
        }
    }

    /// HELLO version agreed on.
    pub(crate) fn version(&self) -> Option<u32> {
        match self.stage {
            Stage::Open { version, .. } => Some(version),
            _ => None,
        }
    }

    pub(crate) fn received(&mut self, bytes: &[u8], now: Duration) {
        self.rx.extend_from_slice(bytes);
        self.rx_progress = now;
    }

    /// Removes what was understood.
    pub(crate) fn consume(&mut self, taken: usize) {
        self.rx.advance(taken.min(self.rx.len()));
        // What was taken off the front is still allocated.
        if self.rx.is_empty() && self.rx.try_reclaim(KEEP_BUFFER + 1) {
            self.rx = BytesMut::new();
        }
    }

    /// Notes bytes handed to the driver.
    pub(crate) fn wrote(&mut self, bytes: usize, departure: Option<u64>, now: Duration) {
        if self.tx_waiting == 0 {
            self.tx_progress = now;
        }
        self.tx_waiting += bytes;
        self.tx_total += len64(bytes);
        if let Some(cookie) = departure {
            self.departures.push_back((self.tx_total, cookie));
        }
    }

    /// Notes bytes taken by TCP; gives the number that counts and the cookies of messages that left.
    pub(crate) fn flushed(&mut self, bytes: usize, now: Duration) -> (usize, Vec<u64>) {
        let bytes = bytes.min(self.tx_waiting);
        self.tx_waiting -= bytes;
        self.tx_progress = now;
        let gone = self.tx_total - len64(self.tx_waiting);
        let mut left = Vec::new();
        while let Some((_, cookie)) = self.departures.pop_front_if(|(end, _)| *end <= gone) {
            left.push(cookie);
        }
        (bytes, left)
    }

    /// Number of messages that have not left and whose departure the daemon awaits.
    pub(crate) fn departing(&self) -> usize {
        self.departures.len()
    }

    /// Cookies of messages that have not left.
    pub(crate) fn stranded(&mut self) -> impl Iterator<Item = u64> + '_ {
        self.departures.drain(..).map(|(_, cookie)| cookie)
    }

    /// When patience ends, and with what.
    pub(crate) fn deadline(&self, timing: &Timing) -> Option<(Duration, Duration, &'static str)> {
        let until = |since: Duration, after, step| Some((since + after, after, step));
        match self.stage {
            Stage::Request if self.hurried && self.rx.is_empty() => {
                until(self.since, timing.first_byte_busy, "connection request")
            }
            Stage::Request => until(self.since, timing.accept, "connection request"),
            Stage::Hello { .. } => until(self.since, timing.accept, "HELLO"),
            Stage::Dialling(_) => until(self.since, timing.dial, "TCP connect"),
            Stage::Answer(_) => until(self.since, timing.dial, "answer to our HELLO"),
            Stage::Open { .. } => {
                let rx = (!self.rx.is_empty()).then_some((self.rx_progress, "rest of a message"));
                let tx = (self.tx_waiting > 0).then_some((self.tx_progress, "room for our data"));
                let (since, step) = rx.into_iter().chain(tx).min()?;
                until(since, timing.sock, step)
            }
        }
    }
}

fn len64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(message: usize) -> Conn {
        let mut conn = Conn::new(None, Stage::Request, Duration::ZERO);
        // As TCP brings it.
        for piece in vec![7; message].chunks(8192) {
            conn.received(piece, Duration::ZERO);
        }
        conn.consume(message);
        assert!(conn.rx.is_empty());
        conn
    }

    /// A peer that once sent a large message does not cost its size for the rest of its life.
    #[test]
    fn memory_of_a_large_message_is_given_back() {
        for message in [KEEP_BUFFER + 1, 1 << 20] {
            assert!(!after(message).rx.try_reclaim(1), "{message}");
        }
        // That of small ones is used again.
        assert!(after(8192).rx.try_reclaim(8192));
        for (capacity, kept) in [(KEEP_BUFFER, true), (KEEP_BUFFER + 1, false)] {
            let mut conn = Conn::new(None, Stage::Request, Duration::ZERO);
            conn.rx = BytesMut::with_capacity(capacity);
            conn.received(b"a message", Duration::ZERO);
            conn.consume(9);
            assert_eq!(conn.rx.try_reclaim(1), kept, "{capacity}");
        }
    }
}
