//! One message of the recorded MGS against the one of mgsd: what the mask allows becomes equal, the rest must be.
use super::fields;
use super::maps::Maps;
use crate::gap::{Gap, Gaps};
use crate::logs;
use crate::mask::{Mask, Rule};
use bytes::Bytes;
use std::collections::BTreeMap;
use wire::Nid;
use wire::lnet::{Handle, Header, Message, portal};
use wire::mgs::{NidTblEntry, TargetInfo, config_type, ldd};
use wire::ptlrpc::{Body, ConnectData, opc};
use wire::rpc::{Reply, Request, Rpc};
use wire::socklnd::{Frame, Hello, MsgHeader};

/// What differs: path, kernel, ours.
pub(super) type Found = Vec<(String, String, String)>;

/// A request of a peer, as captured, to which an answer is due.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) body: Body,
    pub(super) content: Request,
}
impl Asked {
    /// File system of a RECOVER read.
    pub(super) fn table(&self) -> Option<&str> {
        match &self.content {
            Request::ConfigRead(c) if c.config_type == config_type::RECOVER => Some(base(&c.name)),
            _ => None,
        }
    }
}
/// Name of a log up to its last `-`.
pub(crate) fn base(log: &str) -> &str {
    log.rsplit_once('-').map_or(log, |(base, _)| base)
}

/// The state of a comparison.
#[derive(Debug, Default)]
pub(super) struct Comparer {
    pub(super) mask: Mask,
    pub(super) maps: Maps,
    pub(super) gaps: Gaps,
    /// Marker steps may count on from another number.
    pub(super) steps: bool,
    /// Connect flags that mgsd says it does not offer: first and second word.
    pub(super) not_offered: (u64, u64),
    /// The recorded MGS had left STARTUP by this time.
    pub(super) full: bool,
    /// The recorded MGS has lost its NID tables.
    pub(super) restarted: bool,
    /// What readers know, by node and file system.
    pub(super) known: BTreeMap<(usize, String), Known>,
    /// The registration of this stage is refused by mgsd only.
    pub(super) refuses: bool,
}

/// A NID table as its reader has it.
#[derive(Debug, Default)]
pub(super) struct Known {
    kernel: BTreeMap<Place, State>,
    ours: BTreeMap<Place, State>,
}
/// Target type and index.
type Place = (u8, u32);
/// Instance and NIDs.
type State = (u32, Vec<Nid>);

impl Known {
    /// Both have read.
    fn read(&mut self, kernel: &[NidTblEntry], ours: &[NidTblEntry]) -> Found {
        for (known, entries) in [(&mut self.kernel, kernel), (&mut self.ours, ours)] {
            for e in entries {
                known.insert((e.target_type, e.index), (e.instance, e.nids.clone()));
            }
        }
        fields::diff(&self.kernel, &self.ours)
    }
}

impl Comparer {
    /// Answer to a HELLO.
    pub(super) fn welcome(&mut self, kernel: &Hello, ours: &Hello) -> Found {
        let mut kernel = kernel.clone();
        let map = &mut self.maps.incarnations;
        map.chosen(Rule::Incarnation, &mut kernel.src_incarnation, &ours.src_incarnation, &mut self.mask);
        fields::diff(&kernel, ours)
    }

    /// A message to a peer. `asked`: the request that it answers.
    pub(super) fn frame(
        &mut self,
        node: usize,
        kernel: &Frame,
        ours: &Frame,
        asked: Option<&Asked>,
    ) -> Found {
        let (Frame::Lnet(their_head, their_header, theirs), Frame::Lnet(head, header, payload)) =
            (kernel, ours)
        else {
            return fields::diff(kernel, ours);
        };
        let mut found = self.headers(node, (their_head, their_header), (head, header));
        match header.msg {
            Message::Put { portal, .. } if portal != portal::LNET_RESERVED => {
                found.extend(self.payload(node, portal, theirs, payload, asked));
            }
            // All of it is content of a ping or push.
            Message::Put { .. } | Message::Reply { .. } => {
                if theirs != payload {
                    self.mask.used(Rule::Discovery);
                }
                if let Err(error) = Rpc::decode_reply(payload) {
                    found.push(("ping".to_owned(), "ping information".to_owned(), error.to_string()));
                }
            }
            Message::Ack { .. } | Message::Get { .. } => {}
        }
        found
    }

