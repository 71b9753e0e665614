//! Generations of a log (docs/decisions/0024-generations.md). Indices come back only where somebody begins to read at
//! index 1, so a log may stand twice: as it grew, for nodes that remember an index of it, and written anew for those
//! that never read it.
//!
//! ```text
//!   llog/testfs-client         1 … 60000 | 60001, 60002 …      who has read it goes on here
//!   llog/testfs-client@next    1 …  4000 |  4001,  4002 …      mounts to come; takes over the name when nobody is left
//! ```
//! The live records of both are the same ones in the same order, always: that is how a change finds its place in the other.
//!
//! Which of them a node is given is decided by its *tag*: the turn at which its MGC connected first. Turns count renewals
//! and retirements. The tag is part of the handle that the node was given, and that it shows again when it reconnects to
//! whatever daemon, so nothing has to be stored of it.

use super::commit::EventKind;
use super::logs::LogEntry;
use super::names::{TargetId, is_next, next_of};
use super::tx::Tx;
use super::view::{Format, View};
use crate::Errno;
use crate::error::Error;
use llog::Log;
use sha2::{Digest, Sha256};
use wire::Nid;

/// Format of a store that has, or had, two generations of a log: a daemon that knows nothing of them would change one.
pub const FORMAT: Format = Format { written: 2, min_reader: 2 };

/// When an MGC connected first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tag {
    /// Turn of that time; 0: before anything was renewed, or unknown.
    pub born: u32,
    /// It may have read before: its first attempt to connect was not the one that we saw.
    pub doubt: bool,
}

/// The last turn that a tag can hold.
pub const LAST_TURN: u32 = 0x7ff;

impl Tag {
    /// Puts the tag into a random handle.
    ///
    /// ```text
    ///   1 bit doubt | 11 bits born | 12 bits check, by the UUID of the MGS | 40 bits random
    /// ```
    pub fn seal(self, random: u64, mgs: &str) -> u64 {
        let open = u64::from(self.doubt) << 63
            | u64::from(self.born.min(LAST_TURN)) << 52
            | (random & 0xff_ffff_ffff).max(1);
        open | check(open, mgs)
    }

    /// The tag of a handle that this MGS gave; `None` for handles of others, such as a kernel MGS before us.
    pub fn open(handle: u64, mgs: &str) -> Option<Self> {
        let tag = Self { born: u32::try_from(handle >> 52).ok()? & LAST_TURN, doubt: handle >> 63 != 0 };
        (check(handle & !CHECK, mgs) == handle & CHECK).then_some(tag)
    }
}

const CHECK: u64 = 0xfff << 40;

fn check(open: u64, mgs: &str) -> u64 {
    let hash = Sha256::new().chain_update("mgsd handle").chain_update(mgs).chain_update(open.to_le_bytes());
    let [low, high, ..]: [u8; 32] = hash.finalize().into();
    u64::from(u16::from_le_bytes([low, high])) << 40 & CHECK
}

/// What a reader is given for the name of a log.
#[derive(Clone, Copy, Debug)]
pub enum Served<'a> {
    /// This: it has read nothing else under the name.
    Log(&'a LogEntry),
    /// This, unless it has read a generation that is gone: its tag does not say.
    Doubt(&'a LogEntry),
    /// There is no such log.
    Absent,
}

impl View {
    /// The generation of a log that a reader is to have. In doubt the older one.
    pub fn serve(&self, log: &str, reader: Tag) -> Served<'_> {
        let Some(entry) = self.logs.get(log).filter(|_| !is_next(log)) else { return Served::Absent };
        let Some(meta) = &self.meta else { return Served::Absent };
        let mut turns = entry.head.lost.iter();
        let lost = reader.born > meta.turn
            || turns.any(|(after, before)| (after + 1..*before).contains(&reader.born));
        let next =
            self.logs.get(&next_of(log)).filter(|next| !reader.doubt && reader.born >= next.head.since);
        let sure = match next {
            Some(_) => true,
            None if reader.doubt => entry.head.since == 0,
            None => reader.born >= entry.head.since,
        };
        let entry = next.unwrap_or(entry);
        if sure && !lost { Served::Log(entry) } else { Served::Doubt(entry) }
    }

    /// Logs that stand twice and differ in what they say: damage, one line each.
    pub fn torn_generations(&self) -> Vec<String> {
        let pairs =
            self.logs.iter().filter_map(|(name, log)| Some((name, log, self.logs.get(&next_of(name))?)));
        pairs
            .filter(|(_, old, new)| !agree(&old.log, &new.log))
            .map(|(name, ..)| format!("log '{name}' and '{}' differ in their live records", next_of(name)))
            .collect()
    }
}

