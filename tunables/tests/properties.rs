//! What holds for every text, every entry and every order of targets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use tunables::{
    Assignment, Catalogue, Class, Confidence, Judge, Kind, Mode, PREFIXES, Persist, Policy, Severity, Syntax,
    TargetId, Topology, Tunable, Type, Validation, alternatives, canonical, judge, parse_list, segments,
    translate,
};

const SYNTAXES: [Syntax; 3] = [Syntax::ConfParam, Syntax::SetParamP, Syntax::SetParam];

fn syntax() -> impl Strategy<Value = Syntax> {
    prop::sample::select(&SYNTAXES[..])
}

/// Texts that come far: words of the catalogue, separators, digits and rubbish.
fn assignment() -> impl Strategy<Value = String> {
    let names: Vec<String> = Catalogue::shipped().tunables().iter().map(|t| t.name.clone()).collect();
    let words = [
        "testfs",
        "testfs-OST0000",
        "testfs-MDT0001",
        "testfs-OST*",
        "*",
        "?",
        "[a-c]",
        "[!x",
        "{a,b}",
        "{",
        "}",
        "osc",
        "mdc",
        "llite",
        "lov",
        "lod",
        "mdt",
        "mdd",
        "ost",
        "osd",
        "osd-*",
        "obdfilter",
        "quota",
        "failover",
        "node",
        "srpc",
        "flavor",
        "sys",
        "ldlm",
        "namespaces",
        "exports",
        "10.0.0.1@tcp",
        "MGC",
        "MGC10.0.0.2@tcp",
        "nodemap",
        "c0",
        "OSS",
        "ost_io",
        "_mgs",
        "",
        "tcp",
        "default",
        "removed",
        "hsm",
        "/bin/sh",
        "/usr/sbin/l_getidentity",
        "\u{0}",
        "ö",
        "--",
    ];
    let values = [
        "0",
        "1",
        "-1",
        "0x10",
        "010",
        "5M",
        "5 M",
        "64KB",
        "1.5G",
        "50%",
        "on",
        "true",
        "yup",
        "NONE",
        "tbf nid",
        "orr",
        "start a nid={*@tcp} rate=5",
        "stop a",
        "change a rate=0",
        "0:0",
        "500",
        "add /m {uid={1}} rwid=1",
        "ugp",
        "+rpctrace -net",
        "99999999999999999999999999999999999999999",
        "1.9999999999",
        "reg_quantum:16",
        "krb5p",
        "$(id)",
        "18446744073709551616",
    ];
    let word = prop_oneof![
        3 => prop::sample::select(names),
        5 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => "\\PC{0,6}",
    ];
    let value = prop_oneof![
        4 => prop::sample::select(values.to_vec()).prop_map(str::to_owned),
        1 => "\\PC{0,12}",
        1 => "[0-9a-zA-Z:{}=,+ -]{0,20}",
    ];
    (
        prop::collection::vec((word, prop::sample::select(&[".", ".", ".", "/", "-", ""][..])), 0..6),
        prop::option::of(value),
    )
        .prop_map(|(words, value)| {
            let mut text: String =
                words.iter().flat_map(|(word, between)| [word.as_str(), between]).collect();
            let end = text.trim_end_matches(['.', '/', '-']).len();
            text.truncate(end);
            value.map_or(text.clone(), |value| format!("{text}={value}"))
        })
}

