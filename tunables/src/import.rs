//! Assignments from what Lustre's own tools print: `lctl llog_print`, files of `set_param -F`, `lctl get_param`.

use crate::assignment::{Assignment, Syntax, shown};
use crate::device::Device;
use crate::prefix::prefix;

/// A line that is no assignment, though it is one of the forms.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadImport {
    /// A record of a parameter without the fields that make one.
    #[error("{0:?} has no device or no parameter: a record is - {{ index: N, event: conf_param, device: D, parameter: NAME=VALUE }}")]
    Fields(String),
    /// None of the forms.
    #[error("{0:?} is neither a record of 'lctl llog_print' nor NAME=VALUE")]
    Form(String),
    /// No UTF-8.
    #[error("is not UTF-8 text")]
    Encoding,
}

/// Reads a file, with line numbers from 1. Records that are no parameters, comments and blank lines are left out. Values
/// that `get_param` prints over several lines are reported, not guessed.
pub fn import(text: &[u8]) -> Vec<(usize, Result<Assignment, BadImport>)> {
    let lines = text.split(|b| *b == b'\n').enumerate();
    lines.filter_map(|(at, line)| import_line(line).transpose().map(|found| (at + 1, found))).collect()
}

fn import_line(line: &[u8]) -> Result<Option<Assignment>, BadImport> {
    let line = std::str::from_utf8(line).map_err(|_| BadImport::Encoding)?.trim();
    if line.is_empty() || line.starts_with('#') || line == "---" {
        return Ok(None);
    }
    if let Some(record) = line.strip_prefix("- {").and_then(|rest| rest.trim().strip_suffix('}')) {
        return of_record(line, record);
    }
    match line.split_once('=') {
        Some((name, _)) if !name.is_empty() && !name.contains(char::is_whitespace) => {
            Ok(Some(Assignment::new(Syntax::SetParamP, any_mount(line))))
        }
        _ => Err(BadImport::Form(shown(line))),
    }
}

fn of_record(line: &str, record: &str) -> Result<Option<Assignment>, BadImport> {
    let field = |name: &str| {
        let at = record.find(&format!("{name}: "))?;
        let rest = record.get(at + name.len() + 2..)?;
        // The value of a parameter goes on to the end: it may have commas.
        let end = if name == "value" || name == "parameter" { rest.len() } else { rest.find(',').unwrap_or(rest.len()) };
        rest.get(..end).map(str::trim)
    };
    let syntax = match field("event") {
        Some("conf_param") => Syntax::ConfParam,
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
    format!("{}={value}", name.join("."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
            a line of a longer value\n";
        let found: Vec<String> = import(text)
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
            ]
        );
    }
}
