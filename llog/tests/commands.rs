//! The constructors against every command that a kernel MGS wrote, and commands as a codec.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

use capture::states;

use llog::{Log, LustreCfg, Marker, cmd};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The command, built again from its texts.
fn rebuild(cfg: &LustreCfg) -> LustreCfg {
    let text = |i| cfg.buf_str(i).unwrap();
    let dev = || cfg.dev().unwrap();
    let texts: Vec<&str> = (1..cfg.bufs.len()).map(text).collect();
    match cfg.command {
        cmd::ATTACH => LustreCfg::attach(dev(), text(1), text(2)),
        cmd::SETUP if cfg.bufs[1].len() == 88 => {
            let lmv = cfg.bufs[1][..48].iter().all(|b| *b == 0);
            let desc = if lmv { LustreCfg::lmv_desc(dev()) } else { LustreCfg::lov_desc(dev()) };
            LustreCfg::setup(dev(), &[&desc])
        }
        cmd::SETUP => LustreCfg::setup_str(dev(), &texts),
        cmd::ADD_UUID => LustreCfg::add_uuid(text(1), cfg.nid, cfg.buf_str(2)),
        cmd::ADD_CONN => LustreCfg::add_conn(dev(), text(1)),
        cmd::MOUNTOPT => LustreCfg::mount_opt(text(1), text(2), cfg.buf_str(3)),
        cmd::LOV_ADD_OBD => LustreCfg::lov_add_obd(dev(), text(1), text(2).parse().unwrap()),
        cmd::ADD_MDC => LustreCfg::add_mdc(dev(), text(1), text(2).parse().unwrap(), cfg.buf_str(4)),
        cmd::PARAM => LustreCfg::param(cfg.dev(), text(1)),
        cmd::SET_PARAM => LustreCfg::set_param(dev(), text(1)),
        cmd::SET_TIMEOUT => LustreCfg::set_timeout(cfg.num),
        cmd::POOL_NEW => LustreCfg::pool_new(dev(), text(1), text(2)),
        cmd::POOL_ADD => LustreCfg::pool_add(dev(), text(1), text(2), text(3)),
        cmd::POOL_REM => LustreCfg::pool_rem(dev(), text(1), text(2), text(3)),
        cmd::POOL_DEL => LustreCfg::pool_del(dev(), text(1), text(2)),
        cmd::MARKER => {
            let m = cfg.marker().unwrap();
            let built = LustreCfg::marker_rec(&m).unwrap();
            assert_eq!(built.marker(), Some(m));
            // Leftovers behind a NUL are the kernel's; ours are zeros (golden/MASK.toml).
            let mut built = built;
            for field in [32..96, 96..160] {
                let nul = cfg.bufs[1][field.clone()].iter().position(|b| *b == 0).unwrap();
                assert!(built.bufs[1][field.start + nul..field.end].iter().all(|b| *b == 0));
                let range = field.start + nul..field.end;
                built.bufs[1][range.clone()].copy_from_slice(&cfg.bufs[1][range]);
            }
            built
        }
        other => panic!("no constructor for {other:#x}"),
    }
}

#[test]
fn constructors_give_what_the_kernel_wrote() {
    let mut seen = BTreeMap::<&str, usize>::new();
    for (name, file) in states::logs() {
        let log = Log::from_file(&file).unwrap();
        for rec in log.records().filter(|r| !r.is_pad()) {
            let cfg = rec.cfg().unwrap();
            let built = rebuild(&cfg);
            assert_eq!(built, cfg, "{name} record {}", rec.index);
            assert_eq!(built.encode(), rec.payload, "{name} record {}", rec.index);
            *seen.entry(llog::command_name(cfg.command).unwrap()).or_default() += 1;
        }
    }
    assert_eq!(seen.len(), 15, "kinds of commands in the recordings: {seen:?}");
}

/// Layout of what no recording holds, by `mgs/02`.
#[test]
fn commands_without_recording() {
    let large = LustreCfg::add_uuid("fd00::1@tcp", 0, Some("fd00::1@tcp"));
    assert_eq!(
        (large.nid, large.buf_str(1), large.buf_str(2)),
        (0, Some("fd00::1@tcp"), Some("fd00::1@tcp"))
    );
    assert_eq!((large.dev(), large.bufs[0].len()), (None, 0));
    let ldlm = LustreCfg::set_ldlm_timeout(20);
    assert_eq!((ldlm.command, ldlm.num, ldlm.buf_str(1)), (0xce030, 20, Some("sys.ldlm_timeout=20")));
    let rule = LustreCfg::sptlrpc_conf("_mgs", "srpc.flavor.default=krb5i");
    assert_eq!((rule.command, rule.dev()), (0xce016, Some("_mgs")));
    // A log from before 2005: network type in `nal`, address in the low half of `nid`.
    let old = LustreCfg { nid: 0x0a4d_0003, nal: 2, ..LustreCfg::new(cmd::ADD_UUID) };
    assert_eq!(llog::text::nid::text(old.effective_nid()), "10.77.0.3@tcp");
    let long = "x".repeat(60);
    assert_eq!(LustreCfg::lov_desc(&long)[48..], [vec![b'x'; 39], vec![0]].concat());
}

