//! What the catalogue of tunables decides: which one is in use, what is too new for a target, and which defaults nodes can
//! be told.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod harness;
mod targets;

use harness::Mgs;
use mgs_core::Errno;
use mgs_core::engine::Config;
use mgs_core::model::command::{Done, param};
use mgs_core::model::effective::effective;
use targets::{Node, mdt, ost, register};
use tunables::{Catalogue, InUse};

const TEXT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tunables/catalogue.toml"));

fn order(mgs: &mut Mgs, text: &str, delete: bool) -> Result<Box<Done>, mgs_core::Error> {
    let command =
        param::Command::Assign { text: text.to_owned(), syntax: None, delete, force: false, wait: false };
    mgs.order(command.into())
}

fn warnings(mgs: &mut Mgs, text: &str, delete: bool) -> String {
    order(mgs, text, delete).unwrap_or_else(|e| panic!("{text}: {e}")).warnings.join("\n")
}

fn on(mut mgs: Mgs, nodes: &[Node]) -> Mgs {
    for node in nodes {
        assert_eq!(register(&mut mgs, node).status, 0);
    }
    mgs
}

/// A catalogue of another release: one name is another, and one came later.
#[test]
fn another_catalogue_judges_orders_and_registrations_and_answers_questions() {
    let text = TEXT
        .replace("\"max_dirty_mb\"", "\"max_wet_mb\"")
        .replace(".max_dirty_mb\"", ".max_wet_mb\"")
        .replace("lustre_version = \"2.17.57\"", "lustre_version = \"2.99.0\"");
    let config = Config { catalogue: InUse::from(Catalogue::parse(&text).unwrap()), ..Config::default() };
    let mut mgs = on(Mgs::with(config), &[mdt(0), ost(0)]);
    assert!(order(&mut mgs, "testfs-OST0000.osc.max_wet_mb=64", false).is_ok());
    let gone = order(&mut mgs, "testfs-OST0000.osc.max_dirty_mb=64", false).unwrap_err();
    assert!(gone.to_string().contains("(unknown)"), "{gone}");
    let found = effective(mgs.engine.view(), 0, "testfs-OST0000", "max_wet_mb").unwrap();
    assert_eq!(found.tunables, ["osc.max_wet_mb"]);
    let brings = |param: &str| ost(1).with(|n| n.info.params = format!("{param} "));
    assert_ne!(register(&mut mgs, &brings("osc.max_dirty_mb=24")).status, 0);
    assert_eq!(register(&mut mgs, &brings("osc.max_wet_mb=24")).status, 0);
    // The shipped one says the opposite.
    let mut mgs = on(Mgs::new(), &[mdt(0), ost(0)]);
    assert!(order(&mut mgs, "testfs-OST0000.osc.max_wet_mb=64", false).is_err());
    assert!(order(&mut mgs, "testfs-OST0000.osc.max_dirty_mb=64", false).is_ok());
}

#[test]
fn what_is_too_new_for_a_target_is_said_until_it_is_upgraded() {
    let release = |node: Node, v: u32| node.with(|n| n.info.lustre_ver = v);
    let (old, new) = (0x020f_0400, 0x0210_0000); // 2.15.4, 2.16.0
    let mut mgs = on(Mgs::new(), &[mdt(0), release(ost(0), old), ost(1)]);
    let text = "obdfilter.testfs-OST*.no_create=1";
    let said = warnings(&mut mgs, text, false);
    assert!(said.contains("came with release 2.16: too new for testfs-OST0000 (2.15.4)"), "{said}");
    assert!(!said.contains("OST0001"), "{said}");
    // It registers once, and tells its version at each start.
    let commits = mgs.engine.view().seq;
    let start = |n: u32, v: u32| release(ost(0).again().ready(n), v);
    assert_eq!(register(&mut mgs, &start(1, old)).status, 0);
    assert_eq!(register(&mut mgs, &start(2, new)).status, 0);
    let mut mgs = mgs.restarted();
    let said = warnings(&mut mgs, &text.replace("=1", "=0"), false);
    assert!(!said.contains("too new"), "{said}");
    assert!(mgs.engine.view().seq > commits);
    // An unknown version is not too old, and does not hide a known one.
    assert_eq!(register(&mut mgs, &start(3, 0)).status, 0);
    assert_eq!(
        mgs.engine.view().fs["testfs"].targets.values().filter(|t| t.lustre_version == new).count(),
        1
    );
}

#[test]
fn a_default_with_a_unit_is_told_as_nodes_take_it() {
    let mut mgs = on(Mgs::new(), &[mdt(0), ost(0)]);
    for (name, value, default, log) in [
        ("testfs.llite.max_read_ahead_whole_mb", "8", "4", "testfs-client"),
        ("testfs.llite.hybrid_io_read_threshold_bytes", "4M", "8388608", "testfs-client"),
        ("testfs-MDT0000.lov.stripesize", "1M", "4194304", "testfs-MDT0000"),
        ("testfs-MDT0000.lov.qos_prio_free", "50%", "90%", "testfs-MDT0000"),
        ("testfs-OST0000.osd.readcache_max_io_mb", "16", "8", "testfs-OST0000"),
    ] {
        warnings(&mut mgs, &format!("{name}={value}"), false);
        let said = warnings(&mut mgs, name, true);
        assert!(said.contains(&format!("told the default, {default}")), "{name}: {said}");
        let (device, param) = name.split_once('.').unwrap();
        let found = effective(mgs.engine.view(), 0, device, param).unwrap();
        let reader = found.readers.iter().find(|r| r.log == log).unwrap();
        assert_eq!((reader.in_force[0].value.as_str(), reader.in_force[0].unset), (default, true), "{name}");
    }
    // By path, too.
    warnings(&mut mgs, "ldlm.namespaces.*.lru_size=1000", false);
    assert!(warnings(&mut mgs, "ldlm.namespaces.*.lru_size", true).contains("told the default, 0"));
}

#[test]
fn a_default_that_only_nodes_know_is_named_with_who_keeps_the_value() {
    let mut mgs = on(Mgs::new(), &[mdt(0), ost(0)]);
    for (name, value, default) in [
        ("testfs.llite.max_cached_mb", "512", "RAM/2"),
        ("testfs-OST0000.ost.brw_size", "8", "4 MiB on ldiskfs"),
        ("mdt.*.recovery_time_hard", "1800", "9*timeout (900)"),
    ] {
        warnings(&mut mgs, &format!("{name}={value}"), false);
        let said = warnings(&mut mgs, name, true);
        assert!(said.contains(&format!("keep {name}={value} until they mount again")), "{said}");
        assert!(said.contains("only nodes know what its default") && said.contains(default), "{said}");
    }
    assert_eq!(order(&mut mgs, "testfs.llite.max_cached_mb", true).unwrap_err().errno(), Errno::ENOENT);
}
