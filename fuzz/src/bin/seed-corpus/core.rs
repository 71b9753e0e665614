//! Seeds for the MGS: scripts from the requests of the recorded nodes, and what the engine makes of them.
use crate::Corpus;
use crate::traffic::{Heard, MGS};
use bytes::Bytes;
use fuzz_targets::engine::{frames_of, store_of};
use fuzz_targets::rpc::OPCODES;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;
use wire::mgs::{TargetNidList, mtn, nid_entries};
use wire::ptlrpc::{Message, opc};
use wire::relay::{DaemonState, Frame, PostStatus};
use wire::rpc::{Request, Rpc};
use wire::{Codec, Nid, Order};

/// Requests in a script.
const STRETCH: usize = 60;

/// A request to the MGS, with its node.
struct Asked {
    time: Duration,
    peer: u8,
    opc: u32,
    size: usize,
    op: Vec<u8>,
}

/// Fills in everything behind the codecs.
pub(crate) fn fill(corpus: &mut Corpus, heard: &[Heard]) {
    let mut kinds = BTreeSet::new();
    for session in ["A", "B", "C", "E"] {
        let asked = requests(heard, session);
        let connects = connects(&asked);
        for (i, stretch) in asked.chunks(STRETCH).take(3).enumerate() {
            let ops: Vec<&[u8]> = stretch.iter().map(|a| &a.op[..]).collect();
            let script = [&connects[..], &ops.concat()].concat();
            scripted(corpus, &format!("{session}-{i}"), &script, i == 0);
            corpus.add("engine_ops", format!("{session}-{i}-slow"), [connects.clone(), slow(&ops)].concat());
        }
        for a in &asked {
            if kinds.insert((a.opc, a.size)) && kinds.len() < 60 {
                let script = [&connects[..], &a.op].concat();
                scripted(corpus, &format!("{session}-{}-{}", a.opc, a.size), &script, true);
            }
        }
        if session == "A" {
            corpus.add("engine_ops", "derived-patience", [connects.clone(), patience(&asked)].concat());
            for (name, count) in [("", 2), ("-empty", 0), ("-too-long", 16_385)] {
                let script = [&connects[..], &fetched(heard, count)].concat();
                corpus.add("engine_ops", format!("derived-long-nid-list{name}"), script);
            }
        }
    }
    params(corpus, heard);
    proxy(corpus, heard);
    other_frames(corpus);
}

/// The script itself, its traffic, and what is stored after it.
fn scripted(corpus: &mut Corpus, name: &str, script: &[u8], traffic: bool) {
    corpus.add("engine_ops", name, script);
    if !traffic {
        return;
    }
    let (sent, answers) = frames_of(script);
    let bytes = |frames: &[Frame], most: usize| -> Vec<u8> {
        let mut out = Vec::new();
        for frame in frames.iter().map(Frame::to_bytes) {
            if out.len() + frame.len() > most {
                break;
            }
            out.extend(frame);
        }
        out
    };
    corpus.add("engine_frames", name, bytes(&sent, 40_000));
    corpus.add_behind("relay_frames", format!("{name}-sent"), &[200], &bytes(&sent, 3000));
    corpus.add_behind("relay_frames", format!("{name}-answers"), &[9], &bytes(&answers, 3000));
    let mut entries = Vec::new();
    for (key, value) in store_of(script) {
        corpus.add("core_key", key.replace('/', "_"), key.as_bytes());
        if let (Ok(k), Ok(v)) = (u8::try_from(key.len()), u16::try_from(value.len()).map(u16::to_le_bytes)) {
            entries.extend([&[k], key.as_bytes(), &v, &value[..]].concat());
        }
    }
    if entries.len() < 40_000 {
        corpus.add("core_view", name, entries);
    }
}

/// Buffers of a script: length, and the bytes without the zeros at the end.
pub(crate) fn buffers(list: &[Bytes]) -> Vec<u8> {
    let mut out = Vec::new();
    for buffer in list {
        let used = buffer.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
        out.extend(u16::try_from(buffer.len()).unwrap().to_le_bytes());
        out.extend(u16::try_from(used).unwrap().to_le_bytes());
        out.extend(&buffer[..used]);
    }
    out
}

