//! The registrations of recorded sessions, fed to the engine, leave the logs that the kernel MGS left: byte for byte,
//! but for what vectors/MASK.toml lists under "log files".
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod harness;

use capture::states;
use harness::Mgs;
use std::collections::BTreeMap;
use wire::Nid;
use wire::lnet::{Message as Lnet, portal};
use wire::mgs::{TargetInfo, ldd};
use wire::ptlrpc::{Message, opc};

/// The requests of a session that change logs, in order, with what is needed to send them again.
fn requests(session: &str) -> Vec<(Nid, u64, Message)> {
    let path = capture::vectors_dir().join(format!("captures/{session}/{session}-session.pcap.gz"));
    let all = capture::lnet::messages(&capture::load(&path).unwrap()).unwrap();
    let mut out = Vec::new();
    for m in all.into_iter().filter(|m| m.to_server && m.header.dest.to_string() == "10.77.0.2@tcp") {
        let Lnet::Put { portal: portal::MGS_REQUEST, match_bits, .. } = m.header.msg else { continue };
        let message = Message::decode(&m.payload).unwrap();
        if matches!(message.body().unwrap().opc, opc::MGS_CONNECT | opc::MGS_TARGET_REG | opc::MGS_DISCONNECT)
        {
            out.push((m.header.src, match_bits, message));
        }
    }
    out
}

/// Plays a session; after each registration with a name in `stages` the logs are compared.
fn play(session: &str, stages: &[(usize, &str)], logs: &[&str]) {
    let golden = states::session(session);
    let mut mgs = Mgs::new();
    let mut handles: BTreeMap<Nid, u64> = BTreeMap::new();
    let mut registrations = 0;
    let mut compared = 0;
    for (peer, xid, message) in requests(session) {
        let mut body = message.body().unwrap();
        if body.opc != opc::MGS_CONNECT {
            body.handle = handles[&peer];
        }
        let mut again = Message::new(&body, message.buffers[1..].to_vec());
        again.flags = message.flags;
        mgs.deliver(peer, portal::MGS_REQUEST, xid, again.to_bytes());
        let reply = mgs.reply(xid).unwrap_or_else(|| panic!("request {xid:#x} is not answered")).body();
        if body.opc == opc::MGS_CONNECT {
            handles.insert(peer, reply.handle);
        }
        if body.opc != opc::MGS_TARGET_REG {
            continue;
        }
        let info = wire::Codec::decode(&mut message.buffer(1).unwrap()).map(|i: TargetInfo| i).unwrap();
        if info.flags & ldd::OPC_READY != 0 {
            continue;
        }
        registrations += 1;
        for (_, stage) in stages.iter().filter(|(n, _)| *n == registrations) {
            compare(&mgs, stage, &golden, logs);
            compared += 1;
        }
    }
    assert_eq!(compared, stages.len(), "{registrations} registrations");
}

fn compare(mgs: &Mgs, stage: &str, golden: &states::Files, logs: &[&str]) {
    let prefix = format!("{stage}/CONFIGS/");
    let mut found = 0;
    for (path, file) in golden {
        let Some(name) = path.strip_prefix(&prefix) else { continue };
        if !logs.iter().any(|l| name.starts_with(l)) || name.ends_with(".bak") {
            continue;
        }
        found += 1;
        let entry = mgs.engine.view().logs.get(name).unwrap_or_else(|| panic!("{stage}: no log {name}"));
        let (ours, theirs) = (masked(&entry.log.to_file()), masked(file));
        if ours != theirs {
            let at = ours.iter().zip(&theirs).position(|(a, b)| a != b);
            let show = |bytes: &[u8]| {
                let log = llog::Log::from_file(bytes).unwrap();
                log.records().map(|r| format!("{} {:?}\n", r.index, r.cfg().ok())).collect::<String>()
            };
            panic!(
                "{stage}: {name} differs at {at:?} ({} and {} bytes)\n-- ours\n{}-- kernel\n{}",
                ours.len(),
                theirs.len(),
                show(&ours),
                show(&theirs)
            );
        }
    }
    assert!(found >= 1, "{stage}: nothing compared");
}

/// Zeros what the mask lists: header timestamp, marker times, version word, and what follows the NUL of marker names.
fn masked(file: &[u8]) -> Vec<u8> {
    let mut out = file.to_vec();
    if out.is_empty() {
        return out;
    }
    out[16..24].fill(0);
    let log = llog::Log::from_file(file).unwrap();
    for r in log.records() {
        if r.cfg().ok().and_then(|c| c.marker()).is_none() {
            continue;
        }
        // Record header 16, lustre_cfg header 40: the marker lies behind.
        let at = usize::try_from(r.offset).unwrap() + 16 + 40;
        out[at + 8..at + 12].fill(0);
        let cancelled = out[at + 24..at + 32] != [0; 8];
        out[at + 16..at + 24].fill(0);
        out[at + 24..at + 32].fill(u8::from(cancelled));
        for name in [at + 32, at + 96] {
            let end = out[name..name + 64].iter().position(|b| *b == 0).unwrap();
            out[name + end..name + 64].fill(0);
        }
    }
    out
}

#[test]
fn session_a_first_registrations() {
    play(
        "A",
        &[(1, "A01-mdt0000"), (2, "A02-ost0000"), (3, "A03-ost0001"), (6, "A04-remount")],
        &["testfs-", "params"],
    );
}

#[test]
fn session_c_dne_service_nodes_replace_writeconf() {
    let stages = [
        (3, "C00-mounted"),
        (4, "C01-mdt0001"),
        (5, "C02-ost0002-servicenode"),
        (6, "C03b-replace"),
        (8, "C04b-otherfs"),
        (10, "C06a-writeconf-ost0"),
        (15, "C06c-writeconf-all"),
    ];
    play("C", &stages, &["testfs-", "otherfs-"]);
}

#[test]
fn session_e_parameters_and_failover_nodes_at_format_time() {
    play("E", &[(1, "E01-mdt-params-failnode"), (2, "E02-ost-params-failnode")], &["testfs-"]);
}
