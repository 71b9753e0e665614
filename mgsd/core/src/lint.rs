//! The outbound lint: before a reply or a log leaves, it is checked against what would crash or derail a kernel node.
//! A violation is a bug of ours, and is never sent. Each rule has a test of its name.

use crate::engine::{Answer, Request};
use crate::model::View;
use crate::model::keys::{self, Key};
use crate::model::logs::{FIRST, Segment};
use crate::model::tx::Changes;
use bytes::Bytes;
use llog::lcfg::{LustreCfg, cmd};
use llog::log::Log;
use llog::marker::flag;
use llog::record;
use std::collections::BTreeSet;
use wire::mgs::{ConfigBody, NidTblEntry, config_type};
use wire::nodemap::{IndexPage, PAGE};
use wire::ptlrpc::{ConnectData, connect_op, opc};
use wire::{Codec, Order, Reader};

/// What would have happened to a peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The peer fails its connect with -EPROTO and stays disconnected.
    #[error("connect reply grants flags that were not asked for: {0:#x} {1:#x}")]
    FlagsNotAsked(u64, u64),
    /// The peer asserts: an MGS import is not replayable.
    #[error("connect reply says RECOVERING or REPLAYABLE ({0:#x})")]
    Replayable(u32),
    /// The peer would keep the request for replay. (The encoder writes none; a reply body is checked all the same.)
    #[error("reply carries a transaction number")]
    Transno,
    /// A server node hits an assertion.
    #[error("nodemap read succeeds without the default nodemap")]
    NodemapWithoutDefault,
    /// A page without its magic ends the read with an error, over and over.
    #[error("nodemap page is damaged")]
    NodemapPage,
    /// The peer drops the table and asks again, for ever.
    #[error("NID table: {0}")]
    NidTable(&'static str),
    /// The peer waits for the bulk until it times out.
    #[error("CONFIG_READ succeeds without its bulk")]
    NoBulk,
    /// The reader fails the mount.
    #[error("log '{log}', record {index}: {why}")]
    Log {
        /// Log.
        log: String,
        /// Record.
        index: u32,
        /// What an interpreter of config records would trip over.
        why: String,
    },
    /// What we made cannot be read back.
    #[error("reply cannot be decoded: {0}")]
    Undecodable(#[from] wire::Error),
}

/// Checks a reply, with the bulk that went before it.
pub(crate) fn reply(request: &Request, answer: &Answer, bulk: Option<&Bytes>) -> Result<(), Violation> {
    if answer.status != 0 {
        return Ok(());
    }
    match request.opc {
        opc::MGS_CONNECT => {
            let granted =
                answer.buffers.first().map(|b| ConnectData::from_slice(b, Order::Little)).transpose()?;
            connect(request.asked, answer.op_flags, &granted.unwrap_or_default())
        }
        opc::MGS_CONFIG_READ => {
            let (Some(bulk), Some(ask)) = (bulk, &request.config_read) else { return Err(Violation::NoBulk) };
            let res = answer
                .buffers
                .first()
                .map(|b| wire::mgs::ConfigRes::from_slice(b, Order::Little))
                .transpose()?;
            match ask.config_type {
                config_type::NODEMAP if ask.offset == 0 && ask.nid_size_or_pass == 0 => nodemap(bulk),
                // Told to begin again, or further parts.
                config_type::NODEMAP => pages(bulk).map(drop),
                _ => nidtbl(ask, bulk, res.unwrap_or_default().offset),
            }
        }
        _ => Ok(()),
    }
}

/// Rules for a connect reply.
pub fn connect(asked: (u64, u64), op_flags: u32, granted: &ConnectData) -> Result<(), Violation> {
    let surplus = (granted.flags & !asked.0, granted.flags2 & !asked.1);
    if surplus != (0, 0) {
        return Err(Violation::FlagsNotAsked(surplus.0, surplus.1));
    }
    let forbidden = op_flags & (connect_op::RECOVERING | connect_op::REPLAYABLE);
    if forbidden != 0 {
        return Err(Violation::Replayable(forbidden));
    }
    if granted.transno != 0 {
        return Err(Violation::Transno);
    }
    Ok(())
}

/// Rules for the first nodemap pages: whole pages, each with its magic, the default nodemap among the entries.
pub fn nodemap(bulk: &[u8]) -> Result<(), Violation> {
    const DEFAULT: [u8; 8] = [0, 0, 0, 0x10, 0, 0, 0, 0];
    let has_default = pages(bulk)?.iter().flat_map(|page| &page.entries).any(|e| e.key == DEFAULT);
    if has_default { Ok(()) } else { Err(Violation::NodemapWithoutDefault) }
}

fn pages(bulk: &[u8]) -> Result<Vec<IndexPage>, Violation> {
    let mut r = Reader::new(bulk, Order::Little);
    let mut pages = Vec::new();
    if !bulk.len().is_multiple_of(PAGE) {
        return Err(Violation::NodemapPage);
    }
    while r.remaining() > 0 {
        pages.push(IndexPage::decode(&mut r).map_err(|_| Violation::NodemapPage)?);
    }
    Ok(pages)
}

/// Rules for the NID table, as a client checks them.
pub fn nidtbl(ask: &ConfigBody, bulk: &[u8], offset: u64) -> Result<(), Violation> {
    let page = 1_usize << ask.bits.min(26);
    if bulk.len() as u64 > u64::from(ask.units) << ask.bits.min(26) {
        return Err(Violation::NidTable("longer than the reader's buffer"));
    }
    let mut r = Reader::new(bulk, Order::Little);
    let mut last = 0;
    while r.remaining() > 0 {
        let at = bulk.len() - r.remaining();
        let entry = NidTblEntry::decode(&mut r).map_err(|_| Violation::NidTable("entry is damaged"))?;
        let room = page - at % page;
        let wanted = if ask.nid_size_or_pass == 0 { 0 } else { 1 };
        if entry.nids.is_empty() {
            return Err(Violation::NidTable("entry without a NID"));
        }
        if entry.length as usize > room {
            return Err(Violation::NidTable("entry crosses a page"));
        }
        if entry.nid_type != wanted {
            return Err(Violation::NidTable("NIDs in a form that the reader did not ask for"));
        }
        if entry.version <= last || entry.version > offset {
            return Err(Violation::NidTable("versions do not rise up to the offset of the reply"));
        }
        last = entry.version;
    }
    Ok(())
}

/// Checks what a commit appends to logs: an interpreter of config records must be able to execute it.
pub fn changes(view: &View, changes: &Changes) -> Result<(), Violation> {
    for (key, value) in keys::below(changes, keys::LOGS) {
        let (Some(Key::Segment(log, seq)), Some(value)) = (Key::parse(key), value) else { continue };
        let fail = |index, why: String| Violation::Log { log: log.to_owned(), index, why };
        let segment = Segment::decode(value).map_err(|why| fail(0, why))?;
        let (containers, first, seen) = match view.logs.get(log) {
            Some(entry) => (containers(&entry.log), entry.log.last_index() + 1, entry.segment(seq).bytes),
            None => (BTreeSet::new(), 1, Vec::new()),
        };
        // What an earlier request of the same commit wrote was looked at then.
        let fresh = segment.bytes.strip_prefix(seen.as_slice()).unwrap_or(&segment.bytes);
        records(log, fresh, containers, first).or_else(|violation| match view.logs.get(log) {
            // A connection may be for any target of the log.
            Some(entry) => records(log, fresh, devices(&entry.log, u64::MAX), first),
            None => Err(violation),
        })?;
    }
    Ok(())
}

/// Checks every log of a view; one line for each that cannot be executed, or says something else than its newer
/// generation.
pub fn view(view: &View) -> Vec<String> {
    let walked =
        view.logs.iter().map(|(name, entry)| records(name, &entry.log.bytes_from(FIRST), BTreeSet::new(), 1));
    let violations = walked.filter_map(Result::err).map(|violation| violation.to_string());
    violations.chain(view.torn_generations()).collect()
}

/// LOV, LMV and targets that a log sets up: they stand in its first chunk.
fn containers(log: &Log) -> BTreeSet<String> {
    devices(log, 3 * FIRST)
}

/// Devices that a log sets up in front of an offset.
fn devices(log: &Log, end: u64) -> BTreeSet<String> {
    log.records()
        .take_while(|r| r.offset < end)
        .filter(|r| r.command() == Some(cmd::SETUP))
        .filter_map(|r| r.cfg().ok()?.dev().map(str::to_owned))
        .collect()
}

/// Walks records as a reader executes them.
pub fn records(log: &str, bytes: &[u8], mut devices: BTreeSet<String>, first: u32) -> Result<(), Violation> {
    let fail = |index, why: &str| Violation::Log { log: log.to_owned(), index, why: why.to_owned() };
    let mut walk =
        Walk { devices: &mut devices, attached: BTreeSet::new(), nodes: BTreeSet::new(), open: None };
    let mut index = first;
    let mut r = Reader::new(bytes, Order::Little);
    while r.remaining() > 0 {
        let length = r.u32("lrh_len")? as usize;
        index = r.u32("lrh_index")?;
        let kind = r.u32("lrh_type")?;
        r.u32("lrh_id")?;
        let payload = r.take("record", length.saturating_sub(record::HEAD + record::TAIL))?;
        r.take("record tail", record::TAIL)?;
        if kind == record::kind::CFG {
            let cfg = LustreCfg::decode(payload).map_err(|e| fail(index, &e.to_string()))?;
            walk.step(&cfg).map_err(|why| fail(index, why))?;
        }
    }
    if walk.open.is_some() { Err(fail(index, "section without its end")) } else { Ok(()) }
}

/// State of a reader within a section.
struct Walk<'a> {
    devices: &'a mut BTreeSet<String>,
    attached: BTreeSet<String>,
    nodes: BTreeSet<String>,
    open: Option<(u32, String, String)>,
}

