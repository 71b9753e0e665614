//! The registrations of recorded sessions, fed to the engine, leave the logs that the kernel MGS left: byte for byte,
//! but for what vectors/MASK.toml lists under "log files".
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod golden;
mod harness;

use capture::states;
use golden::{compare, masked_order, requests};
use harness::Mgs;
use mgs_core::engine::Config;
use mgs_core::model::command::param;
use mgs_core::model::settings::Validation;
use std::collections::BTreeMap;
use wire::Nid;
use wire::lnet::portal;
use wire::mgs::{TargetInfo, ldd};
use wire::ptlrpc::{Message, opc};

/// Plays a session; after each registration with a name in `stages` the logs are compared.
fn play(session: &str, stages: &[(usize, &str)], logs: &[&str]) {
    let config = Config { dead_sections: true, ..Config::default() };
    play_on(Mgs::with(config), session, stages, logs);
}

fn play_on(mgs: Mgs, session: &str, stages: &[(usize, &str)], logs: &[&str]) -> Mgs {
    let golden = states::session(session);
    let mut compared = 0;
    let mgs = play_and(mgs, session, |mgs, registrations| {
        for (_, stage) in stages.iter().filter(|(n, _)| *n == registrations) {
            compare(mgs, stage, &golden, logs);
            compared += 1;
        }
    });
    assert_eq!(compared, stages.len());
    mgs
}

/// Plays a session, and looks after each registration.
fn play_and(mut mgs: Mgs, session: &str, mut look: impl FnMut(&Mgs, usize)) -> Mgs {
    let mut handles: BTreeMap<Nid, u64> = BTreeMap::new();
    let mut registrations = 0;
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
        look(&mgs, registrations);
    }
    mgs
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

/// Who has read them has the device; who reads them later finds it in the section that was there.
#[test]
fn a_writeconf_of_one_ost_leaves_the_logs_of_others_alone() {
    let golden = states::session("C");
    let others = |mgs: &Mgs| -> BTreeMap<String, Vec<u8>> {
        let logs = mgs.engine.view().logs.iter();
        logs.filter(|(name, _)| *name != "testfs-OST0000")
            .map(|(n, l)| (n.clone(), l.log.to_file()))
            .collect()
    };
    let mut before = BTreeMap::new();
    play_and(Mgs::new(), "C", |mgs, registrations| match registrations {
        9 => before = others(mgs),
        10 => {
            assert_eq!(others(mgs), before);
            compare(mgs, "C06a-writeconf-ost0", &golden, &["testfs-OST0000"]);
        }
        // Everything begins again.
        15 => compare(mgs, "C06c-writeconf-all", &golden, &["testfs-", "otherfs-"]),
        _ => {}
    });
    assert!(before.contains_key("testfs-client") && before.contains_key("testfs-MDT0001"));
}

/// `ost.threads_max` is a name of the OSS service: no node has it where conf_param puts it, and the judge refuses it. Here it
/// is to be stored as a kernel MGS does.
#[test]
fn session_e_parameters_and_failover_nodes_at_format_time() {
    let mut mgs = Mgs::new();
    mgs.order(param::Command::Validation(Validation::Warn).into()).unwrap();
    let mgs = play_on(mgs, "E", &[(1, "E01-mdt-params-failnode")], &["testfs-"]);
    let golden = states::session("E");
    compare(&mgs, "E02-ost-params-failnode", &golden, &["testfs-client", "testfs-MDT"]);
    // The kernel does not tell an OST that registers later what holds for the whole file system.
    let theirs = masked_order(&golden["E02-ost-params-failnode/CONFIGS/testfs-OST0000"]);
    let ours = masked_order(&mgs.engine.view().logs["testfs-OST0000"].log.to_file());
    let last = llog::Log::from_file(&theirs).unwrap().last_index();
    assert_eq!(ours[8192..theirs.len()], theirs[8192..]);
    let more: Vec<String> = llog::Log::from_file(&ours)
        .unwrap()
        .records_from(last + 1)
        .filter_map(|r| r.cfg().ok()?.buf_str(1).map(str::to_owned))
        .collect();
    assert!(more.contains(&"sys.timeout=60".to_owned()) && more.len() == 3, "{more:?}");
}
