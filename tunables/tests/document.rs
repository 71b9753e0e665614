//! `docs/tunables.md` follows the catalogue.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use tunables::{Catalogue, Class, markdown};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tunables.md");

#[test]
fn the_document_is_fresh() {
    let fresh = markdown(Catalogue::shipped());
    if std::env::var_os("MGSD_BLESS").is_some() {
        std::fs::write(PATH, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(PATH).unwrap();
    assert!(
        kept == fresh,
        "docs/tunables.md is stale: run MGSD_BLESS=1 cargo test -p tunables the_document_is_fresh"
    );
}

#[test]
fn it_has_every_name_and_every_class() {
    let text = markdown(Catalogue::shipped());
    for tunable in Catalogue::shipped().tunables() {
        assert!(text.contains(&tunable.name.replace('|', "\\|")), "{}", tunable.id);
    }
    for class in [Class::Syntax, Class::BadDevice, Class::WrongService, Class::Upcall, Class::Uevent] {
        assert!(text.contains(&format!("| `{class}` |")), "{class}");
    }
    // A cell more or less breaks a table.
    for line in text.lines().filter(|l| l.starts_with("| `") && l.matches(" | ").count() > 4) {
        assert_eq!(line.replace("\\|", "").matches('|').count(), 8, "{line}");
    }
}

/// What the head of the catalogue says of itself.
#[test]
fn the_catalogue_is_whole() {
    let catalogue = Catalogue::shipped();
    assert_eq!(catalogue.tunables().len(), 1232);
    assert_eq!(catalogue.tunables().iter().filter(|t| t.mode != tunables::Mode::Ro).count(), 699);
    assert_eq!(catalogue.conflicts().len(), 23);
    assert_eq!(catalogue.removed().len(), 44);
    assert_eq!(catalogue.grammars().len(), 32);
    assert!(catalogue.tunables().iter().all(|t| !t.source.is_empty() && !t.desc.is_empty()));
    assert!(catalogue.grammars().values().all(|g| g.regex.starts_with('^') && g.regex.ends_with('$')));
}
