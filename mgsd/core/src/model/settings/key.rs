//! Keys of settings.
//!
//! ```text
//! param/policy
//! param/<fs>/all/<name>   param/<fs>/OST0000/<name>
//! param/params/<path>                                  no file system may be called params
//! fs/<fs>/pools
//! ```
//! In names everything but letters, digits and `_-.@:*?[]!^{},+<>` is written as `%` and two hex digits.

use crate::model::conf_param::Scope;
use crate::model::names::TargetId;

/// A key of settings, taken apart; names as they are written in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingKey<'a> {
    /// `param/policy`
    Policy,
    /// `param/<fs>/<all|OST0000>/<name>`
    Conf(&'a str, &'a str, &'a str),
    /// `param/params/<path>`
    Set(&'a str),
    /// `fs/<fs>/pools`
    Pools(&'a str),
}

impl std::fmt::Display for SettingKey<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Policy => f.write_str("param/policy"),
            Self::Conf(fs, scope, name) => write!(f, "param/{fs}/{scope}/{name}"),
            Self::Set(path) => write!(f, "param/params/{path}"),
            Self::Pools(fs) => write!(f, "fs/{fs}/pools"),
        }
    }
}

impl<'a> SettingKey<'a> {
    /// What stands behind `param/`.
    pub(in crate::model) fn parse(
        second: &'a str,
        third: Option<&'a str>,
        fourth: Option<&'a str>,
    ) -> Option<Self> {
        match (second, third, fourth) {
            ("policy", None, None) => Some(Self::Policy),
            ("params", Some(path), None) => Some(Self::Set(path)),
            (fs, Some(scope), Some(name)) if fs != "params" => Some(Self::Conf(fs, scope, name)),
            _ => None,
        }
    }
}

const ALL: &str = "all";

pub(super) fn conf(fs: &str, scope: Scope, name: &str) -> String {
    let scope = match scope {
        Scope::Fs => ALL.to_owned(),
        Scope::Target(id) => id.to_string(),
    };
    SettingKey::Conf(fs, &scope, &escape(name)).to_string()
}

pub(super) fn set(path: &str) -> String {
    SettingKey::Set(&escape(path)).to_string()
}

pub(super) fn scope(text: &str) -> Result<Scope, String> {
    if text == ALL {
        return Ok(Scope::Fs);
    }
    let id = TargetId::parse(text).filter(|id| id.to_string() == text);
    id.map(Scope::Target).ok_or_else(|| format!("'{text}' is neither all nor a target"))
}

fn plain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"_-.@:*?[]!^{},+<>".contains(&b)
}

fn escape(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for b in name.bytes() {
        if plain(b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02x}"));
        }
    }
    out
}

pub(super) fn unescape(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once('%') {
        bytes.extend(head.as_bytes());
        let (hex, tail) = tail.split_at_checked(2).ok_or("its name ends within an escape")?;
        bytes.push(u8::from_str_radix(hex, 16).map_err(|_| "its name has a bad escape")?);
        rest = tail;
    }
    bytes.extend(rest.as_bytes());
    let name = String::from_utf8(bytes).map_err(|_| "its name is not UTF-8")?;
    if escape(&name) == text { Ok(name) } else { Err("its name is not written as we write it".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::keys::Key;

    #[test]
    fn names_round_trip_whatever_is_in_them() {
        for name in ["osc.max_dirty_mb", "a/b", "100%", "ünï", " ", "", "osc.{a,b}*.x[0-3]"] {
            let key = conf("testfs", Scope::Target(TargetId::ost(26)), name);
            assert_eq!(key.split('/').count(), 4, "{key}");
            let Some(Key::Setting(SettingKey::Conf(fs, target, written))) = Key::parse(&key) else {
                unreachable!("{key}")
            };
            assert_eq!((fs, unescape(written)), ("testfs", Ok(name.to_owned())));
            assert_eq!(scope(target), Ok(Scope::Target(TargetId::ost(26))));
            let key = set(name);
            assert_eq!(Key::parse(&key).map(|k| matches!(k, Key::Setting(SettingKey::Set(_)))), Some(true));
        }
        assert_eq!(scope("all"), Ok(Scope::Fs));
        for bad in ["%", "%4", "%zz", "%41", "%2F", "%ff"] {
            assert!(unescape(bad).is_err(), "{bad}");
        }
        for bad in ["OST1", "x", "OST00001"] {
            assert!(scope(bad).is_err(), "{bad}");
        }
    }
}
