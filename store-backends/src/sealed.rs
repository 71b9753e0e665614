//! A value together with its checksum.
//!
//! The CRC-32 covers `key 0x00 value`, so that a row served under another row's key is damage, too.

use crate::StoreError;

/// CRC-32 (IEEE) over `key 0x00 value`; a key never contains 0x00.
pub(crate) fn crc(key: &str, value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key.as_bytes());
    hasher.update(&[0]);
    hasher.update(value);
    hasher.finalize()
}

/// Passes `value` on only if `stored` is its checksum.
pub(crate) fn verify<'v>(key: &str, value: &'v [u8], stored: i64) -> Result<&'v [u8], StoreError> {
    let computed = crc(key, value);
    if stored == i64::from(computed) {
        Ok(value)
    } else {
        Err(StoreError::Corrupt {
            key: key.to_owned(),
            detail: format!("checksum is {computed:08x}, stored {stored:08x}, {} bytes", value.len()),
        })
    }
}

/// Length of the checksum in front of a value of [`seal`].
#[cfg(feature = "etcd")]
pub(crate) const SEAL_BYTES: usize = 9;

/// A value that carries its checksum, for a store that has no column for it. Still readable by a person:
///
/// ```text
///   1c291ca3 {"uuid":"…"}        CRC-32 as 8 lower-case hex digits, one space, the value
/// ```
#[cfg(feature = "etcd")]
pub(crate) fn seal(key: &str, value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(SEAL_BYTES.saturating_add(value.len()));
    sealed.extend_from_slice(format!("{:08x} ", crc(key, value)).as_bytes());
    sealed.extend_from_slice(value);
    sealed
}

/// The value inside what [`seal`] made for the same key.
#[cfg(feature = "etcd")]
pub(crate) fn unseal<'v>(key: &str, sealed: &'v [u8]) -> Result<&'v [u8], StoreError> {
    let corrupt = |detail: &str| StoreError::Corrupt { key: key.to_owned(), detail: detail.to_owned() };
    let foreign = "it does not begin with a checksum: another program wrote it";
    let (head, value) = sealed.split_at_checked(SEAL_BYTES).ok_or_else(|| corrupt(foreign))?;
    let digits = head.strip_suffix(b" ").and_then(|digits| std::str::from_utf8(digits).ok());
    // from_str_radix alone would take a sign and capitals
    let strict = digits.filter(|d| d.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
    let stored = strict.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    verify(key, value, i64::from(stored.ok_or_else(|| corrupt(foreign))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "etcd")]
    #[test]
    fn a_sealed_value_is_readable_and_any_flipped_bit_is_seen() {
        let key = "fs/testfs";
        for value in [&b""[..], b" ", br#"{"uuid":"x"}"#, &[0, 255, 7]] {
            let sealed = seal(key, value);
            assert_eq!(sealed.len(), SEAL_BYTES + value.len());
            assert_eq!(unseal(key, &sealed), Ok(value));
            assert!(unseal("fs/testft", &sealed).is_err());
            for bit in 0..sealed.len() * 8 {
                let mut bad = sealed.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(matches!(unseal(key, &bad), Err(StoreError::Corrupt { key: k, .. }) if k == key));
            }
            for cut in 0..sealed.len() {
                assert!(unseal(key, &sealed[..cut]).is_err());
            }
        }
        assert!(unseal(key, b"{\"by\":\"etcdctl\"}").is_err());
    }

    #[test]
    fn any_flipped_bit_of_value_key_or_checksum_is_seen() {
        let (key, value) = ("fs/testfs", br#"{"uuid":"x"}"#.to_vec());
        let good = i64::from(crc(key, &value));
        assert_eq!(verify(key, &value, good), Ok(value.as_slice()));
        for bit in 0..value.len() * 8 {
            let mut bad = value.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(verify(key, &bad, good), Err(StoreError::Corrupt { key: k, .. }) if k == key));
        }
        for bit in 0..64 {
            assert!(verify(key, &value, good ^ (1 << bit)).is_err());
        }
        assert!(verify("fs/testft", &value, good).is_err());
    }

    #[test]
    fn checksum_is_the_common_crc32() {
        // check value of CRC-32/ISO-HDLC over "123456789", with the separator moved out of the way
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc("1234", b"56789"), crc32fast::hash(b"1234\x0056789"));
    }
}
