//! The log service: open by name (501), header (503), blocks (502, 508). There is no close; the id names the log.

use crate::Errno;
use crate::engine::{Answer, Engine, Generation, ReqId, Step};
use crate::error::{Error, Result};
use crate::export::Fetched;
use crate::model::logs::LogEntry;
use crate::model::names::log_base;
use crate::model::read::{self, Block, CHUNK};
use crate::time::Now;
use bytes::Bytes;
use wire::llog_rpc::{LlogdBody, LogId};
use wire::ptlrpc::Message;
use wire::{Codec, Order};

/// First release whose readers take -EBADR for the end of a log (2.17.0).
const EBADR_FROM: u32 = 0x0211_0000;

fn buffer(body: &LlogdBody) -> Bytes {
    Bytes::from(body.to_vec(Order::Little))
}

fn ask(message: &Message) -> Result<LlogdBody> {
    let body = LlogdBody::decode(&mut message.buffer(1)?)?;
    match body.ctxt_idx {
        0 => Ok(body),
        1..18 => Err(Error::PeerMisbehaved { what: "not the configuration context", errno: Errno::ENODEV }),
        _ => Err(Error::PeerMisbehaved { what: "there is no such log context", errno: Errno::EPROTO }),
    }
}

/// Opens a log: never creates one.
pub(crate) fn open(engine: &mut Engine, id: ReqId, message: &Message, now: Now) -> Result<Step> {
    let body = ask(message)?;
    let found = if body.logid == LogId::default() {
        let length = message.buffer(2)?.remaining();
        let name = message.buffer(2)?.cstr("log name", length)?;
        engine.in_service_mut(id)?.object.clone_from(&name);
        if name.contains('-')
            && let Some(export) = engine.in_service(id)?.export
        {
            engine.opens(export, log_base(&name), now);
        }
        let found = match engine.generation(id, &name)? {
            Generation::Log(found) => {
                if let Some(export) = engine.in_service(id)?.export.and_then(|e| engine.exports.get_mut(e)) {
                    export.holds(found.oid);
                }
                Some(found)
            }
            Generation::Absent => None,
            Generation::Retired => return retired(engine, id, &name, now),
        };
        if found.is_none()
            && engine.view.restore.as_ref().is_some_and(|r| r.is_gone(&name))
            && let Some(export) = engine.in_service(id)?.export
        {
            engine.is_ahead(export, &name, now);
        }
        if found.is_none()
            && let Some(why) = unknown(engine, &name)
        {
            engine.in_service_mut(id)?.why = why;
        }
        found
    } else {
        engine.view.log_by_id(body.logid).map(|(_, e)| e.id())
    };
    // Absent is normal for the security log: the reply keeps its shape, the id stays zero.
    let status = if found.is_some() { 0 } else { Errno::ENOENT.status() };
    let reply = LlogdBody { logid: found.unwrap_or_default(), ..LlogdBody::default() };
    Ok(Step::Reply(Answer::status(status, vec![buffer(&reply)])))
}

/// The reader holds an index of a generation that is gone. With ESTALE a client keeps what it has, and a server its
/// local copy; ENOENT would make the server erase that.
fn retired(engine: &mut Engine, id: ReqId, name: &str, now: Now) -> Result<Step> {
    if let Some(export) = engine.in_service(id)?.export {
        engine.is_retired(export, name, now);
    }
    "it has read a generation of the log that was retired: unmount everything on the node, then mount again"
        .clone_into(&mut engine.in_service_mut(id)?.why);
    let reply = buffer(&LlogdBody::default());
    Ok(Step::Reply(Answer::status(Errno::ESTALE.status(), vec![reply])))
}

