//! Configuration: command line over file. Parsed once into one typed struct.

mod sections;
mod site;

pub use site::Site;

use crate::drive::retention::Keep;
use clap::Parser;
use lnet_core::Route;
use serde::Deserialize;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store_backends::{Place, StoreError};
use wire::Nid;

/// The userspace Lustre MGS.
#[derive(Clone, Debug, Parser)]
#[command(name = "mgsd", version, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    options: Options,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Things to do instead of serving.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Check the store: pages, checksums, the commit chain, and that every log can be executed.
    Check {
        /// Whose store, where the file has sections for several MGS.
        #[arg(long, value_name = "NAME")]
        mgs: Option<String>,
    },
    /// Copy the store to FILE, as it is at one commit, and check the copy. The daemon may be running.
    Backup {
        /// File to make.
        file: PathBuf,
        /// Whose store, where the file has sections for several MGS.
        #[arg(long, value_name = "NAME")]
        mgs: Option<String>,
    },
    /// Put a backup in the place of the store, as a new epoch. The daemon must not be running.
    Restore {
        /// Whose store, where the file has sections for several MGS.
        #[arg(long, value_name = "NAME")]
        mgs: Option<String>,
        /// Backup, as made by `mgsd backup`.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// Where the present store cannot be read: indices left free in each log for records that are lost.
        #[arg(long, value_name = "N", default_value_t = 4096)]
        gap: u32,
    },
}

impl Command {
    /// The MGS that was chosen.
    pub fn mgs(&self) -> Option<&str> {
        match self {
            Self::Check { mgs } | Self::Backup { mgs, .. } | Self::Restore { mgs, .. } => mgs.as_deref(),
        }
    }
}

#[derive(Clone, Debug, Default, clap::Args)]
struct Options {
    /// Configuration file (TOML); options on the command line win.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Directory of the daemon's sockets and embedded store; made when absent.
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// The store: sqlite:DIR or etcd:https://HOST:2379,HOST:2379/mgsd/NAME?ca=FILE [default: sqlite in --data].
    #[arg(long, value_name = "ADDRESS", global = true)]
    store: Option<String>,
    /// NIDs of this MGS, such as 10.0.0.1@tcp.
    #[arg(long, value_name = "NID", value_delimiter = ',')]
    nid: Vec<Nid>,
    /// Port for LNet. Real nodes always dial 988: NIDs carry no port [default: 988].
    #[arg(long)]
    port: Option<u16>,
    /// Addresses to listen on for LNet [default: the address of each NID].
    #[arg(long, value_name = "ADDR", value_delimiter = ',')]
    bind: Vec<IpAddr>,
    /// Wait for an address that is not on this host, and give it up when it leaves: for addresses that move.
    #[arg(long)]
    wait_address: bool,
    /// Routers to a network that no --nid is on, such as 'o2ib via 10.0.0.5@tcp,10.0.0.6@tcp'; may be given again.
    #[arg(long = "route", value_name = "NET via GATEWAY,...")]
    routes: Vec<Route>,
    /// Socket of the HTTP API, as unix:PATH [default: unix:DIR/api.sock].
    #[arg(long, value_name = "unix:PATH", value_parser = unix_path)]
    api: Option<PathBuf>,
    /// Serve lnet-proxy processes on this socket instead of listening for LNet here.
    #[arg(long, value_name = "unix:PATH", value_parser = unix_path)]
    relay: Option<PathBuf>,
    /// Catalogue of tunables that parameters are judged by, in place of the one that is built in.
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
}

/// The file: the same words.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data: Option<PathBuf>,
    store: Option<String>,
    #[serde(default)]
    nid: Vec<String>,
    port: Option<u16>,
    #[serde(default)]
    bind: Vec<IpAddr>,
    #[serde(default)]
    wait_address: bool,
    #[serde(default)]
    route: Vec<String>,
    api: Option<String>,
    relay: Option<String>,
    catalogue: Option<PathBuf>,
    ir_timeout: Option<u64>,
    dead_sections: Option<bool>,
    check_interval: Option<u64>,
    keep_commits: Option<u64>,
    keep_days: Option<u64>,
    prune_interval: Option<u64>,
    /// Several MGS, in place of one.
    #[serde(default)]
    mgs: Vec<sections::Section>,
}

/// What only the file sets.
#[derive(Clone, Copy, Debug, Default)]
struct Tuning {
    /// Seconds that a file system stays in `startup` after the MGS started.
    ir_timeout: Option<u64>,
    /// At the writeconf of one OST, sections that nobody executes, as a kernel MGS writes them.
    dead_sections: Option<bool>,
    /// Seconds between two checks of the whole store while it is in use.
    check_interval: Option<u64>,
    /// So many commit records are kept for sure.
    keep_commits: Option<u64>,
    /// And all that are younger, in days.
    keep_days: Option<u64>,
    /// Seconds between two looks for older ones.
    prune_interval: Option<u64>,
}

impl Tuning {
    const fn of(file: &File) -> Self {
        Self {
            ir_timeout: file.ir_timeout,
            dead_sections: file.dead_sections,
            check_interval: file.check_interval,
            keep_commits: file.keep_commits,
            keep_days: file.keep_days,
            prune_interval: file.prune_interval,
        }
    }

    fn ir_timeout(self) -> Duration {
        Duration::from_secs(self.ir_timeout.unwrap_or(400))
    }

    fn check_interval(self) -> Duration {
        Duration::from_secs(self.check_interval.unwrap_or(86_400).max(1))
    }

