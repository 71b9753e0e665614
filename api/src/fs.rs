//! Noun `fs`: a file system.

use hyper::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::client::segment;
use crate::{Change, Client, Error, RegistrationPolicy, Time, Writeconf};

/// One Lustre file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileSystem {
    /// The Lustre fsname, 1 to 8 characters.
    pub name: String,
    /// Identity that survives a rename, and differs after a name was erased and used again.
    pub uuid: String,
    /// When the first target registered.
    pub created: Time,
    /// Version of the NID table (imperative recovery). Never goes back.
    pub nidtbl_version: u64,
    /// Imperative-recovery state.
    pub ir_state: IrState,
    /// Seconds in that state, as far as this daemon knows.
    pub ir_since: u64,
    /// Connected readers that cannot be notified: with one, the state is partial.
    pub nonir_clients: u64,
    /// How often readers of the NID table were told of a change since this daemon started.
    #[serde(default)]
    pub ir_notified: u64,
    /// Number of targets.
    pub target_count: u64,
    /// What happens to targets that nobody knows.
    #[serde(default)]
    pub registration: RegistrationPolicy,
    /// What a writeconf does to settings and pools.
    #[serde(default)]
    pub writeconf: Writeconf,
    /// Until then one writeconf of MDT0000 may erase what nodes have mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writeconf_approved: Option<Time>,
    /// Step of the newest marker in the logs (`gen` of `mgs.MGS.live.FS`).
    pub generation: u32,
}

/// Switch of imperative recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoverySwitch {
    /// On, or off: the table is kept, nobody is told of its changes.
    pub enabled: bool,
}

/// How long *startup* of imperative recovery lasts, of all file systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartupTime {
    /// Seconds after the start of the daemon.
    pub seconds: u64,
}

/// Imperative-recovery state of a file system; the words of `mgs.MGS.live.FS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum IrState {
    /// The MGS started less than `ir_timeout` ago; targets use full recovery windows.
    Startup,
    /// Every client can be notified; targets use short recovery windows.
    Full,
    /// Some clients cannot be notified; targets use full recovery windows.
    Partial,
    /// Switched off by the admin; nobody is notified.
    Disabled,
}

impl std::fmt::Display for IrState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            IrState::Startup => "startup",
            IrState::Full => "full",
            IrState::Partial => "partial",
            IrState::Disabled => "disabled",
        })
    }
}

/// Another name for a file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewName {
    /// 1 to 8 letters, digits, `_` or `-`.
    pub to: String,
}

impl Client {
    /// Sets how long file systems stay in `startup` after the start of this daemon, until it ends: the next start reads its
    /// configuration again.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn fs_startup(&self, to: StartupTime, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::PUT, "/v1/recovery/startup", &to, dry_run).await
    }

    /// Counts how often readers of a NID table were told from zero again.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn fs_recovery_reset(&self, name: &str, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::POST, &format!("/v1/fs/{}/recovery/reset", segment(name)), &(), dry_run).await
    }

    /// Copies logs and targets of a file system under another name.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn fs_fork(&self, name: &str, to: &NewName, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::POST, &format!("/v1/fs/{}/fork", segment(name)), to, dry_run).await
    }

    /// Gives a file system another name.
    ///
    /// # Errors
    /// Like every call: [`Error`]. Refused while anybody is connected.
    pub async fn fs_rename(&self, name: &str, to: &NewName, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::POST, &format!("/v1/fs/{}/rename", segment(name)), to, dry_run).await
    }

    /// Erases a file system with its logs, targets and settings.
    ///
    /// # Errors
    /// Like every call: [`Error`]. Refused while anybody is connected.
    pub async fn fs_erase(&self, name: &str, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::DELETE, &format!("/v1/fs/{}", segment(name)), &(), dry_run).await
    }
}