/// Why there is no such log. `None`: its absence is normal.
fn unknown(engine: &Engine, name: &str) -> Option<String> {
    /// File systems that are named.
    const NAMED: usize = 8;
    let (fs, last) = name.rsplit_once('-').filter(|(_, last)| *last != "sptlrpc")?;
    let known = &engine.view.fs;
    let (fs, last) = (fs.escape_default(), last.escape_default());
    if known.contains_key(log_base(name)) {
        return Some(format!(
            "'{fs}' has no log '{last}'; what is registered: 'mgsctl target list --fs {fs}'"
        ));
    }
    let mut names: Vec<&str> = known.keys().take(NAMED).map(String::as_str).collect();
    if known.len() > NAMED {
        names.push("…");
    }
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Some(format!("there is no file system '{fs}' here; known: {names}; check the name in the mount command"))
}

fn log<'a>(engine: &'a mut Engine, id: ReqId, body: &LlogdBody, now: Now) -> Result<&'a LogEntry> {
    if let Some(export) = engine.in_service(id)?.export {
        engine.reads(export, now);
    }
    let name = engine.view.log_by_id(body.logid).map(|(name, _)| name.to_owned());
    engine.in_service_mut(id)?.object = name.unwrap_or_default();
    let found = engine.view.log_by_id(body.logid).map(|(_, entry)| entry);
    found.ok_or(Error::NotNow {
        what: "the log was erased since it was opened; the reader opens it again",
        errno: Errno::ENOENT,
    })
}

/// The header, synthesised for a log without records.
pub(crate) fn read_header(engine: &mut Engine, id: ReqId, message: &Message, now: Now) -> Result<Step> {
    let body = ask(message)?;
    let header = log(engine, id, &body, now)?.log.header();
    Ok(Step::Reply(Answer::ok(vec![Bytes::from(header)])))
}

/// The chunk that holds the wanted index.
pub(crate) fn next_block(engine: &mut Engine, id: ReqId, message: &Message, now: Now) -> Result<Step> {
    let body = ask(message)?;
    let entry = log(engine, id, &body, now)?;
    let (block, oid) = (read::next_block(entry, &body), entry.head.oid);
    if body.saved_index == 0
        && let Some(export) = engine.in_service(id)?.export
        && let Some(name) = engine.begins(export, &body, now)
    {
        return retired(engine, id, &name, now);
    }
    let index = match &block {
        Block::Data(body, _) => body.saved_index,
        Block::End(_) => body.index.saturating_sub(1),
    };
    if let Some((name, _)) = engine.view.log_by_id(body.logid)
        && let Some(export) = engine.in_service(id)?.export
    {
        let name = name.to_owned();
        if let Some(export) = engine.exports.get_mut(export) {
            export.fetches(&name, Fetched { oid, index, at: now.wall });
        }
    }
    // the first request of a reader says how far it has read before
    if body.saved_index == 0
        && let Some((name, _)) = engine.view.log_by_id(body.logid)
        && let Some(fence) = engine.view.restore.as_ref().and_then(|r| r.logs.get(name))
        && fence.is_ahead(body.index)
        && let Some(export) = engine.in_service(id)?.export
    {
        let name = name.to_owned();
        engine.is_ahead(export, &name, now);
    }
    Ok(Step::Reply(match block {
        Block::Data(body, data) => Answer::ok(vec![buffer(&body), Bytes::from(data)]),
        Block::End(body) => {
            let export = engine.in_service(id)?.export.and_then(|e| engine.exports.get(e));
            let end = if export.is_some_and(|e| e.version >= EBADR_FROM) { Errno::EBADR } else { Errno::EIO };
            Answer::status(end.status(), vec![buffer(&body), empty()])
        }
    }))
}

/// The chunk that holds the wanted index, or the one before.
pub(crate) fn prev_block(engine: &mut Engine, id: ReqId, message: &Message, now: Now) -> Result<Step> {
    let body = ask(message)?;
    let found = read::prev_block(log(engine, id, &body, now)?, &body);
    Ok(Step::Reply(match found {
        Some((body, data)) => Answer::ok(vec![buffer(&body), Bytes::from(data)]),
        None => Answer::status(Errno::EIO.status(), vec![buffer(&body), empty()]),
    }))
}

fn empty() -> Bytes {
    Bytes::from(vec![0; CHUNK])
}
