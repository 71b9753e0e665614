//! The comparer sees every changed byte of the recorded messages, but for those of masked fields.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::single_range_in_vec_init)]

use super::about::{About, about, opcode};
use super::compare::Comparer;
use super::translate::Said;
use crate::timeline::{Item, Timeline, VERSION};
use bytes::BytesMut;
use std::collections::BTreeSet;
use std::ops::Range;
use wire::Order;
use wire::lnet::{Message, portal};
use wire::ptlrpc::opc;
use wire::rpc::Rpc;
use wire::socklnd::{Frame, Step};

/// Behind the headers of socklnd and LNet.
const PAYLOAD: usize = 24 + 72;
const BODY: usize = 184;

/// Bytes of a frame that may be anything: cookies of socklnd, fields of a reply body, and what its content has.
fn masked(code: Option<u32>, frame: &[u8]) -> Vec<Range<usize>> {
    let buffers = usize::from(frame[PAYLOAD]);
    let body = PAYLOAD + (32 + 4 * buffers).next_multiple_of(8);
    let first = body + BODY;
    // Cookies; and the upper byte of the LND in both NIDs, which the reader drops: no LND has a number above 255.
    let zc = [8..24, 31..32, 39..40];
    let at = |start: usize, fields: &[Range<usize>]| -> Vec<Range<usize>> {
        fields.iter().map(|f| start + f.start..start + f.end).collect()
    };
    // The table of one target: versions have no distance to keep. Its handle wants an ACK.
    let Some(code) = code else {
        return [zc.to_vec(), vec![24 + 32..24 + 48], at(PAYLOAD, &[0..8])].concat();
    };
    let mut list = zc.to_vec();
    if code == opc::LDLM_BL_CALLBACK {
        // Its match bits, but then those of the body are others.
        return list;
    }
    // last_xid, timeout, service_time, limit, slv
    list.extend(at(body, &[24..32, 68..88]));
    list.extend(match code {
        // The export cookie; ocd_version, ocd_instance.
        opc::MGS_CONNECT => [at(body, &[0..8]), at(first, &[8..12, 60..64])].concat(),
        opc::LDLM_ENQUEUE => at(first, &[88..96]),
        // No id where there is no log.
        opc::LLOG_ORIGIN_HANDLE_CREATE if frame[body + 20..body + 24] != [0; 4] => Vec::new(),
        opc::LLOG_ORIGIN_HANDLE_CREATE => at(first, &[0..8, 16..20]),
        opc::LLOG_ORIGIN_HANDLE_READ_HEADER => at(first, &[16..24]),
        opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK => {
            let mut list = at(first, &[0..8, 16..20]);
            let chunk = first + 48;
            for record in markers(&frame[chunk..]) {
                // Version, createtime; remains of longer names are masked in the kernel's only.
                list.extend(at(chunk + record, &[8..12, 16..24]));
            }
            list
        }
        _ => Vec::new(),
    });
    list
}

/// Places of the markers in a chunk, found by their length: 24 of frame, 48 of lustre_cfg, buffer 0 empty, 160.
fn markers(chunk: &[u8]) -> Vec<usize> {
    let word = |at: usize| u32::from_le_bytes(chunk[at..at + 4].try_into().unwrap());
    let mut out = Vec::new();
    let mut at = 0;
    while at + 16 <= chunk.len() && word(at) != 0 {
        if word(at + 20) == llog::cmd::MARKER {
            assert_eq!((word(at + 44), word(at + 48), word(at + 52)), (2, 0, 160), "a marker");
            out.push(at + 16 + 40);
        }
        at += usize::try_from(word(at)).unwrap();
    }
    out
}

/// Removes what the kernel left behind the NUL of names.
fn clean(chunk: &mut [u8]) {
    for marker in markers(chunk) {
        for name in [marker + 32, marker + 96] {
            let end = chunk[name..name + 64].iter().position(|b| *b == 0).unwrap();
            chunk[name + end..name + 64].fill(0);
        }
    }
}

#[test]
fn every_byte_counts() {
    let path = capture::vectors_dir().join("captures/A/A-session.pcap.gz");
    let timeline = Timeline::load(&path).unwrap();
    let (mut said, mut compare) = (Said::default(), Comparer::default());
    let mut tried = BTreeSet::new();
    for event in &timeline.events {
        let frame = match &event.item {
            Item::Mgs(frame) => frame,
            Item::Peer(frame) => {
                // Only to know what is asked; answers to what was not said are none of ours.
                drop(said.repeat(&mut compare, event.node, event.time, frame));
                continue;
            }
            Item::Dial(..) | Item::Welcome(_) => continue,
        };
        let Frame::Lnet(_, header, payload) = frame else { continue };
        let Message::Put { portal, .. } = header.msg else { continue };
        let code = opcode(header.msg, payload);
        let status = Rpc::decode_put(portal, payload).unwrap().body().map(|b| b.status);
        // The first of each kind; of bulks the first table with an entry.
        let bulk = portal == portal::MGS_BULK && payload.len() == 44;
        if portal == portal::LNET_RESERVED || tried.contains(&(code, status)) || (code.is_none() && !bulk) {
            continue;
        }
        let Some(About::Answer(_, bits)) = about(&header.msg, payload).map(|a| match a {
            About::Callback(..) => About::Answer(0, 0),
            other => other,
        }) else {
            panic!("{frame:?}")
        };
        let answer = if bulk { portal::MGC_REPLY } else { portal };
        let asked = said.asked.get(&(event.node, answer, bits));
        let mut bytes = frame.to_bytes(VERSION, Order::Little);
        if code == Some(opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK) {
            clean(&mut bytes[PAYLOAD + 48 + BODY + 48..]);
        }
        let masked = masked(code, &bytes);
        let Ok(Step::Done(clean, _)) = Frame::parse(&BytesMut::from(&bytes[..]), VERSION, Order::Little)
        else {
            panic!("{frame:?}")
        };
        for i in 0..bytes.len() {
            let mut changed = BytesMut::from(&bytes[..]);
            changed[i] ^= 0x40;
            let seen = match Frame::parse(&changed, VERSION, Order::Little) {
                Ok(Step::Done(ours, used)) => {
                    let found = Comparer::default().frame(event.node, &clean, &ours, asked);
                    used != bytes.len() || !found.is_empty()
                }
                _ => true,
            };
            let allowed = masked.iter().any(|r| r.contains(&i));
            assert_eq!(seen, !allowed, "opcode {code:?}, byte {i} of {}", bytes.len());
        }
        tried.insert((code, status));
    }
    let kinds: BTreeSet<Option<u32>> = tried.iter().map(|(code, _)| *code).collect();
    let all = [
        opc::LDLM_ENQUEUE,
        opc::LDLM_CANCEL,
        opc::LDLM_BL_CALLBACK,
        opc::MGS_CONNECT,
        opc::MGS_DISCONNECT,
        opc::MGS_TARGET_REG,
        opc::MGS_CONFIG_READ,
        opc::OBD_PING,
        opc::LLOG_ORIGIN_HANDLE_CREATE,
        opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK,
        opc::LLOG_ORIGIN_HANDLE_READ_HEADER,
    ];
    assert_eq!(kinds, [None].into_iter().chain(all.map(Some)).collect());
}
