//! Lustre parameters: what exists, what it is called, and whether an assignment can be right.
//!
//! The catalogue (`catalogue.toml`, part of this crate, loadable from a file for other versions) describes every tunable
//! of a Lustre version with its source. [`Judge`] holds an assignment against it, and against what is registered, before
//! it is stored. [`translate`] turns the spelling of `conf_param` into that of `set_param` and back; [`canonical`] is the
//! one name under which a setting is kept.
//!
//! ```
//! use tunables::{Assignment, Catalogue, Class, Judge, Syntax, Topology};
//!
//! let topology = Topology::parse(r#"
//!     [[filesystem]]
//!     name = "testfs"
//!     targets = ["MDT0000", "OST0000"]
//! "#)?;
//! let judge = Judge::new(Catalogue::shipped()).topology(&topology);
//!
//! let good = judge.judge(&Assignment::new(Syntax::ConfParam, "testfs-OST0000.osc.max_dirty_mb=64"));
//! assert!(!good.is_refused());
//! assert_eq!(good.tunables, ["osc.max_dirty_mb"]);
//! assert_eq!(good.canonical.as_deref(), Some("osc.testfs-OST0000-osc-*.max_dirty_mb"));
//!
//! let typo = judge.judge(&Assignment::new(Syntax::ConfParam, "testfs-OST0000.osc.max_drity_mb=64"));
//! assert_eq!(typo.class, Class::Unknown);
//! assert_eq!(typo.suggestion.as_deref(), Some("did you mean max_dirty_mb?"));
//!
//! let nobody = judge.judge(&Assignment::new(Syntax::ConfParam, "testfs-OST0042.osc.max_dirty_mb=64"));
//! assert_eq!(nobody.class, Class::BadDevice);
//! # Ok::<(), tunables::BadTopology>(())
//! ```
//!
//! Pure: no clock, socket or file. The judge never walks a list of targets; patterns are intersected with the forms of
//! device names instead, so that its cost does not grow with the file systems.

mod assignment;
mod automaton;
mod catalogue;
mod default;
mod device;
mod document;
mod entry;
mod import;
mod in_use;
mod judge;
mod lookup;
mod matching;
mod pattern;
mod prefix;
mod topology;
mod translate;
mod verdict;
mod version;

pub use assignment::{Assignment, BadLine, MAX_ASSIGNMENT, Syntax, parse_line, parse_list};
pub use automaton::BadRegex;
pub use catalogue::{
    Alias, BadCatalogue, Catalogue, ConfPrefix, Conflict, Grammar, Level, Meta, Placeholder, Removed, SCHEMA,
};
pub use default::default_of;
pub use device::{Device, MAX_FSNAME, TargetId, TargetKind};
pub use document::markdown;
pub use entry::{Confidence, Kind, Mode, Persist, Tunable, Type, Width, is_compound};
pub use import::{BadImport, import};
pub use in_use::InUse;
pub use judge::{Judge, NothingStored, Policy, Stored, Validation, allowed};
pub use matching::{covers, overlap};
pub use pattern::{BadPattern, alternatives, is_wild, segments};
pub use prefix::{Needs, PREFIXES, Prefix, SYS, prefix};
pub use topology::{BadTopology, FileSystem, Topology};
pub use translate::{Translated, canonical, translate};
pub use verdict::{Class, Note, Severity, Verdict};
pub use version::{BadVersion, Since, Version};

/// Judges one assignment against the catalogue and what is registered, with the default policy.
pub fn judge(catalogue: &Catalogue, topology: Option<&Topology>, assignment: &Assignment) -> Verdict {
    let judge = Judge::new(catalogue);
    match topology {
        Some(topology) => judge.topology(topology).judge(assignment),
        None => judge.judge(assignment),
    }
}
