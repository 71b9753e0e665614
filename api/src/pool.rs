//! Noun `pool`: OST pools.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pool {
    /// File system.
    pub fs: String,
    /// Its name in it.
    pub name: String,
    /// Members, such as `testfs-OST0000`, by index.
    pub members: Vec<String>,
}

/// A new pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPool {
    /// `FS.POOL`.
    pub pool: String,
}

/// OSTs that join or leave a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolMembers {
    /// `OST0000`, `testfs-OST0000`, or lists such as `OST[0-3,8-a/2]` (hexadecimal).
    pub osts: Vec<String>,
}
