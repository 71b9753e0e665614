//! Targets for tests: what a server of 2.17 sends for them.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

use crate::harness::{Mgs, encode, nid, request_body};
use wire::mgs::{TargetInfo, TargetNidList, ldd};
use wire::ptlrpc::{Body, opc};
use wire::{Codec, Nid, Order};

#[derive(Clone, Debug)]
pub struct Node {
    pub nid: Nid,
    pub uuid: String,
    pub nids: Vec<String>,
    pub info: TargetInfo,
}

pub struct Reply {
    pub status: i32,
    pub info: TargetInfo,
}

fn target(fs: &str, kind: u32, index: u32) -> Node {
    let name = if kind == ldd::SV_TYPE_MDT { "MDT" } else { "OST" };
    let flags = kind | ldd::VIRGIN | ldd::UPDATE | ldd::LARGE_NID | ldd::OPC_REG;
    Node {
        nid: nid("10.0.0.3@tcp"),
        uuid: "server".to_owned(),
        nids: vec!["10.0.0.3@tcp".to_owned()],
        info: TargetInfo {
            lustre_ver: 0x0211_3900,
            stripe_index: index,
            flags,
            nid_count: 1,
            fsname: fs.to_owned(),
            svname: format!("{fs}-{name}{index:04x}"),
            ..TargetInfo::default()
        },
    }
}

pub fn ost(index: u32) -> Node {
    target("testfs", ldd::SV_TYPE_OST, index)
}
pub fn mdt(index: u32) -> Node {
    target("testfs", ldd::SV_TYPE_MDT, index)
}

impl Node {
    pub fn of(mut self, fs: &str) -> Self {
        self.info.svname = self.info.svname.replace(&self.info.fsname, fs);
        self.info.fsname = fs.to_owned();
        self
    }
    /// Registered before: an ordinary start.
    pub fn again(mut self) -> Self {
        self.info.flags &= !(ldd::VIRGIN | ldd::UPDATE);
        self
    }
    pub fn writeconf(mut self) -> Self {
        self.info.flags = (self.info.flags & !ldd::VIRGIN) | ldd::WRITECONF | ldd::UPDATE;
        self
    }
    pub fn ready(mut self, instance: u32) -> Self {
        self.info.flags = (self.info.flags & !ldd::OPC_MASK) | ldd::OPC_READY;
        self.info.instance = instance;
        self
    }
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

pub fn request(node: &Node, handle: u64) -> (Body, Vec<Vec<u8>>) {
    let list =
        TargetNidList { flags: 0, count: u32::try_from(node.nids.len()).unwrap(), inline: node.nids.clone() };
    (request_body(handle, opc::MGS_TARGET_REG), vec![encode(&node.info), encode(&list)])
}

/// Connects its node if need be and sends the registration; returns its xid.
pub fn send(mgs: &mut Mgs, node: &Node) -> u64 {
    let known = mgs.engine.exports().iter().find(|e| e.uuid == node.uuid).map(|e| e.cookie);
    let handle = known.unwrap_or_else(|| mgs.connect(node.nid, &node.uuid));
    let (body, buffers) = request(node, handle);
    mgs.send(node.nid, body, buffers)
}

/// The reply to a registration, which has to be there.
pub fn reply(mgs: &Mgs, xid: u64) -> Reply {
    let message = mgs.reply(xid).expect("answered").message();
    let body = message.body().unwrap();
    assert_eq!(body.msg_type, 4713, "a refusal is a reply too, or the target mounts from its local copy");
    Reply { status: body.status, info: TargetInfo::from_slice(&message.buffers[1], Order::Little).unwrap() }
}

/// Registers; the reply has to come at once.
pub fn register(mgs: &mut Mgs, node: &Node) -> Reply {
    let xid = send(mgs, node);
    reply(mgs, xid)
}
