//! Security rules: kept as a kernel MGS keeps them, and handed out with the other logs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod harness;
mod targets;

use harness::{Mgs, encode, nid};
use mgs_core::Errno;
use mgs_core::model::command::Command;
use mgs_core::model::command::import;
use mgs_core::model::command::param::{self, Syntax};
use mgs_core::model::command::sptlrpc::{self, can_be_met, rules};
use targets::{mdt, ost, register};
use wire::llog_rpc::LlogdBody;
use wire::ptlrpc::opc;
use wire::{Codec, Order};

fn site() -> Mgs {
    let mut mgs = Mgs::new();
    for target in [mdt(0), ost(0)] {
        assert_eq!(register(&mut mgs, &target).status, 0);
    }
    mgs
}

fn rule(device: &str, rule: &str, flavor: Option<&str>) -> Command {
    let (device, rule) = (device.to_owned(), rule.to_owned());
    sptlrpc::Command { device, rule, flavor: flavor.map(str::to_owned) }.into()
}

/// `lctl conf_param TEXT`.
fn conf(text: &str) -> Command {
    let text = text.to_owned();
    param::Command::Assign { text, syntax: Some(Syntax::ConfParam), delete: false, force: false, wait: false }
        .into()
}

/// Live records of the log as `lctl llog_print --raw` shows them.
fn printed(mgs: &Mgs) -> Vec<String> {
    let log = &mgs.engine.view().logs["testfs-sptlrpc"].log;
    let text = llog::text::yaml(log, true, &(1..=log.last_index()));
    text.lines().map(str::to_owned).collect()
}

fn shown(mgs: &Mgs) -> Vec<String> {
    rules(&mgs.engine.view().logs["testfs-sptlrpc"].log).iter().map(sptlrpc::Rule::text).collect()
}

#[test]
fn a_rule_is_a_section_in_a_log_of_its_own() {
    let mut mgs = site();
    let done = mgs.order(conf("testfs.srpc.flavor.default=skpi")).unwrap();
    assert_eq!(done.notified.iter().map(ToString::to_string).collect::<Vec<_>>(), ["testfs/config"]);
    let lines = printed(&mgs);
    assert_eq!(lines.len(), 3, "{lines:?}");
    let log = &mgs.engine.view().logs["testfs-sptlrpc"].log;
    let marker = log.records().next().unwrap().cfg().unwrap().marker().unwrap();
    assert_eq!((marker.tgtname.as_str(), marker.comment.as_str()), ("testfs", "srpc.flavor.default"));
    assert!(lines[0].contains("flags: 0x01") && lines[2].contains("flags: 0x02"), "{lines:?}");
    assert!(lines[1].contains("testfs") && lines[1].contains("srpc.flavor.default=skpi"), "{}", lines[1]);
    // Another value skips it, the same does nothing, none is a rule without a flavor: nodes that run hear of it.
    let commits = mgs.commits;
    assert_eq!(mgs.order(rule("testfs", "default", Some("skpi"))).unwrap().seq, None);
    assert_eq!(mgs.commits, commits);
    mgs.order(rule("testfs", "default", Some("krb5p"))).unwrap();
    let lines = printed(&mgs);
    assert_eq!(lines.len(), 6);
    assert!(lines[0].contains("flags: 0x05"), "{}", lines[0]);
    mgs.order(rule("testfs", "default", None)).unwrap();
    assert!(printed(&mgs)[7].contains("srpc.flavor.default="), "{:?}", printed(&mgs));
    assert!(shown(&mgs).is_empty());
    assert_eq!(mgs.order(rule("testfs", "default", None)).unwrap_err().errno(), Errno::ENOENT);
}

#[test]
fn rules_are_shown_in_the_order_in_which_nodes_look_for_them() {
    let mut mgs = site();
    for text in [
        "testfs.srpc.flavor.default=null",
        "testfs.srpc.flavor.default.cli2mdt=krb5p",
        "testfs.srpc.flavor.tcp1=ska",
        "testfs.srpc.flavor.tcp1.mdt2ost=plain-hash:sha256",
        "testfs-OST0000.srpc.flavor.o2ib=skn",
    ] {
        mgs.order(conf(text)).unwrap();
    }
    assert_eq!(
        shown(&mgs),
        [
            "testfs-OST0000.srpc.flavor.o2ib=skn",
            "testfs.srpc.flavor.tcp1.mdt2ost=plain-hash:sha256",
            "testfs.srpc.flavor.tcp1=ska",
            "testfs.srpc.flavor.default.cli2mdt=krb5p",
            "testfs.srpc.flavor.default=null",
        ]
    );
    // All of it is in the store, and a writeconf of MDT0000 leaves it.
    let again = mgs.restarted();
    assert_eq!(shown(&again), shown(&mgs));
}