fn topology(targets: &[(bool, u16, bool)]) -> Topology {
    let mut topology = Topology::default();
    topology.add_filesystem("testfs");
    for (ost, index, old) in targets {
        let id = TargetId::parse(&format!("{}{index:04x}", if *ost { "OST" } else { "MDT" })).unwrap();
        topology.add_target("testfs", id, if *old { "2.12.9" } else { "2.17.57" }.parse().ok());
    }
    topology.set_nodemaps(["c0".to_owned()]);
    topology
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_breaks_the_judge(syntax in syntax(), text in assignment(), force: bool, warn: bool) {
        let topology = topology(&[(true, 0, false), (false, 1, true)]);
        let validation = if warn { Validation::Warn } else { Validation::Enforce };
        let policy = Policy { force, validation, unregistered_targets: warn, ..Policy::default() };
        let assignment = Assignment::new(syntax, text);
        let verdict = Judge::new(Catalogue::shipped()).topology(&topology).policy(&policy).judge(&assignment);
        prop_assert!(!verdict.to_string().contains(char::is_control), "{verdict:?}");
        prop_assert_eq!(verdict.class == Class::Ok, verdict.severity == Severity::Accept);
        prop_assert_eq!(verdict.message.is_empty(), verdict.class == Class::Ok);
        prop_assert!(verdict.severity == Severity::Refuse || !verdict.tunables.is_empty() || force || warn || verdict.class == Class::Removed);
        let _ = (Catalogue::shipped().lookup(&assignment.text), Catalogue::shipped().near(&assignment.text));
    }

    #[test]
    fn lists_are_read_or_refused(list in prop::collection::vec(any::<u8>(), 0..200)) {
        for (line, parsed) in parse_list(&list) {
            prop_assert!(line >= 1 && line <= list.len() + 1);
            if let Err(why) = parsed {
                prop_assert!(!why.to_string().contains('\n'));
            }
        }
    }

    /// Whatever is exact leads back; a canonical name is its own.
    #[test]
    fn translated_twice_is_the_same(syntax in syntax(), text in assignment()) {
        let name = text.split('=').next().unwrap();
        for there in translate(syntax, name).iter().filter(|t| t.exact) {
            let back = translate(there.syntax, &there.name);
            prop_assert_eq!(back.len(), 1);
            prop_assert!(back[0].exact);
            let again = translate(back[0].syntax, &back[0].name);
            prop_assert_eq!(&again[0].name, &there.name);
            prop_assert_eq!(canonical(syntax, name), canonical(there.syntax, &there.name));
        }
        let once = canonical(syntax, name);
        if syntax != Syntax::ConfParam {
            prop_assert_eq!(canonical(Syntax::SetParamP, &once), once);
        }
    }

    /// Names that are written as they should be come back letter by letter.
    #[test]
    fn conf_param_names_come_back(
        prefix in prop::sample::select(PREFIXES), fs in "[a-zA-Z0-9_]{1,8}", index: u16, ost: bool, param in "[a-z_]{1,20}(\\.[a-z_]{1,10})?",
    ) {
        let target = format!("{fs}-{}{index:04x}", if ost { "OST" } else { "MDT" });
        for device in [fs, target] {
            let name = format!("{device}.{}.{param}", prefix.name);
            for there in translate(Syntax::ConfParam, &name).iter().filter(|t| t.exact) {
                let back = translate(there.syntax, &there.name);
                prop_assert_eq!(&back[0].name, &name);
            }
        }
    }

    #[test]
    fn the_order_of_targets_does_not_matter(
        syntax in syntax(), text in assignment(), targets in prop::collection::vec((any::<bool>(), 0..40_u16, any::<bool>()), 0..30), at in 0..30_usize,
    ) {
        // A target that is there twice would take the version of the last.
        let mut targets = targets;
        targets.sort_unstable();
        targets.dedup_by_key(|t| (t.0, t.1));
        let mut turned = targets.clone();
        turned.rotate_left(if targets.is_empty() { 0 } else { at % targets.len() });
        let assignment = Assignment::new(syntax, text);
        let catalogue = Catalogue::shipped();
        let first = judge(catalogue, Some(&topology(&targets)), &assignment);
        prop_assert_eq!(&first, &judge(catalogue, Some(&topology(&turned)), &assignment));
        prop_assert_eq!(first, judge(catalogue, Some(&topology(&targets)), &assignment));
    }

    #[test]
    fn names_are_cut_and_expanded_within_bounds(name in "\\PC{0,60}|([a-c.]*\\{[a-c.]*,[a-c]*\\}){0,8}") {
        prop_assert_eq!(segments(&name).concat().len(), name.chars().filter(|c| !".".contains(*c)).collect::<String>().len()
            - name.matches('/').count() + segments(&name).concat().matches(['.', '/']).count());
        if let Ok(names) = alternatives(&name) {
            prop_assert!((1..=64).contains(&names.len()));
        }
    }
}

