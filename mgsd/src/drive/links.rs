//! The links of proxies: greeted, kept to their credit, and told when this daemon is about to end.

use super::LinkId;
use super::farewell::Farewell;
use super::ledger::Ledger;
use super::link::Outbox;
use std::collections::HashMap;
use tokio::sync::oneshot;
use wire::Nid;
use wire::relay::{self, Frame, feature};

/// What a proxy may have under way.
const MAX_INFLIGHT: u32 = 65_536;
const MAX_BYTES: u64 = 64 << 20;

struct Link {
    outbox: Outbox,
    welcomed: bool,
    /// If the proxy keeps accounts.
    ledger: Option<Ledger>,
}

/// All of them. Dropping one here ends it: its proxy dials again, and its peers find a fresh one.
#[derive(Default)]
pub(super) struct Links {
    all: HashMap<LinkId, Link>,
    farewell: Option<Farewell>,
    /// Of an MGS that is not alone in its process: its name, and the NIDs that proxies may serve for it.
    own: Option<(String, Vec<Nid>)>,
}

/// The first frame of a proxy.
pub(super) struct Greeting<'a> {
    pub(super) proxy: &'a str,
    pub(super) min_version: u16,
    pub(super) features: u64,
    pub(super) nids: &'a [Nid],
}

impl Links {
    pub(super) fn new(own: Option<(String, Vec<Nid>)>) -> Self {
        Self { own, ..Self::default() }
    }

    pub(super) fn up(&mut self, id: LinkId, outbox: Outbox) {
        self.all.insert(id, Link { outbox, welcomed: false, ledger: None });
    }

    pub(super) fn down(&mut self, id: LinkId) {
        self.all.remove(&id);
        if let Some(farewell) = &mut self.farewell {
            farewell.link_down(id);
        }
    }

    /// Welcomes a proxy in the name of this daemon, or gives its link up.
    pub(super) fn hello(&mut self, id: LinkId, greeting: &Greeting<'_>, mgs_uuid: String, daemon: String) {
        let &Greeting { proxy, min_version, features, nids } = greeting;
        if let Some((mgs, own)) = &self.own
            && let Some(nid) = nids.iter().find(|nid| !own.contains(nid))
        {
            tracing::error!(proxy, %nid, mgs, "proxy refused: the NID is not one of this MGS; dial the relay socket of its own");
            return self.down(id);
        }
        let Some(link) = self.all.get_mut(&id) else { return };
        let refused = if min_version > relay::VERSION {
            Some("it speaks only newer relay versions: upgrade mgsd")
        } else if link.welcomed {
            Some("it greeted twice")
        } else {
            None
        };
        if let Some(why) = refused {
            tracing::error!(proxy, min_version, why, "proxy refused");
            return self.down(id);
        }
        if self.farewell.is_some() {
            return self.down(id); // the next daemon welcomes it
        }
        tracing::info!(proxy, link = id.0, "proxy connected");
        link.welcomed = true;
        let features = features & feature::CREDIT;
        let opening = (features & feature::CREDIT != 0).then(Ledger::open);
        let welcome = Frame::Welcome {
            version: relay::VERSION,
            features,
            mgs_uuid,
            daemon,
            max_inflight: MAX_INFLIGHT,
            max_bytes: MAX_BYTES,
        };
        let mut frames = vec![welcome];
        if let Some((ledger, credit)) = opening {
            link.ledger = Some(ledger);
            frames.extend(credit);
        }
        frames.into_iter().for_each(|frame| self.send(id, frame));
    }

    /// The engine has taken a frame of a proxy.
    pub(super) fn taken(&mut self, id: LinkId, frame: &Frame) {
        if let (Some(farewell), Frame::Pong { token }) = (&mut self.farewell, frame) {
            farewell.pong(id, *token);
        }
        let Some(ledger) = self.all.get_mut(&id).and_then(|link| link.ledger.as_mut()) else { return };
        match ledger.taken(frame) {
            Ok(credit) => credit.into_iter().for_each(|frame| self.send(id, frame)),
            Err(error) => {
                tracing::error!(link = id.0, %error, "its link is given up");
                self.down(id);
            }
        }
    }

    /// A proxy that does not take its frames loses its link.
    pub(super) fn send(&mut self, id: LinkId, frame: Frame) {
        if let Some(link) = self.all.get(&id)
            && !link.outbox.push(frame)
        {
            tracing::error!(link = id.0, "proxy does not read, its link is given up");
            self.down(id);
        }
    }

    /// No more requests; `done` once every proxy has the last answers.
    pub(super) fn say_farewell(&mut self, done: oneshot::Sender<()>) {
        let welcomed = self.all.iter().filter(|(_, link)| link.welcomed).map(|(id, _)| *id).collect();
        let (farewell, frames) = Farewell::begin(welcomed, done);
        self.farewell = Some(farewell);
        frames.into_iter().for_each(|frame| self.send_all(&frame));
    }

    /// After every input of the engine.
    pub(super) fn step(&mut self, idle: bool) {
        let welcomed = self.all.iter().filter(|(_, link)| link.welcomed).map(|(id, _)| *id);
        if let Some(frame) = self.farewell.as_mut().and_then(|farewell| farewell.step(idle, welcomed)) {
            self.send_all(&frame);
        }
    }

    fn send_all(&mut self, frame: &Frame) {
        let welcomed: Vec<LinkId> =
            self.all.iter().filter(|(_, link)| link.welcomed).map(|(id, _)| *id).collect();
        welcomed.into_iter().for_each(|id| self.send(id, frame.clone()));
    }
}
