//! MGS_CONFIG_READ (256): the NID table and the nodemap index, by bulk.

use crate::Errno;
use crate::engine::{Answer, Engine, ReqId, Step};
use crate::error::{Error, Result};
use crate::model::nodemap::index::{Ask, Index};
use crate::model::recovery::{self, ReadRequest};
use crate::time::Now;
use bytes::Bytes;
use std::sync::Arc;
use wire::mgs::{ConfigBody, ConfigRes, config_type};
use wire::ptlrpc::Message;
use wire::{Codec, Order};

/// Largest buffer a reader may announce.
const MAX_BUFFER: u64 = 64 << 20;
/// Largest bulk sent at once.
const MAX_BULK: usize = 1 << 20;
/// Entries cross no page of ours, whatever the reader's page is.
const PAGE: usize = 4096;

/// Serves a table.
pub(crate) fn config_read(engine: &mut Engine, id: ReqId, message: &Message, now: Now) -> Result<Step> {
    let ask = ConfigBody::decode(&mut message.buffer(1)?)?;
    let invalid = |what| Err(Error::PeerMisbehaved { what, errno: Errno::EINVAL });
    if !(3..=26).contains(&ask.bits) {
        return invalid("unit size of a table read is out of range");
    }
    if u64::from(ask.units) << ask.bits > MAX_BUFFER {
        return invalid("buffer of a table read is larger than 64 MiB");
    }
    let open = engine.in_service_mut(id)?;
    open.object.clone_from(&ask.name);
    open.config_read = Some(ask.clone());
    if let Some(export) = engine.in_service(id)?.export {
        engine.reads(export, now);
    }
    match ask.config_type {
        config_type::RECOVER => recover(engine, &ask),
        config_type::NODEMAP => nodemap(engine, id, &ask),
        config_type::CONFIG => {
            Err(Error::Unsupported { what: "reading a log as a table".to_owned(), errno: Errno::EOPNOTSUPP })
        }
        _ => invalid("there is no table of this type"),
    }
}

fn recover(engine: &mut Engine, ask: &ConfigBody) -> Result<Step> {
    let fs = ask
        .name
        .strip_suffix("-cliir")
        .or_else(|| ask.name.strip_suffix("-mdtir"))
        .filter(|fs| !fs.is_empty());
    let Some(name) = fs else {
        return Err(Error::PeerMisbehaved {
            what: "recover tables end in -cliir or -mdtir",
            errno: Errno::EINVAL,
        });
    };
    let Some(fs) = engine.view.fs.get(name) else {
        return Err(Error::refused(
            format!("file system '{}'", name.escape_default()),
            Errno::ENOENT,
            "is not known",
            "the reader goes on without a table",
        ));
    };
    let unit = (1_usize << ask.bits).min(PAGE);
    let buffer = usize::try_from(u64::from(ask.units) << ask.bits).unwrap_or(MAX_BULK).min(MAX_BULK);
    let read = ReadRequest {
        from: ask.offset.max(1),
        unit,
        units: buffer / unit,
        large_nids: ask.nid_size_or_pass != 0,
    };
    let recovery = &mut engine.recovery;
    let (bulk, res) = recovery::read_some(fs, read, |id| recovery.serves(name, id));
    Ok(answer(bulk, res))
}

fn nodemap(engine: &mut Engine, id: ReqId, ask: &ConfigBody) -> Result<Step> {
    let refuse = |what| Err(Error::PeerMisbehaved { what, errno: Errno::EINVAL });
    if ask.name != "nodemap" {
        return refuse("the nodemap table is called nodemap");
    }
    let page = (1_usize << ask.bits).max(PAGE);
    let room = usize::try_from(u64::from(ask.units) << ask.bits).unwrap_or(MAX_BULK);
    // A page larger than what is sent at once is sent alone.
    let room = if room > MAX_BULK { MAX_BULK.max(page) } else { room };
    if room < page {
        return refuse("buffer is too small for a page of the nodemap table");
    }
    let version = engine.view.nodemaps.head.version;
    let index = match &engine.nodemaps {
        Some(index) if index.version() == version => index.clone(),
        _ => engine.nodemaps.insert(Arc::new(Index::of(&engine.view.nodemaps))).clone(),
    };
    let export = engine.in_service(id)?.export.and_then(|cookie| engine.exports.get_mut(cookie));
    let told = export.as_ref().and_then(|export| export.nodemaps);
    let (offset, pass) = (ask.offset, ask.nid_size_or_pass);
    let Some(part) = index.read(Ask { offset, pass, page, room, version: told }) else {
        return refuse("reads the nodemap table at a place that was not told");
    };
    if let Some(export) = export {
        export.nodemaps = Some(version);
    }
    Ok(answer(part.bulk, ConfigRes { offset: part.offset, size_or_pass: part.pass.into() }))
}

fn answer(bulk: Vec<u8>, res: ConfigRes) -> Step {
    Step::Reply(Answer {
        buffers: vec![Bytes::from(res.to_vec(Order::Little))],
        bulk: Some(Bytes::from(bulk)),
        ..Answer::default()
    })
}