/// A path with something for every placeholder.
fn concrete(path: &str) -> String {
    let mut text = path.to_owned();
    for (placeholder, example) in [
        ("<fsname>", "testfs"),
        ("<idx>", "0000"),
        ("<mount>", "ffff888007570000"),
        ("<target>", "testfs-OST0000"),
        ("<mgsnid>", "10.0.0.2@tcp"),
        ("<nid>", "10.0.0.9@tcp"),
        ("<device>", "cli-OST0000"),
        ("<namespace>", "mdt-testfs-MDT0000_UUID"),
        ("<ost_service>", "ost_io"),
        ("<mds_service>", "mdt"),
        ("<ldlm_service>", "ldlm_cbd"),
        ("<nodemap>", "c0"),
        ("<pool>", "flash"),
        ("<MDT|OST>", "OST"),
        ("<md|dt>", "dt"),
        ("<srv|ctl>", "srv"),
    ] {
        text = text.replace(placeholder, example);
    }
    text
}

/// Settings that a node takes, with a name of theirs.
fn settings() -> impl Iterator<Item = (&'static Tunable, String)> {
    let all = Catalogue::shipped().tunables().iter();
    all.filter(|t| t.mode != Mode::Ro).filter_map(|t| Some((t, concrete(t.path.as_ref()?))))
}

fn verdict(name: &str, value: &str) -> tunables::Verdict {
    Judge::new(Catalogue::shipped()).judge(&Assignment::new(Syntax::SetParam, format!("{name}={value}")))
}

/// Every path is found by a name of its own, and by itself alone or with entries of the same name.
#[test]
fn every_path_is_found() {
    let catalogue = Catalogue::shipped();
    for tunable in catalogue.tunables() {
        let Some(path) = &tunable.path else { continue };
        let hits = catalogue.by_pattern(&concrete(path));
        assert!(hits.iter().any(|t| t.id == tunable.id), "{path}");
        assert!(
            hits.iter().all(|t| t.name == tunable.name || tunable.id.contains('<') || t.id.contains('<')),
            "{path}"
        );
        assert!(catalogue.lookup(path).iter().any(|t| t.id == tunable.id), "{path}");
    }
}

/// The limits themselves are taken, what is beyond them is not.
#[test]
fn limits_are_inclusive() {
    // 0 is taken besides; powers of two only; pages up to a limit; labels.
    let odd = |t: &Tunable| {
        t.grammar.is_some()
            || t.maxlen.is_some_and(|most| most < 20)
            || [
                "osp.ost.max_create_count",
                "llite.read_ahead_range_kb",
                "obdfilter.access_log_size",
                "llite.stat_blocksize",
            ]
            .contains(&t.id.as_str())
    };
    let mut checked = 0;
    for (t, name) in
        settings().filter(|(t, _)| matches!(t.value, Type::Int | Type::Uint | Type::Size) && !odd(t))
    {
        let unit = if t.value == Type::Size { "B" } else { "" };
        let text = |n: i128| match t.base {
            Some(8) if n >= 0 => format!("{n:o}"),
            _ => format!("{n}{unit}"),
        };
        let (low, high) = t.limits();
        for (limit, beyond) in
            [(low, -1), (high, 1)].into_iter().filter_map(|(l, step)| Some((l?, l? + step)))
        {
            let inside = verdict(&name, &text(limit));
            assert!(!inside.is_refused(), "{name}={limit}: {inside}");
            let verified = t.confidence == Confidence::Verified;
            let severity = if verified { Severity::Refuse } else { Severity::Warn };
            let outside = verdict(&name, &text(beyond));
            let class = if beyond < 0 && t.value != Type::Int { Class::Value } else { Class::Range };
            assert!(
                outside.severity == severity && outside.class == class,
                "{name}={beyond}: {} {outside}",
                outside.class
            );
            checked += 1;
        }
    }
    assert!(checked > 700, "{checked}");
}

