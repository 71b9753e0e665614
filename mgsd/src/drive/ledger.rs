//! Credit that a proxy has with us: what it may deliver before we have taken what it delivered (docs/relay.md).
//!
//! The link as a whole gets less than the queue of the engine holds, so that proxies never fill that; a peer gets a
//! part of it, so that no peer fills the link. Credit comes back when the engine has taken a message, in batches.

use std::collections::HashMap;
use wire::relay::{Frame, credit};

/// For all peers of a link together.
const LINK: u32 = 512;
/// For each peer.
const PEER: u32 = 64;

/// The proxy delivered what it had no credit for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proxy delivered without credit of {}", match slot { Some(slot) => format!("the peer in slot {slot}"), None => "the link".to_owned() })]
pub(super) struct Overdrawn {
    slot: Option<u32>,
}

#[derive(Debug)]
struct Account {
    /// What the proxy may still deliver.
    open: u32,
    /// Taken, and not given back yet.
    owed: u32,
    batch: u32,
}

impl Account {
    const fn new(count: u32) -> Self {
        Self { open: count, owed: 0, batch: count / 2 }
    }

    /// One is used and taken; what is to be given back, if it is time.
    fn take(&mut self) -> Option<Option<u32>> {
        self.open = self.open.checked_sub(1)?;
        self.owed += 1;
        let back = (self.owed >= self.batch).then(|| std::mem::take(&mut self.owed));
        self.open += back.unwrap_or(0);
        Some(back)
    }
}

/// Accounts of one link.
#[derive(Debug)]
pub(super) struct Ledger {
    link: Account,
    peers: HashMap<u32, Account>,
}

impl Ledger {
    /// With the frames that open it, behind the Welcome.
    pub(super) fn open() -> (Self, [Frame; 2]) {
        let frames = [
            Frame::Credit { slot: credit::LINK, count: LINK },
            Frame::Credit { slot: credit::EACH_PEER, count: PEER },
        ];
        (Self { link: Account::new(LINK), peers: HashMap::new() }, frames)
    }

    /// A frame was taken. What is to be said for it.
    pub(super) fn taken(&mut self, frame: &Frame) -> Result<Vec<Frame>, Overdrawn> {
        match frame {
            Frame::PeerUp { slot, .. } => {
                self.peers.insert(*slot, Account::new(PEER));
            }
            Frame::PeerDown { slot, .. } => {
                self.peers.remove(slot);
            }
            Frame::Deliver { slot, .. } => {
                let of_link = self.link.take().ok_or(Overdrawn { slot: None })?;
                let peer = self.peers.get_mut(slot).and_then(Account::take);
                let of_peer = peer.ok_or(Overdrawn { slot: Some(*slot) })?;
                let link = of_link.map(|count| Frame::Credit { slot: credit::LINK, count });
                let peer = of_peer.map(|count| Frame::Credit { slot: *slot, count });
                return Ok(link.into_iter().chain(peer).collect());
            }
            _ => {}
        }
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wire::Nid;

    fn up(slot: u32) -> Frame {
        let (peer, local, remote) = (Nid::ANY, Nid::ANY, String::new());
        Frame::PeerUp { slot, peer, local, incarnation: 1, remote, gateway: None }
    }
    fn deliver(slot: u32) -> Frame {
        let payload = bytes::Bytes::new();
        Frame::Deliver { slot, incarnation: 1, portal: 26, match_bits: 0, offset: 0, payload }
    }

    /// A proxy that keeps to its credit is never told off and never runs dry.
    #[test]
    fn what_was_taken_comes_back() {
        let (mut ledger, opening) = Ledger::open();
        let [Frame::Credit { count: link, .. }, Frame::Credit { count: peer, .. }] = opening else {
            unreachable!()
        };
        assert!(link as usize * 2 <= super::super::QUEUE && peer * 4 <= link);
        let mut have = HashMap::from([(credit::LINK, link), (1, peer), (2, peer)]);
        ledger.taken(&up(1)).unwrap();
        ledger.taken(&up(2)).unwrap();
        for n in 0..100_000 {
            let slot = 1 + u32::from(n % 7 == 0);
            for of in [slot, credit::LINK] {
                let left = have.get_mut(&of).unwrap();
                assert!(*left > 0, "slot {of:#x} after {n}");
                *left -= 1;
            }
            for frame in ledger.taken(&deliver(slot)).unwrap() {
                let Frame::Credit { slot, count } = frame else { unreachable!() };
                *have.get_mut(&slot).unwrap() += count;
            }
            assert!(have.values().all(|n| *n <= link), "{have:?}");
        }
        assert!(have[&1] <= peer && have[&2] <= peer);
    }

    #[test]
    fn strangers_have_none_and_those_who_left_none_either() {
        let (mut ledger, _) = Ledger::open();
        assert_eq!(ledger.taken(&deliver(3)), Err(Overdrawn { slot: Some(3) }));
        ledger.taken(&up(3)).unwrap();
        ledger.taken(&deliver(3)).unwrap();
        ledger.taken(&Frame::PeerDown { slot: 3, reason: String::new() }).unwrap();
        let error = ledger.taken(&deliver(3)).unwrap_err().to_string();
        assert!(error.contains("slot 3"), "{error}");
    }
}
