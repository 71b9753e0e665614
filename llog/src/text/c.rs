//! What C's `printf` and `ctime` do differently from Rust's formatting.

use crate::le;
use std::borrow::Cow;

/// `%#0Nx`: zero has no prefix.
pub(super) fn hex(v: u32, width: usize) -> String {
    if v == 0 { format!("{v:0width$}") } else { format!("{v:#0width$x}") }
}

/// A buffer printed with `%s`.
pub(super) fn string(buf: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(le::until_nul(buf)) {
        Cow::Borrowed(text) => visible(text),
        Cow::Owned(text) => Cow::Owned(visible(&text).into_owned()),
    }
}

/// Text with control characters as `\x1b`: a record must not forge lines or drive the terminal. No MGS writes them.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escaped = |c: char| if c.is_control() { format!("\\x{:02x}", u32::from(c)) } else { c.to_string() };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// `ctime` in UTC without the newline: `Sat Nov 21 03:40:26 2026`. Times before 1970 or behind the year 9999 become
/// the words that `llog_reader` has for them.
pub(super) fn ctime(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    if seconds > 253_402_300_799 {
        return String::from("in the distant future");
    }
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    let weekday = usize::try_from(days % 7).ok().and_then(|d| DAYS.get(d)).unwrap_or(&"");
    // Civil date from a day count, in years that begin in March so that the leap day comes last.
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month0 = (mp + 2) % 12;
    let year = yoe + era * 400 + u64::from(month0 < 2);
    let month = usize::try_from(month0).ok().and_then(|m| MONTHS.get(m)).unwrap_or(&"");
    let (h, m, s) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{weekday} {month} {day:2} {h:02}:{m:02}:{s:02} {year}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctime_as_date_prints_it() {
        // Each line was printed by `TZ=UTC date -d @N '+%a %b %e %T %Y'`.
        for (seconds, text) in [
            (0, "Thu Jan  1 00:00:00 1970"),
            (951_782_399, "Mon Feb 28 23:59:59 2000"),
            (951_868_799, "Tue Feb 29 23:59:59 2000"),
            (951_868_800, "Wed Mar  1 00:00:00 2000"),
            (1_795_232_426, "Sat Nov 21 03:40:26 2026"),
            (4_107_542_400, "Mon Mar  1 00:00:00 2100"),
            (253_402_300_799, "Fri Dec 31 23:59:59 9999"),
            (253_402_300_800, "in the distant future"),
        ] {
            assert_eq!(ctime(seconds), text);
        }
    }

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(string(b"a\n\x1b[2Jb\xff\0rest"), "a\\x0a\\x1b[2Jb\u{fffd}");
        assert!(matches!(string(b"osc.active=0\0"), Cow::Borrowed("osc.active=0")));
    }

    #[test]
    fn zero_has_no_prefix() {
        assert_eq!([hex(0, 4), hex(1, 4), hex(0x3c, 8), hex(0, 0)], ["0000", "0x01", "0x00003c", "0"]);
    }
}
