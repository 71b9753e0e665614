//! `mgsctl client`.

use std::path::PathBuf;

use clap::Subcommand;
use mgs_api::{Client, ClientExport, List};

use crate::exit::Failure;
use crate::output::Output;
use crate::table::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the connected nodes
    List {
        /// Only those that have not fetched a log to its end, with the logs
        #[arg(long)]
        behind: bool,
    },
    /// Writes the last conversations of a node as a capture file, for Wireshark
    Record {
        /// Its NID, such as 10.0.0.4@tcp
        nid: String,
        /// The file to write; stdout unless given
        #[arg(long, short = 'o', value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

impl Command {
    pub(crate) async fn run(self, api: &Client, out: &Output) -> Result<(), Failure> {
        match self {
            Command::List { behind: false } => out.document(&api.clients().await?, list),
            Command::List { behind: true } => {
                let mut all = api.clients().await?;
                all.items.retain(|client| client.behind().next().is_some());
                out.document(&all, behind)
            }
            Command::Record { nid, file } => out.file(&api.client_record(&nid).await?, &nid, file),
        }
    }
}

fn list(list: &List<ClientExport>) -> String {
    let mut table =
        Table::new(&["NID", "KIND", "LUSTRE", "#CONN", "#LOCKS", "CONNECTED", "LAST-SEEN", "UUID"]);
    for client in &list.items {
        table.row([
            client.nid.clone(),
            client.kind.to_string(),
            client.lustre_version.clone().unwrap_or_default(),
            client.conn_cnt.to_string(),
            client.lock_count().to_string(),
            client.connected.to_string(),
            client.last_seen.to_string(),
            client.uuid.clone(),
        ]);
    }
    table.render()
}

fn behind(list: &List<ClientExport>) -> String {
    let mut table = Table::new(&["NID", "LOG", "#FETCHED", "#LAST", "WHEN", "UUID"]);
    for client in &list.items {
        for log in client.behind() {
            table.row([
                client.nid.clone(),
                log.log.clone(),
                log.index.to_string(),
                log.last.to_string(),
                log.at.to_string(),
                client.uuid.clone(),
            ]);
        }
    }
    table.render()
}
