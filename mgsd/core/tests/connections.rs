//! Failover nodes are connections in the logs, and listed and read back like other settings.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod harness;
mod targets;

use harness::Mgs;
use mgs_core::Errno;
use mgs_core::model::command::param::{self, Listed, Syntax, listed};
use mgs_core::model::effective::{Effective, effective};
use targets::{mdt, ost, register};

fn site() -> Mgs {
    let mut mgs = Mgs::new();
    let brings = ost(1).with(|n| n.info.params = "failover.node=10.0.0.8@tcp,10.1.0.8@tcp1 ".to_owned());
    for target in [mdt(0), mdt(1), ost(0), brings] {
        assert_eq!(register(&mut mgs, &target).status, 0);
    }
    mgs
}

fn assign(mgs: &mut Mgs, text: &str, delete: bool) -> Option<u64> {
    let syntax = Some(if text.starts_with("testfs") { Syntax::ConfParam } else { Syntax::SetParam });
    let command = param::Command::Assign { text: text.to_owned(), syntax, delete, force: false, wait: false };
    mgs.order(command.into()).unwrap_or_else(|e| panic!("{text}: {e}")).seq
}

fn get(mgs: &Mgs, device: &str, name: &str) -> Effective {
    effective(mgs.engine.view(), 0, device, name).unwrap_or_else(|e| panic!("{device} {name}: {e}"))
}

/// Failover nodes in the list: device, value, records.
fn list(mgs: &Mgs) -> Vec<(String, String, Vec<String>)> {
    let found = listed(mgs.engine.view(), Some("testfs")).into_iter().map(|Listed { param, .. }| param);
    let ours = found.filter(|p| p.name == "failover.node");
    ours.map(|p| (p.device.unwrap(), p.value, p.logs.into_iter().map(|(log, _)| log).collect())).collect()
}

/// What the record with an index says.
fn record(mgs: &Mgs, log: &str, index: u32) -> String {
    let entry = &mgs.engine.view().logs[log].log;
    let found = entry.records().find(|r| r.index == index).unwrap();
    let cfg = found.cfg().unwrap();
    assert_eq!(cfg.command, llog::lcfg::cmd::ADD_UUID);
    cfg.buf_str(1).unwrap().to_owned()
}

#[test]
fn they_are_listed_with_their_logs() {
    let mut mgs = site();
    let logs = ["testfs-MDT0000", "testfs-MDT0001", "testfs-client"].map(str::to_owned).to_vec();
    let brought = ("testfs-OST0001".to_owned(), "10.0.0.8@tcp,10.1.0.8@tcp1".to_owned(), logs.clone());
    assert_eq!(list(&mgs), std::slice::from_ref(&brought));
    assign(&mut mgs, "testfs-OST0000.failover.node=10.0.0.5@tcp:10.0.0.6@tcp,10.1.0.6@tcp1", false);
    let added =
        ("testfs-OST0000".to_owned(), "10.0.0.5@tcp:10.0.0.6@tcp,10.1.0.6@tcp1".to_owned(), logs.clone());
    assert_eq!(list(&mgs), [added, brought.clone()]);
    // Of an MDT, all but itself.
    assign(&mut mgs, "testfs-MDT0001.failover.node=10.0.0.7@tcp", false);
    assert_eq!(list(&mgs)[0].2, ["testfs-MDT0000", "testfs-client"]);
    for target in ["testfs-OST0000", "testfs-MDT0001"] {
        assign(&mut mgs, &format!("{target}.failover.node"), true);
    }
    assert_eq!(list(&mgs), [brought], "what a target brought stays");
}

#[test]
fn both_spellings_are_read_back_with_log_record_and_commit() {
    for text in
        ["testfs-OST0000.failover.node=10.0.0.5@tcp", "obdfilter.testfs-OST0000.failover.node=10.0.0.5@tcp"]
    {
        let mut mgs = site();
        let before = get(&mgs, "testfs-OST0000", "failover.node");
        assert_eq!(before.default.as_deref(), Some("none"));
        assert!(before.readers.iter().all(|r| r.in_force.is_empty() && r.shadowed.is_empty()));
        let seq = assign(&mut mgs, text, false).unwrap();
        let more = assign(&mut mgs, "testfs-OST0000.failover.node=10.0.0.6@tcp", false).unwrap();
        let asked = [
            ("testfs-OST0000", "failover.node"),
            ("testfs-OST0000", "obdfilter.testfs-OST0000.failover.node"),
            ("testfs", "obdfilter.testfs-OST0000.failover.node"),
        ];
        for (device, name) in asked {
            let found = get(&mgs, device, name);
            assert_eq!(found.conf_param.as_deref(), Some("testfs-OST0000.failover.node"));
            assert_eq!(found.set_param, ["obdfilter.testfs-OST0000.failover.node"]);
            let logs: Vec<&str> = found.readers.iter().map(|r| r.log.as_str()).collect();
            assert_eq!(logs, ["testfs-client", "testfs-MDT0000", "testfs-MDT0001"]);
            for reader in &found.readers {
                let told: Vec<_> = reader.in_force.iter().map(|t| (t.value.as_str(), t.seq)).collect();
                assert_eq!(told, [("10.0.0.5@tcp", seq), ("10.0.0.6@tcp", more)], "each of them holds");
                assert!(reader.shadowed.is_empty() && reader.in_force.iter().all(|t| t.from.is_none()));
                let at = &reader.in_force[0];
                assert_eq!(record(&mgs, &at.log, at.index), "10.0.0.5@tcp", "{reader:?}");
            }
        }
    }
}

