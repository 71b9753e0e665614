//! Values made of words: masks, rules, free text.

use crate::assignment::shown;
use crate::catalogue::Catalogue;
use crate::entry::Tunable;
use crate::verdict::{Class, Finding, Note};

use super::value::wrong;
use super::{number, suggest};

/// Fastest rate of a rule.
const MOST_RATE: i128 = 999_999;

/// A mask: a number, or names with signs.
pub(super) fn mask(catalogue: &Catalogue, t: &Tunable, value: &str) -> Result<(), Finding> {
    let grammar = t.grammar.as_deref().unwrap_or_default();
    if grammar != "name_mask"
        && let Ok(number) = number::integer(value, 0, true)
    {
        let (low, high) = t.limits();
        let signed = grammar == "debug_mask" && number >= i128::from(i32::MIN);
        if number < 0 && !signed
            || low.is_some_and(|low| number < low)
            || high.is_some_and(|high| number > high)
        {
            return Err(wrong(catalogue, t, value, Class::Range, "has bits that do not exist"));
        }
        if number.abs() > i128::from(u64::MAX) {
            return Err(wrong(catalogue, t, value, Class::Range, "is more than 64 bits hold"));
        }
        return Ok(());
    }
    if !grammar.is_empty() && catalogue.grammar_takes(grammar, value) == Some(false) {
        return Err(wrong(catalogue, t, value, Class::Value, "is not of its form"));
    }
    let words: Vec<&str> = value.split([' ', '\t', ',', '+', '-']).filter(|w| !w.is_empty()).collect();
    if words.is_empty() {
        return Err(wrong(catalogue, t, value, Class::Value, "has no word"));
    }
    let same = |a: &str, b: &str| if t.values_ignore_case { a.eq_ignore_ascii_case(b) } else { a == b };
    for (at, word) in words.iter().enumerate() {
        let special = ["all", "none"].iter().any(|w| w.eq_ignore_ascii_case(word))
            || (word.eq_ignore_ascii_case("default") && (grammar == "debug_mask" || at + 1 == words.len()));
        if special || t.values.iter().any(|w| same(w, word)) {
            continue;
        }
        let finding =
            wrong(catalogue, t, value, Class::Value, &format!("has the unknown word {:?}", shown(word)));
        let near = suggest::nearest(word, t.values.iter().map(String::as_str));
        return Err(finding.suggest_some(near.map(|n| format!("did you mean {n}?"))));
    }
    Ok(())
}

/// A rule of the token bucket filter; its form was checked.
pub(super) fn tbf(catalogue: &Catalogue, t: &Tunable, value: &str) -> Result<(), Finding> {
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('{') {
        let (list, after) = after.split_once('}').unwrap_or((after, ""));
        if list.contains([',', '&']) {
            let finding = wrong(catalogue, t, value, Class::Value, "has a comma or & inside of braces");
            return Err(finding.suggest("separate the entries of a list by blanks"));
        }
        rest = after;
    }
    // What follows the last list are words with single blanks.
    for word in rest.split(' ') {
        if let Some(rate) = word.strip_prefix("rate=") {
            let number = number::integer(rate, 10, false).unwrap_or(i128::MAX);
            if !(1..=MOST_RATE).contains(&number) {
                let finding =
                    wrong(catalogue, t, value, Class::Range, &format!("has the rate {}", shown(rate)));
                return Err(finding.allowed(format!("1 to {MOST_RATE} per second")));
            }
        }
    }
    Ok(())
}

/// Free text: what is odd about it.
pub(super) fn text(catalogue: &Catalogue, t: &Tunable, value: &str) -> Result<Option<Note>, Finding> {
    let known = |word: &str| t.values.iter().any(|w| w == word);
    match t.id.as_str() {
        "global.jobid_var" if !known(value) => {
            let mut chars = value.chars();
            let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
            if !first || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(wrong(
                    catalogue,
                    t,
                    value,
                    Class::Value,
                    "is no name of an environment variable",
                ));
            }
            let near = suggest::nearest(value, t.values.iter().map(String::as_str));
            let near = near.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
            let message = format!("{}: {:?} is taken as an environment variable{near}", t.id, shown(value));
            Ok(Some(Note { class: Class::Lenient, message }))
        }
        "global.jobid_name" if !value.contains('%') => {
            let message = format!(
                "{}: without a % code {:?} is a name only if jobid_var is nodelocal",
                t.id,
                shown(value)
            );
            Ok(Some(Note { class: Class::Lenient, message }))
        }
        _ if t.values.iter().any(|w| w == "<pool>") || t.name.ends_with("spill_target") => {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            if !known(value) && !value.chars().all(fits) {
                return Err(wrong(catalogue, t, value, Class::Value, "is no name of a pool"));
            }
            Ok(None)
        }
        "global.daemon_file" if !known(value) && !value.starts_with('/') => match value.strip_prefix("size=")
        {
            Some(size) if number::integer(size, 10, false).is_ok() => Ok(None),
            _ => Err(wrong(catalogue, t, value, Class::Value, "is none of its forms")),
        },
        "global.debug_log_upcall" | "global.debug_path" if !value.starts_with('/') => {
            Err(wrong(catalogue, t, value, Class::Value, "is no absolute path"))
        }
        _ => Ok(None),
    }
}
