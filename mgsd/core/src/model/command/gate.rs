//! The gate in front of parameters: what the catalogue of tunables and the registered targets say of an assignment
//! before anything of it is stored.

use super::param::Syntax;
use crate::Errno;
use crate::error::Error;
use crate::model::names::{TargetId, TargetKind};
use crate::model::tx::Tx;
use tunables::{Assignment, Catalogue, Judge, Policy, Topology, Version};

/// Judges an assignment; what it warns of.
///
/// # Errors
/// It is refused: the error names the class, what is allowed and what was probably meant.
pub(super) fn judge(tx: &Tx<'_>, text: &str, syntax: Syntax, force: bool) -> Result<Vec<String>, Error> {
    let syntax = match syntax {
        Syntax::ConfParam => tunables::Syntax::ConfParam,
        Syntax::SetParam => tunables::Syntax::SetParamP,
    };
    let (topology, policy) = (topology(tx), Policy { force, ..Policy::default() });
    let judge = Judge::new(Catalogue::shipped()).topology(&topology).policy(&policy);
    let verdict = judge.judge(&Assignment::new(syntax, text));
    if !verdict.is_refused() {
        let mut warnings: Vec<String> = verdict.notes.into_iter().map(|note| note.message).collect();
        if verdict.severity == tunables::Severity::Warn {
            warnings.insert(0, verdict.message);
        }
        return Ok(warnings);
    }
    let known = |text: Option<String>| text.filter(|t| !t.is_empty());
    let hint: Vec<String> = [
        known(verdict.allowed).map(|allowed| format!("allowed: {allowed}")),
        known(verdict.suggestion),
        Some("'mgsctl param explain NAME' tells more".to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let what = format!("{} ({})", verdict.message, verdict.class.label());
    Err(Error::refused(verdict.object, Errno::EINVAL, what, hint.join("; ")))
}

/// What is registered, as the judge knows it.
fn topology(tx: &Tx<'_>) -> Topology {
    let mut topology = Topology::default();
    for fs in tx.file_systems() {
        topology.add_filesystem(&fs);
        for id in tx.targets(&fs) {
            let version = tx.target(&fs, id).map(|t| t.lustre_version).filter(|v| *v != 0);
            topology.add_target(&fs, named(id), version.and_then(parsed));
        }
    }
    topology
}

fn named(id: TargetId) -> tunables::TargetId {
    let kind = match id.kind {
        TargetKind::Mdt => tunables::TargetKind::Mdt,
        TargetKind::Ost => tunables::TargetKind::Ost,
    };
    tunables::TargetId { kind, index: u16::try_from(id.index).unwrap_or(u16::MAX) }
}

/// `OBD_OCD_VERSION`: a byte each.
fn parsed(v: u32) -> Option<Version> {
    format!("{}.{}.{}", v >> 24, (v >> 16) & 0xff, (v >> 8) & 0xff).parse().ok()
}
