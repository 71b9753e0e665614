//! Feeds the flight recorder from what passes between proxies and engine. Decides nothing.

use crate::recorder::{Decision, Journal, Message, Recorder};
use mgs_core::engine::{Event, LinkId};
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wire::Nid;
use wire::relay::Frame;

/// Recorder and journal, and which peer is behind which slot.
#[derive(Debug, Default)]
pub(super) struct Observer {
    pub(super) recorder: Recorder,
    pub(super) journal: Journal,
    slots: HashMap<(LinkId, u32), (Nid, Nid)>,
}

fn now() -> Duration {
    #[allow(clippy::disallowed_methods)] // the rim: here the clock is read
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl Observer {
    pub(super) fn incoming(&mut self, link: LinkId, frame: &Frame) {
        match frame {
            Frame::PeerUp { slot, peer, local, .. } => {
                self.slots.insert((link, *slot), (*peer, *local));
            }
            Frame::PeerDown { slot, .. } => {
                self.slots.remove(&(link, *slot));
            }
            Frame::Deliver { slot, portal, match_bits, offset, payload, .. } => {
                if let Some((peer, local)) = self.slots.get(&(link, *slot)).copied() {
                    let (portal, match_bits, offset) = (*portal, *match_bits, *offset);
                    let payload = payload.clone();
                    let message =
                        Message { time: now(), from_peer: true, local, portal, match_bits, offset, payload };
                    self.recorder.record(peer, message);
                }
            }
            _ => {}
        }
    }

    pub(super) fn outgoing(&mut self, frame: &Frame) {
        if let Frame::Post { peer, local, portal, match_bits, offset, payload, .. } = frame {
            let (local, portal, match_bits, offset) = (*local, *portal, *match_bits, *offset);
            let payload = payload.clone();
            let message =
                Message { time: now(), from_peer: false, local, portal, match_bits, offset, payload };
            self.recorder.record(*peer, message);
        }
    }

    pub(super) fn link_down(&mut self, link: LinkId) {
        self.slots.retain(|(l, _), _| *l != link);
    }

    pub(super) fn event(&mut self, event: Event) {
        let time = i64::try_from(now().as_secs()).unwrap_or(i64::MAX);
        let (nid, op, object, status, why) = match event {
            Event::Answered { nid, op, object, status, why } => (nid, op, object, status, why),
            Event::Evicted { nid, why, .. } => {
                let why = format!("{why}; the node connects again by itself and reads everything anew");
                (nid, "evicted", String::new(), 0, why)
            }
            Event::Flavor { nid, flavor } => {
                let why = format!(
                    "request with security flavor {flavor:#x} dropped: this MGS serves null; mount without mgssec"
                );
                (nid, "dropped", String::new(), 0, why)
            }
            Event::Held { nid, target } => {
                let why = format!("waits up to 50 s for 'mgsctl registration approve {target}'");
                (nid, "held", target, 0, why)
            }
            Event::Outdated { nid, target, instance } => {
                let why = format!(
                    "announced start {instance}, and a later one is known: nothing was changed; a late message of an \
                     earlier mount does no harm, a restored or replaced disk has to register again (tunefs.lustre \
                     --writeconf)"
                );
                (nid, "outdated", target, 0, why)
            }
            Event::NidMismatch { nid, target, claimed, seen, gateway } => {
                let claimed: Vec<String> = claimed.iter().map(ToString::to_string).collect();
                let through = gateway.map(|g| format!(" through {g}")).unwrap_or_default();
                let why = format!(
                    "claims to be {}, and is seen at {seen}{through}; taken as it is, 'mgsctl registration bind {} \
                     enforce' would refuse it",
                    claimed.join(","),
                    nid.net_name()
                );
                (nid, "nid mismatch", target, 0, why)
            }
            _ => return,
        };
        self.journal.note(Decision { time, nid, op, object, status, why });
    }
}
