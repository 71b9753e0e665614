//! Noun `sptlrpc`: security rules between the nodes of a file system.

use hyper::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::client::query;
use crate::{Change, Client, Error, List};

/// A rule in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecurityRule {
    /// File system, or target.
    pub device: String,
    /// `default`, or a network such as `tcp1`.
    pub network: String,
    /// `cli2mdt`, `cli2ost`, `mdt2mdt`, `mdt2ost`; none: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// Such as `null`, `krb5p`, `skpi`.
    pub flavor: String,
    /// Log that holds it.
    pub log: String,
    /// Index of its record there.
    pub index: u32,
}

/// A rule to set, or to take away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecurityRuleChange {
    /// File system, or target: `testfs`, `testfs-OST0000`.
    pub device: String,
    /// `NET[.DIRECTION]`: `default`, `tcp1.cli2ost`.
    pub rule: String,
    /// Such as `null`, `krb5p`, `skpi`; none: it is taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flavor: Option<String>,
}

impl Client {
    /// Security rules in force, in the order in which nodes look for them: all, or those of one file system.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn security_rules(&self, fs: Option<&str>) -> Result<List<SecurityRule>, Error> {
        self.json(&format!("/v1/sptlrpc{}", query(&[("fs", fs)]))).await
    }

    /// Sets a rule, or takes it away.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn security_rule_set(&self, to: &SecurityRuleChange, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::PUT, "/v1/sptlrpc", to, dry_run).await
    }
}
