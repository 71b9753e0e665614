//! Servers that break rules: recorded, survived; or fatal where a kernel would panic.
use crate::fake::Answer;
use crate::pair::{Pair, nid};
use lustre_peer::{Event, Violation};
use wire::mgs::{ConfigRes, NidTblEntry};
use wire::nodemap::{END_OFFSET, IndexPage, PAGE, untouched};
use wire::ptlrpc::{ConnectData, connect_op, msg_type, opc};
use wire::socklnd::ConnType;
use wire::{Codec, Order, Writer};

fn with(twist: impl FnMut(&mut Answer) + Send + 'static) -> Pair {
    let mut pair = Pair::new();
    pair.mgs.twist = Some(Box::new(twist));
    pair
}

#[test]
fn a_good_server_is_not_blamed() {
    let mut pair = Pair::new();
    pair.mount_mdt();
    pair.mount_ost(0);
    pair.mount_ost(1);
    pair.mount_client();
    assert_eq!(pair.mounted(), ["testfs-MDT0000", "testfs-OST0000", "testfs-OST0001", "testfs-client"]);
    pair.seconds(300);
    assert_eq!(pair.violations(), Vec::<&Violation>::new());
    assert_eq!(pair.node.config("testfs-client").unwrap().to_string(), "1 MDT, 2 OSTs");
}

#[test]
fn final_reply_at_offset_0_is_lost() {
    let mut pair = with(|a| {
        if a.opc == opc::LDLM_ENQUEUE {
            a.offset = 0;
        }
    });
    pair.mount_client();
    assert!(pair.mounted().is_empty());
    let expected = Violation::ReplyOffset { opc: opc::LDLM_ENQUEUE, offset: 0, expected: 224 };
    assert_eq!(pair.violations(), [&expected]);
    // It times out like a lost one: reconnect, then the same request again under new match bits.
    pair.seconds(16);
    let enqueues: Vec<_> = pair.mgs.seen.iter().filter(|s| s.opc == opc::LDLM_ENQUEUE).collect();
    assert_eq!((enqueues.len(), enqueues[0].xid), (2, enqueues[1].xid));
    assert_eq!((enqueues[0].body.flags & 2, enqueues[1].body.flags & 2), (0, 2), "RESENT");
    assert_ne!(enqueues[0].body.mbits, enqueues[1].body.mbits);
    assert_eq!((enqueues[0].body.conn_cnt, enqueues[1].body.conn_cnt), (1, 2));
}

#[test]
fn reply_under_other_match_bits_is_lost() {
    let mut pair = with(|a| {
        if a.opc == opc::LLOG_ORIGIN_HANDLE_CREATE {
            a.match_bits += 1;
        }
    });
    pair.mount_client();
    assert!(pair.mounted().is_empty());
    assert!(matches!(pair.violations()[..], [Violation::UnmatchedReply { portal: 25, .. }]));
}

#[test]
fn early_reply_extends_the_deadline_if_its_checksum_is_right() {
    for good in [true, false] {
        let mut pair = with(move |a| {
            if a.opc == opc::LDLM_ENQUEUE {
                let mut body = a.body.clone();
                body.timeout = 40;
                a.early = Some((body, good));
                a.dropped = true;
            }
        });
        pair.mount_client();
        pair.seconds(20);
        assert_eq!(
            pair.mgs.opcodes().iter().filter(|o| **o == opc::MGS_CONNECT).count(),
            if good { 1 } else { 2 }
        );
        let checksum = pair.violations().iter().any(|v| matches!(v, Violation::EarlyReplyChecksum { .. }));
        assert_eq!(checksum, !good);
    }
}

