//! Ranges of NIDs as people write them.
//!
//! ```text
//! 10.77.0.4@tcp                  one NID
//! 10.77.0.[4-6]@tcp              addresses in a row; behind a list only full ones: 10.77.[0-3].*@tcp
//! *@o2ib                         a whole network
//! 10.77.0.4@tcp:10.77.0.6@tcp    from, to
//! 10.77.0.0/24@tcp               the same by prefix
//! fd00::/64@tcp                  large NIDs, by prefix only
//! 17@gni  [1-64]@gni             networks with numbers
//! ```

use super::spans::{self, Network, Space, Span};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use wire::Nid;
use wire::nid::{NidAddr, lnd};

/// A range of NIDs: a row of small ones, or a prefix of large ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// From, to.
    Row(Nid, Nid),
    /// Address and bits that count.
    Prefix(Nid, u8),
}

/// What is wrong with a range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRange {
    /// It is none of the forms.
    #[error("is no range of NIDs")]
    Syntax,
    /// The network or an address is not one.
    #[error("{0}")]
    Nid(String),
    /// `10.[1-2].0.[1-2]@tcp`.
    #[error("is not in a row: behind a list of several, every part must be full, as in 10.[1-2].*.*@tcp")]
    Gaps,
    /// `10.0.0.9@tcp:10.0.0.1@tcp`, or two networks.
    #[error("ends before it begins, or on another network")]
    Reversed,
    /// `0@lo`.
    #[error("names the loopback or every network; a NID is on one network")]
    Nobody,
}

impl Range {
    /// What it claims.
    pub fn span(&self, banned: bool) -> Span {
        match self {
            Self::Row(first, last) => {
                Span { last: Span::nid(last, banned).first, ..Span::nid(first, banned) }
            }
            Self::Prefix(nid, bits) => {
                let nid = Span::nid(nid, banned);
                spans::prefix(nid.space, nid.first, u32::from(*bits))
            }
        }
    }

    /// Reads a range.
    ///
    /// # Errors
    /// [`BadRange`].
    pub fn parse(text: &str) -> Result<Self, BadRange> {
        if text.len() > 128 || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(BadRange::Syntax);
        }
        let (address, net) = text.rsplit_once('@').unwrap_or((text, "tcp"));
        let range = if let Some((first, last)) = row(text) {
            Self::Row(first, last)
        } else if let Some((base, bits)) = address.split_once('/').filter(|(base, _)| !base.contains('[')) {
            by_prefix(&format!("{base}@{net}").parse().map_err(bad)?, bits)?
        } else if address.contains(['*', '[']) {
            by_list(address, net)?
        } else {
            let nid: Nid = text.parse().map_err(bad)?;
            if nid.is_large() { Self::Prefix(nid, 128) } else { Self::Row(nid, nid) }
        };
        let (Self::Row(first, _) | Self::Prefix(first, _)) = range;
        if first.is_any() || first.lnd == lnd::LO {
            return Err(BadRange::Nobody);
        }
        if let Self::Row(first, last) = range
            && ((first.lnd, first.net) != (last.lnd, last.net) || first.addr > last.addr)
        {
            return Err(BadRange::Reversed);
        }
        Ok(range)
    }
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn bad(error: wire::Error) -> BadRange {
    BadRange::Nid(error.to_string())
}

/// `A@net:B@net`; large NIDs, which have colons themselves, have no such form.
fn row(text: &str) -> Option<(Nid, Nid)> {
    let small = |text: &str| text.parse::<Nid>().ok().filter(|nid| !nid.is_large());
    text.match_indices(':').find_map(|(at, _)| {
        let (first, last) = (text.get(..at)?, text.get(at + 1..)?);
        Some((small(first)?, small(last)?))
    })
}

/// Prefixes of small addresses are rows: a node never looks for a small NID among the prefixes.
fn by_prefix(base: &Nid, bits: &str) -> Result<Range, BadRange> {
    let digits = !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit());
    let bits: u8 = bits.parse().ok().filter(|_| digits).ok_or(BadRange::Syntax)?;
    match (base.addr, base.ip()) {
        (NidAddr::Large(_), _) if (1..=128).contains(&bits) => Ok(Range::Prefix(*base, bits)),
        (NidAddr::Small(a), Some(_)) if (1..=32).contains(&bits) => {
            let low = u32::MAX.checked_shr(bits.into()).unwrap_or(0);
            let end = |a| Nid { addr: NidAddr::Small(a), ..*base };
            Ok(Range::Row(end(a & !low), end(a | low)))
        }
        _ => Err(BadRange::Syntax),
    }
}

