//! Open, header, blocks; executing what is read.
use super::cursor::{LogCursor, Record, Step as LogStep};
use super::{ENOENT, Part, Reading};
use crate::node::mount::{Stage, Task};
use crate::node::rpc::{Outcome, Owner};
use crate::node::{ConsoleLine, Event, LogKey, Node, Role, Violation};
use bytes::Bytes;
use wire::Codec;
use wire::llog_rpc::{LlogdBody, LogId};
use wire::ptlrpc::opc;

/// `LLOG_F_IS_PLAIN`.
const PLAIN_LOG: u32 = 4;
const BLOCK_LEN: u32 = 8192;

/// Credentials of the caller at log open (`mdt_body`): zero but for two ids of all ones.
fn credentials() -> Bytes {
    let mut raw = vec![0_u8; 216];
    for at in [112, 144] {
        if let Some(word) = raw.get_mut(at..at + 4) {
            word.fill(0xff);
        }
    }
    raw.into()
}

impl Node {
    pub(super) fn send_open(&mut self, task: &Task, key: LogKey) {
        let Some(name) = self.logs.get(&key).map(|l| l.name.clone()) else { return };
        let body = LlogdBody::default().to_vec(self.cfg.order);
        let mut buffers = vec![body.into(), Bytes::from(format!("{name}\0"))];
        buffers.extend(self.dialect.open_creds.then(credentials));
        self.read_call(task, opc::LLOG_ORIGIN_HANDLE_CREATE, buffers, 272, None);
    }

    pub(super) fn send_block(&mut self, task: &Task, id: LogId, cursor: &LogCursor) {
        let at = cursor.position();
        let body = LlogdBody {
            logid: id,
            llh_flags: PLAIN_LOG,
            index: at.index,
            saved_index: at.saved,
            len: BLOCK_LEN,
            cur_offset: at.offset,
            ..LlogdBody::default()
        };
        let buffers = vec![body.to_vec(self.cfg.order).into()];
        self.read_call(task, opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK, buffers, 8472, None);
    }

    pub(super) fn on_opened(&mut self, task: &mut Task, mut reading: Reading, outcome: &Outcome) {
        reading.opens = reading.opens.saturating_sub(1);
        if outcome.status == ENOENT && reading.opens > 0 {
            self.send_open(task, reading.key);
            reading.part = Part::Open;
            task.stage = Stage::Reading(reading);
            return;
        }
        if outcome.status != 0 {
            return self.log_end(task, &reading, None, outcome.status);
        }
        let body = outcome.message.as_ref().map(|m| m.buffer(1).and_then(|mut r| LlogdBody::decode(&mut r)));
        let id = match body {
            Some(Ok(body)) if body.logid != LogId::default() => body.logid,
            _ => {
                self.log_violation(reading.key, "open without a log id".to_owned());
                return self.log_end(task, &reading, None, -71);
            }
        };
        let body = LlogdBody { logid: id, llh_flags: PLAIN_LOG, ..LlogdBody::default() };
        let buffers = vec![body.to_vec(self.cfg.order).into()];
        self.read_call(task, opc::LLOG_ORIGIN_HANDLE_READ_HEADER, buffers, 8416, None);
        reading.part = Part::Header { id };
        task.stage = Stage::Reading(reading);
    }

    pub(super) fn on_header(&mut self, task: &mut Task, mut reading: Reading, outcome: &Outcome, id: LogId) {
        let header = outcome.message.as_ref().filter(|_| outcome.status == 0);
        let Some((header, order)) = header.and_then(|m| m.buffers.get(1).map(|b| (b.clone(), m.order)))
        else {
            return self.log_end(task, &reading, None, outcome.status.min(-5));
        };
        let last = self.logs.get(&reading.key).map_or(0, |l| l.last);
        match LogCursor::start(&header, u32::try_from(last).unwrap_or(u32::MAX), order) {
            Ok(Some(cursor)) => {
                self.send_block(task, id, &cursor);
                reading.part = Part::Block { id, cursor: Box::new(cursor), records: Vec::new(), seen: 0 };
                task.stage = Stage::Reading(reading);
            }
            Ok(None) => self.log_end(task, &reading, Some(0), 0),
            Err(what) => {
                self.log_violation(reading.key, what);
                self.log_end(task, &reading, None, -5);
            }
        }
    }

