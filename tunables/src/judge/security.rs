//! What no policy lets pass: characters, programs, places.

use crate::assignment::{Assignment, MAX_ASSIGNMENT, shown};
use crate::entry::{Tunable, Type};
use crate::verdict::{Class, Finding};

use super::Policy;

/// Characters of a shell. No value of any tunable needs them.
const SHELL: &[char] = &['`', '$', ';', '|', '\\', '"', '\'', '#', '~', '(', ')'];
/// These, too, but rules of TBF and PCC are written with them.
const RULES: &[char] = &['&', '<', '>', '{', '}'];

/// The assignment as a text, before anything is understood.
pub(crate) fn text(assignment: &Assignment) -> Result<(), Finding> {
    let text = &assignment.text;
    if text.len() > MAX_ASSIGNMENT {
        let message = format!("the assignment has {} characters", text.len());
        return Err(Finding::new(Class::Length, text, message).allowed(format!("at most {MAX_ASSIGNMENT}")));
    }
    if let Some(c) = text.chars().find(|c| c.is_control()) {
        let message = format!("has the control character {:?}", c.escape_unicode().to_string());
        return Err(Finding::new(Class::Unsafe, text, message).suggest("type it again by hand"));
    }
    if let Some(c) = text.chars().find(|c| !c.is_ascii()) {
        let message = format!("has {c:?} ({}), which may look like another character", c.escape_unicode());
        let finding = Finding::new(Class::Unsafe, text, message).allowed("ASCII");
        return Err(finding.suggest("type it again by hand"));
    }
    let fits = |c: &char| c.is_ascii_alphanumeric() || "_.-@:*?[]!^{},/+<>".contains(*c);
    if let Some(c) = assignment.name().chars().find(|c| !fits(c)) {
        let message = format!("the name {:?} has {c:?}", shown(assignment.name()));
        let finding = Finding::new(Class::Unsafe, assignment.name(), message);
        return Err(finding.allowed("letters, digits, _ . - @ : / and the wildcards * ? [ ] { }"));
    }
    Ok(())
}

/// A value that is about to be accepted. `tunable` is none for a name that the catalogue does not know.
pub(crate) fn value(tunable: Option<&Tunable>, value: &str, policy: &Policy) -> Result<(), Finding> {
    let rules = tunable.is_some_and(|t| matches!(t.grammar.as_deref(), Some("tbf_rule" | "pcc_command")));
    let bad = |c: &char| SHELL.contains(c) || (!rules && RULES.contains(c));
    if let Some(c) = value.chars().find(bad) {
        let message = format!("the value {:?} has {c:?}, a character of the shell", shown(value));
        return Err(Finding::new(Class::Unsafe, value, message).suggest("leave it out: no tunable needs it"));
    }
    if rules {
        if value.split_whitespace().any(|word| word.starts_with("hsmtool=") && word.contains('/')) {
            let message = format!("{:?} names a program by its path", shown(value));
            return Err(Finding::new(Class::Upcall, value, message).allowed("the name of an HSM tool"));
        }
        return Ok(());
    }
    if value.starts_with('/') && value.split('/').any(|part| part == "..") {
        let message = format!("the path {:?} goes up with ..", shown(value));
        return Err(Finding::new(Class::Unsafe, value, message).allowed("a path without .."));
    }
    let runs = tunable.is_none_or(is_upcall);
    if value.starts_with('/') && runs {
        if policy.executables.iter().any(|allowed| allowed == value) {
            return Ok(());
        }
        let what =
            if tunable.is_some() { "would be run as root on the nodes" } else { "may be run by the nodes" };
        let message = format!("{:?} {what}, and is not in the list of allowed programs", shown(value));
        let finding = Finding::new(Class::Upcall, value, message).allowed(policy.executables.join(", "));
        return Err(finding.suggest(format!("root allows it with 'mgsctl param allow {}'", shown(value))));
    }
    if value.starts_with('/') && tunable.is_some_and(is_written) {
        let inside = |place: &String| value.strip_prefix(place.as_str()).is_some_and(|rest| !rest.is_empty());
        if !policy.places.iter().any(inside) {
            let message =
                format!("{:?} would be written by the kernel, outside of the allowed places", shown(value));
            return Err(Finding::new(Class::Upcall, value, message).allowed(policy.places.join("…, ") + "…"));
        }
    }
    Ok(())
}

/// A program that the node runs.
pub(crate) fn is_upcall(tunable: &Tunable) -> bool {
    tunable.name.contains("upcall") && matches!(tunable.value, Type::Path | Type::String)
}

/// A file that the node writes.
fn is_written(tunable: &Tunable) -> bool {
    matches!(tunable.id.as_str(), "global.debug_path" | "global.daemon_file" | "global.dump_kernel")
}
