//! Imperative recovery: READY changes the NID table, CONFIG_READ serves it (mgs/06).

use super::Resource;
use super::commit::EventKind;
use super::names::TargetId;
use super::registration::{Request, texts};
use super::tx::Tx;
use super::view::{Fs, FsHead, NidEntry};
use crate::Errno;
use crate::error::Error;
use wire::ldlm::ConfigKind;
use wire::mgs::{ConfigRes, NidTblEntry};
use wire::{Codec, Nid, Order, Writer};

/// Imperative recovery of a file system, as an administrator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IrState {
    /// In force.
    Full,
    /// The MGS has only just started; clients may not be back.
    Startup,
    /// Clients without the feature are connected.
    Partial,
    /// Switched off.
    Disabled,
}

impl IrState {
    /// The word of `mgs.MGS.live.*`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Startup => "startup",
            Self::Partial => "partial",
            Self::Disabled => "disabled",
        }
    }
}

/// Plans a READY: the target runs, with these NIDs. `withheld`: a reader did not get the entry as it is, since this
/// MGS did not yet know that the target runs; then it gets a new version even if nothing else is new.
pub fn plan_ready(tx: &mut Tx<'_>, req: &Request, withheld: bool) -> Result<Ready, Error> {
    let fs = req.info.fsname.as_str();
    let id = req.target()?;
    let svname = id.svname(fs);
    if req.info.instance == 0 {
        return Err(Error::refused(
            svname,
            Errno::EINVAL,
            "announced itself with instance 0",
            "a running target counts its starts from 1",
        ));
    }
    let (Some(mut head), Some(mut target)) = (tx.head(fs).cloned(), tx.target(fs, id).cloned()) else {
        return Err(Error::refused(
            svname,
            Errno::ENOENT,
            "announced itself, but is not registered",
            "check its MGS NID, or register it again with tunefs.lustre --writeconf",
        ));
    };
    let old = tx.nids(fs, id).cloned();
    if let Some(old) = &old
        && req.info.instance < old.instance
        && target.registered.seq <= old.seq
    {
        return Ok(Ready::Outdated);
    }
    let before = old.as_ref().map(|e| e.nids.clone()).unwrap_or_default();
    let nids = match &req.removed_net {
        Some(net) => before.iter().filter(|n| n.net_name() != *net).copied().collect(),
        None => merged(&before, &req.nids),
    };
    // A target formatted anew counts its starts from 1 again: an equal number is another start.
    let anew = |old: &NidEntry| target.registered.seq > old.seq;
    let same = old.is_some_and(|old| old.instance == req.info.instance && old.nids == nids && !anew(&old));
    // A server that was upgraded says so at each start, and registers no more: what is too new for it is no longer.
    let release = Some(req.info.lustre_ver).filter(|v| *v != 0).unwrap_or(target.lustre_version);
    if !target.ready || target.lustre_version != release {
        target.ready = true;
        target.lustre_version = release;
        tx.set_target(fs, id, Some(target));
    }
    if same && !withheld {
        return Ok(Ready::Unchanged);
    }
    let version = next_version(fs, &mut head)?;
    let silent = head.recovery_off;
    tx.set_head(fs, head);
    let entry = NidEntry { version, instance: req.info.instance, nids: nids.clone(), seq: tx.seq() };
    tx.set_nids(fs, id, Some(entry));
    tx.event(EventKind::TargetReady {
        target: svname,
        instance: req.info.instance,
        nids: texts(&nids),
        before: texts(&before),
        version,
    });
    if !silent {
        tx.touch(Resource::new(fs, ConfigKind::Recover));
    }
    Ok(Ready::Changed(version))
}

/// What became of a READY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// The entry has this version now.
    Changed(u64),
    /// The table says so already.
    Unchanged,
    /// It speaks of an earlier start than the table.
    Outdated,
}

/// Versions stay below 2^31: readers of old releases keep them in an `int`.
const VERSIONS: u64 = 1 << 31;

fn next_version(fs: &str, head: &mut FsHead) -> Result<u64, Error> {
    if head.nidtbl_version + 1 >= VERSIONS {
        return Err(Error::refused(
            format!("NID table of '{fs}'"),
            Errno::EOVERFLOW,
            "has used all of its versions",
            "targets serve on, clients find them by their time-outs; migrate the file system to a new MGS",
        ));
    }
    head.nidtbl_version += 1;
    Ok(head.nidtbl_version)
}

