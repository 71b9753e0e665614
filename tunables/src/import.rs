//! Assignments from what Lustre's own tools print: `lctl llog_print`, files of `set_param -F`, `lctl get_param`.

use std::collections::BTreeSet;

use crate::assignment::{Assignment, Syntax, shown};
use crate::catalogue::Catalogue;
use crate::device::Device;
use crate::prefix::prefix;

/// A line that is no assignment, though it is one of the forms.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadImport {
    /// A record of a parameter without the fields that make one.
    #[error(
        "{0:?} has no device or no parameter: a record is - {{ index: N, event: conf_param, device: D, parameter: NAME=VALUE }}"
    )]
    Fields(String),
    /// It does not say for which file system.
    #[error("{0:?} names no file system, and the file has none or several")]
    FileSystem(String),
    /// A value that `get_param` prints over several lines.
    #[error("{0:?} has a value of several lines, which no node takes")]
    Lines(String),
    /// None of the forms.
    #[error("{0:?} is neither a record of 'lctl llog_print' nor NAME=VALUE")]
    Form(String),
    /// No UTF-8.
    #[error("is not UTF-8 text")]
    Encoding,
}

/// Reads a file, with line numbers from 1. Records that are no parameters or not in force, comments and blank lines are
/// left out. Values that `get_param` prints over several lines are reported, not guessed. `fs` is the file system of
/// records that name none (`sys.timeout`); by default the one that all others name.
pub fn import(text: &[u8], fs: Option<&str>) -> Vec<(usize, Result<Assignment, BadImport>)> {
    let lines = || text.split(|b| *b == b'\n').enumerate();
    let named: BTreeSet<String> =
        lines().filter_map(|(_, line)| fs_of(std::str::from_utf8(line).ok()?)).collect();
    let only = named.iter().next().filter(|_| named.len() == 1).map(String::as_str);
    let mut skipped = false;
    let mut out: Vec<(usize, Result<Assignment, BadImport>)> = Vec::new();
    for (at, line) in lines() {
        if let Some(flags) = marker(line) {
            skipped = flags & (START | SKIP) == (START | SKIP);
            continue;
        }
        let found = if skipped { None } else { import_line(line, fs.or(only)).transpose() };
        let inside = match out.last() {
            Some((_, Ok(before))) => before.value() == Some(""),
            Some((_, Err(why))) => matches!(why, BadImport::Lines(_)),
            None => false,
        };
        let more = match &found {
            Some(Err(BadImport::Form(_))) => true,
            // `flags=0x8` in a value that began on a line of its own; parameters have dots, or are global ones.
            Some(Ok(assignment)) => inside && !is_parameter(assignment),
            _ => false,
        };
        if more && out.last_mut().is_some_and(|(_, value)| goes_on(value)) {
            continue;
        }
        out.extend(found.map(|found| (at + 1, found)));
    }
    out
}

/// A line that is no assignment, behind one: its value goes on, and is none that could be assigned.
fn goes_on(value: &mut Result<Assignment, BadImport>) -> bool {
    match value {
        Ok(assignment) if assignment.syntax == Syntax::SetParamP => {
            *value = Err(BadImport::Lines(shown(assignment.name())));
            true
        }
        Err(BadImport::Lines(_)) => true,
        _ => false,
    }
}

fn is_parameter(assignment: &Assignment) -> bool {
    let name = assignment.name();
    assignment.syntax != Syntax::SetParamP
        || name.contains(['.', '/'])
        || Catalogue::shipped().by_id(&format!("global.{name}")).is_some()
}

/// Of a list of words with the one in force in brackets, that one: `adler [crc32c]`.
fn chosen(value: &str) -> &str {
    let bare = |word: &'_ str| word.strip_prefix('[').and_then(|word| word.strip_suffix(']')).is_some();
    let mut words = value.split_whitespace().filter(|word| bare(word));
    match (words.next(), words.next()) {
        (Some(word), None) => word.trim_start_matches('[').trim_end_matches(']'),
        _ => value,
    }
}

const START: u32 = 1;
const SKIP: u32 = 4;

