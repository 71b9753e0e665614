//! `mgsctl param list|set|unset`: what the daemon holds. The catalogue's side is in `param`.

use clap::Subcommand;
use mgs_api::{Client, List, ParamAssignment, ParamInForce, ParamPolicy, ParamSyntax, ProgramSwitch};

use crate::change::{self, How};
use crate::exit::Failure;
use crate::output::Output;
use crate::table::Table;
use crate::{import, param, readback};

/// Both sides of the noun.
#[derive(Debug, Subcommand)]
pub(crate) enum Param {
    #[command(flatten)]
    Daemon(Command),
    #[command(flatten)]
    Catalogue(param::Command),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the parameters in force: what a node that mounts now is told
    List {
        /// Only those of this file system
        #[arg(long, value_name = "NAME")]
        fs: Option<String>,
    },
    /// Sets a parameter
    Set {
        /// DEVICE.PARAM=VALUE (testfs-OST0000.osc.max_dirty_mb=64) or PATH=VALUE (osc.*.max_dirty_mb=64)
        assignment: String,
        /// How it is spelled; by default conf_param where it begins with the name of a file system
        #[arg(long)]
        syntax: Option<Syntax>,
        /// Take a name that the catalogue of tunables does not know; nothing else
        #[arg(long)]
        force: bool,
        /// Take a target that has not registered: the setting waits for it
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        how: How,
    },
    /// Shows what nodes are told of a parameter: which assignment holds, which it hides, since when, by whom
    Get {
        /// File system or target, such as testfs-OST0000; it need not have registered
        target: String,
        /// Its name in any spelling: osc.max_dirty_mb, osc.*.max_dirty_mb, max_dirty_mb
        name: String,
    },
    /// Lists the changes of a parameter that the chain of commits still has
    History {
        /// testfs-OST0000.osc.max_dirty_mb, osc.*.max_dirty_mb, or osc.max_dirty_mb of any target
        name: String,
    },
    /// Shows which nodes have fetched past a commit, and when
    Status {
        /// The commit; by default the last one that wrote to a log
        seq: Option<u64>,
    },
    /// Shows or sets whether wrong assignments are refused
    Policy {
        /// From now on
        validation: Option<Validation>,
        #[command(flatten)]
        how: How,
    },
    /// Lists the programs that nodes may be told to run
    Programs,
    /// Allows a program that nodes may be told to run, as an upcall; for root alone
    Allow {
        /// Its whole path
        program: String,
        /// Take that back
        #[arg(long)]
        remove: bool,
        #[command(flatten)]
        how: How,
    },
    /// Makes the assignments of a file: output of lctl llog_print or get_param, or a file for set_param -F
    ///
    /// Without --apply nothing is changed: each assignment is judged, and shown with what would become of it. The exit code is 1 if
    /// any is refused or cannot be read.
    Import {
        /// The file; stdin unless given
        file: Option<std::path::PathBuf>,
        /// The file system of records that name none; by default the one that all others name
        #[arg(long, value_name = "NAME")]
        fs: Option<String>,
        /// Make the assignments; those that are refused are left out
        #[arg(long)]
        apply: bool,
        /// Take names that the catalogue of tunables does not know
        #[arg(long)]
        force: bool,
        /// Take targets that have not registered
        #[arg(long)]
        wait: bool,
    },
    /// Takes a parameter away; mounts to come see the default, nodes that run are told it where it is known
    Unset {
        /// The same, without a value, or with the one value that is to go
        assignment: String,
        /// How it is spelled
        #[arg(long)]
        syntax: Option<Syntax>,
        #[command(flatten)]
        how: How,
    },
}

/// How an assignment is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Syntax {
    /// DEVICE.PARAM=VALUE, stored in the logs of one file system
    ConfParam,
    /// PATH=VALUE, stored for every node
    SetParam,
}

/// Whether wrong assignments are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Validation {
    /// They are refused
    Enforce,
    /// They are taken, warned of and noted
    Warn,
}

impl From<Validation> for ParamPolicy {
    fn from(of: Validation) -> Self {
        let validation = match of {
            Validation::Enforce => mgs_api::Validation::Enforce,
            Validation::Warn => mgs_api::Validation::Warn,
        };
        ParamPolicy { validation }
    }
}

impl From<Syntax> for ParamSyntax {
    fn from(syntax: Syntax) -> Self {
        match syntax {
            Syntax::ConfParam => ParamSyntax::ConfParam,
            Syntax::SetParam => ParamSyntax::SetParam,
        }
    }
}

impl Command {
    pub(crate) async fn run(self, api: &Client, out: &Output) -> Result<(), Failure> {
        let change = match self {
            Command::List { fs } => return out.document(&api.params(fs.as_deref()).await?, list),
            Command::Get { target, name } => {
                return out.document(&api.param_effective(&target, &name).await?, readback::effective);
            }
            Command::History { name } => {
                return out.document(&api.param_history(&name).await?, readback::history);
            }
            Command::Status { seq } => return out.document(&api.param_status(seq).await?, readback::status),
            Command::Policy { validation: None, .. } => {
                return out.document(&api.param_policy().await?, readback::policy);
            }
            Command::Import { file, fs, apply, force, wait } => {
                return import::run(api, out, file.as_deref(), fs.as_deref(), apply, force, wait).await;
            }
            Command::Programs => {
                return out.document(&api.param_programs().await?, readback::programs);
            }
            Command::Allow { program, remove, how } => {
                api.param_allow(&ProgramSwitch { program, allowed: !remove }, how.dry_run).await?
            }
            Command::Policy { validation: Some(to), how } => {
                api.set_param_policy(&to.into(), how.dry_run).await?
            }
            Command::Set { assignment, syntax, force, wait, how } => {
                let to = ParamAssignment { assignment, syntax: syntax.map(Into::into), force, wait };
                api.param_set(&to, how.dry_run).await?
            }
            Command::Unset { assignment, syntax, how } => {
                let what =
                    ParamAssignment { assignment, syntax: syntax.map(Into::into), force: false, wait: false };
                api.param_unset(&what, how.dry_run).await?
            }
        };
        out.document(&change, change::show)
    }
}

fn list(list: &List<ParamInForce>) -> String {
    let mut table = Table::new(&["DEVICE", "NAME", "VALUE", "STATE", "#SEQ", "BY", "RECORDS"]);
    for param in &list.items {
        let records: Vec<String> = param.records.iter().map(|r| format!("{}:{}", r.log, r.index)).collect();
        table.row([
            param.device.clone().unwrap_or_else(|| "(every node)".to_owned()),
            param.name.clone(),
            param.value.clone(),
            state(param).to_owned(),
            param.assigned.as_ref().map(|a| a.seq.to_string()).unwrap_or_default(),
            param.assigned.as_ref().map_or_else(|| "-".to_owned(), |a| a.by.clone()),
            records.join(","),
        ]);
    }
    table.render()
}

fn state(param: &ParamInForce) -> &'static str {
    match &param.assigned {
        _ if param.records.is_empty() => "waiting",
        Some(assigned) if assigned.unset => "default",
        _ => "in force",
    }
}
