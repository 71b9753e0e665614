//! Taking a lock and reading what it guards: configuration logs, NID table, nodemap.
use super::lock::{Lock, enqueue_request, pid};
use super::log::{LogCursor, Record, Step as LogStep};
use super::mount::{MountKind, Stage, Task};
use super::rpc::{CONNECT_WAIT, Call, Outcome, Owner};
use super::table::{self, NodemapRead, NodemapStep};
use super::{ConfigLog, ConsoleLine, Event, LogKey, Node, Role, Violation};
use bytes::Bytes;
use std::time::Duration;
use wire::ldlm::{LdlmReply, ResId, lock_flags, mode};
use wire::llog_rpc::{LlogdBody, LogId};
use wire::mgs::{ConfigBody, ConfigRes, config_type};
use wire::nodemap::END_OFFSET;
use wire::ptlrpc::opc;
use wire::{Codec, Order};

/// `mgc_requeue_timeout_min`, and the same again at random.
const REQUEUE: Duration = Duration::from_secs(5);
/// log2 of the page of x86.
const PAGE_BITS: u8 = 12;
/// Pages of a first read, and of later reads of the NID table.
const UNITS: (u32, u32) = (256, 4);
/// `LLOG_F_IS_PLAIN`.
const PLAIN_LOG: u32 = 4;
const BLOCK_LEN: u32 = 8192;
const ENOENT: i32 = -2;
const ETIMEDOUT: i32 = -110;
/// A lock for the sptlrpc log is given up soon when there is no connection.
const SPTLRPC_WAIT: Duration = Duration::from_secs(5);

/// A log being read.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) key: LogKey,
    part: Part,
    /// Opens still to be sent for the sptlrpc log.
    opens: u8,
    /// Give the lock back when done.
    cancel_after: bool,
}

#[derive(Debug)]
enum Part {
    Enqueue,
    Granting,
    Open,
    Header { id: LogId },
    Block { id: LogId, cursor: Box<LogCursor>, records: Vec<Record>, seen: usize },
    Table { entries: usize },
    Nodemap(NodemapRead),
}

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

fn plain_call(task: &Task, opcode: u32, buffers: Vec<Bytes>, repsize: u32) -> Call {
    Call {
        opc: opcode,
        buffers,
        repsize,
        bulk_room: None,
        exposed: None,
        pid: if task.owner == Owner::Requeue { pid::REQUEUE } else { pid::MOUNT },
        patience: None,
        connect_wait: CONNECT_WAIT,
    }
}

impl Node {
    pub(crate) fn add_log(&mut self, owner: &str, role: Role, name: &str) -> Option<LogKey> {
        let base = name.rsplit_once('-').map_or(name, |(base, _)| base);
        let resource = ResId::config(base, role.kind())?;
        let key = self.next_log;
        self.next_log += 1;
        let log = ConfigLog {
            owner: owner.to_owned(),
            role,
            name: name.to_owned(),
            resource,
            lock: None,
            last: 0,
            lost: false,
        };
        self.logs.insert(key, log);
        Some(key)
    }

    fn read_call(
        &mut self,
        task: &Task,
        opcode: u32,
        buffers: Vec<Bytes>,
        repsize: u32,
        room: Option<usize>,
    ) {
        let call = Call { bulk_room: room, ..plain_call(task, opcode, buffers, repsize) };
        self.call(task.owner, call);
    }

    /// Enqueue; the reading follows when granted.
    pub(crate) fn start_read(&mut self, task: &mut Task, key: LogKey) {
        let Some(log) = self.logs.get_mut(&key) else { return };
        let (cookie, resource, role) = (self.locks.cookie(), log.resource, log.role);
        log.lock = Some(cookie);
        log.lost = false;
        let lock = Lock { log: key, resource, server: 0, granted: false, revoked: false };
        self.locks.held.insert(cookie, lock);
        let request = enqueue_request(resource, cookie).to_vec(self.cfg.order).into();
        let connect_wait = if role == Role::Sptlrpc { SPTLRPC_WAIT } else { CONNECT_WAIT };
        let call = Call { connect_wait, ..plain_call(task, opc::LDLM_ENQUEUE, vec![request], 344) };
        self.call(task.owner, call);
        task.stage = Stage::Reading(Reading { key, part: Part::Enqueue, opens: 1, cancel_after: false });
    }