/// Gives an entry that a reader did not get, since it was not yet confirmed, a version that the reader will ask for.
pub fn plan_confirm(tx: &mut Tx<'_>, fs: &str, id: TargetId) -> Result<(), Error> {
    let (Some(mut head), Some(entry)) = (tx.head(fs).cloned(), tx.nids(fs, id).cloned()) else {
        return Ok(());
    };
    let version = next_version(fs, &mut head)?;
    if !head.recovery_off {
        tx.touch(Resource::new(fs, ConfigKind::Recover));
    }
    tx.set_head(fs, head);
    tx.event(EventKind::TargetReady {
        target: id.svname(fs),
        instance: entry.instance,
        nids: texts(&entry.nids),
        before: texts(&entry.nids),
        version,
    });
    tx.set_nids(fs, id, Some(NidEntry { version, seq: tx.seq(), ..entry }));
    Ok(())
}

/// Networks that are named replace what was known of them; others stay.
fn merged(before: &[Nid], now: &[Nid]) -> Vec<Nid> {
    let kept = before.iter().filter(|old| !now.iter().any(|n| (n.lnd, n.net) == (old.lnd, old.net)));
    now.iter().chain(kept).copied().collect()
}

/// What a reader of the table asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// First version wanted.
    pub from: u64,
    /// Entries do not cross units of so many bytes.
    pub unit: usize,
    /// Units of the reader's buffer.
    pub units: usize,
    /// Full NIDs (20 bytes) or 64-bit ones.
    pub large_nids: bool,
}

/// Serves the whole table: the bulk, and the answer. Entries in ascending version; none crosses a unit.
pub fn read(fs: &Fs, req: ReadRequest) -> (Vec<u8>, ConfigRes) {
    read_some(fs, req, |_| true)
}

/// The same, of those targets that `serve` says yes to; it is asked for what the reader wants only.
pub fn read_some(fs: &Fs, req: ReadRequest, mut serve: impl FnMut(TargetId) -> bool) -> (Vec<u8>, ConfigRes) {
    let version = fs.head.nidtbl_version;
    let mut page = Page::new(req);
    let mut last = None;
    for (v, id) in fs.nidtbl_order.range(req.from..) {
        let Some(entry) = fs.nidtbl.get(id).filter(|_| serve(*id)) else { continue };
        let Some(wire) = to_wire(id.kind.wire(), id.index, entry, req) else { continue };
        if !page.push(wire) {
            // The buffer is full: the reader comes again for what is behind the last entry.
            return (
                page.finish(),
                ConfigRes { offset: last.unwrap_or(req.from - 1), size_or_pass: version },
            );
        }
        last = Some(*v);
    }
    (page.finish(), ConfigRes { offset: version, size_or_pass: version })
}

/// An entry for a reader; `None` when not one of its NIDs can be expressed: the reader would refuse the table.
fn to_wire(target_type: u8, index: u32, entry: &NidEntry, req: ReadRequest) -> Option<NidTblEntry> {
    let (nid_type, nid_size) = if req.large_nids { (1, 20) } else { (0, 8) };
    let fit = (req.unit.saturating_sub(NidTblEntry::size(nid_type, 0)) / usize::from(nid_size)).min(255);
    let nids: Vec<Nid> =
        entry.nids.iter().filter(|n| req.large_nids || n.to_u64().is_some()).take(fit).copied().collect();
    if nids.is_empty() {
        return None;
    }
    let length = u32::try_from(NidTblEntry::size(nid_type, nids.len())).ok()?;
    Some(NidTblEntry {
        version: entry.version,
        instance: entry.instance,
        index,
        length,
        target_type,
        nid_type,
        nid_size,
        nids,
    })
}

/// Packs entries into units; the slack of a full unit goes to its last entry.
struct Page {
    req: ReadRequest,
    done: Vec<u8>,
    unit: Vec<NidTblEntry>,
    used: usize,
    units: usize,
}

impl Page {
    const fn new(req: ReadRequest) -> Self {
        Self { req, done: Vec::new(), unit: Vec::new(), used: 0, units: 0 }
    }

    fn push(&mut self, entry: NidTblEntry) -> bool {
        let length = entry.length as usize;
        if self.used + length > self.req.unit {
            if self.units + 1 >= self.req.units {
                return false;
            }
            self.close_unit();
        }
        if self.req.units == 0 {
            return false;
        }
        self.used += length;
        self.unit.push(entry);
        true
    }

    fn close_unit(&mut self) {
        let slack = u32::try_from(self.req.unit - self.used).unwrap_or(0);
        if let Some(last) = self.unit.last_mut() {
            last.length += slack;
        }
        self.flush();
        self.units += 1;
    }

    fn flush(&mut self) {
        let mut w = Writer::new(Order::Little);
        self.unit.drain(..).for_each(|e| e.encode(&mut w));
        self.done.extend(w.into_vec());
        self.used = 0;
    }

    fn finish(mut self) -> Vec<u8> {
        self.flush();
        self.done
    }
}
