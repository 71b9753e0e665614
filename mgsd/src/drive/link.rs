//! What the engine has said to one proxy and the link has not taken: bounded. The engine never waits; who lets the bound
//! be reached loses its link.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{mpsc, oneshot};
use wire::relay::Frame;

/// Frames that wait.
const FRAMES: usize = 65_536;
/// Bytes that wait: the payloads of a hundred thousand callbacks, or bulk for a few hundred nodes at once.
const BYTES: usize = 256 << 20;
/// Charged for a frame beside its payload.
const OVERHEAD: usize = 128;

/// The engine's end; dropping it ends the link.
pub(super) struct Outbox {
    frames: mpsc::Sender<Frame>,
    bytes: Arc<AtomicUsize>,
    _alive: oneshot::Sender<()>,
}

/// The link's end.
pub(super) struct Outgoing {
    frames: mpsc::Receiver<Frame>,
    bytes: Arc<AtomicUsize>,
}

/// Both ends, and what is done once the engine dropped its own.
pub(super) fn outbox() -> (Outbox, Outgoing, oneshot::Receiver<()>) {
    let (tx, rx) = mpsc::channel(FRAMES);
    let (alive, given_up) = oneshot::channel();
    let bytes = Arc::<AtomicUsize>::default();
    let outbox = Outbox { frames: tx, bytes: Arc::clone(&bytes), _alive: alive };
    (outbox, Outgoing { frames: rx, bytes }, given_up)
}

impl Outbox {
    /// `false`: there is no room. A link that is gone takes everything: its own task reports it.
    pub(super) fn push(&self, frame: Frame) -> bool {
        let charge = charge(&frame);
        if self.bytes.fetch_add(charge, Ordering::Relaxed).saturating_add(charge) > BYTES {
            return false;
        }
        !matches!(self.frames.try_send(frame), Err(mpsc::error::TrySendError::Full(_)))
    }
}

impl Outgoing {
    /// The next frame; `None`: the engine is done with this link.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        let frame = self.frames.recv().await?;
        self.bytes.fetch_sub(charge(&frame), Ordering::Relaxed);
        Some(frame)
    }
}

fn charge(frame: &Frame) -> usize {
    OVERHEAD
        + match frame {
            Frame::Post { payload, .. } => payload.len(),
            _ => 0,
        }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bytes::Bytes;

    fn post(bytes: usize) -> Frame {
        Frame::Post {
            cookie: 1,
            peer: wire::Nid::ANY,
            local: wire::Nid::ANY,
            incarnation: 0,
            portal: 8,
            match_bits: 0,
            offset: 0,
            want_ack: false,
            payload: Bytes::from(vec![0; bytes]),
        }
    }

    #[tokio::test]
    async fn frames_and_bytes_are_bounded_and_what_left_makes_room() {
        let (outbox, mut outgoing, _given_up) = outbox();
        assert_eq!((0..).take_while(|_| outbox.push(Frame::Ping { token: 1 })).count(), FRAMES);
        for _ in 0..FRAMES {
            outgoing.next().await.unwrap();
        }
        // The frame that found no place is still charged: its link is at its end.
        let whole = 1 << 20;
        let fits = (BYTES - OVERHEAD) / (whole + OVERHEAD);
        assert_eq!((0..).take_while(|_| outbox.push(post(whole))).count(), fits);
    }

    #[tokio::test]
    async fn the_link_learns_that_it_was_given_up() {
        let (outbox, mut outgoing, given_up) = outbox();
        assert!(outbox.push(post(10)));
        drop(outbox);
        given_up.await.unwrap_err();
        assert!(outgoing.next().await.is_some());
        assert!(outgoing.next().await.is_none());
    }
}
