//! `docs/parity.md`: every row of `docs/parity.toml`, each test of which is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

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
    feature: String,
    #[serde(default)]
    command: String,
    proof: Proof,
    source: String,
    #[serde(default)]
    why: String,
    tests: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Proof {
    Kernel,
    #[serde(rename = "self")]
    Own,
    Open,
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(named::root().join("docs/parity.toml")).unwrap();
    toml::from_str::<File>(&text).unwrap().row
}

#[test]
fn every_row_is_there_and_names_tests_that_are() {
    let mut tests = named::Tests::default();
    let rows = rows();
    let numbers: Vec<u32> = rows.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=105).collect::<Vec<_>>());
    for row in &rows {
        assert_eq!(
            row.proof == Proof::Open,
            !row.why.is_empty(),
            "row {}: open rows say why, others need not",
            row.number
        );
        assert!(!row.tests.is_empty() && !row.source.is_empty(), "row {}", row.number);
        row.tests.iter().for_each(|test| tests.look_for(&format!("row {}", row.number), test));
    }
    assert_eq!(tests.missing, [""; 0]);
}

fn page(rows: &[Row]) -> String {
    let count = |proof| rows.iter().filter(|row| row.proof == proof).count();
    let mut out = format!(
        "# What a kernel MGS offers, and mgsd\n\nGenerated from `docs/parity.toml` by `mgsctl/tests/lctl_parity.rs`, which makes sure that every test \
         is there;\n`MGSD_BLESS=1 cargo test -p mgsctl --test lctl_parity` writes it anew. {} rows are held against what a real MGS said or \
         wrote,\n{} only against peers and rules of our own (*self*), {} are open.\n\n| # | Feature | Command | Proof | From | Tests |\n\
         |---|---|---|---|---|---|\n",
        count(Proof::Kernel),
        count(Proof::Own),
        count(Proof::Open)
    );
    for row in rows {
        let proof = match row.proof {
            Proof::Kernel => "kernel".to_owned(),
            Proof::Own => "*self*".to_owned(),
            Proof::Open => format!("**open**: {}", row.why),
        };
        let command = if row.command.is_empty() { String::new() } else { format!("`{}`", row.command) };
        let tests: Vec<String> = row.tests.iter().map(|test| named::shown(test)).collect();
        out += &format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            row.number,
            row.feature.replace('|', "\\|"),
            command.replace('|', "\\|"),
            proof.replace('|', "\\|"),
            row.source.replace('|', "\\|"),
            tests.join(", ")
        );
    }
    out
}

#[test]
fn the_page_is_fresh() {
    named::fresh("docs/parity.md", &page(&rows()), "lctl_parity");
}