/// Flags, where the line is a marker.
fn marker(line: &[u8]) -> Option<u32> {
    let (_, rest) = std::str::from_utf8(line).ok()?.split_once("event: marker, flags: 0x")?;
    u32::from_str_radix(rest.split(',').next()?, 16).ok()
}

fn fs_of(line: &str) -> Option<String> {
    let (_, rest) = line.strip_prefix("- {")?.split_once("device: ")?;
    let (_, class) = rest.split_once("parameter: ")?;
    if line.contains("event: set_param") {
        return None;
    }
    Device::parse(&owner(rest.split(',').next()?, class.split('.').next()?)?).ok()?.fs().map(str::to_owned)
}

fn import_line(line: &[u8], fs: Option<&str>) -> Result<Option<Assignment>, BadImport> {
    let line = std::str::from_utf8(line).map_err(|_| BadImport::Encoding)?.trim();
    // What could not be read is said by lctl itself, between the values.
    if line.is_empty() || line.starts_with('#') || line == "---" || line.starts_with("error: ") {
        return Ok(None);
    }
    if let Some(record) = line.strip_prefix("- {").and_then(|rest| rest.trim().strip_suffix('}')) {
        return of_record(line, record, fs);
    }
    match line.split_once('=') {
        Some((name, _)) if !name.is_empty() && !name.contains(char::is_whitespace) => {
            Ok(Some(Assignment::new(Syntax::SetParamP, any_mount(line))))
        }
        _ => Err(BadImport::Form(shown(line))),
    }
}

fn of_record(line: &str, record: &str, fs: Option<&str>) -> Result<Option<Assignment>, BadImport> {
    let field = |name: &str| {
        let at = record.find(&format!("{name}: "))?;
        let rest = record.get(at + name.len() + 2..)?;
        // The value of a parameter goes on to the end: it may have commas.
        let end = if name == "value" || name == "parameter" {
            rest.len()
        } else {
            rest.find(',').unwrap_or(rest.len())
        };
        rest.get(..end).map(str::trim)
    };
    let syntax = match field("event") {
        Some("conf_param" | "set_timeout" | "set_ldlm_timeout") => Syntax::ConfParam,
        Some("set_param") => Syntax::SetParamP,
        _ => return Ok(None),
    };
    let bad = || BadImport::Fields(shown(line));
    // `parameter: osc.max_dirty_mb=64` and `parameter: osc.max_dirty_mb, value: 64`.
    let parameter = field("parameter").ok_or_else(bad)?;
    let text = match parameter.split_once(", value: ") {
        Some((name, value)) => format!("{name}={value}"),
        None => parameter.to_owned(),
    };
    if syntax == Syntax::SetParamP {
        return Ok(Some(Assignment::new(syntax, text)));
    }
    if text.starts_with("sys.") {
        let fs = fs.ok_or_else(|| BadImport::FileSystem(shown(line)))?;
        return Ok(Some(Assignment::new(syntax, format!("{fs}.{text}"))));
    }
    let (name, class) = (text.split('=').next().unwrap_or(&text), text.split('.').next().unwrap_or_default());
    let device = field("device").filter(|d| !d.is_empty() && *d != name).unwrap_or_default();
    let device = owner(device, class).ok_or_else(bad)?;
    Ok(Some(Assignment::new(syntax, format!("{device}.{text}"))))
}

/// The file system or target that a device of a record belongs to.
fn owner(device: &str, class: &str) -> Option<String> {
    let parts: Vec<&str> = device.split('-').collect();
    let whole = (1..=parts.len()).rev().filter_map(|n| Device::parse(&parts.get(..n)?.join("-")).ok());
    let targets = (1..=parts.len()).filter_map(|n| Device::parse(&parts.get(..n)?.join("-")).ok());
    let target = targets.into_iter().find(|d| d.target().is_some());
    let found = target.or_else(|| whole.into_iter().next_back()).or_else(|| Device::parse(device).ok())?;
    match prefix(class).map(|p| p.needs) {
        Some(crate::prefix::Needs::FileSystem) => found.fs().map(str::to_owned),
        _ => Some(found.to_string()),
    }
}