#[test]
fn connect_flag_that_was_not_asked_fails_the_connect() {
    let pingless = wire::ptlrpc::connect_flags::PINGLESS;
    let mut pair = with(move |a| {
        if a.opc == opc::MGS_CONNECT {
            let mut data = ConnectData::from_slice(&a.buffers[0], Order::Little).unwrap();
            data.flags |= pingless;
            a.buffers[0] = data.to_vec(Order::Little);
        }
    });
    pair.mount_client();
    assert_eq!(pair.violations(), [&Violation::ConnectFlagNotAsked { flags: pingless, flags2: 0 }]);
    pair.seconds(41);
    assert_eq!(pair.failure(), Some(-110));
    assert!(pair.mgs.opcodes().iter().all(|o| *o == opc::MGS_CONNECT));
}

#[test]
fn replayable_and_recovering_are_assertions_of_the_mgc() {
    for flag in [connect_op::REPLAYABLE, connect_op::RECOVERING] {
        let mut pair = with(move |a| {
            if a.opc == opc::MGS_CONNECT {
                a.body.op_flags |= flag;
            }
        });
        pair.mount_client();
        assert!(pair.crashed());
        assert!(matches!(pair.violations()[..], [Violation::WouldLbug { .. }]));
        assert_eq!(pair.node.poll_timeout(), None);
    }
}

#[test]
fn nodemap_without_a_default_entry_panics_a_server() {
    let mut pair = with(|a| {
        if a.log == "nodemap" && a.opc == opc::MGS_CONFIG_READ {
            let mut w = Writer::new(Order::Little);
            let entries = untouched().into_iter().filter(|e| e.key != [0, 0, 0, 0x10, 0, 0, 0, 0]).collect();
            IndexPage { entries }.encode(&mut w);
            a.bulk = Some(w.into_vec());
        }
    });
    pair.mount_ost(0);
    assert!(pair.crashed());
    assert!(matches!(pair.violations()[..], [Violation::Nodemap { .. }]));
}

#[test]
fn nodemap_enoent_and_changed_while_read_are_survived() {
    let mut pair = with(|a| {
        if a.log == "nodemap" && a.opc == opc::MGS_CONFIG_READ {
            (a.body.status, a.body.msg_type, a.bulk) = (-2, msg_type::ERR, None);
            a.buffers.clear();
        }
    });
    pair.mount_ost(0);
    assert_eq!(pair.mounted(), ["testfs-OST0000"]);
    assert!(pair.violations().is_empty());
    assert!(pair.events.contains(&Event::NodemapRead { records: None }));

    let mut first = true;
    let mut pair = with(move |a| {
        if a.log == "nodemap" && a.opc == opc::MGS_CONFIG_READ && std::mem::take(&mut first) {
            a.bulk = Some(Vec::new());
            a.buffers = vec![ConfigRes { offset: 0, size_or_pass: 0 }.to_vec(Order::Little)];
        }
    });
    pair.mount_ost(0);
    pair.seconds(11);
    assert!(pair.events.contains(&Event::NodemapRead { records: Some(2) }), "read again after 5 to 10 s");
}

#[test]
fn nodemap_in_two_answers() {
    let mut part = 0;
    let mut pair = with(move |a| {
        if a.log == "nodemap" && a.opc == opc::MGS_CONFIG_READ {
            let mut w = Writer::new(Order::Little);
            IndexPage { entries: vec![untouched()[part]] }.encode(&mut w);
            a.bulk = Some(w.into_vec());
            part += 1;
            let offset = if part == 2 { END_OFFSET } else { 17 };
            a.buffers = vec![ConfigRes { offset, size_or_pass: 1 }.to_vec(Order::Little)];
        }
    });
    pair.mount_ost(0);
    assert!(pair.events.contains(&Event::NodemapRead { records: Some(2) }));
    let reads: Vec<u64> = pair.mgs.seen.iter().filter(|s| s.log == "nodemap").map(|s| s.position.2).collect();
    assert_eq!(reads, [0, 17]);
}

/// An entry of the NID table as a well-behaved MGS sends it.
fn entry(version: u64, index: u32) -> NidTblEntry {
    NidTblEntry {
        version,
        instance: 1,
        index,
        length: 44,
        target_type: 2,
        nid_type: 1,
        nid_size: 20,
        nids: vec![nid("10.0.0.2@tcp")],
    }
}

