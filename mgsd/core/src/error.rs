//! Errors by blame, and the one function that maps them to the errno of a reply.

use crate::errno::Errno;

/// Why a request did not succeed; who is to blame decides the level of the log line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are not what the protocol says.
    #[error("malformed: {0}")]
    Malformed(#[from] wire::Error),
    /// Well-formed, but against the rules of the protocol.
    #[error("peer misbehaved: {what}")]
    PeerMisbehaved {
        /// What it did.
        what: &'static str,
        /// What it is told.
        errno: Errno,
    },
    /// Something that this MGS does not offer.
    #[error("not supported: {what}")]
    Unsupported {
        /// What was asked for.
        what: String,
        /// What the peer is told.
        errno: Errno,
    },
    /// Not at the moment; the peer comes back.
    #[error("not now: {what}")]
    NotNow {
        /// Why.
        what: &'static str,
        /// What the peer is told.
        errno: Errno,
    },
    /// Understood and refused.
    #[error("{object}: {what}; {hint}")]
    Refused {
        /// The target, log or file system concerned.
        object: String,
        /// What was wrong with the request.
        what: String,
        /// What is allowed, and the next step.
        hint: String,
        /// What the peer is told.
        errno: Errno,
    },
    /// Refused by every policy, or because it is root's alone. The audit has it, too.
    #[error("{object}: {what}; {hint}")]
    Forbidden {
        /// As in [`Error::Refused`].
        object: String,
        /// As in [`Error::Refused`].
        what: String,
        /// As in [`Error::Refused`].
        hint: String,
        /// What the peer is told.
        errno: Errno,
        /// Class of what is wrong.
        class: &'static str,
        /// What was asked for, as it was written.
        request: String,
    },
    /// The store did not do its part.
    #[error("store: {what}")]
    Storage {
        /// What failed.
        what: String,
        /// What the peer is told.
        errno: Errno,
    },
    /// Ours.
    #[error("bug: {what}")]
    Bug {
        /// What was found.
        what: String,
    },
}

impl Error {
    /// The errno for the reply.
    pub const fn errno(&self) -> Errno {
        match self {
            Self::Malformed(_) => Errno::EPROTO,
            Self::PeerMisbehaved { errno, .. }
            | Self::Unsupported { errno, .. }
            | Self::NotNow { errno, .. }
            | Self::Refused { errno, .. }
            | Self::Forbidden { errno, .. }
            | Self::Storage { errno, .. } => *errno,
            Self::Bug { .. } => Errno::EIO,
        }
    }

    /// A refusal with its hint.
    pub fn refused(
        object: impl Into<String>,
        errno: Errno,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::Refused { object: object.into(), what: what.into(), hint: hint.into(), errno }
    }

    /// A refusal that the audit is to have; other errors stay as they are.
    #[must_use]
    pub fn forbidden(self, class: &'static str, request: impl Into<String>) -> Self {
        match self {
            Self::Refused { object, what, hint, errno } => {
                Self::Forbidden { object, what, hint, errno, class, request: request.into() }
            }
            other => other,
        }
    }
}

/// Result of the core.
pub type Result<T> = std::result::Result<T, Error>;
