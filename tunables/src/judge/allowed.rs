//! What a tunable takes, in words.

use crate::catalogue::Catalogue;
use crate::entry::{Tunable, Type};

use super::number::bytes;

/// The values that a tunable takes, as one line for people.
pub fn allowed(catalogue: &Catalogue, t: &Tunable) -> String {
    let mut text = match t.value {
        Type::Bool => "0, 1, y, n, on, off".to_owned(),
        Type::Enum => return t.values.join(", "),
        Type::Any => "anything".to_owned(),
        Type::Text => "nothing: read only".to_owned(),
        Type::Binary => "what helpers of the kernel write".to_owned(),
        Type::Int | Type::Uint if t.grammar.is_none() => {
            let radix = match t.base {
                Some(0) => "number (0x… and octal with a leading 0, too)",
                Some(8) => "octal number",
                _ => "decimal number",
            };
            format!("{radix}{}", limits(t, &|n| n.to_string()))
        }
        Type::Size => {
            let unit = t.default_unit.as_deref().unwrap_or("B");
            let percent = t.percent_of.as_ref().map(|of| format!(", or % of {of}")).unwrap_or_default();
            format!("size in {unit}, or with a suffix such as K, MiB, GB{percent}{}", limits(t, &bytes))
        }
        Type::Percent => format!("percentage, with or without %{}", limits(t, &|n| n.to_string())),
        Type::Mask => "names separated by blanks or commas, + adds, - removes".to_owned(),
        Type::String if t.grammar.is_none() => "text".to_owned(),
        Type::Path => "absolute path".to_owned(),
        _ => String::new(),
    };
    if let Some(grammar) = t.grammar.as_ref().and_then(|name| catalogue.grammars().get(name)) {
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(grammar.desc.trim_end_matches('.'));
        if t.value == Type::Grammar {
            text.push_str(&limits(t, &|n| n.to_string()));
        }
    }
    if !t.values.is_empty() {
        let more = if t.value == Type::Mask { ": " } else { "; or " };
        text.push_str(more);
        text.push_str(&t.values.join(", "));
    }
    text
}

fn limits(t: &Tunable, show: &dyn Fn(i128) -> String) -> String {
    match t.limits() {
        (Some(low), Some(high)) => format!(", {} to {}", show(low), show(high)),
        (Some(low), None) => format!(", {} or more", show(low)),
        (None, Some(high)) => format!(", up to {}", show(high)),
        (None, None) => String::new(),
    }
}
