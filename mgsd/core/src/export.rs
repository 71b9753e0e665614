//! Exports: what the MGS knows of each connected MGC, and what a connect does to it (protocol/2, section 2.5).

use crate::Errno;
use crate::engine::LinkId;
use crate::model::generation::Tag;
use crate::model::names::next_of;
use crate::time::Now;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;
use wire::Nid;
use wire::ptlrpc::{ConnectData, connect_flags as cf, connect_op};

/// Where a node is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Proxy it came through.
    pub link: LinkId,
    /// The node.
    pub peer: Nid,
    /// Our NID that it spoke to; every answer comes from there.
    pub local: Nid,
    /// Its LNet incarnation: another one is another boot.
    pub incarnation: u64,
    /// Address of its connection, or of its router's.
    pub remote: Option<IpAddr>,
    /// Router that it came through.
    pub gateway: Option<Nid>,
}

/// A connected MGC.
#[derive(Clone, Debug)]
pub struct Export {
    /// Handle that the client sends with each request.
    pub cookie: u64,
    /// UUID of the MGC.
    pub uuid: String,
    /// Handle that callbacks to it carry.
    pub callback_cookie: u64,
    /// Where it is.
    pub address: Address,
    /// Attempt that made or renewed the connection; requests of earlier ones are stale.
    pub conn_cnt: u32,
    /// Flags granted, both words.
    pub flags: u64,
    /// Second word.
    pub flags2: u64,
    /// `ocd_version` of the peer.
    pub version: u32,
    /// When it connected first, unix seconds.
    pub connected: i64,
    /// Last request, monotonic.
    pub last_seen: Duration,
    /// Last request, unix seconds.
    pub last_seen_wall: i64,
    /// Last request that reads a log or table: a lock may be held for as long as that takes.
    pub last_read: Duration,
    /// File systems that it has to do with.
    pub fs: BTreeSet<String>,
    /// Of those, the ones whose logs it opened: it reads them.
    pub opened: BTreeSet<String>,
    /// Targets it registered or announced.
    pub targets: BTreeSet<String>,
    /// How far it has fetched each log. A newer generation has a name of its own here.
    pub fetched: BTreeMap<String, Fetched>,
    /// Object numbers of the logs that it opened: it holds indices of them, also when it found nothing new to fetch.
    pub(crate) holds: BTreeSet<u64>,
    /// Which generation of each log it is given.
    pub tag: Tag,
    /// Of logs that its tag says nothing of: how it reads them, by their object numbers.
    pub(crate) begun: BTreeMap<u64, Begun>,
    /// Logs that it is no longer told of, until it mounts again.
    pub(crate) retired: BTreeSet<String>,
    /// Version of the nodemaps that it is reading; what it is told next must be of the same.
    pub(crate) nodemaps: Option<u64>,
    /// Requests in service.
    pub in_service: usize,
}

/// How a node reads a log of which nobody knows whether it read it before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Begun {
    /// Its first request was for the first record.
    pub(crate) at_first: bool,
    /// How often it has opened the log and asked for nothing.
    pub(crate) opened: u8,
}

/// How far a node has fetched a log. What it made of the records is its own affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Object number of the log: under a name there may be another one later.
    pub oid: u64,
    /// Last index that it was given, or had when it asked.
    pub index: u32,
    /// When, unix seconds.
    pub at: i64,
}

impl Export {
    /// Whether a flag of the first word is in force.
    pub const fn has(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }
    /// Whether a flag of the second word is in force.
    pub const fn has2(&self, flag: u64) -> bool {
        self.flags2 & flag != 0
    }
    /// Notes a target and its file system for people to see. A peer may name as many as it likes; not all are kept.
    pub(crate) fn remember(&mut self, target: &str, fs: &str) {
        if self.targets.len() < MAX_TARGETS {
            self.targets.insert(target.to_owned());
        }
        self.remember_fs(fs);
    }
    /// Notes that a node was given a log up to an index.
    pub(crate) fn fetches(&mut self, log: &str, now: Fetched) {
        let next = next_of(log);
        if self.fetched.get(&next).is_some_and(|f| f.oid == now.oid) {
            // it has taken over the name of the log
            self.fetched.remove(&next);
        }
        if let Some(known) = self.fetched.get_mut(log) {
            // Another mount of the same node may be behind.
            if known.oid != now.oid || known.index <= now.index {
                *known = now;
            }
        } else if self.fetched.len() < MAX_TARGETS {
            self.fetched.insert(log.to_owned(), now);
        }
    }
    /// Notes that it was given a log.
    pub(crate) fn holds(&mut self, oid: u64) {
        if self.holds.len() < MAX_TARGETS {
            self.holds.insert(oid);
        }
    }
    /// How far it has fetched the log with this object number, under whichever name that stood then.
    pub fn fetched_of(&self, log: &str, oid: u64) -> Option<Fetched> {
        let known = |name: &str| self.fetched.get(name).filter(|f| f.oid == oid);
        known(log).or_else(|| known(&next_of(log))).copied()
    }
    /// The same for a file system alone.
    pub(crate) fn remember_fs(&mut self, fs: &str) {
        if self.fs.len() < MAX_FS {
            self.fs.insert(fs.to_owned());
        }
    }
}

