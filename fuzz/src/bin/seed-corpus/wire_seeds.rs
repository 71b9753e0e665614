//! Seeds for the decoders of `wire`.
use crate::Corpus;
use crate::traffic::Heard;
use bytes::Bytes;
use fuzz_targets::rpc::{OPCODES, PORTALS};
use std::collections::BTreeMap;
use wire::lnet::{PingInfo, PingNi, feature};
use wire::mgs::nid_entries;
use wire::ptlrpc::{Message, opc};
use wire::rpc::{Request, Rpc};
use wire::socklnd::{ConnReq, ConnType, Frame, Hello, Step};
use wire::{Codec, Nid, Order, Writer};

/// Most sizes of one kind of message.
const SIZES: usize = 5;

/// Fills in everything that was heard, and the forms that nobody used (V4, big endian), made from it.
pub(crate) fn fill(corpus: &mut Corpus, heard: &[Heard]) {
    connections(corpus, heard);
    derived_handshakes(corpus);
    let mut seen: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for h in heard {
        for (_, portal, payload, rpc) in h.payloads() {
            let kind = kind(portal, &rpc);
            let sizes = seen.entry(kind.clone()).or_default();
            if sizes.contains(&payload.len()) || sizes.len() >= SIZES {
                continue;
            }
            sizes.push(payload.len());
            let name = format!("{}-{kind}-{}", h.session, payload.len());
            message(corpus, &name, portal, payload, &rpc);
            if sizes.len() == 1 {
                big_endian(corpus, &name, portal, rpc);
            }
        }
    }
    nids(corpus, heard);
}

fn kind(portal: Option<u32>, rpc: &Rpc) -> String {
    match (rpc, portal) {
        (Rpc::Request { body, content: Request::TargetReg { info, .. }, .. }, _) => {
            format!("req{}_{:x}", body.opc, info.flags)
        }
        (Rpc::Request { body, .. }, _) => format!("req{}", body.opc),
        (Rpc::Reply { body, .. }, _) => format!("rep{}_{}", body.opc, body.status.unsigned_abs()),
        (Rpc::Ping(..), _) => "ping".to_owned(),
        (Rpc::NidTable(..), _) => "nidtbl".to_owned(),
        (Rpc::Nodemap(_), _) => "nodemap".to_owned(),
        (Rpc::NidList(_), _) => "nidlist".to_owned(),
        (Rpc::Raw(_), portal) => format!("raw{}", portal.unwrap_or(0)),
    }
}

fn connections(corpus: &mut Corpus, heard: &[Heard]) {
    let mut streams: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    for (i, h) in heard.iter().enumerate() {
        let name = format!("{}-{i}", h.session);
        let last = |ip: std::net::IpAddr| ip.to_string().rsplit('.').next().unwrap_or("").to_owned();
        let (from, to) = (last(h.from.ip()), last(h.to.ip()));
        if let Some(bytes) = &h.request {
            corpus.add("conn_req", name.clone(), bytes.to_vec());
        }
        if let (Some(bytes), Ok(Step::Done((hello, _), _))) =
            (&h.hello, Hello::parse(h.hello.as_deref().unwrap_or(&[])))
        {
            // The incarnation changes with each start; one of each pair and type is enough.
            let kind = format!("{from}-{to}-{}", hello.ctype.to_u32());
            if !corpus.files.keys().any(|(t, n)| *t == "hello" && n.ends_with(&kind)) {
                corpus.add("hello", format!("{}-{kind}", h.session), bytes.to_vec());
            }
        }
        for (_, frame) in &h.frames {
            if let Frame::Lnet(_, header, _) = frame {
                let mut w = Writer::new(Order::Little);
                header.encode(&mut w, 3);
                let kind = format!("{:?}", header.msg);
                let kind: String = kind.chars().take_while(char::is_ascii_alphabetic).collect();
                let kind = match header.msg {
                    wire::lnet::Message::Put { portal, .. } => format!("{kind}{portal}"),
                    wire::lnet::Message::Get { portal, .. } => format!("{kind}{portal}"),
                    _ => kind,
                };
                if !corpus.files.contains_key(&("lnet_header", format!("kernel-{kind}"))) {
                    corpus.add_behind("lnet_header", format!("kernel-{kind}"), &[0], &w.into_vec());
                    let mut w = Writer::new(Order::Little);
                    header.encode(&mut w, 4);
                    corpus.add_behind("lnet_header", format!("derived-v4-{kind}"), &[1], &w.into_vec());
                }
            }
        }
        let frames = &h.stream[h.start..];
        let count = streams.entry((h.session, h.dialler)).or_default();
        if (100..12_000).contains(&frames.len()) && *count < 3 && h.touches_mgs() {
            *count += 1;
            corpus.add_behind("ksock_stream", format!("{name}-{from}-{to}"), &[0, 40], frames);
            if h.dialler && h.start > 0 && h.to.ip() == crate::traffic::MGS {
                corpus.add("proxy_stream", format!("{name}-{from}"), h.stream.clone());
            }
        }
    }
}

