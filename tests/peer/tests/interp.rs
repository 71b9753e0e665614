//! The interpreter over every log that the kernel MGS wrote, and the rules on device order one by one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use capture::states;
use llog::{Log, LustreCfg, Marker};
use lustre_peer::interp::{ConfigTree, ExecError, Interpreter, Member, Role, execute_log};
use std::collections::BTreeSet;

fn golden(session: &str, path: &str) -> Log {
    Log::from_file(&states::session(session)[path]).unwrap()
}

fn tree(role: Role, session: &str, stage: &str, name: &str) -> ConfigTree {
    let (tree, error) = execute_log(role, name, &golden(session, &format!("{stage}/CONFIGS/{name}")));
    assert_eq!(error, None);
    tree
}

fn role_of(name: &str) -> Option<Role> {
    let (_, target) = name.rsplit_once('-')?;
    match target.get(..3)? {
        "cli" => Some(Role::Client),
        "MDT" => Some(Role::Mdt),
        "OST" => Some(Role::Ost),
        _ => None,
    }
}

/// Kernel readers executed these logs; where they stopped (`no device for: testfs-OST0042...`), we stop.
#[test]
fn every_recorded_log_executes_as_it_did() {
    let (mut good, mut stopped) = (0, BTreeSet::new());
    for (path, file) in states::logs() {
        let name = path.rsplit('/').next().unwrap();
        let (Some(role), false) = (role_of(name), name.contains(".17")) else { continue };
        if file.is_empty() {
            continue;
        }
        let log = Log::from_file(&file).unwrap();
        let (tree, error) = execute_log(role, name, &log);
        assert_eq!(tree.ignored, 0, "{path}");
        match error {
            None => good += 1,
            Some(ExecError { index, errno, what }) => {
                assert_eq!(errno, -22, "{path}");
                assert!(what.contains("OST0042"), "{path}: {what}");
                assert!(log.is_live(index));
                stopped.insert(name.to_owned());
            }
        }
    }
    assert!(good > 250, "{good}");
    let expected = ["testfs-MDT0000", "testfs-client"].map(str::to_owned);
    assert_eq!(stopped, BTreeSet::from(expected));
}

#[test]
fn client_of_one_mdt_and_two_osts() {
    let tree = tree(Role::Client, "A", "A03-ost0001", "testfs-client");
    assert_eq!(tree.to_string(), "1 MDT, 2 OSTs");
    assert_eq!(tree.devices.len(), 5);
    let osc = &tree.devices["testfs-OST0001-osc"];
    assert_eq!((osc.kind.as_str(), osc.uuid.as_str()), ("osc", "testfs-clilov_UUID"));
    assert_eq!(osc.connections, ["10.77.0.3@tcp"]);
    assert_eq!(tree.nodes["10.77.0.3@tcp"], ["10.77.0.3@tcp"]);
    assert_eq!(tree.profiles["testfs-client"].lmv.as_deref(), Some("testfs-clilmv"));
    let member = Member { uuid: "testfs-OST0001_UUID".to_owned(), active: true };
    assert_eq!(tree.osts[&("testfs-clilov".to_owned(), 1)], member);
}

#[test]
fn parameters_pools_and_failover_nodes() {
    let params = tree(Role::Client, "B", "B01h-conf_params", "testfs-client");
    assert_eq!(params.timeout, Some(100));
    let dirty = ("testfs-OST0000-osc".to_owned(), "osc.max_dirty_mb".to_owned());
    assert_eq!(params.params[&dirty], "64");
    let service = tree(Role::Client, "C", "C02-ost0002-servicenode", "testfs-client");
    let nodes = &service.devices["testfs-OST0002-osc"].connections;
    assert_eq!(nodes, &["10.77.0.3@tcp", "10.77.0.5@tcp"]);
    assert_eq!(service.mdt_indices(), BTreeSet::from([0, 1]));
    let (pools, _) =
        execute_log(Role::Client, "testfs-client", &golden("B", "B03b-pool/CONFIGS/testfs-client"));
    assert_eq!(pools.timeout, params.timeout, "executed up to the record that stops readers");
}

#[test]
fn trees_of_equal_logs_are_equal_and_of_others_not() {
    let a = tree(Role::Client, "A", "A03-ost0001", "testfs-client");
    assert_eq!(
        a,
        tree(Role::Client, "B", "B00-mounted", "testfs-client"),
        "other steps, times and left-over bytes"
    );
    assert_ne!(a, tree(Role::Client, "A", "A02-ost0000", "testfs-client"));
}

fn marker(flags: u32, target: &str) -> LustreCfg {
    let (tgtname, comment) = (target.to_owned(), "test".to_owned());
    LustreCfg::marker_rec(&Marker { step: 1, flags, tgtname, comment, ..Marker::default() }).unwrap()
}

fn lov_desc() -> Vec<u8> {
    let mut desc = vec![0; 88];
    desc[4..8].copy_from_slice(&0xb0cc_de5c_u32.to_le_bytes());
    desc
}

/// Executes records in one section, as an OST section of a client log.
fn client(records: &[LustreCfg]) -> (ConfigTree, Option<ExecError>) {
    sectioned(1, &[], records)
}

