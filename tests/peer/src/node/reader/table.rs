//! What a client checks in a NID table read, and a server in a nodemap read.
use std::collections::BTreeSet;
use wire::mgs::{ConfigRes, NidTblEntry};
use wire::nodemap::{END_OFFSET, IndexPage, PAGE};
use wire::{Codec, Order, Reader};

/// Entries of a bulk, or the rule that was broken (`mgc_apply_recover_logs`).
pub(crate) fn nidtbl(
    bulk: &[u8],
    res: ConfigRes,
    processed: u64,
    nid_size: u8,
    order: Order,
) -> Result<Vec<NidTblEntry>, String> {
    let mut out: Vec<NidTblEntry> = Vec::new();
    if res.offset > res.size_or_pass {
        return Err(format!("delivered up to {}, but the version is {}", res.offset, res.size_or_pass));
    }
    if bulk.is_empty() && res.offset < res.size_or_pass {
        return Err(format!("no entry, but version {} is not reached", res.size_or_pass));
    }
    let mut r = Reader::new(bulk, order);
    let mut at = 0;
    let mut version = processed;
    while r.remaining() > 0 {
        let left = r.remaining();
        let entry = NidTblEntry::decode(&mut r).map_err(|e| format!("entry at byte {at}: {e}"))?;
        let used = left - r.remaining();
        let label = format!("entry of version {} at byte {at}", entry.version);
        let length = usize::try_from(entry.length).unwrap_or(usize::MAX);
        let (kind, size) = if nid_size == 0 { (0, 8) } else { (1, nid_size) };
        if entry.nid_type != kind || entry.nid_size != size {
            return Err(format!("{label}: NID type {} of {} bytes", entry.nid_type, entry.nid_size));
        }
        if entry.nids.is_empty() {
            return Err(format!("{label}: no NID"));
        }
        if length > PAGE || length < NidTblEntry::size(entry.nid_type, entry.nids.len()) || used > length {
            return Err(format!("{label}: length {length}"));
        }
        if at / PAGE != (at + length - 1) / PAGE {
            return Err(format!("{label}: crosses a page"));
        }
        if entry.version <= version || entry.version > res.offset {
            return Err(format!("{label}: not above {version} and within {}", res.offset));
        }
        if !matches!(entry.target_type, 1 | 2) {
            return Err(format!("{label}: target type {}", entry.target_type));
        }
        version = entry.version;
        at += used;
        out.push(entry);
    }
    Ok(out)
}

/// A nodemap in the middle of being read.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodemapRead {
    pub(crate) offset: u64,
    pub(crate) pass: u8,
    pub(crate) records: usize,
    clusters: BTreeSet<[u8; 4]>,
}

/// What to do after a part of the nodemap.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NodemapStep {
    More,
    /// It changed while being read: start again.
    Again,
    /// The end, with a default nodemap.
    End,
    /// The end, without: the kernel asserts.
    Panic,
}

impl NodemapRead {
    /// Takes the pages of one answer (`nodemap_process_idx_pages`).
    pub(crate) fn take(&mut self, bulk: &[u8], res: ConfigRes, order: Order) -> Result<NodemapStep, String> {
        if bulk.is_empty() && res.offset == 0 {
            return Ok(NodemapStep::Again);
        }
        if !bulk.len().is_multiple_of(PAGE) {
            return Err(format!("{} bytes are not whole pages of {PAGE}", bulk.len()));
        }
        let mut r = Reader::new(bulk, order);
        while r.remaining() > 0 {
            let page = IndexPage::decode(&mut r).map_err(|e| e.to_string())?;
            for entry in page.entries {
                let [a, b, c, d, sub @ ..] = entry.key;
                self.records += 1;
                if d >> 4 == 1 && sub == [0; 4] {
                    self.clusters.insert([a, b, c, d & 0xf]);
                }
            }
        }
        self.offset = res.offset;
        self.pass = u8::try_from(res.size_or_pass).map_err(|_| format!("pass {}", res.size_or_pass))?;
        if res.offset != END_OFFSET {
            return Ok(if bulk.is_empty() { NodemapStep::Again } else { NodemapStep::More });
        }
        Ok(if self.clusters.contains(&[0; 4]) { NodemapStep::End } else { NodemapStep::Panic })
    }
}