/// Requests of a session in the order of time.
fn requests(heard: &[Heard], session: &str) -> Vec<Asked> {
    let mut list = Vec::new();
    for h in heard.iter().filter(|h| h.session == session && h.to.ip() == MGS) {
        let IpAddr::V4(from) = h.from.ip() else { continue };
        for (time, portal, payload, rpc) in h.payloads() {
            let (Rpc::Request { body, content, .. }, Some(17 | 26)) = (&rpc, portal) else { continue };
            let Some(at) = OPCODES.iter().position(|code| *code == body.opc) else { continue };
            let message = Message::decode(payload).expect("golden");
            let rest = &message.buffers[1..];
            let ids = matches!(content, Request::LlogRead(_) | Request::Cancel(_));
            let flags = u8::from(message.flags & 1 != 0) + 8 * u8::from(body.mbits != 0) + 64 * u8::from(ids);
            let peer = from.octets()[3] - 3;
            let mut op =
                vec![0, peer, flags, u8::try_from(at).unwrap(), 255, u8::try_from(rest.len()).unwrap()];
            op.extend(buffers(rest));
            list.push(Asked { time, peer, opc: body.opc, size: payload.len(), op });
        }
    }
    list.sort_by_key(|a| a.time);
    list
}

/// The first connect of each node.
fn connects(asked: &[Asked]) -> Vec<u8> {
    let mut known = BTreeSet::new();
    let first = asked.iter().filter(|a| a.opc == opc::MGS_CONNECT && known.insert(a.peer));
    first.flat_map(|a| a.op.clone()).collect()
}

/// The store, bulk and callbacks answer when the script says so, and not always well.
fn slow(ops: &[&[u8]]) -> Vec<u8> {
    let mut script = vec![9, 1];
    for (i, op) in ops.iter().enumerate() {
        script.extend(*op);
        script.extend(match i % 12 {
            0 => &[3, 0][..],
            1 => &[4, 0, 7, 255, 0],
            2 => &[2, 3],
            3 => &[3, 1],
            4 => &[4, 1, 10, 255, 0],
            5 => &[3, 0, 4, 0, 7, 255, 2],
            6 => &[10, 255, 1],
            7 => &[5, 1, 0, 2],
            8 => &[3, 0, 4, 0, 7, 255, 0, 2, 30],
            9 => &[10, 255, 2, 3, 0],
            10 => &[6, 4, 0],
            _ => &[7, 255, 4],
        });
    }
    script
}

/// A registration and a lock that wait long, are sent again, and are answered early and once.
fn patience(asked: &[Asked]) -> Vec<u8> {
    let mut script = vec![9, 1];
    for code in [opc::MGS_TARGET_REG, opc::LDLM_ENQUEUE] {
        let op = &asked.iter().find(|a| a.opc == code).expect("golden").op;
        let mut again = op.clone();
        again[2] |= 2 | 16;
        // Not as long as a commit may take.
        script.extend([&op[..], &[2, 6, 2, 0], &again, &[2, 1, 3, 0, 4, 0]].concat());
    }
    let at = OPCODES.iter().position(|code| *code == opc::MGS_SET_INFO).unwrap();
    let param = Bytes::from_static(b"testfs.lov.stripesize=1048576\0");
    script.extend([0, 0, 9, u8::try_from(at).unwrap(), 0, 1]);
    script.extend(buffers(&[param]));
    script
}

/// A registration whose NID list is fetched by bulk: no recorded node had so many.
fn fetched(heard: &[Heard], count: u32) -> Vec<u8> {
    let registration = heard.iter().flat_map(Heard::payloads).find_map(|(_, _, payload, rpc)| {
        let is = matches!(rpc, Rpc::Request { content: Request::TargetReg { list: Some(_), .. }, .. });
        is.then(|| Message::decode(payload).expect("golden"))
    });
    let mut rest = registration.expect("golden").buffers[1..].to_vec();
    rest[1] = TargetNidList { flags: mtn::IN_BULK, count, inline: vec![] }.to_vec(Order::Little).into();
    let at = OPCODES.iter().position(|code| *code == opc::MGS_TARGET_REG).unwrap();
    let list = nid_entries(&["10.77.0.3@tcp".to_owned(), "10.78.0.3@tcp1".to_owned()]);
    let mut script = vec![0, 0, 1 | 8, u8::try_from(at).unwrap(), 0, 2];
    script.extend(buffers(&rest));
    script.extend([8, u8::try_from(list.len()).unwrap(), 0]);
    script.extend(list);
    script
}