#[test]
fn nodes_read_it() {
    let mut mgs = site();
    mgs.order(conf("testfs.srpc.flavor.default=skpi")).unwrap();
    let peer = nid("10.0.0.4@tcp");
    let handle = mgs.connect(peer, "client");
    let open = vec![encode(&LlogdBody::default()), b"testfs-sptlrpc\0".to_vec()];
    let reply = mgs.call(peer, handle, opc::LLOG_ORIGIN_HANDLE_CREATE, open).message();
    assert_eq!(reply.body().unwrap().status, 0);
    let opened = LlogdBody::from_slice(&reply.buffers[1], Order::Little).unwrap();
    let ask = LlogdBody { index: 1, cur_offset: 8192, ..opened };
    let block = mgs.call(peer, handle, opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK, vec![encode(&ask)]).message();
    let text = block.buffers[2].escape_ascii().to_string();
    assert!(text.contains("srpc.flavor.default=skpi"), "{text}");
}

#[test]
fn misuse_is_refused_with_what_is_allowed() {
    let mut mgs = site();
    let before = mgs.store.clone();
    for (device, what, flavor, errno, says) in [
        ("testfs", "default", Some("krb5"), Errno::EINVAL, "flavors: null, plain"),
        ("testfs", "default", Some("plain-hash:nosuch"), Errno::EINVAL, "plain-hash:ALGORITHM"),
        ("testfs", "default", Some("skn-hash:sha1"), Errno::EINVAL, "is no flavor"),
        ("testfs", "default.ost2mdt", Some("skn"), Errno::EINVAL, "directions: cli2mdt"),
        ("testfs", "default.cli2mdt.x", Some("skn"), Errno::EINVAL, "directions: cli2mdt"),
        ("testfs", "eth0", Some("skn"), Errno::EINVAL, "is no network"),
        ("testfs", "", Some("skn"), Errno::EINVAL, "is no network"),
        ("nosuch", "default", Some("skn"), Errno::EINVAL, "mgsctl fs list"),
        ("testfs-OST0042", "default", Some("skn"), Errno::ENOENT, "not registered"),
        ("testfs", "default", None, Errno::ENOENT, "is not set"),
        ("_mgs", "default", Some("skn"), Errno::EOPNOTSUPP, "nodes could not connect"),
        ("_mgs", "default", Some("plain"), Errno::EOPNOTSUPP, "nodes could not connect"),
        ("_mgs", "default.cli2mdt", Some("null"), Errno::EINVAL, "does not lead to the MGS"),
    ] {
        let error = mgs.order(rule(device, what, flavor)).unwrap_err();
        assert_eq!(error.errno(), errno, "{device} {what}: {error}");
        assert!(error.to_string().contains(says), "{device} {what}: {error}");
    }
    let done = mgs.order(rule("_mgs", "default", Some("null"))).unwrap();
    assert_eq!((done.seq, done.warnings.len()), (None, 1));
    assert_eq!(mgs.store, before);
}

/// What an import or a start may find.
#[test]
fn rules_between_nodes_and_the_mgs_are_found() {
    let log = |flavors: &[&str]| {
        let mut log = llog::Log::new();
        for flavor in flavors {
            let marker = |flags| llog::marker::Marker {
                step: 1,
                flags,
                vers: 0,
                createtime: 0,
                canceltime: 0,
                tgtname: "_mgs".to_owned(),
                comment: "srpc.flavor.default".to_owned(),
            };
            let text = format!("srpc.flavor.default={flavor}");
            log.append(&llog::lcfg::LustreCfg::marker_rec(&marker(1)).unwrap(), 0).unwrap();
            log.append(&llog::lcfg::LustreCfg::sptlrpc_conf("_mgs", &text), 0).unwrap();
            log.append(&llog::lcfg::LustreCfg::marker_rec(&marker(2)).unwrap(), 0).unwrap();
        }
        log
    };
    let error = can_be_met(&log(&["null", "skpi"])).unwrap_err();
    assert!(error.to_string().contains("'_mgs.srpc.flavor.default=skpi'"), "{error}");
    assert!(can_be_met(&log(&["null"])).is_ok());
    // An import that finds one leaves the store as it is.
    let mut mgs = Mgs::new();
    let before = mgs.store.clone();
    let logs = [("_mgs-sptlrpc".to_owned(), log(&["skpi"]).to_file())].into();
    let import = import::Command { from: "/mgt".to_owned(), logs, ..import::Command::default() };
    assert_eq!(mgs.order(import.into()).unwrap_err().errno(), Errno::EOPNOTSUPP);
    assert_eq!(mgs.store, before);
}
