//! Command line for mgsd: one file per noun, no logic. What a command prints is a document of the HTTP API, as a table
//! for people or as JSON or YAML for scripts.
//!
//! Exit codes: 0 done · 1 refused or failed, one line on stderr · 2 usage · 3 daemon unreachable or outcome unknown.

mod audit;
mod barrier;
mod change;
mod cli;
mod client;
mod exit;
mod format_line;
mod fs;
mod generate;
mod import;
mod lctl;
mod log;
mod mgt;
mod nodemap;
mod output;
mod param;
mod pool;
mod readback;
mod registration;
mod setting;
mod sptlrpc;
mod status;
mod store;
mod table;
mod target;
mod why;

use std::process::ExitCode;

use clap::Parser;

pub use cli::Cli;
pub use generate::man_pages;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // Usage errors and --help end here: clap prints them and exits with 2 or 0.
    let cli = Cli::parse();
    let done = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(cli.run()),
        Err(error) => Err(exit::Failure::Io { what: "runtime".to_owned(), source: error }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