/// Whether the live records of two logs are the same ones in the same order.
pub fn agree(a: &Log, b: &Log) -> bool {
    let live = |log: &'_ Log| -> Vec<Vec<u8>> {
        log.records().filter(|r| r.live).map(|r| r.payload.to_vec()).collect()
    };
    a.count() == b.count() && live(a) == live(b)
}

/// Its live records alone, from index 1 on.
fn compacted(log: &Log, wall: i64) -> Result<Log, llog::Error> {
    let mut fresh = Log::new();
    for record in log.records().filter(|r| r.live) {
        fresh.append(&record.cfg()?, wall)?;
    }
    Ok(fresh)
}

fn refused(log: &str, errno: Errno, what: impl Into<String>, next: impl Into<String>) -> Error {
    Error::refused(format!("log '{}'", log.escape_default()), errno, what.into(), next.into())
}

impl Tx<'_> {
    /// Counts a renewal or retirement; its turn.
    fn turn(&mut self, log: &str) -> Result<u32, Error> {
        let mut meta =
            self.meta().cloned().ok_or_else(|| Error::Bug { what: "no MGS to renew a log of".to_owned() })?;
        if meta.turn >= LAST_TURN {
            let next = "'mgsctl log clear' writes logs anew while nobody is connected";
            return Err(refused(log, Errno::ENOSPC, "logs were renewed as often as an MGS can", next));
        }
        meta.turn += 1;
        let Format { written, min_reader } = meta.format;
        meta.format =
            Format { written: written.max(FORMAT.written), min_reader: min_reader.max(FORMAT.min_reader) };
        let turn = meta.turn;
        self.set_meta(meta);
        Ok(turn)
    }

    /// Writes a log anew beside itself, for nodes that never read it. The event, unless nothing would be gained.
    ///
    /// # Errors
    /// `EEXIST` when it stands twice already; `EINVAL` for records that are no commands.
    pub(super) fn renew_log(&mut self, log: &str) -> Result<Option<EventKind>, Error> {
        let next = next_of(log);
        if self.log(&next).is_some() {
            let hint =
                format!("'mgsctl log retire {log}' gives up the older one; 'mgsctl log readers {log}'");
            return Err(refused(log, Errno::EEXIST, "has two generations already", hint));
        }
        let Some(entry) = self.log(log) else { return Ok(None) };
        let before = entry.log.last_index();
        let hint = format!("'mgsctl log print --raw {log}' shows it");
        let bad =
            |e: String| refused(log, Errno::EINVAL, format!("cannot be written anew: {e}"), hint.clone());
        let fresh = compacted(&entry.log, self.wall()).map_err(|e| bad(e.to_string()))?;
        if !agree(&entry.log, &fresh) {
            return Err(bad("a record would change".to_owned()));
        }
        let after = fresh.last_index();
        if after >= before {
            return Ok(None);
        }
        let since = self.turn(log)?;
        let created = self.wall();
        self.create_log(&next);
        if let Some(Some(copy)) = self.logs.get_mut(&next) {
            (copy.head.created, copy.head.anew, copy.head.since) = (created, created, since);
            copy.log = fresh;
        }
        self.as_found();
        Ok(Some(EventKind::LogRenewed { log: log.to_owned(), before, after }))
    }

    /// Gives up the older generation of a log: the newer one takes its name.
    ///
    /// # Errors
    /// `ENOENT` when there is one generation only.
    pub(super) fn retire_log(&mut self, log: &str) -> Result<EventKind, Error> {
        let next = next_of(log);
        let Some(mut entry) = self.log(&next).cloned() else {
            let hint = format!("'mgsctl log renew {log}' makes a newer one; see 'mgsctl log list'");
            return Err(refused(log, Errno::ENOENT, "has one generation only", hint));
        };
        self.turn(log)?;
        entry.head.anew = self.wall();
        let before = self.log(log).map_or(0, |e| e.log.last_index());
        let after = entry.log.last_index();
        self.logs.insert(log.to_owned(), Some(entry));
        self.erase_log(&next);
        self.as_found();
        Ok(EventKind::LogRetired { log: log.to_owned(), before, after })
    }

    /// Does to the newer generations what was done to the older ones.
    pub(super) fn mirror(&mut self) -> Result<(), Error> {
        let alone = |name: &&String| !self.logs.contains_key(&next_of(name));
        let names: Vec<String> = self.logs.keys().filter(alone).cloned().collect();
        for name in names {
            let next = next_of(&name);
            let (Some(old), Some(twin)) = (self.view.logs.get(&name), self.view.logs.get(&next)) else {
                continue;
            };
            let new = self.logs.get(&name).and_then(Option::as_ref).filter(|e| e.head.oid == old.head.oid);
            let Some(new) = new else {
                // Erased, or another log by now: both generations went.
                self.erase_log(&next);
                continue;
            };
            let mut twin = twin.clone();
            let edited = |offset: u64| self.edited.contains(&(name.clone(), offset));
            let offsets = follow(old, new, &mut twin, edited, self.wall()).map_err(|e| match e {
                llog::Error::Full { .. } => {
                    refused(&next, Errno::ENOSPC, e.to_string(), format!("'mgsctl log retire {name}'"))
                }
                e => Error::Bug { what: format!("generations of log '{name}': {e}") },
            })?;
            self.edited.extend(offsets.into_iter().map(|offset| (next.clone(), offset)));
            self.logs.insert(next, Some(twin));
        }
        Ok(())
    }
}

