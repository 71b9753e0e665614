//! Scripts: operations on the world, each a byte that says what, and what it takes.
//!
//! ```text
//! 0 request    peer | flags | opcode (OPCODES) | which | buffers | buffers: u16 length, u16 n, n bytes, filled with zeros
//! 1 frame      u16 n, n bytes: a relay frame without its length
//! 2 wait       u8 x 4 s
//! 3 store      bit 0: done or failed
//! 4 barrier    bit 0: known or not
//! 5 peer       peer | bit 0: up or down | incarnation
//! 6 link       down, and the peers up again
//! 7 post done  which | status
//! 8 fetched    u16 n, n bytes; n = 65535: nothing
//! 9 prompt     bit 0: store and proxy answer at once, or when the script says so; bit 1: not even whether it is there
//! 10 callback  which | status
//!
//! which   one of the ids, cookies, callbacks that the MGS gave out, 255 the newest
//! flags   1 adaptive timeouts   2 resent   4 no handle   8 match bits   16 the xid before   32 big endian
//!         64 ids as the MGS gave them out (which)   128 the other request portal
//! ```
use super::world::{LINK, PEERS, World};
use crate::input::{Input, order};
use crate::rpc::{OPCODES, buffers, message};
use bytes::Bytes;
use mgs_core::engine;
use std::time::Duration;
use wire::ldlm::LdlmRequest;
use wire::lnet::portal;
use wire::ptlrpc::{Body, connect_op, msg_flags, msg_type, opc, pb_flags, version};
use wire::relay::{Frame, PostStatus};
use wire::{Codec, Order};

/// Most operations of a script.
const MOST: usize = 400;

impl World {
    /// Runs a script; the module says what it is made of.
    pub(super) fn run(&mut self, input: &mut Input<'_>) {
        let mut xid = 1000;
        let mut conn_cnt = [0; PEERS as usize];
        for _ in 0..MOST {
            if input.is_empty() {
                return;
            }
            match input.u8() % 11 {
                0 => self.request(input, &mut xid, &mut conn_cnt),
                1 => {
                    let raw = input.part();
                    let length = u32::try_from(raw.len()).unwrap().to_le_bytes();
                    if let Ok(Some((frame, _))) = Frame::parse(&[&length, raw].concat()) {
                        self.relay(frame);
                    }
                }
                2 => self.wait(Duration::from_secs(4 * u64::from(input.u8()))),
                3 => {
                    self.store_answers(input.u8() & 1 == 0);
                    self.wait(Duration::ZERO);
                    self.settle();
                }
                4 => {
                    self.barrier_answers(input.u8() & 1 == 0);
                    self.settle();
                }
                5 => {
                    let (peer, up, incarnation) = (input.u8(), input.u8(), input.u8());
                    if up & 1 == 0 {
                        self.peer_up(peer, incarnation.into());
                    } else {
                        self.relay(Frame::PeerDown { slot: (peer % PEERS).into(), reason: String::new() });
                    }
                }
                6 => {
                    self.input(engine::Input::LinkDown(LINK));
                    (0..PEERS).for_each(|n| self.peer_up(n, 1));
                }
                7 => {
                    let (which, status) = (usize::from(input.u8()), input.u8());
                    if let Some(&(cookie, length)) = pick(&self.posts, which) {
                        let status = match status % 5 {
                            0 => PostStatus::Acked(length),
                            1 => PostStatus::Sent,
                            2 => PostStatus::Acked(length / 2),
                            3 => PostStatus::Unreachable,
                            _ => PostStatus::Stale,
                        };
                        self.relay(Frame::Done { cookie, status });
                    }
                }
                8 => {
                    let payload = match input.u16() {
                        u16::MAX => None,
                        n => Some(Bytes::copy_from_slice(input.take(n.into()))),
                    };
                    if let Some(cookie) = self.fetches.pop() {
                        self.relay(Frame::Fetched { cookie, payload });
                    }
                }
                9 => {
                    let how = input.u8();
                    (self.prompt, self.silent) = (how & 1 == 0, how & 2 != 0);
                }
                _ => self.callback_reply(input),
            }
        }
    }

