//! Going on with another mgsd process in the midst of a session: after a restart of the recorded MGS, and behind a part
//! of the recording that is left out.
use super::Replay;
use crate::Error;
use crate::timeline::{Event, Item};
use std::collections::BTreeMap;
use std::time::Duration;
use wire::lnet::{Message, portal};
use wire::ptlrpc::opc;
use wire::rpc::{Reply, Request, Rpc};
use wire::socklnd::{ConnType, Frame};

/// An RPC with its answer, as places in the timeline.
type Exchange = [usize; 2];

/// Who is there at some time.
#[derive(Debug, Default)]
struct Present {
    /// Connection → node, type, HELLO and its answer.
    conns: BTreeMap<usize, (usize, ConnType, Exchange)>,
    /// Node → handle of its export, and the connect that made it.
    exports: BTreeMap<usize, (u64, Exchange)>,
    /// Node and lock cookie → the enqueue that took it.
    locks: BTreeMap<(usize, u64), Exchange>,
    /// Requests without an answer yet.
    asked: BTreeMap<(usize, u64), usize>,
}

impl Present {
    fn leave(&mut self, node: usize) {
        self.exports.remove(&node);
        self.locks.retain(|(n, _), _| *n != node);
    }

    fn request(&mut self, at: usize, node: usize, to: u32, bits: u64, rpc: Option<Rpc>) {
        let Some(Rpc::Request { body, content, .. }) = rpc else { return };
        match (to, content) {
            (portal::LDLM_CANCEL_REQUEST, Request::Cancel(cancel)) => {
                for cookie in cancel.handles {
                    self.locks.remove(&(node, cookie));
                }
            }
            (portal::MGS_REQUEST, _) if body.opc == opc::MGS_DISCONNECT => self.leave(node),
            (portal::MGS_REQUEST, _) => drop(self.asked.insert((node, bits), at)),
            _ => {}
        }
    }

    fn answer(&mut self, at: usize, node: usize, bits: u64, rpc: Option<Rpc>) {
        let Some(asked) = self.asked.remove(&(node, bits)) else { return };
        let Some(Rpc::Reply { body, content, .. }) = rpc else { return };
        match content {
            Reply::Connect(_)
                if body.status == 0
                    && self.exports.get(&node).is_none_or(|(handle, _)| *handle != body.handle) =>
            {
                self.leave(node);
                self.exports.insert(node, (body.handle, [asked, at]));
            }
            Reply::Enqueue(lock, _) if body.status == 0 => {
                self.locks.insert((node, lock.handle), [asked, at]);
            }
            _ => {}
        }
    }
}

impl Replay {
    /// Goes on at `at` with an mgsd that knows nobody: what was captured before is left out, but that whoever was
    /// there at that time connects, and takes the locks that it held.
    ///
    /// # Errors
    /// There is no connection.
    pub async fn join(&mut self, stage: &str, at: Duration) -> Result<(), Error> {
        stage.clone_into(&mut self.stage);
        self.compare.maps.other_process();
        let events = self.there(at);
        self.next = self.timeline.events.partition_point(|e| e.time < at);
        for event in events {
            self.event(&event).await?;
        }
        Ok(())
    }

    /// What those who are there have to say again.
    fn there(&self, at: Duration) -> Vec<Event> {
        let nid = |node: usize| self.timeline.nodes.get(node).map(|n| n.nid);
        let mut there = Present::default();
        for (i, event) in self.timeline.events.iter().enumerate().take_while(|(_, e)| e.time < at) {
            let node = event.node;
            match &event.item {
                Item::Dial(_, hello) => {
                    let new = nid(node);
                    // As in `Replay::event`: a new boot, or all connections of this one anew.
                    let stale = there.conns.values().find(|(n, ctype, _)| {
                        let both = hello.ctype == ConnType::Control && *ctype == ConnType::Control;
                        nid(*n) == new && (*n != node || both)
                    });
                    if let Some((stale, ..)) = stale.copied() {
                        there.conns.retain(|_, (n, ..)| *n != stale);
                    }
                    there.conns.insert(event.conn, (node, hello.ctype, [i, i]));
                    let gone: Vec<usize> =
                        there.exports.keys().copied().filter(|n| *n != node && nid(*n) == new).collect();
                    gone.into_iter().for_each(|n| there.leave(n));
                }
                Item::Welcome(_) => {
                    if let Some((_, _, [_, welcome])) = there.conns.get_mut(&event.conn) {
                        *welcome = i;
                    }
                }
                Item::Peer(Frame::Lnet(_, header, payload)) => {
                    if let Message::Put { portal, match_bits, .. } = header.msg {
                        there.request(i, node, portal, match_bits, Rpc::decode_put(portal, payload).ok());
                    }
                }
                Item::Mgs(Frame::Lnet(_, header, payload)) => {
                    if let Message::Put { portal: portal::MGC_REPLY, match_bits, .. } = header.msg {
                        let rpc = Rpc::decode_put(portal::MGC_REPLY, payload).ok();
                        there.answer(i, node, match_bits, rpc);
                    }
                }
                Item::Peer(Frame::Noop(_)) | Item::Mgs(Frame::Noop(_)) => {}
            }
        }
        let conns = there.conns.values().map(|(_, _, exchange)| *exchange);
        let exports = there.exports.values().map(|(_, exchange)| *exchange);
        let mut places: Vec<usize> =
            conns.chain(exports).chain(there.locks.into_values()).flatten().collect();
        places.sort_unstable();
        places.dedup();
        places.iter().filter_map(|i| self.timeline.events.get(*i).cloned()).collect()
    }

    /// The recorded MGS ends here: mgsd may.
    ///
    /// # Errors
    /// There is no connection any more.
    pub async fn leave(&mut self) -> Result<(), Error> {
        self.left = self.open.keys().copied().collect();
        self.close().await
    }

    /// The recorded MGS was back at `up`, and so is mgsd. What peers sent meanwhile nobody heard. `rebooted`: its node
    /// had lost its connections, too, and the capture has the new ones.
    ///
    /// # Errors
    /// There is no connection; the recorded MGS spoke while it was away.
    pub async fn back(&mut self, up: Duration, rebooted: bool) -> Result<(), Error> {
        if self.halted {
            return Ok(());
        }
        let away = self.timeline.events.iter().skip(self.next).take_while(|e| e.time < up);
        let spoke = away.clone().find(|e| {
            let Item::Mgs(Frame::Lnet(_, header, _)) = &e.item else { return false };
            matches!(header.msg, Message::Put { .. })
        });
        if let Some(event) = spoke {
            let what = "the MGS is away, and speaks".to_owned();
            return Err(Error::Unplayable { time: event.time, what });
        }
        // The node is up before its MGS: connections that are made meanwhile hold.
        let is_conn = |e: &&Event| matches!(e.item, Item::Dial(..) | Item::Welcome(_));
        let made: Vec<Event> = away.clone().filter(is_conn).cloned().collect();
        let skipped = away.count();
        let left = std::mem::take(&mut self.left);
        // Without a reboot they were never cut; those to mgsd are made again.
        let before = self.timeline.events.iter().take(self.next);
        let kept = before.filter(|e| !rebooted && left.contains(&e.conn)).filter(is_conn);
        let again: Vec<Event> = kept.cloned().chain(made).collect();
        if rebooted {
            self.lost.extend(left);
        }
        self.next += skipped;
        self.compare.restarted = true;
        self.compare.maps.other_process();
        for event in again {
            self.event(&event).await?;
        }
        Ok(())
    }
}
