//! The SQLite store keeps the contract.

#![allow(clippy::unwrap_used)]

use store_backends::conformance::Fresh;
use store_backends::sqlite::SqliteStore;

async fn store() -> Fresh {
    let dir = tempfile::tempdir().unwrap();
    Fresh::new(SqliteStore::open(dir.path()).unwrap(), dir)
}

store_backends::conformance_suite!(store);
