//! A client that reads a log as a kernel does: opens it by name each time, and asks for the first live record behind the
//! last one that it executed.

use crate::harness::{Mgs, connect_body, connect_request, encode, nid, request_body};
use crate::targets;
use lustre_peer::interp::{ConfigTree, Interpreter, Role};
use mgs_core::Errno;
use wire::llog_rpc::{LlogdBody, LogId};
use wire::ptlrpc::{Message, opc};
use wire::{Codec, Nid, Order};

/// What a reading came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Log,
    /// -ESTALE.
    Stale,
}

#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) log: String,
    pub(crate) cursor: u32,
    /// Of the last reading.
    pub(crate) id: LogId,
    nid: Nid,
    uuid: String,
    handle: u64,
    conn_cnt: u32,
    interp: Interpreter,
}

impl Node {
    /// A mount.
    pub(crate) fn mounted(mgs: &mut Mgs, host: u8) -> Self {
        Self::attempting(mgs, host, 1, 0)
    }

    /// One whose attempts before this were lost, or that holds a handle.
    pub(crate) fn attempting(mgs: &mut Mgs, host: u8, conn_cnt: u32, handle: u64) -> Self {
        let mut node = Self {
            log: "testfs-client".to_owned(),
            cursor: 0,
            id: LogId::default(),
            nid: nid(&format!("10.0.2.{host}@tcp")),
            // another MGC at each mount
            uuid: format!("mgc {host} {}", mgs.seq + mgs.sent.len() as u64),
            handle,
            conn_cnt: conn_cnt - 1,
            interp: Interpreter::new(Role::Client, "testfs-client", Vec::new()),
        };
        node.reconnect(mgs);
        node
    }

    /// As the server of a target.
    pub(crate) fn serving(mut self, log: &str) -> Self {
        self.log = log.to_owned();
        self.interp = Interpreter::new(Role::Mdt, log, Vec::new());
        self
    }

    /// Connects, and shows the handle that it has.
    pub(crate) fn reconnect(&mut self, mgs: &mut Mgs) {
        self.conn_cnt += 1;
        let mut body = connect_body(self.conn_cnt);
        body.handle = self.handle;
        let xid = mgs.send(self.nid, body, connect_request(&self.uuid));
        let reply = mgs.reply(xid).unwrap().body();
        assert_eq!(reply.status, 0);
        self.handle = reply.handle;
    }

    pub(crate) fn unmount(self, mgs: &mut Mgs) {
        self.call(mgs, opc::MGS_DISCONNECT, Vec::new());
    }

    pub(crate) fn register(&self, mgs: &mut Mgs, target: &targets::Node) {
        let (mut body, buffers) = targets::request(target, self.handle);
        body.conn_cnt = self.conn_cnt;
        let xid = mgs.send(self.nid, body, buffers);
        assert_eq!(targets::reply(mgs, xid).status, 0);
    }

    fn call(&self, mgs: &mut Mgs, code: u32, buffers: Vec<Vec<u8>>) -> Message {
        let mut body = request_body(self.handle, code);
        body.conn_cnt = self.conn_cnt;
        let xid = mgs.send(self.nid, body, buffers);
        mgs.reply(xid).unwrap().message()
    }

    pub(crate) const fn tree(&self) -> &ConfigTree {
        self.interp.tree()
    }

    /// Reads on.
    pub(crate) fn read(&mut self, mgs: &mut Mgs) -> Found {
        let name = format!("{}\0", self.log).into_bytes();
        let open = self.call(mgs, opc::LLOG_ORIGIN_HANDLE_CREATE, vec![encode(&LlogdBody::default()), name]);
        let status = open.body().unwrap().status;
        if status == Errno::ESTALE.status() {
            return Found::Stale;
        }
        assert_eq!(status, 0, "{}", self.log);
        self.id = LlogdBody::from_slice(&open.buffers[1], Order::Little).unwrap().logid;
        let asked = LlogdBody { logid: self.id, ..LlogdBody::default() };
        let header = self.call(mgs, opc::LLOG_ORIGIN_HANDLE_READ_HEADER, vec![encode(&asked)]);
        let header = header.buffers[1].clone();
        let live = |index: u32| {
            let at = index as usize;
            header[88 + at / 8] & (1 << (at % 8)) != 0
        };
        let last = u32::from_le_bytes(header[8188..8192].try_into().unwrap());
        let mut ask = LlogdBody { index: self.cursor, cur_offset: 8192, ..asked };
        while let Some(index) = (ask.index.max(self.cursor) + 1..=last).find(|index| live(*index)) {
            ask.index = index;
            let reply = self.call(mgs, opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK, vec![encode(&ask)]);
            let status = reply.body().unwrap().status;
            if status == Errno::ESTALE.status() {
                return Found::Stale;
            }
            assert_eq!(status, 0);
            ask = LlogdBody::from_slice(&reply.buffers[1], Order::Little).unwrap();
            ask.index = self.block(&reply.buffers[2], live);
        }
        Found::Log
    }

    /// Executes the records of a block; the last index in it.
    fn block(&mut self, block: &[u8], live: impl Fn(u32) -> bool) -> u32 {
        let word = |at: usize| u32::from_le_bytes(block[at..at + 4].try_into().unwrap());
        let (mut at, mut last) = (0, 0);
        while at + 24 <= block.len() && word(at) != 0 {
            let length = word(at) as usize;
            last = word(at + 4);
            if last > self.cursor && live(last) {
                let done = self.interp.execute(last, &block[at + 16..at + length - 8]);
                assert!(done.is_ok(), "{} {last}: {done:?}", self.log);
                self.cursor = last;
            }
            at += length;
        }
        last
    }
}
