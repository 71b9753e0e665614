//! Defaults as nodes can be told them. The catalogue has them as people write them: "8 MiB", "0 (dynamic)", "RAM/2".

use crate::catalogue::Catalogue;
use crate::entry::{Tunable, Type};
use crate::judge::{bytes_of, takes};

/// The default of a tunable as its node takes it. `None`: there is none, or only the node knows it, as with "RAM/2" or
/// "4 * timeout".
pub fn default_of(catalogue: &Catalogue, t: &Tunable) -> Option<String> {
    let text = t.default.as_deref()?.trim();
    let plain = without_remark(text);
    let found = match t.value {
        // Sizes do not read what is behind a blank. A bare number in its own unit is what every release takes.
        Type::Size if plain.contains(' ') => {
            let unit = bytes_of("1", t.default_unit.as_deref().unwrap_or("B"))?;
            let (number, suffix) = plain.split_once(' ')?;
            let bytes = bytes_of(number, suffix)?;
            if bytes % unit == 0 { (bytes / unit).to_string() } else { format!("{number}{suffix}") }
        }
        Type::Int | Type::Uint | Type::Grammar => match plain.split_once(' ') {
            Some((number, word)) if t.unit.as_deref().is_some_and(|unit| same_unit(unit, word)) => {
                number.to_owned()
            }
            _ => plain.to_owned(),
        },
        _ => plain.to_owned(),
    };
    takes(catalogue, t, &found).then_some(found)
}

/// `0 (dynamic)`: a word in brackets explains. More than a word is a condition, and belongs to the default.
fn without_remark(text: &str) -> &str {
    let remark = text.split_once(" (").and_then(|(value, rest)| Some((value, rest.strip_suffix(')')?)));
    match remark {
        Some((value, word)) if word.chars().all(|c| c.is_ascii_alphabetic()) => value,
        _ => text,
    }
}

fn same_unit(unit: &str, word: &str) -> bool {
    let short = match unit {
        "seconds" => &["s", "sec", "second"][..],
        "percent" => &["%"],
        "us" => &["usec", "microseconds"],
        "ms" => &["msec", "milliseconds"],
        _ => &[],
    };
    unit == word || short.contains(&word)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The default of an entry of the shipped catalogue, had it this text and unit.
    fn of(id: &str, default: &str) -> Option<String> {
        let catalogue = Catalogue::shipped();
        let mut tunable = catalogue.by_id(id).unwrap().clone();
        tunable.default = Some(default.to_owned());
        default_of(catalogue, &tunable)
    }

    #[test]
    fn what_people_write_is_what_nodes_take() {
        for (id, text, taken) in [
            ("lod.stripesize", "4 MiB", "4194304"),
            ("llite.max_read_ahead_whole_mb", "4 MiB", "4"),
            ("llite.max_read_ahead_whole_mb", "1 GiB", "1024"),
            ("llite.max_read_ahead_whole_mb", "512 KiB", "512KiB"),
            ("ldlm.namespaces.lru_size", "0 (dynamic)", "0"),
            ("global.at_max", "600 s", "600"),
            ("global.at_max", "600 seconds", "600"),
            ("lod.qos_prio_free", "90%", "90%"),
            ("mdc.lsom", "On", "On"),
        ] {
            assert_eq!(of(id, text).as_deref(), Some(taken), "{id} {text}");
        }
    }

    #[test]
    fn what_depends_on_the_node_is_not_guessed() {
        for (id, text) in [
            ("llite.max_cached_mb", "RAM/2"),
            ("osc.max_dirty_mb", "2000 MiB, capped to RAM/8"),
            ("obdfilter.brw_size", "4 MiB on ldiskfs, recordsize (1 MiB) on ZFS"),
            ("osd-ldiskfs.read_cache_enable", "1 (0 when the device is non-rotational)"),
            ("mgs.ir_timeout", "4*timeout"),
            ("global.at_max", "600 fortnights"),
            ("global.at_max", "10 ms"),
            ("osp.ost.create_count", "16"),
            ("lod.stripesize", "unlimited"),
        ] {
            assert_eq!(of(id, text), None, "{id} {text}");
        }
    }
}