/// Makes `twin`, the generation beside `old`, the one beside `new`. Offsets of the records that were there and changed.
fn follow(
    old: &LogEntry,
    new: &LogEntry,
    twin: &mut LogEntry,
    edited: impl Fn(u64) -> bool,
    wall: i64,
) -> Result<Vec<u64>, llog::Error> {
    let mut places = Vec::new();
    let hits = old.log.records().filter(|r| r.live).zip(twin.log.records().filter(|r| r.live));
    for (record, beside) in hits.filter(|(r, _)| edited(r.offset)) {
        places.push((record.index, beside.index, beside.offset));
    }
    for (index, beside, _) in &places {
        let missing = || llog::Error::NotFound { index: *index, last: new.log.last_index() };
        let record = new.log.record(*index).ok_or_else(missing)?;
        match record.live {
            true => twin.log.replace(*beside, &record.cfg()?)?,
            false => twin.log.cancel(*beside)?,
        }
    }
    for record in new.log.records_from(old.log.last_index() + 1).filter(|r| !r.is_pad()) {
        let index = twin.log.append(&record.cfg()?, wall)?.index;
        if !record.live {
            twin.log.cancel(index)?;
        }
    }
    Ok(places.into_iter().map(|(_, _, offset)| offset).collect())
}

impl View {
    /// Whether a node serves a target.
    pub fn is_server(&self, nid: Nid) -> bool {
        self.fs.values().flat_map(|fs| fs.targets.values()).any(|target| target.nids.contains(&nid))
    }
}

/// Whether a log is a target's own.
pub fn is_own_log(log: &str) -> bool {
    TargetId::parse_svname(log).is_some()
}
