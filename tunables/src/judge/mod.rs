//! The judge: one assignment against the catalogue and what is registered.
//!
//! The order of the tests is that of [`Class`]. Nothing here walks a list of targets.

mod allowed;
mod conf;
mod conflict;
mod number;
mod registered;
mod security;
mod set;
mod suggest;
mod value;
mod words;

use crate::assignment::{Assignment, Syntax, shown};
use crate::catalogue::Catalogue;
use crate::entry::{Confidence, Kind, Mode, Persist, Tunable};
use crate::topology::Topology;
use crate::translate::canonical;
use crate::verdict::{Class, Finding, Note, Severity, Verdict};

pub use allowed::allowed;
pub use conflict::{NothingStored, Stored};

/// Names of the catalogue that a mistyped one may stand for.
pub(crate) fn near_names<'a>(catalogue: &'a Catalogue, name: &str) -> Vec<&'a str> {
    suggest::names(catalogue, name, |_| false)
}

/// Whether a node takes a value, and takes it for what it says.
pub(crate) fn takes(catalogue: &Catalogue, tunable: &Tunable, value: &str) -> bool {
    let notes = value::check(catalogue, tunable, value);
    notes.is_ok_and(|notes| notes.iter().all(|note| note.class != Class::Lenient))
}

/// A number with a suffix of sizes, in bytes.
pub(crate) fn bytes_of(digits: &str, suffix: &str) -> Option<i128> {
    number::size(digits, number::factor(suffix)?).ok()
}

/// What happens to an assignment that is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validation {
    /// It is refused.
    #[default]
    Enforce,
    /// It is warned of, as the kernel's MGS does not look; what no policy lets pass is refused still.
    Warn,
}

/// What the operator of this MGS has decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Refuse or warn.
    pub validation: Validation,
    /// Accept names that the catalogue does not know. Nothing else.
    pub force: bool,
    /// Accept a well-formed target of a known file system before it registers: the setting waits for it.
    pub unregistered_targets: bool,
    /// Programs that nodes may be told to run, by their whole path.
    pub executables: Vec<String>,
    /// Where nodes may be told to write files: beginnings of paths.
    pub places: Vec<String>,
}

impl Default for Policy {
    /// Enforces; programs are those that Lustre runs by default.
    fn default() -> Self {
        let all = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Policy {
            validation: Validation::Enforce,
            force: false,
            unregistered_targets: false,
            executables: all(&[
                "/usr/sbin/l_getidentity",
                "/usr/sbin/l_getauth",
                "/usr/lib/lustre/lnet_debug_log_upcall",
            ]),
            places: all(&["/tmp/", "/var/log/", "/var/tmp/", "/var/lib/lustre/"]),
        }
    }
}

/// Judges assignments.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    catalogue: &'a Catalogue,
    topology: Option<&'a Topology>,
    stored: &'a dyn Stored,
    policy: Option<&'a Policy>,
}

impl std::fmt::Debug for Judge<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// A name that was understood.
struct Found<'a> {
    /// What it sets; never empty.
    hits: Vec<&'a Tunable>,
    name: String,
    value: String,
    canonical: String,
    notes: Vec<Note>,
}

impl<'a> Judge<'a> {
    /// Against the catalogue alone.
    pub fn new(catalogue: &'a Catalogue) -> Self {
        Judge { catalogue, topology: None, stored: &NothingStored, policy: None }
    }

    /// Against what is registered, too.
    #[must_use]
    pub fn topology(mut self, topology: &'a Topology) -> Self {
        self.topology = Some(topology);
        self
    }

    /// Against the values that are stored, too.
    #[must_use]
    pub fn stored(mut self, stored: &'a dyn Stored) -> Self {
        self.stored = stored;
        self
    }

    /// With another policy than the default.
    #[must_use]
    pub fn policy(mut self, policy: &'a Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// The checks that are left out for want of a topology, one a line.
    pub fn skipped(&self) -> &'static [&'static str] {
        match self.topology {
            Some(_) => &[],
            None => &[
                "bad-device: whether file systems, targets and nodemaps are registered",
                "too-new: whether a registered target is too old for a name",
            ],
        }
    }

