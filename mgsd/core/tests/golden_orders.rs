//! The commands of a recorded session, given as orders, leave the logs that the kernel MGS left. Where mgsd refuses on
//! purpose (docs/better-than-kernel.md), the kernel's extra sections are named.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod golden;
mod harness;

use capture::states;
use golden::{compare, masked_order, requests};
use harness::Mgs;
use mgs_core::Errno;
use mgs_core::model::TargetId;
use mgs_core::model::command::pool::{self, Action, Members};
use mgs_core::model::command::{Command, param};
use mgs_core::model::settings::Validation;
use std::collections::BTreeMap;
use wire::lnet::portal;
use wire::mgs::{TargetInfo, ldd};
use wire::ptlrpc::{Message, opc};

/// Session B after its three registrations.
fn mounted() -> Mgs {
    let mut mgs = Mgs::new();
    let mut handles = BTreeMap::new();
    let mut left = 3;
    for (peer, xid, message) in requests("B") {
        let mut body = message.body().unwrap();
        if body.opc != opc::MGS_CONNECT {
            body.handle = handles[&peer];
        }
        let mut again = Message::new(&body, message.buffers[1..].to_vec());
        again.flags = message.flags;
        mgs.deliver(peer, portal::MGS_REQUEST, xid, again.to_bytes());
        let reply = mgs.reply(xid).unwrap().body();
        if body.opc == opc::MGS_CONNECT {
            handles.insert(peer, reply.handle);
        } else if body.opc == opc::MGS_TARGET_REG {
            let info: TargetInfo = wire::Codec::decode(&mut message.buffer(1).unwrap()).unwrap();
            left -= usize::from(info.flags & ldd::OPC_READY == 0);
        }
        if left == 0 {
            return mgs;
        }
    }
    panic!("session B has three registrations");
}

/// `lctl conf_param TEXT`, with `-d ` in front a deletion.
fn conf(text: &str) -> Command {
    let (delete, text) = text.strip_prefix("-d ").map_or((false, text), |rest| (true, rest));
    let (device, rest) = text.split_once('.').unwrap();
    let (name, value) = rest.split_once('=').unwrap_or((rest, ""));
    param::Command::Conf { device: device.to_owned(), name: name.to_owned(), value: value.to_owned(), delete }
        .into()
}

/// `lctl set_param -P TEXT`.
fn set(text: &str) -> Command {
    let (delete, text) = text.strip_prefix("-d ").map_or((false, text), |rest| (true, rest));
    let (path, value) = text.split_once('=').unwrap_or((text, ""));
    param::Command::Set { path: path.to_owned(), value: value.to_owned(), delete }.into()
}

fn pool(pool: &str, action: Action) -> Command {
    pool::Command { fs: "testfs".to_owned(), pool: pool.to_owned(), action }.into()
}

/// What kernel and mgsd both did by B01i.
fn conf_params(mgs: &mut Mgs) {
    for text in [
        "testfs.sys.timeout=60",
        "testfs-OST0000.osc.max_dirty_mb=64",
        "testfs-MDT0000.mdt.identity_upcall=NONE",
        "testfs.llite.max_read_ahead_mb=16",
        "testfs.quota.ost=ug",
        "testfs-OST0001.ost.brw_size=8",
        "testfs-OST0001.osc.active=0",
        "testfs-OST0001.osc.active=1",
        "testfs.sys.timeout=100",
    ] {
        assert!(mgs.order(conf(text)).unwrap().seq.is_some(), "{text}");
    }
}

#[test]
fn conf_param_leaves_the_logs_of_the_kernel() {
    let golden = states::session("B");
    let mut mgs = mounted();
    compare(&mgs, "B00-mounted", &golden, &["testfs-"]);
    conf_params(&mut mgs);
    compare(&mgs, "B01h-conf_params", &golden, &["testfs-"]);
    // Set again: nothing is written.
    assert_eq!(mgs.order(conf("testfs.sys.timeout=100")).unwrap().seq, None);
}

/// The kernel stores a parameter of an OST that does not exist, and every mount ends with an error (mgs/12, 41); of
/// unknown classes it says that they were set (5).
#[test]
fn what_the_kernel_takes_and_no_node_survives_is_refused() {
    let mut mgs = mounted();
    conf_params(&mut mgs);
    let before = mgs.store.clone();
    for (text, errno) in [
        ("testfs-OST0042.osc.max_dirty_mb=1", Errno::ENOENT),
        ("testfs.foo.bar=1", Errno::EINVAL),
        ("testfs-OST0000.obdfilter.brw_size=4", Errno::EINVAL),
        ("nosuch.sys.timeout=1", Errno::EINVAL),
        ("bogus.=", Errno::EINVAL),
        ("-d testfs.sys.nosuch", Errno::EINVAL),
        ("-d testfs.llite.nosuch", Errno::ENOENT),
        ("testfs.llite.max read=1", Errno::EINVAL),
        ("testfs.llite.x=1\n2", Errno::EINVAL),
        ("testfs-OST0000.mdt.x=1", Errno::EINVAL),
        ("testfs-MDT0000.failover.mode=failout", Errno::EPERM),
    ] {
        assert_eq!(mgs.order(conf(text)).map(|d| d.seq).unwrap_err().errno(), errno, "{text}");
    }
    assert_eq!(mgs.store, before);
}

