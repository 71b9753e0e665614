//! Pages that name tests: the tests are there, and the page is fresh.
#![allow(unreachable_pub, dead_code, clippy::unwrap_used, clippy::panic, clippy::string_slice)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Looks for tests, and keeps what it did not find.
#[derive(Default)]
pub struct Tests {
    files: BTreeMap<String, String>,
    pub missing: Vec<String>,
}

impl Tests {
    /// `test` is `mgsd/core/tests/gate.rs::good_examples_are_stored`.
    pub fn look_for(&mut self, who: &str, test: &str) {
        let (file, function) = test.split_once("::").unwrap_or_else(|| panic!("{who}: {test}"));
        let text = self.files.entry(file.to_owned()).or_insert_with(|| {
            std::fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{who}: {file}: {e}"))
        });
        let at = text.find(&format!("fn {function}("));
        // A test has its attribute a few lines above.
        if !at.is_some_and(|at| text[..at].rsplit("\n\n").next().unwrap().contains("test")) {
            self.missing.push(format!("{who}: {test}"));
        }
    }
}

/// As a page shows it.
pub fn shown(test: &str) -> String {
    format!("`{}`", test.replace("/tests/", " ").replace(".rs", ""))
}

/// The page at `path` is this one; written anew when `MGSD_BLESS` is set.
pub fn fresh(path: &str, page: &str, test: &str) {
    let file = root().join(path);
    if std::env::var_os("MGSD_BLESS").is_some() {
        std::fs::write(&file, page).unwrap();
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(there == page, "{path} is not fresh: MGSD_BLESS=1 cargo test -p mgsctl --test {test}");
}
