//! End-to-end tests against mgsd.
//!
//! [`replay`]: the peers of a golden capture play their part again, over real TCP, against mgsd in this process; what
//! it answers is held against what the recorded kernel MGS answered. [`state`]: so are the logs in its store.
//! [`mask`]: the closed list of what may differ; [`gap`]: what differs all the same.

pub mod daemon;
pub mod gap;
pub mod logs;
pub mod mask;
pub mod replay;
pub mod state;
pub mod timeline;
pub mod transplant;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Why a scenario cannot be played; what mgsd does wrong is a [`replay::Difference`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A golden file.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The capture cannot be read.
    #[error(transparent)]
    Load(#[from] capture::CaptureError),
    /// A stream in the capture.
    #[error("{path}: from {peer} at {:.6}: {what}", time.as_secs_f64())]
    Capture {
        /// The capture.
        path: PathBuf,
        /// The side that dialled.
        peer: SocketAddr,
        /// When.
        time: Duration,
        /// What is wrong.
        what: String,
    },
    /// An archive of recorded states.
    #[error("{path}: {what}")]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The mask is not the one that the comparer implements.
    #[error("{path}: {what}")]
    Mask {
        /// The mask.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The daemon.
    #[error("mgsd: {0}")]
    Daemon(String),
    /// Its API.
    #[error(transparent)]
    Api(#[from] mgs_api::Error),
    /// A TCP connection to it.
    #[error("connection to mgsd: {0}")]
    Tcp(std::io::Error),
    /// A captured message that the replay cannot repeat.
    #[error("captured at {:.6}: {what}", time.as_secs_f64())]
    Unplayable {
        /// When it was captured.
        time: Duration,
        /// Why not.
        what: String,
    },
}
