//! How a command ends.

use std::io;
use std::process::ExitCode;

use mgs_api::Client;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The daemon, or the way to it.
    #[error(transparent)]
    Api(#[from] mgs_api::Error),
    /// The name that was given with --mgs.
    #[error(transparent)]
    Mgs(#[from] mgs_api::BadMgs),
    /// A log that the daemon gave is not a log.
    #[error("log {name:?}: {source}")]
    Log {
        /// Name of the log.
        name: String,
        /// What is wrong.
        source: llog::Error,
    },
    /// A file or stream of this machine.
    #[error("{what}: {source}")]
    Io {
        /// Which one.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// What a file, or stdin, holds.
    #[error("{what}: {why}")]
    Input {
        /// Its name, with the line where it is known.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The verdicts were printed; some refuse.
    #[error("{refused} of {judged} assignments refused")]
    Judged {
        /// How many are wrong.
        refused: usize,
        /// How many there were.
        judged: usize,
    },
    /// A command of `mgsctl lctl` has said why.
    #[error("exit code {code}")]
    Front {
        /// Exit code of lctl.
        code: u8,
    },
    /// The MGS that was chosen cannot be reached; the daemon that has or had it says more.
    #[error("MGS {name:?}: {why}")]
    Chosen {
        /// Its name.
        name: String,
        /// What is there instead.
        why: String,
    },
    /// Binary data would go to a terminal.
    #[error("{name}: binary data is not written to a terminal; use -o FILE")]
    Terminal {
        /// What it is of.
        name: String,
    },
}

impl Failure {
    /// Says more of an MGS that was chosen and is not there: asks the daemon which ones it serves.
    pub(crate) async fn of_mgs(self, name: String, all: Client) -> Self {
        if !matches!(self, Failure::Api(mgs_api::Error::Unreachable { .. })) {
            return self;
        }
        match all.status().await {
            Ok(status) => {
                let why =
                    format!("not served here; the daemon serves one MGS, {:?}: leave --mgs out", status.name);
                Failure::Chosen { name, why }
            }
            Err(mgs_api::Error::Refused(problem)) if problem.kind == mgs_api::ProblemKind::SeveralMgs => {
                Failure::Chosen { name, why: format!("not served now; {problem}") }
            }
            Err(_) => self,
        }
    }

    /// Exit code of the contract.
    fn code(&self) -> u8 {
        use mgs_api::{Error, ProblemKind};
        match self {
            Failure::Front { code } => *code,
            Failure::Api(Error::BadAddress(_)) | Failure::Mgs(_) => 2,
            Failure::Api(Error::Refused(problem)) if problem.kind == ProblemKind::SeveralMgs => 2,
            Failure::Chosen { .. } => 3,
            // The daemon itself does not know how it ended.
            Failure::Api(Error::Refused(problem)) if problem.kind == ProblemKind::Timeout => 3,
            Failure::Api(Error::Unreachable { .. } | Error::Unknown { .. }) => 3,
            Failure::Api(Error::Refused(_) | Error::Foreign { .. })
            | Failure::Log { .. }
            | Failure::Io { .. }
            | Failure::Input { .. }
            | Failure::Judged { .. }
            | Failure::Terminal { .. } => 1,
        }
    }

    /// Prints the one line and gives the exit code. A reader that went away (`mgsctl … | head`) has what it wanted.
    pub(crate) fn report(&self) -> ExitCode {
        if let Failure::Io { source, .. } = self
            && source.kind() == io::ErrorKind::BrokenPipe
        {
            return ExitCode::SUCCESS;
        }
        if let Failure::Front { code } = self {
            return ExitCode::from(*code);
        }
        eprintln!("mgsctl: {}", crate::table::one_line(&self.to_string()));
        ExitCode::from(self.code())
    }
}
