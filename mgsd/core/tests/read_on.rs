//! Who has read part of a log from a kernel MGS goes on here with the next record, and back again: for every log of every
//! recorded state, from several places in it, by the requests with which nodes read.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod golden;
mod harness;

use capture::states;
use golden::found::found;
use harness::{Mgs, encode, nid};
use mgs_core::model::command::{Command, param};
use std::collections::{BTreeMap, BTreeSet};
use wire::llog_rpc::LlogdBody;
use wire::ptlrpc::{Message, opc};
use wire::{Codec, Reader};

const CHUNK: usize = 8192;
const BITMAP: std::ops::Range<usize> = 88..8184;
/// `OBD_CFG_REC`, the records that nodes execute.
const RECORD: u32 = 0x1062_0000;

type Records = BTreeMap<u32, Vec<u8>>;

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// All records of chunks, one behind the other: length, index, type, then what they hold.
fn records(chunks: &[u8]) -> Vec<(u32, u32, Vec<u8>)> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at + 24 <= chunks.len() && word(chunks, at) != 0 {
        let len = word(chunks, at) as usize;
        out.push((word(chunks, at + 4), word(chunks, at + 8), chunks[at..at + len].to_vec()));
        at += len;
    }
    out
}

fn is_live(header: &[u8], index: u32) -> bool {
    let index = index as usize;
    header[BITMAP][index / 8] >> (index % 8) & 1 == 1
}

/// What a file of a kernel's `CONFIGS` has to be executed behind an index.
fn in_file(file: &[u8], processed: u32) -> Records {
    let wanted = |(index, kind, _): &(u32, u32, _)| {
        *kind == RECORD && *index > processed && is_live(&file[..CHUNK], *index)
    };
    records(&file[CHUNK..]).into_iter().filter(wanted).map(|(index, _, bytes)| (index, bytes)).collect()
}

fn last_index(file: &[u8]) -> u32 {
    word(file, CHUNK - 4)
}

/// A node that reads logs.
struct Node {
    handle: u64,
}

impl Node {
    fn new(mgs: &mut Mgs) -> Self {
        Self { handle: mgs.connect(nid("10.0.0.4@tcp"), "reader") }
    }

    fn call(&self, mgs: &mut Mgs, code: u32, buffers: Vec<Vec<u8>>) -> Message {
        mgs.call(nid("10.0.0.4@tcp"), self.handle, code, buffers).message()
    }

    /// Reads a log from behind `processed` to its end, as a client does (protocol/5): header, then block by block.
    fn read(&self, mgs: &mut Mgs, log: &str, processed: u32) -> Records {
        let open = vec![encode(&LlogdBody::default()), format!("{log}\0").into_bytes()];
        let opened = self.call(mgs, opc::LLOG_ORIGIN_HANDLE_CREATE, open);
        assert_eq!(opened.body().unwrap().status, 0, "{log}");
        let logid = body(&opened).logid;
        let ask = LlogdBody { logid, ..LlogdBody::default() };
        let header =
            self.call(mgs, opc::LLOG_ORIGIN_HANDLE_READ_HEADER, vec![encode(&ask)]).buffers[1].clone();
        let last = word(&header, CHUNK - 4);
        let mut out = Records::new();
        let Some(first) = (processed + 1..=last).find(|index| is_live(&header, *index)) else { return out };
        let mut ask = LlogdBody { logid, index: first, len: 8192, cur_offset: 8192, ..LlogdBody::default() };
        loop {
            let block = self.call(mgs, opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK, vec![encode(&ask)]);
            assert_eq!(block.body().unwrap().status, 0, "{log} {ask:?}");
            let found = records(&block.buffers[2]);
            let end = found.last().unwrap().0;
            assert_eq!(body(&block).saved_index, end, "{log} {ask:?}");
            let wanted = found.into_iter().filter(|(index, kind, _)| {
                *kind == RECORD && *index >= ask.index && is_live(&header, *index)
            });
            out.extend(wanted.map(|(index, _, bytes)| (index, bytes)));
            if end >= last {
                return out;
            }
            ask = LlogdBody { index: end + 1, saved_index: end, cur_offset: body(&block).cur_offset, ..ask };
        }
    }
}

fn body(message: &Message) -> LlogdBody {
    LlogdBody::decode(&mut Reader::new(&message.buffers[1], wire::Order::Little)).unwrap()
}