    fn keep(self) -> Keep {
        Keep {
            commits: self.keep_commits.unwrap_or(100_000),
            age: Duration::from_secs(self.keep_days.unwrap_or(365).saturating_mul(86_400)),
            every: Duration::from_secs(self.prune_interval.unwrap_or(3600).max(1)),
        }
    }
}

/// What one MGS runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Name of its section; `None`: the file has none.
    pub name: Option<String>,
    /// Directory of this daemon: its sockets, and its store where that is embedded.
    pub data: PathBuf,
    /// The store.
    pub store: Place,
    /// NIDs; the first is shown.
    pub nids: Vec<Nid>,
    /// Port for LNet; `None`: 988, or a high port for simulated nodes where that cannot be had.
    pub port: Option<u16>,
    /// Addresses to listen on; empty: those of the NIDs.
    pub bind: Vec<IpAddr>,
    /// Addresses to listen on may come and go.
    pub wait_address: bool,
    /// Routers to networks that no NID is on.
    pub routes: Vec<Route>,
    /// Socket of the HTTP API.
    pub api: PathBuf,
    /// The same API again, for those who name no MGS.
    pub api_alias: Option<PathBuf>,
    /// Socket for proxies that run on their own.
    pub relay: Option<PathBuf>,
    /// File with the tunables that parameters are judged by; `None`: those that are built in.
    pub catalogue: Option<PathBuf>,
    /// Time of `startup`.
    pub ir_timeout: Duration,
    /// Logs stay equal to a kernel's, sections that nobody executes with them.
    pub dead_sections: bool,
    /// Time between two checks of the whole store.
    pub check_interval: Duration,
    /// Commit records that are kept.
    pub keep: Keep,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration {}: {error}", path.display())]
    Read {
        /// File.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file says something that is not known.
    #[error("configuration {}: {what}", path.display())]
    Parse {
        /// File.
        path: PathBuf,
        /// Where and what.
        what: String,
    },
    /// Something is missing.
    #[error("{0}")]
    Missing(&'static str),
    /// A section says what cannot be.
    #[error("configuration {}: [[mgs]] {section:?}: {what}", path.display())]
    Section {
        /// File.
        path: PathBuf,
        /// Name of the section.
        section: String,
        /// Which value, what is wrong with it, and what is allowed.
        what: String,
    },
    /// No MGS was chosen, or none that there is.
    #[error("{what}: --mgs NAME chooses one of {}", known.join(", "))]
    Choice {
        /// What was typed.
        what: String,
        /// Names of the sections.
        known: Vec<String>,
    },
    /// The address of the store is none.
    #[error("store: {0}")]
    Store(#[from] StoreError),
}

fn unix_path(text: &str) -> Result<PathBuf, String> {
    match text.strip_prefix("unix:") {
        Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
        _ => Err("expected unix:PATH, such as unix:/run/mgsd/api.sock".to_owned()),
    }
}

fn read(path: &Path) -> Result<File, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
    toml::from_str(&text)
        .map_err(|e| ConfigError::Parse { path: path.to_owned(), what: e.to_string().trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(args: &[&str]) -> Result<Config, ConfigError> {
        Config::new(&Arguments::try_parse_from(std::iter::once("mgsd").chain(args.iter().copied())).unwrap())
    }

    #[test]
    fn command_line_wins_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mgsd.toml");
        std::fs::write(
            &file,
            "data = \"/a\"\nnid = [\"10.0.0.1@tcp\"]\nport = 1\napi = \"unix:/x\"\nir_timeout = 30\n",
        )
        .unwrap();
        let c = config(&["--config", file.to_str().unwrap(), "--port", "988"]).unwrap();
        assert_eq!((c.port, c.api.to_str(), c.ir_timeout.as_secs()), (Some(988), Some("/x"), 30));
        assert_eq!(c.nids, ["10.0.0.1@tcp".parse().unwrap()]);
    }

    #[test]
    fn routes_and_moving_addresses_from_either_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mgsd.toml");
        let routes = ["o2ib via 10.0.0.5@tcp,10.0.0.6@tcp", "gni via 10.0.0.7@tcp"];
        let text = format!(
            "data = \"/a\"\nnid = [\"10.0.0.1@tcp\"]\nwait_address = true\nroute = [\"{}\", \"{}\"]\n",
            routes[0], routes[1]
        );
        std::fs::write(&file, text).unwrap();
        let said = config(&["--config", file.to_str().unwrap()]).unwrap();
        assert_eq!((said.wait_address, said.routes), (true, routes.map(|r| r.parse().unwrap()).to_vec()));
        let args = ["--data", "/a", "--nid", "10.0.0.1@tcp"];
        let typed = config(&[&args[..], &["--route", routes[0], "--route", routes[1]]].concat()).unwrap();
        assert_eq!((typed.wait_address, typed.routes), (false, routes.map(|r| r.parse().unwrap()).to_vec()));
        assert!(config(&[&args[..], &["--wait-address"]].concat()).unwrap().wait_address);
        assert!(!config(&args).unwrap().wait_address);
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mgsd.toml");
        for (text, part) in [
            ("dta = 1", "dta"),
            ("data=\"/a\"\nnid = [\"x@y\"]", "x@y"),
            ("data=\"/a\"\nnid = [\"10.0.0.1@tcp\"]\napi = \"tcp:1\"", "unix:PATH"),
            ("data=\"/a\"\nnid = [\"10.0.0.1@tcp\"]\nroute = [\"o2ib over x\"]", "via"),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = config(&["--config", file.to_str().unwrap()]).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(config(&["--data", "/d"]).unwrap_err().to_string().contains("--nid"));
        assert!(config(&["check"]).unwrap_err().to_string().contains("--data"));
        assert!(config(&["check", "--data", "/d"]).is_ok());
    }
}
