//! Bytes from someone who does not mean well: every length field at its worst, and no structure at all.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod strategies;

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use strategies as s;
use wire::ldlm::{BarrierDesc, BarrierLvb, LdlmReply, LdlmRequest};
use wire::llog_rpc::LlogdBody;
use wire::lnet::{Handle, Header, Message as LnetMessage, PingInfo, PingNi, feature};
use wire::mgs::{ConfigBody, ConfigRes, NidTblEntry, TargetInfo, TargetNidList, mtn, parse_nid_entries};
use wire::nodemap::{self, IndexPage, Record};
use wire::ptlrpc::{Body, ConnectData, ConnectRequest, Message};
use wire::rpc::Rpc;
use wire::socklnd::{ConnReq, ConnType, Frame, Hello, MAX_PAYLOAD, MsgHeader, Step};
use wire::{Codec, Error, Nid, Order, Reader, Writer, relay};

/// What an attacker puts into a u32 that is a length.
const EVIL: [u32; 4] = [0, u32::MAX, 1 << 31, (1 << 31) - 1];

fn u32_at(bytes: &[u8], at: usize, v: u32, order: Order) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + 4].copy_from_slice(&match order {
        Order::Little => v.to_le_bytes(),
        Order::Big => v.to_be_bytes(),
    });
    bytes
}
/// Runs `check` with every evil value at `at`, in both orders.
fn evil(make: impl Fn(Order) -> Vec<u8>, at: usize, check: impl Fn(u32, Order, Vec<u8>)) {
    for order in [Order::Little, Order::Big] {
        for v in EVIL {
            check(v, order, u32_at(&make(order), at, v, order));
        }
    }
}
fn nid(text: &str) -> Nid {
    text.parse().unwrap()
}
fn put(payload_len: u32) -> Header {
    Header {
        dest: nid("10.0.0.1"),
        src: nid("10.0.0.2"),
        dest_pid: 12345,
        src_pid: 12345,
        payload_len,
        msg: LnetMessage::Put { ack: Handle::NONE, match_bits: 1, hdr_data: 0, portal: 26, offset: 0 },
    }
}

#[test]
fn hello_address_count() {
    let hello = Hello {
        version: 3,
        src_nid: nid("10.0.0.2"),
        dst_nid: nid("10.0.0.1"),
        src_pid: 12345,
        dst_pid: 0,
        src_incarnation: 1,
        dst_incarnation: 0,
        ctype: ConnType::Control,
        ips: Vec::new(),
    };
    evil(
        |order| hello.to_bytes(order),
        52,
        |v, _, bytes| match Hello::parse(&bytes) {
            Ok(Step::Done((got, _), 56)) => assert_eq!((v, &got), (0, &hello)),
            other => assert!(v > 0 && matches!(other, Err(Error::BadValue { .. })), "{v}: {other:?}"),
        },
    );
    // V4 has the field, but nothing ever follows it.
    let v4 = Hello { version: 4, ..hello.clone() };
    evil(
        |order| v4.to_bytes(order),
        76,
        |_, _, bytes| assert!(matches!(Hello::parse(&bytes), Ok(Step::Done(_, 80)))),
    );
    let seventeen = u32_at(&hello.to_bytes(Order::Little), 52, 17, Order::Little);
    assert!(Hello::parse(&seventeen).is_err());
    let zero_address = [u32_at(&hello.to_bytes(Order::Little), 52, 1, Order::Little), vec![0; 4]].concat();
    assert!(Hello::parse(&zero_address).is_err());
}

