//! Values of every kind, for property tests.
#![allow(dead_code, clippy::unwrap_used)]
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use wire::lnet::{Handle, Header, Message, PingInfo, PingNi, feature};
use wire::mgs::{ConfigBody, NidTblEntry, TargetInfo, TargetNidList};
use wire::nid::NidAddr;
use wire::nodemap::Entry;
use wire::ptlrpc::{ConnectData, ConnectRequest};
use wire::relay::{self, DaemonState, PostStatus};
use wire::socklnd::{ConnReq, ConnType, Hello, MAX_PAYLOAD, MsgHeader, MsgKind};
use wire::{Codec, Nid, Order};

pub(crate) fn order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::Little), Just(Order::Big)]
}
/// Text without NUL of at most `n` bytes.
pub(crate) fn text(n: usize) -> impl Strategy<Value = String> {
    vec(prop_oneof![8 => 1_u8..0x80, 1 => Just(0_u8)], 0..=n).prop_map(|raw| {
        let text: String = raw.iter().map(|b| if *b == 0 { 'é' } else { char::from(*b) }).collect();
        text.chars()
            .scan(0, |used, c| {
                *used += c.len_utf8();
                Some((*used, c))
            })
            .take_while(|(used, _)| *used <= raw.len())
            .map(|(_, c)| c)
            .collect()
    })
}
pub(crate) fn small_nid() -> impl Strategy<Value = Nid> {
    (prop_oneof![1_u8..20, 0_u8..0xff], any::<u16>(), any::<u32>()).prop_map(|(lnd, net, a)| Nid {
        lnd,
        net,
        addr: NidAddr::Small(a),
    })
}
pub(crate) fn large_nid() -> impl Strategy<Value = Nid> {
    (prop_oneof![1_u8..20, 0_u8..0xff], any::<u16>(), any::<[u8; 16]>()).prop_map(|(lnd, net, a)| Nid {
        lnd,
        net,
        addr: NidAddr::Large(a),
    })
}
pub(crate) fn nid() -> impl Strategy<Value = Nid> {
    prop_oneof![4 => small_nid(), 4 => large_nid(), 1 => Just(Nid::ANY), 1 => Just(Nid::LOOPBACK)]
}
/// NIDs that the 64-bit form can hold.
pub(crate) fn u64_nid() -> impl Strategy<Value = Nid> {
    prop_oneof![8 => small_nid(), 1 => Just(Nid::ANY)]
}

