//! `mgsctl client`.

use clap::Subcommand;
use mgs_api::{Client, ClientExport, List};

use crate::exit::Failure;
use crate::output::Output;
use crate::table::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the connected nodes
    List,
}

impl Command {
    pub(crate) async fn run(self, api: &Client, out: &Output) -> Result<(), Failure> {
        match self {
            Command::List => out.document(&api.clients().await?, list),
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
