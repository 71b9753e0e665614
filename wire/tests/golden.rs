//! Every byte that a real Lustre and its kernel MGS exchanged is understood, and written again as it was.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
use bytes::BytesMut;
use capture::{Connection, Stream};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use wire::lnet::Message;
use wire::nodemap::{self, Record};
use wire::rpc::{Reply, Request, Rpc, opcode_name};
use wire::socklnd::{ConnReq, Frame, Hello, Step};
use wire::{Order, Result, mgs};

/// The kernel MGS of the recordings.
const MGS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 77, 0, 2));

fn captures() -> Vec<PathBuf> {
    let dir = capture::vectors_dir().join("captures");
    let mut found: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .flat_map(|session| std::fs::read_dir(session.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .collect();
    found.sort();
    assert!(found.len() >= 12, "captures are missing: {found:?}");
    found
}

/// One value from the front of what has arrived, checked to give the same bytes again.
fn step<T>(
    buf: &mut BytesMut,
    parse: impl Fn(&[u8]) -> Result<Step<(T, Order)>>,
    write: impl Fn(&T) -> Vec<u8>,
    at: &str,
) -> Option<T> {
    match parse(buf).unwrap_or_else(|e| panic!("{at}: {e}")) {
        Step::Need(n) => {
            assert!(n > buf.len(), "{at}: asks for {n} bytes and has {}", buf.len());
            None
        }
        Step::Done((value, order), n) => {
            assert_eq!(order, Order::Little, "{at}");
            assert_eq!(write(&value), buf.split_to(n), "{at}");
            Some(value)
        }
    }
}

/// What one direction of a connection said.
#[derive(Default)]
struct Said {
    requests: Vec<ConnReq>,
    hellos: Vec<Hello>,
    frames: Vec<Frame>,
}

/// Feeds the pieces as TCP delivered them; every byte has to be used.
fn read(stream: &Stream, handshake: bool, dialler: bool, at: &str) -> Said {
    let mut said = Said::default();
    let mut buf = BytesMut::new();
    for (start, end, _) in stream.pieces() {
        buf.extend_from_slice(&stream.bytes[start..end]);
        loop {
            if dialler && handshake && said.requests.is_empty() {
                let write = |c: &ConnReq| c.to_bytes(Order::Little);
                let Some(request) = step(&mut buf, ConnReq::parse, write, at) else { break };
                said.requests.push(request);
            } else if handshake && said.hellos.is_empty() {
                let write = |h: &Hello| h.to_bytes(Order::Little);
                let Some(hello) = step(&mut buf, Hello::parse, write, at) else { break };
                said.hellos.push(hello);
            } else {
                let before = buf.clone();
                let parsed = Frame::parse(&buf, 3, Order::Little);
                let split = Frame::split(&mut buf, 3, Order::Little);
                assert_eq!(parsed, split, "{at}");
                match split.unwrap_or_else(|e| panic!("{at}: {e}")) {
                    Step::Need(n) => {
                        assert!(n > buf.len(), "{at}: asks for {n} bytes and has {}", buf.len());
                        break;
                    }
                    Step::Done(frame, n) => {
                        assert_eq!(frame.to_bytes(3, Order::Little), before[..n], "{at}");
                        said.frames.push(frame);
                    }
                }
            }
        }
    }
    assert!(buf.is_empty(), "{at}: {} bytes left over", buf.len());
    said
}

fn streams(path: &Path) -> Vec<(Connection, Said, Said)> {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let loaded = capture::load(path).unwrap();
    assert!(!loaded.is_empty(), "{name}: no connection");
    loaded
        .into_iter()
        .map(|c| {
            let at = format!("{name} {} -> {}", c.client, c.server);
            let to_server = read(&c.to_server, c.from_start, true, &at);
            let to_client = read(&c.to_client, c.from_start, false, &format!("{at} (answers)"));
            (c, to_server, to_client)
        })
        .collect()
}

/// Payload of a frame, typed; `None` for frames that have none to type.
fn rpc(frame: &Frame, at: &str) -> Option<Rpc> {
    let Frame::Lnet(_, header, payload) = frame else { return None };
    let rpc = match header.msg {
        Message::Put { portal, .. } => Rpc::decode_put(portal, payload),
        Message::Reply { .. } => Rpc::decode_reply(payload),
        Message::Ack { .. } | Message::Get { .. } => return None,
    };
    let rpc = rpc.unwrap_or_else(|e| panic!("{at}: {header:?}: {e}"));
    assert_eq!(rpc.to_bytes(), payload, "{at}: {header:?} {rpc:?}");
    Some(rpc)
}

/// Every RPC in the captures, with the flag "to or from the MGS".
fn each_rpc(mut see: impl FnMut(&Rpc, bool)) {
    for path in captures() {
        for (c, to_server, to_client) in streams(&path) {
            let mgs = [c.client.ip(), c.server.ip()].contains(&MGS);
            let at = path.display().to_string();
            for frame in to_server.frames.iter().chain(&to_client.frames) {
                if let Some(rpc) = rpc(frame, &at) {
                    see(&rpc, mgs);
                }
            }
        }
    }
}

#[test]
fn all_streams_to_their_last_byte() {
    let mut hellos = 0;
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for path in captures() {
        for (c, to_server, to_client) in streams(&path) {
            if let ([request], [hello], [answer]) =
                (&to_server.requests[..], &to_server.hellos[..], &to_client.hellos[..])
            {
                hellos += 1;
                assert_eq!(request.nid.ip(), Some(c.server.ip()));
                assert_eq!((hello.src_nid.ip(), hello.dst_nid), (Some(c.client.ip()), request.nid));
                assert_eq!((answer.src_nid, answer.dst_nid), (hello.dst_nid, hello.src_nid));
                assert_eq!(answer.ctype, hello.ctype.inverted());
            }
            for frame in to_server.frames.iter().chain(&to_client.frames) {
                let kind = match frame {
                    Frame::Noop(_) => "NOOP".into(),
                    Frame::Lnet(_, header, _) => {
                        format!("{:?}", header.msg).split(' ').next().unwrap().to_owned()
                    }
                };
                *kinds.entry(kind).or_default() += 1;
            }
        }
    }
    println!("{hellos} handshakes, {kinds:?}");
    assert!(hellos >= 30, "only {hellos} complete handshakes");
    assert_eq!(kinds.keys().collect::<Vec<_>>(), ["Ack", "Get", "NOOP", "Put", "Reply"]);
}

#[test]
fn all_rpcs_of_the_mgs_are_typed() {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    each_rpc(|rpc, mgs| {
        let opcode = rpc.body().and_then(|b| opcode_name(b.opc)).unwrap_or("-");
        let kind = match rpc {
            Rpc::Request { head, content, .. } if mgs => {
                assert!(!matches!(content, Request::Other(_)) && head.extra.is_empty(), "{rpc:?}");
                format!("request {opcode}")
            }
            Rpc::Reply { head, content, .. } if mgs => {
                assert!(!matches!(content, Reply::Other(_)) && head.extra.is_empty(), "{rpc:?}");
                format!("reply {opcode}")
            }
            Rpc::Raw(_) if mgs => panic!("untyped bulk with the MGS"),
            Rpc::Request { .. } | Rpc::Reply { .. } | Rpc::Raw(_) => "with MDT, OST".into(),
            Rpc::Ping(..) => "ping or push".into(),
            Rpc::NidTable(..) => "NID table".into(),
            Rpc::Nodemap(..) => "nodemap".into(),
            Rpc::NidList(..) => "NID list".into(),
        };
        *kinds.entry(kind).or_default() += 1;
    });
    println!("{kinds:#?}");
    for opcode in [
        "LDLM_ENQUEUE",
        "LDLM_CANCEL",
        "LDLM_BL_CALLBACK",
        "LDLM_CP_CALLBACK",
        "LDLM_GL_CALLBACK",
        "MGS_CONNECT",
        "MGS_DISCONNECT",
        "MGS_TARGET_REG",
        "MGS_CONFIG_READ",
        "OBD_PING",
        "LLOG_ORIGIN_HANDLE_CREATE",
        "LLOG_ORIGIN_HANDLE_NEXT_BLOCK",
        "LLOG_ORIGIN_HANDLE_READ_HEADER",
    ] {
        assert!(kinds.contains_key(&format!("request {opcode}")), "no request {opcode}");
        assert!(kinds.contains_key(&format!("reply {opcode}")), "no reply {opcode}");
    }
    for kind in ["ping or push", "NID table", "nodemap", "with MDT, OST"] {
        assert!(kinds.contains_key(kind), "no {kind}");
    }
}

#[test]
fn nodemap_pages_are_records_in_delivery_order() {
    let mut pages_seen = 0;
    let mut configured = 0;
    each_rpc(|rpc, _| {
        let Rpc::Nodemap(pages) = rpc else { return };
        pages_seen += 1;
        let entries: Vec<_> = pages.iter().flat_map(|p| p.entries.clone()).collect();
        let mut sorted = entries.clone();
        nodemap::sort_for_delivery(&mut sorted);
        assert_eq!(sorted, entries);
        assert_eq!(&nodemap::IndexPage::pages(&entries), pages);
        for entry in &entries {
            let record = Record::parse(entry).unwrap();
            assert_eq!(record.to_entry(), *entry, "{record:?}");
            assert!(!matches!(record, Record::Other(_)), "{entry:?}");
        }
        configured += usize::from(entries.len() > 2);
    });
    assert!(pages_seen > 5 && configured > 0, "{pages_seen} pages, {configured} of them configured");
}

#[test]
fn untouched_nodemap_is_what_a_new_mgs_serves() {
    let first = captures()
        .into_iter()
        .find(|p| p.to_string_lossy().contains("A01-mdt0000-first-registration"))
        .expect("A01");
    let mut served = Vec::new();
    for (_, to_server, to_client) in streams(&first) {
        for frame in to_server.frames.iter().chain(&to_client.frames) {
            match frame {
                Frame::Lnet(_, header, payload)
                    if matches!(header.msg, Message::Put { portal: 33, .. })
                        && payload.len() == nodemap::PAGE =>
                {
                    served.push(payload.clone());
                }
                _ => {}
            }
        }
    }
    let mut w = wire::Writer::new(Order::Little);
    nodemap::IndexPage::pages(&nodemap::untouched()).iter().for_each(|p| p.encode(&mut w));
    assert_eq!(served, [w.into_vec()]);
}

#[test]
fn registrations_say_who_they_are() {
    let mut first = Vec::new();
    let mut accepted = 0;
    each_rpc(|rpc, _| match rpc {
        Rpc::Request { content: Request::TargetReg { info, list }, .. }
            if info.flags & mgs::ldd::VIRGIN != 0 && info.flags & mgs::ldd::OPC_REG != 0 =>
        {
            let list = list.as_ref().unwrap();
            assert_eq!(list.count as usize, list.inline.len());
            let nid: wire::Nid = list.inline[0].parse().unwrap();
            assert_eq!(nid.to_string(), list.inline[0]);
            first.push((info.svname.clone(), info.flags, info.nid_count));
        }
        Rpc::Reply { body, content: Reply::TargetReg(info), .. }
            if body.status == 0 && info.flags & mgs::ldd::OPC_REG != 0 =>
        {
            assert_eq!(info.flags & (mgs::ldd::VIRGIN | mgs::ldd::UPDATE), 0, "{info:?}");
            accepted += 1;
        }
        _ => {}
    });
    assert!(first.contains(&("testfs-MDT0000".into(), 0x1002_0061, 1)), "{first:?}");
    assert!(first.contains(&("testfs-OST0001".into(), 0x1002_0062, 1)), "{first:?}");
    assert!(accepted > first.len(), "{accepted} accepted");
}

/// The same messages as a big-endian peer would send them mean the same.
#[test]
fn all_rpcs_survive_the_other_byte_order() {
    let mut swapped = 0;
    each_rpc(|rpc, mgs| {
        let mut big = rpc.clone();
        match &mut big {
            Rpc::Request { head, .. } | Rpc::Reply { head, .. } => head.order = Order::Big,
            Rpc::Ping(_, order) => *order = Order::Big,
            Rpc::NidTable(entries, order) if !entries.is_empty() => *order = Order::Big,
            _ => return,
        }
        if !mgs {
            return;
        }
        let bytes = big.to_bytes();
        assert_ne!(bytes, rpc.to_bytes());
        let portal = match big {
            Rpc::Ping(..) => 0,
            Rpc::NidTable(..) => 33,
            _ => 26,
        };
        assert_eq!(Rpc::decode_put(portal, &bytes), Ok(big));
        swapped += 1;
    });
    assert!(swapped > 5000, "{swapped}");
}

/// One message of each kind and size, cut at every byte: an error, or (bulk, lists) fewer whole entries.
#[test]
fn truncated_messages_are_refused() {
    let mut samples: BTreeMap<(Option<u32>, bool, usize), Rpc> = BTreeMap::new();
    each_rpc(|rpc, mgs| {
        if mgs {
            let request = matches!(rpc, Rpc::Request { .. });
            let key = (rpc.body().map(|b| b.opc), request, rpc.to_bytes().len());
            samples.entry(key).or_insert_with(|| rpc.clone());
        }
    });
    assert!(samples.len() > 30, "{}", samples.len());
    for rpc in samples.values() {
        let bytes = rpc.to_bytes();
        for n in 0..bytes.len() {
            let cut = bytes.slice(..n);
            match rpc {
                Rpc::Ping(..) => assert!(Rpc::decode_put(0, &cut).is_err()),
                Rpc::NidTable(entries, _) => {
                    let whole = Rpc::decode_put(33, &cut);
                    if let Ok(Rpc::NidTable(fewer, _)) = whole {
                        assert!(entries.starts_with(&fewer) && fewer.len() < entries.len());
                    }
                }
                Rpc::Nodemap(_) if n == 0 => {}
                Rpc::Nodemap(_) => assert!(Rpc::decode_put(33, &cut).is_err()),
                _ => assert!(Rpc::decode_put(26, &cut).is_err(), "{n} of {} bytes of {rpc:?}", bytes.len()),
            }
        }
    }
}
