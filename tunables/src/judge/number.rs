//! Numbers, sizes and percentages as the parsers of the nodes read them (`tunables/README.md` section 5).

/// Why a text is no number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadNumber {
    /// Not of the form.
    Form(&'static str),
    /// A suffix that is none, with the nearest that is one.
    Unit(String, Option<&'static str>),
    /// A form that a lenient parser takes, and reads as something else.
    Misread(&'static str),
    /// More than 64 bits.
    TooLarge,
}

/// More digits are no number of any width.
const MOST_DIGITS: usize = 30;

/// An integer. `base` 0 also takes `0x` and leading-0 octal; `signed` takes `-`.
pub(crate) fn integer(text: &str, base: u32, signed: bool) -> Result<i128, BadNumber> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(_) if !signed => return Err(BadNumber::Form("it takes no sign")),
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match (base, digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"))) {
        (0, Some(hex)) => (16, hex),
        (0, None) if digits.len() > 1 && digits.starts_with('0') => (8, digits.get(1..).unwrap_or_default()),
        (8, None) => (8, digits),
        (_, Some(_)) => return Err(BadNumber::Form("it takes no hexadecimal number")),
        _ => (10, digits),
    };
    if digits.is_empty() {
        return Err(BadNumber::Form("there are no digits"));
    }
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(BadNumber::Form(match radix {
            8 => "it is not an octal number",
            16 => "it is not a hexadecimal number",
            _ => "it is not a plain number",
        }));
    }
    if digits.trim_start_matches('0').len() > MOST_DIGITS {
        return Err(BadNumber::TooLarge);
    }
    let number = i128::from_str_radix(digits, radix).map_err(|_| BadNumber::TooLarge)?;
    Ok(if negative { -number } else { number })
}

/// Suffixes of sizes and their factors; case matters.
pub(crate) const SUFFIXES: [(&str, i128); 19] = [
    ("B", 1),
    ("K", 1 << 10),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("M", 1 << 20),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("G", 1 << 30),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("T", 1 << 40),
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("P", 1 << 50),
    ("PiB", 1 << 50),
    ("PB", 1_000_000_000_000_000),
    ("E", 1 << 60),
    ("EiB", 1 << 60),
    ("EB", 1_000_000_000_000_000_000),
];

/// The factor of a suffix.
pub(crate) fn factor(suffix: &str) -> Option<i128> {
    SUFFIXES.iter().find(|(name, _)| *name == suffix).map(|(_, factor)| *factor)
}

/// What was meant by a suffix: `k` K, `KB` kB, `Ki` KiB.
fn meant(suffix: &str) -> Option<&'static str> {
    let find = |wanted: &str| {
        SUFFIXES.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(name, _)| *name)
    };
    find(suffix).or_else(|| find(&format!("{suffix}B")))
}

/// A size in bytes. `unit` is the factor of a bare number.
pub(crate) fn size(text: &str, unit: i128) -> Result<i128, BadNumber> {
    let text = text.trim_start_matches(' ');
    if text.starts_with(['-', '+']) {
        return Err(BadNumber::Form("a size takes no sign"));
    }
    if text.starts_with("0x") || text.starts_with("0X") {
        return Err(BadNumber::Form("a size takes no hexadecimal number"));
    }
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        return Err(BadNumber::Form("a size begins with a digit"));
    }
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(after) => {
            let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            let (fraction, rest) = after.split_at(end);
            if fraction.is_empty() || fraction.len() > 9 {
                return Err(BadNumber::Form("a fraction has one to nine digits"));
            }
            (fraction, rest)
        }
        None => ("", rest),
    };
    if rest.starts_with(' ') {
        return Err(BadNumber::Misread("what follows the blank is not read"));
    }
    let suffix = rest.split(' ').next().unwrap_or_default();
    if suffix.len() != rest.len() {
        return Err(BadNumber::Misread("what follows the blank is not read"));
    }
    let times = match suffix {
        "" => unit,
        "%" => return Err(BadNumber::Form("it takes no percentage")),
        _ if !suffix.chars().all(|c| c.is_ascii_alphabetic()) => {
            return Err(BadNumber::Form("it is not a number and a suffix"));
        }
        _ => factor(suffix).ok_or_else(|| BadNumber::Unit(suffix.to_owned(), meant(suffix)))?,
    };
    if suffix == "B" && !fraction.is_empty() {
        return Err(BadNumber::Form("bytes take no fraction"));
    }
    if digits.trim_start_matches('0').len() > 20 {
        return Err(BadNumber::TooLarge);
    }
    let number = |digits: &str| digits.parse::<i128>().unwrap_or(0);
    let scale = fraction.bytes().fold(1_i128, |scale, _| scale * 10);
    let whole = number(digits).checked_mul(times).ok_or(BadNumber::TooLarge)?;
    let bytes = whole + number(fraction) * times / scale;
    if bytes > i128::from(u64::MAX) { Err(BadNumber::TooLarge) } else { Ok(bytes) }
}

