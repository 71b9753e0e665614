//! File systems and targets as names have them.

use std::fmt;

/// Longest file system name (`lustre_disk.h: LUSTRE_MAXFSNAME`).
pub const MAX_FSNAME: usize = 8;

/// What a target stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetKind {
    /// Metadata.
    Mdt,
    /// Objects.
    Ost,
}

impl TargetKind {
    /// As in a target name.
    pub fn label(self) -> &'static str {
        match self {
            TargetKind::Mdt => "MDT",
            TargetKind::Ost => "OST",
        }
    }

    /// As in the catalogue's list of nodes.
    pub fn node(self) -> &'static str {
        match self {
            TargetKind::Mdt => "mdt",
            TargetKind::Ost => "ost",
        }
    }
}

/// A target within its file system: `OST0010`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId {
    /// MDT or OST.
    pub kind: TargetKind,
    /// Its index.
    pub index: u16,
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:04x}", self.kind.label(), self.index)
    }
}

impl TargetId {
    /// Reads `OST0010`: four hexadecimal digits exactly.
    pub fn parse(text: &str) -> Option<Self> {
        let (label, digits) = text.split_at_checked(3)?;
        let kind = match label {
            "MDT" => TargetKind::Mdt,
            "OST" => TargetKind::Ost,
            _ => return None,
        };
        let hex = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        Some(TargetId { kind, index: u16::from_str_radix(digits, 16).ok().filter(|_| hex)? })
    }
}

/// What stands before the first dot of a conf_param name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// A whole file system.
    FileSystem(String),
    /// One target of it.
    Target(String, TargetId),
    /// `_mgs`, for security rules of the MGS itself.
    Mgs,
}

impl Device {
    /// The file system.
    pub fn fs(&self) -> Option<&str> {
        match self {
            Device::FileSystem(fs) | Device::Target(fs, _) => Some(fs),
            Device::Mgs => None,
        }
    }

    /// The target.
    pub fn target(&self) -> Option<TargetId> {
        match self {
            Device::Target(_, id) => Some(*id),
            _ => None,
        }
    }

    /// MDT or OST, where it is a target.
    pub fn kind(&self) -> Option<TargetKind> {
        self.target().map(|id| id.kind)
    }

    /// Reads a device. Suffixes that the kernel strips (`-osc`, `-mdc`, `-mdtlov`, `-client`) are stripped.
    ///
    /// # Errors
    /// What is wrong with it, to be read after its name.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "_mgs" {
            return Ok(Device::Mgs);
        }
        if crate::pattern::is_wild(text) {
            return Err("has a wildcard, and conf_param knows none".to_owned());
        }
        if let Some(bad) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))) {
            return Err(format!("has {bad:?}; letters, digits, - and _ are allowed"));
        }
        let whole = text.strip_suffix("-client").or_else(|| text.strip_suffix("-mdtlov")).unwrap_or(text);
        let stripped = whole.strip_suffix("-osc").or_else(|| whole.strip_suffix("-mdc")).unwrap_or(whole);
        for name in [stripped, text] {
            if let Some((fs, id)) = name.rsplit_once('-')
                && let Some(id) = TargetId::parse(id)
            {
                fsname(fs)?;
                return Ok(Device::Target(fs.to_owned(), id));
            }
        }
        if let Some((_, rest)) = text.split_once('-')
            && looks_like_target(rest)
        {
            return Err("looks like a target and is none: it is <file system>-MDT or -OST and four hexadecimal digits"
                .to_owned());
        }
        fsname(whole)?;
        Ok(Device::FileSystem(whole.to_owned()))
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::FileSystem(fs) => f.write_str(fs),
            Device::Target(fs, id) => write!(f, "{fs}-{id}"),
            Device::Mgs => f.write_str("_mgs"),
        }
    }
}

/// Checks a file system name.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn fsname(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.len() > MAX_FSNAME {
        return Err(format!("is too long: a file system name has at most {MAX_FSNAME} characters"));
    }
    if let Some(bad) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))) {
        return Err(format!("has {bad:?}; letters, digits, - and _ are allowed"));
    }
    Ok(())
}

/// `ost0000`, `0ST0000`, `OST12345`, `MTD0000`: meant as a target, and read as something else.
pub(crate) fn looks_like_target(text: &str) -> bool {
    let letters: String = text
        .chars()
        .take(3)
        .map(|c| match c.to_ascii_uppercase() {
            '0' | 'Q' => 'O',
            '5' => 'S',
            '7' | '1' => 'T',
            c => c,
        })
        .collect();
    let rest = text.get(letters.len()..).unwrap_or_default();
    let number = rest.chars().filter(|c| c.is_ascii_hexdigit() || matches!(c, 'O' | 'o' | 'l' | 'I')).count();
    ["MDT", "OST", "MTD", "OTS", "MDS", "OSS"].contains(&letters.as_str()) && number >= 1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn devices() {
        let text = |d: &str| Device::parse(d).map(|d| d.to_string());
        assert_eq!(text("testfs").unwrap(), "testfs");
        assert_eq!(text("testfs-OST00fF").unwrap(), "testfs-OST00ff");
        assert_eq!(text("testfs-OST0000-osc").unwrap(), "testfs-OST0000");
        assert_eq!(text("testfs-MDT0000-mdtlov").unwrap(), "testfs-MDT0000");
        assert_eq!(text("testfs-client").unwrap(), "testfs");
        assert_eq!(text("a-b-MDT0001").unwrap(), "a-b-MDT0001");
        assert_eq!(Device::parse("_mgs"), Ok(Device::Mgs));
        for bad in [
            "",
            "averylongname",
            "testfs-OST12345",
            "testfs-ost0000",
            "testfs-0ST0000",
            "testfs-OST000O",
            "t-OST1",
            "testfs-OST*",
            "tést",
            "a b",
            "testfs-OST00-0",
            "toolongfs-OST0000",
            "a-MDS0000",
            "t-OST+001",
        ] {
            assert!(Device::parse(bad).is_err(), "{bad}");
        }
    }
}
