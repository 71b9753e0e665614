//! What an administrator or a program asks to change: one file per noun, pure like the rest of the model. The same
//! planner, commit and notification serve it as serve a registration.

pub mod barrier;
pub mod eviction;
pub mod fork;
pub mod fs;
pub mod gate;
pub mod import;
pub mod log;
pub mod nids;
pub mod nodemap;
pub mod param;
pub mod pool;
pub mod registration;
pub mod reservation;
pub mod retention;
pub mod sptlrpc;

use super::Resource;
use super::commit::EventKind;
use super::tx::Tx;
use crate::Errno;
use crate::error::Error;

/// A change that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `mgsctl barrier …`
    Barrier(barrier::Command),
    /// `mgsctl client …`
    Client(eviction::Command),
    /// `mgsctl fs …`
    Fs(fs::Command),
    /// `mgsctl fs fork`, `rename`, `erase`
    Fork(fork::Command),
    /// `mgsctl import`
    Import(import::Command),
    /// `mgsctl log …`
    Log(log::Command),
    /// `mgsctl target replace-nids`
    Nids(nids::Command),
    /// `mgsctl nodemap …`
    Nodemap(nodemap::Command),
    /// `mgsctl param …`
    Param(param::Command),
    /// `mgsctl pool …`
    Pool(pool::Command),
    /// `mgsctl registration …`
    Registration(registration::Command),
    /// `mgsctl target reserve …`
    Reservation(reservation::Command),
    /// `mgsctl sptlrpc …`
    Sptlrpc(sptlrpc::Command),
    /// Old commit records go.
    Retention(retention::Command),
}

/// A command with who asks, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// `uid:0`, `nid:10.0.0.1@tcp`, `direct:sqlite`: goes into the record of the commit.
    pub actor: String,
    /// What.
    pub command: Command,
    /// Say what would happen, change nothing.
    pub dry_run: bool,
}

/// What an order did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The commit; `None` when nothing was changed: a dry run, or all was as asked for already.
    pub seq: Option<u64>,
    /// What happened.
    pub events: Vec<EventKind>,
    /// What is not refused, and yet may not be meant.
    pub warnings: Vec<String>,
    /// Whose readers are told.
    pub notified: Vec<Resource>,
    /// Logs that change.
    pub logs: Vec<LogEffect>,
}

/// What becomes of one log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogEffect {
    /// Its name.
    pub log: String,
    /// It, or what stood under its name, is erased first.
    pub erased: bool,
    /// Indices of records that are edited in place: markers, and NIDs for mounts to come.
    pub edited: Vec<u32>,
    /// Indices of records that are cancelled.
    pub cancelled: Vec<u32>,
    /// Records appended, as `lctl llog_print --raw` shows them.
    pub appended: Vec<String>,
}

impl From<barrier::Command> for Command {
    fn from(command: barrier::Command) -> Self {
        Self::Barrier(command)
    }
}

impl From<eviction::Command> for Command {
    fn from(command: eviction::Command) -> Self {
        Self::Client(command)
    }
}

impl From<fs::Command> for Command {
    fn from(command: fs::Command) -> Self {
        Self::Fs(command)
    }
}

impl From<fork::Command> for Command {
    fn from(command: fork::Command) -> Self {
        Self::Fork(command)
    }
}

impl From<import::Command> for Command {
    fn from(command: import::Command) -> Self {
        Self::Import(command)
    }
}

impl From<log::Command> for Command {
    fn from(command: log::Command) -> Self {
        Self::Log(command)
    }
}

impl From<nids::Command> for Command {
    fn from(command: nids::Command) -> Self {
        Self::Nids(command)
    }
}

impl From<nodemap::Command> for Command {
    fn from(command: nodemap::Command) -> Self {
        Self::Nodemap(command)
    }
}

impl From<param::Command> for Command {
    fn from(command: param::Command) -> Self {
        Self::Param(command)
    }
}

impl From<pool::Command> for Command {
    fn from(command: pool::Command) -> Self {
        Self::Pool(command)
    }
}

impl From<registration::Command> for Command {
    fn from(command: registration::Command) -> Self {
        Self::Registration(command)
    }
}

impl From<reservation::Command> for Command {
    fn from(command: reservation::Command) -> Self {
        Self::Reservation(command)
    }
}

impl From<sptlrpc::Command> for Command {
    fn from(command: sptlrpc::Command) -> Self {
        Self::Sptlrpc(command)
    }
}

impl From<retention::Command> for Command {
    fn from(command: retention::Command) -> Self {
        Self::Retention(command)
    }
}

impl Command {
    /// Plans it.
    ///
    /// # Errors
    /// [`Error::Refused`] names the object, what was wrong and the next step.
    pub fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        match self {
            Self::Barrier(command) => command.plan(tx),
            Self::Client(command) => command.plan(tx),
            Self::Fs(command) => command.plan(tx),
            Self::Fork(command) => command.plan(tx),
            Self::Import(command) => command.plan(tx),
            Self::Log(command) => command.plan(tx),
            Self::Nids(command) => command.plan(tx),
            Self::Nodemap(command) => command.plan(tx),
            Self::Param(command) => command.plan(tx),
            Self::Pool(command) => command.plan(tx),
            Self::Registration(command) => command.plan(tx),
            Self::Reservation(command) => command.plan(tx),
            Self::Sptlrpc(command) => command.plan(tx),
            Self::Retention(command) => command.plan(tx),
        }
    }

    /// What nobody may use meanwhile, and what a kernel MGS answers when somebody does.
    pub(crate) fn unmounts(&self) -> Option<(InUse<'_>, Errno)> {
        match self {
            Self::Fork(command) => Some((InUse::Fs(command.unmounts()?), Errno::EBUSY)),
            Self::Log(command) => Some((command.unmounts()?, Errno::EBUSY)),
            Self::Nids(command) => Some((InUse::Fs(command.unmounts()?), Errno::EINPROGRESS)),
            _ => None,
        }
    }
}

/// What a command takes away from under its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InUse<'a> {
    /// Logs of a file system.
    Fs(&'a str),
    /// What every node reads.
    All,
}
