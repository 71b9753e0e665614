//! `mgsctl param list|set|unset`: what the daemon holds. The catalogue's side is in `param`.

use clap::Subcommand;
use mgs_api::{Client, List, ParamAssignment, ParamInForce, ParamSyntax};

use crate::change::{self, How};
use crate::exit::Failure;
use crate::output::Output;
use crate::param;
use crate::table::Table;

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
    /// Takes a parameter away; mounts to come see the default
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
            Command::Set { assignment, syntax, force, wait, how } => {
                let to = ParamAssignment { assignment, syntax: syntax.map(Into::into), force, wait };
                api.param_set(&to, how.dry_run).await?
            }
            Command::Unset { assignment, syntax, how } => {
                let what = ParamAssignment { assignment, syntax: syntax.map(Into::into), force: false, wait: false };
                api.param_unset(&what, how.dry_run).await?
            }
        };
        out.document(&change, change::show)
    }
}

fn list(list: &List<ParamInForce>) -> String {
    let mut table = Table::new(&["DEVICE", "NAME", "VALUE", "RECORDS"]);
    for param in &list.items {
        let records: Vec<String> = param.records.iter().map(|r| format!("{}:{}", r.log, r.index)).collect();
        table.row([
            param.device.clone().unwrap_or_else(|| "(every node)".to_owned()),
            param.name.clone(),
            param.value.clone(),
            records.join(","),
        ]);
    }
    table.render()
}