#[test]
fn listed_words_are_taken_and_others_are_not() {
    let mut checked = 0;
    for (t, name) in settings().filter(|(t, _)| matches!(t.value, Type::Enum | Type::Mask)) {
        for word in t.values.iter().filter(|w| !w.contains('<')) {
            let taken = verdict(&name, word);
            assert!(!taken.is_refused(), "{name}={word}: {taken}");
            checked += 1;
        }
        let other = verdict(&name, "nosuchword");
        // What was not verified is warned of.
        if t.confidence == Confidence::Inferred {
            assert!(other.severity == Severity::Warn && other.class == Class::Value, "{name}: {other}");
            continue;
        }
        assert!(
            other.is_refused() && matches!(other.class, Class::Value | Class::Length),
            "{name}: {} {other}",
            other.class
        );
    }
    assert!(checked > 150, "{checked}");
}

/// Both spellings of a setting set the same tunables, and have one canonical name.
#[test]
fn both_spellings_touch_the_same() {
    let catalogue = Catalogue::shipped();
    let mut checked = 0;
    // mdc.active of MDT0000 is refused, and its example is MDT0000.
    let able = |t: &&Tunable| {
        t.id != "mdc.active"
            && t.kind == Kind::Setting
            && t.persist == Persist::Yes
            && t.shadow().is_none()
            && t.id.split('.').next() != Some("mgs")
    };
    for tunable in catalogue.tunables().iter().filter(able) {
        let Some(conf) = &tunable.conf_param else { continue };
        let conf = concrete(conf);
        let ids = |syntax, name: &str| {
            let verdict = judge(catalogue, None, &Assignment::new(syntax, format!("{name}=@@")));
            (verdict.tunables, verdict.class)
        };
        let there = translate(Syntax::ConfParam, &conf);
        assert!(!there.is_empty(), "{conf}");
        let (mine, class) = ids(Syntax::ConfParam, &conf);
        assert!(mine.contains(&tunable.id), "{conf}: {class}");
        let mut theirs: Vec<String> = there.iter().flat_map(|t| ids(t.syntax, &t.name).0).collect();
        theirs.sort_unstable();
        theirs.dedup();
        assert_eq!(mine, theirs, "{conf}");
        checked += 1;
    }
    assert!(checked > 250, "{checked}");
}

/// The table in the code and the one in the catalogue name the same prefixes and the same devices.
#[test]
fn prefixes_are_those_of_the_catalogue() {
    let mut there: Vec<&str> =
        Catalogue::shipped().conf_prefixes().iter().map(|p| p.prefix.split('.').next().unwrap()).collect();
    there.dedup();
    let mut ours: Vec<&str> = PREFIXES.iter().map(|p| p.name).collect();
    there.sort_unstable();
    there.dedup();
    ours.sort_unstable();
    assert_eq!(there, ours);
    for listed in Catalogue::shipped().conf_prefixes().iter().filter(|p| p.prefix != "mdt.hsm.") {
        let prefix = tunables::prefix(listed.prefix.trim_end_matches('.')).unwrap();
        let mut shown: Vec<String> = prefix
            .forms
            .iter()
            .map(|form| {
                let target = if listed.conf_param.contains("OST<idx>") {
                    "<fsname>-OST<idx>"
                } else {
                    "<fsname>-MDT<idx>"
                };
                form.replace("{t}", target).replace("{fs}", "<fsname>") + "<p>"
            })
            .collect();
        shown.sort_unstable();
        for form in shown {
            assert!(listed.set_param.contains(&form), "{form} is not in {}", listed.set_param);
        }
    }
}