    fn request(&mut self, input: &mut Input<'_>, xid: &mut u64, conn_cnt: &mut [u32; PEERS as usize]) {
        let (who, flags) = (input.u8() % PEERS, input.u8());
        let opc = OPCODES[usize::from(input.u8()) % OPCODES.len()];
        let which = usize::from(input.u8());
        let most = input.u8() % 8;
        let mut rest = buffers(&mut limited(input, most), most.into());
        let has = |bit: u8| flags & bit != 0;
        let (peer, connect) = (Self::peer(who), opc == opc::MGS_CONNECT);
        if !has(16) {
            *xid += 128;
        }
        let order = order(flags >> 5);
        if has(64) && order == Order::Little {
            self.ids(opc, which, &mut rest);
        }
        let count = &mut conn_cnt[usize::from(who)];
        *count += u32::from(connect);
        let handle = self.handles.get(&peer).copied().filter(|_| !has(4)).unwrap_or(0);
        let body = Body {
            handle,
            opc,
            msg_type: msg_type::REQUEST,
            version: service(opc) | version::PTLRPC,
            flags: if has(2) { pb_flags::RESENT } else { 0 },
            op_flags: if connect && handle == 0 { connect_op::INITIAL } else { 0 },
            conn_cnt: *count,
            timeout: 30,
            mbits: if has(8) { *xid + 1 } else { 0 },
            ..Body::default()
        };
        let mut message = message(&body, order, rest);
        if has(1) {
            message.flags = msg_flags::AT_SUPPORT | msg_flags::CKSUM_INCOMPAT18;
        }
        let portal = match (opc == opc::LDLM_CANCEL, has(128)) {
            (true, false) | (false, true) => portal::LDLM_CANCEL_REQUEST,
            _ => portal::MGS_REQUEST,
        };
        self.deliver(who, portal, *xid, message.to_bytes());
    }

    fn deliver(&mut self, who: u8, portal: u32, match_bits: u64, payload: Bytes) {
        let slot = (who % PEERS).into();
        self.relay(Frame::Deliver { slot, incarnation: 1, portal, match_bits, offset: 0, payload });
    }

    /// Puts in the ids that the MGS gave out.
    fn ids(&self, opc: u32, which: usize, rest: &mut [Bytes]) {
        let Some(first) = rest.first_mut() else { return };
        match opc {
            opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK
            | opc::LLOG_ORIGIN_HANDLE_READ_HEADER
            | opc::LLOG_ORIGIN_HANDLE_PREV_BLOCK
                if first.len() >= 20 =>
            {
                let Some(id) = pick(&self.logs, which) else { return };
                *first = [&id.to_vec(Order::Little), &first[20..]].concat().into();
            }
            opc::LDLM_CANCEL => {
                let Ok(mut lock) = LdlmRequest::from_slice(first, Order::Little) else { return };
                let Some(cookie) = pick(&self.locks, which) else { return };
                lock.count = lock.count.max(1);
                lock.handles[0] = *cookie;
                *first = lock.to_vec(Order::Little).into();
            }
            _ => {}
        }
    }

    fn callback_reply(&mut self, input: &mut Input<'_>) {
        let (which, status) = (usize::from(input.u8()), input.u8());
        let Some(&(peer, xid)) = pick(&self.callbacks, which) else { return };
        let status = [0, -22, -107, -5][usize::from(status) % 4];
        let msg_type = if status == 0 { msg_type::REPLY } else { msg_type::ERR };
        let body = Body { opc: opc::LDLM_BL_CALLBACK, msg_type, status, ..Body::default() };
        let who = (0..PEERS).find(|n| Self::peer(*n) == peer).unwrap_or(0);
        let bytes = message(&body, Order::Little, Vec::new()).to_bytes();
        self.deliver(who, portal::LDLM_CB_REPLY, xid, bytes);
    }
}

/// One of what the MGS gave out; 255 is the newest.
fn pick<T>(list: &[T], which: usize) -> Option<&T> {
    if which == 255 { list.last() } else { list.get(which % list.len().max(1)) }
}

/// So many buffers, and no byte of what follows them.
fn limited<'a>(input: &mut Input<'a>, most: u8) -> Input<'a> {
    let start = input.clone();
    for _ in 0..most {
        input.u16();
        input.part();
    }
    Input(&start.0[..start.0.len() - input.0.len()])
}

const fn service(opc: u32) -> u32 {
    match opc {
        opc::MGS_CONNECT | opc::MGS_DISCONNECT | opc::OBD_PING => version::OBD,
        100..200 => version::DLM,
        500..600 => version::LOG,
        _ => version::MGS,
    }
}