pub(crate) fn conn_req() -> impl Strategy<Value = ConnReq> {
    prop_oneof![
        u64_nid().prop_map(|nid| ConnReq { version: 1, nid }),
        nid().prop_map(|nid| ConnReq { version: 2, nid }),
    ]
}
pub(crate) fn hello() -> impl Strategy<Value = Hello> {
    let ctype = prop::sample::select(vec![
        ConnType::None,
        ConnType::Any,
        ConnType::Control,
        ConnType::BulkIn,
        ConnType::BulkOut,
    ]);
    let nids = prop_oneof![
        (2_u32..4, u64_nid(), u64_nid(), vec(1_u32.., 0..=16)),
        (Just(4_u32), nid(), nid(), Just(Vec::new())),
    ];
    (nids, any::<[u32; 2]>(), any::<[u64; 2]>(), ctype).prop_map(
        |((version, src_nid, dst_nid, ips), [src_pid, dst_pid], [si, di], ctype)| Hello {
            version,
            src_nid,
            dst_nid,
            src_pid,
            dst_pid,
            src_incarnation: si,
            dst_incarnation: di,
            ctype,
            ips,
        },
    )
}
pub(crate) fn msg_header() -> impl Strategy<Value = MsgHeader> {
    let kind = prop_oneof![Just(MsgKind::Noop), Just(MsgKind::Lnet)];
    (kind, any::<u32>(), any::<[u64; 2]>()).prop_map(|(kind, csum, zc_cookies)| MsgHeader {
        kind,
        csum,
        zc_cookies,
    })
}
/// Header, and the HELLO version that it is for.
pub(crate) fn lnet_header() -> impl Strategy<Value = (u32, Header)> {
    let msg =
        prop_oneof![
            (any::<[u8; 16]>(), any::<u64>(), any::<u32>())
                .prop_map(|(h, match_bits, mlength)| Message::Ack { dst: Handle(h), match_bits, mlength }),
            (any::<[u8; 16]>(), any::<[u64; 2]>(), any::<[u32; 2]>()).prop_map(
                |(h, [match_bits, hdr_data], [portal, offset])| Message::Put {
                    ack: Handle(h),
                    match_bits,
                    hdr_data,
                    portal,
                    offset
                }
            ),
            (any::<[u8; 16]>(), any::<u64>(), any::<[u32; 3]>()).prop_map(
                |(h, match_bits, [portal, src_offset, sink_length])| Message::Get {
                    ret: Handle(h),
                    match_bits,
                    portal,
                    src_offset,
                    sink_length
                }
            ),
            any::<[u8; 16]>().prop_map(|h| Message::Reply { dst: Handle(h) }),
        ];
    let nids = prop_oneof![(Just(3_u32), u64_nid(), u64_nid()), (Just(4_u32), nid(), nid())];
    (nids, any::<[u32; 2]>(), 0..=u32::try_from(MAX_PAYLOAD).unwrap(), msg).prop_map(
        |((version, dest, src), [dest_pid, src_pid], len, msg)| {
            let payload_len =
                if matches!(msg, Message::Put { .. } | Message::Reply { .. }) { len } else { 0 };
            (version, Header { dest, src, dest_pid, src_pid, payload_len, msg })
        },
    )
}
pub(crate) fn ping_info() -> impl Strategy<Value = PingInfo> {
    let ni = (u64_nid(), any::<u32>(), any::<u32>()).prop_map(|(nid, status, msg_size)| PingNi {
        nid,
        status,
        msg_size,
    });
    let large = nid().prop_filter("nobody's interface", |nid| !nid.is_any());
    let large = (large, any::<u32>()).prop_map(|(nid, status)| PingNi { nid, status, msg_size: 0 });
    (any::<u32>(), any::<u32>(), vec(ni, 1..6), vec(large, 0..4), vec(any::<u8>(), 0..9)).prop_map(
        |(features, pid, nis, large, tail)| {
            let has_large = features & feature::LARGE_ADDR != 0;
            let mut info =
                PingInfo { features, pid, nis, large: if has_large { large } else { Vec::new() }, tail };
            if has_large {
                info.nis[0].msg_size = u32::try_from(info.size()).unwrap();
            }
            info
        },
    )
}
pub(crate) fn connect() -> impl Strategy<Value = ConnectRequest> {
    let sepol = prop::option::of(vec(any::<u8>(), 0..20).prop_map(Bytes::from));
    (text(38), text(38), any::<u64>(), any::<[[u8; 32]; 6]>(), sepol).prop_map(
        |(target, client_uuid, callback_cookie, data, sepol)| ConnectRequest {
            target,
            client_uuid,
            callback_cookie,
            data: ConnectData::from_slice(&data.concat(), Order::Little).unwrap(),
            sepol,
        },
    )
}
pub(crate) fn target_info() -> impl Strategy<Value = TargetInfo> {
    (any::<[u32; 6]>(), text(63), text(63), text(39), vec(any::<u64>(), 32), text(300), vec(text(63), 0..5))
        .prop_map(
            |(
                [lustre_ver, stripe_index, config_ver, flags, nid_count, instance],
                fs,
                sv,
                uuid,
                nids,
                params,
                list,
            )| {
                TargetInfo {
                    lustre_ver,
                    stripe_index,
                    config_ver,
                    flags,
                    nid_count,
                    instance,
                    fsname: fs,
                    svname: sv,
                    uuid,
                    nids,
                    params,
                    nidlist: list,
                }
            },
        )
}
pub(crate) fn nid_list() -> impl Strategy<Value = TargetNidList> {
    use wire::mgs::mtn;
    prop_oneof![
        (any::<u32>(), vec(text(63), 0..5)).prop_map(|(flags, inline)| TargetNidList {
            flags: flags & !mtn::IN_BULK,
            count: u32::try_from(inline.len()).unwrap(),
            inline,
        }),
        (any::<u32>(), any::<u32>()).prop_map(|(flags, count)| TargetNidList {
            flags: flags | mtn::IN_BULK,
            count,
            inline: Vec::new(),
        }),
    ]
}
pub(crate) fn config_body() -> impl Strategy<Value = ConfigBody> {
    (text(63), any::<u64>(), any::<u16>(), any::<[u8; 2]>(), any::<u32>()).prop_map(
        |(name, offset, config_type, [pass, bits], units)| ConfigBody {
            name,
            offset,
            config_type,
            nid_size_or_pass: pass,
            bits,
            units,
        },
    )
}
pub(crate) fn nidtbl_entry() -> impl Strategy<Value = NidTblEntry> {
    let nids = prop_oneof![
        (Just((0_u8, 8_u8)), vec(u64_nid(), 1..=32)),
        (Just((1, 20)), vec(nid(), 1..=32)),
        (Just((1, 20)), vec(nid(), 255)),
    ];
    (any::<u64>(), any::<u32>(), any::<u32>(), any::<u8>(), nids, 0_usize..60).prop_map(
        |(version, instance, index, target_type, ((nid_type, nid_size), nids), slack)| NidTblEntry {
            version,
            instance,
            index,
            length: u32::try_from(NidTblEntry::size(nid_type, nids.len()) + slack).unwrap(),
            target_type,
            nid_type,
            nid_size,
            nids,
        },
    )
}
pub(crate) fn nodemap_entry() -> impl Strategy<Value = Entry> {
    (any::<[u8; 8]>(), any::<[u8; 32]>()).prop_map(|(key, rec)| Entry { key, rec })
}
pub(crate) fn payload() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}
pub(crate) fn relay_frame() -> impl Strategy<Value = relay::Frame> {
    use relay::Frame as F;
    let state = prop::sample::select(vec![DaemonState::Ready, DaemonState::Draining, DaemonState::Down]);
    let status = prop_oneof![
        Just(PostStatus::Sent),
        any::<u32>().prop_map(PostStatus::Acked),
        Just(PostStatus::Unreachable),
        Just(PostStatus::Stale),
    ];
    prop_oneof![
        (any::<[u16; 2]>(), any::<u64>(), text(40), vec(nid(), 0..5)).prop_map(
            |([min_version, max_version], features, identity, nids)| F::Hello {
                min_version,
                max_version,
                features,
                identity,
                nids
            }
        ),
        (any::<u16>(), any::<u64>(), text(40), text(40), any::<u32>(), any::<u64>()).prop_map(
            |(version, features, mgs_uuid, daemon, max_inflight, max_bytes)| F::Welcome {
                version,
                features,
                mgs_uuid,
                daemon,
                max_inflight,
                max_bytes
            }
        ),
        vec((text(40), state), 0..5).prop_map(|daemons| F::View { daemons }),
        (any::<u32>(), nid(), nid(), any::<u64>(), text(40), prop::option::of(nid())).prop_map(
            |(slot, peer, local, incarnation, remote, gateway)| F::PeerUp {
                slot,
                peer,
                local,
                incarnation,
                remote,
                gateway
            }
        ),
        (any::<u32>(), text(80)).prop_map(|(slot, reason)| F::PeerDown { slot, reason }),
        (any::<[u32; 3]>(), any::<[u64; 2]>(), payload()).prop_map(
            |([slot, portal, offset], [incarnation, match_bits], payload)| F::Deliver {
                slot,
                incarnation,
                portal,
                match_bits,
                offset,
                payload
            }
        ),
        (any::<[u64; 3]>(), nid(), nid(), any::<[u32; 2]>(), any::<bool>(), payload()).prop_map(
            |([cookie, incarnation, match_bits], peer, local, [portal, offset], want_ack, payload)| F::Post {
                cookie,
                peer,
                local,
                incarnation,
                portal,
                match_bits,
                offset,
                want_ack,
                payload
            }
        ),
        (any::<u64>(), status).prop_map(|(cookie, status)| F::Done { cookie, status }),
        (any::<[u64; 3]>(), nid(), nid(), any::<[u32; 2]>()).prop_map(
            |([cookie, incarnation, match_bits], peer, local, [portal, length])| F::Fetch {
                cookie,
                peer,
                local,
                incarnation,
                portal,
                match_bits,
                length
            }
        ),
        (any::<u64>(), prop::option::of(payload()))
            .prop_map(|(cookie, payload)| F::Fetched { cookie, payload }),
        any::<[u32; 2]>().prop_map(|[slot, count]| F::Credit { slot, count }),
        any::<u64>().prop_map(|token| F::Ping { token }),
        any::<u64>().prop_map(|token| F::Pong { token }),
        Just(F::Drain),
    ]
}
