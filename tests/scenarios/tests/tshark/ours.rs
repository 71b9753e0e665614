//! What our decoder made of a message, under tshark's names and in tshark's spelling.
use std::collections::BTreeMap;
use wire::Nid;
use wire::lnet::{Handle, Header, Message};
use wire::ptlrpc::Body;
use wire::rpc::{Head, Rpc};
use wire::socklnd::{Frame, MsgHeader};

/// Values by field, in the order of the bytes.
#[derive(Default)]
pub(crate) struct Values(pub(crate) BTreeMap<&'static str, Vec<String>>);

impl Values {
    pub(crate) fn text(&mut self, field: &'static str, value: impl ToString) {
        self.0.entry(field).or_default().push(value.to_string());
    }
    pub(crate) fn hex8(&mut self, field: &'static str, value: u8) {
        self.text(field, format!("{value:#04x}"));
    }
    pub(crate) fn hex32(&mut self, field: &'static str, value: u32) {
        self.text(field, format!("{value:#010x}"));
    }
    pub(crate) fn hex64(&mut self, field: &'static str, value: u64) {
        self.text(field, format!("{value:#018x}"));
    }
    pub(crate) fn cookie(&mut self, value: u64) {
        self.hex64("lustre.lustre_handle.cookie", value);
    }
    /// A 64-bit NID.
    pub(crate) fn nid(&mut self, nid: u64) {
        let [a, b, c, d] = low(nid).to_be_bytes();
        self.text("lnet.nid.addr", format!("{a}.{b}.{c}.{d}"));
        self.text("lnet.nid.net_interface", (nid >> 32) & 0xffff);
        self.text("lnet.nid.type", nid >> 48);
    }
    fn handle(&mut self, handle: Handle) {
        self.hex64("lnet.msg_dst_interface_cookie", le64(&handle.0[..8]));
        self.hex64("lnet.msg_dst_object_cookie", le64(&handle.0[8..]));
    }
}

pub(crate) fn low(v: u64) -> u32 {
    u32::try_from(v & 0xffff_ffff).unwrap()
}

pub(crate) fn le64(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap())
}

pub(crate) fn le32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().unwrap())
}

/// Adds one message. Bodies only when it is `with_mgs`: those of other services are not ours to know.
pub(crate) fn add(out: &mut Values, frame: &Frame, with_mgs: bool) {
    let Frame::Lnet(socklnd, header, payload) = frame else { panic!("{frame:?} is no LNet message") };
    lnet(out, socklnd, header);
    let rpc = match header.msg {
        Message::Put { portal, .. } => Rpc::decode_put(portal, payload).unwrap(),
        Message::Reply { .. } => Rpc::decode_reply(payload).unwrap(),
        Message::Ack { .. } | Message::Get { .. } => return,
    };
    let (head, body) = match &rpc {
        Rpc::Request { head, body, .. } | Rpc::Reply { head, body, .. } => (head, body),
        // tshark does not look into bulk and pings.
        _ => return,
    };
    msg_v2(out, head, payload);
    ptlrpc_body(out, body);
    if with_mgs {
        match &rpc {
            Rpc::Request { content, .. } => super::bodies::request(out, content),
            Rpc::Reply { content, .. } => super::bodies::reply(out, content),
            _ => {}
        }
    }
}

