//! `mgsd`: the userspace Lustre MGS.
//!
//! Exit codes: 0 done or ended by a signal, 1 refused or failed (one line on stderr), 2 usage.

use clap::Parser;
use mgsd::config::{Arguments, Command, Config, ConfigError, Site};
use mgsd::{backup, daemon, several};
use std::io::IsTerminal as _;
use std::process::ExitCode;
use store_backends::Place;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        None => Site::new(&arguments).map(run),
        Some(command) => Config::new(&arguments).map(|config| instead(&config, command)),
    };
    match outcome {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            eprintln!("mgsd: {error}");
            ExitCode::FAILURE
        }
        Err(error) => usage(&error),
    }
}

fn usage(error: &ConfigError) -> ExitCode {
    eprintln!("mgsd: {error}");
    ExitCode::from(2)
}

fn instead(config: &Config, command: &Command) -> Result<ExitCode, Box<dyn std::error::Error>> {
    match command {
        Command::Check { .. } => check(config),
        Command::Backup { file, .. } => told(backup::backup(&config.store, file)),
        Command::Restore { from, gap, .. } => told(backup::restore(&config.store, from, *gap)),
    }
}

fn told(lines: Result<Vec<String>, backup::BackupError>) -> Result<ExitCode, Box<dyn std::error::Error>> {
    for line in lines? {
        println!("{line}");
    }
    Ok(ExitCode::SUCCESS)
}

fn check(config: &Config) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let findings = daemon::check(&config.store)?;
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("{}: no damage found", place(config));
        return Ok(ExitCode::SUCCESS);
    }
    Err(format!("{}: {} findings; restore a backup", place(config), findings.len()).into())
}

fn place(config: &Config) -> String {
    match &config.store {
        Place::Sqlite(dir) => dir.display().to_string(),
        place => place.to_string(),
    }
}

fn run(site: Site) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        if site.mgs.len() > 1 {
            let shown = site.clone();
            several::serve(site, move |running| several::greet(&shown, running), stop).await?;
        } else {
            let config = site.choose(None)?;
            let shown = config.clone();
            daemon::serve(config, move |running| daemon::greet(&shown, running), stop).await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}