    fn headers(&mut self, node: usize, kernel: (&MsgHeader, &Header), ours: (&MsgHeader, &Header)) -> Found {
        let mask = &mut self.mask;
        let (mut head, mut header) = (*kernel.0, *kernel.1);
        mask.allow(Rule::ZcCookies, &mut head.zc_cookies, &ours.0.zc_cookies);
        match (&mut header.msg, &ours.1.msg) {
            (Message::Put { ack, match_bits, portal, .. }, Message::Put { ack: a, match_bits: m, .. }) => {
                let recorded = ack.0;
                if *ack != Handle::NONE && *a != Handle::NONE {
                    self.maps.handles.chosen(Rule::WireHandles, &mut ack.0, &a.0, mask);
                }
                if *portal == portal::MGS_BULK && self.restarted && self.gaps.meets(Gap::TableKept) {
                    header.payload_len = ours.1.payload_len;
                    self.maps.lengths.insert(recorded, ours.1.payload_len);
                }
                if *portal == portal::LDLM_CB_REQUEST {
                    self.maps.xids.entry(node).or_default().chosen(Rule::CallbackXid, match_bits, m, mask);
                }
            }
            (Message::Reply { .. }, Message::Reply { .. }) => {
                mask.allow(Rule::Discovery, &mut header.payload_len, &ours.1.payload_len);
            }
            _ => {}
        }
        let mut found = fields::diff(&head, ours.0);
        found.extend(fields::diff(&header, ours.1));
        found
    }

    fn payload(
        &mut self,
        node: usize,
        portal: u32,
        kernel: &Bytes,
        ours: &Bytes,
        asked: Option<&Asked>,
    ) -> Found {
        let (mut theirs, got) = match (Rpc::decode_put(portal, kernel), Rpc::decode_put(portal, ours)) {
            (Ok(theirs), Ok(got)) => (theirs, got),
            (theirs, got) => {
                let text = |r: wire::Result<Rpc>| r.map_or_else(|e| e.to_string(), |_| "readable".to_owned());
                return vec![("payload".to_owned(), text(theirs), text(got))];
            }
        };
        // The recorded bytes are what this value encodes to: so are the masked ones.
        let faithful = theirs.to_bytes() == *kernel;
        let mut found = Found::new();
        match (&mut theirs, &got) {
            (Rpc::Reply { body, .. }, Rpc::Reply { body: b, content: c, .. })
                if self.refuses && body.opc == opc::MGS_TARGET_REG =>
            {
                let said = matches!(c, Reply::TargetReg(i) if i.flags & ldd::ERROR != 0);
                if body.status == 0 && b.status < 0 && said && self.gaps.meets(Gap::ReservedName) {
                    return found;
                }
            }
            (Rpc::Reply { body, content, .. }, Rpc::Reply { body: b, content: c, .. }) => {
                self.reply_body(body, b);
                found.extend(self.reply(content, c, asked));
            }
            (Rpc::Request { body, content, .. }, Rpc::Request { body: b, content: c, .. }) => {
                self.callback(node, (body, b), content, c);
            }
            (Rpc::NidTable(entries, _), Rpc::NidTable(e, _)) => {
                let fs = asked.and_then(Asked::table).unwrap_or_default();
                let known = self.known.entry((node, fs.to_owned())).or_default().read(entries, e);
                if self.restarted && self.gaps.meets(Gap::TableKept) {
                    return known;
                }
                for (entry, e) in entries.iter_mut().zip(e) {
                    self.maps.version(fs, &mut entry.version, e.version, &mut self.mask);
                }
            }
            _ => {}
        }
        if theirs != got {
            found.extend(fields::diff(&theirs, &got));
        }
        if found.is_empty() && (!faithful || theirs.to_bytes() != *ours) {
            let text = |b: &[u8]| format!("{} bytes: {}", b.len(), b.escape_ascii());
            found.push((
                "bytes, though every field is equal".to_owned(),
                text(&theirs.to_bytes()),
                text(ours),
            ));
        }
        found
    }

    fn reply_body(&mut self, kernel: &mut Body, ours: &Body) {
        let mask = &mut self.mask;
        if kernel.opc == opc::MGS_CONNECT {
            self.maps.exports.chosen(Rule::Handle, &mut kernel.handle, &ours.handle, mask);
        }
        mask.allow(Rule::Timeout, &mut kernel.timeout, &ours.timeout);
        mask.allow(Rule::ServiceTime, &mut kernel.service_time, &ours.service_time);
        mask.allow(Rule::LastXid, &mut kernel.last_xid, &ours.last_xid);
        mask.allow(Rule::Limit, &mut kernel.limit, &ours.limit);
        mask.allow(Rule::Slv, &mut kernel.slv, &ours.slv);
    }