fn lnet(out: &mut Values, socklnd: &MsgHeader, header: &Header) {
    out.hex32("lnet.ksm_type", 0xc1);
    out.text("lnet.ib_csum", socklnd.csum);
    out.hex64("lnet.ksm_zc_req_cookie", socklnd.zc_cookies[0]);
    out.hex64("lnet.ksm_zc_ack_cookie", socklnd.zc_cookies[1]);
    let nid4 = |nid: Nid| nid.to_u64().unwrap();
    out.nid(nid4(header.dest));
    out.nid(nid4(header.src));
    out.text("lnet.src_pid", header.src_pid);
    out.text("lnet.dest_pid", header.dest_pid);
    out.text("lnet.payload_length", header.payload_len);
    match header.msg {
        Message::Ack { dst, match_bits, mlength } => {
            out.text("lnet.msg_type", 0);
            // Opaque to the network; in an ACK, and only there, tshark prints it from its last byte on.
            out.hex64("lnet.msg_dst_interface_cookie", le64(&dst.0[..8]).swap_bytes());
            out.hex64("lnet.msg_dst_object_cookie", le64(&dst.0[8..]).swap_bytes());
            out.hex64("lnet.msg_dst_match_bits", match_bits);
            out.text("lnet.msg_length", mlength);
        }
        Message::Put { ack, match_bits, hdr_data, portal, offset } => {
            out.text("lnet.msg_type", 1);
            out.handle(ack);
            out.hex64("lnet.msg_dst_match_bits", match_bits);
            out.hex64("lnet.msg_hdr_data", hdr_data);
            out.text("lnet.ptl_index", portal);
            out.text("lnet.offset", offset);
        }
        Message::Get { ret, match_bits, portal, src_offset, sink_length } => {
            out.text("lnet.msg_type", 2);
            out.handle(ret);
            out.hex64("lnet.msg_dst_match_bits", match_bits);
            out.text("lnet.ptl_index", portal);
            out.text("lnet.src_offset", src_offset);
            out.text("lnet.sink_length", sink_length);
        }
        Message::Reply { dst } => {
            out.text("lnet.msg_type", 3);
            out.handle(dst);
        }
    }
}

fn msg_v2(out: &mut Values, head: &Head, payload: &bytes::Bytes) {
    let message = wire::ptlrpc::Message::decode(payload).unwrap();
    out.text("lustre.lustre_msg_v2.lm_bufcount", message.buffers.len());
    out.hex32("lustre.lustre_msg_v2.lm_secflvr", head.secflvr);
    out.hex32("lustre.lustre_msg_v2.lm_magic", wire::ptlrpc::MAGIC);
    out.text("lustre.lustre_msg_v2.lm_repsize", head.repsize);
    out.text("lustre.lustre_msg_v2.lm_cksum", head.cksum);
    out.hex32("lustre.lustre_msg_v2.lm_flags", head.flags);
    // The opcode of later releases.
    out.text("lustre.lustre_msg_v2.lm_padding_2", head.opc);
    out.text("lustre.lustre_msg_v2.lm_padding_3", 0);
    for buffer in &message.buffers {
        out.text("lustre.lustre_msg_v2.lm_buflens", buffer.len());
    }
}

fn ptlrpc_body(out: &mut Values, body: &Body) {
    out.cookie(body.handle);
    out.text("lustre.ptlrpc_body.pb_type", body.msg_type);
    out.text("lustre.ptlrpc_body.pb_version", body.version & 0xffff);
    out.text("lustre.ptlrpc_body.pb_opc", body.opc);
    out.text("lustre.ptlrpc_body.pb_status", body.status);
    out.text("lustre.ptlrpc_body.pb_last_xid", body.last_xid);
    // An older name for the tag and what lies behind it.
    let tag = u64::from(body.tag) | u64::from(body.padding0) << 16 | u64::from(body.projid) << 32;
    out.text("lustre.ptlrpc_body.pb_last_seen", tag);
    out.text("lustre.ptlrpc_body.pb_last_committed", body.last_committed);
    out.text("lustre.ptlrpc_body.pb_transno", body.transno);
    out.hex32("lustre.ptlrpc_body.pb_flags", body.flags);
    out.hex32("lustre.ptlrpc_body.pb_op_flags", body.op_flags);
    out.text("lustre.ptlrpc_body.pb_conn_cnt", body.conn_cnt);
    out.text("lustre.ptlrpc_body.pb_timeout", body.timeout);
    out.text("lustre.ptlrpc_body.pb_service_time", body.service_time);
    out.text("lustre.ptlrpc_body.pb_limit", body.limit);
    out.text("lustre.ptlrpc_body.pb_slv", body.slv);
    for version in body.pre_versions {
        out.text("lustre.ptlrpc_body.pb_pre_version", version);
    }
    let job = body.jobid.split(|b| *b == 0).next().unwrap();
    out.text("lustre.ptlrpc_body.pb_jobid", String::from_utf8_lossy(job));
}
