//! Noun `fs`.

use crate::Errno;
use crate::error::Error;
use crate::model::commit::EventKind;
use crate::model::rules::{Leave, Policy};
use crate::model::settings::Writeconf;
use crate::model::tx::Tx;
use crate::model::view::FsHead;

/// Changes of a file system as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Imperative recovery on or off; stored. The table is kept while it is off, nobody is told of its changes.
    Recovery {
        /// File system.
        fs: String,
        /// Off.
        off: bool,
    },
    /// How long file systems stay in `startup` after the start of this daemon; until its end, of all file systems.
    Startup {
        /// From now on.
        seconds: u64,
    },
    /// Notifications of readers of the NID table are counted from zero again.
    ForgetNotified {
        /// File system.
        fs: String,
    },
    /// What happens to targets that nobody knows.
    Policy {
        /// File system.
        fs: String,
        /// From now on.
        policy: Policy,
    },
    /// What a writeconf does to its settings and pools.
    Writeconf {
        /// File system.
        fs: String,
        /// From now on.
        writeconf: Writeconf,
    },
    /// One writeconf of MDT0000 within the hour may erase logs that nodes have mounted.
    ApproveWriteconf {
        /// File system.
        fs: String,
    },
}

/// Leave for a writeconf ends after so long, seconds.
pub const LEAVE: i64 = 3600;

impl Command {
    pub(super) fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        match self {
            Self::Recovery { fs, off } => recovery(tx, fs, *off),
            Self::Startup { .. } | Self::ForgetNotified { .. } => {
                Err(Error::Bug { what: "what is not stored is not planned".to_owned() })
            }
            Self::Policy { fs, policy } => set_policy(tx, fs, *policy),
            Self::Writeconf { fs, writeconf } => set_writeconf(tx, fs, *writeconf),
            Self::ApproveWriteconf { fs } => approve_writeconf(tx, fs),
        }
    }
}

/// The head of a file system that has to exist.
///
/// # Errors
/// `ENOENT`: there is no such file system.
pub fn known(tx: &Tx<'_>, fs: &str) -> Result<FsHead, Error> {
    tx.head(fs).cloned().ok_or_else(|| {
        let what = format!("file system '{}'", fs.escape_default());
        Error::refused(what, Errno::ENOENT, "is not known", "see 'mgsctl fs list'")
    })
}

fn recovery(tx: &mut Tx<'_>, fs: &str, off: bool) -> Result<(), Error> {
    let head = known(tx, fs)?;
    if head.recovery_off != off {
        tx.event(EventKind::RecoverySwitched { fs: fs.to_owned(), off });
        tx.set_head(fs, FsHead { recovery_off: off, ..head });
    }
    Ok(())
}

fn set_policy(tx: &mut Tx<'_>, fs: &str, policy: Policy) -> Result<(), Error> {
    let head = known(tx, fs)?;
    let before = head.registration;
    if before != policy {
        tx.event(EventKind::PolicySet { fs: Some(fs.to_owned()), policy, before });
        tx.set_head(fs, FsHead { registration: policy, ..head });
    }
    Ok(())
}

fn set_writeconf(tx: &mut Tx<'_>, fs: &str, writeconf: Writeconf) -> Result<(), Error> {
    let head = known(tx, fs)?;
    let before = head.writeconf;
    if before != writeconf {
        tx.event(EventKind::WriteconfSet { fs: fs.to_owned(), writeconf, before });
        tx.set_head(fs, FsHead { writeconf, ..head });
    }
    Ok(())
}

fn approve_writeconf(tx: &mut Tx<'_>, fs: &str) -> Result<(), Error> {
    known(tx, fs)?;
    let until = tx.wall() + LEAVE;
    let before = tx.leave(fs).cloned();
    tx.event(EventKind::WriteconfApproved { fs: fs.to_owned(), until, before });
    let by = tx.actor().to_owned();
    tx.set_leave(fs, Some(Leave { by, until }));
    Ok(())
}