    /// Open of a log whose lock is held already.
    pub(crate) fn open_only(&mut self, task: &mut Task, key: LogKey) {
        self.read_part(task, Reading { key, part: Part::Open, opens: 1, cancel_after: false });
    }

    pub(crate) fn set_opens(&mut self, task: &mut Task, n: u8) {
        if let Stage::Reading(reading) = &mut task.stage {
            reading.opens = n;
        }
    }

    pub(crate) fn set_cancel_after(&mut self, task: &mut Task) {
        if let Stage::Reading(reading) = &mut task.stage {
            reading.cancel_after = true;
        }
    }

    /// The log is being read under this lock.
    pub(crate) fn reading(&self, key: LogKey, cookie: u64) -> bool {
        let held = self.logs.get(&key).is_some_and(|l| l.lock == Some(cookie));
        let tasks = [&self.mount_task, &self.requeue];
        held && tasks.into_iter().flatten().any(|t| matches!(&t.stage, Stage::Reading(r) if r.key == key))
    }

    /// A completion callback granted a waiting lock.
    pub(crate) fn lock_granted(&mut self, cookie: u64) {
        let Some(key) = self.locks.held.get(&cookie).map(|l| l.log) else { return };
        for owner in [Owner::Mount, Owner::Requeue] {
            let slot = if owner == Owner::Requeue { &mut self.requeue } else { &mut self.mount_task };
            let waits = |t: &mut Task| matches!(&t.stage, Stage::Reading(Reading { key: k, part: Part::Granting, .. }) if *k == key);
            if let Some(mut task) = slot.take_if(waits)
                && let Stage::Reading(reading) = std::mem::replace(&mut task.stage, Stage::Next)
            {
                self.read_part(&mut task, reading);
                self.run(task);
            }
        }
    }

    /// The first request behind a granted lock.
    fn read_part(&mut self, task: &mut Task, mut reading: Reading) {
        let Some(role) = self.logs.get(&reading.key).map(|l| l.role) else {
            task.stage = Stage::Next;
            return;
        };
        match role {
            Role::Barrier => return self.read_done(task, &reading),
            Role::Recover => {
                reading.part = Part::Table { entries: 0 };
                self.send_table(task, reading.key);
            }
            Role::Nodemap => {
                let start = NodemapRead::default();
                self.send_nodemap(task, &start);
                reading.part = Part::Nodemap(start);
            }
            Role::Sptlrpc | Role::Main | Role::Params | Role::Lwp => {
                reading.part = Part::Open;
                self.send_open(task, reading.key);
            }
        }
        task.stage = Stage::Reading(reading);
    }

    fn send_open(&mut self, task: &Task, key: LogKey) {
        let Some(name) = self.logs.get(&key).map(|l| l.name.clone()) else { return };
        let body = LlogdBody::default().to_vec(self.cfg.order);
        let mut buffers = vec![body.into(), Bytes::from(format!("{name}\0"))];
        buffers.extend(self.dialect.open_creds.then(credentials));
        self.read_call(task, opc::LLOG_ORIGIN_HANDLE_CREATE, buffers, 272, None);
    }

