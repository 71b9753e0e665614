//! A value against its entry.

use crate::assignment::shown;
use crate::catalogue::Catalogue;
use crate::entry::{Tunable, Type};
use crate::verdict::{Class, Finding, Note};

use super::allowed::allowed;
use super::number::{self, BadNumber};
use super::{suggest, words};

/// Sizes that count pages up to here, and bytes above (`pages_or_bytes`).
const MOST_PAGES: i128 = 16_384;
const PAGE: i128 = 4_096;

/// Values outside of the limits that the node takes nevertheless, as the notes of the entries say.
const BESIDES: &[(&str, i128)] =
    &[("osp.ost.max_create_count", 0), ("llite.read_ahead_range_kb", 0), ("osc.short_io_bytes", 0)];

/// Zero, or a power of two from the second number on.
const POWERS: &[(&str, i128)] = &[("obdfilter.access_log_size", 128), ("llite.stat_blocksize", 4_096)];

/// Words that do something once, of settings that may be stored.
const DEEDS: &[(&str, &str)] = &[
    ("ldlm.namespaces.lru_size", "clear"),
    ("mdt.hsm_control", "purge"),
    ("mdt.hsm_control", "help"),
    ("nodemap.fileset", "clear"),
    ("llite.pcc", "clear"),
];

/// Longest argument of an NRS policy (`NRS_POL_ARG_MAX` less the end of the string).
const POLICY_ARGUMENT: usize = 15;

/// Judges a value. Notes say what is odd about a value that is taken.
pub(crate) fn check(catalogue: &Catalogue, t: &Tunable, value: &str) -> Result<Vec<Note>, Finding> {
    let mut notes = Vec::new();
    length(t, value)?;
    let listed = |word: &String| {
        !word.contains('<') && (word == value || (t.values_ignore_case && word.eq_ignore_ascii_case(value)))
    };
    if DEEDS.contains(&(t.id.as_str(), value)) {
        let message = format!("{value:?} does something once: stored, it is done again at every mount");
        notes.push(Note { class: Class::Discouraged, message });
    }
    match t.value {
        Type::Any | Type::Text | Type::Binary => {}
        Type::Bool => notes.extend(boolean(t, value)?),
        _ if !matches!(t.value, Type::Mask) && t.values.iter().any(listed) => {}
        Type::Int | Type::Uint if t.grammar.is_none() => {
            let number = number::integer(value, t.base.unwrap_or(10), t.value == Type::Int);
            let number = number.map_err(|why| bad_number(catalogue, t, value, &why))?;
            range(catalogue, t, value, number)?;
            notes.extend(documented(t, number));
        }
        Type::Int | Type::Uint => {
            grammar(catalogue, t, value)?;
            range_of_last(catalogue, t, value)?;
        }
        Type::Size => size(catalogue, t, value)?,
        Type::Percent => {
            let digits = value.strip_suffix('%').unwrap_or(value);
            if value.len() > 5 {
                return Err(wrong(catalogue, t, value, Class::Length, "is longer than 5 characters"));
            }
            let number =
                number::integer(digits, 0, false).map_err(|why| bad_number(catalogue, t, value, &why))?;
            range(catalogue, t, value, number)?;
        }
        Type::Enum => {
            let near = suggest::nearest(value, t.values.iter().map(String::as_str));
            let finding = wrong(catalogue, t, value, Class::Value, "is none of its words");
            return Err(finding.suggest_some(near.map(|n| format!("did you mean {n}?"))));
        }
        Type::Mask => words::mask(catalogue, t, value)?,
        Type::Path => {
            if !value.starts_with('/') {
                return Err(wrong(catalogue, t, value, Class::Value, "is no absolute path"));
            }
        }
        Type::String => {
            if t.grammar.is_some() {
                grammar(catalogue, t, value)?;
            }
            notes.extend(words::text(catalogue, t, value)?);
        }
        Type::Grammar => syntax(catalogue, t, value)?,
    }
    Ok(notes)
}

/// A finding about a value, with what is allowed.
pub(super) fn wrong(catalogue: &Catalogue, t: &Tunable, value: &str, class: Class, why: &str) -> Finding {
    Finding::new(class, value, format!("{}: {:?} {why}", t.id, shown(value))).allowed(allowed(catalogue, t))
}

