//! Noun `log`: a configuration log and its records.

use hyper::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::client::segment;
use crate::{Change, Client, Error, List, Time};

/// Number of records that a config log can ever hold, padding and cancelled ones included: the largest index that the
/// bitmap of an 8192-byte header has room for (`lustre_idl.h: struct llog_log_hdr`).
pub const LOG_INDEX_BUDGET: u32 = 64_767;

/// One configuration log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Log {
    /// Name, such as `testfs-client`, `testfs-OST0000`, `params`.
    pub name: String,
    /// File system that it belongs to; none for `params`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fs: Option<String>,
    /// Log id as FID text, `[0xa:0x3:0x0]`.
    pub id: String,
    /// Records in force, without the header.
    pub records_live: u32,
    /// Records ever written, without the header: live, cancelled and padding.
    pub records_total: u32,
    /// Padding records among them.
    pub records_pad: u32,
    /// Index of the last record; 0 in an empty log.
    pub last_index: u32,
    /// Size of the file, bytes; 0 for a log that was never written.
    pub size: u64,
    /// Share of the 64767 indices that is used up, percent with two decimals. Indices never come back.
    pub budget_used: f64,
    /// How many commits of the size seen so far still fit; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commits_left: Option<u64>,
    /// What its past says of its end.
    #[serde(default)]
    pub forecast: Forecast,
    /// When its indices are used up if it goes on filling as so far; with the forecast `full` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_at: Option<Time>,
    /// Connected nodes that have fetched it. They remember an index of it, and go on in it.
    #[serde(default)]
    pub readers: u64,
    /// The newer generation beside it, `testfs-client@next`, which is served to nodes that never read this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// NIDs of nodes that are pinned to it although there is a newer generation; at most 64 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pinned: Vec<String>,
    /// How many there are; of these some may be silent for the moment.
    #[serde(default)]
    pub pinned_count: u64,
    /// When the log was created; none for a log that was never written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Time>,
}

/// What the past of a log says of its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Forecast {
    /// It has grown for less than a day: that says nothing.
    #[default]
    TooEarly,
    /// It does not grow.
    Steady,
    /// It will be full, see `full_at`.
    Full,
}

impl Log {
    /// Percentage for [`Log::budget_used`], rounded to two decimals.
    pub fn budget_used(last_index: u32) -> f64 {
        (f64::from(last_index) * 10_000.0 / f64::from(LOG_INDEX_BUDGET)).round() / 100.0
    }
}

/// How the older generation of a log is given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogRetire {
    /// Although nodes have read it: they hear no more of the log until they mount again.
    #[serde(default)]
    pub force: bool,
}

/// A connected node that has fetched a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogReader {
    /// NID of the node.
    pub nid: String,
    /// UUID of its MGC.
    pub uuid: String,
    /// It has fetched through this index.
    pub index: u32,
    /// The last index of the log.
    pub last: u32,
    /// When it fetched last.
    pub at: Time,
}

/// One record of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogRecord {
    /// Index, 1 to 64767.
    pub index: u32,
    /// Offset of the record in the file, bytes.
    pub offset: u64,
    /// Length of the record with head and tail, bytes.
    pub length: u32,
    /// Whether its bit is set: false for cancelled records and padding.
    pub live: bool,
    /// What it is: the event word of `lctl llog_print` (`attach`, `setup`, `marker` …), `pad`, or the type in
    /// hexadecimal for anything else.
    pub command: String,
    /// Device that the command is for (buffer 0), where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// `lcfg_flags`.
    pub flags: u32,
    /// `lcfg_num`.
    pub num: u32,
    /// NID in the record, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nid: Option<String>,
    /// Buffers 1 and up as text; binary ones (descriptors, markers) as `hex:…`.
    pub buffers: Vec<String>,
    /// Content of a marker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<Marker>,
}

/// A marker: opens or closes a section (`lustre_cfg.h: struct cfg_marker`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Marker {
    /// Step: number of the change, the same in both markers of a section.
    pub step: u32,
    /// Flags as a number, `CM_*`.
    pub flags: u32,
    /// Flags by name: `START`, `END`, `SKIP`, `EXCLUDE` …
    pub flag_names: Vec<String>,
    /// Version of Lustre that wrote it.
    pub lustre_version: String,
    /// What the section is about, `testfs-OST0000`.
    pub target: String,
    /// What it does, `add osc`.
    pub comment: String,
    /// When the section was written.
    pub created: Time,
    /// When it was cancelled; none while in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<Time>,
}

impl Client {
    /// Connected nodes that have fetched a log.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn log_readers(&self, log: &str) -> Result<List<LogReader>, Error> {
        self.json(&format!("/v1/logs/{}/readers", segment(log))).await
    }

    /// Cancels one record: mounts to come do not execute it.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn log_cancel(&self, log: &str, index: u32, dry_run: bool) -> Result<Change, Error> {
        let path = format!("/v1/logs/{}/records/{index}", segment(log));
        self.change(Method::DELETE, &path, &(), dry_run).await
    }

    /// Removes a log; of `params`, its records.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn log_remove(&self, log: &str, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::DELETE, &format!("/v1/logs/{}", segment(log)), &(), dry_run).await
    }

    /// Clears the bits of records that no reader executes, of a log or all logs of a file system.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn log_compact(&self, name: &str, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::POST, &format!("/v1/logs/{}/compact", segment(name)), &(), dry_run).await
    }

    /// Begins a newer generation of a log beside it, for nodes that never read it.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn log_renew(&self, log: &str, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::POST, &format!("/v1/logs/{}/renew", segment(log)), &(), dry_run).await
    }

    /// Gives up the older generation of a log. `force`: although nodes have read it.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn log_retire(&self, log: &str, force: bool, dry_run: bool) -> Result<Change, Error> {
        let path = format!("/v1/logs/{}/retire", segment(log));
        self.change(Method::POST, &path, &LogRetire { force }, dry_run).await
    }

    /// Writes the logs of a file system, or of one target, anew without what no reader executes.
    ///
    /// # Errors
    /// Like every call: [`Error`]. Refused while anybody is connected.
    pub async fn log_clear(&self, name: &str, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::POST, &format!("/v1/logs/{}/clear", segment(name)), &(), dry_run).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_is_a_percentage() {
        assert_eq!(Log::budget_used(0), 0.0);
        assert_eq!(Log::budget_used(40), 0.06);
        assert_eq!(Log::budget_used(LOG_INDEX_BUDGET), 100.0);
    }
}
