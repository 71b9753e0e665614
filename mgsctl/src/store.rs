//! `mgsctl store`: the store itself, while no daemon uses it.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Subcommand;
use mgs_core::lint;
use mgs_core::model::moved;
use mgs_core::model::restore::How as Origin;
use mgs_core::model::view::{View, sha256_hex};
use serde::Serialize;
use store_backends::{Change, CommitOutcome, CommitRequest, Entry, Place, Store, TxnId};

use crate::exit::Failure;
use crate::output::Output;
use crate::table::Fields;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Copies a store to an empty place, such as from SQLite to etcd; stop every mgsd of it first
    ///
    /// Identity, indices and versions are kept, the epoch is a new one. The copy is compared with what was read; the store that it was
    /// made from is left as it is.
    Copy {
        /// sqlite:DIR or etcd:https://HOST:2379,HOST:2379/mgsd/NAME?ca=FILE
        #[arg(long, value_name = "ADDRESS")]
        from: String,
        /// The same; nothing may be there yet
        #[arg(long, value_name = "ADDRESS")]
        to: String,
    },
}

/// What was copied.
#[derive(Serialize)]
struct Copied {
    from: String,
    to: String,
    mgs_uuid: String,
    epoch: u64,
    seq: u64,
    values: usize,
    sha256: String,
}

impl Command {
    pub(crate) async fn run(self, out: &Output) -> Result<(), Failure> {
        match self {
            Command::Copy { from, to } => out.document(&copy(&from, &to).await?, show),
        }
    }
}

async fn copy(from: &str, to: &str) -> Result<Copied, Failure> {
    let failed = |what: &str, why: &dyn std::fmt::Display| Failure::Input {
        what: what.to_owned(),
        why: why.to_string(),
    };
    let (source, target) = (Place::parse(from), Place::parse(to));
    let source = source.map_err(|e| failed("--from", &e))?;
    let target = target.map_err(|e| failed("--to", &e))?;
    let (from, to) = (source.to_string(), target.to_string());

    if let Place::Sqlite(dir) = &source
        && !dir.is_dir()
    {
        return Err(failed(&from, &"there is no such directory; name the --data of mgsd"));
    }
    let old = source.open().await.map_err(|e| failed(&from, &e))?;
    let snapshot = old.snapshot().await.map_err(|e| failed(&from, &e))?;
    let view = View::load(snapshot.entries.iter().map(|e| (e.key.as_str(), e.value.as_slice())));
    let view = view.map_err(|e| failed(&from, &e))?;
    if let Some(finding) = lint::view(&view).into_iter().next() {
        return Err(failed(&from, &finding));
    }
    let uuid = view.meta.as_ref().map(|m| m.uuid.clone()).unwrap_or_default();
    let origin = Origin { time: now(), txn: random(), actor: actor(), gap: 0 };
    let (changes, record) = moved::plan(&view, &from, &to, &origin).map_err(|e| failed(&from, &e))?;

    if let Place::Sqlite(dir) = &target {
        std::fs::create_dir_all(dir).map_err(|e| failed(&to, &e))?;
    }
    let new = target.open().await.map_err(|e| failed(&to, &e))?;
    let (seq, hash) = (snapshot.seq, hash(&snapshot.entries));
    let values = snapshot.entries.len();
    new.restore(snapshot).await.map_err(|e| failed(&to, &e))?;
    let written = new.range("").await.map_err(|e| failed(&to, &e))?;
    if self::hash(&written.entries) != hash {
        return Err(failed(&to, &"what was written is not what was read; remove it and copy again"));
    }
    if old.barrier().await.map_err(|e| failed(&from, &e))? != seq {
        return Err(failed(
            &from,
            &"was written to meanwhile; stop every mgsd of it, remove the copy, try again",
        ));
    }
    let changes = changes.into_iter().map(|(key, value)| match value {
        Some(value) => Change::Put(key, value),
        None => Change::Delete(key),
    });
    let request = CommitRequest {
        txn: TxnId(origin.txn),
        base: seq,
        guards: Vec::new(),
        changes: changes.collect(),
        record,
    };
    match new.commit(request).await {
        CommitOutcome::Committed(seq) => {
            let epoch = view.meta.map_or(0, |m| m.epoch + 1);
            Ok(Copied { from, to, mgs_uuid: uuid, epoch, seq, values, sha256: hash })
        }
        CommitOutcome::Conflict { at } => Err(failed(
            &to,
            &format!("somebody else has written to it (commit {at}); remove it and copy again"),
        )),
        CommitOutcome::Unknown(error) => Err(failed(&to, &format!("{error}; remove it and copy again"))),
    }
}

/// SHA-256 over all keys and values.
fn hash(entries: &[Entry]) -> String {
    let mut bytes = Vec::new();
    for Entry { key, value } in entries {
        bytes.extend((key.len() as u64).to_le_bytes());
        bytes.extend(key.as_bytes());
        bytes.extend((value.len() as u64).to_le_bytes());
        bytes.extend(value);
    }
    sha256_hex(&bytes)
}

fn now() -> i64 {
    #[allow(clippy::disallowed_methods)] // the rim: here the clock is read
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

fn random() -> u128 {
    uuid::Uuid::new_v4().as_u128()
}

fn actor() -> String {
    format!("uid:{}", rustix::process::geteuid().as_raw())
}

fn show(copied: &Copied) -> String {
    let mut fields = Fields::default();
    fields.add("copied", format!("{} to {}", copied.from, copied.to));
    fields.add("mgs uuid", &copied.mgs_uuid);
    fields.add("epoch", copied.epoch);
    fields.add("seq", copied.seq);
    fields.add("values", format!("{}, read back equal (sha256 {})", copied.values, copied.sha256));
    fields.add("next", format!("start mgsd with --store {}", copied.to));
    fields.render()
}
