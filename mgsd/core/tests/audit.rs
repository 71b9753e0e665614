//! Every change is written down with who made it and what was before.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod harness;
mod targets;

use harness::Mgs;
use mgs_core::model::command::{Command, fs, param, registration, reservation};
use mgs_core::model::commit::{CommitRecord, EventKind};
use mgs_core::model::keys;
use mgs_core::model::rules::Policy;
use std::time::Duration;
use targets::{mdt, ost, register};

fn site() -> Mgs {
    let mut mgs = Mgs::new();
    assert_eq!(register(&mut mgs, &mdt(0)).status, 0);
    assert_eq!(register(&mut mgs, &ost(0)).status, 0);
    mgs
}

/// The events of the newest commit, as JSON, without the actor, which is checked.
fn last(mgs: &Mgs, actor: &str) -> Vec<serde_json::Value> {
    let record: CommitRecord = serde_json::from_slice(&mgs.store[&keys::commit(mgs.seq)]).unwrap();
    assert!(record.events.iter().all(|e| e.actor == actor), "{record:?}");
    record.events.iter().map(|e| serde_json::to_value(&e.kind).unwrap()).collect()
}

fn assign(text: &str, delete: bool) -> Command {
    param::Command::Assign { text: text.to_owned(), syntax: None, delete, force: false, wait: false }.into()
}

/// What a command says of the value before.
fn before(mgs: &mut Mgs, command: Command) -> serde_json::Value {
    mgs.order(command).unwrap();
    let events = last(mgs, "uid:0");
    events[0].get("before").cloned().unwrap_or_default()
}

#[test]
fn parameters_have_their_value_before() {
    let mut mgs = site();
    let none = serde_json::Value::Null;
    // a deletion leaves nothing, or the default for those who run
    for (name, first, second, left) in [
        ("testfs-OST0000.osc.max_dirty_mb", "64", "128", none.clone()),
        ("testfs.sys.timeout", "77", "100", none.clone()),
        ("testfs.sys.at_max", "650", "700", serde_json::json!(["600"])),
        ("osc.*.max_rpcs_in_flight", "16", "32", serde_json::json!(["8"])),
    ] {
        assert_eq!(before(&mut mgs, assign(&format!("{name}={first}"), false)), none, "{name}");
        assert_eq!(before(&mut mgs, assign(&format!("{name}={second}"), false)), serde_json::json!([first]));
        assert_eq!(before(&mut mgs, assign(name, true)), serde_json::json!([second]), "{name}");
        assert_eq!(before(&mut mgs, assign(&format!("{name}={first}"), false)), left, "{name}");
        assert_eq!(
            before(&mut mgs, assign(&format!("{name}={first}"), true)),
            serde_json::json!([first]),
            "{name}"
        );
    }
}

#[test]
fn verdicts_reservations_and_leave_have_what_they_replace() {
    let mut mgs = site();
    let target = || "testfs-OST0009".to_owned();
    let approve = || registration::Command::Approve { target: target(), from: Vec::new() }.into();
    let refuse: Command = registration::Command::Refuse { target: target() }.into();
    assert!(before(&mut mgs, approve()).is_null());
    let said = before(&mut mgs, refuse);
    assert_eq!((&said["approved"], &said["by"]), (&true.into(), &"uid:0".into()));
    assert_eq!(before(&mut mgs, approve())["approved"], false);
    let forget: Command = registration::Command::Forget { target: target() }.into();
    assert_eq!(before(&mut mgs, forget)["approved"], true);

    let reserve = reservation::Reserve {
        fs: "testfs".to_owned(),
        kind: mgs_core::model::TargetKind::Ost,
        count: 1,
        expires: Some(60),
        by: "rack 7".to_owned(),
        nids: Vec::new(),
    };
    let reserve = || reservation::Command::Reserve(reserve.clone()).into();
    assert!(before(&mut mgs, reserve()).is_null());
    let unreserve: Command = reservation::Command::Unreserve { target: "testfs-OST0001".to_owned() }.into();
    assert_eq!(before(&mut mgs, unreserve)["by"], "rack 7");

    let leave = || fs::Command::ApproveWriteconf { fs: "testfs".to_owned() }.into();
    assert!(before(&mut mgs, leave()).is_null());
    assert_eq!(before(&mut mgs, leave())["by"], "uid:0");
    let policy: Command = fs::Command::Policy { fs: "testfs".to_owned(), policy: Policy::Closed }.into();
    assert_eq!(before(&mut mgs, policy), "open");

    // what ends by itself says what it was
    mgs.order(reserve()).unwrap();
    mgs.order(approve()).unwrap();
    mgs.now.wall += 30 * 86_400;
    mgs.advance(Duration::from_secs(30 * 86_400));
    let ended = last(&mgs, "mgsd");
    let of = |event: &str| ended.iter().find(|e| e["event"] == event).unwrap()["before"]["by"].clone();
    assert_eq!(of("reservation_expired"), "rack 7");
    assert_eq!((of("approval_expired"), of("leave_expired")), ("uid:0".into(), "uid:0".into()));
}

#[test]
fn registrations_have_the_addresses_before() {
    let mut mgs = site();
    let moved = ost(0).writeconf().with(|t| t.nids = vec!["10.0.0.4@tcp".to_owned()]);
    assert_eq!(register(&mut mgs, &moved).status, 0);
    let event = &last(&mgs, "nid:10.0.0.3@tcp")[0];
    assert_eq!(event["event"], "target_registered");
    assert_eq!((&event["before"][0], &event["nids"][0]), (&"10.0.0.3@tcp".into(), &"10.0.0.4@tcp".into()));
}

/// Records of earlier releases have no such fields.
#[test]
fn events_of_earlier_releases_are_read() {
    for old in [
        r#"{"event":"param_set","device":"testfs","name":"sys.timeout","value":"7"}"#,
        r#"{"event":"param_deleted","device":"testfs","name":"sys.timeout"}"#,
        r#"{"event":"registration_approved","target":"testfs-OST0001","from":[],"until":7}"#,
        r#"{"event":"registration_refused","target":"testfs-OST0001"}"#,
        r#"{"event":"verdict_forgotten","target":"testfs-OST0001"}"#,
        r#"{"event":"approval_expired","target":"testfs-OST0001"}"#,
        r#"{"event":"index_unreserved","target":"testfs-OST0001"}"#,
        r#"{"event":"reservation_expired","target":"testfs-OST0001"}"#,
        r#"{"event":"writeconf_approved","fs":"testfs","until":7}"#,
        r#"{"event":"leave_expired","fs":"testfs"}"#,
    ] {
        let kind: EventKind = serde_json::from_str(old).unwrap();
        assert_eq!(
            serde_json::to_value(kind).unwrap(),
            serde_json::from_str::<serde_json::Value>(old).unwrap()
        );
    }
}