fn table_of(entries: &[NidTblEntry], version: u64) -> Pair {
    let mut pair = Pair::new();
    let mut w = Writer::new(Order::Little);
    entries.iter().for_each(|e| e.encode(&mut w));
    pair.mgs.table = (w.into_vec(), version);
    pair.mount_client();
    assert_eq!(pair.mounted(), ["testfs-client"], "errors of the NID table are never fatal");
    pair
}

#[test]
fn nid_table_entries_are_checked() {
    let good = table_of(&[entry(3, 0), entry(4, 1)], 4);
    assert!(good.violations().is_empty());
    assert_eq!(good.node.config("testfs-client").unwrap().targets.len(), 2);

    let broken = |e: NidTblEntry| [entry(3, 0), e];
    let empty = NidTblEntry { length: 24, nids: Vec::new(), ..entry(4, 1) };
    let huge = NidTblEntry { length: 4096 + 44, ..entry(4, 1) };
    let type0 = NidTblEntry { nid_type: 0, nid_size: 8, length: 32, ..entry(4, 1) };
    let kind = NidTblEntry { target_type: 7, ..entry(4, 1) };
    for bad in [entry(3, 1), entry(2, 1), entry(9, 1), empty, huge, type0, kind] {
        let pair = table_of(&broken(bad.clone()), 4);
        assert!(
            matches!(pair.violations()[..], [Violation::Table { .. }]),
            "{bad:?}: {:?}",
            pair.violations()
        );
    }
    for (offset, size) in [(3, 4), (5, 4)] {
        let mut pair = with(move |a| {
            if a.log == "testfs-cliir" {
                a.buffers = vec![ConfigRes { offset, size_or_pass: size }.to_vec(Order::Little)];
            }
        });
        pair.mount_client();
        assert!(
            matches!(pair.violations()[..], [Violation::Table { .. }]),
            "empty, up to {offset} of {size}"
        );
    }
}

#[test]
fn nid_table_entry_across_a_page() {
    let mut first = entry(3, 0);
    first.length = u32::try_from(PAGE - 20).unwrap();
    let pair = table_of(&[first, entry(4, 1)], 4);
    assert!(matches!(pair.violations()[..], [Violation::Table { .. }]));
}

#[test]
fn bulk_comes_before_the_reply_once_and_fits() {
    // Without the bulk the success waits until the deadline.
    let mut pair = with(|a| {
        if a.log == "testfs-cliir" {
            a.bulk = None;
        }
    });
    pair.mount_client();
    assert!(pair.mounted().is_empty());
    pair.seconds(16);
    assert!(pair.violations().contains(&&Violation::ReplyBeforeBulk));

    // After the reply is as good as before it.
    let mut pair = with(|a| a.reply_first = a.log == "testfs-cliir");
    pair.mount_client();
    assert_eq!((pair.mounted().len(), pair.mgs.acks), (1, 1));

    let mut pair = with(|a| {
        if a.log == "testfs-cliir" {
            a.bulk = Some(vec![0; (1 << 20) + 1 - 1]);
        }
    });
    pair.mount_client();
    assert_eq!(pair.mgs.acks, 1, "1 MiB fits the first buffer");
    pair.mgs.put(wire::lnet::portal::MGS_BULK, 0x1234, 0, vec![1].into(), true);
    pair.pump();
    assert!(matches!(pair.violations().last(), Some(Violation::Bulk { .. })));
    assert_eq!(pair.mgs.acks, 1, "a PUT that is dropped gets no ACK");
}

