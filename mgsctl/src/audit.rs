//! `mgsctl audit`.

use clap::Subcommand;
use mgs_api::{Chain, Client, Commit, List};
use serde_json::{Map, Value};

use crate::exit::Failure;
use crate::output::Output;
use crate::table::{Fields, Table};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the commits: when, who, what
    List {
        /// Only those above this number
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        after: u64,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
    },
    /// Checks that each commit carries the hash of the one before it; exit code 1 if one does not
    Verify,
}

impl Command {
    pub(crate) async fn run(self, api: &Client, out: &Output) -> Result<(), Failure> {
        match self {
            Command::List { after, limit } => out.document(&api.commits(after, limit).await?, list),
            Command::Verify => {
                let chain = api.commit_chain().await?;
                out.document(&chain, show)?;
                match chain.broken_at {
                    None => Ok(()),
                    Some(seq) => Err(Failure::Input {
                        what: format!("commit {seq}"),
                        why: "does not carry the hash of the one before it: the chain was tampered with or is damaged; compare with a backup"
                            .to_owned(),
                    }),
                }
            }
        }
    }
}

fn list(list: &List<Commit>) -> String {
    let mut table = Table::new(&["#SEQ", "TIME", "ACTOR", "EVENT", "WHAT"]);
    for commit in &list.items {
        for event in &commit.events {
            let word = |name: &str| event.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
            table.row([
                commit.seq.to_string(),
                commit.time.to_string(),
                word("actor"),
                word("event"),
                event.as_object().map(what).unwrap_or_default(),
            ]);
        }
    }
    table.render()
}

/// The fields of an event; what changed as `before → after`.
fn what(event: &Map<String, Value>) -> String {
    const CHANGES: [&str; 6] = ["value", "nids", "policy", "validation", "writeconf", "binding"];
    let changes = CHANGES.into_iter().find(|name| event.contains_key(*name));
    let before = event.get("before").map(text);
    let fields = event.iter().filter(|(name, _)| !["actor", "event"].contains(&name.as_str()));
    let shown = fields.filter_map(|(name, value)| match &before {
        Some(before) if Some(name.as_str()) == changes => Some(format!("{name}={before} → {}", text(value))),
        Some(_) if name == "before" && changes.is_some() => None,
        _ => Some(format!("{name}={}", text(value))),
    });
    shown.collect::<Vec<_>>().join(" ")
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "-".to_owned(),
        Value::Array(list) => list.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn show(chain: &Chain) -> String {
    let mut fields = Fields::default();
    fields.add("commits", format!("{} to {}", chain.first, chain.last));
    fields.add("sha256 of the last", &chain.sha256);
    match chain.broken_at {
        None => fields.add("chain", "whole"),
        Some(seq) => fields.add("chain", format!("broken at {seq}")),
    }
    fields.render()
}
