//! Node truth: what the interpreter makes of recorded logs is what the real nodes showed of themselves: devices and their
//! state (`lctl dl`), parameters, pools, connections (`lctl get_param`) at the stages of the sessions, and all parameters of
//! D-tunables.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use capture::states;
use llog::marker::flag;
use llog::{Log, LustreCfg};
use lustre_peer::interp::{ConfigTree, Interpreter, Role, execute_log};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

/// What was typed on a node, and what it printed.
struct Said {
    stage: String,
    node: String,
    /// Unix seconds.
    start: u64,
    end: u64,
    text: String,
}

fn said(session: &str) -> Vec<Said> {
    let path = capture::vectors_dir().join(format!("nodes/{session}.log"));
    let text = std::fs::read_to_string(path).unwrap();
    let mut out = Vec::new();
    for part in text.split("### stage=").skip(1) {
        let (head, text) = part.split_once('\n').unwrap();
        let (stage, rest) = head.split_once(' ').unwrap();
        let word = |name: &str| rest.split(' ').find_map(|w| w.strip_prefix(name)).unwrap().to_owned();
        let seconds = |name: &str| word(name).split('.').next().unwrap().parse().unwrap();
        let (start, end) = (seconds("start="), seconds("end="));
        out.push(Said { stage: stage.to_owned(), node: word("node="), start, end, text: text.to_owned() });
    }
    out
}

fn the(said: &[Said], stage: &str, node: &str) -> usize {
    said.iter()
        .position(|s| s.stage.starts_with(stage) && s.node == node)
        .unwrap_or_else(|| panic!("{stage}"))
}

fn log(session: &str, stage: &str, name: &str) -> Option<Log> {
    let files = states::session(session);
    let file = files.get(&format!("{stage}/CONFIGS/{name}")).filter(|file| !file.is_empty())?;
    Some(Log::from_file(file).unwrap())
}

/// A device name of a client without the address of its mount.
fn plain(name: &str) -> &str {
    name.rsplit_once("-ffff").map_or(name, |(name, _)| name)
}

/// Devices that come out of logs, as `lctl dl` has them: kind, name, up.
fn devices(text: &str) -> BTreeMap<(String, String), bool> {
    let mut out = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [number, state @ ("UP" | "IN"), kind, name, ..] = words[..] else { continue };
        let kinds = ["lov", "lmv", "mdc", "osc", "lod", "osp", "mdt", "obdfilter"];
        if number.parse::<u32>().is_ok() && kinds.contains(&kind) {
            out.insert((kind.to_owned(), plain(name).to_owned()), state == "UP");
        }
    }
    out
}

/// The same out of a tree. A server has other names for two kinds.
fn attached(role: Role, tree: &ConfigTree) -> BTreeMap<(String, String), bool> {
    let kind = |kind: &str| match (role, kind) {
        (Role::Mdt, "lov") => "lod".to_owned(),
        (Role::Mdt, "osc") => "osp".to_owned(),
        (_, kind) => kind.to_owned(),
    };
    let up = |name: &str| {
        let off = |class: &str| {
            let key = (name.to_owned(), format!("{class}.active"));
            tree.params.get(&key).is_some_and(|value| value == "0")
        };
        !off("osc") && !off("mdc")
    };
    tree.devices.iter().map(|(name, device)| ((kind(&device.kind), name.clone()), up(name))).collect()
}

/// Sections as their time has them, with the records between the markers.
fn sections(log: &Log) -> Vec<(llog::Marker, Vec<(u32, LustreCfg)>)> {
    let mut out: Vec<(llog::Marker, Vec<(u32, LustreCfg)>)> = Vec::new();
    for record in log.records().filter(|r| r.live && !r.is_pad()) {
        let cfg = record.cfg().unwrap();
        match cfg.marker() {
            Some(marker) if marker.is_start() => out.push((marker, Vec::new())),
            Some(_) => {}
            None => out.last_mut().unwrap().1.push((record.index, cfg)),
        }
    }
    out
}

/// A node that mounted at a time, and has read on since: what it has at another time. What was taken away behind its
/// back it has executed before.
struct Mounted {
    interp: Interpreter,
    /// What was set, in the order in which the node executed it: time, name as the node shows it, value.
    set: Vec<(u64, String, String)>,
}

