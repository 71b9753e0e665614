//! Edits of nodemaps from lines in the words of `lctl`, and reads as servers make them.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

use crate::harness::{Mgs, nid};
use mgs_core::Error;
use mgs_core::model::command::Done;
use mgs_core::model::command::nodemap::{Action, Command, Edit};
use mgs_core::model::nodemap::index::Index;
use wire::ldlm::{ConfigKind, LdlmRequest, LockDesc, ResId, mode};
use wire::lnet::portal;
use wire::mgs::{ConfigBody, ConfigRes, config_type};
use wire::nodemap::{END_OFFSET, Entry, IdKind, IndexPage, PAGE};
use wire::ptlrpc::opc;
use wire::{Codec, Order, Reader};

/// One edit.
pub fn edit(line: &str) -> Edit {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (verb, name) = (words[0], words.get(1).copied().unwrap_or_default());
    let text = |n: usize| words.get(n).copied().unwrap_or_default().to_owned();
    let kind = || match words[2] {
        "uid" => IdKind::Uid,
        "gid" => IdKind::Gid,
        "projid" => IdKind::Projid,
        other => panic!("{other}"),
    };
    let action = match verb {
        "activate" => return Edit::Activate(name == "1"),
        "add" => Action::Add,
        "del" => Action::Del,
        "modify" => {
            let (property, value) = words[2].split_once('=').unwrap();
            Action::Set { property: property.to_owned(), value: value.to_owned() }
        }
        "add_range" => Action::AddRange(text(2)),
        "del_range" => Action::DelRange(text(2)),
        "banlist_add" => Action::Ban(text(2)),
        "banlist_del" => Action::Unban(text(2)),
        "add_idmap" => Action::AddIdmap { kind: kind(), map: text(3) },
        "del_idmap" => Action::DelIdmap { kind: kind(), map: text(3) },
        "add_offset" => {
            let (start, limit) = words[2].split_once('+').unwrap();
            Action::AddOffset { start: start.parse().unwrap(), limit: limit.parse().unwrap() }
        }
        "del_offset" => Action::DelOffset,
        "set_fileset" => Action::SetFileset(text(2)),
        "fileset_add" => Action::AddFileset { path: text(2), alternate: false, ro: text(3) == "ro" },
        "fileset_add_alt" => Action::AddFileset { path: text(2), alternate: true, ro: text(3) == "ro" },
        "fileset_del" => Action::DelFileset(words.get(2).map(|path| (*path).to_owned())),
        "fileset_modify" => {
            let flag = |on: &str, off: &str| {
                let given = words[3..].iter().find(|w| [on, off].contains(w));
                given.map(|w| *w == on)
            };
            let rename = words[3..].iter().find(|w| w.starts_with('/'));
            Action::ModifyFileset {
                path: text(2),
                rename: rename.map(|path| (*path).to_owned()),
                alternate: flag("alt", "primary"),
                ro: flag("ro", "rw"),
            }
        }
        "set_sepol" => Action::SetSepol(text(2)),
        "set_cap" => {
            let (kind, caps) = words[2].split_once(':').unwrap();
            Action::SetCaps { kind: kind.to_owned(), caps: caps.to_owned() }
        }
        other => panic!("{other}"),
    };
    Edit::Of { name: name.to_owned(), action }
}

/// One order with an edit for each line.
pub fn edits(lines: &str) -> Command {
    Command { edits: lines.lines().map(edit).collect() }
}

/// Has it done.
pub fn order(mgs: &mut Mgs, lines: &str) -> Result<Box<Done>, Error> {
    mgs.order(edits(lines).into())
}

/// The index as it would be rendered.
pub fn entries(mgs: &Mgs) -> Vec<Entry> {
    Index::of(&mgs.engine.view().nodemaps).entries().to_vec()
}

/// A server that reads.
pub struct Server {
    pub handle: u64,
    pub ask: ConfigBody,
    locks: u64,
}

impl Server {
    pub fn new(mgs: &mut Mgs) -> Self {
        let handle = mgs.connect(nid(SERVER), "server_UUID");
        let ask = ConfigBody {
            name: "nodemap".to_owned(),
            offset: 0,
            config_type: config_type::NODEMAP,
            nid_size_or_pass: 0,
            bits: 12,
            units: 256,
        };
        Self { handle, ask, locks: 0x70 }
    }

    /// The next part: its entries, or nothing when all has changed. The request moves on.
    pub fn part(&mut self, mgs: &mut Mgs) -> Option<Vec<Entry>> {
        let buffer = vec![self.ask.to_vec(Order::Little)];
        let reply = mgs.call(nid(SERVER), self.handle, opc::MGS_CONFIG_READ, buffer);
        assert_eq!(reply.body().status, 0);
        let bulk = mgs.sent.iter().rev().find(|s| s.portal == portal::MGS_BULK).unwrap().payload.clone();
        let res = ConfigRes::from_slice(&reply.message().buffers[1], Order::Little).unwrap();
        self.ask.offset = res.offset;
        self.ask.nid_size_or_pass = res.size_or_pass.try_into().unwrap();
        if bulk.is_empty() {
            assert_eq!(res.offset, 0);
            return None;
        }
        assert!(bulk.len() as u64 <= u64::from(self.ask.units) << self.ask.bits);
        assert!(bulk.len().is_multiple_of(PAGE.max(1 << self.ask.bits)));
        let mut r = Reader::new(&bulk, Order::Little);
        let mut entries = Vec::new();
        while r.remaining() > 0 {
            entries.extend(IndexPage::decode(&mut r).unwrap().entries);
        }
        Some(entries)
    }

    /// The status of a request.
    pub fn status(&self, mgs: &mut Mgs) -> i32 {
        let buffer = vec![self.ask.to_vec(Order::Little)];
        mgs.call(nid(SERVER), self.handle, opc::MGS_CONFIG_READ, buffer).body().status
    }

    /// Takes the lock, which the next change revokes.
    pub fn lock(&mut self, mgs: &mut Mgs) {
        self.locks += 1;
        let resource = ResId::config("nodemap", ConfigKind::Nodemap).unwrap();
        let desc =
            LockDesc { lock_type: wire::ldlm::PLAIN, resource, req_mode: mode::CR, ..LockDesc::default() };
        let request = LdlmRequest { desc, handles: vec![self.locks, 0], ..LdlmRequest::default() };
        let buffer = vec![request.to_vec(Order::Little)];
        assert_eq!(mgs.call(nid(SERVER), self.handle, opc::LDLM_ENQUEUE, buffer).body().status, 0);
    }

    /// Revocations that it has got so far.
    pub fn callbacks(&self, mgs: &Mgs) -> usize {
        mgs.sent.iter().filter(|s| s.portal == portal::LDLM_CB_REQUEST).count()
    }

    pub fn is_done(&self) -> bool {
        self.ask.offset == END_OFFSET
    }

    /// Everything, in parts.
    pub fn all(&mut self, mgs: &mut Mgs) -> Vec<Entry> {
        (self.ask.offset, self.ask.nid_size_or_pass) = (0, 0);
        let mut all = Vec::new();
        while all.is_empty() || !self.is_done() {
            all.extend(self.part(mgs).expect("nothing changes meanwhile"));
        }
        all
    }
}

pub const SERVER: &str = "10.77.0.3@tcp";

/// What a server reads.
pub fn read(mgs: &mut Mgs) -> Vec<Entry> {
    let mut server = Server::new(mgs);
    server.all(mgs)
}
