//! The log service: blocks, served from the image (protocol/5, section 5.2).

use super::logs::{FIRST, LogEntry};
use wire::llog_rpc::LlogdBody;

/// Length of a block, whatever was asked for.
pub const CHUNK: usize = 8192;
const CHUNK_BYTES: u64 = 8192;

/// Answer to NEXT_BLOCK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// The chunk that holds the index, and the body that goes with it.
    Data(LlogdBody, Vec<u8>),
    /// Behind the last record; the body still carries index and offset.
    End(LlogdBody),
}

/// The next chunk at or behind `ask.cur_offset` that holds `ask.index` or something later.
pub fn next_block(entry: &LogEntry, ask: &LlogdBody) -> Block {
    let log = &entry.log;
    let mut body = ask.clone();
    let end = log.end().max(FIRST);
    let asked = (ask.cur_offset.max(FIRST) - FIRST) / CHUNK_BYTES;
    let wanted = if ask.index == 0 { Some(0) } else { log.chunk_of_index(ask.index) };
    let chunk = wanted.map(|w| w.max(usize::try_from(asked).unwrap_or(usize::MAX)));
    let found = chunk.and_then(|n| Some((n, log.chunk(n)?, log.chunk_last_index(n)?)));
    match found {
        Some((n, bytes, last)) => {
            let start = FIRST + CHUNK_BYTES * n as u64;
            body.saved_index = last;
            body.cur_offset = (start + CHUNK_BYTES).min(end);
            let mut data = bytes.to_vec();
            data.resize(CHUNK, 0);
            Block::Data(body, data)
        }
        None => {
            body.saved_index = log.last_index();
            body.cur_offset = end;
            Block::End(body)
        }
    }
}

/// The chunk that holds `ask.index`, or the last one before it.
pub fn prev_block(entry: &LogEntry, ask: &LlogdBody) -> Option<(LlogdBody, Vec<u8>)> {
    let log = &entry.log;
    let n = log.chunk_of_index(ask.index).or_else(|| log.chunk_count().checked_sub(1))?;
    let mut data = log.chunk(n)?.to_vec();
    data.resize(CHUNK, 0);
    Some((ask.clone(), data))
}