/// A number of bytes as people write it: the largest unit that leaves no rest.
pub(crate) fn bytes(number: i128) -> String {
    let units = ["", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut rest = number;
    for (at, unit) in units.iter().enumerate() {
        if rest == 0 || rest % 1024 != 0 || at + 1 == units.len() {
            return if unit.is_empty() { format!("{rest} bytes") } else { format!("{rest} {unit}") };
        }
        rest /= 1024;
    }
    number.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        assert_eq!(integer("010", 10, false), Ok(10));
        assert_eq!(integer("010", 0, false), Ok(8));
        assert_eq!(integer("0x10", 0, false), Ok(16));
        assert_eq!(integer("+5", 10, false), Ok(5));
        assert_eq!(integer("-5", 10, true), Ok(-5));
        assert_eq!(integer("0", 0, false), Ok(0));
        assert_eq!(integer("0777", 8, false), Ok(511));
        assert_eq!(integer(&"9".repeat(40), 10, false), Err(BadNumber::TooLarge));
        for (text, base) in [
            ("0x10", 10),
            ("-0", 10),
            ("", 0),
            ("0x", 0),
            ("08", 0),
            ("0888", 8),
            ("5s", 10),
            ("+-5", 0),
            (" 5", 10),
        ] {
            assert!(matches!(integer(text, base, false), Err(BadNumber::Form(_))), "{text}");
        }
    }

    #[test]
    fn sizes() {
        let mib = 1 << 20;
        assert_eq!(size("64", mib), Ok(64 << 20));
        assert_eq!(size("1.5G", mib), Ok(3 << 29));
        assert_eq!(size("5MB", mib), Ok(5_000_000));
        assert_eq!(size("0.25", mib), Ok(262_144));
        assert_eq!(size(" 7", 1), Ok(7));
        assert_eq!(size("64KB", 1), Err(BadNumber::Unit("KB".into(), Some("kB"))));
        assert_eq!(size("1Ki", 1), Err(BadNumber::Unit("Ki".into(), Some("KiB"))));
        assert_eq!(size("1k", 1), Err(BadNumber::Unit("k".into(), Some("K"))));
        assert_eq!(size("1lots", 1), Err(BadNumber::Unit("lots".into(), None)));
        assert_eq!(size("5 M", 1), Err(BadNumber::Misread("what follows the blank is not read")));
        assert_eq!(size("16E", 1), Err(BadNumber::TooLarge));
        for text in ["", "-1", "+1", "0x40", "10%", "1.G", "1.0000000001", "1.5B", "lots", "M", "1M2"] {
            assert!(matches!(size(text, 1), Err(BadNumber::Form(_))), "{text}");
        }
        assert_eq!(bytes(2_146_435_072), "2047 MiB");
        assert_eq!(bytes(64), "64 bytes");
        assert_eq!(bytes(0), "0 bytes");
    }
}
