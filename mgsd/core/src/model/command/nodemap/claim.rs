//! What belongs to one nodemap only: NIDs, banned NIDs, ids of the file system. And its id maps.

use super::{DEFAULT, Did, known, object, other, refused};
use crate::Errno;
use crate::error::Error;
use crate::model::nodemap::range::BadRange;
use crate::model::nodemap::spans::Span;
use crate::model::nodemap::{ID_MAX, Offset, Range};
use crate::model::tx::Tx;
use wire::nodemap::{IdKind, cluster_flags2 as f2};

/// Stands for the nodemap whose NIDs these are (`LUSTRE_NODEMAP_GUESS`).
pub(super) const WHOSE: &str = "?";
/// Most pairs of one edit, and of one kind in one nodemap.
const PAIRS: usize = 1 << 20;
/// Ids below this are those of the system and of nobody; an offset that begins there mixes them up.
const USUAL: u64 = 65_536;

fn parse(text: &str) -> Result<Range, Error> {
    Range::parse(text).map_err(|why| {
        let hint = match why {
            BadRange::Gaps => "add one range for each row",
            _ => "write 10.0.0.[4-6]@tcp, *@o2ib, 10.0.0.4@tcp:10.0.0.6@tcp, or fd00::/64@tcp",
        };
        let object = format!("range '{}'", text.chars().take(64).collect::<String>().escape_default());
        Error::refused(object, Errno::EINVAL, why.to_string(), hint)
    })
}

fn shown(range: &Range) -> String {
    format!("range '{range}'")
}

/// The first that has claimed something of a span.
fn taken(tx: &Tx<'_>, span: Span) -> Option<(Span, String)> {
    tx.claims(span).next().map(|(span, owner)| (span, owner.to_owned()))
}

pub(super) fn add_range(tx: &mut Tx<'_>, name: &str, text: &str) -> Result<Did, Error> {
    let range = parse(text)?;
    let map = other(tx, name, "ranges")?;
    if map.flags2 & f2::GSS != 0 {
        let hint = "switch gssonly_identification off first";
        return refused(name, Errno::EPERM, "tells clients apart by GSS, not by NID", hint);
    }
    if let Some((_, owner)) = taken(tx, range.span(true)) {
        let what = format!("meets NIDs that nodemap '{owner}' bans");
        let hint = format!("take them off with 'mgsctl nodemap unban {owner} RANGE'");
        return Err(Error::refused(shown(&range), Errno::EEXIST, what, hint));
    }
    if let Some((_, owner)) = taken(tx, range.span(false)) {
        let what = format!("overlaps with a range of nodemap '{owner}'");
        let hint = format!("a NID belongs to one nodemap; see 'mgsctl nodemap show {owner}'");
        return Err(Error::refused(shown(&range), Errno::EEXIST, what, hint));
    }
    let mut head = tx.nodemap_head();
    head.last_range += 1;
    let id = checked(name, head.last_range)?;
    tx.set_nodemap_head(head);
    known(tx, name)?.ranges.insert(id, range);
    tx.claim(range.span(false), name);
    Ok(Did::Served)
}

fn checked(name: &str, id: u32) -> Result<u32, Error> {
    match id {
        0..=ID_MAX => Ok(id),
        _ => refused(name, Errno::ENOSPC, "there is no range id left", format!("there are {ID_MAX} in all")),
    }
}

pub(super) fn del_range(tx: &mut Tx<'_>, name: &str, text: &str) -> Result<Did, Error> {
    let range = parse(text)?;
    let map = other(tx, name, "ranges")?;
    let Some(id) = map.ranges.iter().find(|(_, r)| **r == range).map(|(id, _)| id) else {
        return missing(name, &range, "range");
    };
    map.ranges.remove(id);
    let span = range.span(true);
    let inside = map.bans.iter().filter(|(_, ban)| span.holds(&ban.span(true)));
    let inside: Vec<(u32, Span)> = inside.map(|(id, ban)| (id, ban.span(true))).collect();
    for (id, _) in &inside {
        map.bans.remove(*id);
    }
    inside.into_iter().for_each(|(_, span)| tx.release(span));
    tx.release(range.span(false));
    Ok(Did::Served)
}

