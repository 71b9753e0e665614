//! `mgsctl client`.

use std::path::PathBuf;

use clap::Subcommand;
use mgs_api::{Client, ClientExport, CloseConnections, Connections, List, Nids};

use crate::change::{self, How};
use crate::exit::Failure;
use crate::output::Output;
use crate::table::{Fields, Table};

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
    /// Forgets the connections of a node: it connects again and reads everything anew
    Evict {
        /// Its NID, or the UUID of one connection
        #[arg(value_name = "NID|UUID")]
        who: String,
        #[command(flatten)]
        how: How,
    },
    /// Lets nodes in no more; those that are connected are evicted
    Deny {
        /// Their NIDs, such as 10.0.0.4@tcp
        #[arg(required = true, value_name = "NID")]
        nids: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Lets denied nodes in again
    Allow {
        /// Their NIDs
        #[arg(required = true, value_name = "NID")]
        nids: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Shows who may connect
    Denied,
    /// Lets nobody in who is not connected, until 'open'; survives a restart
    Close {
        #[command(flatten)]
        how: How,
    },
    /// Lets everybody in who is not denied
    Open {
        #[command(flatten)]
        how: How,
    },
}

impl Command {
    pub(crate) async fn run(self, api: &Client, out: &Output) -> Result<(), Failure> {
        let change = match self {
            Command::List { behind: false } => return out.document(&api.clients().await?, list),
            Command::List { behind: true } => {
                let mut all = api.clients().await?;
                all.items.retain(|client| client.behind().next().is_some());
                return out.document(&all, behind);
            }
            Command::Record { nid, file } => return out.file(&api.client_record(&nid).await?, &nid, file),
            Command::Denied => return out.document(&api.connections().await?, denied),
            Command::Evict { who, how } => api.client_evict(&who, how.dry_run).await?,
            Command::Deny { nids, how } => api.client_deny(&Nids { nids }, how.dry_run).await?,
            Command::Allow { nids, how } => api.client_allow(&Nids { nids }, how.dry_run).await?,
            Command::Close { how } => {
                api.client_close(CloseConnections { closed: true }, how.dry_run).await?
            }
            Command::Open { how } => {
                api.client_close(CloseConnections { closed: false }, how.dry_run).await?
            }
        };
        out.document(&change, change::show)
    }
}

fn denied(rule: &Connections) -> String {
    let mut fields = Fields::default();
    fields.add("new connections", if rule.closed { "closed" } else { "open" });
    fields.add("denied", rule.denied.join(","));
    fields.render()
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