#[test]
fn waiting_enqueue_goes_on_with_the_completion_callback() {
    let mut first = true;
    let mut pair = with(move |a| {
        if a.opc == opc::LDLM_ENQUEUE && std::mem::take(&mut first) {
            let mut reply = wire::ldlm::LdlmReply::from_slice(&a.buffers[0], Order::Little).unwrap();
            (reply.flags, reply.desc.granted_mode) = (wire::ldlm::lock_flags::BLOCK_GRANTED, 0);
            a.buffers[0] = reply.to_vec(Order::Little);
        }
    });
    pair.mount_client();
    assert_eq!(pair.mgs.opcodes(), [opc::MGS_CONNECT, opc::LDLM_ENQUEUE]);
    let (resource, client, server) = pair.mgs.locks[0];
    let mut request = wire::ldlm::LdlmRequest { handles: vec![client, server], ..Default::default() };
    request.desc.resource = resource;
    pair.mgs.callback(opc::LDLM_CP_CALLBACK, pair.mgs.callback_cookie, &request);
    pair.pump();
    assert_eq!(pair.mgs.callback_answers, [(opc::LDLM_CP_CALLBACK, 0)]);
    assert_eq!(pair.mounted(), ["testfs-client"]);
}

#[test]
fn callbacks_to_nobody_are_refused() {
    let mut pair = Pair::new();
    pair.mount_client();
    let (resource, _, server) = pair.mgs.locks[0];
    pair.mgs.blocking(resource, 0xdead, server);
    pair.pump();
    assert_eq!(pair.mgs.callback_answers, [(opc::LDLM_BL_CALLBACK, -22)]);
    assert!(pair.violations().is_empty(), "a lock that is gone is no fault");

    let request = wire::ldlm::LdlmRequest { handles: vec![1, 2], ..Default::default() };
    pair.mgs.callback(opc::LDLM_BL_CALLBACK, 0x1_2345, &request);
    pair.pump();
    assert_eq!(pair.mgs.callback_answers.last(), Some(&(opc::LDLM_BL_CALLBACK, -107)));
    assert!(matches!(pair.violations()[..], [Violation::Callback { .. }]));

    let flags = wire::ldlm::LdlmRequest { flags: 8, handles: vec![1, 2], ..Default::default() };
    pair.mgs.callback(opc::LDLM_BL_CALLBACK, pair.mgs.callback_cookie, &flags);
    pair.pump();
    assert_eq!(pair.mgs.callback_answers.last(), Some(&(opc::LDLM_BL_CALLBACK, -71)));
}

#[test]
fn broken_logs_end_the_mount() {
    let cut_tail = |a: &mut Answer| {
        if a.opc == opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK && a.log == "testfs-client" {
            a.buffers[1][220] ^= 1;
        }
    };
    let wrong_end = |a: &mut Answer| {
        if a.opc == opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK && a.log == "testfs-client" {
            a.buffers[0][40] ^= 8;
        }
    };
    let wrong_count = |a: &mut Answer| {
        if a.opc == opc::LLOG_ORIGIN_HANDLE_READ_HEADER && a.log == "testfs-client" {
            a.buffers[0][24] ^= 1;
        }
    };
    let short_block = |a: &mut Answer| {
        if a.opc == opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK && a.log == "testfs-client" {
            a.buffers[1].truncate(8000);
        }
    };
    let twists: [fn(&mut Answer); 4] = [cut_tail, wrong_end, wrong_count, short_block];
    for (i, twist) in twists.into_iter().enumerate() {
        let mut pair = with(twist);
        pair.mount_client();
        assert_eq!(pair.failure(), Some(-5), "twist {i}");
        assert!(
            matches!(pair.violations()[..], [Violation::Log { .. }]),
            "twist {i}: {:?}",
            pair.violations()
        );
    }
}

#[test]
fn end_of_log_status_counts_only_where_the_reader_stands() {
    for (status, mounted) in [(-5, true), (-53, true), (-2, false)] {
        let mut pair = with(move |a| {
            let again = a.opc == opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK && a.log == "testfs-client";
            let index = if again { u32::from_le_bytes(a.buffers[0][28..32].try_into().unwrap()) } else { 0 };
            if again && index > 1 {
                a.body.status = status;
            }
        });
        pair.mount_client();
        assert_eq!(pair.mounted().len(), usize::from(mounted), "{status}");
    }
    // The first block at once the end: the reader stands elsewhere.
    let mut pair = with(|a| {
        if a.opc == opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK && a.log == "testfs-client" {
            a.body.status = -5;
        }
    });
    pair.mount_client();
    assert_eq!(pair.failure(), Some(-5));
}

