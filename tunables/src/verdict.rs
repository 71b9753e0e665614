//! What the judge says.

use std::fmt;

use serde::Serialize;

/// What is wrong with an assignment, or worth to know. In the order in which it is tested
/// (`tunables/README.md` section 6), so the least one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Nothing.
    Ok,
    /// No `=`, no name, no device.
    Syntax,
    /// Characters that no name or value has: control, shell, look-alikes of other scripts.
    Unsafe,
    /// File system or target malformed, or not registered.
    BadDevice,
    /// conf_param prefix unknown.
    UnknownPrefix,
    /// May never be set this way.
    Refused,
    /// The prefix does not fit the device.
    WrongTarget,
    /// Existed in earlier releases.
    Removed,
    /// Exists elsewhere.
    WrongComponent,
    /// Exists nowhere.
    Unknown,
    /// conf_param cannot reach it.
    NoConfParam,
    /// conf_param would write another attribute.
    Shadowed,
    /// No store function.
    ReadOnly,
    /// Storing it makes no sense.
    NotPersistent,
    /// No value.
    Empty,
    /// Too short or too long.
    Length,
    /// Wrong syntax or word.
    Value,
    /// Unknown suffix of a size.
    Unit,
    /// Outside of its limits.
    Range,
    /// The service cannot do it.
    WrongService,
    /// Names a program or a place that is not allowed.
    Upcall,
    /// A registered target is too old for it.
    TooNew,
    /// Contradicts another stored value.
    Conflict,
    /// Has a replacement.
    Deprecated,
    /// For repair or fault injection; or the lasting way is another.
    Discouraged,
    /// Outside of the documented range.
    DocumentedRange,
    /// Taken by some nodes, or by chance.
    Lenient,
    /// Limited by what only the node knows.
    RuntimeLimit,
    /// Delivered through udev and lctl: lost on a node without the rule.
    Uevent,
}

impl Class {
    /// As in the last columns of the examples.
    pub fn label(self) -> &'static str {
        match self {
            Class::Ok => "ok",
            Class::Syntax => "syntax",
            Class::Unsafe => "unsafe",
            Class::BadDevice => "bad-device",
            Class::UnknownPrefix => "unknown-prefix",
            Class::Refused => "refused",
            Class::WrongTarget => "wrong-target",
            Class::Removed => "removed",
            Class::WrongComponent => "wrong-component",
            Class::Unknown => "unknown",
            Class::NoConfParam => "no-conf-param",
            Class::Shadowed => "shadowed",
            Class::ReadOnly => "read-only",
            Class::NotPersistent => "not-persistent",
            Class::Empty => "empty",
            Class::Length => "length",
            Class::Value => "value",
            Class::Unit => "unit",
            Class::Range => "range",
            Class::WrongService => "wrong-service",
            Class::Upcall => "upcall",
            Class::TooNew => "too-new",
            Class::Conflict => "conflict",
            Class::Deprecated => "deprecated",
            Class::Discouraged => "discouraged",
            Class::DocumentedRange => "documented-range",
            Class::Lenient => "lenient",
            Class::RuntimeLimit => "runtime-limit",
            Class::Uevent => "uevent",
        }
    }

    /// Refused whatever the policy says: security, or nothing that could be stored.
    pub fn is_hard(self) -> bool {
        matches!(self, Class::Syntax | Class::Unsafe | Class::BadDevice | Class::Refused | Class::Upcall)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// What follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Stored.
    Accept,
    /// Stored, and said.
    Warn,
    /// Not stored.
    Refuse,
}

impl Severity {
    /// One word.
    pub fn label(self) -> &'static str {
        match self {
            Severity::Accept => "accept",
            Severity::Warn => "warn",
            Severity::Refuse => "refuse",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// Something worth to know that changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// What kind.
    pub class: Class,
    /// One line.
    pub message: String,
}

/// The judge's answer. All texts are one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Accept, warn, refuse.
    pub severity: Severity,
    /// What is wrong; [`Class::Ok`] when nothing is.
    pub class: Class,
    /// What it is wrong with: a device, a prefix, a name or a value.
    pub object: String,
    /// What is wrong; empty when nothing is.
    pub message: String,
    /// What is allowed instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// More that is worth to know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// Ids of the tunables that it sets, sorted; empty when the name was not understood.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tunables: Vec<String>,
    /// The one name for it, whichever spelling was typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical: Option<String>,
}

impl Verdict {
    /// Not stored.
    pub fn is_refused(&self) -> bool {
        self.severity == Severity::Refuse
    }
}

impl fmt::Display for Verdict {
    /// One line: what is wrong, what is allowed, what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(allowed) = &self.allowed {
            write!(f, "; allowed: {allowed}")?;
        }
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; {suggestion}")?;
        }
        Ok(())
    }
}

/// One thing found, before the policy is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) class: Class,
    pub(crate) object: String,
    pub(crate) message: String,
    pub(crate) allowed: Option<String>,
    pub(crate) suggestion: Option<String>,
    /// Rests on an entry that was not verified.
    pub(crate) inferred: bool,
}

impl Finding {
    pub(crate) fn new(class: Class, object: &str, message: impl Into<String>) -> Self {
        Finding {
            class,
            object: crate::assignment::shown(object),
            message: message.into(),
            allowed: None,
            suggestion: None,
            inferred: false,
        }
    }

    pub(crate) fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    pub(crate) fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    pub(crate) fn suggest_some(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion.or(self.suggestion);
        self
    }
}
