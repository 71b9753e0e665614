//! Indices that are kept for targets to come. The file system need not exist yet.

use super::registration::name;
use crate::Errno;
use crate::error::Error;
use crate::model::commit::EventKind;
use crate::model::names::{MAX_INDEX, TargetId, TargetKind, check_fsname};
use crate::model::registration::texts;
use crate::model::rules::Reservation;
use crate::model::tx::Tx;
use wire::Nid;

/// Most indices of one order: what every store takes in one commit.
pub const MOST: u32 = 64;
/// Longest note of who reserves, bytes.
const NOTE: usize = 200;

/// Changes of reservations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Keeps the lowest free indices.
    Reserve(Reserve),
    /// Lets one go.
    Unreserve {
        /// `testfs-OST0004`.
        target: String,
    },
}

/// What is to be reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// File system, which need not exist.
    pub fs: String,
    /// MDT or OST.
    pub kind: TargetKind,
    /// How many.
    pub count: u32,
    /// Seconds until it ends; none: never.
    pub expires: Option<u32>,
    /// Who, for what; empty: who orders it.
    pub by: String,
    /// Only nodes with one of these NIDs may take them; empty: whoever names the index.
    pub nids: Vec<Nid>,
}

impl Command {
    pub(super) fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        match self {
            Self::Reserve(reserve) => reserve.plan(tx),
            Self::Unreserve { target } => {
                let (fs, id) = name(target)?;
                let before = tx.reserved(fs, id).cloned();
                if before.is_none() {
                    return Err(Error::refused(
                        format!("target '{}'", id.svname(fs)),
                        Errno::ENOENT,
                        "has no reservation",
                        "see 'mgsctl target reserved'",
                    ));
                }
                tx.set_reserved(fs, id, None);
                tx.event(EventKind::IndexUnreserved { target: id.svname(fs), before });
                Ok(())
            }
        }
    }
}

impl Reserve {
    fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let fs = self.fs.as_str();
        check_fsname(fs)?;
        let refused = |errno, what: String, hint: &str| {
            Err(Error::refused(format!("reservation for '{fs}'"), errno, what, hint))
        };
        if !(1..=MOST).contains(&self.count) {
            let what = format!("{} indices cannot be reserved at once", self.count);
            return refused(Errno::EINVAL, what, "1 to 64 can; ask again for more");
        }
        if self.by.len() > NOTE || self.by.chars().any(char::is_control) {
            let what = "the note is longer than 200 bytes or has control characters".to_owned();
            return refused(Errno::EINVAL, what, "a name or a ticket number will do");
        }
        let returning = tx.returning(fs).cloned().unwrap_or_default();
        let free: Vec<TargetId> = (0..=MAX_INDEX)
            .map(|index| TargetId { kind: self.kind, index })
            .filter(|id| tx.target(fs, *id).is_none() && tx.reserved(fs, *id).is_none())
            // They come back after a writeconf.
            .filter(|id| !returning.targets.contains(id))
            .take(self.count as usize)
            .collect();
        if free.len() < self.count as usize {
            let what = format!("only {} indices are free", free.len());
            return refused(Errno::ERANGE, what, "a file system has indices 0 to 65534 per kind of target");
        }
        let until = self.expires.map(|seconds| tx.wall() + i64::from(seconds));
        let by = if self.by.is_empty() { tx.actor().to_owned() } else { self.by.clone() };
        for id in free {
            tx.event(EventKind::IndexReserved { target: id.svname(fs), nids: texts(&self.nids), until });
            let reservation = Reservation { nids: self.nids.clone(), by: by.clone(), time: tx.wall(), until };
            tx.set_reserved(fs, id, Some(reservation));
        }
        Ok(())
    }
}
