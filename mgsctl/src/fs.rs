//! `mgsctl fs`.

use clap::Subcommand;
use mgs_api::{Client, FileSystem, List, NewName, RecoverySwitch, StartupTime};

use crate::change::{self, How};
use crate::exit::Failure;
use crate::output::Output;
use crate::registration::Policy;
use crate::table::{Fields, Table};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the file systems
    List,
    /// Shows one file system
    Show {
        /// Its Lustre fsname
        name: String,
    },
    /// Switches imperative recovery of a file system
    Recovery {
        /// Its Lustre fsname
        name: String,
        /// Off: the NID table is kept, nobody is told of its changes
        state: Switch,
        #[command(flatten)]
        how: How,
    },
    /// Sets how long file systems stay in startup of imperative recovery, until this daemon ends
    Startup {
        /// Seconds after its start; 'ir_timeout' of the configuration is for the next start
        seconds: u64,
        #[command(flatten)]
        how: How,
    },
    /// Sets what happens to targets of a file system that nobody knows
    Policy {
        /// Its Lustre fsname
        name: String,
        /// From now on
        policy: Policy,
        #[command(flatten)]
        how: How,
    },
    /// Copies logs and targets under another name, as snapshots need them
    Fork {
        /// Its Lustre fsname
        name: String,
        /// The new name
        to: String,
        #[command(flatten)]
        how: How,
    },
    /// Gives a file system another name, while nobody is connected
    Rename {
        /// Its Lustre fsname
        name: String,
        /// The new name
        to: String,
        #[command(flatten)]
        how: How,
    },
    /// Erases a file system with its logs, targets and settings, while nobody is connected
    Erase {
        /// Its Lustre fsname
        name: String,
        #[command(flatten)]
        how: How,
    },
    /// Sets what a writeconf does to the settings and pools of a file system
    Writeconf {
        /// Its Lustre fsname
        name: String,
        /// From now on
        writeconf: Writeconf,
        #[command(flatten)]
        how: How,
    },
    /// Lets one writeconf of MDT0000 erase the logs while nodes have them mounted, within the hour
    ApproveWriteconf {
        /// Its Lustre fsname
        name: String,
        #[command(flatten)]
        how: How,
    },
}

/// What a writeconf does to settings and pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Writeconf {
    /// They are written again as the targets come back
    Reapply,
    /// They go with the logs, as with a kernel MGS
    Wipe,
    /// It is refused until somebody has chosen
    Ask,
}

impl From<Writeconf> for mgs_api::Writeconf {
    fn from(of: Writeconf) -> Self {
        match of {
            Writeconf::Reapply => Self::Reapply,
            Writeconf::Wipe => Self::Wipe,
            Writeconf::Ask => Self::Ask,
        }
    }
}

/// A switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Switch {
    /// On
    On,
    /// Off
    Off,
}

impl Command {
    pub(crate) async fn run(self, api: &Client, out: &Output) -> Result<(), Failure> {
        match self {
            Command::List => out.document(&api.fs_list().await?, list),
            Command::Show { name } => out.document(&api.fs(&name).await?, show),
            Command::Recovery { name, state, how } => {
                let to = RecoverySwitch { enabled: state == Switch::On };
                out.document(&api.fs_recovery(&name, to, how.dry_run).await?, change::show)
            }
            Command::Startup { seconds, how } => {
                out.document(&api.fs_startup(StartupTime { seconds }, how.dry_run).await?, change::show)
            }
            Command::Policy { name, policy, how } => {
                out.document(&api.fs_policy(&name, policy.into(), how.dry_run).await?, change::show)
            }
            Command::Fork { name, to, how } => {
                out.document(&api.fs_fork(&name, &NewName { to }, how.dry_run).await?, change::show)
            }
            Command::Rename { name, to, how } => {
                out.document(&api.fs_rename(&name, &NewName { to }, how.dry_run).await?, change::show)
            }
            Command::Erase { name, how } => {
                out.document(&api.fs_erase(&name, how.dry_run).await?, change::show)
            }
            Command::Writeconf { name, writeconf, how } => {
                out.document(&api.fs_writeconf(&name, writeconf.into(), how.dry_run).await?, change::show)
            }
            Command::ApproveWriteconf { name, how } => {
                out.document(&api.fs_approve_writeconf(&name, how.dry_run).await?, change::show)
            }
        }
    }
}

fn list(list: &List<FileSystem>) -> String {
    let mut table = Table::new(&["NAME", "#TARGETS", "IR", "#NIDTBL", "#GEN", "CREATED", "UUID"]);
    for fs in &list.items {
        table.row([
            fs.name.clone(),
            fs.target_count.to_string(),
            fs.ir_state.to_string(),
            fs.nidtbl_version.to_string(),
            fs.generation.to_string(),
            fs.created.to_string(),
            fs.uuid.clone(),
        ]);
    }
    table.render()
}

fn show(fs: &FileSystem) -> String {
    let mut fields = Fields::default();
    fields.add("name", &fs.name);
    fields.add("uuid", &fs.uuid);
    fields.add("created", fs.created);
    fields.add("targets", fs.target_count);
    fields.add("imperative recovery", fs.ir_state);
    fields.add("in that state", format!("{} s", fs.ir_since));
    fields.add("clients without it", fs.nonir_clients);
    fields.add("nidtbl version", fs.nidtbl_version);
    fields.add("unknown targets", fs.registration);
    fields.add("writeconf", fs.writeconf);
    fields.add_some("writeconf approved until", fs.writeconf_approved);
    fields.add("generation", fs.generation);
    fields.render()
}
