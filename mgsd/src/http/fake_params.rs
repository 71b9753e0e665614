//! What the small site says of its parameters.

use mgs_api::{
    ChangeReach, EffectiveParam, LogReach, NodeReach, ParamEvent, ParamReader, ParamTold, RecordAt,
};

use super::{at, texts};

pub(super) fn effective(target: &str, name: &str) -> EffectiveParam {
    let told = |name: String, value: &str, log: &str, index, seq| ParamTold {
        name,
        value: value.to_owned(),
        record: RecordAt { log: log.to_owned(), index },
        seq,
        time: at(seq),
        by: Some("uid:0".to_owned()),
        from: None,
        unset: false,
    };
    EffectiveParam {
        canonical: format!("osc.{target}-osc-*.max_dirty_mb"),
        conf_param: Some(format!("{target}.{name}")),
        set_param: vec![format!("osc.{target}-osc-*.max_dirty_mb")],
        tunables: vec!["osc.max_dirty_mb".to_owned()],
        default: None,
        unit: Some("MiB".to_owned()),
        registered: true,
        readers: vec![ParamReader {
            log: "testfs-client".to_owned(),
            in_force: vec![told("osc.*.max_dirty_mb".to_owned(), "32", "params", 2, 41)],
            shadowed: vec![told(format!("{target}.{name}"), "64", "testfs-client", 34, 40)],
        }],
    }
}

pub(super) fn history(name: &str) -> Vec<ParamEvent> {
    let event = |seq, value: Option<&str>, before: &[&str]| ParamEvent {
        seq,
        time: at(seq),
        by: "uid:0".to_owned(),
        name: name.to_owned(),
        value: value.map(str::to_owned),
        before: texts(before),
    };
    vec![event(40, Some("64"), &[]), event(41, None, &["64"])]
}

pub(super) fn status(seq: Option<u64>) -> ChangeReach {
    let node = |nid: &str, fetched| NodeReach {
        nid: nid.to_owned(),
        uuid: format!("{nid}-uuid"),
        fetched,
        at: (fetched > 0).then(|| at(41)),
        past: fetched >= 34,
    };
    let nodes = vec![node("10.0.0.5@tcp", 0), node("10.0.0.4@tcp", 31), node("10.0.0.3@tcp", 34)];
    let log = LogReach { log: "testfs-client".to_owned(), index: 34, nodes };
    ChangeReach { seq: seq.unwrap_or(41), logs: vec![log] }
}
