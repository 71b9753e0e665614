//! The full check of the store while it is in use: every page, value and commit, once in a while.

use std::sync::{Arc, Weak};
use std::time::Duration;
use store_backends::sqlite::SqliteStore;
use tokio::sync::watch;

/// What the last check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// When it ended, unix seconds.
    pub at: u64,
    /// What is wrong, one line each; empty: nothing.
    pub damage: Vec<String>,
}

/// Checks `store` each `every` until it is closed. `opened`, unix seconds: the store was checked as it was opened.
/// One thread of low importance reads; commits go on meanwhile.
pub fn spawn(store: &Arc<SqliteStore>, opened: u64, every: Duration) -> watch::Receiver<Checked> {
    let (found, last) = watch::channel(Checked { at: opened, damage: Vec::new() });
    tokio::spawn(run(Arc::downgrade(store), every, found));
    last
}

async fn run(store: Weak<SqliteStore>, every: Duration, found: watch::Sender<Checked>) {
    loop {
        tokio::time::sleep(every).await;
        let Some(store) = store.upgrade() else { return };
        match store.check().await {
            Ok(findings) => {
                let damage: Vec<String> = findings.iter().map(ToString::to_string).collect();
                for finding in &damage {
                    tracing::error!(
                        finding,
                        "the store is damaged; what is in memory is served on: make a backup of the logs (mgsctl log cat), then restore"
                    );
                }
                if damage.is_empty() {
                    tracing::info!("store checked: no damage found");
                }
                found.send_replace(Checked { at: super::drive::wall(), damage });
            }
            Err(error) => tracing::warn!(%error, "the store could not be checked"),
        }
    }
}