#[test]
fn a_deletion_skips_the_section_and_appends_nothing() {
    let golden = states::session("B");
    let mut mgs = mounted();
    conf_params(&mut mgs);
    for text in
        ["-d testfs.llite.max_read_ahead_mb", "-d testfs-OST0000.osc.max_dirty_mb", "-d testfs.quota.ost"]
    {
        let done = mgs.order(conf(text)).unwrap();
        assert!(done.seq.is_some() && done.logs.iter().all(|l| l.appended.is_empty()), "{text}: {done:?}");
    }
    // In B01j the kernel has nothing more in these logs, but for the records of OST0042.
    for log in ["testfs-OST0000", "testfs-OST0001"] {
        compare(&mgs, "B01j-conf_param-deleted", &golden, &[log]);
    }
    for log in ["testfs-client", "testfs-MDT0000"] {
        let theirs = masked_order(&golden[&format!("B01j-conf_param-deleted/CONFIGS/{log}")]);
        let ours = masked_order(&mgs.engine.view().logs[log].log.to_file());
        let at = ours[8192..].iter().zip(&theirs[8192..]).position(|(a, b)| a != b);
        assert_eq!(at, None, "{log}");
        let extra = llog::Log::from_file(&theirs).unwrap();
        let extra: Vec<String> = extra
            .records_from(mgs.engine.view().logs[log].log.last_index() + 1)
            .filter_map(|r| r.cfg().ok())
            .filter(|cfg| cfg.marker().is_none())
            .map(|cfg| cfg.dev().unwrap().to_owned())
            .collect();
        assert!(extra.len() == 1 && extra[0].starts_with("testfs-OST0042-osc"), "{extra:?}");
    }
    // What the kernel cannot take away (mgs/12, 7).
    assert!(mgs.order(conf("-d testfs.sys.timeout")).unwrap().seq.is_some());
}

#[test]
fn set_param_leaves_the_log_of_the_kernel() {
    let golden = states::session("B");
    let mut mgs = mounted();
    mgs.order(set("osc.*.max_dirty_mb=32")).unwrap();
    compare(&mgs, "B02a-set_param-P-one", &golden, &["params"]);
    mgs.order(set("llite.*.max_read_ahead_mb=8")).unwrap();
    mgs.order(set("timeout=77")).unwrap();
    mgs.order(set("osc.*.max_dirty_mb=48")).unwrap();
    compare(&mgs, "B02c-set_param-P-overwrite", &golden, &["params"]);
    mgs.order(set("-d osc.*.max_dirty_mb")).unwrap();
    mgs.order(set("-d timeout")).unwrap();
    mgs.order(set("nosuch.param=5")).unwrap();
    assert_eq!(mgs.order(set("-d nosuch.other")).unwrap_err().errno(), Errno::ENOENT);
    compare(&mgs, "B02g-set_param-P-end", &golden, &["params"]);
    assert_eq!(mgs.order(set("nosuch.param=5")).unwrap().seq, None);
    let done = mgs.order(set("osc.testfs-OST0000*.max_dirty_mb=9")).unwrap();
    assert!(done.logs[0].appended.iter().any(|r| r.contains("device: testfs,")), "{done:?}");
    assert_eq!(done.notified.iter().map(ToString::to_string).collect::<Vec<_>>(), ["params/params"]);
}

/// Sections of pools: target name, comment, dead or not, records.
fn pool_sections(log: &llog::Log) -> Vec<(String, String, bool, String)> {
    let mut out = Vec::new();
    let mut head = None;
    for cfg in log.records().filter_map(|r| r.cfg().ok()) {
        match cfg.marker() {
            Some(m) => head = m.is_start().then_some((m.tgtname.clone(), m.comment.clone(), m.is_skip())),
            None => {
                if let Some((name, comment, skip)) = head.clone().filter(|(_, c, _)| c.contains("testfs.p")) {
                    out.push((name, comment, skip, format!("{:?} {:?}", cfg.command, cfg.bufs)));
                }
            }
        }
    }
    out
}

