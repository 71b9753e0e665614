//! The lists of assignments that came with the catalogue.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use mgs_core::model::command::param::Syntax;

pub const GOOD: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/tunables/examples-good.txt"));
pub const BAD: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/tunables/examples-bad.txt"));
pub const HOSTILE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/tunables/hostile.txt"));

/// Assignments that are stored, with their syntax and third column.
pub fn lines(list: &'static str) -> Vec<(Syntax, String, &'static str)> {
    let mut out = Vec::new();
    for line in list.lines().filter(|l| !l.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let syntax = match columns[0] {
            "conf_param" => Syntax::ConfParam,
            "set_param-P" => Syntax::SetParam,
            _ => continue, // set_param without -P is no affair of the MGS
        };
        out.push((syntax, columns[1].to_owned(), columns[2]));
    }
    out
}

/// Hostile ones: `\n`, `\u{1b}`, `@{5000*a}` in the list stand for characters.
pub fn hostile() -> Vec<(Syntax, String, &'static str)> {
    lines(HOSTILE).into_iter().map(|(syntax, text, class)| (syntax, unescaped(&text), class)).collect()
}

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
