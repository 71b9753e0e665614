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

#[cfg(test)]
mod tests {
    use super::*;

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