#[test]
fn registration_refused_and_answered_badly() {
    let set_status = |status: i32, flag: u32, kind: u32| {
        move |a: &mut Answer| {
            if a.opc == opc::MGS_TARGET_REG {
                (a.body.status, a.body.msg_type) = (status, kind);
                a.buffers[0][13] |= u8::try_from(flag >> 8).unwrap();
                if kind == msg_type::ERR {
                    a.buffers.clear();
                }
            }
        }
    };
    let mut pair = with(set_status(-98, 0x4000, msg_type::REPLY));
    pair.mount_ost(0);
    assert_eq!(pair.failure(), Some(-98));
    assert_eq!(pair.mgs.opcodes(), [opc::MGS_CONNECT, opc::MGS_TARGET_REG, opc::MGS_DISCONNECT]);
    assert!(pair.violations().is_empty());

    // Without target info and flag ERROR: a failure of communication, which a new target cannot live with.
    let mut pair = with(set_status(-22, 0, msg_type::ERR));
    pair.mount_ost(0);
    assert_eq!(pair.failure(), Some(-22));

    let mut pair = with(|a| {
        if a.opc == opc::MGS_TARGET_REG {
            a.buffers[0].truncate(4000);
        }
    });
    pair.mount_ost(0);
    assert!(pair.failure().is_some());
    assert!(matches!(pair.violations()[..], [Violation::Registration { .. }]), "{:?}", pair.violations());
}

#[test]
fn hello_with_faults() {
    let faults: [fn(&mut wire::socklnd::Hello); 3] =
        [|h| h.src_nid = "10.9.9.9@tcp".parse().unwrap(), |h| h.src_pid = 7, |h| h.ctype = ConnType::Any];
    for (i, fault) in faults.into_iter().enumerate() {
        let mut pair = Pair::new();
        pair.mgs.hello = Some(Box::new(fault));
        pair.mount_client();
        let blamed = |v: &&Violation| matches!(v, Violation::Hello { .. } | Violation::Stream { .. });
        assert!(pair.violations().first().is_some_and(blamed), "fault {i}");
        assert!(pair.mgs.seen.is_empty(), "fault {i}");
    }
}

#[test]
fn ping_without_multi_rail_is_noisy_and_pings_twice() {
    let mut pair = Pair::new();
    pair.mgs.features = 6;
    pair.mount_client();
    assert_eq!(pair.mounted().len(), 1);
    let line = "lnet_discovery_event_reply() Multi-Rail state vanished from 10.0.0.1@tcp";
    assert!(pair.events.iter().any(|e| matches!(e, Event::Console(l) if l.error && l.text == line)));

    let mut pair = Pair::new();
    pair.mgs.features = 0x1e;
    pair.mount_client();
    assert_eq!(pair.mounted().len(), 1, "push, then connect");
}

#[test]
fn a_reply_too_long_is_asked_for_again_with_more_room() {
    let mut first = true;
    let mut pair = with(move |a| {
        if a.opc == opc::LDLM_ENQUEUE && std::mem::take(&mut first) {
            a.buffers.push(vec![0; 2000]);
        }
    });
    pair.mount_client();
    assert!(matches!(pair.violations()[..], [Violation::ReplyTruncated { room: 1024, .. }]));
    assert_eq!(pair.mounted(), ["testfs-client"]);
    let enqueues: Vec<u64> = pair.mgs.seen.iter().filter(|s| s.opc == 101).map(|s| s.xid).collect();
    assert_eq!(enqueues[0], enqueues[1]);
}