fn derived_handshakes(corpus: &mut Corpus) {
    let list = nid_entries(&["10.77.0.3@tcp".to_owned(), "fd00::12@tcp1".to_owned()]);
    corpus.add("rpc_reply", "derived-nid-list", list.clone());
    corpus.add_behind("mgs_nid_list", "derived-fetched", &[0, 1], &list);
    let (small, large): (Nid, Nid) = ("10.77.0.3@tcp".parse().unwrap(), "fd00::12@tcp".parse().unwrap());
    for (order, tag) in [(Order::Little, "le"), (Order::Big, "be")] {
        corpus.add("conn_req", format!("derived-v1-{tag}"), ConnReq::to(small).to_bytes(order));
        corpus.add("conn_req", format!("derived-v2-{tag}"), ConnReq::to(large).to_bytes(order));
        for (version, nid, ips) in [(2, small, vec![0x0a4d_0003]), (3, small, vec![]), (4, large, vec![])] {
            let hello = Hello {
                version,
                src_nid: nid,
                dst_nid: nid,
                src_pid: 12345,
                dst_pid: 12345,
                src_incarnation: 1,
                dst_incarnation: 0,
                ctype: ConnType::BulkIn,
                ips,
            };
            corpus.add("hello", format!("derived-v{version}-{tag}"), hello.to_bytes(order));
        }
        let info = PingInfo {
            features: feature::NI_STATUS | feature::LARGE_ADDR | feature::METADATA,
            pid: 12345,
            nis: vec![
                PingNi { nid: Nid::LOOPBACK, status: 1, msg_size: 16 + 2 * 16 + 24 + 4 },
                PingNi { nid: small, status: 2, msg_size: 0 },
            ],
            large: vec![PingNi { nid: large, status: 3, msg_size: 0 }],
            tail: vec![1, 0, 0, 0],
        };
        // Nobody pinged while packets were recorded: these are the worked examples of the protocol documents.
        corpus.add("ping_info", format!("derived-large-{tag}"), info.to_bytes(order));
        corpus.add("rpc_reply", format!("derived-large-{tag}"), info.to_bytes(order));
        let plain = PingInfo { features: 14, large: vec![], tail: vec![], ..info };
        corpus.add("ping_info", format!("derived-{tag}"), plain.to_bytes(order));
        corpus.add("rpc_reply", format!("derived-{tag}"), plain.to_bytes(order));
    }
}

/// One payload for each target that reads such.
fn message(corpus: &mut Corpus, name: &str, portal: Option<u32>, payload: &Bytes, rpc: &Rpc) {
    let Some(portal) = portal else {
        corpus.add("rpc_reply", name, payload.to_vec());
        if let Rpc::Ping(..) = rpc {
            corpus.add("ping_info", name, payload.to_vec());
        }
        return;
    };
    let at = PORTALS.iter().position(|p| *p == portal).unwrap_or(PORTALS.len() - 1);
    corpus.add_behind("rpc_put", name, &[u8::try_from(at).unwrap()], payload);
    match rpc {
        Rpc::Ping(..) => corpus.add("ping_info", name, payload.to_vec()),
        Rpc::NidTable(_, order) => corpus.add_behind("mgs_nidtbl", name, &[choice(*order)], payload),
        Rpc::Nodemap(pages) => {
            corpus.add("nodemap_pages", name, payload.to_vec());
            for entry in pages.iter().flat_map(|p| &p.entries) {
                let kind = format!("{name}-{:02x}{:02x}", entry.key[3], entry.key[4]);
                if !corpus.files.contains_key(&("nodemap_record", kind.clone())) {
                    corpus.add("nodemap_record", kind, [&entry.key[..], &entry.rec].concat());
                }
            }
        }
        Rpc::Request { .. } | Rpc::Reply { .. } => ptlrpc(corpus, name, payload),
        Rpc::NidList(_) | Rpc::Raw(_) => {}
    }
}