fn params(corpus: &mut Corpus, heard: &[Heard]) {
    for (_, _, payload, rpc) in heard.iter().flat_map(Heard::payloads) {
        if let Rpc::Request { content: Request::TargetReg { info, .. }, .. } = rpc {
            corpus.add(
                "core_params",
                format!("{}-{}", info.svname.replace(':', "_"), payload.len()),
                info.params,
            );
        }
    }
    for (name, text) in [
        ("nodes", "failover.node=10.0.0.1@tcp,10.1.0.1@o2ib:10.0.0.2@tcp"),
        ("nodes-v6", "fd00::1@tcp:fd00::2@tcp1"),
        ("quotes", "failover.mode=failout mdt.x=\"a b\" sys.timeout='60' lov.stripesize=\"1\""),
    ] {
        corpus.add("core_params", format!("derived-{name}"), text);
    }
}

/// Whole connections in pieces, as `proxy_events` takes them, with daemon and time in between.
fn proxy(corpus: &mut Corpus, heard: &[Heard]) {
    let peer: Nid = "10.77.0.3@tcp".parse().unwrap();
    let local: Nid = "10.77.0.2@tcp".parse().unwrap();
    let post = Frame::Post {
        cookie: 9,
        peer,
        local,
        incarnation: 0,
        portal: 25,
        match_bits: 3,
        offset: 0,
        want_ack: true,
        payload: Bytes::from_static(&[7; 32]),
    };
    let fetch =
        Frame::Fetch { cookie: 8, peer, local, incarnation: 0, portal: 33, match_bits: 3, length: 64 };
    let between: Vec<Vec<u8>> =
        [post, fetch, Frame::Credit { slot: 0, count: 2 }, Frame::Ping { token: 1 }, Frame::Drain]
            .iter()
            .map(Frame::to_bytes)
            .map(|f| [&[5, 0, u8::try_from(f.len()).unwrap()], &f[..]].concat())
            .collect();
    let streams =
        heard.iter().filter(|h| h.dialler && h.start > 0 && h.to.ip() == MGS && h.stream.len() < 9000);
    for (i, h) in streams.take(8).enumerate() {
        let mut script = vec![0, 0, 0];
        for (n, piece) in h.stream.chunks(200 + i).enumerate() {
            script.extend([1, 0, u8::try_from(piece.len()).unwrap()]);
            script.extend(piece);
            script.extend(&between[(n + i) % between.len()]);
            script.extend([[3, 0, 9], [8, 40, 0], [4, 1, 1], [7, 0, 1]][n % 4]);
        }
        corpus.add("proxy_events", format!("{}-{i}", h.session), script);
    }
}

/// Frames that no MGS sends or receives in a script.
fn other_frames(corpus: &mut Corpus) {
    let nid: Nid = "fd00::12@tcp".parse().unwrap();
    let frames = [
        Frame::Hello {
            min_version: 1,
            max_version: 2,
            features: 3,
            identity: "proxy".into(),
            nids: vec![nid; 2],
        },
        Frame::Welcome {
            version: 1,
            features: 0,
            mgs_uuid: "u".into(),
            daemon: "d".into(),
            max_inflight: 4,
            max_bytes: 5,
        },
        Frame::View { daemons: vec![("a".into(), DaemonState::Ready), ("b".into(), DaemonState::Down)] },
        Frame::PeerUp {
            slot: 1,
            peer: nid,
            local: nid,
            incarnation: 2,
            remote: "é".into(),
            gateway: Some(nid),
        },
        Frame::Done { cookie: 1, status: PostStatus::Acked(5) },
        Frame::Fetched { cookie: 1, payload: Some(Bytes::from_static(b"list")) },
        Frame::Fetched { cookie: 1, payload: None },
        Frame::Drain,
    ];
    let bytes: Vec<u8> = frames.iter().flat_map(Frame::to_bytes).collect();
    corpus.add_behind("relay_frames", "derived-other-kinds", &[2], &bytes);
    corpus.add("engine_frames", "derived-other-kinds", bytes);
}
