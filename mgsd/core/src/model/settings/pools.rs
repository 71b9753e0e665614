//! Pools outlive a writeconf of MDT0000, too: each is made again, and gets its members back as they register.

use crate::error::Error;
use crate::model::command::pool::{self, Action, Members, pools};
use crate::model::names::{TargetId, client_log};
use crate::model::tx::Tx;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// `fs/<fs>/pools`: pools that a writeconf has erased.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingPools {
    /// Pool → members that have not come back, `testfs-OST0000`.
    pub pools: BTreeMap<String, BTreeSet<String>>,
}

fn now(tx: &Tx<'_>, fs: &str) -> BTreeMap<String, BTreeSet<String>> {
    pools(fs, tx.log(&client_log(fs)).map(|entry| &entry.log))
}

/// The logs are about to be erased.
pub(super) fn keep(tx: &mut Tx<'_>, fs: &str) {
    let mut waiting = tx.waiting_pools(fs).cloned().unwrap_or_default();
    for (pool, members) in now(tx, fs) {
        waiting.pools.entry(pool).or_default().extend(members);
    }
    tx.set_waiting_pools(fs, Some(waiting));
}

/// A target has registered: pools that were waiting go on.
pub(super) fn bind(tx: &mut Tx<'_>, fs: &str) -> Result<(), Error> {
    let Some(waiting) = tx.waiting_pools(fs).cloned() else { return Ok(()) };
    // The pools of an MDT that registers later are copied from the others.
    if tx.mdts(fs).is_empty() || tx.log_is_empty(&client_log(fs)) {
        return Ok(());
    }
    let mut left = WaitingPools::default();
    for (pool, members) in waiting.pools {
        let command = |action| pool::Command { fs: fs.to_owned(), pool: pool.clone(), action };
        if !now(tx, fs).contains_key(&pool) {
            command(Action::New).plan(tx)?;
        }
        let known = now(tx, fs).remove(&pool).unwrap_or_default();
        let registered = |name: &String| {
            TargetId::parse_svname(name).filter(|(_, id)| tx.target(fs, *id).is_some()).map(|(_, id)| id)
        };
        let back: Vec<TargetId> =
            members.iter().filter(|name| !known.contains(*name)).filter_map(registered).collect();
        let absent: BTreeSet<String> =
            members.iter().filter(|name| registered(name).is_none()).cloned().collect();
        if !back.is_empty() {
            command(Action::Add(Members::Ids(back))).plan(tx)?;
        }
        if !absent.is_empty() {
            left.pools.insert(pool.clone(), absent);
        }
    }
    tx.set_waiting_pools(fs, Some(left));
    Ok(())
}

/// Somebody destroyed a pool: nobody waits for it any more.
pub fn drop_pool(tx: &mut Tx<'_>, fs: &str, pool: &str) {
    if let Some(mut waiting) = tx.waiting_pools(fs).cloned()
        && waiting.pools.remove(pool).is_some()
    {
        tx.set_waiting_pools(fs, Some(waiting));
    }
}
