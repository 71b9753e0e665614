//! An assignment as it was typed.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::device::TargetId;
use crate::prefix::{Needs, prefix};

/// Longest assignment (`tunables/README.md` section 2).
pub const MAX_ASSIGNMENT: usize = 4096;

/// In which command's spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Syntax {
    /// `lctl conf_param`.
    #[serde(rename = "conf_param")]
    ConfParam,
    /// `lctl set_param -P`: stored, applied by every node that matches.
    #[serde(rename = "set_param-P")]
    SetParamP,
    /// `lctl set_param` on the node itself; nothing is stored.
    #[serde(rename = "set_param")]
    SetParam,
}

impl Syntax {
    /// As in the first column of a list.
    pub fn label(self) -> &'static str {
        match self {
            Syntax::ConfParam => "conf_param",
            Syntax::SetParamP => "set_param-P",
            Syntax::SetParam => "set_param",
        }
    }

    /// The command.
    pub fn command(self) -> &'static str {
        match self {
            Syntax::ConfParam => "lctl conf_param",
            Syntax::SetParamP => "lctl set_param -P",
            Syntax::SetParam => "lctl set_param",
        }
    }

    /// Whether the MGS keeps it.
    pub fn stores(self) -> bool {
        self != Syntax::SetParam
    }
}

impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl FromStr for Syntax {
    type Err = BadLine;

    fn from_str(text: &str) -> Result<Self, BadLine> {
        match text {
            "conf_param" => Ok(Syntax::ConfParam),
            "set_param-P" | "set_param -P" => Ok(Syntax::SetParamP),
            "set_param" => Ok(Syntax::SetParam),
            other => Err(BadLine::Syntax(shown(other))),
        }
    }
}

/// An assignment: everything after the first `=` is the value, blanks included.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Assignment {
    /// Whose spelling.
    pub syntax: Syntax,
    /// `name=value`, as typed.
    #[serde(rename = "assignment")]
    pub text: String,
}

impl Assignment {
    /// From its two parts.
    pub fn new(syntax: Syntax, text: impl Into<String>) -> Self {
        Assignment { syntax, text: text.into() }
    }

    /// A parameter that arrives inside a registration (`mkfs.lustre --param`): the same names as conf_param without the
    /// device, which is the target or, where the prefix needs one, its file system.
    ///
    /// `mgsnode=`, `network=` and `failover.mode=` are part of the target itself and no settings: they do not belong here.
    /// While the target is not in the topology yet, judge with [`crate::Policy::unregistered_targets`].
    pub fn of_registration(fs: &str, target: TargetId, param: &str) -> Self {
        let needs = param.split('.').next().and_then(prefix).map(|p| p.needs);
        let device = match needs {
            Some(Needs::FileSystem | Needs::Any) => fs.to_owned(),
            _ => format!("{fs}-{target}"),
        };
        Assignment::new(Syntax::ConfParam, format!("{device}.{param}"))
    }

    /// What stands before the first `=`.
    pub fn name(&self) -> &str {
        self.text.split_once('=').map_or(&self.text, |(name, _)| name)
    }

    /// What stands after the first `=`.
    pub fn value(&self) -> Option<&str> {
        self.text.split_once('=').map(|(_, value)| value)
    }
}

/// A line of a list that is no assignment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// No tab.
    #[error("{0:?} has no tab: a line is conf_param, set_param-P or set_param, a tab, and the assignment")]
    NoTab(String),
    /// Unknown first column.
    #[error("{0:?} is no syntax: the first column is conf_param, set_param-P or set_param")]
    Syntax(String),
    /// No UTF-8.
    #[error("is not UTF-8 text")]
    Encoding,
}

/// A text for an error message: short, one line.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let mut short: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short.replace("\\'", "'").replace("\\\"", "\"")
}

/// One line of a list: `syntax TAB assignment`, more columns are left out. None for blank lines and comments (`#`).
///
/// # Errors
/// A line that is something else.
pub fn parse_line(line: &[u8]) -> Result<Option<Assignment>, BadLine> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.iter().all(u8::is_ascii_whitespace) || line.starts_with(b"#") {
        return Ok(None);
    }
    let line = std::str::from_utf8(line).map_err(|_| BadLine::Encoding)?;
    let (syntax, rest) = line.split_once('\t').ok_or_else(|| BadLine::NoTab(shown(line)))?;
    let text = rest.split('\t').next().unwrap_or_default();
    Ok(Some(Assignment::new(syntax.parse()?, text)))
}

/// A list of assignments, with line numbers from 1.
pub fn parse_list(text: &[u8]) -> impl Iterator<Item = (usize, Result<Assignment, BadLine>)> {
    let lines = text.split(|b| *b == b'\n').enumerate();
    lines.filter_map(|(at, line)| parse_line(line).transpose().map(|parsed| (at + 1, parsed)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn registrations_name_the_device_that_fits() {
        let text = |param| Assignment::of_registration("fs", TargetId::parse("OST0001").unwrap(), param).text;
        assert_eq!(text("ost.brw_size=4"), "fs-OST0001.ost.brw_size=4");
        assert_eq!(text("sys.timeout=20"), "fs.sys.timeout=20");
        assert_eq!(text("llite.fast_read=1"), "fs.llite.fast_read=1");
        assert_eq!(text("failover.node=10.0.0.1@tcp"), "fs-OST0001.failover.node=10.0.0.1@tcp");
        assert_eq!(text("nosuch"), "fs-OST0001.nosuch");
    }

    #[test]
    fn lists() {
        let text = b"# a comment\n\nconf_param\tfs.sys.timeout=1\tids\r\nset_param -P\tdebug=+x y\nset_param\n\xff\tx\nfoo\tx=1\n";
        let list: Vec<_> = parse_list(text).collect();
        assert_eq!(list[0], (3, Ok(Assignment::new(Syntax::ConfParam, "fs.sys.timeout=1"))));
        assert_eq!(list[1], (4, Ok(Assignment::new(Syntax::SetParamP, "debug=+x y"))));
        assert_eq!(list[2].1, Err(BadLine::NoTab("set_param".to_owned())));
        assert_eq!(list[3], (6, Err(BadLine::Encoding)));
        assert_eq!(list[4].1, Err(BadLine::Syntax("foo".to_owned())));
        assert_eq!(list.len(), 5);
    }
}
