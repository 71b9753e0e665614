//! What the commands share: the daemon, the two streams, the ways to end.

use std::io::{IsTerminal, Write};

use mgs_api::{Client, Error, ProblemKind};

use super::errno::Errno;

/// How a command ends without success. What is to be said was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// lctl makes its exit code of an errno.
    Errno(Errno),
    /// The words make no command: its usage is printed. Exit code 4 (`CMD_HELP`).
    Usage,
    /// No device to work on: exit code 1 (`CMD_INCOMPLETE`).
    Incomplete,
    /// Nobody reads any more.
    Gone,
}

/// Result of a command.
pub(super) type Done<T = ()> = Result<T, End>;

/// A running command.
pub(super) struct Front<'a> {
    /// The daemon.
    pub(super) api: &'a Client,
    /// The command, as it stands in messages.
    pub(super) name: &'a str,
}

impl Front<'_> {
    /// Prints to stdout.
    pub(super) fn say(&self, text: impl AsRef<str>) -> Done {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_ref().as_bytes()).and_then(|()| out.flush()).map_err(|_| End::Gone)
    }

    /// Prints a line to stderr.
    pub(super) fn complain(&self, line: impl AsRef<str>) {
        // Without stderr the exit code has to do.
        let _ = writeln!(std::io::stderr().lock(), "{}", line.as_ref());
    }

    /// The errno of what went wrong. lctl says no more than that, and a kernel writes the reason to its console: here a
    /// person at a terminal gets it in a line of its own, and a script the lines that it knows.
    pub(super) fn errno(&self, error: &Error) -> Errno {
        match error {
            Error::Unreachable { .. }
            | Error::Unknown { .. }
            | Error::Foreign { .. }
            | Error::BadAddress(_) => {
                self.complain(crate::table::one_line(&error.to_string()));
            }
            // No kernel has this case.
            Error::Refused(problem) if problem.kind == ProblemKind::SeveralMgs => {
                self.complain(crate::table::one_line(&error.to_string()));
            }
            Error::Refused(_) => self.note(&error.to_string()),
        }
        if matches!(error, Error::Unreachable { .. }) {
            self.complain("No device found for name MGS: Invalid argument");
            self.complain("This command must be run on the MGS.");
        }
        Errno::of(error)
    }

    /// A line beyond those of lctl, for a person at a terminal.
    pub(super) fn note(&self, text: &str) {
        if std::io::stderr().is_terminal() {
            self.complain(format!("# {}", crate::table::one_line(text)));
        }
    }

    /// What a person at a terminal should know though it is no error.
    pub(super) fn warn(&self, warnings: &[String]) {
        for warning in warnings {
            self.note(warning);
        }
    }
}