impl Mounted {
    fn read(role: Role, name: &str, log: &Log, mount: u64, now: u64) -> Self {
        let mut this = Self { interp: Interpreter::new(role, name, Vec::new()), set: Vec::new() };
        for (mut marker, records) in sections(log).into_iter().filter(|(m, _)| m.createtime < now) {
            let at = marker.createtime.max(mount);
            let gone = marker.flags & flag::SKIP != 0 && marker.canceltime <= at;
            marker.flags &= !(flag::SKIP | flag::START | flag::END);
            if gone {
                continue;
            }
            let mark =
                |flags| LustreCfg::marker_rec(&llog::Marker { flags, ..marker.clone() }).unwrap().encode();
            let before = this.interp.tree().clone();
            this.interp.execute(0, &mark(marker.flags | flag::START)).unwrap();
            for (index, record) in &records {
                // Where a record stops the reader, it goes on behind it at its next read.
                if let Err(error) = this.interp.execute(*index, &record.encode()) {
                    assert!(error.what.contains("OST0042"), "{name}: {error}");
                    break;
                }
            }
            this.interp.execute(0, &mark(marker.flags | flag::END)).unwrap();
            let (tree, set) = (this.interp.tree(), &mut this.set);
            for (key, value) in
                tree.params.iter().filter(|(key, value)| before.params.get(*key) != Some(value))
            {
                set.push((at, shown(key), value.clone()));
            }
            if tree.timeout != before.timeout {
                set.push((at, "timeout".to_owned(), tree.timeout.unwrap().to_string()));
            }
        }
        this
    }

    fn tree(&self) -> &ConfigTree {
        self.interp.tree()
    }
}

/// A parameter of a tree as the node calls it; `*` in it stands for anything.
fn shown((device, name): &(String, String)) -> String {
    let (class, rest) = name.split_once('.').unwrap_or(("", name));
    match class {
        "osc" | "mdc" if device.contains("-osc") || device.contains("-mdc") => {
            format!("{class}.{device}*.{rest}")
        }
        "llite" if device.ends_with("-client") => {
            format!("llite.{}-*.{rest}", device.trim_end_matches("-client"))
        }
        "mdt" if device.contains("-MDT") => format!("mdt.{device}.{rest}"),
        "ost" if device.contains("-OST") => format!("obdfilter.{device}.{rest}"),
        _ => name.clone(), // of `set_param -P`
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|name| {
            (0..=name.len()).any(|at| name.is_char_boundary(at) && matches(rest, &name[at..]))
        }),
    }
}

/// `name=value` lines, each once.
fn values(text: &str) -> BTreeSet<(String, String)> {
    let lines = text.lines().filter(|line| !line.starts_with([' ', '$']) && !line.starts_with("error:"));
    lines.filter_map(|l| l.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

/// Everything that a node was told, the last of each name; `None`: nobody said anything.
fn told<'a>(all: &'a [(u64, String, String)], name: &str) -> Option<&'a str> {
    let hits = all.iter().filter(|(_, pattern, _)| matches(pattern, name));
    hits.max_by_key(|(at, ..)| *at).map(|(.., value)| value.as_str())
}

/// What a mounted client of session B was told until a time: its own log and the one of everybody.
fn client_of_b(said: &[Said], now: u64) -> (ConfigTree, Vec<(u64, String, String)>) {
    let mount = said[the(said, "B00-mount", "cli")].end;
    let read = |name: &str| {
        Mounted::read(Role::Client, name, &log("B", "B11-mgs-crash-restarted", name).unwrap(), mount, now)
    };
    let (own, params) = (read("testfs-client"), read("params"));
    let tree = own.tree().clone();
    let mut set = own.set;
    set.extend(params.set);
    (tree, set)
}

/// What the server of session B was told: three targets, two of which were mounted again, and the log of everybody.
fn server_of_b(said: &[Said], now: u64) -> Vec<(u64, String, String)> {
    let first = said[the(said, "B00-mount", "srv")].end;
    let mut set = Vec::new();
    for (target, role, again) in [
        ("testfs-MDT0000", Role::Mdt, Some("B04c")),
        ("testfs-OST0000", Role::Ost, Some("B04b")),
        ("testfs-OST0001", Role::Ost, None),
        ("params", Role::Mdt, None),
    ] {
        let log = log("B", "B11-mgs-crash-restarted", target).unwrap();
        let stages = states_times();
        let again = again.map(|stage| stages[stage]).filter(|at| *at <= now);
        for mount in [Some(first), again].into_iter().flatten() {
            set.extend(Mounted::read(role, target, &log, mount, now).set);
        }
    }
    set.sort_by_key(|(at, ..)| *at);
    set
}

/// When the stages of session B ended, by the first word of their names.
fn states_times() -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string(capture::vectors_dir().join("stages.tsv")).unwrap();
    let mut out = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split('\t').collect();
        if let ["B", stage, _, end] = words[..] {
            let end = end.parse().unwrap();
            out.insert(stage.split('-').next().unwrap().to_owned(), end);
        }
    }
    out
}

