//! Taking a lock and reading what it guards: configuration logs, NID table, nodemap.
mod bulk;
mod cursor;
mod llog;
mod table;

use super::lock::{Lock, describe, enqueue_request, pid};
use super::mount::{Stage, Task};
use super::rpc::{CONNECT_WAIT, Call, Outcome, Owner};
use super::{ConfigLog, ConsoleLine, Event, LogKey, Node, Role, Violation};
use bytes::Bytes;
use cursor::LogCursor;
pub(crate) use cursor::Record;
use std::time::Duration;
use table::NodemapRead;
use wire::Codec;
use wire::ldlm::{LdlmReply, ResId, lock_flags, mode};
use wire::llog_rpc::LogId;
use wire::ptlrpc::opc;

const ENOENT: i32 = -2;
const ETIMEDOUT: i32 = -110;
/// Without a connection, servers and the sptlrpc log give up a lock soon.
const SHORT_WAIT: Duration = Duration::from_secs(5);

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

impl Reading {
    /// Waits for the completion callback of its lock.
    pub(super) const fn is_granting(&self) -> bool {
        matches!(self.part, Part::Granting)
    }
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
        let short = role == Role::Sptlrpc || self.is_target(&task.name);
        let connect_wait = if short { SHORT_WAIT } else { CONNECT_WAIT };
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
    pub(super) fn read_part(&mut self, task: &mut Task, mut reading: Reading) {
        let lock = self.logs.get(&reading.key).and_then(|log| self.locks.held.get(&log.lock?));
        if let Some((name, kind)) = lock.and_then(|lock| describe(&lock.resource)) {
            self.event(Event::Locked { name, kind });
        }
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
                return match self.logs.get(&reading.key).map(|l| l.role) {
                    Some(Role::Recover | Role::Nodemap | Role::Barrier) | None => {
                        self.read_done(task, &reading)
                    }
                    Some(_) => self.log_end(task, &reading, None, ETIMEDOUT),
                };
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
}