impl Walk<'_> {
    fn step(&mut self, cfg: &LustreCfg) -> Result<(), &'static str> {
        if let Some(marker) = cfg.marker() {
            let key = (marker.step, marker.tgtname.clone(), marker.comment.clone());
            return match (marker.flags & flag::START != 0, self.open.take()) {
                (true, None) => {
                    self.attached.clear();
                    self.nodes.clear();
                    self.open = Some(key);
                    Ok(())
                }
                (true, Some(_)) => Err("section within a section"),
                (false, Some(open)) if open == key => Ok(()),
                (false, _) => Err("end marker without its start"),
            };
        }
        if self.open.is_none() {
            return Err("record outside of a section: readers ignore it");
        }
        let dev = cfg.dev().unwrap_or_default().to_owned();
        let node = |i: usize| cfg.buf_str(i).unwrap_or_default().to_owned();
        match cfg.command {
            cmd::ATTACH => {
                self.attached.insert(dev);
            }
            cmd::ADD_UUID => {
                self.nodes.insert(node(1));
            }
            cmd::SETUP => {
                if !self.attached.contains(&dev) {
                    return Err("setup of a device that was not attached");
                }
                if cfg.bufs.len() == 3 && !self.nodes.contains(&node(2)) {
                    return Err("setup names a node without a NID");
                }
                self.devices.insert(dev);
            }
            cmd::ADD_CONN => {
                if !self.devices.contains(&dev) {
                    return Err("failover connection for a device that was not set up");
                }
                if !self.nodes.contains(&node(1)) {
                    return Err("failover connection to a node without a NID");
                }
            }
            cmd::LOV_ADD_OBD | cmd::ADD_MDC if !self.devices.contains(&dev) => {
                return Err("target added to a device that was not set up");
            }
            _ => {}
        }
        Ok(())
    }
}
