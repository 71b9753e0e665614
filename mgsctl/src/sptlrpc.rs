//! `mgsctl sptlrpc`.

use clap::Subcommand;
use mgs_api::{Client, List, SecurityRule, SecurityRuleChange};

use crate::change::{self, How};
use crate::exit::Failure;
use crate::output::Output;
use crate::table::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the rules in force, in the order in which nodes look for them
    List {
        /// Only those of this file system
        #[arg(long, value_name = "NAME")]
        fs: Option<String>,
    },
    /// Sets a rule
    Set {
        /// File system, or target: testfs, testfs-OST0000
        #[arg(value_name = "DEVICE")]
        device: String,
        /// default, or a network, also with a direction: tcp1.cli2ost (cli2mdt, cli2ost, mdt2mdt, mdt2ost)
        #[arg(value_name = "NET[.DIRECTION]")]
        rule: String,
        /// null, plain, plain-hash:ALGORITHM, gssnull, krb5n, krb5a, krb5i, krb5p, skn, ska, ski, skpi
        flavor: String,
        #[command(flatten)]
        how: How,
    },
    /// Takes a rule away
    Unset {
        /// File system, or target
        #[arg(value_name = "DEVICE")]
        device: String,
        /// As it was set
        #[arg(value_name = "NET[.DIRECTION]")]
        rule: String,
        #[command(flatten)]
        how: How,
    },
}

impl Command {
    pub(crate) async fn run(self, api: &Client, out: &Output) -> Result<(), Failure> {
        let (device, rule, flavor, how) = match self {
            Command::List { fs } => {
                return out.document(&api.security_rules(fs.as_deref()).await?, list);
            }
            Command::Set { device, rule, flavor, how } => (device, rule, Some(flavor), how),
            Command::Unset { device, rule, how } => (device, rule, None, how),
        };
        let to = SecurityRuleChange { device, rule, flavor };
        out.document(&api.security_rule_set(&to, how.dry_run).await?, change::show)
    }
}

fn list(list: &List<SecurityRule>) -> String {
    let mut table = Table::new(&["DEVICE", "NETWORK", "DIRECTION", "FLAVOR", "LOG", "#INDEX"]);
    for rule in &list.items {
        table.row([
            rule.device.clone(),
            rule.network.clone(),
            rule.direction.clone().unwrap_or_else(|| "any".to_owned()),
            rule.flavor.clone(),
            rule.log.clone(),
            rule.index.to_string(),
        ]);
    }
    table.render()
}
