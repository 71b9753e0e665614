//! The catalogue as a document for people.

use std::fmt::Write;

use crate::catalogue::Catalogue;

/// `docs/tunables.md`.
pub fn markdown(catalogue: &Catalogue) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "# Tunables\n\n{}", catalogue.tunables().len());
    text
}
