//! Retention: old commit records are deleted, by a commit like any other.
//!
//! ```text
//!   commit/1 … commit/n   deleted          pruned = { through: n, sha256 of commit/n }
//!   commit/n+1 …          its field prev is that hash: what is left of the chain stays anchored
//! ```

use crate::Errno;
use crate::error::Error;
use crate::model::commit::EventKind;
use crate::model::tx::Tx;
use serde::{Deserialize, Serialize};

/// Most records deleted by one commit.
pub const STEP: u64 = 64;

/// `pruned`: where the commit records begin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// The last record that was deleted; 0: none was.
    pub through: u64,
    /// SHA-256 (hex) of that record: the field `prev` of the first one left.
    pub sha256: String,
}

/// Delete the records up to `through`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command(pub Pruned);

impl Command {
    pub(super) fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let (from, to) = (tx.pruned(), self.0.through);
        let refused = |what: String| {
            let next = "records go from the oldest on, up to 64 at a time, never the newest";
            Err(Error::refused(format!("commit records up to {to}"), Errno::EINVAL, what, next))
        };
        if to <= from {
            return refused(format!("are deleted up to {from} already"));
        }
        if to - from > STEP || to + 1 >= tx.seq() {
            return refused(format!("begin at {}, end at {}", from + 1, tx.seq() - 1));
        }
        tx.event(EventKind::CommitsPruned { through: to });
        tx.prune(self.0.clone());
        Ok(())
    }
}
