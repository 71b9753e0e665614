//! Noun `fs`.

use crate::Errno;
use crate::error::Error;
use crate::model::commit::EventKind;
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
}

impl Command {
    pub(super) fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        match self {
            Self::Recovery { fs, off } => recovery(tx, fs, *off),
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
