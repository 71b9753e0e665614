//! Transaction ids: how an unknown outcome is resolved.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::key::commit_key;
use crate::{Seq, StoreError};

/// Names one attempt to commit; chosen by the caller, unique for ever.
///
/// Text form: 32 lower-case hex digits, as in the field `txn` of a commit record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TxnId(pub u128);

impl fmt::Display for TxnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The text is not a [`TxnId`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a transaction id: expected 32 hex digits, without dashes")]
pub struct ParseTxnIdError;

impl FromStr for TxnId {
    type Err = ParseTxnIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // from_str_radix alone would take a sign
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ParseTxnIdError);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| ParseTxnIdError)
    }
}

/// The part of a commit record that the store itself reads.
#[derive(Deserialize)]
struct RecordHead {
    txn: String,
}

/// The txn id inside a commit record, or what is wrong with the record.
pub(crate) fn txn_of_record(record: &[u8]) -> Result<TxnId, String> {
    let head: RecordHead = serde_json::from_slice(record).map_err(|e| format!("not a commit record: {e}"))?;
    head.txn.parse().map_err(|e: ParseTxnIdError| format!("field txn: {e}"))
}

/// As [`txn_of_record`], for a record that the store holds already.
pub(crate) fn txn_of_stored(seq: Seq, record: &[u8]) -> Result<TxnId, StoreError> {
    txn_of_record(record).map_err(|detail| StoreError::Corrupt { key: commit_key(seq), detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_32_hex_digits() {
        let id = TxnId(0xab);
        assert_eq!(id.to_string(), "000000000000000000000000000000ab");
        assert_eq!("000000000000000000000000000000AB".parse(), Ok(id));
        assert_eq!(TxnId(u128::MAX).to_string().parse(), Ok(TxnId(u128::MAX)));
        for bad in ["", "ab", "+00000000000000000000000000000ab", "g00000000000000000000000000000ab"] {
            assert_eq!(bad.parse::<TxnId>(), Err(ParseTxnIdError), "{bad:?}");
        }
    }

    #[test]
    fn record_names_its_txn() {
        let id = TxnId(7);
        let record = format!(r#"{{"events":[],"txn":"{id}"}}"#);
        assert_eq!(txn_of_record(record.as_bytes()), Ok(id));
        for bad in ["", "[]", "{}", r#"{"txn":7}"#, r#"{"txn":"7"}"#] {
            assert!(txn_of_record(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
