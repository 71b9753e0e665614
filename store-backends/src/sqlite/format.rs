//! Which database is ours: application id, format number, schema, numbered migrations.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::failure::failed;
use crate::StoreError;

/// `PRAGMA application_id`: the letters `mgsd`. Offset 68 of the file, 4 bytes, big-endian.
pub const APPLICATION_ID: u32 = 0x6d67_7364;

/// Migration `n` (counted from 1) makes format `n` of format `n - 1`; never edited once released.
/// The format number is `PRAGMA user_version`: offset 60 of the file, 4 bytes, big-endian.
const MIGRATIONS: &[&str] = &[include_str!("migrations/0001.sql")];

/// The newest format that this program reads; the one that it writes.
#[must_use]
pub fn supported() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// Reads the format of an existing database, or says why it is not ours to open. Writes nothing.
pub(super) fn identify(conn: &Connection, path: &Path) -> Result<u32, StoreError> {
    let pragma = |name: &str| -> Result<u32, StoreError> {
        let sql = format!("PRAGMA {name}");
        let signed: i32 =
            conn.query_row(&sql, [], |row| row.get(0)).map_err(failed(path, "read its header"))?;
        Ok(u32::from_ne_bytes(signed.to_ne_bytes()))
    };
    let not_ours = |detail| StoreError::NotOurs { path: path.to_owned(), detail };

    let id = pragma("application_id")?;
    if id != APPLICATION_ID {
        return Err(not_ours(format!("its application id is {id:#010x}, not {APPLICATION_ID:#010x}")));
    }
    let found = pragma("user_version")?;
    if found == 0 {
        return Err(not_ours("it has no format number".to_owned()));
    }
    if found > supported() {
        return Err(StoreError::NewerFormat { found, supported: supported(), path: path.to_owned() });
    }
    let expected = {
        let mut model = Connection::open_in_memory().map_err(failed(path, "prepare its check"))?;
        migrate(&mut model, 0, found).map_err(failed(path, "prepare its check"))?;
        schema(&model).map_err(failed(path, "prepare its check"))?
    };
    if schema(conn).map_err(failed(path, "read its schema"))? != expected {
        let detail = format!("its tables are not those of format {found}");
        return Err(StoreError::Damaged { path: path.to_owned(), detail });
    }
    Ok(found)
}

/// Brings a database of format `from` to format `to` in one transaction.
pub(super) fn migrate(conn: &mut Connection, from: u32, to: u32) -> rusqlite::Result<()> {
    if from >= to {
        return Ok(());
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (format, sql) in (1..=to).zip(MIGRATIONS).filter(|(format, _)| *format > from) {
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "user_version", format)?;
    }
    tx.commit()
}

/// Everything that `CREATE` has made, in order of creation.
fn schema(conn: &Connection) -> rusqlite::Result<Vec<(String, String, Option<String>)>> {
    let mut rows = conn.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY rowid")?;
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
}
