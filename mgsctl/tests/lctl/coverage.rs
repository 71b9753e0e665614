//! No stage of the sessions B, C and E is silently absent: its line is typed at the front, or stands here with the reason.

use std::collections::{BTreeMap, BTreeSet};

use super::peers::{self, Step};
use super::sessions::{self, LeftOut, WITH_PEERS};
use super::{recorded, settings};

/// What was typed on another node, which the MGS has no part in, or only as the peer of what is then on the wire.
const ELSEWHERE: &str = "typed on a server or a client";
/// `mount` and `umount` of the MGT, and `mkfs.lustre`.
const DISK: &str = "mount, umount and mkfs of the kernel's MGT";
/// Only `dmesg`.
const CONSOLE: &str = "only the kernel's console is read";
/// MGS and MDT on one node, another one than that of the recorded MGS.
const COMBINED: &str = "a combined MGS and MDT on a server; nothing is typed but mounts";

/// Session, stages without a command of `lctl` on the node of the MGS, and why.
const WITHOUT: &[(&str, &[&str], &str)] = &[
    (
        "B",
        &[
            "B01a-check",
            "B01b-check",
            "B01c-check",
            "B01d-check",
            "B01e-check",
            "B01g-check",
            "B01i-check",
            "B02a-check",
            "B02b-check",
            "B02d-check",
            "B03b-check",
            "B04a-ost0-stop",
            "B04b-ost0-start",
            "B04c-mdt0-restart",
            "B06a-lctl-ping",
            "B06b-lnetctl-discover",
            "B10a-check",
        ],
        ELSEWHERE,
    ),
    ("B", &["B00-format", "B10a-mgs-umount", "B10b-mgs-mount", "B11-mgs-crash-restart"], DISK),
    (
        "C",
        &[
            "C01-mdt0001-register",
            "C01-check",
            "C02-ost0002-servicenode",
            "C02-check",
            "C03a-dup-index-refused",
            "C03b-dup-index-replace",
            "C04a-client-nosuchfs",
            "C04b-otherfs-ost-without-mdt",
            "C04c-client-otherfs",
            "C04d-umount-otherfs",
            "C04e-refused-bad-fsname",
            "C05-umount-all-for-writeconf",
            "C06a-writeconf-one-ost",
            "C06b-writeconf-all-umount",
            "C06c-writeconf-all-remount",
            "C06d-client-after-writeconf",
            "C09b-check",
            "C07z-umount-all",
            "C12-remount-after",
            "C12-client-mounts",
            "C13-N-registrations",
        ],
        ELSEWHERE,
    ),
    ("C", &["C00-format"], DISK),
    ("C", &["C06a-check"], CONSOLE),
    (
        "E",
        &[
            "E01-mdt-params-failnode",
            "E02-ost-params-failnode",
            "E03-ost000a-index10",
            "E03a-umount-ost000a",
            "E03b-dup-index-from-srv2",
            "E03c-moved-target",
            "E03d-moved-target-back",
            "E05-client-mount",
            "E08-check",
            "E09-lqa-srv",
            "E11-after-evict",
            "E12-client-umount",
            "E12-servers-umount",
        ],
        ELSEWHERE,
    ),
    ("E", &["E00-format", "E12-mgs-umount"], DISK),
    ("E", &["E03b-check", "E03c-check"], CONSOLE),
    ("E", &["E13-combined", "E14-combined-client", "E15-combined-umount"], COMBINED),
];

/// What each session leaves out, and what is typed while its peers play.
const SESSIONS: [(&str, &[LeftOut], &[Step]); 3] = [
    ("B", sessions::LEFT_OUT_B, peers::B),
    ("C", sessions::LEFT_OUT_C, peers::C),
    ("E", sessions::LEFT_OUT_E, &[]),
];

#[test]
fn every_line_of_the_sessions_is_typed_or_named() {
    let mut typed = 0;
    for (name, left_out, steps) in SESSIONS {
        let lines: BTreeSet<String> = recorded::session(name).into_iter().map(|typed| typed.stage).collect();
        let with_peers: BTreeSet<&str> = steps.iter().filter_map(Step::typed).collect();
        let named: BTreeMap<&str, &str> = left_out.iter().copied().collect();
        for stage in with_peers.iter().copied().chain(named.keys().copied()) {
            assert!(lines.contains(stage), "{name}: {stage} was never typed");
        }
        for (stage, why) in &named {
            assert_eq!(*why == WITH_PEERS, with_peers.contains(stage), "{stage}: {why}");
            assert!(!why.is_empty(), "{stage}");
        }
        assert!(with_peers.iter().all(|stage| named.contains_key(stage)), "{name}: typed twice");
        typed += lines.len() - named.values().filter(|why| **why != WITH_PEERS).count();
    }
    assert_eq!(typed, 58);
    assert!(recorded::session("E").iter().any(|typed| typed.stage == settings::ECHOED));
}

#[test]
fn every_stage_has_a_line_or_a_reason() {
    let text = std::fs::read_to_string(capture::vectors_dir().join("stages.tsv")).unwrap();
    let mut met = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with(['#', 'A'])) {
        let [session, stage] = line.split('\t').take(2).collect::<Vec<_>>()[..] else { panic!("{line}") };
        let reasons: Vec<&str> = WITHOUT
            .iter()
            .filter(|(of, stages, _)| *of == session && stages.contains(&stage))
            .map(|(.., why)| *why)
            .collect();
        let has_line = recorded::session(session).iter().any(|typed| typed.stage == stage);
        assert_eq!(reasons.len(), usize::from(!has_line), "{session} {stage}: {reasons:?}");
        met.insert(stage.to_owned());
    }
    let named = WITHOUT.iter().flat_map(|(_, stages, _)| *stages);
    let idle: Vec<&&str> = named.filter(|stage| !met.contains(**stage)).collect();
    assert!(idle.is_empty(), "no such stages: {idle:?}");
    let lines = ["B", "C", "E"].into_iter().flat_map(recorded::session);
    let strange: Vec<String> = lines
        .map(|typed| typed.stage)
        .filter(|stage| !met.contains(stage.split('+').next().unwrap()))
        .collect();
    assert!(strange.is_empty(), "no such stages: {strange:?}");
}
