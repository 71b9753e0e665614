//! A small MGS that serves the golden files, and answers wrongly on demand.
use bytes::{Bytes, BytesMut};
use capture::states;
use lustre_peer::ConnId;
use std::collections::BTreeMap;
use wire::ldlm::{LdlmReply, LdlmRequest, ResId, mode};
use wire::llog_rpc::{LlogdBody, LogId};
use wire::lnet::{Handle, Header, Message as Lnet, PING_MATCH_BITS, PingInfo, PingNi, feature, portal};
use wire::mgs::{ConfigBody, ConfigRes, TargetInfo, TargetNidList, config_type, ldd, mtn};
use wire::nodemap::{END_OFFSET, IndexPage, untouched};
use wire::ptlrpc::{Body, ConnectRequest, Message, connect_op, msg_type, opc, version};
use wire::socklnd::{ConnReq, ConnType, Frame, Hello, LNET_PID, MsgHeader, MsgKind, Step};
use wire::{Codec, Nid, Order, Writer};

const CHUNK: usize = 8192;

/// An answer before it is sent; a test may change everything.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) opc: u32,
    /// Name of the log of a log RPC or CONFIG_READ.
    pub(crate) log: String,
    pub(crate) offset: u32,
    pub(crate) match_bits: u64,
    pub(crate) body: Body,
    pub(crate) buffers: Vec<Vec<u8>>,
    pub(crate) bulk: Option<Vec<u8>>,
    /// An early reply: body and checksum.
    pub(crate) early: Option<(Body, bool)>,
    /// Nothing is sent at all.
    pub(crate) dropped: bool,
    /// The reply goes out before the bulk.
    pub(crate) reply_first: bool,
}

pub(crate) type HelloTwist = Box<dyn FnMut(&mut Hello) + Send>;
pub(crate) type Twist = Box<dyn FnMut(&mut Answer) + Send>;

#[derive(Debug, Default)]
struct FakeConn {
    rx: BytesMut,
    request: bool,
    ctype: Option<ConnType>,
}

/// One request that came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) opc: u32,
    pub(crate) body: Body,
    pub(crate) xid: u64,
    pub(crate) log: String,
    /// Index, saved index and offset of a block read.
    pub(crate) position: (u32, u32, u64),
}

pub(crate) struct Fake {
    pub(crate) nid: Nid,
    pub(crate) features: u32,
    pub(crate) incarnation: u64,
    pub(crate) logs: BTreeMap<String, Vec<u8>>,
    /// Entries of the NID table, and its version.
    pub(crate) table: (Vec<u8>, u64),
    pub(crate) twist: Option<Twist>,
    /// Changes the HELLO before it is sent.
    pub(crate) hello: Option<HelloTwist>,
    pub(crate) seen: Vec<Seen>,
    /// (resource, client cookie, server cookie) of every lock.
    pub(crate) locks: Vec<(ResId, u64, u64)>,
    /// Cancelled server cookies.
    pub(crate) cancelled: Vec<u64>,
    pub(crate) callback_cookie: u64,
    /// (callback opcode, status) of answers to callbacks.
    pub(crate) callback_answers: Vec<(u32, i32)>,
    pub(crate) acks: usize,
    /// Registrations as they came.
    pub(crate) registrations: Vec<(TargetInfo, Option<TargetNidList>)>,
    /// What the bulk GET of a NID list brought.
    pub(crate) fetched: Vec<u8>,
    peer: Option<Nid>,
    export: u64,
    next: u64,
    ids: Vec<String>,
    conns: BTreeMap<ConnId, FakeConn>,
    pub(crate) out: Vec<(ConnId, Vec<u8>)>,
}

/// Files of the golden file system with one MDT and two OSTs.
pub(crate) fn golden() -> BTreeMap<String, Vec<u8>> {
    let all = states::session("A");
    let names = ["testfs-client", "testfs-MDT0000", "testfs-OST0000", "testfs-OST0001", "params"];
    names.into_iter().map(|n| (n.to_owned(), all[&format!("A03-ost0001/CONFIGS/{n}")].clone())).collect()
}

