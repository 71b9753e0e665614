//! Lustre versions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Version of a node: `2.15.4`, or `2.17.57` of the development towards 2.18.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 2.
    pub major: u16,
    /// 15.
    pub minor: u16,
    /// 4; from 50 on a development version of the next minor.
    pub patch: u16,
}

impl Version {
    /// The release whose names it has: a patch of 50 or more belongs to the next minor.
    pub fn release(self) -> (u16, u16) {
        (self.major, if self.patch >= 50 { self.minor.saturating_add(1) } else { self.minor })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Text that is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no Lustre version: expected numbers such as 2.15 or 2.15.4")]
pub struct BadVersion(pub String);

impl FromStr for Version {
    type Err = BadVersion;

    /// What follows the third number (`_37_gabc`, `-1.el8`) is left out.
    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let bad = || BadVersion(text.chars().take(64).collect());
        let mut parts = text.splitn(3, '.');
        let mut number = |optional: bool| match parts.next() {
            None if optional => Ok(0),
            None => Err(bad()),
            Some(part) => {
                let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
                let (digits, rest) = part.split_at(end);
                if !rest.is_empty() && (!optional || rest.starts_with(|c: char| c.is_alphabetic())) {
                    return Err(bad());
                }
                digits.parse().map_err(|_| bad())
            }
        };
        Ok(Version { major: number(false)?, minor: number(false)?, patch: number(true)? })
    }
}

/// First release that has a name: `2.16`, or `<=2.1` when it was in the oldest one looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    /// In the oldest release looked at already.
    pub or_older: bool,
    /// Major and minor.
    pub release: (u16, u16),
}

impl Since {
    /// A node of this version has the name.
    pub fn holds(self, version: Version) -> bool {
        self.or_older || version.release() >= self.release
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let old = if self.or_older { "<=" } else { "" };
        write!(f, "{old}{}.{}", self.release.0, self.release.1)
    }
}

impl<'de> Deserialize<'de> for Since {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let digits = text.strip_prefix("<=");
        let version: Version =
            digits.unwrap_or(&text).parse().map_err(<D::Error as serde::de::Error>::custom)?;
        Ok(Since { or_older: digits.is_some(), release: version.release() })
    }
}

impl Serialize for Since {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn development_versions_have_the_names_of_the_next_release() {
        let since = Since { or_older: false, release: (2, 18) };
        assert!(since.holds("2.17.57".parse().unwrap()));
        assert!(!since.holds("2.17.0".parse().unwrap()));
        assert!(Since { or_older: true, release: (2, 1) }.holds("1.8.9".parse().unwrap()));
    }

    #[test]
    fn versions_as_nodes_write_them() {
        for (text, release) in [("2.15.4_1_gabc", (2, 15)), ("2.12", (2, 12)), ("2.14.0-1.el8", (2, 14))] {
            assert_eq!(text.parse::<Version>().unwrap().release(), release, "{text}");
        }
        for text in ["", "2", "2.", ".1", "two.one", "2.x", "2.99999.1", "2.1.rc1"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