fn missing(name: &str, range: &Range, what: &str) -> Result<Did, Error> {
    let hint = format!("name one exactly as 'mgsctl nodemap show {name}' does");
    refused(name, Errno::EINVAL, format!("has no {what} '{range}'"), hint)
}

/// The nodemap that `?` means for a range.
fn whose(tx: &Tx<'_>, name: &str, range: &Range) -> String {
    if name != WHOSE {
        return name.to_owned();
    }
    let span = range.span(false);
    let mut around = tx.claims(span).filter(|(s, _)| s.holds(&span));
    around.next().map_or(DEFAULT, |(_, owner)| owner).to_owned()
}

pub(super) fn ban(tx: &mut Tx<'_>, name: &str, text: &str) -> Result<Did, Error> {
    let range = parse(text)?;
    let name = &whose(tx, name, &range);
    let free = name == DEFAULT || known(tx, name)?.flags2 & f2::GSS != 0;
    let span = range.span(false);
    let held = tx.claims(span).find(|(s, _)| s.holds(&span)).map(|(_, owner)| owner.to_owned());
    if free {
        if let Some((_, owner)) = taken(tx, span) {
            let hint = format!("ban them in nodemap '{owner}'");
            let what = format!("meets a range of nodemap '{owner}'");
            return Err(Error::refused(shown(&range), Errno::EINVAL, what, hint));
        }
    } else if held.as_deref() != Some(name) {
        let what = format!("does not lie within one range of nodemap '{name}'");
        let hint = format!("see 'mgsctl nodemap show {name}'; '?' bans where the NIDs belong");
        return Err(Error::refused(shown(&range), Errno::EINVAL, what, hint));
    }
    if let Some((_, owner)) = taken(tx, range.span(true)) {
        let what = format!("overlaps with a banned range of nodemap '{owner}'");
        let hint = format!("see 'mgsctl nodemap show {owner}'");
        return Err(Error::refused(shown(&range), Errno::EEXIST, what, hint));
    }
    let mut head = tx.nodemap_head();
    head.last_ban += 1;
    let id = checked(name, head.last_ban)?;
    tx.set_nodemap_head(head);
    known(tx, name)?.bans.insert(id, range);
    tx.claim(range.span(true), name);
    Ok(Did::Served)
}

pub(super) fn unban(tx: &mut Tx<'_>, name: &str, text: &str) -> Result<Did, Error> {
    let range = parse(text)?;
    let name = &whose(tx, name, &range);
    let map = known(tx, name)?;
    let Some(id) = map.bans.iter().find(|(_, r)| **r == range).map(|(id, _)| id) else {
        return missing(name, &range, "banned range");
    };
    map.bans.remove(id);
    tx.release(range.span(true));
    Ok(Did::Served)
}

/// First id on the client, first id in the file system, how many.
fn pairs(text: &str) -> Result<(u32, u32, u32), Error> {
    let refuse = |errno, what: &str| {
        let object = format!("id map '{}'", text.chars().take(64).collect::<String>().escape_default());
        let hint = "write CLIENT:FS, such as 500:1000, or rows of equal length, such as 500-599:1000-1099";
        Err(Error::refused(object, errno, what, hint))
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| digits)
    };
    let row = |text: &str| {
        let (first, last) = text.split_once('-').map_or((text, None), |(first, last)| (first, Some(last)));
        let first = number(first)?;
        Some((first, last.map_or(Some(None), |last| number(last).map(Some))?))
    };
    let both = text.split_once(':').and_then(|(client, fs)| Some((row(client)?, row(fs)?)));
    let Some(((client, last), (fs, fs_last))) = both else {
        return refuse(Errno::EINVAL, "is no pair of ids, which are numbers up to 4294967295");
    };
    let Some(count) = last.unwrap_or(client).checked_sub(client) else {
        return refuse(Errno::ERANGE, "ends before it begins");
    };
    if fs_last.is_some_and(|last| last.checked_sub(fs) != Some(count)) {
        return refuse(Errno::EINVAL, "has rows of different lengths");
    }
    if fs.checked_add(count).is_none() {
        return refuse(Errno::ERANGE, "ends above the largest id");
    }
    if count as usize >= PAIRS {
        return refuse(Errno::ERANGE, "is longer than 1048576 ids");
    }
    Ok((client, fs, count + 1))
}

