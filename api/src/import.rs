//! Taking over from a kernel MGS, and giving back: what its disk holds, as one document.

use std::collections::BTreeMap;

use hyper::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Change, Client, Error};

/// Largest document that is taken, bytes.
pub const IMPORT_MAX: usize = 256 << 20;

/// What the disk of a kernel MGS (its MGT) holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Mgt {
    /// Where it was found; goes into the record of the commit.
    #[serde(default)]
    pub from: String,
    /// The commit that it reflects; 0 in an import.
    #[serde(default)]
    pub seq: u64,
    /// `CONFIGS/*`: logs by name, each file in hexadecimal digits.
    pub logs: BTreeMap<String, String>,
    /// `NIDTBL_VERSIONS/*`: version of the NID table of each file system.
    #[serde(default)]
    pub tables: BTreeMap<String, u64>,
    /// Entries of the nodemap index, key and record of each in 80 hexadecimal digits, in the order of their keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodemaps: Option<Vec<String>>,
}

impl Client {
    /// Takes over what a kernel MGS has on its disk, in one commit. The daemon has to be empty, or to hold exactly this.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn import(&self, mgt: &Mgt, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::POST, "/v1/mgt", mgt, dry_run).await
    }

    /// What a kernel MGS needs on its disk to go on.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn export(&self) -> Result<Mgt, Error> {
        self.json("/v1/mgt").await
    }
}
