//! MGS_CONFIG_READ: the NID table and the nodemap.
use super::table::{self, NodemapRead, NodemapStep};
use super::{ENOENT, Part, Reading};
use crate::node::mount::{Stage, Task};
use crate::node::rpc::Outcome;
use crate::node::{Event, LogKey, Node, Violation};
use bytes::Bytes;
use wire::mgs::{ConfigBody, ConfigRes, config_type};
use wire::nodemap::END_OFFSET;
use wire::ptlrpc::opc;
use wire::{Codec, Order};

/// log2 of the page of x86.
const PAGE_BITS: u8 = 12;
/// Pages of a first read, and of later reads of the NID table.
const UNITS: (u32, u32) = (256, 4);

impl Node {
    pub(super) fn send_table(&mut self, task: &Task, key: LogKey) {
        let Some(log) = self.logs.get(&key) else { return };
        let units = if log.last == 0 { UNITS.0 } else { UNITS.1 };
        let body = ConfigBody {
            name: log.name.clone(),
            offset: log.last + 1,
            config_type: config_type::RECOVER,
            nid_size_or_pass: self.dialect.nid_size,
            bits: PAGE_BITS,
            units,
        };
        self.send_config_read(task, &body);
    }

    pub(super) fn send_nodemap(&mut self, task: &Task, read: &NodemapRead) {
        let body = ConfigBody {
            name: "nodemap".to_owned(),
            offset: read.offset,
            config_type: config_type::NODEMAP,
            nid_size_or_pass: read.pass,
            bits: PAGE_BITS,
            units: UNITS.0,
        };
        self.send_config_read(task, &body);
    }

    pub(super) fn send_config_read(&mut self, task: &Task, body: &ConfigBody) {
        let room = usize::try_from(body.units).unwrap_or(0) << PAGE_BITS;
        let buffers = vec![body.to_vec(self.cfg.order).into()];
        self.read_call(task, opc::MGS_CONFIG_READ, buffers, 240, Some(room));
    }

    pub(super) fn config_res(&mut self, outcome: &Outcome) -> Option<(ConfigRes, Bytes, Order)> {
        let message = outcome.message.as_ref().filter(|_| outcome.status == 0)?;
        let res = message.buffer(1).and_then(|mut r| ConfigRes::decode(&mut r)).ok()?;
        Some((res, outcome.bulk.clone().unwrap_or_default(), message.order))
    }

    pub(super) fn on_table(
        &mut self,
        task: &mut Task,
        mut reading: Reading,
        outcome: &Outcome,
        entries: usize,
    ) {
        let Some((name, owner, last)) =
            self.logs.get(&reading.key).map(|l| (l.name.clone(), l.owner.clone(), l.last))
        else {
            task.stage = Stage::Next;
            return;
        };
        if outcome.status == ENOENT {
            self.event(Event::TableRead { table: name, entries, version: None });
            return self.read_done(task, &reading);
        }
        let Some((res, bulk, order)) = self.config_res(outcome) else {
            self.mark_lost(reading.key);
            return self.read_done(task, &reading);
        };
        match table::nidtbl(&bulk, res, last, self.dialect.nid_size, order) {
            Ok(list) => {
                let total = entries + list.len();
                self.with_mount(&owner, |_, mount| mount.interp.targets_moved(&list));
                if let Some(log) = self.logs.get_mut(&reading.key) {
                    log.last = res.offset;
                }
                if res.offset < res.size_or_pass {
                    self.send_table(task, reading.key);
                    reading.part = Part::Table { entries: total };
                    task.stage = Stage::Reading(reading);
                    return;
                }
                self.event(Event::TableRead { table: name, entries: total, version: Some(res.offset) });
            }
            Err(what) => {
                self.violation(Violation::Table { table: name, what });
                self.mark_lost(reading.key);
            }
        }
        self.read_done(task, &reading);
    }

    pub(super) fn on_nodemap(
        &mut self,
        task: &mut Task,
        mut reading: Reading,
        outcome: &Outcome,
        mut read: NodemapRead,
    ) {
        if outcome.status == ENOENT {
            self.event(Event::NodemapRead { records: None });
            return self.read_done(task, &reading);
        }
        let Some((res, bulk, order)) = self.config_res(outcome) else {
            self.mark_lost(reading.key);
            return self.read_done(task, &reading);
        };
        match read.take(&bulk, res, order) {
            Ok(NodemapStep::More) => {
                self.send_nodemap(task, &read);
                reading.part = Part::Nodemap(read);
                task.stage = Stage::Reading(reading);
            }
            Ok(NodemapStep::End) => {
                debug_assert_eq!(read.offset, END_OFFSET);
                self.event(Event::NodemapRead { records: Some(read.records) });
                self.read_done(task, &reading);
            }
            Ok(NodemapStep::Again) => {
                self.mark_lost(reading.key);
                self.read_done(task, &reading);
            }
            Ok(NodemapStep::Panic) => {
                let what = "end of the nodemap without the default nodemap".to_owned();
                self.violation(Violation::Nodemap { what: what.clone() });
                self.crash(what);
            }
            Err(what) => {
                self.violation(Violation::Nodemap { what });
                self.mark_lost(reading.key);
                self.read_done(task, &reading);
            }
        }
    }
}
