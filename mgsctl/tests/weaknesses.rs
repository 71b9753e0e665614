//! `docs/weaknesses.md`: every weakness of `docs/weaknesses.toml`, in order, each test of which is there.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod named;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    row: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    number: u32,
    kernel: String,
    mended: Mended,
    mgsd: String,
    tests: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mended {
    Yes,
    Partly,
    No,
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(named::root().join("docs/weaknesses.toml")).unwrap();
    toml::from_str::<File>(&text).unwrap().row
}

#[test]
fn every_weakness_is_there_and_names_tests_that_are() {
    let rows = rows();
    let numbers: Vec<u32> = rows.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=45).collect::<Vec<_>>());
    let mut tests = named::Tests::default();
    for row in &rows {
        assert!(!row.kernel.is_empty() && !row.mgsd.is_empty() && !row.tests.is_empty(), "{}", row.number);
        let short = row.mended != Mended::Yes && row.mgsd.len() < 60;
        assert!(!short, "{}: what is not mended says why", row.number);
        row.tests.iter().for_each(|test| tests.look_for(&format!("row {}", row.number), test));
    }
    assert_eq!(tests.missing, [""; 0]);
}

fn page(rows: &[Row]) -> String {
    let count = |mended| rows.iter().filter(|row| row.mended == mended).count();
    let mut out = format!(
        "# Where a kernel MGS hurts, and mgsd\n\nGenerated from `docs/weaknesses.toml` by `mgsctl/tests/weaknesses.rs`, which \
         makes sure that every test is there;\n`MGSD_BLESS=1 cargo test -p mgsctl --test weaknesses` writes it anew. The numbers \
         are those of the reference (mgs/12).\n{} are mended, {} in part, {} cannot be mended by an MGS; by subject they stand in\n\
         [better-than-kernel.md](better-than-kernel.md).\n\n| # | A kernel MGS | mgsd | Test |\n|---|---|---|---|\n",
        count(Mended::Yes),
        count(Mended::Partly),
        count(Mended::No)
    );
    for row in rows {
        let mark = match row.mended {
            Mended::Yes => "",
            Mended::Partly => "*in part:* ",
            Mended::No => "**not mended:** ",
        };
        let tests: Vec<String> = row.tests.iter().map(|test| named::shown(test)).collect();
        out += &format!("| {} | {} | {mark}{} | {} |\n", row.number, row.kernel, row.mgsd, tests.join(", "));
    }
    out
}

#[test]
fn the_page_is_fresh() {
    named::fresh("docs/weaknesses.md", &page(&rows()), "weaknesses");
}