    /// Judges one assignment. The same question has the same answer, in whatever order targets were added.
    pub fn judge(&self, assignment: &Assignment) -> Verdict {
        let default;
        let policy = match self.policy {
            Some(policy) => policy,
            None => {
                default = Policy::default();
                &default
            }
        };
        let spelled = canonical(assignment.syntax, assignment.name());
        let (found, finding) = match self.find(assignment, policy) {
            Err(finding) => (None, Some(finding)),
            Ok(mut found) => {
                let finding = self.examine(assignment, &mut found, policy).err();
                (Some(found), finding)
            }
        };
        let mut tunables: Vec<String> = found.iter().flat_map(|f| &f.hits).map(|t| t.id.clone()).collect();
        tunables.sort_unstable();
        let mut notes = found.map(|f| f.notes).unwrap_or_default();
        notes.sort_by_key(|note| note.class);
        let Some(mut finding) = finding else {
            // Runtime limits and udev are the rule, not the exception: notes, no warnings.
            let loud = notes.iter().position(|n| n.class < Class::RuntimeLimit).map(|at| notes.remove(at));
            let (severity, class) =
                loud.as_ref().map_or((Severity::Accept, Class::Ok), |n| (Severity::Warn, n.class));
            return Verdict {
                severity,
                class,
                object: spelled.clone(),
                message: loud.map(|n| n.message).unwrap_or_default(),
                allowed: None,
                suggestion: None,
                notes,
                tunables,
                canonical: Some(spelled),
            };
        };
        // A name that is too long cannot be stored, a value may be.
        let hard = finding.class.is_hard() || (finding.class == Class::Length && tunables.is_empty());
        let mut severity = Severity::Refuse;
        let forced = policy.force && finding.class == Class::Unknown;
        if forced {
            // What the catalogue does not know may be a program, too.
            match security::value(None, assignment.value().unwrap_or_default(), policy) {
                Ok(()) => severity = Severity::Warn,
                Err(worse) => finding = worse,
            }
        } else if finding.inferred || (policy.validation == Validation::Warn && !hard) {
            severity = Severity::Warn;
            // Warned of, but stored: so it must not be a program either.
            if let Some(value) = assignment.value()
                && let Err(worse) = self.unsafe_value(&tunables, value, policy)
            {
                (severity, finding) = (Severity::Refuse, worse);
            }
        }
        Verdict {
            severity,
            class: finding.class,
            object: finding.object,
            message: finding.message,
            allowed: finding.allowed,
            suggestion: finding.suggestion,
            notes,
            canonical: (!tunables.is_empty() || severity == Severity::Warn).then_some(spelled),
            tunables,
        }
    }

    fn unsafe_value(&self, tunables: &[String], value: &str, policy: &Policy) -> Result<(), Finding> {
        if tunables.is_empty() {
            return security::value(None, value, policy);
        }
        tunables.iter().try_for_each(|id| security::value(self.catalogue.by_id(id), value, policy))
    }

