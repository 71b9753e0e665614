//! `mgsctl target`.

use clap::Subcommand;
use mgs_api::{Change, Client, List, MoveTarget, Reservation, Reserve, Target, TargetKind};

use crate::change::{self, How};
use crate::exit::Failure;
use crate::format_line::FormatLine;
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
    /// Moves a target to other NIDs, also while nodes have it mounted
    ///
    /// Running nodes get connections to the new address, mounts to come know no other. Start the target there when this is
    /// done.
    ReplaceNids {
        /// Its Lustre name, such as testfs-OST0000
        name: String,
        /// A,B one node with two NIDs; A:B two nodes
        #[arg(value_name = "NID[,NID][:NID...]")]
        nids: String,
        /// Write the logs anew, as a kernel MGS does it, while nobody is connected
        #[arg(long)]
        rewrite: bool,
        #[command(flatten)]
        how: How,
    },
    /// Takes an OST out of the logs: mounts to come do not see it
    ///
    /// Its data are not touched; running nodes keep it until they mount again.
    Remove {
        /// Its Lustre name, such as testfs-OST0001
        name: String,
        #[command(flatten)]
        how: How,
    },
    /// Reserves the lowest free indices for targets to come
    Reserve {
        /// File system; it need not exist yet
        #[arg(long, value_name = "NAME")]
        fs: String,
        /// Kind of target
        #[arg(long = "type", value_name = "TYPE")]
        kind: Kind,
        /// How many, 1 to 64
        #[arg(long, default_value_t = 1)]
        count: u32,
        /// When the reservation ends, such as 7d, 12h or 30m; never unless given
        #[arg(long, value_name = "TIME", value_parser = seconds)]
        expires: Option<u32>,
        /// Who reserves, or for what
        #[arg(long, value_name = "TEXT", default_value = "")]
        by: String,
        /// Only nodes with one of these NIDs may take them, and need no approval
        #[arg(long, value_name = "NID", value_delimiter = ',')]
        nid: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Lists the reserved indices
    Reserved {
        /// Only those of this file system
        #[arg(long, value_name = "NAME")]
        fs: Option<String>,
    },
    /// Lets a reserved index go
    Unreserve {
        /// The target to come, such as testfs-OST0004
        name: String,
        #[command(flatten)]
        how: How,
    },
    /// Prints the mkfs.lustre command for a target, with the NIDs of this MGS
    FormatLine(FormatLine),
}

/// Kind of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Metadata target
    Mdt,
    /// Object storage target
    Ost,
}

impl From<Kind> for TargetKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Mdt => TargetKind::Mdt,
            Kind::Ost => TargetKind::Ost,
        }
    }
}

impl Command {
    pub(crate) async fn run(self, api: &Client, out: &Output) -> Result<(), Failure> {
        match self {
            Command::List { fs } => out.document(&api.targets(fs.as_deref()).await?, list),
            Command::Show { name } => out.document(&api.target(&name).await?, show),
            Command::ReplaceNids { name, nids, rewrite, how } => {
                let to = MoveTarget { nids, rewrite };
                out.document(&api.target_replace_nids(&name, &to, how.dry_run).await?, change::show)
            }
            Command::Remove { name, how } => {
                out.document(&api.target_remove(&name, how.dry_run).await?, change::show)
            }
            Command::Reserve { fs, kind, count, expires, by, nid, how } => {
                let what = Reserve { fs, kind: kind.into(), count, expires, by, nids: nid };
                out.document(&api.reserve(&what, how.dry_run).await?, reserved)
            }
            Command::Reserved { fs } => out.document(&api.reservations(fs.as_deref()).await?, reservations),
            Command::Unreserve { name, how } => {
                out.document(&api.unreserve(&name, how.dry_run).await?, change::show)
            }
            Command::FormatLine(line) => line.run(api, out).await,
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

/// Seconds of `7d`, `12h`, `30m` or `90s`.
fn seconds(text: &str) -> Result<u32, String> {
    let (number, unit) =
        text.split_at(text.len().saturating_sub(text.chars().last().map_or(0, char::len_utf8)));
    let unit = match unit {
        "d" => 86_400,
        "h" => 3600,
        "m" => 60,
        "s" => 1,
        _ => return Err("a number with d, h, m or s, such as 7d".to_owned()),
    };
    let number: u32 = number.parse().map_err(|_| "a number with d, h, m or s, such as 7d".to_owned())?;
    number.checked_mul(unit).filter(|s| *s > 0).ok_or_else(|| "between 1s and 49000d".to_owned())
}

/// The names, a line each; then what every change says.
fn reserved(change: &Change) -> String {
    let named = |event: &serde_json::Value| Some(event.get("target")?.as_str()?.to_owned());
    let mut out: String = change.events.iter().filter_map(named).map(|name| name + "\n").collect();
    out += &change::show(change);
    out
}

fn reservations(list: &List<Reservation>) -> String {
    let mut table = Table::new(&["TARGET", "BY", "SINCE", "UNTIL", "NIDS"]);
    for r in &list.items {
        table.row([
            r.target.clone(),
            r.by.clone(),
            r.time.to_string(),
            r.until.map_or_else(String::new, |until| until.to_string()),
            r.nids.join(","),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(["7d", "12h", "30m", "90s"].map(seconds), [604_800, 43_200, 1800, 90].map(Ok));
        for bad in ["", "7", "d", "7w", "-1d", "0s", "50000d", "7ü", "1.5h"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
