//! Keys: what is allowed, and the keys that the store writes itself.
//!
//! ```text
//!   fs/testfs/target/OST0000      visible ASCII, segments parted by '/', none empty, at most 512 bytes
//!   seq                           the sequence number, decimal              (written by the store only)
//!   commit/000000000000002a       record of commit 42, 16 lower-case hex    (written by the store only)
//! ```
//!
//! Keys are relative: a backend shared by several MGS puts its own prefix in front. They sort by bytes;
//! hex of fixed width makes that the order of commits.

use crate::{Seq, StoreError};

/// Key of the sequence number; absent while the store is empty.
pub const SEQ_KEY: &str = "seq";
/// Key that says up to which number commit records were deleted, as JSON with the field `through`; absent: none were.
pub const PRUNED_KEY: &str = "pruned";
/// Prefix of all commit records.
pub const COMMIT_PREFIX: &str = "commit/";
/// Longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 512;
/// Greater than any character of a key: `prefix + AFTER_ALL` ends the range of a prefix.
pub(crate) const AFTER_ALL: char = '\u{7f}';

/// The key of commit `seq`.
#[must_use]
pub fn commit_key(seq: Seq) -> String {
    format!("{COMMIT_PREFIX}{seq:016x}")
}

/// The sequence number in a key of [`commit_key`]'s form; `None` for any other key.
#[must_use]
pub fn parse_commit_key(key: &str) -> Option<Seq> {
    let digits = key.strip_prefix(COMMIT_PREFIX)?;
    let seq = Seq::from_str_radix(digits, 16).ok()?;
    (commit_key(seq) == key).then_some(seq)
}

/// Whether only the store itself writes this key.
#[must_use]
pub fn is_reserved(key: &str) -> bool {
    key == SEQ_KEY || key.starts_with(COMMIT_PREFIX)
}

/// Refuses what is not a key.
///
/// # Errors
/// [`StoreError::InvalidKey`] with the rule that is broken.
pub fn validate(key: &str) -> Result<(), StoreError> {
    let rule = if key.is_empty() || key.len() > MAX_KEY_BYTES {
        "1 to 512 bytes are allowed"
    } else if !key.bytes().all(|b| b.is_ascii_graphic()) {
        "only visible ASCII characters are allowed"
    } else if key.split('/').any(str::is_empty) {
        "segments between '/' must not be empty"
    } else {
        return Ok(());
    };
    Err(StoreError::InvalidKey { key: key.to_owned(), rule })
}

/// Reads a value of [`PRUNED_KEY`]; an absent one is 0.
pub(crate) fn parse_pruned(value: Option<&[u8]>) -> Result<Seq, StoreError> {
    #[derive(serde::Deserialize)]
    struct Pruned {
        through: Seq,
    }
    let Some(value) = value else { return Ok(0) };
    serde_json::from_slice(value)
        .map(|pruned: Pruned| pruned.through)
        .map_err(|e| StoreError::Corrupt { key: PRUNED_KEY.to_owned(), detail: e.to_string() })
}

/// The value of [`SEQ_KEY`] for `seq`.
pub(crate) fn seq_value(seq: Seq) -> Vec<u8> {
    seq.to_string().into_bytes()
}

/// Reads a value of [`SEQ_KEY`]; an absent one is 0.
pub(crate) fn parse_seq_value(value: Option<&[u8]>) -> Result<Seq, StoreError> {
    let Some(value) = value else { return Ok(0) };
    let seq = std::str::from_utf8(value).ok().and_then(|s| s.parse::<Seq>().ok());
    match seq {
        Some(seq) if seq > 0 && seq_value(seq) == value => Ok(seq),
        _ => Err(StoreError::Corrupt {
            key: SEQ_KEY.to_owned(),
            detail: "not a positive decimal number".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_keys_sort_as_numbers() {
        let seqs = [1, 9, 10, 15, 16, 255, 256, u64::from(u32::MAX), u64::MAX];
        for pair in seqs.windows(2) {
            assert!(commit_key(pair[0]) < commit_key(pair[1]));
        }
        assert_eq!(commit_key(42), "commit/000000000000002a");
        assert_eq!(parse_commit_key("commit/000000000000002a"), Some(42));
        for bad in ["commit/2a", "commit/000000000000002A", "commit/+00000000000002a", "commit/", "fs/x"] {
            assert_eq!(parse_commit_key(bad), None, "{bad}");
        }
    }

    #[test]
    fn keys_are_visible_ascii_in_segments() {
        let longest = "a".repeat(MAX_KEY_BYTES);
        for good in ["seq", "fs/a_b%c", "param/testfs/osc.*.max_dirty_mb", longest.as_str()] {
            assert_eq!(validate(good), Ok(()));
        }
        let too_long = "a".repeat(MAX_KEY_BYTES + 1);
        for bad in ["", "/fs", "fs/", "fs//a", "fs/a b", "fs/\n", "fs/ä", "fs/\u{7f}", too_long.as_str()] {
            assert!(matches!(validate(bad), Err(StoreError::InvalidKey { .. })), "{bad:?}");
        }
    }

    #[test]
    fn seq_value_is_strict() {
        assert_eq!(parse_seq_value(None), Ok(0));
        assert_eq!(parse_seq_value(Some(b"18446744073709551615")), Ok(u64::MAX));
        for bad in ["", "0", "01", "+1", " 1", "1\n", "x", "18446744073709551616"] {
            assert!(parse_seq_value(Some(bad.as_bytes())).is_err(), "{bad:?}");
        }
    }
}
