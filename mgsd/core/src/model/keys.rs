//! The keys of the store, one function each way (design: architecture, section 4).

use super::names::TargetId;
use super::nodemap::PartKey;
use super::rules::RuleKey;
use super::settings::SettingKey;
use super::tx::Changes;
use std::ops::Bound;
use wire::Nid;

/// `meta`.
pub const META: &str = "meta";
/// `pruned`.
pub const PRUNED: &str = "pruned";
/// `connections`.
pub const CONNECTIONS: &str = "connections";

/// Head and segments of every log.
pub const LOGS: &str = "llog/";
/// Everything of every file system.
pub const FILE_SYSTEMS: &str = "fs/";
/// Every commit record.
pub const COMMITS: &str = "commit/";

/// The part of changes whose keys begin with this, without a walk over the rest.
pub fn below<'a>(
    changes: &'a Changes,
    prefix: &'a str,
) -> impl Iterator<Item = (&'a String, &'a Option<Vec<u8>>)> {
    changes
        .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
        .take_while(move |(key, _)| key.starts_with(prefix))
}

/// `nodemap`.
pub const NODEMAPS: &str = "nodemap";

/// A key of ours, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// `meta`
    Meta,
    /// `commit/<seq, 16 hex>`
    Commit(u64),
    /// `fs/<fs>`
    Fs(&'a str),
    /// `fs/<fs>/target/<OST0000>`
    Target(&'a str, TargetId),
    /// `fs/<fs>/nidtbl/<OST0000>`
    NidTbl(&'a str, TargetId),
    /// `registration/…`, and what a file system has of the kind.
    Rule(RuleKey<'a>),
    /// `param/…`, and the pools that a file system waits for.
    Setting(SettingKey<'a>),
    /// `connections`
    Connections,
    /// `pruned`
    Pruned,
    /// `restore/<epoch, 16 hex>`
    Restore(u64),
    /// `restore/<epoch, 16 hex>/<NID>`
    Ahead(u64, Nid),
    /// `nodemap`
    Nodemaps,
    /// `nodemap/<name>`
    Nodemap(&'a str),
    /// `nodemap/<name>/<list>/<n>`
    NodemapPart(PartKey<'a>),
    /// `llog/<log>`
    Log(&'a str),
    /// `llog/<log>/<seq, 16 hex>`
    Segment(&'a str, u64),
}

impl<'a> Key<'a> {
    /// Takes a key apart; `None` for keys that this release does not use.
    pub fn parse(key: &'a str) -> Option<Self> {
        let mut parts = key.split('/');
        let key = match (parts.next()?, parts.next(), parts.next(), parts.next()) {
            ("meta", None, None, None) => Self::Meta,
            ("pruned", None, None, None) => Self::Pruned,
            ("connections", None, None, None) => Self::Connections,
            ("commit", Some(seq), None, None) => Self::Commit(hex(seq)?),
            ("fs", Some(fs), None, None) => Self::Fs(fs),
            ("fs", Some(fs), Some("target"), Some(t)) => Self::Target(fs, TargetId::parse(t)?),
            ("fs", Some(fs), Some("nidtbl"), Some(t)) => Self::NidTbl(fs, TargetId::parse(t)?),
            ("fs", Some(fs), Some("verdict"), Some(t)) => {
                Self::Rule(RuleKey::Verdict(fs, TargetId::parse(t)?))
            }
            ("fs", Some(fs), Some("reserved"), Some(t)) => {
                Self::Rule(RuleKey::Reserved(fs, TargetId::parse(t)?))
            }
            ("fs", Some(fs), Some("writeconf"), None) => Self::Rule(RuleKey::Leave(fs)),
            ("fs", Some(fs), Some("returning"), None) => Self::Rule(RuleKey::Returning(fs)),
            ("registration", Some("default"), None, None) => Self::Rule(RuleKey::Default),
            ("registration", Some("net"), Some(net), None) => Self::Rule(RuleKey::Net(net)),
            ("fs", Some(fs), Some("pools"), None) => Self::Setting(SettingKey::Pools(fs)),
            ("param", Some(second), third, fourth) => {
                Self::Setting(SettingKey::parse(second, third, fourth)?)
            }
            ("restore", Some(epoch), None, None) => Self::Restore(hex(epoch)?),
            ("restore", Some(epoch), Some(nid), None) => Self::Ahead(hex(epoch)?, nid.parse().ok()?),
            ("nodemap", None, None, None) => Self::Nodemaps,
            ("nodemap", Some(name), None, None) => Self::Nodemap(name),
            ("nodemap", Some(name), Some(list), Some(n)) => Self::NodemapPart(PartKey::parse(name, list, n)?),
            ("llog", Some(log), None, None) => Self::Log(log),
            ("llog", Some(log), Some(seq), None) => Self::Segment(log, hex(seq)?),
            _ => return None,
        };
        parts.next().is_none().then_some(key)
    }
}

fn hex(text: &str) -> Option<u64> {
    (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

/// `commit/<seq>`.
pub fn commit(seq: u64) -> String {
    format!("commit/{seq:016x}")
}
/// `fs/<fs>`.
pub fn fs(fs: &str) -> String {
    format!("fs/{fs}")
}
/// `fs/<fs>/target/<id>`.
pub fn target(fs: &str, id: TargetId) -> String {
    format!("fs/{fs}/target/{id}")
}
/// `fs/<fs>/nidtbl/<id>`.
pub fn nidtbl(fs: &str, id: TargetId) -> String {
    format!("fs/{fs}/nidtbl/{id}")
}
/// `restore/<epoch>`.
pub fn restore(epoch: u64) -> String {
    format!("restore/{epoch:016x}")
}
/// `nodemap/<name>`.
pub fn nodemap(name: &str) -> String {
    format!("nodemap/{name}")
}
/// `restore/<epoch>/<NID>`.
pub fn ahead(epoch: u64, nid: Nid) -> String {
    format!("restore/{epoch:016x}/{nid}")
}
/// `llog/<log>`.
pub fn log(log: &str) -> String {
    format!("llog/{log}")
}
/// `llog/<log>/<seq>`.
pub fn segment(log: &str, seq: u64) -> String {
    format!("llog/{log}/{seq:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_round_trip() {
        let id = TargetId::ost(0x1a);
        assert_eq!(Key::parse(CONNECTIONS), Some(Key::Connections));
        assert_eq!(Key::parse(&commit(77)), Some(Key::Commit(77)));
        assert_eq!(Key::parse(&fs("lu-0")), Some(Key::Fs("lu-0")));
        assert_eq!(Key::parse(&target("lu-0", id)), Some(Key::Target("lu-0", id)));
        assert_eq!(Key::parse(&nidtbl("lu-0", id)), Some(Key::NidTbl("lu-0", id)));
        for rule in [
            RuleKey::Default,
            RuleKey::Net("tcp"),
            RuleKey::Verdict("lu-0", id),
            RuleKey::Reserved("lu-0", id),
            RuleKey::Leave("lu-0"),
            RuleKey::Returning("lu-0"),
        ] {
            assert_eq!(Key::parse(&rule.to_string()), Some(Key::Rule(rule)));
        }
        let nid = "10.0.0.9@tcp1".parse().unwrap();
        assert_eq!(Key::parse(&ahead(3, nid)), Some(Key::Ahead(3, nid)));
        assert_eq!(Key::parse(&log("lu-0-client")), Some(Key::Log("lu-0-client")));
        assert_eq!(Key::parse(&segment("params", 9)), Some(Key::Segment("params", 9)));
    }

    #[test]
    fn keys_of_others_are_not_ours() {
        for key in
            ["", "seq", "fs", "fs/a/pool/x", "commit/12", "commit/zzzzzzzzzzzzzzzz", "llog/a/0/0", "meta/x"]
        {
            assert_eq!(Key::parse(key), None, "{key}");
        }
    }
}
