//! What can be typed.

use clap::{Parser, Subcommand};
use mgs_api::{Address, Client};

use crate::exit::Failure;
use crate::output::{Format, Output};
use crate::{
    audit, barrier, client, fs, generate, lctl, log, mgt, nodemap, pool, registration, setting, sptlrpc,
    status, store, target, why,
};

/// Shows and changes what a running mgsd holds: file systems, targets, parameters, pools, connected nodes, logs.
///
/// Exit codes: 0 done; 1 refused or failed, with one line on stderr; 2 usage; 3 daemon unreachable or outcome unknown.
#[derive(Debug, Parser)]
#[command(
    name = "mgsctl",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// API of the daemon
    #[arg(
        long,
        global = true,
        env = "MGSD_API",
        hide_env_values = true,
        value_name = "unix:PATH",
        default_value = mgs_api::DEFAULT_ADDRESS
    )]
    api: Address,

    /// Which MGS, where the daemon serves several: the name of its section
    #[arg(long, global = true, env = "MGSD_MGS", hide_env_values = true, value_name = "NAME")]
    mgs: Option<String>,

    /// How to print
    #[arg(long, global = true, value_name = "FORMAT", default_value = "table")]
    output: Format,

    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, Subcommand)]
enum Noun {
    /// The daemon: identity, readiness, store, counters
    Status,
    /// File systems
    #[command(subcommand)]
    Fs(fs::Command),
    /// Targets: MDTs and OSTs that have registered
    #[command(subcommand)]
    Target(target::Command),
    /// Targets that want to register, and who may
    #[command(subcommand)]
    Registration(registration::Command),
    /// The write barrier that snapshots need
    #[command(subcommand)]
    Barrier(barrier::Command),
    /// Connected nodes: clients and servers
    #[command(subcommand)]
    Client(client::Command),
    /// The store, while no daemon uses it
    #[command(subcommand)]
    Store(store::Command),
    /// The chain of commits: who changed what
    #[command(subcommand)]
    Audit(audit::Command),
    /// Configuration logs
    #[command(subcommand)]
    Log(log::Command),
    /// Parameters: set and listed by the daemon; judged and explained from the catalogue, without one
    #[command(subcommand)]
    Param(setting::Param),
    /// Nodemaps: which clients are who
    Nodemap(nodemap::Nodemap),
    /// Security rules between the nodes of a file system
    #[command(subcommand)]
    Sptlrpc(sptlrpc::Command),
    /// OST pools
    #[command(subcommand)]
    Pool(pool::Command),
    /// Why something was refused: the last answers to a node, or about a target or log
    Why {
        /// A NID, a target or a log, such as testfs-OST0000
        subject: String,
    },
    /// Takes over what a kernel MGS has on its disk: bytes, indices, versions, nodemaps
    ///
    /// States first what comes of it for the nodes. mgsd has to be empty, or to hold exactly this.
    Import(mgt::import::Command),
    /// Writes what a kernel MGS needs on its disk to go on from here
    ExportMgt(mgt::export::Command),
    /// Takes the commands of lctl that a kernel MGS has, prints what lctl prints and ends with its exit codes
    ///
    /// For scripts that were written for a kernel MGS: mgsctl lctl conf_param testfs.sys.timeout=100. The commands are listed by
    /// mgsctl lctl --list-commands.
    #[command(disable_help_flag = true)]
    Lctl {
        /// As for lctl
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORD")]
        words: Vec<String>,
    },
    /// Prints a completion script for a shell
    ///
    /// For example: mgsctl completions bash > /etc/bash_completion.d/mgsctl
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Writes the man pages into a directory
    #[command(hide = true)]
    Man {
        /// The directory; it has to exist
        dir: std::path::PathBuf,
    },
}

impl Cli {
    /// Does what was typed.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let out = Output::new(self.output);
        let address = match &self.mgs {
            Some(name) => self.api.of_mgs(name)?,
            None => self.api.clone(),
        };
        let api = Client::new(address);
        let done = match self.noun {
            Noun::Status => status::run(&api, &out).await,
            Noun::Fs(command) => command.run(&api, &out).await,
            Noun::Target(command) => command.run(&api, &out).await,
            Noun::Registration(command) => command.run(&api, &out).await,
            Noun::Barrier(command) => command.run(&api, &out).await,
            Noun::Client(command) => command.run(&api, &out).await,
            Noun::Store(command) => command.run(&out).await,
            Noun::Audit(command) => command.run(&api, &out).await,
            Noun::Log(command) => command.run(&api, &out).await,
            Noun::Param(setting::Param::Daemon(command)) => command.run(&api, &out).await,
            Noun::Param(setting::Param::Catalogue(command)) => command.run(&out),
            Noun::Nodemap(command) => command.run(&api, &out).await,
            Noun::Sptlrpc(command) => command.run(&api, &out).await,
            Noun::Pool(command) => command.run(&api, &out).await,
            Noun::Why { subject } => why::run(&api, &out, &subject).await,
            Noun::Import(command) => command.run(&api, &out).await,
            Noun::ExportMgt(command) => command.run(&api, &out).await,
            Noun::Lctl { words } => lctl::run(&api, &words).await,
            Noun::Completions { shell } => out.bytes(&generate::completions(shell)),
            Noun::Man { dir } => generate::write_man_pages(&dir),
        };
        match (done, self.mgs) {
            (Err(failure), Some(name)) => Err(failure.of_mgs(name, Client::new(self.api)).await),
            (done, _) => done,
        }
    }
}