    fn send_block(&mut self, task: &Task, id: LogId, cursor: &LogCursor) {
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

    fn send_table(&mut self, task: &Task, key: LogKey) {
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

    fn send_nodemap(&mut self, task: &Task, read: &NodemapRead) {
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

    fn send_config_read(&mut self, task: &Task, body: &ConfigBody) {
        let room = usize::try_from(body.units).unwrap_or(0) << PAGE_BITS;
        let buffers = vec![body.to_vec(self.cfg.order).into()];
        self.read_call(task, opc::MGS_CONFIG_READ, buffers, 240, Some(room));
    }

    /// An answer while reading.
    pub(crate) fn read_on(&mut self, task: &mut Task, mut reading: Reading, outcome: Outcome) {
        match std::mem::replace(&mut reading.part, Part::Granting) {
            Part::Enqueue => self.on_enqueued(task, reading, &outcome),
            Part::Granting => {}
            Part::Open => self.on_opened(task, reading, &outcome),
            Part::Header { id } => self.on_header(task, reading, &outcome, id),
            Part::Block { id, cursor, records, seen } => {
                self.on_block(task, reading, &outcome, (id, cursor, records, seen));
            }
            Part::Table { entries } => self.on_table(task, reading, &outcome, entries),
            Part::Nodemap(read) => self.on_nodemap(task, reading, &outcome, read),
        }
    }

    fn on_enqueued(&mut self, task: &mut Task, mut reading: Reading, outcome: &Outcome) {
        let cookie = self.logs.get(&reading.key).and_then(|l| l.lock).unwrap_or_default();
        let reply = outcome.message.as_ref().filter(|_| outcome.status == 0);
        let reply = reply.map(|m| m.buffer(1).and_then(|mut r| LdlmReply::decode(&mut r)));
        let Some(Ok(reply)) = reply else {
            // The kernel reads without a lock and tries again later.
            self.locks.held.remove(&cookie);
            if let Some(log) = self.logs.get_mut(&reading.key) {
                log.lock = None;
                let text = format!("can't get lock for {}: rc = {}", log.name, outcome.status);
                self.console(ConsoleLine::error(text));
            }
            self.mark_lost(reading.key);
            if outcome.status == ETIMEDOUT && !self.is_full() {
                return self.log_end(task, &reading, None, ETIMEDOUT);
            }
            return self.read_part(task, reading);
        };
        let waiting = reply.flags & (lock_flags::BLOCK_GRANTED | lock_flags::BLOCK_WAIT) != 0;
        let mut wrong = Vec::new();
        if let Some(lock) = self.locks.held.get_mut(&cookie) {
            if reply.handle == 0 {
                wrong.push("lock cookie 0".to_owned());
            }
            if reply.desc.resource != lock.resource {
                wrong.push(format!("lock on {:?} instead of {:?}", reply.desc.resource, lock.resource));
            }
            if !waiting && reply.desc.granted_mode != mode::CR {
                wrong.push(format!("granted mode {}", reply.desc.granted_mode));
            }
            lock.server = reply.handle;
            lock.granted |= !waiting;
            lock.revoked |= reply.flags & lock_flags::AST_SENT != 0;
        }
        let third = outcome.message.as_ref().map_or(0, |m| m.buffers.len());
        if third < 3 {
            wrong.push("no LVB buffer".to_owned());
        }
        for what in wrong {
            self.violation(Violation::BadReply { opc: opc::LDLM_ENQUEUE, what });
        }
        if self.locks.held.get(&cookie).is_none_or(|l| l.granted) {
            self.read_part(task, reading);
        } else {
            reading.part = Part::Granting;
            task.stage = Stage::Reading(reading);
        }
    }

    fn on_opened(&mut self, task: &mut Task, mut reading: Reading, outcome: &Outcome) {
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

    fn on_header(&mut self, task: &mut Task, mut reading: Reading, outcome: &Outcome, id: LogId) {
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

    fn on_block(
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
        let server =
            self.mounts.iter().any(|m| m.name == task.name && matches!(m.kind, MountKind::Target { .. }));
        if !more || !server {
            let batch = std::mem::take(&mut records);
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

    fn advance_to(&mut self, key: LogKey, last: u32) {
        if let Some(log) = self.logs.get_mut(&key) {
            log.last = log.last.max(u64::from(last));
        }
    }

    /// Executes records of a main or params log; the position is the one that fails.
    fn execute(&mut self, key: LogKey, records: &[Record]) -> Result<(), i32> {
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

    /// The reading of a log is over, well (`records`) or not (`status`).
    fn log_end(&mut self, task: &mut Task, reading: &Reading, records: Option<usize>, status: i32) {
        let Some(log) = self.logs.get(&reading.key) else {
            task.stage = Stage::Next;
            return;
        };
        let (owner, name, role) = (log.owner.clone(), log.name.clone(), log.role);
        let last = u32::try_from(log.last).unwrap_or(u32::MAX);
        self.event(Event::LogRead { owner: owner.clone(), log: name.clone(), records, last });
        let first = task.owner == Owner::Mount;
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

    /// After any reading: a lock revoked meanwhile goes back now.
    fn read_done(&mut self, task: &mut Task, reading: &Reading) {
        task.stage = Stage::Next;
        let Some(cookie) = self.logs.get(&reading.key).and_then(|l| l.lock) else { return };
        let revoked = self.locks.held.get(&cookie).is_some_and(|l| l.revoked);
        if revoked || reading.cancel_after {
            self.drop_lock(cookie, Owner::Cancel);
            self.mark_lost(reading.key);
        }
    }

    fn config_res(&mut self, outcome: &Outcome) -> Option<(ConfigRes, Bytes, Order)> {
        let message = outcome.message.as_ref().filter(|_| outcome.status == 0)?;
        let res = message.buffer(1).and_then(|mut r| ConfigRes::decode(&mut r)).ok()?;
        Some((res, outcome.bulk.clone().unwrap_or_default(), message.order))
    }

    fn on_table(&mut self, task: &mut Task, mut reading: Reading, outcome: &Outcome, entries: usize) {
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

    fn on_nodemap(
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

    fn log_violation(&mut self, key: LogKey, what: String) {
        if let Some(log) = self.logs.get(&key).map(|l| l.name.clone()) {
            self.violation(Violation::Log { log, what });
        }
    }

    /// The log has to be read again.
    pub(crate) fn mark_lost(&mut self, key: LogKey) {
        if let Some(log) = self.logs.get_mut(&key) {
            log.lost = true;
            if self.requeue.is_none() {
                self.schedule_requeue();
            }
        }
    }

    pub(crate) fn schedule_requeue(&mut self) {
        if self.requeue_at.is_none() {
            let extra = self.random.below(5_000);
            self.requeue_at = Some(self.now + REQUEUE + Duration::from_millis(extra));
        }
    }

    /// Reads every lost log again: mounts from the youngest to the oldest, then nodemap and sptlrpc.
    pub(crate) fn start_requeue(&mut self) {
        self.requeue_at = None;
        let mut keys: Vec<LogKey> = Vec::new();
        for mount in self.mounts.iter().rev() {
            for role in mount.requeue_order() {
                keys.extend(self.lost_logs(|l| l.owner == mount.name && l.role == *role));
            }
        }
        keys.extend(self.lost_logs(|l| l.role == Role::Nodemap));
        keys.extend(self.lost_logs(|l| l.role == Role::Sptlrpc));
        if !keys.is_empty() {
            self.run(Task::new(Owner::Requeue, "", keys.into_iter().map(super::mount::Step::Again)));
        }
    }

    fn lost_logs(&self, mine: impl Fn(&ConfigLog) -> bool) -> Vec<LogKey> {
        self.logs.iter().filter(|(_, l)| l.lost && mine(l)).map(|(k, _)| *k).collect()
    }

    /// Eviction: no lock is left, everything is read again.
    pub(crate) fn lose_all_locks(&mut self) {
        self.locks.held.clear();
        let held: Vec<LogKey> = self.logs.iter().filter(|(_, l)| l.lock.is_some()).map(|(k, _)| *k).collect();
        for key in held {
            if let Some(log) = self.logs.get_mut(&key) {
                log.lock = None;
            }
            self.mark_lost(key);
        }
        for owner in [Owner::Mount, Owner::Requeue] {
            let slot = if owner == Owner::Requeue { &mut self.requeue } else { &mut self.mount_task };
            let waits =
                |t: &mut Task| matches!(&t.stage, Stage::Reading(Reading { part: Part::Granting, .. }));
            if let Some(mut task) = slot.take_if(waits)
                && let Stage::Reading(reading) = std::mem::replace(&mut task.stage, Stage::Next)
            {
                self.read_part(&mut task, reading);
                self.run(task);
            }
        }
    }
}