const fn choice(order: Order) -> u8 {
    match order {
        Order::Little => 0,
        Order::Big => 1,
    }
}

fn ptlrpc(corpus: &mut Corpus, name: &str, payload: &Bytes) {
    let message = Message::decode(payload).expect("golden");
    let body = message.body().expect("golden");
    let (order, reply) = (choice(message.order), body.msg_type != wire::ptlrpc::msg_type::REQUEST);
    corpus.add("ptlrpc_message", name, payload.to_vec());
    corpus.add_behind("mgs_config", format!("{name}-body"), &[order, 3], &message.buffers[0]);
    if body.opc == opc::MGS_CONNECT && !reply {
        corpus.add("ptlrpc_connect", name, payload.to_vec());
        corpus.add_behind("mgs_config", format!("{name}-data"), &[order, 2], &message.buffers[4]);
    }
    if let Some(at) = OPCODES.iter().position(|code| *code == body.opc) {
        let mut script = vec![u8::try_from(at).unwrap(), order | (u8::from(reply) << 1)];
        script.extend(crate::core::buffers(&message.buffers[1..]));
        corpus.add("rpc_buffers", name, script);
    }
    let Some(first) = message.buffers.get(1) else { return };
    let (target, which): (_, Option<u8>) = match (body.opc, reply) {
        (opc::MGS_TARGET_REG, _) => ("mgs_target_info", None),
        (opc::MGS_CONFIG_READ, false) => ("mgs_config", Some(0)),
        (opc::MGS_CONFIG_READ, true) => ("mgs_config", Some(1)),
        (opc::MGS_CONNECT, true) => ("mgs_config", Some(2)),
        (501..=508, _) if first.len() == 48 => ("llog_rpc", Some(0)),
        (opc::LDLM_ENQUEUE, true) => ("ldlm", Some(1)),
        (101..=106, false) => ("ldlm", Some(0)),
        _ => return,
    };
    let behind: Vec<u8> = std::iter::once(order).chain(which).collect();
    corpus.add_behind(target, format!("{name}-b1"), &behind, first);
    if target == "mgs_target_info"
        && !reply
        && let Some(list) = message.buffers.get(2)
    {
        corpus.add_behind("mgs_nid_list", format!("{name}-b2"), &[order, 0], list);
        corpus.add_behind(
            "mgs_nid_list",
            format!("{name}-list"),
            &[order, 1],
            list.get(8..).unwrap_or_default(),
        );
    }
    if target == "llog_rpc" {
        corpus.add_behind("llog_rpc", format!("{name}-id"), &[order, 1], &first[..20]);
    }
    if target == "ldlm" {
        corpus.add_behind("ldlm", format!("{name}-desc"), &[order, 2], &first[8..88]);
    }
}

/// No big endian node was recorded: the same message as one would send it.
fn big_endian(corpus: &mut Corpus, name: &str, portal: Option<u32>, mut rpc: Rpc) {
    match &mut rpc {
        Rpc::Request { head, .. } | Rpc::Reply { head, .. } => head.order = Order::Big,
        Rpc::Ping(_, order) | Rpc::NidTable(_, order) => *order = Order::Big,
        Rpc::Nodemap(_) | Rpc::NidList(_) | Rpc::Raw(_) => return,
    }
    let payload = rpc.to_bytes();
    if payload.len() < 8192 {
        message(corpus, &format!("derived-be-{name}"), portal, &payload, &rpc);
    }
}

fn nids(corpus: &mut Corpus, heard: &[Heard]) {
    for text in [
        "10.77.0.2@tcp",
        "fd00::12@tcp3",
        "0@lo",
        "17@gni",
        "10.0.0.1@o2ib65535",
        "<?>",
        "ff@<17:2>",
        "4@bxi3f1",
    ] {
        corpus.add("nid_text", text.replace(['@', '<', '>', ':', '?'], "_"), text.as_bytes());
        let nid: Nid = text.parse().unwrap();
        let name = format!("derived-{}", text.replace(['@', '<', '>', ':', '?'], "_"));
        corpus.add("nid_bytes", name, nid.to_vec(Order::Little));
    }
    for h in heard {
        if let Some(Ok(Step::Done((request, _), _))) = h.request.as_deref().map(ConnReq::parse) {
            let nid = request.nid.to_u64().unwrap_or(0).to_le_bytes();
            corpus.add("nid_bytes", format!("{}-{}", h.session, request.nid), [nid, [0; 8]].concat());
        }
    }
}
