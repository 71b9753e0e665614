//! Two hundred assignments that somebody should not get away with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use tunables::{Assignment, Catalogue, Judge, Policy, Topology, Validation};

const LIST: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/tunables/hostile.txt"));

fn topology() -> Topology {
    let text = r#"
        [[filesystem]]
        name = "testfs"
        targets = ["MDT0000", "MDT0001", "OST0000", "OST0001"]
        nodemaps = ["c0", "nm"]
    "#;
    Topology::parse(text).unwrap()
}

/// `\n`, `\u{1b}`, `@{5000*a}`.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '@']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some((count, body)) = rest.strip_prefix("@{").and_then(|r| r.split_once('*'))
            && let Ok(count) = count.parse::<usize>()
        {
            let (body, after) = body.split_once('}').unwrap();
            out.push_str(&body.repeat(count));
            rest = after;
        } else if let Some(after) = rest.strip_prefix("\\u{") {
            let (hex, after) = after.split_once('}').unwrap();
            out.push(char::from_u32(u32::from_str_radix(hex, 16).unwrap()).unwrap());
            rest = after;
        } else if rest.starts_with('\\') {
            out.push(match rest.as_bytes()[1] {
                b'n' => '\n',
                b'r' => '\r',
                b'0' => '\0',
                b'\\' => '\\',
                other => panic!("{other}: {text}"),
            });
            rest = &rest[2..];
        } else {
            out.push('@');
            rest = &rest[1..];
        }
    }
    out + rest
}

fn list() -> Vec<(Assignment, &'static str)> {
    LIST.lines()
        .filter(|l| !l.starts_with('#'))
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            (Assignment::new(columns[0].parse().unwrap(), unescaped(columns[1])), columns[2])
        })
        .collect()
}

#[test]
fn all_are_refused_whatever_the_policy_says() {
    let topology = topology();
    let catalogue = Catalogue::shipped();
    let list = list();
    assert!(list.len() >= 200, "{}", list.len());
    let mut wrong = Vec::new();
    for (assignment, class) in &list {
        let verdict = Judge::new(catalogue).topology(&topology).judge(assignment);
        if !verdict.is_refused() || verdict.class.label() != *class {
            wrong.push(format!("{assignment:?}: {} {}: {verdict}", verdict.severity, verdict.class));
        }
        assert!(
            verdict.message.len() < 400 && !verdict.to_string().contains(char::is_control),
            "{verdict:?}"
        );
        for (force, validation) in
            [(true, Validation::Enforce), (false, Validation::Warn), (true, Validation::Warn)]
        {
            let policy = Policy { force, validation, ..Policy::default() };
            let verdict = Judge::new(catalogue).topology(&topology).policy(&policy).judge(assignment);
            if !verdict.is_refused() {
                wrong
                    .push(format!("{assignment:?} with {force} {validation:?}: {} {verdict}", verdict.class));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn none_is_there_twice() {
    let mut texts: Vec<String> =
        list().into_iter().map(|(a, _)| format!("{} {}", a.syntax, a.text)).collect();
    let all = texts.len();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), all);
}
