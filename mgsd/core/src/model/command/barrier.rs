//! Noun `barrier`: the write barrier that snapshots need (mgs/08, 8.4). Nothing of it is stored: the engine asks the MDTs
//! and keeps what they said.

use crate::Errno;
use crate::error::Error;
use crate::model::tx::Tx;

/// What is asked of the MDTs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// File system.
    pub fs: String,
    /// What.
    pub action: Action,
}

/// What is asked of the MDTs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing is changed on any MDT from now on, and everything before is on disk.
    Freeze {
        /// It ends by itself after so long, seconds; 0: 30.
        timeout: u32,
    },
    /// It ends.
    Thaw,
    /// Which MDTs are there; those that are not do not count from now on.
    Rescan,
}

/// A freeze without a time ends after so long, seconds (`BARRIER_TIMEOUT_DEFAULT`).
pub const DEFAULT_TIMEOUT: u32 = 30;

/// How far it got, as `lctl barrier_stat` names it (`lustre_barrier_user.h: enum barrier_status`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum State {
    /// Nobody has asked yet.
    #[default]
    Init = 0,
    /// MDTs stop changes of clients and flush.
    FreezingP1 = 1,
    /// MDTs commit.
    FreezingP2 = 2,
    /// In force.
    Frozen = 3,
    /// It is being lifted.
    Thawing = 4,
    /// It was lifted.
    Thawed = 5,
    /// An MDT did not do its part.
    Failed = 6,
    /// Its time is over.
    Expired = 7,
    /// MDTs are being counted.
    Rescan = 8,
}

impl State {
    /// The word of `lctl barrier_stat`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::FreezingP1 => "freezing_p1",
            Self::FreezingP2 => "freezing_p2",
            Self::Frozen => "frozen",
            Self::Thawing => "thawing",
            Self::Thawed => "thawed",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Rescan => "rescan",
        }
    }
    /// The number on the wire.
    #[allow(clippy::as_conversions)] // the numbers are those of the enum
    pub const fn wire(self) -> u32 {
        self as u32
    }
    /// From the number on the wire.
    pub const fn from_wire(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Init,
            1 => Self::FreezingP1,
            2 => Self::FreezingP2,
            3 => Self::Frozen,
            4 => Self::Thawing,
            5 => Self::Thawed,
            6 => Self::Failed,
            7 => Self::Expired,
            8 => Self::Rescan,
            _ => return None,
        })
    }
    /// Its time runs.
    pub const fn is_timed(self) -> bool {
        matches!(self, Self::FreezingP1 | Self::FreezingP2 | Self::Frozen)
    }
}

impl Command {
    /// A refusal.
    pub(crate) fn refused(&self, errno: Errno, what: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::refused(format!("barrier of '{}'", self.fs.escape_default()), errno, what, hint)
    }

    /// Orders of this noun go to the engine, which knows the MDTs.
    pub(super) fn plan(&self, _tx: &mut Tx<'_>) -> Result<(), Error> {
        Err(Error::Bug { what: "a barrier is not planned".to_owned() })
    }

    /// Whether it may be asked in a state.
    ///
    /// # Errors
    /// Those of a kernel MGS.
    pub(crate) fn check(&self, now: State) -> Result<(), Error> {
        use State as S;
        let wait = "wait until that is done; 'mgsctl barrier stat' shows it";
        let refused = |errno, what: &str, hint: &str| Err(self.refused(errno, what, hint));
        match (self.action, now) {
            (Action::Freeze { .. }, S::FreezingP1 | S::FreezingP2) => {
                refused(Errno::EINPROGRESS, "is being set up already", wait)
            }
            (Action::Freeze { .. }, S::Frozen) => {
                refused(Errno::EALREADY, "is in force already", "lift it with 'mgsctl barrier thaw'")
            }
            (Action::Freeze { .. }, S::Thawing) | (Action::Rescan, S::Thawing) => {
                refused(Errno::EBUSY, "is being lifted", wait)
            }
            (Action::Freeze { .. } | Action::Thaw, S::Rescan) => {
                refused(Errno::EBUSY, "has its MDTs counted", wait)
            }
            (Action::Thaw, S::Init | S::Thawed) => {
                refused(Errno::EALREADY, "is not in force", "nothing has to be done")
            }
            (Action::Thaw, S::Thawing) => refused(Errno::EINPROGRESS, "is being lifted already", wait),
            (Action::Thaw | Action::Rescan, S::FreezingP1 | S::FreezingP2) => {
                refused(Errno::EBUSY, "is being set up", wait)
            }
            (Action::Rescan, S::Frozen) => {
                refused(Errno::EBUSY, "is in force", "lift it with 'mgsctl barrier thaw'")
            }
            (Action::Rescan, S::Rescan) => refused(Errno::EINPROGRESS, "has its MDTs counted already", wait),
            _ => Ok(()),
        }
    }
}