fn length(t: &Tunable, value: &str) -> Result<(), Finding> {
    let bad = |what: String, limit: String| {
        Err(Finding::new(Class::Length, value, format!("{}: {:?} {what}", t.id, shown(value))).allowed(limit))
    };
    match (t.minlen, t.maxlen) {
        (_, Some(most)) if value.len() > most => {
            bad(format!("has {} characters", value.len()), format!("at most {most} characters"))
        }
        // Wrong words are short, too: only where nothing else is said does the length matter.
        (Some(least), _) if value.len() < least && t.grammar.is_none() => {
            bad(format!("has {} characters", value.len()), format!("at least {least} characters"))
        }
        _ => Ok(()),
    }
}

fn bad_number(catalogue: &Catalogue, t: &Tunable, value: &str, why: &BadNumber) -> Finding {
    match why {
        BadNumber::Form(why) => {
            let finding = wrong(catalogue, t, value, Class::Value, &format!("is no value: {why}"));
            finding.suggest_some(plain(t, value).map(|n| format!("write {n}")))
        }
        BadNumber::Misread(why) => {
            let finding = wrong(catalogue, t, value, Class::Unit, &format!("would be misread: {why}"));
            finding.suggest(format!("write {}", value.replace(' ', "")))
        }
        BadNumber::Unit(suffix, meant) => {
            let finding =
                wrong(catalogue, t, value, Class::Unit, &format!("ends in {suffix:?}, which is no suffix"));
            let number = value.strip_suffix(suffix.as_str()).unwrap_or_default();
            finding.suggest_some(meant.map(|m| format!("did you mean {number}{m}?")))
        }
        BadNumber::TooLarge => wrong(catalogue, t, value, Class::Range, "is more than 64 bits hold"),
    }
}

/// The plain number that was meant: of `0x28`, of `5s` where seconds are counted, of `2G` where MiB are.
fn plain(t: &Tunable, value: &str) -> Option<String> {
    if !matches!(t.value, Type::Int | Type::Uint) || t.grammar.is_some() {
        return None;
    }
    let fits = |n: i128| {
        let (low, high) = t.limits();
        (low.is_none_or(|low| n >= low) && high.is_none_or(|high| n <= high)).then(|| n.to_string())
    };
    if value.starts_with("0x") {
        return fits(number::integer(value, 0, false).ok()?);
    }
    let unit = t.unit.as_deref()?;
    if unit == "seconds" {
        return fits(number::integer(value.strip_suffix('s')?, 10, false).ok()?);
    }
    let (bytes, unit) = (number::size(value, 1).ok()?, number::factor(unit)?);
    if bytes % unit == 0 { fits(bytes / unit) } else { None }
}

fn range(catalogue: &Catalogue, t: &Tunable, value: &str, number: i128) -> Result<(), Finding> {
    let (low, high) = t.limits();
    let (width_low, width_high) = t.ctype.map_or((i128::MIN, i128::MAX), crate::entry::Width::limits);
    if BESIDES.contains(&(t.id.as_str(), number)) {
        return Ok(());
    }
    if low.is_some_and(|low| number < low) || number < width_low {
        return Err(wrong(catalogue, t, value, Class::Range, "is below its range"));
    }
    if high.is_some_and(|high| number > high) || number > width_high {
        return Err(wrong(catalogue, t, value, Class::Range, "is above its range"));
    }
    if let Some((_, least)) = POWERS.iter().find(|(id, _)| *id == t.id)
        && number != 0
        && (number < *least || number & (number - 1) != 0)
    {
        let finding = wrong(catalogue, t, value, Class::Range, "is no power of two that it takes");
        return Err(finding.allowed(format!("0, or a power of two from {least} on")));
    }
    Ok(())
}

/// The number that a value with a label or suffix ends or begins with.
fn range_of_last(catalogue: &Catalogue, t: &Tunable, value: &str) -> Result<(), Finding> {
    let digits: String =
        value.rsplit(':').next().unwrap_or(value).chars().filter(char::is_ascii_digit).collect();
    match number::integer(&digits, 10, false) {
        Ok(number) => range(catalogue, t, value, number),
        Err(why) => Err(bad_number(catalogue, t, value, &why)),
    }
}