/// The address of a mount, which `get_param` prints, is another one next time.
fn any_mount(text: &str) -> String {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let part = |part: &str| match part.rsplit_once('-') {
        Some((start, mount)) if mount.len() == 16 && mount.bytes().all(|b| b.is_ascii_hexdigit()) => {
            format!("{start}-*")
        }
        _ => part.to_owned(),
    };
    let name: Vec<String> = crate::pattern::segments(name).iter().map(|p| part(p)).collect();
    format!("{}={}", name.join("."), chosen(value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What a kernel MGS printed at the end of its session, sections that are dead among it.
    #[test]
    fn a_recorded_print() {
        let text = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/tunables/llog_print.txt"));
        let found: BTreeSet<String> = import(text, None).into_iter().map(|(_, a)| a.unwrap().text).collect();
        assert_eq!(
            found.iter().map(String::as_str).collect::<Vec<_>>(),
            [
                "osc.*.max_dirty_mb=32",
                "osc.testfs-OST0000-osc-*.max_rpcs_in_flight=8",
                "osc.testfs-OST0000-osc-*.max_rpcs_in_flight=8000000",
                "testfs-MDT0000.mdt.identity_upcall=NONE",
                "testfs-OST0001.osc.active=1",
                "testfs-OST0001.ost.brw_size=8",
                "testfs-OST0042.osc.max_dirty_mb=1",
                "testfs.sys.timeout=100",
            ]
        );
        let none = b"- { index: 1, event: set_timeout, num: 0x64, parameter: sys.timeout=100 }";
        assert!(matches!(import(none, None).as_slice(), [(1, Err(BadImport::FileSystem(_)))]));
        assert_eq!(import(none, Some("fs"))[0].1.as_ref().unwrap().text, "fs.sys.timeout=100");
    }

    #[test]
    fn what_lctl_prints() {
        let text = b"#comment\n\
            - { index: 14, event: marker, flags: 0x01 }\n\
            - { index: 15, event: conf_param, device: testfs-OST0000-osc, parameter: osc.max_dirty_mb=64 }\n\
            - { index: 16, event: conf_param, device: testfs-OST0000-osc-MDT0000, parameter: osc.max_dirty_mb, value: 64 }\n\
            - { index: 17, event: conf_param, device: testfs-client, parameter: llite.max_read_ahead_mb=16 }\n\
            - { index: 18, event: conf_param, device: testfs, parameter: quota.ost=ug }\n\
            - { index: 19, event: set_param, device: general, parameter: osc.*.max_dirty_mb, value: 32 }\n\
            osc.testfs-OST0000-osc-ffff8a0012345678.max_rpcs_in_flight=8\n\
            timeout=100\n\
            - { index: 20, event: conf_param, parameter: osc.x=1 }\n\
            a line of a longer value\n\
            error: read_param: 'x': Permission denied\n\
            osc.testfs-OST0000-osc-ffff8a0012345678.import=\n\
            import:\n\
            \x20   name: testfs-OST0000\n\
            osc.*.checksum_type=crc32 adler [crc32c] t10ip512\n\
            osc.*.max_dirty_mb=7\n\
            more of it\n";
        let found: Vec<String> = import(text, None)
            .into_iter()
            .map(|(line, found)| match found {
                Ok(a) => format!("{line} {} {}", a.syntax, a.text),
                Err(_) => format!("{line} bad"),
            })
            .collect();
        assert_eq!(
            found,
            [
                "3 conf_param testfs-OST0000.osc.max_dirty_mb=64",
                "4 conf_param testfs-OST0000.osc.max_dirty_mb=64",
                "5 conf_param testfs.llite.max_read_ahead_mb=16",
                "6 conf_param testfs.quota.ost=ug",
                "7 set_param-P osc.*.max_dirty_mb=32",
                "8 set_param-P osc.testfs-OST0000-osc-*.max_rpcs_in_flight=8",
                "9 set_param-P timeout=100",
                "10 bad",
                "11 bad",
                "13 bad",
                "16 set_param-P osc.*.checksum_type=crc32c",
                "17 bad",
            ]
        );
    }
}
