//! `mgsctl target`.

use clap::Subcommand;
use mgs_api::{Client, List, Target};

use crate::exit::Failure;
use crate::output::Output;
use crate::table::{Fields, Table};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the targets
    List {
        /// Only those of this file system
        #[arg(long, value_name = "NAME")]
        fs: Option<String>,
    },
    /// Shows one target
    Show {
        /// Its Lustre name, such as testfs-OST0000
        name: String,
    },
}

impl Command {
    pub(crate) async fn run(self, api: &Client, out: &Output) -> Result<(), Failure> {
        match self {
            Command::List { fs } => out.document(&api.targets(fs.as_deref()).await?, list),
            Command::Show { name } => out.document(&api.target(&name).await?, show),
        }
    }
}

fn list(list: &List<Target>) -> String {
    let mut table = Table::new(&["NAME", "STATE", "#INSTANCE", "#NIDTBL", "REGISTERED", "NIDS"]);
    for target in &list.items {
        table.row([
            target.name.clone(),
            target.state.to_string(),
            target.instance.map_or_else(String::new, |instance| instance.to_string()),
            target.nidtbl_version.to_string(),
            target.registered.time.to_string(),
            target.nids.join(","),
        ]);
    }
    table.render()
}

fn show(target: &Target) -> String {
    let mut fields = Fields::default();
    fields.add("name", &target.name);
    fields.add("file system", &target.fs);
    fields.add("type", format!("{}, index {}", target.kind, target.index));
    fields.add("uuid", &target.uuid);
    fields.add("state", target.state);
    fields.add_some("instance", target.instance);
    fields.add("nidtbl version", target.nidtbl_version);
    fields.add("registered", format!("{} (seq {})", target.registered.time, target.registered.seq));
    fields.add_some("lustre version", target.lustre_version.as_ref());
    fields.add("nids", target.nids.join(","));
    for node in &target.failover {
        fields.add("failover node", node.join(","));
    }
    for param in &target.params {
        fields.add("param", format!("{}={}", param.name, param.value));
    }
    fields.render()
}