/// What an MDT has read at a time: its own first sections at its mount, those of others later.
fn read_by_mdt(name: &str, log: &Log, until: u64) -> ConfigTree {
    let own = sections(log).iter().find(|(m, _)| m.comment == "add mdt").unwrap().0.createtime;
    let mut log = log.clone();
    let late: Vec<u32> = log
        .records()
        .filter_map(|r| Some((r.index, r.cfg().ok()?.marker()?)))
        .filter(|(_, m)| m.createtime > own && m.createtime >= until)
        .map(|(index, _)| index)
        .collect();
    late.into_iter().for_each(|index| log.edit_marker(index, |m| m.flags |= flag::SKIP).unwrap());
    execute_log(Role::Mdt, name, &log).0
}

#[test]
fn devices_are_those_that_nodes_listed() {
    let (mut compared, mut left) = (0, Vec::new());
    for session in states::SESSIONS {
        let stages: BTreeSet<String> = states::session(session)
            .into_keys()
            .map(|path| path.split('/').next().unwrap().to_owned())
            .collect();
        let all = said(session);
        for said in &all {
            let listed = devices(&said.text);
            if listed.is_empty() {
                continue;
            }
            let state = match said.stage.as_str() {
                // Mounted since; what was done meanwhile to its logs it did not read.
                "C09b-check" => "C06c-writeconf-all",
                "C12-remount-after" => "C10c-llog_remove",
                stage => match stages.iter().find(|s| s.split('-').next() == stage.split('-').next()) {
                    Some(state) => state,
                    None => {
                        left.push(stage.to_owned());
                        continue;
                    }
                },
            };
            let mut ours = BTreeMap::new();
            for (kind, name) in listed.keys() {
                let (role, log_name) = match kind.as_str() {
                    "mdt" => (Role::Mdt, name.clone()),
                    "obdfilter" => (Role::Ost, name.clone()),
                    "lov" => (Role::Client, name.replace("-clilov", "-client")),
                    _ => continue,
                };
                let log = log(session, state, &log_name).unwrap_or_else(|| panic!("{state}: {log_name}"));
                let all = attached(role, &execute_log(role, &log_name, &log).0);
                // An MDT is told of what comes behind its own sections, and reads it 5 to 10 s later.
                let read = match role {
                    Role::Mdt => attached(role, &read_by_mdt(&log_name, &log, said.end - 10)),
                    _ => all.clone(),
                };
                let there =
                    |device: &(String, String)| read.contains_key(device) || listed.contains_key(device);
                ours.extend(all.into_iter().filter(|(device, _)| there(device)));
            }
            assert_eq!(ours, listed, "{} on {}", said.stage, said.node);
            compared += listed.len();
        }
    }
    // In the midst of parameters: below. A file system of which only texts were recorded.
    assert_eq!(left, ["B01g-check", "E13-combined", "E14-combined-client"]);
    assert!(compared > 80, "{compared} devices");
}

#[test]
fn parameters_are_those_that_nodes_showed_at_each_stage() {
    let b = said("B");
    let mut compared = BTreeMap::new();
    for s in b.iter().filter(|s| s.text.contains("get_param")) {
        let (_, set) = match s.node.as_str() {
            "cli" => client_of_b(&b, s.start),
            _ => (ConfigTree::default(), server_of_b(&b, s.start)),
        };
        for (name, value) in values(&s.text) {
            if let Some(told) = told(&set, &name) {
                assert_eq!(told, value, "{} on {}: {name}", s.stage, s.node);
                *compared.entry(s.stage.as_str()).or_insert(0) += 1;
            }
        }
    }
    let expected = [
        ("B01a-check", 2),
        ("B01b-check", 1),
        ("B01c-check", 1),
        ("B01d-check", 1),
        ("B01i-check", 3),
        ("B02a-check", 2),
        ("B02b-check", 2),
        ("B02d-check", 3),
    ];
    assert_eq!(compared, BTreeMap::from(expected));

    // The quota of OSTs; that of MDTs is another parameter, which nobody set.
    let s = &b[the(&b, "B01e-check", "srv")];
    let set = server_of_b(&b, s.start);
    let quota = told(&set, "quota.ost").unwrap();
    let shown: Vec<&str> = s.text.split("type:  ").skip(1).collect();
    assert_eq!((shown.len(), quota), (3, "ug"));
    for target in shown {
        let enabled = target.lines().find_map(|line| line.strip_prefix("quota enabled:")).unwrap().trim();
        assert_eq!(enabled, if target.trim_start().starts_with("dt") { quota } else { "none" });
    }

    // An OST that was deactivated, with the client mounted.
    let s = &b[the(&b, "B01g-check", "cli")];
    let (tree, _) = client_of_b(&b, s.start);
    let listed = devices(&s.text);
    assert_eq!(attached(Role::Client, &tree), listed);
    assert_eq!(listed.values().filter(|up| !**up).count(), 1);

    // A pool, behind the record at which every reader stopped.
    let s = &b[the(&b, "B03b-check", "cli")];
    let (tree, _) = client_of_b(&b, s.start);
    let members: BTreeSet<String> =
        s.text.split(".pools.pool1=\n").nth(1).unwrap().lines().map(|line| line.trim().to_owned()).collect();
    assert_eq!((tree.pools.len(), &tree.pools["pool1"]), (1, &members));
}