#[test]
fn one_of_them_goes_alone_and_who_keeps_it_is_said() {
    let mut mgs = site();
    for node in ["10.0.0.5@tcp", "10.0.0.5@tcp:10.0.0.6@tcp"] {
        assign(&mut mgs, &format!("testfs-OST0001.failover.node={node}"), false);
    }
    let unset = |mgs: &mut Mgs, text: &str| {
        let text = text.to_owned();
        let command = param::Command::Assign { text, syntax: None, delete: true, force: false, wait: false };
        mgs.order(command.into())
    };
    let values = |mgs: &Mgs| {
        let readers = get(mgs, "testfs-OST0001", "failover.node").readers;
        let of = |r: &mgs_core::model::effective::Reader| {
            r.in_force.iter().map(|t| t.value.clone()).collect::<Vec<_>>()
        };
        assert!(readers.iter().all(|r| of(r) == of(&readers[0])), "{readers:?}");
        of(&readers[0])
    };
    let brought = "10.0.0.8@tcp,10.1.0.8@tcp1";
    let done = unset(&mut mgs, "testfs-OST0001.failover.node=10.0.0.5@tcp").unwrap();
    assert_eq!(values(&mgs), [brought, "10.0.0.5@tcp:10.0.0.6@tcp"]);
    let said = done.warnings.join("\n");
    assert!(said.contains("keep their connections to testfs-OST0001 until they mount again"), "{said}");
    assert!(said.contains(&format!("brought {brought} when it registered: that stays")), "{said}");
    let none = unset(&mut mgs, "testfs-OST0001.failover.node=10.0.0.9@tcp").unwrap_err();
    assert_eq!(none.errno(), Errno::ENOENT);
    let registration = unset(&mut mgs, &format!("testfs-OST0001.failover.node={brought}")).unwrap_err();
    assert_eq!(registration.errno(), Errno::ENOENT);
    unset(&mut mgs, "testfs-OST0001.failover.node").unwrap();
    assert_eq!(values(&mgs), [brought]);
}

#[test]
fn what_a_target_brought_says_so() {
    let mgs = site();
    let found = get(&mgs, "testfs-OST0001", "failover.node");
    let told = &found.readers[0].in_force[0];
    assert_eq!(
        (told.value.as_str(), told.from.as_deref()),
        ("10.0.0.8@tcp,10.1.0.8@tcp1", Some("testfs-OST0001"))
    );
    assert_eq!(record(&mgs, "testfs-client", told.index), "10.0.0.8@tcp");
}

#[test]
fn a_file_system_has_none_of_its_own() {
    let error = effective(site().engine.view(), 0, "testfs", "failover.node").unwrap_err();
    assert_eq!(error.errno(), Errno::EINVAL);
    assert!(error.to_string().contains("mgsctl target list --fs testfs"), "{error}");
}

/// Root squash is set on MDTs, and told to clients besides.
#[test]
fn root_squash_is_read_back_for_clients_too() {
    let mut mgs = site();
    assign(&mut mgs, "testfs.mdt.root_squash=99:99", false);
    let found = get(&mgs, "testfs", "mdt.root_squash");
    let told = found
        .readers
        .iter()
        .map(|r| (r.log.as_str(), r.in_force[0].value.as_str(), r.in_force[0].name.as_str()));
    assert_eq!(
        told.collect::<Vec<_>>(),
        ["testfs-client", "testfs-MDT0000", "testfs-MDT0001"].map(|log| (
            log,
            "99:99",
            "testfs.mdt.root_squash"
        ))
    );
}

/// What stands in a log because something else was set has the author of that.
#[test]
fn what_follows_from_a_setting_is_listed_with_who_set_it() {
    let mut mgs = site();
    for text in
        ["testfs.mdt.root_squash=99:99", "testfs-MDT0000.lov.stripesize=1M", "testfs-MDT0001.mdc.active=0"]
    {
        assign(&mut mgs, text, false);
    }
    let found = listed(mgs.engine.view(), Some("testfs"));
    for name in ["llite.root_squash", "lov.stripesize", "osp.active", "mdc.active", "mdt.root_squash"] {
        let of_it: Vec<_> = found.iter().filter(|l| l.param.name == name).collect();
        assert!(!of_it.is_empty(), "{name}");
        assert!(of_it.iter().all(|l| l.assigned.as_ref().is_some_and(|v| v.by == "uid:0")), "{of_it:?}");
    }
}