fn sectioned(flags: u32, exclude: &[&str], records: &[LustreCfg]) -> (ConfigTree, Option<ExecError>) {
    let exclude = exclude.iter().map(|e| (*e).to_owned()).collect();
    let mut interp = Interpreter::new(Role::Client, "fs-client", exclude);
    let mut all = vec![
        marker(1, "fs-clilov"),
        LustreCfg::attach("fs-clilov", "lov", "fs-clilov_UUID"),
        LustreCfg::setup("fs-clilov", &[&lov_desc()]),
        marker(2, "fs-clilov"),
        marker(flags, "fs-OST0000"),
    ];
    all.extend_from_slice(records);
    all.push(marker(2, "fs-OST0000"));
    for (i, record) in (1..).zip(&all) {
        if let Err(error) = interp.execute(i, &record.encode()) {
            return (interp.tree().clone(), Some(error));
        }
    }
    (interp.tree().clone(), None)
}

fn ost() -> Vec<LustreCfg> {
    vec![
        LustreCfg::add_uuid("10.0.0.2@tcp", 0x0002_0000_0a00_0002, None),
        LustreCfg::attach("fs-OST0000-osc", "osc", "fs-clilov_UUID"),
        LustreCfg::setup_str("fs-OST0000-osc", &["fs-OST0000_UUID", "10.0.0.2@tcp"]),
        LustreCfg::lov_add_obd("fs-clilov", "fs-OST0000_UUID", 0),
    ]
}

#[test]
fn order_of_devices() {
    assert_eq!(client(&ost()).1, None);
    let errno = |records: &[LustreCfg]| client(records).1.map(|e| e.errno);
    let o = ost();
    let pick = |which: &[usize]| which.iter().map(|i| o[*i].clone()).collect::<Vec<_>>();
    assert_eq!(errno(&pick(&[0, 2])), Some(-19), "setup without attach");
    assert_eq!(errno(&pick(&[1, 2])), Some(-2), "setup before the node is known");
    assert_eq!(errno(&pick(&[0, 1, 1])), Some(-17), "attached twice");
    let conn = LustreCfg::add_conn("fs-OST0000-osc", "10.0.0.2@tcp");
    assert_eq!(errno(&[pick(&[0, 1]), vec![conn.clone()]].concat()), Some(-22), "add_conn before setup");
    assert_eq!(errno(&[pick(&[0, 1, 2]), vec![conn]].concat()), None);
    let other = LustreCfg::add_conn("fs-OST0000-osc", "10.0.0.3@tcp");
    assert_eq!(errno(&[pick(&[0, 1, 2]), vec![other]].concat()), Some(-2), "node without NID");
    assert_eq!(errno(&[LustreCfg::lov_add_obd("fs-other", "u", 0)]), Some(-22), "no such LOV");
    assert_eq!(errno(&[LustreCfg::setup("fs-clilov", &[&lov_desc()])]), Some(-17), "set up twice");
    assert_eq!(errno(&[LustreCfg::add_mdc("fs-clilmv", "u", 0, None)]), Some(-22), "no LMV");
    assert_eq!(errno(&[LustreCfg::attach("x", "obdfilter", "u")]), Some(-22), "no device of a client");
}

#[test]
fn a_device_whose_setup_fails_is_gone() {
    let (tree, error) = client(&ost()[1..3]);
    assert!(error.is_some());
    assert!(!tree.devices.contains_key("fs-OST0000-osc"));
}

#[test]
fn sections() {
    let (skipped, error) = sectioned(5, &[], &ost());
    assert_eq!((skipped.osts.len(), error), (0, None));
    for (flags, exclude) in [(0x11, vec![]), (1, vec!["fs-OST0000"])] {
        let (tree, error) = sectioned(flags, &exclude, &ost());
        assert_eq!(error, None);
        assert!(!tree.osts[&("fs-clilov".to_owned(), 0)].active);
    }
    let mut interp = Interpreter::new(Role::Client, "fs-client", Vec::new());
    interp.execute(1, &LustreCfg::set_timeout(5).encode()).unwrap();
    assert_eq!((interp.tree().timeout, interp.tree().ignored), (None, 1), "outside of a section");
}

#[test]
fn required_commands_stop_the_others_do_not() {
    let unknown = |command| LustreCfg { command, ..LustreCfg::default() };
    assert_eq!(client(&[unknown(0xce0ff)]).1, None, "without the bit 0x1000");
    assert_eq!(client(&[unknown(0xcf0ff)]).1.map(|e| (e.index, e.errno)), Some((6, -22)));
    assert_eq!(client(&[LustreCfg::pool_add("fs-clilov", "fs", "p", "nobody")]).1, None);
    assert_eq!(
        client(&[LustreCfg::param(Some("fs-OST0042-osc"), "osc.active=0")]).1.map(|e| e.errno),
        Some(-22)
    );
    for free in ["llite.max_read_ahead_mb=1", "sys.timeout=2", "quota.ost=ug"] {
        assert_eq!(client(&[LustreCfg::param(None, free)]).1, None, "{free}");
    }
}

#[test]
fn garbage_is_an_error() {
    let mut interp = Interpreter::new(Role::Client, "fs-client", Vec::new());
    for len in 0..200 {
        let error = interp.execute(1, &vec![0xa5; len]).unwrap_err();
        assert_eq!(error.errno, -22);
    }
}
