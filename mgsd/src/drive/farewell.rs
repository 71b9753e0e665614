//! An end that nobody has to wait out: proxies keep what comes now for the next daemon, and what is in service is
//! answered.
//!
//! ```text
//!  Drain, Ping to every proxy ─Pongs: nothing comes any more─► requests in service are answered
//!     ─Ping to every proxy─► ─Pongs: they have the answers─► done
//! ```

use super::LinkId;
use std::collections::BTreeSet;
use tokio::sync::oneshot;
use wire::relay::Frame;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Deliveries may be under way.
    Closing,
    /// Requests are in service.
    Serving,
    /// Answers may be under way.
    Flushing,
    Done,
}

impl Stage {
    /// Of the Ping that ends it.
    const fn token(self) -> u64 {
        match self {
            Self::Closing => 1,
            _ => 2,
        }
    }
}

/// How far it is.
#[derive(Debug)]
pub(super) struct Farewell {
    stage: Stage,
    /// Who has not answered the Ping of this stage.
    silent: BTreeSet<LinkId>,
    done: Option<oneshot::Sender<()>>,
}

impl Farewell {
    /// With the frames for every proxy.
    pub(super) fn begin(links: BTreeSet<LinkId>, done: oneshot::Sender<()>) -> (Self, [Frame; 2]) {
        let ping = Frame::Ping { token: Stage::Closing.token() };
        (Self { stage: Stage::Closing, silent: links, done: Some(done) }, [Frame::Drain, ping])
    }

    pub(super) fn pong(&mut self, link: LinkId, token: u64) {
        if token == self.stage.token() {
            self.silent.remove(&link);
        }
    }

    pub(super) fn link_down(&mut self, link: LinkId) {
        self.silent.remove(&link);
    }

    /// After every input. A frame that is now due to every proxy of `links`.
    pub(super) fn step(&mut self, idle: bool, links: impl Iterator<Item = LinkId>) -> Option<Frame> {
        if self.stage == Stage::Closing && self.silent.is_empty() {
            self.stage = Stage::Serving;
        }
        if self.stage == Stage::Serving && idle {
            self.stage = Stage::Flushing;
            self.silent = links.collect();
            if !self.silent.is_empty() {
                return Some(Frame::Ping { token: Stage::Flushing.token() });
            }
        }
        if self.stage == Stage::Flushing && self.silent.is_empty() {
            self.stage = Stage::Done;
            if let Some(done) = self.done.take() {
                let _ = done.send(()); // who asked may have lost patience
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const A: LinkId = LinkId(1);
    const B: LinkId = LinkId(2);

    #[test]
    fn it_waits_for_every_proxy_and_every_request() {
        let (tx, mut rx) = oneshot::channel();
        let both = || [A, B].into_iter();
        let (mut farewell, said) = Farewell::begin(both().collect(), tx);
        assert_eq!(said, [Frame::Drain, Frame::Ping { token: 1 }]);
        farewell.pong(A, 1);
        farewell.pong(B, 2);
        assert_eq!(farewell.step(true, both()), None);
        farewell.pong(B, 1);
        assert_eq!(farewell.step(false, both()), None, "requests are in service");
        assert_eq!(farewell.step(true, both()), Some(Frame::Ping { token: 2 }));
        farewell.pong(A, 2);
        assert_eq!(farewell.step(true, both()), None);
        assert!(rx.try_recv().is_err());
        farewell.link_down(B);
        assert_eq!(farewell.step(true, both()), None);
        rx.try_recv().unwrap();
    }

    #[test]
    fn without_a_proxy_it_is_done_when_idle() {
        let (tx, mut rx) = oneshot::channel();
        let (mut farewell, _) = Farewell::begin(BTreeSet::new(), tx);
        assert_eq!(farewell.step(false, std::iter::empty()), None);
        assert!(rx.try_recv().is_err());
        assert_eq!(farewell.step(true, std::iter::empty()), None);
        rx.try_recv().unwrap();
    }
}
