//! `docs/parity.md`: every row of `docs/parity.toml`, each test of which is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(root().join("docs/parity.toml")).unwrap();
    toml::from_str::<File>(&text).unwrap().row
}

#[test]
fn every_row_is_there_and_names_tests_that_are() {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let rows = rows();
    let numbers: Vec<u32> = rows.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=105).collect::<Vec<_>>());
    let mut missing = Vec::new();
    for row in &rows {
        assert_eq!(
            row.proof == Proof::Open,
            !row.why.is_empty(),
            "row {}: open rows say why, others need not",
            row.number
        );
        assert!(!row.tests.is_empty() && !row.source.is_empty(), "row {}", row.number);
        for test in &row.tests {
            let (file, function) =
                test.split_once("::").unwrap_or_else(|| panic!("row {}: {test}", row.number));
            let text = files.entry(file.to_owned()).or_insert_with(|| {
                std::fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
            });
            let at = text.find(&format!("fn {function}("));
            // A test has its attribute a few lines above.
            if !at.is_some_and(|at| text[..at].rsplit("\n\n").next().unwrap().contains("test")) {
                missing.push(format!("row {}: {test}", row.number));
            }
        }
    }
    assert!(missing.is_empty(), "no such tests:\n{}", missing.join("\n"));
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
        let tests: Vec<String> = row
            .tests
            .iter()
            .map(|test| format!("`{}`", test.replace("/tests/", " ").replace(".rs", "")))
            .collect();
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
    let path = root().join("docs/parity.md");
    let page = page(&rows());
    if std::env::var_os("MGSD_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page,
        "docs/parity.md is not fresh: MGSD_BLESS=1 cargo test -p mgsctl --test lctl_parity"
    );
}