/// The log `name` with one more record behind.
pub(crate) fn appended(file: &[u8], records: &[llog::LustreCfg]) -> Vec<u8> {
    let mut log = llog::Log::from_file(file).unwrap();
    for record in records {
        log.append(record, 1_800_000_000).unwrap();
    }
    log.to_file()
}

impl Fake {
    pub(crate) fn new(nid: Nid) -> Self {
        Self {
            nid,
            features: feature::NI_STATUS | feature::RTE_DISABLED | feature::MULTI_RAIL,
            incarnation: 5,
            logs: golden(),
            table: (Vec::new(), 2),
            twist: None,
            hello: None,
            seen: Vec::new(),
            locks: Vec::new(),
            cancelled: Vec::new(),
            callback_cookie: 0,
            callback_answers: Vec::new(),
            acks: 0,
            registrations: Vec::new(),
            fetched: Vec::new(),
            peer: None,
            export: 0,
            next: 0xf000,
            ids: Vec::new(),
            conns: BTreeMap::new(),
            out: Vec::new(),
        }
    }

    /// The MGS was restarted: exports, locks and connections are gone.
    pub(crate) fn restart(&mut self) {
        self.export = 0;
        self.locks.clear();
        self.incarnation += 1;
        self.conns.clear();
    }

    /// Forgets the export only.
    pub(crate) fn evict(&mut self) {
        self.export = 0;
        self.locks.clear();
    }

    pub(crate) fn opcodes(&self) -> Vec<u32> {
        self.seen.iter().map(|s| s.opc).collect()
    }

    fn cookie(&mut self) -> u64 {
        self.next += 7;
        self.next
    }

    pub(crate) fn open(&mut self, conn: ConnId) {
        self.conns.insert(conn, FakeConn::default());
    }

    pub(crate) fn close(&mut self, conn: ConnId) {
        self.conns.remove(&conn);
    }