#[test]
fn lnet_payload_length() {
    for (version, at) in [(3, 24 + 28), (4, 24 + 52)] {
        for order in [Order::Little, Order::Big] {
            let frame = Frame::Lnet(MsgHeader::LNET, put(0), Bytes::new()).to_bytes(version, order);
            let max = u32::try_from(MAX_PAYLOAD).unwrap();
            for v in EVIL.into_iter().chain([max, max + 1]) {
                // Always little endian.
                let bytes = BytesMut::from(&u32_at(&frame, at, v, Order::Little)[..]);
                match Frame::parse(&bytes, version, order) {
                    Ok(Step::Done(_, n)) => assert_eq!((v, n), (0, frame.len())),
                    Ok(Step::Need(n)) => assert_eq!((v, n), (max, frame.len() + MAX_PAYLOAD)),
                    Err(Error::BadValue { got, .. }) => assert!(got > u64::from(max)),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[test]
fn payload_on_ack_and_get_is_refused_at_once() {
    let ack = LnetMessage::Ack { dst: Handle::NONE, match_bits: 0, mlength: 0 };
    let get =
        LnetMessage::Get { ret: Handle::NONE, match_bits: 0, portal: 0, src_offset: 0, sink_length: 272 };
    for msg in [ack, get] {
        let mut w = Writer::new(Order::Little);
        MsgHeader::LNET.encode(&mut w);
        Header { msg, ..put(1) }.encode(&mut w, 3);
        let bytes = BytesMut::from(&w.into_vec()[..]);
        assert!(matches!(Frame::parse(&bytes, 3, Order::Little), Err(Error::BadValue { got: 1, .. })));
    }
}

#[test]
fn unknown_kinds_on_the_stream() {
    let frame = Frame::Lnet(MsgHeader::LNET, put(0), Bytes::new()).to_bytes(3, Order::Little);
    for kind in [0, 0xbf, 0xc2, 0xc000_0000] {
        let bytes = BytesMut::from(&u32_at(&frame, 0, kind, Order::Little)[..24]);
        assert!(Frame::parse(&bytes, 3, Order::Little).is_err(), "ksh_type {kind:#x}");
    }
    for kind in [4, 5, u32::MAX] {
        let bytes = BytesMut::from(&u32_at(&frame, 24 + 24, kind, Order::Little)[..]);
        assert!(Frame::parse(&bytes, 3, Order::Little).is_err(), "LNet type {kind}");
    }
    for (at, values) in [(0, [0, 0xeebc_0ded]), (4, [1, 5]), (48, [4, 0xffff_fffe])] {
        let hello = Hello {
            version: 3,
            src_nid: nid("10.0.0.2"),
            dst_nid: nid("10.0.0.1"),
            src_pid: 12345,
            dst_pid: 0,
            src_incarnation: 1,
            dst_incarnation: 0,
            ctype: ConnType::Control,
            ips: Vec::new(),
        };
        for v in values {
            let bytes = u32_at(&hello.to_bytes(Order::Little), at, v, Order::Little);
            assert!(Hello::parse(&bytes).is_err(), "{v:#x} at {at}");
            // As soon as the field is there, in the case of magic and version.
            if at < 8 {
                assert!(Hello::parse(&bytes[..at + 4]).is_err(), "{v:#x} at {at}");
            }
        }
    }
    let request = ConnReq::to(nid("10.0.0.1")).to_bytes(Order::Big);
    assert!(ConnReq::parse(&u32_at(&request, 4, 3, Order::Big)[..8]).is_err());
    assert!(ConnReq::parse(&[0x63, 0x69, 0x72, 0x45]).is_err());
}

#[test]
fn ping_entry_count_and_size() {
    let info = PingInfo {
        features: feature::NI_STATUS | feature::LARGE_ADDR,
        pid: 12345,
        nis: vec![PingNi { nid: Nid::LOOPBACK, status: 1, msg_size: 40 }],
        large: vec![],
        tail: vec![],
    };
    let with_large = {
        let nid = nid("fd00::12@tcp");
        let mut info = PingInfo { large: vec![PingNi { nid, status: 2, msg_size: 0 }], ..info.clone() };
        info.nis[0].msg_size = 56;
        info
    };
    evil(
        |order| with_large.to_bytes(order),
        12,
        |v, _, bytes| assert_eq!(PingInfo::decode(&bytes).is_err(), v > 0, "{v}"),
    );
    // Total of all entries: a size below the fixed part means that there are no large ones.
    evil(
        |order| with_large.to_bytes(order),
        28,
        |v, _, bytes| match PingInfo::decode(&bytes) {
            Ok((got, _)) => assert_eq!((v, got.large.len(), got.tail.len()), (0, 0, 24)),
            Err(e) => assert!(v > 0, "{e}"),
        },
    );
    // nid_size of the large entry: beyond the 20 bytes of a NID, or a size that nobody has.
    for size in [4, 8, 13, 255] {
        let mut bytes = with_large.to_bytes(Order::Little);
        bytes[36] = size;
        assert!(PingInfo::decode(&bytes).is_err(), "nid_size {size}");
    }
}

#[test]
fn message_buffer_count_and_lengths() {
    let message = |order| {
        let body = Body { opc: 250, ..Body::default() };
        let buffers = vec![body.to_vec(order).into(), Bytes::from_static(b"MGS\0"), Bytes::new()];
        Message { order, buffers, ..Message::new(&body, Vec::new()) }.to_bytes().to_vec()
    };
    let decode = |bytes: Vec<u8>| Message::decode(&bytes.into());
    evil(message, 0, |v, _, bytes| assert!(decode(bytes).is_err(), "bufcount {v}"));
    for count in [32, 33] {
        assert!(decode(u32_at(&message(Order::Little), 0, count, Order::Little)).is_err());
    }
    for at in [32, 36, 40] {
        evil(message, at, |v, _, bytes| match decode(bytes) {
            Ok(m) => assert!(v == 0 && m.buffers.iter().map(Bytes::len).sum::<usize>() <= 188),
            Err(e) => assert!(v > 0, "{e}"),
        });
    }
    // The sum, not one length, reaches beyond the end; and the last buffer's padding does.
    let bytes = message(Order::Little);
    assert!(decode(u32_at(&bytes, 36, 9, Order::Little)).is_err());
    assert!(decode(bytes[..bytes.len() - 1].to_vec()).is_err());
    for magic in [0x0bd0_0bd0_u32, 0xd00b_d00b] {
        assert!(matches!(decode(u32_at(&bytes, 8, magic, Order::Little)), Err(Error::BadMagic { .. })));
    }
}

#[test]
fn counts_of_nids() {
    let list =
        |order| TargetNidList { flags: 0, count: 1, inline: vec!["10.0.0.3@tcp".into()] }.to_vec(order);
    evil(list, 4, |v, order, bytes| match TargetNidList::from_slice(&bytes, order) {
        Ok(got) => assert!(v == 0 && got.inline.is_empty()),
        Err(e) => assert!(v > 0, "{e}"),
    });
    // In bulk: any count is only a number here, the fetch is bounded by who does it.
    let in_bulk = |order| TargetNidList { flags: mtn::IN_BULK, count: 1, inline: vec![] }.to_vec(order);
    evil(in_bulk, 4, |v, order, bytes| {
        let got = TargetNidList::from_slice(&bytes, order).unwrap();
        assert_eq!((got.count, got.inline.len()), (v, 0));
    });
    let lock = |order| LdlmRequest { handles: vec![1, 2, 3], ..Default::default() }.to_vec(order);
    evil(lock, 4, |v, order, bytes| {
        let got = LdlmRequest::from_slice(&bytes, order).unwrap();
        assert_eq!(got.named_handles().count(), usize::try_from(v).unwrap().min(3));
    });
    let mti = |order| TargetInfo::default().to_vec(order);
    evil(mti, 16, |v, order, bytes| {
        let got = TargetInfo::from_slice(&bytes, order).unwrap();
        assert_eq!((got.nid_count, got.nids.len(), got.nidlist.len()), (v, 32, 0));
    });
}

#[test]
fn text_without_end() {
    let mti = TargetInfo::default().to_vec(Order::Little);
    for (at, len) in [(24, 64), (88, 64), (152, 40), (448, 4096)] {
        let mut bytes = mti.clone();
        bytes[at..at + len].fill(b'x');
        assert!(matches!(TargetInfo::from_slice(&bytes, Order::Little), Err(Error::BadText { .. })));
        bytes[at] = 0xff;
        bytes[at + 1] = 0;
        assert!(matches!(TargetInfo::from_slice(&bytes, Order::Little), Err(Error::BadText { .. })));
    }
    assert!(parse_nid_entries(&[b'1'; 64]).is_err());
    let mut config = ConfigBody::default().to_vec(Order::Little);
    config[..64].fill(b'x');
    assert!(ConfigBody::from_slice(&config, Order::Little).is_err());
}

#[test]
fn nidtbl_length_and_count() {
    let entry = |order| {
        let nids = vec![nid("10.0.0.3@tcp")];
        NidTblEntry {
            version: 3,
            instance: 1,
            index: 0,
            length: 44,
            target_type: 2,
            nid_type: 1,
            nid_size: 20,
            nids,
        }
        .to_vec(order)
    };
    evil(entry, 16, |v, order, bytes| {
        assert!(NidTblEntry::from_slice(&bytes, order).is_err(), "length {v}");
    });
    for (at, values) in [(21, [0, 2, 255]), (22, [0, 8, 255]), (23, [0, 2, 255])] {
        for v in values {
            let mut bytes = entry(Order::Little);
            bytes[at] = v;
            assert!(NidTblEntry::from_slice(&bytes, Order::Little).is_err(), "{v} at {at}");
        }
    }
}

#[test]
fn config_read_buffer_size() {
    for (bits, units, size) in [
        (12, 256, Some(1 << 20)),
        (16, 0, Some(0)),
        (31, u32::MAX, Some(u64::from(u32::MAX) << 31)),
        (33, u32::MAX, None),
        (64, 1, None),
        (255, u32::MAX, None),
    ] {
        let body = ConfigBody { bits, units, ..Default::default() };
        assert_eq!(body.buffer_size(), size, "{units} << {bits}");
    }
}

#[test]
fn index_page_count() {
    let mut w = Writer::new(Order::Little);
    IndexPage { entries: nodemap::untouched() }.encode(&mut w);
    let page = w.into_vec();
    for v in [0, 102, 103, 0x7fff, 0x8000, u16::MAX] {
        let mut bytes = page.clone();
        bytes[6..8].copy_from_slice(&v.to_le_bytes());
        let got = IndexPage::decode(&mut Reader::new(&bytes, Order::Little));
        assert_eq!(got.map(|p| p.entries.len()).ok(), (v <= 102).then_some(v.into()));
    }
}

#[test]
fn relay_lengths() {
    let hello = relay::Frame::Hello {
        min_version: 1,
        max_version: 1,
        features: 0,
        identity: "proxy".into(),
        nids: vec![nid("10.0.0.1")],
    }
    .to_bytes();
    let max = u32::try_from(relay::MAX_FRAME).unwrap();
    for v in EVIL.into_iter().chain([max + 1]) {
        let bytes = u32_at(&hello, 0, v, Order::Little);
        assert!(relay::Frame::parse(&bytes[..4]).is_err(), "length {v}");
    }
    assert_eq!(relay::Frame::parse(&u32_at(&hello, 0, max, Order::Little)), Ok(None));
    // One byte less or more than the fields take.
    let len = u32::try_from(hello.len() - 4).unwrap();
    assert!(relay::Frame::parse(&u32_at(&hello, 0, len - 1, Order::Little)).is_err());
    let longer = [u32_at(&hello, 0, len + 1, Order::Little), vec![0]].concat();
    assert!(relay::Frame::parse(&longer).is_err());
    // Length of the identity, number of NIDs.
    for at in [17, 24] {
        for v in [0, 0x7fff, 0x8000, u16::MAX] {
            let mut bytes = hello.clone();
            bytes[at..at + 2].copy_from_slice(&v.to_le_bytes());
            assert!(relay::Frame::parse(&bytes).is_err(), "{v} at {at}");
        }
    }
    for kind in [0, 15, 255] {
        assert!(relay::Frame::parse(&[1, 0, 0, 0, kind]).is_err(), "kind {kind}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    /// Nothing at all is known of these bytes. Whatever is read from them can be written.
    #[test]
    fn any_bytes_at_all(bytes in vec(any::<u8>(), 0..700), order in s::order(), version in 2_u32..5) {
        fn any<T: Codec>(bytes: &[u8], order: Order) {
            if let Ok(v) = T::from_slice(bytes, order) {
                v.to_vec(order);
            }
        }
        any::<Nid>(&bytes, order);
        any::<MsgHeader>(&bytes, order);
        any::<Body>(&bytes, order);
        any::<ConnectData>(&bytes, order);
        any::<LdlmRequest>(&bytes, order);
        any::<LdlmReply>(&bytes, order);
        any::<BarrierDesc>(&bytes, order);
        any::<BarrierLvb>(&bytes, order);
        any::<LlogdBody>(&bytes, order);
        any::<TargetInfo>(&bytes, order);
        any::<TargetNidList>(&bytes, order);
        any::<ConfigBody>(&bytes, order);
        any::<ConfigRes>(&bytes, order);
        any::<NidTblEntry>(&bytes, order);
        let _ = NidTblEntry::decode_all(&mut Reader::new(&bytes, order));
        let _ = Header::decode(&mut Reader::new(&bytes, order), version);
        let _ = parse_nid_entries(&bytes);
        let _ = String::from_utf8_lossy(&bytes).parse::<Nid>();
        if let Ok(mut key) = Reader::new(&bytes, order).sub("entry", 40) {
            let entry = nodemap::Entry { key: key.array("key").unwrap(), rec: key.array("rec").unwrap() };
            let _ = Record::parse(&entry).map(|r| r.to_entry());
        }
        let shared = Bytes::from(bytes.clone());
        for portal in [0, 12, 26, 33] {
            let _ = Rpc::decode_put(portal, &shared).map(|rpc| rpc.to_bytes());
        }
        let _ = Rpc::decode_reply(&shared).map(|rpc| rpc.to_bytes());
    }
    /// Behind a magic that lets them in.
    #[test]
    fn any_bytes_behind_a_magic(bytes in vec(any::<u8>(), 0..700), order in s::order(), opc in 0_u32..600, reply in any::<bool>()) {
        let word = |v: u32| match order { Order::Little => v.to_le_bytes(), Order::Big => v.to_be_bytes() };
        let behind = |magic| [&word(magic)[..], &bytes[..]].concat();
        let _ = ConnReq::parse(&behind(0xacce_7100));
        let _ = Hello::parse(&behind(0x4572_6963));
        let _ = PingInfo::decode(&behind(0x7069_6e67)).map(|(info, order)| info.to_bytes(order));
        for kind in [0xc0, 0xc1] {
            let _ = Frame::parse(&BytesMut::from(&behind(kind)[..]), 3, order);
        }
        let _ = IndexPage::decode(&mut Reader::new(&behind(0x8a6d_6b6c), order));
        let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let _ = relay::Frame::parse(&[&length, &bytes[..]].concat());
        // A well-formed message with any content in any number of buffers.
        let body = Body { opc, msg_type: if reply { 4713 } else { 4711 }, ..Body::default() };
        let mut buffers = vec![Bytes::from(body.to_vec(order))];
        buffers.extend(bytes.chunks(120).map(Bytes::copy_from_slice));
        let m = Message { order, buffers, ..Message::new(&body, Vec::new()) };
        let _ = ConnectRequest::from_message(&m);
        if let Ok(rpc) = Rpc::decode_put(26, &m.to_bytes()) {
            let again = Rpc::decode_put(26, &rpc.to_bytes());
            prop_assert_eq!(again, Ok(rpc));
        }
    }
}
