//! Problem document: the one way in which the API says no.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Media type of a [`Problem`] (RFC 9457).
pub const PROBLEM_CONTENT_TYPE: &str = "application/problem+json";

/// Known names that a hint lists; a site with hundreds of targets gets the first ones and a count.
const NAMES_IN_HINT: usize = 16;

/// A refusal or failure (RFC 9457), with four members of ours: which object, what is wrong with it, what is allowed, and
/// what to do next.
///
/// ```text
/// { "type": "urn:mgsd:unknown-name", "title": "no such object", "status": 404, "object": "fs \"tesfs\"",
///   "detail": "no file system of this name", "hint": "known: testfs, scratch" }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Stable word for programs.
    #[serde(rename = "type")]
    pub kind: ProblemKind,
    /// The same for people; equal for all problems of a type.
    #[schema(value_type = String)]
    pub title: Box<str>,
    /// HTTP status.
    pub status: u16,
    /// What it is about, such as `fs "tesfs"`.
    pub object: String,
    /// What is wrong.
    pub detail: String,
    /// What would be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub allowed: Option<Box<str>>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub hint: Option<Box<str>>,
    /// What a kernel MGS answers in this case, by name (`ENOENT`); none where it has no such case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub errno: Option<Box<str>>,
}

/// Types of problems, by blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum ProblemKind {
    /// The request cannot be understood. 400.
    #[serde(rename = "urn:mgsd:malformed")]
    Malformed,
    /// The named object does not exist. 404.
    #[serde(rename = "urn:mgsd:unknown-name")]
    UnknownName,
    /// No such path in the API. 404.
    #[serde(rename = "urn:mgsd:unknown-route")]
    UnknownRoute,
    /// The path does not take this method. 405.
    #[serde(rename = "urn:mgsd:method")]
    Method,
    /// Understood, and refused by a rule. 409.
    #[serde(rename = "urn:mgsd:refused")]
    Refused,
    /// Several MGS are served here, and none was chosen. 421.
    #[serde(rename = "urn:mgsd:several-mgs")]
    SeveralMgs,
    /// The request is larger than the API takes. 413.
    #[serde(rename = "urn:mgsd:too-large")]
    TooLarge,
    /// Not now: starting, draining or overloaded; later it may work. 503.
    #[serde(rename = "urn:mgsd:not-now")]
    NotNow,
    /// No answer in time. 504.
    #[serde(rename = "urn:mgsd:timeout")]
    Timeout,
    /// The store failed. 500.
    #[serde(rename = "urn:mgsd:storage")]
    Storage,
    /// A mistake of mgsd. 500.
    #[serde(rename = "urn:mgsd:bug")]
    Bug,
    /// A type that this version does not know.
    #[serde(other, rename = "about:blank")]
    Other,
}

impl ProblemKind {
    /// HTTP status of this type.
    pub fn status(self) -> u16 {
        match self {
            ProblemKind::Malformed => 400,
            ProblemKind::UnknownName | ProblemKind::UnknownRoute => 404,
            ProblemKind::Method => 405,
            ProblemKind::Refused => 409,
            ProblemKind::TooLarge => 413,
            ProblemKind::SeveralMgs => 421,
            ProblemKind::NotNow => 503,
            ProblemKind::Timeout => 504,
            ProblemKind::Storage | ProblemKind::Bug | ProblemKind::Other => 500,
        }
    }

    fn title(self) -> &'static str {
        match self {
            ProblemKind::Malformed => "malformed request",
            ProblemKind::UnknownName => "no such object",
            ProblemKind::UnknownRoute => "no such path",
            ProblemKind::Method => "method not allowed",
            ProblemKind::Refused => "refused",
            ProblemKind::TooLarge => "request too large",
            ProblemKind::SeveralMgs => "several MGS",
            ProblemKind::NotNow => "not now",
            ProblemKind::Timeout => "no answer in time",
            ProblemKind::Storage => "the store failed",
            ProblemKind::Bug => "internal error",
            ProblemKind::Other => "problem",
        }
    }
}

impl Problem {
    /// A problem of a type, about an object.
    pub fn new(kind: ProblemKind, object: impl Into<String>, detail: impl Into<String>) -> Self {
        Problem {
            kind,
            title: kind.title().into(),
            status: kind.status(),
            object: object.into(),
            detail: detail.into(),
            allowed: None,
            hint: None,
            errno: None,
        }
    }

    /// The object `noun "name"` does not exist; the hint lists the names that do.
    pub fn unknown_name<S: AsRef<str>>(noun: &str, name: &str, known: impl IntoIterator<Item = S>) -> Self {
        let mut known: Vec<String> = known.into_iter().map(|name| name.as_ref().to_owned()).collect();
        known.sort_unstable();
        known.dedup();
        let hidden = known.len().saturating_sub(NAMES_IN_HINT);
        known.truncate(NAMES_IN_HINT);
        let hint = match (known.is_empty(), hidden) {
            (true, _) => format!("there is no {noun} yet"),
            (false, 0) => format!("known: {}", known.join(", ")),
            (false, n) => format!("known: {} and {n} more", known.join(", ")),
        };
        Problem::new(ProblemKind::UnknownName, format!("{noun} {name:?}"), format!("no {noun} of this name"))
            .hint(hint)
    }

    /// Adds what would be accepted.
    #[must_use]
    pub fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into().into());
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into().into());
        self
    }
}

impl Problem {
    /// Adds the errno of a kernel MGS.
    #[must_use]
    pub fn errno(mut self, name: Option<&str>) -> Self {
        self.errno = name.map(Into::into);
        self
    }
}

/// One line: object, what is wrong, what is allowed, what to do.
impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.object, self.detail)?;
        if let Some(allowed) = &self.allowed {
            write!(f, "; allowed: {allowed}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_name_lists_what_is_known() {
        let problem = Problem::unknown_name("fs", "tesfs", ["testfs", "scratch"]);
        assert_eq!(problem.to_string(), r#"fs "tesfs": no fs of this name; known: scratch, testfs"#);
        assert_eq!(problem.status, 404);
        let none = Problem::unknown_name("fs", "tesfs", Vec::<String>::new());
        assert_eq!(none.hint.as_deref(), Some("there is no fs yet"));
        let many = Problem::unknown_name("target", "x", (0..20).map(|i| format!("t{i:02}")));
        assert!(many.hint.unwrap().ends_with("t15 and 4 more"));
    }

    #[test]
    fn control_characters_in_a_name_stay_on_one_line() {
        assert_eq!(Problem::unknown_name("fs", "a\nb", ["c"]).to_string().lines().count(), 1);
    }

    #[test]
    fn a_type_of_a_newer_daemon_is_readable() {
        let text =
            r#"{"type":"urn:mgsd:from-the-future","title":"t","status":418,"object":"o","detail":"d"}"#;
        let problem: Problem = serde_json::from_str(text).unwrap();
        assert_eq!((problem.kind, problem.status), (ProblemKind::Other, 418));
    }
}