    pub(crate) fn bytes(&mut self, id: ConnId, bytes: &[u8]) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.rx.extend_from_slice(bytes);
        while let Some(conn) = self.conns.get_mut(&id) {
            if !conn.request {
                let Step::Done((request, _), used) = ConnReq::parse(&conn.rx).unwrap() else { return };
                assert_eq!(request.nid, self.nid);
                conn.request = true;
                let _parsed = conn.rx.split_to(used);
            } else if conn.ctype.is_none() {
                let Step::Done((hello, _), used) = Hello::parse(&conn.rx).unwrap() else { return };
                let _parsed = conn.rx.split_to(used);
                conn.ctype = Some(hello.ctype.inverted());
                self.peer = Some(hello.src_nid);
                let mut answer = Hello {
                    src_nid: self.nid,
                    dst_nid: hello.src_nid,
                    src_incarnation: self.incarnation,
                    ctype: hello.ctype.inverted(),
                    ..hello
                };
                if let Some(change) = &mut self.hello {
                    change(&mut answer);
                }
                self.out.push((id, answer.to_bytes(Order::Little)));
            } else {
                let Step::Done(frame, used) = Frame::parse(&conn.rx, 3, Order::Little).unwrap() else {
                    return;
                };
                let _parsed = conn.rx.split_to(used);
                if let Frame::Lnet(_, header, payload) = frame {
                    self.message(&header, &payload);
                }
            }
        }
    }

    /// Sends on the connection of the CONTROL type.
    pub(crate) fn send(&mut self, msg: Lnet, payload: Bytes) {
        let control = self.conns.iter().find(|(_, c)| c.ctype == Some(ConnType::Control)).map(|(id, _)| *id);
        let header = Header {
            dest: self.peer.unwrap(),
            src: self.nid,
            dest_pid: LNET_PID,
            src_pid: LNET_PID,
            payload_len: u32::try_from(payload.len()).unwrap(),
            msg,
        };
        let plain = MsgHeader { kind: MsgKind::Lnet, csum: 0, zc_cookies: [0, 0] };
        let bytes = Frame::Lnet(plain, header, payload).to_bytes(3, Order::Little);
        self.out.push((control.expect("a CONTROL connection"), bytes));
    }

    pub(crate) fn put(&mut self, portal: u32, match_bits: u64, offset: u32, payload: Bytes, ack: bool) {
        let ack = if ack { Handle([9; 16]) } else { Handle::NONE };
        self.send(Lnet::Put { ack, match_bits, hdr_data: 0, portal, offset }, payload);
    }

    fn message(&mut self, header: &Header, payload: &Bytes) {
        match header.msg {
            Lnet::Get { ret, match_bits: PING_MATCH_BITS, .. } => {
                let nis = [(Nid::LOOPBACK, 1), (self.nid, 0x15aa_c0de)];
                let nis = nis.map(|(nid, status)| PingNi { nid, status, msg_size: 0 }).to_vec();
                let info = PingInfo {
                    features: self.features,
                    pid: LNET_PID,
                    nis,
                    large: Vec::new(),
                    tail: Vec::new(),
                };
                self.send(Lnet::Reply { dst: ret }, info.to_bytes(Order::Little).into());
            }
            Lnet::Put { portal: portal::LNET_RESERVED, ack, match_bits, .. } => {
                self.send(Lnet::Ack { dst: ack, match_bits, mlength: 48 }, Bytes::new());
            }
            Lnet::Put { portal: portal::LDLM_CB_REPLY, .. } => {
                let body = Message::decode(payload).unwrap().body().unwrap();
                self.callback_answers.push((body.opc, body.status));
            }
            Lnet::Put { portal, match_bits, .. } => self.request(portal, match_bits, payload),
            Lnet::Ack { .. } => self.acks += 1,
            Lnet::Reply { .. } => self.fetched.extend_from_slice(payload),
            Lnet::Get { .. } => panic!("unexpected {header:?}"),
        }
    }

    fn request(&mut self, port: u32, xid: u64, payload: &Bytes) {
        let message = Message::decode(payload).unwrap();
        let body = message.body().unwrap();
        assert_eq!(port == portal::LDLM_CANCEL_REQUEST, body.opc == opc::LDLM_CANCEL);
        let known = body.opc == opc::MGS_CONNECT || (body.handle == self.export && self.export != 0);
        let mut answer = Answer {
            opc: body.opc,
            log: String::new(),
            offset: if message.flags & 1 != 0 { 224 } else { 0 },
            match_bits: if body.mbits != 0 { body.mbits } else { xid },
            body: Body {
                msg_type: if known { msg_type::REPLY } else { msg_type::ERR },
                version: version::PTLRPC,
                opc: body.opc,
                status: if known { 0 } else { -107 },
                timeout: 5,
                service_time: 1,
                ..Body::default()
            },
            buffers: Vec::new(),
            bulk: None,
            early: None,
            dropped: false,
            reply_first: false,
        };
        let mut seen = Seen { opc: body.opc, body, xid, log: String::new(), position: (0, 0, 0) };
        if known {
            self.fill(&message, &mut answer, &mut seen);
        }
        answer.log.clone_from(&seen.log);
        self.seen.push(seen);
        if let Some(twist) = &mut self.twist {
            twist(&mut answer);
        }
        let reply_portal =
            if port == portal::LDLM_CANCEL_REQUEST { portal::LDLM_CANCEL_REPLY } else { portal::MGC_REPLY };
        self.answer(reply_portal, answer);
    }

    fn answer(&mut self, reply_portal: u32, answer: Answer) {
        if let Some((body, good)) = &answer.early {
            let raw = Bytes::from(body.to_vec(Order::Little));
            let cksum = wire::ptlrpc::early_checksum(&raw) ^ u32::from(!good);
            let mut message = Message::new(body, Vec::new());
            message.cksum = cksum;
            self.put(reply_portal, answer.match_bits, 0, message.to_bytes(), false);
        }
        if answer.dropped {
            return;
        }
        let buffers = answer.buffers.into_iter().map(Bytes::from).collect();
        let reply = Message::new(&answer.body, buffers).to_bytes();
        if answer.reply_first {
            self.put(reply_portal, answer.match_bits, answer.offset, reply.clone(), false);
        }
        if let Some(bulk) = answer.bulk {
            self.put(portal::MGS_BULK, answer.match_bits, 0, bulk.into(), true);
        }
        if !answer.reply_first {
            self.put(reply_portal, answer.match_bits, answer.offset, reply, false);
        }
    }

    fn fill(&mut self, message: &Message, answer: &mut Answer, seen: &mut Seen) {
        let text = |i: usize| {
            let raw = &message.buffers[i];
            String::from_utf8(raw[..raw.len() - 1].to_vec()).unwrap()
        };
        let llogd = || LlogdBody::from_slice(&message.buffers[1], Order::Little).unwrap();
        match answer.opc {
            opc::MGS_CONNECT => {
                let request = ConnectRequest::from_message(message).unwrap();
                self.callback_cookie = request.callback_cookie;
                if self.export == 0 {
                    self.export = self.cookie();
                }
                answer.body.handle = self.export;
                let again = seen.body.conn_cnt > 1;
                answer.body.op_flags = if again { connect_op::RECONNECT } else { 0 };
                answer.buffers = vec![request.data.to_vec(Order::Little)];
            }
            opc::MGS_TARGET_REG => {
                let mut info = TargetInfo::from_slice(&message.buffers[1], Order::Little).unwrap();
                let list =
                    message.buffers.get(2).map(|b| TargetNidList::from_slice(b, Order::Little).unwrap());
                if let Some(list) = list.as_ref().filter(|l| l.flags & mtn::IN_BULK != 0) {
                    let (ret, sink_length) = (Handle([4; 16]), 64 * list.count);
                    let match_bits = seen.body.mbits;
                    self.send(
                        Lnet::Get { ret, match_bits, portal: 33, src_offset: 0, sink_length },
                        Bytes::new(),
                    );
                }
                self.registrations.push((info.clone(), list));
                if info.flags & ldd::OPC_REG != 0 {
                    info.flags &= !(ldd::VIRGIN | ldd::UPDATE | ldd::WRITECONF);
                }
                answer.buffers = vec![info.to_vec(Order::Little)];
            }
            opc::LDLM_ENQUEUE => {
                let request = LdlmRequest::from_slice(&message.buffers[1], Order::Little).unwrap();
                let (resource, server) = (request.desc.resource, self.cookie());
                self.locks.push((resource, request.handles[0], server));
                let mut desc = request.desc;
                desc.granted_mode = mode::CR;
                let reply = LdlmReply { desc, handle: server, ..LdlmReply::default() };
                answer.buffers = vec![reply.to_vec(Order::Little), Vec::new()];
            }
            opc::LDLM_CANCEL => {
                let request = LdlmRequest::from_slice(&message.buffers[1], Order::Little).unwrap();
                self.locks.retain(|l| l.2 != request.handles[0]);
                self.cancelled.push(request.handles[0]);
            }
            opc::LLOG_ORIGIN_HANDLE_CREATE => {
                seen.log = text(2);
                let mut body = LlogdBody::default();
                if self.logs.contains_key(&seen.log) {
                    self.ids.push(seen.log.clone());
                    body.logid = LogId { oid: self.ids.len() as u64, seq: 10, ogen: 0 };
                } else {
                    answer.body.status = -2;
                }
                answer.buffers = vec![body.to_vec(Order::Little)];
            }
            opc::LLOG_ORIGIN_HANDLE_READ_HEADER => {
                let Some(name) = self.name(&llogd()) else { return answer.body.status = -2 };
                seen.log = name;
                let log = llog::Log::from_file(&self.logs[&seen.log]).unwrap();
                answer.buffers = vec![log.header()];
            }
            opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK => {
                let mut body = llogd();
                let Some(name) = self.name(&body) else { return answer.body.status = -2 };
                seen.log = name;
                seen.position = (body.index, body.saved_index, body.cur_offset);
                let data = self.block(&seen.log.clone(), &mut body);
                answer.buffers = vec![body.to_vec(Order::Little), data];
            }
            opc::MGS_CONFIG_READ => {
                let body = ConfigBody::from_slice(&message.buffers[1], Order::Little).unwrap();
                seen.log.clone_from(&body.name);
                seen.position = (body.units, 0, body.offset);
                let (bulk, res) = self.config_read(&body);
                answer.bulk = Some(bulk);
                answer.buffers = vec![res.to_vec(Order::Little)];
            }
            opc::MGS_DISCONNECT => self.evict(),
            opc::OBD_PING => {}
            other => panic!("opcode {other}"),
        }
    }

    fn name(&self, body: &LlogdBody) -> Option<String> {
        usize::try_from(body.logid.oid).ok()?.checked_sub(1).and_then(|i| self.ids.get(i)).cloned()
    }

    /// The chunk that holds the wanted index, as a kernel finds it.
    fn block(&self, name: &str, body: &mut LlogdBody) -> Vec<u8> {
        let file = &self.logs[name];
        let log = llog::Log::from_file(file).unwrap();
        let mut n = usize::try_from(body.cur_offset).unwrap().max(CHUNK) / CHUNK - 1;
        while body.index != 0 && log.chunk_last_index(n).is_some_and(|last| last < body.index) {
            n += 1;
        }
        let start = (n + 1) * CHUNK;
        let end = (start + CHUNK).min(file.len());
        let mut data = file[start..end].to_vec();
        data.resize(CHUNK, 0);
        body.saved_index = log.chunk_last_index(n).unwrap();
        body.cur_offset = end as u64;
        data
    }

    fn config_read(&self, body: &ConfigBody) -> (Vec<u8>, ConfigRes) {
        if body.config_type == config_type::NODEMAP {
            let mut w = Writer::new(Order::Little);
            IndexPage { entries: untouched() }.encode(&mut w);
            return (w.into_vec(), ConfigRes { offset: END_OFFSET, size_or_pass: 1 });
        }
        let (entries, version) = &self.table;
        let bulk = if body.offset > *version { Vec::new() } else { entries.clone() };
        (bulk, ConfigRes { offset: *version, size_or_pass: *version })
    }

    /// Revokes every lock on a resource.
    pub(crate) fn revoke(&mut self, resource: ResId) {
        for (_, client, server) in self.locks.clone().into_iter().filter(|l| l.0 == resource) {
            self.blocking(resource, client, server);
        }
    }

    /// One blocking callback.
    pub(crate) fn blocking(&mut self, resource: ResId, client: u64, server: u64) {
        let mut request = LdlmRequest { handles: vec![client, server], ..LdlmRequest::default() };
        request.desc.lock_type = wire::ldlm::PLAIN;
        request.desc.resource = resource;
        request.desc.req_mode = mode::EX;
        self.callback(opc::LDLM_BL_CALLBACK, self.callback_cookie, &request);
    }

    pub(crate) fn callback(&mut self, code: u32, cookie: u64, request: &LdlmRequest) {
        let xid = self.cookie() << 7;
        let body = Body {
            handle: cookie,
            msg_type: msg_type::REQUEST,
            version: version::DLM | version::PTLRPC,
            opc: code,
            timeout: 11,
            mbits: xid,
            ..Body::default()
        };
        let mut message = Message::new(&body, vec![request.to_vec(Order::Little).into()]);
        message.flags = 3;
        self.put(portal::LDLM_CB_REQUEST, xid, 0, message.to_bytes(), false);
    }
}