/// A client of session E: parameters from formatting, then `set_param -P`.
#[test]
fn parameters_of_a_new_mount_are_those_of_its_logs() {
    let e = said("E");
    let mount = e[the(&e, "E05", "cli")].start;
    let mut compared = 0;
    for (said, state) in [("E05", "E04-sptlrpc"), ("E08", "E08-set_param-P-many")] {
        let s = &e[the(&e, said, "cli")];
        let mut set = Vec::new();
        for name in ["testfs-client", "params"] {
            if let Some(log) = log("E", state, name) {
                set.extend(Mounted::read(Role::Client, name, &log, mount, s.end).set);
            }
        }
        for (name, value) in values(&s.text) {
            let Some(told) = told(&set, &name) else { continue };
            if name == "debug" {
                // Handed to udev, which these nodes had no rule for: the mask stayed as it was.
                assert!(told == "+rpctrace" && !value.contains("rpctrace"), "{value}");
                continue;
            }
            if (said, told) == ("E05", "20") {
                // At its first connect an OSC raises it to what it may have under way: 8 RPCs of 4 MiB.
                assert_eq!(value, "32");
                continue;
            }
            assert_eq!(told, value, "{said}: {name}");
            compared += 1;
        }
    }
    assert_eq!(compared, 2);
}

#[test]
fn connections_are_those_that_imports_showed() {
    let mut compared = 0;
    for (session, stage, state) in
        [("C", "C02-check", "C02-ost0002-servicenode"), ("B", "B04b-check", "B04b-ir-ost-restart")]
    {
        let all = said(session);
        let s = &all[the(&all, stage, "cli")];
        let log = log(session, state, "testfs-client").unwrap();
        let (tree, _) = execute_log(Role::Client, "testfs-client", &log);
        for import in s.text.split("    name: ").skip(1) {
            let name = plain(import.lines().next().unwrap());
            let Some(device) = tree.devices.get(name) else { continue }; // the MGC
            let nids = import.lines().find_map(|line| line.trim().strip_prefix("failover_nids: ")).unwrap();
            let nids: Vec<&str> = nids.split('"').skip(1).step_by(2).collect();
            let ours: Vec<&str> =
                device.connections.iter().flat_map(|node| &tree.nodes[node]).map(String::as_str).collect();
            assert_eq!(ours, nids, "{stage} {name}");
            compared += nids.len();
        }
    }
    assert_eq!(compared, 3);
}

/// Every parameter of a client and of a server that anything in the logs speaks of.
#[test]
fn all_parameters_of_d_tunables_are_those_of_the_logs() {
    let b = said("B");
    // After everything: they were recorded behind the last change of a parameter in this session.
    let now = states_times()["B10b"];
    for (node, set, expected) in [
        (
            "cli",
            client_of_b(&b, now).1,
            ["llite.*.max_read_ahead_mb", "osc.*.active", "osc.*.max_dirty_mb", "timeout"].as_slice(),
        ),
        (
            "srv",
            server_of_b(&b, now),
            ["mdt.*.identity_upcall", "osc.*.active", "obdfilter.testfs-OST0001.brw_size", "timeout"]
                .as_slice(),
        ),
    ] {
        let path = capture::vectors_dir().join(format!("tunables/{node}-get_param-R.txt.gz"));
        let mut text = String::new();
        flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
        let mut hit = BTreeSet::new();
        for (name, value) in values(&text) {
            if let Some(told) = told(&set, &name) {
                assert_eq!(told, value, "{node}: {name}");
                hit.insert(expected.iter().find(|p| matches(p, &name)).unwrap_or_else(|| panic!("{name}")));
            }
        }
        assert_eq!(hit.len(), expected.len(), "{node}: {hit:?}");
    }
}