    fn reply(&mut self, kernel: &mut Reply, ours: &Reply, asked: Option<&Asked>) -> Found {
        let mask = &mut self.mask;
        match (kernel, ours) {
            (Reply::Connect(data), Reply::Connect(d)) => self.connect_data(data, d, asked),
            (Reply::TargetReg(info), Reply::TargetReg(i)) => self.registration(info, i),
            (Reply::ConfigRead(res), Reply::ConfigRead(r)) => {
                if let Some(fs) = asked.and_then(Asked::table) {
                    self.maps.version(fs, &mut res.offset, r.offset, mask);
                    self.maps.version(fs, &mut res.size_or_pass, r.size_or_pass, mask);
                }
            }
            (Reply::LlogOpen(body), Reply::LlogOpen(b)) => {
                self.maps.log_chosen(&mut body.logid, &b.logid, mask)
            }
            (Reply::LlogHeader(header), Reply::LlogHeader(h)) => return self.log(header, h),
            (Reply::LlogBlock(body, chunk), Reply::LlogBlock(b, c)) => {
                self.maps.log_chosen(&mut body.logid, &b.logid, mask);
                return self.log(chunk, c);
            }
            (Reply::Enqueue(lock, _), Reply::Enqueue(l, _)) => {
                if lock.flags == wire::ldlm::lock_flags::BLOCK_GRANTED && lock.desc.granted_mode == 0 {
                    mask.used(Rule::Completion);
                    (lock.flags, lock.desc.granted_mode) = (0, lock.desc.req_mode);
                }
                self.maps.locks.chosen(Rule::LockCookie, &mut lock.handle, &l.handle, mask);
            }
            _ => {}
        }
        Found::new()
    }

    /// Log data: after this the bytes are equal, since what differs is told here.
    fn log(&mut self, kernel: &mut Bytes, ours: &Bytes) -> Found {
        let found = logs::compare(kernel, ours, self.steps, &mut self.mask);
        kernel.clone_from(ours);
        found
    }

    fn connect_data(&mut self, kernel: &mut ConnectData, ours: &ConnectData, asked: Option<&Asked>) {
        let mask = &mut self.mask;
        mask.allow(Rule::OcdVersion, &mut kernel.version, &ours.version);
        mask.allow(Rule::OcdInstance, &mut kernel.instance, &ours.instance);
        // A flag may be missing where mgsd says that it never has it. None may be there that was not asked for, which
        // the kernel, in such a place, never sets either.
        let Some(Asked { content: Request::Connect(request), .. }) = asked else { return };
        let (first, second) = self.not_offered;
        for (flags, o, never, asked) in [
            (&mut kernel.flags, ours.flags, first, request.data.flags),
            (&mut kernel.flags2, ours.flags2, second, request.data.flags2),
        ] {
            let missing = *flags & !o & never & asked;
            if missing != 0 {
                mask.used(Rule::OcdFlags);
                *flags &= !missing;
            }
        }
    }

    fn registration(&mut self, kernel: &mut TargetInfo, ours: &TargetInfo) {
        // The same kernel, asked as early as we were, would not have set it.
        let early = kernel.flags & ldd::IR_CAPABLE != 0 && ours.flags & ldd::IR_CAPABLE == 0;
        if kernel.flags & ldd::OPC_READY != 0 && self.full && early {
            self.mask.used(Rule::Timing);
            kernel.flags &= !ldd::IR_CAPABLE;
        }
    }

    fn callback(&mut self, node: usize, (body, b): (&mut Body, &Body), content: &mut Request, c: &Request) {
        let (mask, xids) = (&mut self.mask, self.maps.xids.entry(node).or_default());
        xids.replace(Rule::CallbackXid, &mut body.mbits, mask);
        // One below the oldest xid without an answer: below ours for that one.
        let mut oldest = body.last_xid.wrapping_add(1);
        xids.replace(Rule::CallbackXid, &mut oldest, mask);
        body.last_xid = oldest.wrapping_sub(1);
        if body.status > 0 && b.status == 0 && self.gaps.meets(Gap::CallbackStatus) {
            body.status = 0;
        }
        match (content, c) {
            (Request::Blocking(lock), Request::Blocking(_))
            | (Request::Glimpse(lock, _), Request::Glimpse(..)) => {
                if let Some(handle) = lock.handles.get_mut(1) {
                    self.maps.locks.replace(Rule::LockCookie, handle, mask);
                }
            }
            _ => {}
        }
    }
}