fn size(catalogue: &Catalogue, t: &Tunable, value: &str) -> Result<(), Finding> {
    let label = format!("{}:", t.name);
    let text = match value.strip_prefix(&label) {
        Some(rest) if t.id == "llite.max_cached_mb" => rest.trim_start_matches(' '),
        _ => value,
    };
    if t.grammar.as_deref() == Some("short_io") && text == "-1" {
        return Ok(());
    }
    if let (Some(_), Some(digits)) = (&t.percent_of, text.strip_suffix('%')) {
        let percent = number::size(digits, 1).map_err(|why| bad_number(catalogue, t, value, &why))?;
        return match percent {
            0..=100 => Ok(()),
            _ => Err(wrong(catalogue, t, value, Class::Range, "is more than the whole")),
        };
    }
    let unit = t.default_unit.as_deref().and_then(number::factor).unwrap_or(1);
    let mut bytes = number::size(text, unit).map_err(|why| bad_number(catalogue, t, value, &why))?;
    if t.grammar.as_deref() == Some("pages_or_bytes") && bytes <= MOST_PAGES {
        bytes *= PAGE;
    }
    range(catalogue, t, value, bytes)
}

fn boolean(t: &Tunable, value: &str) -> Result<Option<Note>, Finding> {
    let odd = |why: &str| {
        let message = format!("{}: {:?} {why}; write 0 or 1", t.id, shown(value));
        Ok(Some(Note { class: Class::Lenient, message }))
    };
    let label = "unstable_check:";
    let value = match value.strip_prefix(label) {
        Some(rest) if t.id == "llite.unstable_stats" => rest.trim_start_matches(' '),
        _ => value,
    };
    match value.to_ascii_lowercase().as_str() {
        "0" | "1" | "y" | "n" | "on" | "off" => Ok(None),
        "true" | "false" | "t" | "f" => odd("is understood by kernels from 5.17 on only"),
        text if text.starts_with(['0', '1', 'y', 'n'])
            || text.starts_with("on")
            || text.starts_with("of") =>
        {
            odd("is taken for its beginning")
        }
        _ => {
            let message = format!("{}: {:?} is neither on nor off", t.id, shown(value));
            Err(Finding::new(Class::Value, value, message).allowed("0, 1, y, n, on, off"))
        }
    }
}

fn documented(t: &Tunable, number: i128) -> Option<Note> {
    let range = t.documented_range.as_ref()?;
    let (low, high) = range.split_once("..")?;
    let below = low.parse::<i128>().is_ok_and(|low| number < low);
    let above = high.parse::<i128>().is_ok_and(|high| number > high);
    let message = format!("{}: {number} is outside of the documented range {range}", t.id);
    (below || above).then_some(Note { class: Class::DocumentedRange, message })
}

fn grammar(catalogue: &Catalogue, t: &Tunable, value: &str) -> Result<(), Finding> {
    let Some(name) = &t.grammar else { return Ok(()) };
    match catalogue.grammar_takes(name, value) {
        Some(false) => Err(wrong(catalogue, t, value, Class::Value, "is not of its form")),
        _ => Ok(()),
    }
}

/// Values with a syntax of their own: the grammar first, then its numbers and lists.
fn syntax(catalogue: &Catalogue, t: &Tunable, value: &str) -> Result<(), Finding> {
    if t.grammar.as_deref() == Some("nrs_policy")
        && let Some(argument) = value.strip_prefix("tbf ").and_then(|rest| rest.split_whitespace().last())
        && argument.len() > POLICY_ARGUMENT
    {
        let message =
            format!("{}: the argument {:?} has {} characters", t.id, shown(argument), argument.len());
        return Err(Finding::new(Class::Length, value, message)
            .allowed(format!("at most {POLICY_ARGUMENT} characters")));
    }
    grammar(catalogue, t, value)?;
    match t.grammar.as_deref().unwrap_or_default() {
        "tbf_rule" => words::tbf(catalogue, t, value),
        "uid_gid" => {
            for id in value.split(':') {
                let number =
                    number::integer(id, 0, false).map_err(|why| bad_number(catalogue, t, value, &why))?;
                if number > i128::from(u32::MAX) {
                    let finding =
                        wrong(catalogue, t, value, Class::Range, "would be cut to 32 bits without an error");
                    return Err(finding.allowed("uid:gid, both up to 4294967295"));
                }
            }
            Ok(())
        }
        _ if t.min.is_some() || t.max.is_some() => range_of_last(catalogue, t, value),
        _ => Ok(()),
    }
}
