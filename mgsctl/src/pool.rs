//! `mgsctl pool`.

use clap::Subcommand;
use mgs_api::{Client, List, NewPool, Pool, PoolMembers};

use crate::change::{self, How};
use crate::exit::Failure;
use crate::output::Output;
use crate::table::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the pools with their members
    List {
        /// Only those of this file system
        #[arg(long, value_name = "NAME")]
        fs: Option<String>,
    },
    /// Makes a pool
    New {
        /// Its name, such as testfs.flash
        #[arg(value_name = "FS.POOL")]
        pool: String,
        #[command(flatten)]
        how: How,
    },
    /// Adds OSTs to a pool, all or none
    Add {
        /// The pool
        #[arg(value_name = "FS.POOL")]
        pool: String,
        /// OSTs, such as OST0000, testfs-OST0000 or OST[0-3,8-a/2] (hexadecimal)
        #[arg(required = true, value_name = "OST")]
        osts: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Removes OSTs from a pool, all or none
    Remove {
        /// The pool
        #[arg(value_name = "FS.POOL")]
        pool: String,
        /// OSTs, as for add
        #[arg(required = true, value_name = "OST")]
        osts: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Destroys an empty pool
    Destroy {
        /// The pool
        #[arg(value_name = "FS.POOL")]
        pool: String,
        #[command(flatten)]
        how: How,
    },
}

impl Command {
    pub(crate) async fn run(self, api: &Client, out: &Output) -> Result<(), Failure> {
        let change = match self {
            Command::List { fs } => return out.document(&api.pools(fs.as_deref()).await?, list),
            Command::New { pool, how } => api.pool_new(&NewPool { pool }, how.dry_run).await?,
            Command::Add { pool, osts, how } => {
                api.pool_add(&pool, &PoolMembers { osts }, how.dry_run).await?
            }
            Command::Remove { pool, osts, how } => {
                api.pool_remove(&pool, &PoolMembers { osts }, how.dry_run).await?
            }
            Command::Destroy { pool, how } => api.pool_destroy(&pool, how.dry_run).await?,
        };
        out.document(&change, change::show)
    }
}

fn list(list: &List<Pool>) -> String {
    let mut table = Table::new(&["POOL", "#OSTS", "MEMBERS"]);
    for pool in &list.items {
        table.row([
            format!("{}.{}", pool.fs, pool.name),
            pool.members.len().to_string(),
            pool.members.join(","),
        ]);
    }
    table.render()
}