#[test]
fn names_that_do_not_fit_a_marker() {
    let fits = Marker { tgtname: "t".repeat(63), comment: "c".repeat(63), ..Marker::default() };
    assert_eq!(LustreCfg::marker_rec(&fits).unwrap().marker(), Some(fits.clone()));
    let long = Marker { comment: "c".repeat(64), ..fits.clone() };
    let error = LustreCfg::marker_rec(&long).unwrap_err();
    assert_eq!(
        (error.errno(), error.to_string().contains("64 bytes, at most 63 fit")),
        (-7, true),
        "{error}"
    );
    assert!(Marker { tgtname: String::from("a\0b"), ..fits }.encode().is_err());
}

/// The old 152-byte marker: two 32-bit times, names eight bytes earlier.
#[test]
fn old_marker() {
    let mut buf = vec![0; 152];
    for (at, word) in [(0, 7u32), (4, 1), (8, 0x0106_0700), (16, 1_100_000_000), (20, 1_200_000_000)] {
        buf[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    buf[24..31].copy_from_slice(b"lustre\0");
    buf[88..96].copy_from_slice(b"add mds\0");
    let m = Marker::decode(&buf).unwrap();
    assert_eq!((m.step, m.flags, m.version_text().as_str()), (7, 1, "1.6.7.0"));
    assert_eq!((m.createtime, m.canceltime), (1_100_000_000, 1_200_000_000));
    assert_eq!((m.tgtname.as_str(), m.comment.as_str()), ("lustre", "add mds"));
    let mut log = Log::new();
    log.append(&LustreCfg::new(cmd::MARKER).with_buf(1, buf), 1).unwrap();
    log.edit_marker(1, |m| m.flags |= llog::marker::flag::SKIP).unwrap();
    let edited = log.record(1).unwrap().cfg().unwrap();
    assert_eq!(edited.bufs[1].len(), 152);
    assert_eq!(edited.marker(), Some(Marker { flags: 5, ..m.clone() }));
    let error = log.edit_marker(1, |m| m.canceltime = 1 << 33).unwrap_err();
    assert!(error.to_string().contains("32-bit"), "{error}");
    for len in [0, 1, 151, 153, 159, 161, 224] {
        assert!(Marker::decode(&vec![0; len]).is_err());
    }
}

/// Any command with buffers as the kernel accepts them.
fn any_cfg() -> impl Strategy<Value = LustreCfg> {
    let buf = prop::collection::vec(any::<u8>(), 0..70);
    let words = (any::<u32>(), any::<u32>(), any::<u32>(), any::<u64>(), any::<u32>());
    (words, prop::collection::vec(buf, 0..8)).prop_map(|((command, num, flags, nid, nal), bufs)| LustreCfg {
        command: if command == cmd::MARKER { 0 } else { command },
        num,
        flags,
        nid,
        nal,
        bufs,
    })
}

/// The payload as a big-endian node writes it.
fn big_endian(cfg: &LustreCfg) -> Vec<u8> {
    let mut out = cfg.encode();
    for at in [0, 4, 8, 12, 24, 28] {
        out[at..at + 4].reverse();
    }
    out[16..24].reverse();
    for i in 0..cfg.bufs.len() {
        out[32 + 4 * i..36 + 4 * i].reverse();
    }
    out
}

proptest! {
    #[test]
    fn round_trip(cfg in any_cfg()) {
        let bytes = cfg.encode();
        prop_assert_eq!(bytes.len(), cfg.encoded_len());
        prop_assert_eq!(bytes.len() % 8, 0);
        prop_assert_eq!(&LustreCfg::decode(&bytes).unwrap(), &cfg);
        prop_assert_eq!(&LustreCfg::decode(&big_endian(&cfg)).unwrap(), &cfg);
        for cut in 0..bytes.len() {
            prop_assert!(LustreCfg::decode(&bytes[..cut]).is_err(), "cut at {}", cut);
        }
    }

    /// Every length field set to a hostile value: refused, or read as something that lies within the payload.
    #[test]
    fn hostile_lengths(cfg in any_cfg()) {
        for bytes in [cfg.encode(), big_endian(&cfg)] {
            for at in (28..32 + 4 * cfg.bufs.len()).step_by(4) {
                for value in [0, u32::MAX, 1 << 31, (1 << 31) - 1, 8, 0x0100_0000] {
                    for word in [value.to_le_bytes(), value.to_be_bytes()] {
                        let mut bad = bytes.clone();
                        bad[at..at + 4].copy_from_slice(&word);
                        if let Ok(read) = LustreCfg::decode(&bad) {
                            prop_assert!(read.encoded_len() <= bad.len());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = bytes;
        let _ = LustreCfg::decode(&bytes);
        if bytes.len() >= 4 {
            bytes[..4].copy_from_slice(&0x1cf6_0001u32.to_le_bytes());
            let _ = LustreCfg::decode(&bytes);
            bytes[..4].reverse();
            let _ = LustreCfg::decode(&bytes);
        }
        let _ = Marker::decode(&bytes);
    }
}