/// Stages with logs, and what an import is given of each.
fn stages() -> Vec<(String, mgs_core::model::command::import::Command)> {
    let mut out = Vec::new();
    for session in states::SESSIONS {
        let files = states::session(session);
        let names: BTreeSet<&str> = files.keys().map(|path| path.split('/').next().unwrap()).collect();
        for stage in names {
            out.push((format!("{session}/{stage}"), found(&files, stage)));
        }
    }
    out.retain(|(_, found)| !found.logs.is_empty());
    assert!(out.len() > 50, "{} stages", out.len());
    out
}

/// Places where a reader may have stopped.
fn places(last: u32) -> BTreeSet<u32> {
    BTreeSet::from([0, 1, last / 4, last / 2, last.saturating_sub(1), last])
}

#[test]
fn a_reader_of_the_kernel_goes_on_here_with_the_next_record() {
    let (mut logs, mut read) = (0, 0);
    for (stage, command) in stages() {
        let mut mgs = Mgs::new();
        let kernel = command.logs.clone();
        mgs.order(command.into()).unwrap();
        let node = Node::new(&mut mgs);
        for (log, file) in &kernel {
            logs += 1;
            for processed in places(last_index(file)) {
                let (ours, theirs) = (node.read(&mut mgs, log, processed), in_file(file, processed));
                assert_eq!(ours, theirs, "{stage} {log} behind {processed}");
                read += ours.len();
            }
        }
    }
    assert!(logs > 400 && read > 10_000, "{logs} logs, {read} records");
}

/// What mgsd appends to logs of a kernel is there for a reader of the kernel that is started from the export: the same
/// records behind the same index, whether they are read here or there.
#[test]
fn a_reader_of_ours_goes_on_with_the_next_record_of_the_export() {
    let mut appended = 0;
    for (stage, command) in stages() {
        let mut mgs = Mgs::new();
        let kernel = command.logs.clone();
        mgs.order(command.into()).unwrap();
        let file_systems: Vec<String> = mgs.engine.view().fs.keys().cloned().collect();
        for fs in &file_systems {
            for (device, name) in [(fs.clone(), "sys.timeout"), (fs.clone(), "llite.max_read_ahead_mb")] {
                let set = param::Command::Conf {
                    device,
                    name: name.to_owned(),
                    value: "91".to_owned(),
                    delete: false,
                };
                mgs.order(Command::Param(set)).unwrap();
            }
        }
        let set = param::Command::Set {
            path: "osc.*.max_dirty_mb".to_owned(),
            value: "91".to_owned(),
            delete: false,
        };
        mgs.order(Command::Param(set)).unwrap();
        let node = Node::new(&mut mgs);
        let view = mgs.engine.view();
        let export: BTreeMap<String, Vec<u8>> =
            view.logs.iter().map(|(name, entry)| (name.clone(), entry.log.to_file())).collect();
        for (log, file) in &kernel {
            let (last, now) = (last_index(file), last_index(&export[log]));
            let news = in_file(&export[log], last);
            // Nothing moves: what was read keeps its place.
            let (before, after) = (records(&file[CHUNK..]), records(&export[log][CHUNK..]));
            let places = |all: &[(u32, u32, Vec<u8>)]| -> Vec<(u32, u32, usize)> {
                all.iter().map(|(index, kind, bytes)| (*index, *kind, bytes.len())).collect()
            };
            assert_eq!(places(&after)[..before.len()], places(&before), "{stage} {log}");
            // Padding has indices, and is not executed.
            assert!(news.len() <= (now - last) as usize && news.keys().all(|index| *index > last));
            for processed in places_of(last, now) {
                assert_eq!(
                    node.read(&mut mgs, log, processed),
                    in_file(&export[log], processed),
                    "{stage} {log} behind {processed}"
                );
            }
            appended += news.len();
        }
        // It comes in again as it went out.
        for (log, file) in export.iter().filter(|(_, file)| !file.is_empty()) {
            assert_eq!(llog::Log::from_file(file).unwrap().to_file(), *file, "{stage} {log}");
        }
    }
    assert!(appended > 300, "{appended}");
}

/// Where readers of the kernel's log, and of what was appended, may have stopped.
fn places_of(last: u32, now: u32) -> BTreeSet<u32> {
    BTreeSet::from([0, last / 2, last, last.midpoint(now), now])
}