    pub(super) fn on_block(
        &mut self,
        task: &mut Task,
        mut reading: Reading,
        outcome: &Outcome,
        state: (LogId, Box<LogCursor>, Vec<Record>, usize),
    ) {
        let (id, mut cursor, mut records, mut seen) = state;
        let body = outcome.message.as_ref().map(|m| m.buffer(1).and_then(|mut r| LlogdBody::decode(&mut r)));
        let (Some(message), Some(Ok(body))) = (&outcome.message, body) else {
            return self.log_end(task, &reading, None, outcome.status.min(-5));
        };
        let data = message.buffers.get(2).cloned().unwrap_or_default();
        let eof = outcome.status == -5 || (outcome.status == -53 && self.dialect.eof_ebadr);
        let step = if eof {
            cursor.on_eof(&body).map(|()| LogStep::End(Vec::new()))
        } else if outcome.status != 0 {
            return self.log_end(task, &reading, None, outcome.status);
        } else {
            cursor.on_block(&body, &data, message.order)
        };
        let (fresh, more) = match step {
            Ok(LogStep::More(fresh)) => (fresh, true),
            Ok(LogStep::End(fresh)) => (fresh, false),
            Err(what) => {
                self.log_violation(reading.key, what);
                return self.log_end(task, &reading, None, -5);
            }
        };
        seen += fresh.len();
        records.extend(fresh);
        // A client executes as it reads; a server copies the whole log first and executes the copy.
        let server = self.is_target(&task.name);
        if !more || !server {
            let batch = std::mem::take(&mut records);
            if server {
                self.keep_copy(reading.key, &batch);
            }
            if let Err(errno) = self.execute(reading.key, &batch) {
                return self.log_end(task, &reading, Some(seen), errno);
            }
        }
        if more {
            self.send_block(task, id, &cursor);
            reading.part = Part::Block { id, cursor, records, seen };
            task.stage = Stage::Reading(reading);
        } else {
            self.advance_to(reading.key, cursor.last());
            self.log_end(task, &reading, Some(seen), 0);
        }
    }

    pub(super) fn advance_to(&mut self, key: LogKey, last: u32) {
        if let Some(log) = self.logs.get_mut(&key) {
            log.last = log.last.max(u64::from(last));
        }
    }

    /// Executes records of a main or params log; the position is the one that fails.
    pub(super) fn execute(&mut self, key: LogKey, records: &[Record]) -> Result<(), i32> {
        let Some((owner, role, name)) =
            self.logs.get(&key).map(|l| (l.owner.clone(), l.role, l.name.clone()))
        else {
            return Ok(());
        };
        for record in records {
            let failed = match role {
                Role::Main | Role::Params => self
                    .with_mount(&owner, |_, mount| mount.interp.execute(record.index, &record.payload).err())
                    .flatten(),
                _ => llog::LustreCfg::decode(&record.payload).err().map(|e| crate::interp::ExecError {
                    index: record.index,
                    errno: -22,
                    what: e.to_string(),
                }),
            };
            self.advance_to(key, record.index);
            if let Some(error) = failed {
                self.console(ConsoleLine::error(format!("{name}: cfg command failed: {error}")));
                return Err(error.errno);
            }
        }
        Ok(())
    }

    /// A server keeps what it read of its own log.
    fn keep_copy(&mut self, key: LogKey, records: &[Record]) {
        let Some(log) = self.logs.get(&key).filter(|l| l.role == Role::Main) else { return };
        let copy = self.copies.entry(log.name.clone()).or_default();
        let from = records.first().map_or(u32::MAX, |r| r.index);
        copy.retain(|r| r.index < from);
        copy.extend_from_slice(records);
    }

    /// Without the MGS a server executes its copy. `None`: there is none.
    fn execute_copy(&mut self, key: LogKey) -> Option<usize> {
        let name = self.logs.get(&key).map(|l| l.name.clone())?;
        let copy = self.copies.get(&name).cloned()?;
        self.console(ConsoleLine::info(format!("{name}: no log from the MGS, using the local copy")));
        self.execute(key, &copy).ok()?;
        Some(copy.len())
    }

    /// The reading of a log is over, well (`records`) or not (`status`).
    pub(super) fn log_end(
        &mut self,
        task: &mut Task,
        reading: &Reading,
        records: Option<usize>,
        status: i32,
    ) {
        let Some(log) = self.logs.get(&reading.key) else {
            task.stage = Stage::Next;
            return;
        };
        let (owner, name, role) = (log.owner.clone(), log.name.clone(), log.role);
        let first = task.owner == Owner::Mount;
        let (records, status) = match status {
            0 => (records, 0),
            _ if role != Role::Main || !first || records.is_some() => (records, status),
            _ => match self.execute_copy(reading.key) {
                Some(n) => {
                    self.mark_lost(reading.key);
                    (Some(n), 0)
                }
                None => (None, status),
            },
        };
        let last = self.logs.get(&reading.key).map_or(0, |l| u32::try_from(l.last).unwrap_or(u32::MAX));
        self.event(Event::LogRead { owner: owner.clone(), log: name.clone(), records, last });
        if status != 0 && role == Role::Main && first {
            self.console(ConsoleLine::error(format!("{name}: failed processing log: rc = {status}")));
            self.read_done(task, reading);
            return self.fail(task, status, format!("configuration log {name}"));
        }
        // What cannot be executed stays so until the next change; what could not be read is tried again.
        if records.is_none() && status != ENOENT {
            self.mark_lost(reading.key);
        }
        let fresh = records.is_some_and(|n| n > 0) && matches!(role, Role::Main | Role::Params);
        if !first && fresh {
            let config = self.with_mount(&owner, |_, m| Box::new(m.interp.tree().clone()));
            if let Some(config) = config {
                self.event(Event::Reconfigured { name: owner, config });
            }
        }
        self.read_done(task, reading);
    }

    pub(super) fn log_violation(&mut self, key: LogKey, what: String) {
        if let Some(log) = self.logs.get(&key).map(|l| l.name.clone()) {
            self.violation(Violation::Log { log, what });
        }
    }
}
