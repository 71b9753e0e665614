//! The store contract and its backends.
//!
//! A store holds all hard state of one MGS: a flat map from [keys](mod@key) to bytes, and one dense
//! sequence of commits. [`Store`] is the contract; [`memory`] and [`sqlite`] keep it; `conformance`
//! (the feature of that name) is the suite that every backend must pass.
//!
//! ```text
//!   planner ── CommitRequest{base n} ──► Store ── seq = n+1, commit/<n+1> = record, changes applied
//!   readers ◄── wait(n): doorbell ──────┘ │
//!           ◄── commits(n, limit): dense ─┘   range(prefix): entries + the seq they reflect
//! ```

#[cfg(feature = "conformance")]
pub mod conformance;
mod contract;
mod error;
#[cfg(feature = "etcd")]
pub mod etcd;
pub mod key;
pub mod large;
pub mod memory;
mod place;
mod sealed;
mod snapshot;
pub mod sqlite;
mod txn;

pub use contract::{Change, CommitOutcome, CommitRequest, Entry, Guard, Limits, RangeReply, Seq, Store};
pub use error::StoreError;
pub use place::Place;
pub use snapshot::Snapshot;
pub use txn::{ParseTxnIdError, TxnId};