    /// Understands the name: everything up to `shadowed`.
    fn find(&self, assignment: &Assignment, policy: &Policy) -> Result<Found<'a>, Finding> {
        security::text(assignment)?;
        let Some(value) = assignment.value() else {
            let form = match assignment.syntax {
                Syntax::ConfParam => "lctl conf_param DEVICE.PREFIX.NAME=VALUE",
                _ => "lctl set_param NAME=VALUE",
            };
            return Err(Finding::new(Class::Syntax, &assignment.text, "there is no =")
                .suggest(format!("write {form}")));
        };
        if assignment.name().is_empty() {
            return Err(Finding::new(Class::Syntax, &assignment.text, "there is no name before the =")
                .suggest("write NAME=VALUE"));
        }
        let mut found = match assignment.syntax {
            Syntax::ConfParam => self.conf(assignment.name(), value, policy)?,
            Syntax::SetParamP | Syntax::SetParam => self.set(assignment.syntax, assignment.name(), value)?,
        };
        found.canonical = canonical(assignment.syntax, assignment.name());
        Ok(found)
    }

    /// Judges the value, and what is known of the name.
    fn examine(
        &self,
        assignment: &Assignment,
        found: &mut Found<'a>,
        policy: &Policy,
    ) -> Result<(), Finding> {
        self.registered(assignment, found, policy)?;
        let stores = assignment.syntax.stores();
        let name = found.name.clone();
        let writable: Vec<&Tunable> = found.hits.iter().copied().filter(|t| t.mode != Mode::Ro).collect();
        let Some(first) = writable.first() else {
            let id = found.hits.first().map_or("", |t| &t.id);
            let finding =
                Finding::new(Class::ReadOnly, &name, format!("{id} is read-only: it has no store function"));
            return Err(match found.hits.first() {
                Some(t) if t.component.as_deref() == Some("nodemap") => {
                    finding.suggest("use lctl nodemap_modify")
                }
                _ => finding.suggest("look for the setting that it follows from"),
            });
        };
        if stores {
            let lost: Vec<_> = writable.iter().filter_map(|t| Some((*t, t.not_stored()?))).collect();
            let verified = |t: &Tunable| t.confidence == Confidence::Verified;
            let shown_first = lost.iter().find(|(t, _)| verified(t)).or(lost.first());
            if let Some((t, why)) = shown_first {
                let mut finding = Finding::new(Class::NotPersistent, &name, format!("{} {why}", t.id));
                finding.inferred = !lost.iter().any(|(t, _)| verified(t));
                return Err(finding.suggest(instead(t, found)));
            }
        }
        if found.value.is_empty() {
            let finding = Finding::new(Class::Empty, &name, "there is no value");
            let delete = format!(
                "to go back to the default: {} -d {}",
                assignment.syntax.command(),
                assignment.name()
            );
            return Err(if stores { finding.suggest(delete) } else { finding.suggest("write a value") });
        }
        found.hits.clone_from(&writable);
        let mut findings = Vec::new();
        let mut notes = Vec::new();
        for tunable in &writable {
            match value::check(self.catalogue, tunable, &found.value) {
                Ok(more) => notes.extend(more),
                Err(mut finding) => {
                    finding.inferred = tunable.confidence == Confidence::Inferred;
                    findings.push(finding);
                }
            }
        }
        findings.sort_by_key(|f| (f.inferred, f.class));
        let worst = findings.into_iter().next();
        if let Some(finding) = worst {
            return Err(finding);
        }
        self.service(found)?;
        for tunable in &writable {
            security::value(Some(tunable), &found.value, policy)?;
        }
        for tunable in &writable {
            notes.extend(self.notes(assignment.syntax, tunable));
        }
        let (canonical, value) = (found.canonical.clone(), found.value.clone());
        notes.extend(conflict::check(self.catalogue, first, &canonical, &value, self.stored));
        notes.extend(self.too_new(assignment, &writable));
        for note in notes {
            if !found.notes.contains(&note) {
                found.notes.push(note);
            }
        }
        Ok(())
    }

    /// What is worth to know of a tunable, whatever its value.
    fn notes(&self, syntax: Syntax, tunable: &Tunable) -> Vec<Note> {
        let mut notes = Vec::new();
        let mut note = |class, message: String| notes.push(Note { class, message });
        let id = &tunable.id;
        if let Some(replacement) = &tunable.deprecated {
            note(Class::Deprecated, format!("{id} is deprecated: write {replacement}"));
        }
        if let Some(until) = &tunable.until {
            note(Class::Deprecated, format!("{id} goes away with release {until}"));
        }
        if syntax.stores() {
            match (tunable.kind, tunable.persist) {
                (Kind::Debug, _) => note(Class::Discouraged, format!("{id} injects faults or stops nodes")),
                (Kind::State, _) => {
                    note(Class::Discouraged, format!("{id} is a state of the node, written for repair"))
                }
                (_, Persist::Discouraged) => {
                    note(
                        Class::Discouraged,
                        format!(
                            "{id} has a better way to last: {}",
                            tunable.note.as_deref().unwrap_or("see lctl")
                        ),
                    );
                }
                _ => {}
            }
            if let Some(limit) = &tunable.runtime_limit {
                note(Class::RuntimeLimit, format!("{id} is limited on the node: {limit}"));
            }
            if syntax == Syntax::ConfParam && tunable.conf_via.as_deref() == Some("uevent") {
                note(Class::Uevent, format!("{id} is applied through udev and lctl on each node"));
            }
        }
        notes
    }

    /// `orr` and `trr` sort by object: only the service for bulk I/O has objects.
    fn service(&self, found: &Found<'_>) -> Result<(), Finding> {
        let name = found.hits.first().map_or("", |t| &t.name);
        let word = found.value.split_whitespace().next().unwrap_or_default();
        let sorts = (name == "nrs_policies" && matches!(word, "orr" | "trr"))
            || name.starts_with("nrs_orr_")
            || name.starts_with("nrs_trr_");
        let segments = crate::pattern::segments(&found.name);
        let service = segments.iter().rev().nth(1).map_or("", String::as_str);
        if sorts && service != "ost_io" {
            let message = format!("{word:?} works in the service ost_io only, not in {:?}", shown(service));
            let write = format!("write ost.OSS.ost_io.{name}={}", found.value);
            return Err(Finding::new(Class::WrongService, &found.name, message).suggest(write));
        }
        Ok(())
    }
}

/// What to do instead of storing it.
fn instead(tunable: &Tunable, found: &Found<'_>) -> String {
    let component = tunable.component.as_deref().unwrap_or_default();
    match (tunable.kind, tunable.persist) {
        (_, Persist::Modprobe) => {
            let module = component.strip_prefix("module.").unwrap_or(component);
            format!(
                "write 'options {module} {}={}' into a file of /etc/modprobe.d",
                tunable.name, found.value
            )
        }
        (_, Persist::Ioctl) => {
            format!(
                "use lctl nodemap_modify --name NODEMAP --property {} --value {}",
                tunable.name, found.value
            )
        }
        (Kind::Downcall, _) => "leave it to the helper programs".to_owned(),
        _ => format!(
            "run lctl set_param {}={} on the node, without -P",
            tunable.path.as_deref().map_or_else(|| found.name.clone(), conf::with_stars),
            found.value
        ),
    }
}
