//! Names: file systems, targets, logs, and what is derived from them (mgs/03).

use crate::{Errno, error::Error};
use serde::{Deserialize, Serialize};
use std::fmt;
use wire::Nid;

/// What a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TargetKind {
    /// Metadata target.
    Mdt,
    /// Object storage target.
    Ost,
}

impl TargetKind {
    /// `MDT` or `OST`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mdt => "MDT",
            Self::Ost => "OST",
        }
    }
    /// `mne_type` of the NID table.
    pub const fn wire(self) -> u8 {
        match self {
            Self::Mdt => 1,
            Self::Ost => 2,
        }
    }
}

/// Kind and index: the key of a target within its file system. MDTs sort before OSTs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TargetId {
    /// MDT or OST.
    pub kind: TargetKind,
    /// 0..=65534.
    pub index: u32,
}

/// Largest index a target may have; 65535 is reserved.
pub const MAX_INDEX: u32 = 65534;

impl TargetId {
    /// MDT with an index.
    pub const fn mdt(index: u32) -> Self {
        Self { kind: TargetKind::Mdt, index }
    }
    /// OST with an index.
    pub const fn ost(index: u32) -> Self {
        Self { kind: TargetKind::Ost, index }
    }
    /// As the judge of parameters names it.
    pub fn judged(self) -> tunables::TargetId {
        let kind = match self.kind {
            TargetKind::Mdt => tunables::TargetKind::Mdt,
            TargetKind::Ost => tunables::TargetKind::Ost,
        };
        tunables::TargetId { kind, index: u16::try_from(self.index).unwrap_or(u16::MAX) }
    }
    /// `FS-OST0001`.
    pub fn svname(&self, fs: &str) -> String {
        format!("{fs}-{self}")
    }
    /// Takes `FS-OST0001` apart.
    pub fn parse_svname(name: &str) -> Option<(&str, Self)> {
        let (fs, id) = name.rsplit_once('-')?;
        Some((fs, Self::parse(id)?))
    }
    /// Parses `OST0001` (up to four hex digits).
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, hex) = text.split_at_checked(3)?;
        let kind = match kind {
            "MDT" => TargetKind::Mdt,
            "OST" => TargetKind::Ost,
            _ => return None,
        };
        if hex.is_empty() || hex.len() > 4 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        u32::from_str_radix(hex, 16).ok().map(|index| Self { kind, index })
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:04x}", self.kind.as_str(), self.index)
    }
}

/// Names that the MGS itself uses for logs and tables; a file system of that name would share their locks.
const RESERVED: [&str; 4] = ["params", "nodemap", "sptlrpc", "_mgs"];

/// Checks the name of a file system: 1 to 8 of letters, digits, `_`, `-`, and not one of the MGS's own.
pub fn check_fsname(fs: &str) -> Result<(), Error> {
    let refuse = |what: &str| {
        Err(Error::refused(
            format!("file system '{}'", fs.escape_default()),
            Errno::EINVAL,
            what,
            "a name has 1 to 8 letters, digits, '_' or '-' and is not params, nodemap, sptlrpc or _mgs",
        ))
    };
    if fs.is_empty() || fs.len() > 8 {
        return refuse("name is empty or longer than 8 characters");
    }
    if !fs.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') || fs.starts_with('-') {
        return refuse("name has a character that is not allowed");
    }
    if RESERVED.contains(&fs) {
        return refuse("name is reserved for the MGS itself");
    }
    Ok(())
}

/// The base name of a log, which names its lock: everything before the last `-`, or all of it.
pub fn log_base(log: &str) -> &str {
    log.rsplit_once('-').map_or(log, |(base, _)| base)
}

/// A log of a file system: its last `-` stands behind the name. Backups (`….bak`) belong to nobody.
pub fn is_log_of(fs: &str, log: &str) -> bool {
    log.contains('-') && log_base(log) == fs && !log.ends_with(super::edits::BACKUP) && !is_next(log)
}

/// Ending of the newer generation of a log (`model::generation`). No node can open it by this name.
const NEXT: &str = "@next";

/// Where the newer generation of a log stands.
pub fn next_of(log: &str) -> String {
    format!("{log}{NEXT}")
}
/// Whether this is a newer generation, and no log of its own.
pub fn is_next(log: &str) -> bool {
    log.ends_with(NEXT)
}
/// The log of which this is a generation.
pub fn log_of(name: &str) -> &str {
    name.strip_suffix(NEXT).unwrap_or(name)
}

/// `FS-client`.
pub fn client_log(fs: &str) -> String {
    format!("{fs}-client")
}

/// Node UUID made from the first NID of a node: its text, or the last 39 characters of it.
pub fn node_uuid(nid: &Nid) -> String {
    let text = nid.to_string();
    if text.len() < 40 {
        return text;
    }
    let cut = text.len() - 39;
    text.get(cut..).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_names_follow_the_kernel() {
        assert_eq!(TargetId::ost(10).svname("testfs"), "testfs-OST000a");
        assert_eq!(TargetId::parse("MDT0001"), Some(TargetId::mdt(1)));
        assert_eq!(TargetId::parse("OSTffff"), Some(TargetId::ost(65535)));
        for bad in ["OST", "OST00001", "OST00g1", "MGS0000", "", "ÖST0"] {
            assert_eq!(TargetId::parse(bad), None, "{bad}");
        }
        assert!(TargetId::mdt(9) < TargetId::ost(0));
    }

    #[test]
    fn file_system_names_are_checked() {
        for good in ["a", "testfs", "lu-0", "A_b-C123"] {
            assert!(check_fsname(good).is_ok(), "{good}");
        }
        for bad in ["", "ninechars", "a b", "a/b", "params", "nodemap", "_mgs", "-x", "é"] {
            assert_eq!(check_fsname(bad).map_err(|e| e.errno()), Err(Errno::EINVAL), "{bad}");
        }
    }

    #[test]
    fn log_names_give_their_lock() {
        assert_eq!(log_base("lustre-client"), "lustre");
        assert_eq!(log_base("lu-0-MDT0000"), "lu-0");
        assert_eq!(log_base("params"), "params");
    }

    #[test]
    fn long_node_names_keep_their_end() {
        let nid: Nid = "fd00:1234:5678:9abc:def0:1234:5678:9abc@tcp999".parse().unwrap();
        let uuid = node_uuid(&nid);
        assert_eq!(uuid.len(), 39);
        assert!(nid.to_string().ends_with(&uuid));
    }
}