/// Flags that this MGS offers: those of a kernel MGS of 2.17.
pub const OFFERED: u64 = cf::VERSION
    | cf::MGS_NIDLIST
    | cf::BARRIER
    | cf::AT
    | cf::FULL20
    | cf::IMP_RECOV
    | cf::PINGLESS
    | cf::BULK_MBITS
    | cf::FLAGS2;
/// Second word.
pub const OFFERED2: u64 = cf::REP_MBITS | cf::LARGE_NID;

/// Grants what was asked and is offered: never a bit more, it would end the connection.
pub const fn grant(asked: &ConnectData) -> (u64, u64) {
    let flags = asked.flags & OFFERED;
    (flags, if flags & cf::FLAGS2 == 0 { 0 } else { asked.flags2 & OFFERED2 })
}

/// An accepted or refused connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connected {
    /// A new export.
    New(u64),
    /// The same one, its locks kept.
    Again(u64),
    /// Not now.
    Refused(Errno),
}

/// What a connect brings.
#[derive(Clone, Debug)]
pub struct Connect {
    /// UUID of the MGC.
    pub uuid: String,
    /// `pb_handle`.
    pub handle: u64,
    /// Handle for callbacks.
    pub callback_cookie: u64,
    /// `pb_conn_cnt`.
    pub conn_cnt: u32,
    /// `pb_op_flags`.
    pub op_flags: u32,
    /// Where from.
    pub address: Address,
    /// What it asks.
    pub data: ConnectData,
    /// What its handle says, or its first attempt.
    pub tag: Tag,
}

/// Most targets that an export remembers; a server has some dozens.
pub const MAX_TARGETS: usize = 1024;
/// Most file systems that an export remembers.
pub const MAX_FS: usize = 64;

/// All exports.
#[derive(Debug, Default)]
pub struct Exports {
    by_cookie: BTreeMap<u64, Export>,
    by_uuid: BTreeMap<String, u64>,
}

/// Most exports held; a connect beyond it is told to come back.
pub const MAX_EXPORTS: usize = 262_144;

impl Exports {
    /// The table of section 2.5.6. `cookie` is used when a new export is made.
    pub fn connect(&mut self, c: &Connect, cookie: u64, now: Now) -> Connected {
        if let Some(export) = self.by_uuid.get(&c.uuid).and_then(|k| self.by_cookie.get_mut(k)) {
            let other_node = c.op_flags & connect_op::INITIAL != 0 && export.address.peer != c.address.peer;
            let again = c.handle == export.cookie;
            if other_node
                || c.callback_cookie != export.callback_cookie
                || c.conn_cnt <= export.conn_cnt
                || (c.conn_cnt == 1 && !again)
            {
                return Connected::Refused(Errno::EALREADY);
            }
            if export.in_service > 0 && !again {
                return Connected::Refused(Errno::EBUSY);
            }
            renew(export, c, now);
            return Connected::Again(export.cookie);
        }
        if self.by_cookie.len() >= MAX_EXPORTS {
            return Connected::Refused(Errno::EAGAIN);
        }
        let mut export = Export {
            cookie,
            uuid: c.uuid.clone(),
            callback_cookie: c.callback_cookie,
            address: c.address,
            conn_cnt: 0,
            flags: 0,
            flags2: 0,
            version: 0,
            connected: now.wall,
            last_seen: now.mono,
            last_seen_wall: now.wall,
            last_read: now.mono,
            fs: BTreeSet::new(),
            opened: BTreeSet::new(),
            targets: BTreeSet::new(),
            fetched: BTreeMap::new(),
            holds: BTreeSet::new(),
            tag: c.tag,
            begun: BTreeMap::new(),
            retired: BTreeSet::new(),
            nodemaps: None,
            in_service: 0,
        };
        renew(&mut export, c, now);
        self.by_uuid.insert(c.uuid.clone(), cookie);
        self.by_cookie.insert(cookie, export);
        Connected::New(cookie)
    }

    /// An export by its handle.
    pub fn get(&self, cookie: u64) -> Option<&Export> {
        self.by_cookie.get(&cookie)
    }
    /// An export by the UUID of its MGC.
    pub fn by_uuid(&self, uuid: &str) -> Option<&Export> {
        self.get(*self.by_uuid.get(uuid)?)
    }
    /// The same, to change.
    pub fn get_mut(&mut self, cookie: u64) -> Option<&mut Export> {
        self.by_cookie.get_mut(&cookie)
    }
    /// Forgets an export.
    pub fn remove(&mut self, cookie: u64) -> Option<Export> {
        let export = self.by_cookie.remove(&cookie)?;
        self.by_uuid.remove(&export.uuid);
        Some(export)
    }
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Export> {
        self.by_cookie.values()
    }
    /// How many.
    pub fn len(&self) -> usize {
        self.by_cookie.len()
    }
    /// None.
    pub fn is_empty(&self) -> bool {
        self.by_cookie.is_empty()
    }
}

fn renew(export: &mut Export, c: &Connect, now: Now) {
    let (flags, flags2) = grant(&c.data);
    export.address = c.address;
    export.conn_cnt = c.conn_cnt;
    export.flags = flags;
    export.flags2 = flags2;
    export.version = c.data.version;
    export.last_seen = now.mono;
    export.last_seen_wall = now.wall;
}
