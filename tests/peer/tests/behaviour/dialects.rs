//! Releases differ in what they ask and send; either byte order.
use crate::pair::{Pair, nid};
use bytes::Bytes;
use lustre_peer::{Command, Input, Node, NodeConfig, Release, TargetKind, TargetOptions};
use proptest::prelude::*;
use std::time::Duration;
use wire::ptlrpc::opc;

#[test]
fn every_release_mounts() {
    for release in [Release::V2_12, Release::V2_15, Release::V2_16, Release::V2_17] {
        let mut pair = Pair::with(|c| c.release = release);
        let mut type0 = wire::Writer::new(wire::Order::Little);
        let entry = wire::mgs::NidTblEntry {
            version: 3,
            instance: 1,
            index: 0,
            length: if release < Release::V2_16 { 32 } else { 44 },
            target_type: 1,
            nid_type: u8::from(release >= Release::V2_16),
            nid_size: if release < Release::V2_16 { 8 } else { 20 },
            nids: vec![nid("10.0.0.2@tcp")],
        };
        wire::Codec::encode(&entry, &mut type0);
        pair.mgs.table = (type0.into_vec(), 3);
        pair.mount_mdt();
        pair.mount_ost(0);
        pair.mount_client();
        assert_eq!(pair.mounted().len(), 3, "{release:?}: {:?}", pair.events);
        assert!(pair.violations().is_empty(), "{release:?}: {:?}", pair.violations());
        let with_mbits = pair.mgs.seen.iter().filter(|s| s.opc == opc::OBD_PING || s.opc == 101);
        assert!(with_mbits.clone().count() > 0 && with_mbits.clone().all(|s| s.body.mbits == s.xid));
    }
}

#[test]
fn a_target_with_parameters_and_service_nodes() {
    let mut pair = Pair::new();
    let options = TargetOptions {
        params: vec!["ost.threads_max=64".to_owned()],
        servicenodes: vec![vec![nid("10.0.0.7@tcp")], vec![nid("10.0.0.8@tcp"), nid("10.1.0.8@o2ib")]],
        ..TargetOptions::new("testfs", TargetKind::Ost, 1)
    };
    let expected = "ost.threads_max=64 failover.node=10.0.0.7@tcp:10.0.0.8@tcp,10.1.0.8@o2ib ";
    pair.mgs.twist = Some(Box::new(move |a| {
        if a.opc == opc::MGS_TARGET_REG {
            let info: wire::mgs::TargetInfo =
                wire::Codec::from_slice(&a.buffers[0], wire::Order::Little).unwrap();
            assert_eq!((info.params.as_str(), info.flags & 0x1000), (expected, 0x1000));
        }
    }));
    pair.feed(Input::Command(Command::MountTarget(options)));
    assert_eq!(pair.mounted(), ["testfs-OST0001"]);
}

/// Forms a, b and c of a registration, and the list that travels by bulk.
#[test]
fn forms_of_a_registration() {
    let forms = [
        (Release::V2_12, 0, None),
        (Release::V2_15, 2, None),
        (Release::V2_16, 2, None),
        (Release::V2_17, 2, Some(3)),
        (Release::V2_17, 40, Some(0)),
    ];
    for (release, more, inline) in forms {
        let mut pair = Pair::with(|c| c.release = release);
        let more_nids: Vec<_> = (0..more).map(|i| nid(&format!("10.3.0.{i}@tcp1"))).collect();
        let options = TargetOptions { more_nids, ..TargetOptions::new("testfs", TargetKind::Ost, 0) };
        pair.feed(Input::Command(Command::MountTarget(options)));
        assert_eq!(pair.mounted(), ["testfs-OST0000"], "{release:?}");
        let (info, list) = pair.mgs.registrations[0].clone();
        let large = info.flags & 0x2_0000 != 0;
        assert_eq!(large, release >= Release::V2_16);
        assert_eq!(info.nids.iter().filter(|n| **n != 0).count(), if large { 0 } else { more + 1 });
        assert_eq!(info.nidlist.len(), if release == Release::V2_16 { more + 1 } else { 0 });
        assert_eq!(list.map(|l| l.inline.len()), inline, "{release:?}");
        let fetched = if more == 40 { 2 * 41 * 64 } else { 0 };
        assert_eq!(pair.mgs.fetched.len(), fetched, "once for REG, once for READY");
    }
}

/// A node with three connections that stand, in the middle of a mount.
fn talking() -> Pair {
    let mut pair = Pair::new();
    pair.mgs.twist = Some(Box::new(|a| a.dropped = a.opc == opc::LDLM_ENQUEUE));
    pair.mount_client();
    pair
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever comes on a fresh connection, dialled or accepted, the node stays alive.
    #[test]
    fn garbage_on_a_stream(bytes in proptest::collection::vec(any::<u8>(), 0..2000), accepted: bool, cut in 1_usize..64) {
        let config = NodeConfig::new(nid("10.0.0.7@tcp"), vec![nid("10.0.0.1@tcp")], 1, Duration::from_secs(1));
        let mut node = Node::new(config);
        let conn = if accepted { lustre_peer::ConnId::accepted(0) } else { lustre_peer::ConnId(0) };
        node.handle(Input::Command(Command::MountClient(lustre_peer::ClientOptions::new("testfs"))), Duration::ZERO);
        node.handle(if accepted { Input::Accepted(conn) } else { Input::Connected(conn) }, Duration::ZERO);
        for piece in bytes.chunks(cut) {
            node.handle(Input::Bytes(conn, Bytes::copy_from_slice(piece)), Duration::ZERO);
        }
        while node.poll_event().is_some() {}
    }

    /// Garbage as a reply, callback or bulk to what the node waits for.
    #[test]
    fn garbage_in_a_message(
        payload in proptest::collection::vec(any::<u8>(), 0..600),
        portal in prop::sample::select(vec![15_u32, 16, 18, 25, 33, 99]),
        offset in prop::sample::select(vec![0_u32, 224, 7, u32::MAX]),
        known: bool,
    ) {
        let mut pair = talking();
        let xid = pair.mgs.seen.last().unwrap().xid;
        pair.mgs.put(portal, if known { xid } else { 1 }, offset, payload.into(), true);
        pair.pump();
        pair.mgs.twist = None;
        pair.seconds(60);
        prop_assert_eq!(pair.mounted(), ["testfs-client"]);
    }

    /// Good answers with some bytes changed.
    #[test]
    fn changed_answers(which in 0_usize..20, at in any::<prop::sample::Index>(), value: u8, status in -200_i32..1) {
        let mut pair = Pair::new();
        let mut n = 0;
        pair.mgs.twist = Some(Box::new(move |a| {
            if n == which {
                let count = a.buffers.len();
                if count > 0 {
                    let buffer = &mut a.buffers[at.index(count)];
                    if !buffer.is_empty() {
                        let i = at.index(buffer.len());
                        buffer[i] = value;
                    }
                }
                if value % 3 == 0 {
                    a.body.status = status;
                }
                if let Some(bulk) = a.bulk.as_mut().filter(|b| !b.is_empty()) {
                    let i = at.index(bulk.len());
                    bulk[i] = value;
                }
            }
            n += 1;
        }));
        pair.mount_mdt();
        pair.seconds(200);
        prop_assert!(pair.node.poll_timeout().is_none_or(|t| t >= pair.now));
    }
}
