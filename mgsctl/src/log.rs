//! `mgsctl log`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use mgs_api::{Client, Forecast, List, Log, LogReader};

use crate::change::{self, How};
use crate::exit::Failure;
use crate::output::{Format, Output};
use crate::table::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the logs: how much of its life each has used, how many commits are left, when it will be full
    List {
        /// Only those of this file system
        #[arg(long, value_name = "NAME")]
        fs: Option<String>,
    },
    /// Prints the records of a log, as lctl llog_print or llog_reader do
    ///
    /// With --output json or yaml: the records as the API knows them, cancelled ones and padding included.
    Print {
        /// Its name, such as testfs-client
        name: String,
        /// The tool whose format is used
        #[arg(long, value_enum, default_value = "yaml")]
        format: Tool,
        /// Markers and skipped sections too, as lctl llog_print --raw; llog_reader always shows them
        #[arg(long)]
        raw: bool,
        /// First index
        #[arg(long, value_name = "INDEX")]
        start: Option<u32>,
        /// Last index
        #[arg(long, value_name = "INDEX")]
        end: Option<u32>,
    },
    /// Writes the file of a log, byte for byte as Lustre nodes read it
    Export {
        /// Its name, such as testfs-client
        name: String,
        /// The file to write; stdout unless given
        #[arg(long, short = 'o', value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Lists the connected nodes that have fetched a log; they are bound to its indices
    Readers {
        /// Its name, such as testfs-client
        name: String,
    },
    /// Cancels one record: mounts to come do not execute it
    Cancel {
        /// The log, such as testfs-client
        name: String,
        /// Index of the record
        index: u32,
        #[command(flatten)]
        how: How,
    },
    /// Clears the bits of records that no reader executes: shorter replay, also under mounted nodes
    ///
    /// Bytes and indices stay, so that it frees no index.
    Compact {
        /// A file system, or one log
        name: String,
        #[command(flatten)]
        how: How,
    },
    /// Begins a newer generation of a log, with indices from 1 on, for nodes that never read it
    ///
    /// The older one stays for nodes that remember an index of it, until it is retired.
    Renew {
        /// Its name, such as testfs-client
        name: String,
        #[command(flatten)]
        how: How,
    },
    /// Gives up the older generation of a log, once nobody is left who has read it
    Retire {
        /// Its name, such as testfs-client
        name: String,
        /// Although nodes have read it: they hear no more of the log until they mount again
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        how: How,
    },
    /// Writes logs anew without what no reader executes, while nobody is connected; keeps the old ones as .bak
    Clear {
        /// A file system, or a target
        name: String,
        #[command(flatten)]
        how: How,
    },
    /// Removes a log; of params, its records
    Remove {
        /// Its name, such as testfs-client.1795232206.bak
        name: String,
        #[command(flatten)]
        how: How,
    },
}

/// Whose words a log is printed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tool {
    /// lctl llog_print
    Yaml,
    /// llog_reader
    Reader,
}

impl Command {
    pub(crate) async fn run(self, api: &Client, out: &Output) -> Result<(), Failure> {
        match self {
            Command::List { fs } => out.document(&api.logs(fs.as_deref()).await?, list),
            Command::Print { name, start, end, .. } if out.format() != Format::Table => {
                out.document(&api.log_records(&name, start, end).await?, |_| String::new())
            }
            Command::Print { name, format, raw, start, end } => {
                let file = api.log_file(&name).await?;
                let log = llog::Log::from_file(&file).map_err(|source| Failure::Log { name, source })?;
                let range = llog::text::range(start, end);
                let text = match format {
                    Tool::Yaml => llog::text::yaml(&log, raw, &range),
                    Tool::Reader => llog::text::reader(&log, &range),
                };
                out.bytes(text.as_bytes())
            }
            Command::Readers { name } => out.document(&api.log_readers(&name).await?, readers),
            Command::Cancel { name, index, how } => {
                out.document(&api.log_cancel(&name, index, how.dry_run).await?, change::show)
            }
            Command::Compact { name, how } => {
                out.document(&api.log_compact(&name, how.dry_run).await?, change::show)
            }
            Command::Renew { name, how } => {
                out.document(&api.log_renew(&name, how.dry_run).await?, change::show)
            }
            Command::Retire { name, force, how } => {
                out.document(&api.log_retire(&name, force, how.dry_run).await?, change::show)
            }
            Command::Clear { name, how } => {
                out.document(&api.log_clear(&name, how.dry_run).await?, change::show)
            }
            Command::Remove { name, how } => {
                out.document(&api.log_remove(&name, how.dry_run).await?, change::show)
            }
            Command::Export { name, file } => out.file(&api.log_file(&name).await?, &name, file),
        }
    }
}

fn list(list: &List<Log>) -> String {
    let mut table = Table::new(&[
        "NAME", "#LIVE", "#TOTAL", "#PADS", "#LAST", "#BYTES", "#BUDGET", "#LEFT", "FULL", "#READERS",
        "PINNED", "CREATED", "ID",
    ]);
    for log in &list.items {
        table.row([
            log.name.clone(),
            log.records_live.to_string(),
            log.records_total.to_string(),
            log.records_pad.to_string(),
            log.last_index.to_string(),
            log.size.to_string(),
            format!("{:.2}%", log.budget_used),
            log.commits_left.map_or_else(String::new, |left| left.to_string()),
            full(log),
            log.readers.to_string(),
            pinned(log),
            log.created.map_or_else(String::new, |time| time.to_string()),
            log.id.clone(),
        ]);
    }
    table.render()
}

fn full(log: &Log) -> String {
    match (log.forecast, log.full_at) {
        (Forecast::Full, Some(time)) => time.to_string(),
        (Forecast::Steady, _) => "not foreseen".to_owned(),
        _ => "too early".to_owned(),
    }
}

/// Who keeps the older generation of a log alive.
fn pinned(log: &Log) -> String {
    /// Nodes that fit into a line.
    const NAMED: usize = 3;
    if log.next.is_none() {
        return String::new();
    }
    let mut nodes: Vec<String> = log.pinned.iter().take(NAMED).cloned().collect();
    let more = log.pinned_count.saturating_sub(nodes.len() as u64);
    if more > 0 {
        nodes.push(format!("{more} more"));
    }
    if nodes.is_empty() { "nobody".to_owned() } else { nodes.join(", ") }
}

fn readers(list: &List<LogReader>) -> String {
    let mut table = Table::new(&["NID", "#INDEX", "#LAST", "AT", "UUID"]);
    for reader in &list.items {
        table.row([
            reader.nid.clone(),
            reader.index.to_string(),
            reader.last.to_string(),
            reader.at.to_string(),
            reader.uuid.clone(),
        ]);
    }
    table.render()
}
