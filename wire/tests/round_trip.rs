//! Every structure comes back as it went, in both byte orders, and is never read from fewer bytes than it has.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod strategies;

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use std::fmt::Debug;
use strategies as s;
use wire::ldlm::{BarrierDesc, BarrierLvb, ConfigKind, LdlmReply, LdlmRequest, LockDesc, ResId};
use wire::llog_rpc::{LlogdBody, LogId};
use wire::lnet::{Header, PingInfo};
use wire::mgs::{ConfigRes, NidTblEntry, TargetInfo, nid_entries, parse_nid_entries};
use wire::nodemap::{self, IndexPage, Record};
use wire::ptlrpc::{Body, ConnectData, ConnectRequest, Message};
use wire::socklnd::{ConnReq, Frame, Hello, MsgHeader, MsgKind, Step};
use wire::{Codec, Nid, Order, Reader, Result, Writer, relay};

/// Round trip in both orders; below `least` bytes nothing is read, at or above there is no panic.
fn codec<T: Codec + Debug + PartialEq>(value: &T, least: usize) {
    for order in [Order::Little, Order::Big] {
        let bytes = value.to_vec(order);
        assert_eq!(T::from_slice(&bytes, order).as_ref(), Ok(value), "{order:?}");
        for n in 0..bytes.len() {
            let cut = T::from_slice(&bytes[..n], order);
            assert!(n >= least || cut.is_err(), "{n} of {} bytes gave {cut:?}", bytes.len());
        }
    }
}
/// A structure in which every byte means something: any bytes give themselves, and the other order means the same.
fn every_byte<T: Codec + Debug + PartialEq>(bytes: &[u8], least: usize) {
    for (order, other) in [(Order::Little, Order::Big), (Order::Big, Order::Little)] {
        let value = T::from_slice(bytes, order).unwrap();
        assert_eq!(value.to_vec(order), bytes);
        assert_eq!(T::from_slice(&value.to_vec(other), other).as_ref(), Ok(&value));
        codec(&value, least);
    }
}
/// A stream decoder asks for more until the last byte is there, never for more than there is, and takes no more.
fn stream<T: Debug + PartialEq>(value: &T, bytes: &[u8], parse: impl Fn(&[u8]) -> Result<Step<T>>) {
    for n in 0..bytes.len() {
        match parse(&bytes[..n]) {
            Ok(Step::Need(need)) => {
                assert!(need > n && need <= bytes.len(), "{need} with {n} of {}", bytes.len())
            }
            other => panic!("{n} of {} bytes gave {other:?}", bytes.len()),
        }
    }
    let followed = [bytes, &[0xee; 100]].concat();
    match parse(&followed) {
        Ok(Step::Done(got, n)) => assert_eq!((&got, n), (value, bytes.len())),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn nids(nid in s::nid()) {
        codec(&nid, 20);
        prop_assert_eq!(nid.to_string().parse::<Nid>(), Ok(nid), "{}", nid);
        if let Some(v) = nid.to_u64() {
            prop_assert_eq!(Nid::from_u64(v), nid);
        }
    }
    #[test]
    fn small_nids_are_the_64_bit_number_in_big_endian(nid in s::small_nid()) {
        prop_assert_eq!(&nid.to_vec(Order::Little)[..8], nid.to_u64().unwrap().to_be_bytes());
    }
    #[test]
    fn acceptor_requests(req in s::conn_req(), order in s::order()) {
        stream(&(req, order), &req.to_bytes(order), ConnReq::parse);
    }
    #[test]
    fn hellos(hello in s::hello(), order in s::order()) {
        let bytes = hello.to_bytes(order);
        stream(&(hello, order), &bytes, Hello::parse);
    }
    #[test]
    fn message_headers(header in s::msg_header()) {
        codec(&header, 24);
    }
    #[test]
    fn lnet_headers((version, header) in s::lnet_header(), order in s::order()) {
        let mut w = Writer::new(order);
        header.encode(&mut w, version);
        let bytes = w.into_vec();
        prop_assert_eq!(bytes.len(), Header::size(version));
        prop_assert_eq!(Header::decode(&mut Reader::new(&bytes, order), version), Ok(header));
        for n in 0..bytes.len() {
            prop_assert!(Header::decode(&mut Reader::new(&bytes[..n], order), version).is_err());
        }
    }
    #[test]
    fn frames((version, lnet) in s::lnet_header(), head in s::msg_header(), payload in s::payload(), order in s::order()) {
        let frame = match head.kind {
            MsgKind::Noop => Frame::Noop(head),
            MsgKind::Lnet => {
                let takes_payload = lnet.payload_len > 0;
                let payload = if takes_payload { payload } else { Bytes::new() };
                let payload_len = u32::try_from(payload.len()).unwrap();
                Frame::Lnet(head, Header { payload_len, ..lnet }, payload)
            }
        };
        let bytes = frame.to_bytes(version, order);
        stream(&frame, &bytes, |b| Frame::parse(&b.into(), version, order));
        stream(&frame, &bytes, |b| {
            let mut b = BytesMut::from(b);
            let before = b.len();
            let step = Frame::split(&mut b, version, order);
            let taken = if let Ok(Step::Done(_, n)) = &step { *n } else { 0 };
            assert_eq!(b.len(), before - taken);
            step
        });
    }
    #[test]
    fn ping_information(info in s::ping_info(), order in s::order()) {
        let bytes = info.to_bytes(order);
        prop_assert_eq!(bytes.len(), info.size() + info.tail.len());
        // Metadata is allowed to hide behind large entries, so only its absence makes them exact.
        let metadata = info.features & wire::lnet::feature::METADATA != 0;
        prop_assert_eq!(PingInfo::decode(&bytes), Ok((info.clone(), order)));
        if !metadata {
            for n in 0..info.size() {
                prop_assert!(PingInfo::decode(&bytes[..n]).is_err());
            }
        }
    }
    #[test]
    fn bodies(bytes in vec(any::<u8>(), Body::SIZE)) {
        every_byte::<Body>(&bytes, Body::SIZE_V2);
        let short = Body::from_slice(&bytes[..Body::SIZE_V2], Order::Little).unwrap();
        prop_assert_eq!(&short.to_vec(Order::Little)[..Body::SIZE_V2], &bytes[..Body::SIZE_V2]);
        prop_assert_eq!(short.jobid, [0; 32]);
    }
    #[test]
    fn connect_data(bytes in vec(any::<u8>(), ConnectData::SIZE), n in 0..ConnectData::SIZE) {
        every_byte::<ConnectData>(&bytes, 0);
        let mut filled = bytes[..n].to_vec();
        filled.resize(ConnectData::SIZE, 0);
        let short = ConnectData::from_slice(&bytes[..n], Order::Little).unwrap();
        prop_assert_eq!(short.to_vec(Order::Little), filled);
        let long = [&bytes[..], &[0xee; 50]].concat();
        prop_assert_eq!(ConnectData::from_slice(&long, Order::Little).unwrap().to_vec(Order::Little), bytes);
    }
    #[test]
    fn lock_structures(bytes in vec(any::<u8>(), LdlmReply::SIZE)) {
        every_byte::<LdlmReply>(&bytes, LdlmReply::SIZE);
        every_byte::<LockDesc>(&bytes[..LockDesc::SIZE], LockDesc::SIZE);
        every_byte::<ResId>(&bytes[..32], 32);
        every_byte::<BarrierLvb>(&bytes[..BarrierLvb::SIZE], BarrierLvb::SIZE);
        let mut gl = bytes[..BarrierDesc::SIZE].to_vec();
        gl[16..].fill(0);
        every_byte::<BarrierDesc>(&gl, BarrierDesc::SIZE);
    }
    #[test]
    fn lock_requests(bytes in (2_usize..6).prop_flat_map(|n| vec(any::<u8>(), 88 + 8 * n))) {
        every_byte::<LdlmRequest>(&bytes, LdlmRequest::SIZE);
        let request = LdlmRequest::from_slice(&bytes, Order::Little).unwrap();
        prop_assert_eq!(request.handles.len(), (bytes.len() - 88) / 8);
    }
    #[test]
    fn resource_names(name in "[a-zA-Z0-9_]{0,12}", word in any::<[u64; 4]>()) {
        use ConfigKind::*;
        for kind in [Config, Recover, Params, Nodemap, Barrier] {
            let parsed = ResId::config(&name, kind).map(|id| id.parse_config());
            let expected = (1..=8).contains(&name.len()).then(|| Some((name.clone(), kind)));
            prop_assert_eq!(parsed, expected);
        }
        if let Some((name, kind)) = ResId(word).parse_config() {
            prop_assert_eq!(ResId::config(&name, kind), Some(ResId(word)));
        }
    }
    #[test]
    fn llog_bodies(bytes in vec(any::<u8>(), LlogdBody::SIZE)) {
        every_byte::<LlogdBody>(&bytes, LlogdBody::SIZE);
        every_byte::<LogId>(&bytes[..20], 20);
        every_byte::<ConfigRes>(&bytes[..16], ConfigRes::SIZE);
    }
    #[test]
    fn config_bodies(body in s::config_body()) {
        codec(&body, 80);
    }
    #[test]
    fn nid_lists(list in s::nid_list()) {
        codec(&list, 8 + 64 * list.inline.len());
        let bytes = nid_entries(&list.inline);
        prop_assert_eq!(parse_nid_entries(&bytes), Ok(list.inline));
        for n in 0..bytes.len() {
            prop_assert_eq!(parse_nid_entries(&bytes[..n]).is_ok(), n % 64 == 0);
        }
    }
    #[test]
    fn index_pages(entries in vec(s::nodemap_entry(), 0..300)) {
        let pages = IndexPage::pages(&entries);
        let mut w = Writer::new(Order::Big);
        pages.iter().for_each(|p| p.encode(&mut w));
        let bytes = w.into_vec();
        prop_assert_eq!(bytes.len(), nodemap::PAGE * entries.len().div_ceil(nodemap::PER_PAGE).max(1));
        let mut r = Reader::new(&bytes, Order::Big);
        let mut back = Vec::new();
        while r.remaining() > 0 {
            back.extend(IndexPage::decode(&mut r).unwrap().entries);
        }
        prop_assert_eq!(back, entries);
    }
    #[test]
    fn nodemap_records(entry in s::nodemap_entry(), kind in 0_u8..16, name in s::text(16)) {
        let mut entry = entry;
        entry.key[3] = entry.key[3] & 0xf | kind << 4;
        // What a record reads is what it writes; what it has no field for is zero.
        if let Ok(record) = Record::parse(&entry) {
            let again = record.to_entry();
            prop_assert_eq!(Record::parse(&again), Ok(record));
            prop_assert_eq!(again.key, entry.key);
        }
        let cluster = nodemap::Cluster { name, flags: entry.rec[0], flags2: entry.rec[1], squash_uid: 7, ..Default::default() };
        let record = Record::Cluster { id: 5, cluster };
        prop_assert_eq!(Record::parse(&record.to_entry()), Ok(record));
    }
    #[test]
    fn messages(buffers in vec(vec(any::<u8>(), 0..50), 1..=32), words in any::<[u32; 5]>(), order in s::order()) {
        let [secflvr, repsize, cksum, flags, opc] = words;
        let buffers = buffers.into_iter().map(Bytes::from).collect();
        let m = Message { secflvr, repsize, cksum, flags, opc, buffers, order };
        let bytes = m.to_bytes();
        prop_assert_eq!(bytes.len(), m.wire_len());
        prop_assert_eq!(bytes.len() % 8, 0);
        for n in 0..bytes.len() {
            prop_assert!(Message::decode(&bytes.slice(..n)).is_err());
        }
        let longer = Bytes::from([&bytes[..], &[0xee; 9]].concat());
        prop_assert_eq!(Message::decode(&longer), Ok(m.clone()));
        prop_assert!(m.buffer(m.buffers.len()).is_err());
    }
    #[test]
    fn connects(connect in s::connect(), order in s::order()) {
        let mut buffers = vec![Bytes::from(vec![0; Body::SIZE])];
        buffers.extend(connect.to_buffers(order));
        let mut m = Message { order, buffers, ..Message::new(&Body::default(), Vec::new()) };
        prop_assert_eq!(ConnectRequest::from_message(&m), Ok(connect));
        m.buffers.truncate(4);
        prop_assert!(ConnectRequest::from_message(&m).is_err());
    }
    #[test]
    fn relay_frames(frame in s::relay_frame()) {
        let bytes = frame.to_bytes();
        for n in 0..bytes.len() {
            prop_assert_eq!(relay::Frame::parse(&bytes[..n]), Ok(None));
        }
        let followed = [&bytes[..], &[1, 2, 3]].concat();
        prop_assert_eq!(relay::Frame::parse(&followed), Ok(Some((frame.clone(), bytes.len()))));
        let mut buf = BytesMut::from(&followed[..]);
        prop_assert_eq!(relay::Frame::split(&mut buf), Ok(Some(frame)));
        prop_assert_eq!(&buf[..], [1, 2, 3]);
    }
}

proptest! {
    // Several KiB each, cut at every byte.
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn nidtbl_entries(entry in s::nidtbl_entry(), order in s::order(), copies in 0_usize..4) {
        codec(&entry, entry.length as usize);
        let mut w = Writer::new(order);
        (0..copies).for_each(|_| entry.encode(&mut w));
        let bytes = w.into_vec();
        prop_assert_eq!(bytes.len(), copies * entry.length as usize);
        let all = NidTblEntry::decode_all(&mut Reader::new(&bytes, order)).unwrap();
        prop_assert_eq!(all, vec![entry; copies]);
    }
    #[test]
    fn target_infos(info in s::target_info()) {
        codec(&info, TargetInfo::SIZE);
    }
}

#[test]
fn one_message_header_of_each_kind() {
    for header in [MsgHeader::LNET, MsgHeader::KEEPALIVE, MsgHeader::zc_ack(7)] {
        codec(&header, 24);
    }
}
