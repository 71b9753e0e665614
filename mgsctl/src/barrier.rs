//! `mgsctl barrier`.

use clap::Subcommand;
use mgs_api::{Barrier, Change, Client, FreezeBarrier};

use crate::change;
use crate::exit::Failure;
use crate::output::Output;
use crate::table::Fields;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows how far it is
    Stat {
        /// File system
        fs: String,
    },
    /// Has every MDT stop changes and commit what came before; returns when all have
    Freeze {
        /// File system
        fs: String,
        /// It ends by itself after so many seconds
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
        timeout: u32,
        #[command(flatten)]
        how: change::How,
    },
    /// Lifts it
    Thaw {
        /// File system
        fs: String,
        #[command(flatten)]
        how: change::How,
    },
    /// Counts the MDTs; those that do not answer do not count from now on
    Rescan {
        /// File system
        fs: String,
        #[command(flatten)]
        how: change::How,
    },
}

impl Command {
    pub(crate) async fn run(self, api: &Client, out: &Output) -> Result<(), Failure> {
        let change = match self {
            Command::Stat { fs } => return out.document(&api.barrier(&fs).await?, stat),
            Command::Freeze { fs, timeout, how } => {
                api.barrier_freeze(&fs, FreezeBarrier { timeout }, how.dry_run).await?
            }
            Command::Thaw { fs, how } => api.barrier_thaw(&fs, how.dry_run).await?,
            Command::Rescan { fs, how } => {
                let change = api.barrier_rescan(&fs, how.dry_run).await?;
                return out.document(&change, counted);
            }
        };
        out.document(&change, change::show)
    }
}

fn stat(barrier: &Barrier) -> String {
    let mut fields = Fields::default();
    fields.add("state", &barrier.state);
    fields.add("ends in", format!("{} s", barrier.left));
    fields.add("MDTs", barrier.mdts);
    fields.add("MDTs that do not answer", barrier.absent);
    fields.render()
}

/// How many, then what every change says.
fn counted(change: &Change) -> String {
    let number = |event: &serde_json::Value, name: &str| event.get(name).and_then(serde_json::Value::as_u64);
    let events = change.events.iter().filter(|_| !change.dry_run);
    let mut out: String = events
        .filter_map(|e| {
            Some(format!("{} of {} MDTs do not answer\n", number(e, "absent")?, number(e, "total")?))
        })
        .collect();
    out += &change::show(change);
    out
}
