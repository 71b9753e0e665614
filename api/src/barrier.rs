//! Noun `barrier`: the write barrier that snapshots need.

use hyper::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::client::segment;
use crate::{Change, Client, Error};

/// The write barrier of a file system. Nothing of it is stored: a daemon that starts anew begins with `init`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Barrier {
    /// File system.
    pub fs: String,
    /// How far it got, in the words of `lctl barrier_stat`: `init`, `freezing_p1`, `freezing_p2`, `frozen`, `thawing`,
    /// `thawed`, `failed`, `expired`, `rescan`.
    pub state: String,
    /// Seconds until it ends by itself; 0 when it is not in force.
    pub left: u64,
    /// MDTs that count.
    pub mdts: u64,
    /// MDTs that did not answer the last count, and do not count.
    pub absent: u64,
}

/// A write barrier to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FreezeBarrier {
    /// It ends by itself after so many seconds; 0: 30.
    #[serde(default)]
    pub timeout: u32,
}

impl Client {
    /// The write barrier of a file system.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn barrier(&self, fs: &str) -> Result<Barrier, Error> {
        self.json(&format!("/v1/fs/{}/barrier", segment(fs))).await
    }

    /// Sets up a write barrier; answered when every MDT is frozen, or it has failed.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn barrier_freeze(&self, fs: &str, how: FreezeBarrier, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::POST, &format!("/v1/fs/{}/barrier/freeze", segment(fs)), &how, dry_run).await
    }

    /// Lifts a write barrier.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn barrier_thaw(&self, fs: &str, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::POST, &format!("/v1/fs/{}/barrier/thaw", segment(fs)), &(), dry_run).await
    }

    /// Counts the MDTs: the event of the answer has `total` and `absent`.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn barrier_rescan(&self, fs: &str, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::POST, &format!("/v1/fs/{}/barrier/rescan", segment(fs)), &(), dry_run).await
    }
}
