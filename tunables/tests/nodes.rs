//! What real nodes list and show (Lustre 2.17.57, `golden/D-tunables`), against the catalogue.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use tunables::{Assignment, Catalogue, Judge, Kind, Mode, Syntax, Tunable};

const DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/tunables");
/// Paths of the three nodes that the catalogue has, and that it does not.
const KNOWN: usize = 2270;
const OTHER: usize = 561;
/// Values of settings, the settings, and values that are empty because nothing was set.
const JUDGED: usize = 938;
const SETTINGS: usize = 372;
const EMPTY: usize = 62;

/// Of each node, parameters that could be stored, those that are refused (most are read-only), and those with values of
/// several lines.
const IMPORTED: [(usize, usize, usize); 3] = [(557, 1189, 300), (4536, 4951, 1790), (1478, 3234, 458)];

const NODES: [&str; 3] = ["mgs", "srv", "cli"];

fn unzipped(name: &str) -> String {
    let path = format!("{DIR}/{name}.txt.gz");
    let file = std::fs::File::open(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A checked-in list: pattern, tab, reason.
fn listed(name: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(format!("{DIR}/{name}")).unwrap();
    text.lines()
        .filter(|l| !l.starts_with('#') && !l.is_empty())
        .map(|l| l.split_once('\t').unwrap_or_else(|| panic!("{name}: {l}: no reason")))
        .map(|(what, why)| (what.to_owned(), why.to_owned()))
        .collect()
}

/// Paths of a node, and whether they can be written. Folders are left out.
fn paths(node: &str) -> BTreeMap<String, bool> {
    let list = unzipped(&format!("{node}-list_param-RF"));
    let files = list.lines().filter(|l| !l.ends_with('/') && !l.starts_with("error:"));
    files.map(|l| (l.trim_end_matches(['=', '@']).to_owned(), l.ends_with('='))).collect()
}

/// Whether a name fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[test]
fn every_path_is_known_or_listed() {
    let catalogue = Catalogue::shipped();
    let list = listed("unknown-paths.txt");
    let mut used = BTreeSet::new();
    let mut unknown = BTreeSet::new();
    let (mut known, mut other) = (0, 0);
    for node in NODES {
        for path in paths(node).keys() {
            if !catalogue.by_pattern(path).is_empty() {
                known += 1;
                continue;
            }
            other += 1;
            match list.iter().find(|(pattern, _)| fits(pattern, path)) {
                Some((pattern, _)) => drop(used.insert(pattern.clone())),
                None => drop(unknown.insert(path.clone())),
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    let idle: Vec<_> = list.iter().filter(|(pattern, _)| !used.contains(pattern)).collect();
    assert!(idle.is_empty(), "listed, and not needed: {idle:?}");
    // So that an empty file or a changed parser shows.
    assert_eq!((known, other), (KNOWN, OTHER));
}

#[test]
fn nodes_and_catalogue_agree_on_what_can_be_written() {
    let catalogue = Catalogue::shipped();
    for node in NODES {
        for (path, writable) in paths(node) {
            for tunable in catalogue.by_pattern(&path) {
                assert_eq!(tunable.mode != Mode::Ro, writable, "{node}: {path}: {}", tunable.id);
            }
        }
    }
}

/// Values of a node by path, lines that follow a path belong to it.
fn values(node: &str) -> BTreeSet<(String, String)> {
    let paths = paths(node);
    let mut values = BTreeSet::new();
    let mut now: Option<(String, String)> = None;
    for line in unzipped(&format!("{node}-get_param-R")).lines().filter(|l| !l.starts_with("error:")) {
        match (line.split_once('=').filter(|(path, _)| paths.contains_key(*path)), &mut now) {
            (Some((path, value)), _) => values.extend(now.replace((path.to_owned(), value.to_owned()))),
            (None, Some((_, value))) => *value = format!("{value}\n{line}"),
            (None, None) => {}
        }
    }
    values.extend(now);
    values
}

/// As it would be written: without trailing blanks; of a list with a choice in brackets, the choice.
fn written(shown: &str) -> String {
    let chosen: Vec<&str> = shown
        .split_whitespace()
        .filter_map(|word| word.strip_prefix('[').and_then(|word| word.strip_suffix(']')))
        .collect();
    if chosen.is_empty() { shown.trim_end().to_owned() } else { chosen.join(" ") }
}

#[test]
fn every_value_of_a_setting_passes_its_grammar() {
    let catalogue = Catalogue::shipped();
    let judge = Judge::new(catalogue);
    let list = listed("shown-differently.txt");
    let mut failed = BTreeMap::new();
    let (mut judged, mut settings, mut empty) = (0, BTreeSet::new(), 0);
    for node in NODES {
        for (path, shown) in values(node) {
            let is_setting = |t: &&Tunable| t.mode == Mode::Rw && t.kind == Kind::Setting;
            let hits = catalogue.by_pattern(&path);
            let Some(setting) = hits.iter().copied().find(is_setting) else { continue };
            let value = written(&shown);
            if value.is_empty() {
                empty += 1;
                continue;
            }
            judged += 1;
            settings.insert(setting.id.clone());
            let text = format!("{path}={}", value.trim_start_matches('\n'));
            let verdict = judge.judge(&Assignment::new(Syntax::SetParam, text));
            if verdict.is_refused() {
                failed.insert(setting.id.clone(), format!("{path}={value:?}: {verdict}"));
            }
        }
    }
    let expected: BTreeSet<&String> = list.iter().map(|(id, _)| id).collect();
    assert_eq!(failed.keys().collect::<BTreeSet<_>>(), expected, "{failed:#?}");
    assert_eq!((judged, settings.len(), empty), (JUDGED, SETTINGS, EMPTY));
}

/// What `lctl get_param -R '*'` printed on real nodes, as it is: one report for each parameter, of those that have values
/// of several lines too, and no line of a value is taken for a parameter.
#[test]
fn the_output_of_a_whole_node_is_imported_parameter_by_parameter() {
    let judge = Judge::new(Catalogue::shipped());
    let mut all = Vec::new();
    for node in NODES {
        let known: BTreeSet<String> = paths(node).into_keys().collect();
        let text = unzipped(&format!("{node}-get_param-R"));
        let lines: Vec<&str> = text.lines().collect();
        let (mut kept, mut refused, mut long) = (0, 0, 0);
        for (line, found) in tunables::import(text.as_bytes(), None) {
            let name = lines[line - 1].split_once('=').map(|(name, _)| name);
            assert!(
                name.is_some_and(|name| known.contains(name)),
                "{node}, line {line}: {}",
                lines[line - 1]
            );
            match found {
                Err(tunables::BadImport::Lines(_)) => long += 1,
                Err(other) => panic!("{node}, line {line}: {other}"),
                Ok(assignment) if judge.judge(&assignment).is_refused() => refused += 1,
                Ok(_) => kept += 1,
            }
        }
        all.push((kept, refused, long));
    }
    assert_eq!(all, IMPORTED);
}