pub(super) fn add_idmap(tx: &mut Tx<'_>, name: &str, kind: IdKind, text: &str) -> Result<Did, Error> {
    let (client, fs, count) = pairs(text)?;
    let map = other(tx, name, "id maps")?.idmap_mut(kind);
    if map.len() + count as usize > PAIRS {
        let what = format!("would have more than {PAIRS} {}s", super::kind(kind));
        return refused(name, Errno::ENOSPC, what, "use an offset");
    }
    for (client, fs) in (client..).zip(fs..).take(count as usize) {
        // A pair for one of the two ids makes room; pairs for both do not.
        if map.fs(client).is_some() && map.client(fs).is_some() {
            let what = format!("{} {client} and {fs} are mapped already", super::kind(kind));
            return refused(name, Errno::EEXIST, what, format!("see 'mgsctl nodemap show {name}'"));
        }
        map.insert(client, fs);
    }
    Ok(Did::Served)
}

pub(super) fn del_idmap(tx: &mut Tx<'_>, name: &str, kind: IdKind, text: &str) -> Result<Did, Error> {
    let (client, fs, count) = pairs(text)?;
    let map = other(tx, name, "id maps")?.idmap_mut(kind);
    for (client, fs) in (client..).zip(fs..).take(count as usize) {
        // The kernel looks at the id of the client only, and removes another pair than the one that was named.
        if map.fs(client) != Some(fs) {
            let what = format!("does not map {} {client} to {fs}", super::kind(kind));
            return refused(name, Errno::EINVAL, what, format!("see 'mgsctl nodemap show {name}'"));
        }
        map.remove(client);
    }
    Ok(Did::Served)
}

pub(super) fn add_offset(tx: &mut Tx<'_>, name: &str, start: u64, limit: u64) -> Result<Did, Error> {
    let most = u64::from(u32::MAX);
    let (first, count) = (u32::try_from(start), u32::try_from(limit));
    let fits = start != 0 && limit != 0 && start.checked_add(limit).is_some_and(|end| end < most);
    let (Ok(first), Ok(count), true) = (first, count, fits) else {
        let what = format!("offset {start} with limit {limit} is out of bounds");
        return refused(
            name,
            Errno::EINVAL,
            what,
            format!("neither is 0, and together they stay below {most}"),
        );
    };
    let map = other(tx, name, "offset")?;
    if let Some(old) = map.offset {
        let what = format!("has an offset already, {}+{}", old.start, old.limit);
        let hint = format!("remove it with 'mgsctl nodemap del-offset {name}' first");
        return refused(name, Errno::ERANGE, what, hint);
    }
    let offset = Offset { start: first, limit: count };
    if let Some((span, owner)) = taken(tx, Span::offset(offset)) {
        let what = format!(
            "offset {start}+{limit} overlaps with {}-{}, ids of nodemap '{owner}'",
            span.first, span.last
        );
        return Err(Error::refused(object(name), Errno::ERANGE, what, "take ids that are nobody's"));
    }
    known(tx, name)?.offset = Some(offset);
    tx.claim(Span::offset(offset), name);
    for (what, value) in [("offset", start), ("limit", limit)] {
        if value < USUAL {
            tx.warn(format!("{what} {value} of nodemap '{name}' is below {USUAL}: the ids of nobody are not mapped properly"));
        }
    }
    Ok(Did::Served)
}

pub(super) fn del_offset(tx: &mut Tx<'_>, name: &str) -> Result<Did, Error> {
    let map = other(tx, name, "offset")?;
    let Some(offset) = map.offset.take() else {
        return refused(name, Errno::ENOENT, "has no offset", format!("see 'mgsctl nodemap show {name}'"));
    };
    tx.release(Span::offset(offset));
    Ok(Did::Served)
}
