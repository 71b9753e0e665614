//! `mgsctl audit`.

use clap::Subcommand;
use mgs_api::{Chain, Client, Commit, List};

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
            let fields = event.as_object().into_iter().flatten();
            let what: Vec<String> = fields
                .filter(|(name, _)| !["actor", "event"].contains(&name.as_str()))
                .map(|(name, value)| match value.as_str() {
                    Some(text) => format!("{name}={text}"),
                    None => format!("{name}={value}"),
                })
                .collect();
            table.row([
                commit.seq.to_string(),
                commit.time.to_string(),
                word("actor"),
                word("event"),
                what.join(" "),
            ]);
        }
    }
    table.render()
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
