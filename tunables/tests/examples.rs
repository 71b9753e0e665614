//! Every line of the two lists of examples, which came with the catalogue.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use tunables::{Assignment, Catalogue, Class, Judge, Severity, Topology, parse_list};

const GOOD: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/tunables/examples-good.txt"));
const BAD: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/tunables/examples-bad.txt"));

/// What the head of the lists says that exists.
fn topology() -> Topology {
    let text = r#"
        [[filesystem]]
        name = "testfs"
        targets = ["MDT0000", "MDT0001", "OST0000", "OST0001"]
        nodemaps = ["c0", "nm"]
        version = "2.17.57"
    "#;
    Topology::parse(text).unwrap()
}

/// Assignment and third column.
fn lines(list: &'static str) -> Vec<(Assignment, &'static str)> {
    let parsed: Vec<Assignment> = parse_list(list.as_bytes()).map(|(_, line)| line.unwrap()).collect();
    let third = list.lines().filter(|l| !l.starts_with('#')).map(|l| l.split('\t').nth(2).unwrap());
    let all: Vec<_> = parsed.into_iter().zip(third).collect();
    assert_eq!(all.len(), list.lines().filter(|l| !l.starts_with('#')).count());
    all
}

#[test]
fn good_ones_are_accepted_and_touch_what_is_listed() {
    let topology = topology();
    let mut wrong = Vec::new();
    let lines = lines(GOOD);
    assert_eq!(lines.len(), 146);
    for (assignment, ids) in lines {
        for judge in [Judge::new(Catalogue::shipped()), Judge::new(Catalogue::shipped()).topology(&topology)]
        {
            let verdict = judge.judge(&assignment);
            if verdict.is_refused() || verdict.tunables.join(" ") != ids {
                wrong.push(format!(
                    "{} {}: {} {} {verdict}; {:?} instead of {ids}",
                    assignment.syntax, assignment.text, verdict.severity, verdict.class, verdict.tunables
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn bad_ones_are_refused_with_their_class() {
    let topology = topology();
    let mut wrong = Vec::new();
    let lines = lines(BAD);
    assert_eq!(lines.len(), 144);
    for (assignment, class) in lines {
        for judge in [Judge::new(Catalogue::shipped()), Judge::new(Catalogue::shipped()).topology(&topology)]
        {
            let verdict = judge.judge(&assignment);
            if !verdict.is_refused() || verdict.class.label() != class {
                wrong.push(format!(
                    "{} {}: {} {} {verdict}; instead of {class}",
                    assignment.syntax, assignment.text, verdict.severity, verdict.class
                ));
            }
            assert!(!verdict.message.is_empty() && !verdict.to_string().contains('\n'), "{verdict:?}");
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// A refusal that tells nothing to do is a riddle.
#[test]
fn refusals_say_what_is_allowed_or_what_to_do() {
    let topology = topology();
    let judge = Judge::new(Catalogue::shipped()).topology(&topology);
    let silent: Vec<String> = lines(BAD)
        .into_iter()
        .map(|(assignment, _)| (judge.judge(&assignment), assignment))
        .filter(|(verdict, _)| verdict.allowed.is_none() && verdict.suggestion.is_none())
        .map(|(verdict, assignment)| format!("{}: {verdict}", assignment.text))
        .collect();
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

/// All classes of the document occur in its examples; the severity of a good one is accept unless it is deprecated.
#[test]
fn few_good_ones_are_warned_of() {
    let judge = Judge::new(Catalogue::shipped());
    let warned: Vec<(String, Class)> = lines(GOOD)
        .into_iter()
        .map(|(assignment, _)| (judge.judge(&assignment), assignment))
        .filter(|(verdict, _)| verdict.severity == Severity::Warn)
        .map(|(verdict, assignment)| (assignment.text, verdict.class))
        .collect();
    assert_eq!(
        warned,
        [
            ("testfs-MDT0000.lod.dom_stripesize=1M".to_owned(), Class::Deprecated),
            ("testfs-OST0000.ost.client_cache_seconds=15".to_owned(), Class::Deprecated),
        ]
    );
}