/// `10.77.[0-3].*`, `*`, `[1-64]`.
fn by_list(address: &str, net: &str) -> Result<Range, BadRange> {
    // The network is that of any address on it.
    let on = |address: &str| format!("{address}@{net}").parse::<Nid>();
    let (sample, numbers) = match on("0.0.0.0") {
        Ok(nid) => (nid, false),
        Err(_) => (on("0").map_err(bad)?, true),
    };
    let nid = |a: u32| Nid { addr: NidAddr::Small(a), ..sample };
    if address == "*" {
        return Ok(Range::Row(nid(0), nid(u32::MAX)));
    }
    if numbers {
        let (first, last) = part(address, u32::MAX)?;
        return Ok(Range::Row(nid(first), nid(last)));
    }
    let parts: Vec<&str> = address.split('.').collect();
    if parts.len() != 4 {
        return Err(BadRange::Syntax);
    }
    let (mut first, mut last, mut open) = (0_u32, 0_u32, false);
    for text in parts {
        let (low, high) = part(text, 255)?;
        if open && (low, high) != (0, 255) {
            return Err(BadRange::Gaps);
        }
        open |= low != high;
        (first, last) = (first << 8 | low, last << 8 | high);
    }
    Ok(Range::Row(nid(first), nid(last)))
}

/// `7`, `*`, `[4-6]`.
fn part(text: &str, max: u32) -> Result<(u32, u32), BadRange> {
    if text == "*" {
        return Ok((0, max));
    }
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|n| digits && *n <= max).ok_or(BadRange::Syntax)
    };
    let Some(list) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) else {
        return number(text).map(|n| (n, n));
    };
    if list.contains([',', '/']) {
        return Err(BadRange::Gaps);
    }
    let (low, high) = list.split_once('-').unwrap_or((list, list));
    let (low, high) = (number(low)?, number(high)?);
    if low > high { Err(BadRange::Reversed) } else { Ok((low, high)) }
}

/// Reads back as the same range.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(first, last) if first == last => write!(f, "{first}"),
            Self::Row(first, last) => write!(f, "{first}:{last}"),
            Self::Prefix(nid, bits) => {
                let address = nid.ip().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
                write!(f, "{address}/{bits}@{}", nid.net_name())
            }
        }
    }
}

/// The network of a NID range, for lists.
impl Range {
    /// Its network.
    pub fn network(&self) -> Option<Network> {
        match self.span(false).space {
            Space::Nids(network) | Space::Banned(network) => Some(network),
            Space::Ids => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(text: &str) -> Result<String, BadRange> {
        Range::parse(text).map(|r| r.to_string())
    }

    #[test]
    fn every_form() {
        for (text, read) in [
            ("10.77.0.4@tcp", "10.77.0.4@tcp"),
            ("10.77.0.4", "10.77.0.4@tcp"),
            ("10.77.0.[4-6]@tcp", "10.77.0.4@tcp:10.77.0.6@tcp"),
            ("10.77.[0-3].*@tcp1", "10.77.0.0@tcp1:10.77.3.255@tcp1"),
            ("10.77.[0-3].[0-255]@tcp", "10.77.0.0@tcp:10.77.3.255@tcp"),
            ("*@o2ib", "0.0.0.0@o2ib:255.255.255.255@o2ib"),
            ("10.77.0.4@tcp:10.77.0.6@tcp", "10.77.0.4@tcp:10.77.0.6@tcp"),
            ("10.77.0.4@tcp0:10.77.0.6@tcp", "10.77.0.4@tcp:10.77.0.6@tcp"),
            ("10.77.9.1/16@tcp", "10.77.0.0@tcp:10.77.255.255@tcp"),
            ("10.77.9.1/32@tcp", "10.77.9.1@tcp"),
            ("fd00::/64@tcp", "fd00::/64@tcp"),
            ("fd00::12@tcp5", "fd00::12/128@tcp5"),
            ("17@gni", "17@gni"),
            ("[1-64]@kfi", "1@kfi:64@kfi"),
            ("*@gni2", "0@gni2:4294967295@gni2"),
        ] {
            assert_eq!(ends(text).as_deref(), Ok(read), "{text}");
            assert_eq!(ends(read).as_deref(), Ok(read), "{read}");
        }
    }

    #[test]
    fn what_is_none() {
        for (text, why) in [
            ("", "address must be"),
            ("10.0.0@tcp", "address must be"),
            ("10.0.[1-2].[1-2]@tcp", "not in a row"),
            ("10.0.0.[1,3]@tcp", "not in a row"),
            ("10.0.0.[1-9/2]@tcp", "not in a row"),
            ("10.0.0.[9-1]@tcp", "ends before"),
            ("10.0.0.9@tcp:10.0.0.1@tcp", "ends before"),
            ("10.0.0.1@tcp:10.0.0.9@tcp1", "ends before"),
            ("10.0.0.[1-256]@tcp", "no range"),
            ("10.0.0.0/33@tcp", "no range"),
            ("10.0.0.0/0@tcp", "no range"),
            ("fd00::/129@tcp", "no range"),
            ("fd00::/+9@tcp", "no range"),
            ("10.0.0.1@tcp 10.0.0.2@tcp", "no range"),
            ("*@nosuch", "unknown network"),
            ("*@*", "unknown network"),
            ("0@lo", "loopback"),
            ("<?>", "loopback"),
        ] {
            let error = Range::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(Range::parse(&"[".repeat(1000)).is_err());
    }
}