#[test]
fn pools_have_the_sections_of_the_kernel() {
    let golden = states::session("B");
    let mut mgs = mounted();
    let osts = |ids: &[u32]| Members::Ids(ids.iter().map(|i| TargetId::ost(*i)).collect());
    mgs.order(pool("pool1", Action::New)).unwrap();
    let named = |names: &[&str]| Members::Named(names.iter().map(|n| (*n).to_owned()).collect());
    mgs.order(pool("pool1", Action::Add(named(&["testfs-OST[0-1]"])))).unwrap();
    for log in ["testfs-client", "testfs-MDT0000"] {
        let file = &golden[&format!("B03b-pool/CONFIGS/{log}")];
        let theirs = pool_sections(&llog::Log::from_file(file).unwrap());
        let ours = pool_sections(&mgs.engine.view().logs[log].log);
        assert_eq!(theirs.len(), 3);
        assert_eq!(ours, theirs, "{log}");
    }
    let members = |mgs: &Mgs| {
        let log = mgs.engine.view().logs.get("testfs-client").map(|entry| &entry.log);
        pool::pools("testfs", log).get("pool1").cloned().map(|m| m.into_iter().collect::<Vec<_>>())
    };
    assert_eq!(members(&mgs).unwrap(), ["testfs-OST0000", "testfs-OST0001"]);
    mgs.order(pool("pool1", Action::Remove(named(&["testfs-OST0001_UUID"])))).unwrap();
    // The kernel looks at the last event only, and lets this pool go with a member in it (mgs/12, 29).
    assert_eq!(mgs.order(pool("pool1", Action::Destroy)).unwrap_err().errno(), Errno::ENOTEMPTY);
    for (name, action, errno) in [
        ("pool1", Action::New, Errno::EEXIST),
        ("pool1", Action::Add(osts(&[0])), Errno::EEXIST),
        ("pool1", Action::Add(osts(&[1, 1])), Errno::EEXIST),
        ("pool1", Action::Add(osts(&[0x42])), Errno::ENODEV),
        ("pool1", Action::Add(Members::Ids(vec![TargetId::mdt(0)])), Errno::ENODEV),
        ("nopool", Action::Add(osts(&[0])), Errno::ENOMEDIUM),
        ("nopool", Action::Remove(osts(&[0])), Errno::ENOENT),
        ("nopool", Action::Destroy, Errno::ENOENT),
        ("pool1", Action::Add(named(&["OST[1-0]"])), Errno::EINVAL),
        ("pool1", Action::Add(named(&["OST[0-ffff/0]"])), Errno::EINVAL),
        ("pool1", Action::Add(named(&["other-OST0001"])), Errno::EINVAL),
        ("pool1", Action::Add(named(&["testfs-OST[1,42]"])), Errno::ENODEV),
        ("a_very_long_pool_name_x", Action::New, Errno::ENAMETOOLONG),
        ("a b", Action::New, Errno::EINVAL),
        ("", Action::New, Errno::EINVAL),
    ] {
        assert_eq!(mgs.order(pool(name, action.clone())).unwrap_err().errno(), errno, "{name} {action:?}");
    }
    mgs.order(pool("pool1", Action::Remove(osts(&[0])))).unwrap();
    assert_eq!(members(&mgs).unwrap(), Vec::<String>::new());
    mgs.order(pool("pool1", Action::Destroy)).unwrap();
    assert_eq!(members(&mgs), None);
    // The removal of both, the end of the pool, and dead sections for all that was before.
    let theirs =
        pool_sections(&llog::Log::from_file(&golden["B03f-pool-destroyed/CONFIGS/testfs-client"]).unwrap());
    let ours = pool_sections(&mgs.engine.view().logs["testfs-client"].log);
    assert_eq!(ours.iter().filter(|s| !s.2).count(), 3);
    assert!(ours.iter().all(|s| theirs.contains(s)), "{ours:#?} {theirs:#?}");
    assert!(mgs.order(pool("pool1", Action::New)).unwrap().seq.is_some());
    let other = pool::Command { fs: "nofs".to_owned(), pool: "p".to_owned(), action: Action::New };
    assert_eq!(mgs.order(other.into()).unwrap_err().errno(), Errno::EINVAL);
    assert!(!mgs.store.keys().any(|k| k.contains("nofs")));
}

/// B02g: a path that nobody knows. It is stored as by a kernel MGS where mistakes are only warned of.
#[test]
fn an_unknown_path_is_stored_as_by_the_kernel_where_mistakes_are_warned_of() {
    let golden = states::session("B");
    let assign = |text: &str, delete| -> Command {
        let (text, syntax) = (text.to_owned(), Some(param::Syntax::SetParam));
        param::Command::Assign { text, syntax, delete, force: false, wait: false }.into()
    };
    let mut mgs = Mgs::new();
    mgs.order(golden::found::found(&golden, "B02c-set_param-P-overwrite").into()).unwrap();
    let refused = mgs.order(assign("nosuch.param=5", false)).unwrap_err().to_string();
    assert!(refused.contains("(unknown)"), "{refused}");
    mgs.order(param::Command::Validation(Validation::Warn).into()).unwrap();
    for path in ["osc.*.max_dirty_mb", "timeout"] {
        let delete = param::Command::Set { path: path.to_owned(), value: String::new(), delete: true };
        mgs.order(delete.into()).unwrap();
    }
    let done = mgs.order(assign("nosuch.param=5", false)).unwrap();
    assert!(done.seq.is_some() && !done.warnings.is_empty(), "{done:?}");
    compare(&mgs, "B02g-set_param-P-end", &golden, &["params"]);
}
