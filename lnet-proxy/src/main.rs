//! `lnet-proxy`: terminates LNet over TCP and passes MGS messages to mgsd.
//!
//! Exit codes: 0 ended by a signal, 1 failed (one line on stderr), 2 usage.
use clap::Parser;
use lnet_proxy::{Config, Link, spawn};
use std::io::IsTerminal as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use wire::Nid;

/// Terminates LNet over TCP and passes MGS messages to mgsd.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    /// NIDs of this MGS node, such as 10.0.0.1@tcp; peers name them with --mgsnode.
    #[arg(long = "nid", value_name = "NID", required = true, value_delimiter = ',')]
    nids: Vec<Nid>,
    /// Port to listen on. Real nodes always dial 988: NIDs carry no port.
    #[arg(long, default_value_t = 988)]
    port: u16,
    /// Addresses to listen on [default: the address of each NID].
    #[arg(long, value_name = "ADDR", value_delimiter = ',')]
    bind: Vec<IpAddr>,
    /// Wait for an address that is not on this host, and give it up when it leaves: for addresses that move.
    #[arg(long)]
    wait_address: bool,
    /// Routers to a network that no --nid is on, such as 'o2ib via 10.0.0.5@tcp,10.0.0.6@tcp'; may be given again.
    #[arg(long = "route", value_name = "NET via GATEWAY,...")]
    routes: Vec<lnet_core::Route>,
    /// Source ports to let in: only reserved ones, as a kernel node does, or all [default: secure on port 988, else
    /// all].
    #[arg(long, value_enum)]
    accept: Option<Accept>,
    /// Where mgsd listens for proxies, as unix:PATH.
    #[arg(long, value_name = "unix:PATH", value_parser = relay)]
    relay: PathBuf,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Accept {
    Secure,
    All,
}

fn relay(text: &str) -> Result<PathBuf, String> {
    match text.strip_prefix("unix:") {
        Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
        _ => Err("expected unix:PATH, such as unix:/run/mgsd/relay.sock".to_owned()),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lnet-proxy: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::new(arguments.nids).with_port(arguments.port);
    config.bind = arguments.bind.iter().map(|ip| SocketAddr::new(*ip, arguments.port)).collect();
    config.core.routes = arguments.routes;
    config.wait_address = arguments.wait_address;
    match arguments.accept {
        Some(Accept::Secure) => config.core.accept = lnet_core::Accept::Secure,
        Some(Accept::All) => config.core.accept = lnet_core::Accept::All,
        None => {}
    }
    config.core.identity = format!("lnet-proxy pid {}", std::process::id());
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let nids: Vec<String> = config.core.nids.iter().map(ToString::to_string).collect();
        let handle = spawn(config, Link::Unix(arguments.relay))?;
        tracing::info!(nids = nids.join(","), addresses = ?handle.addresses, "started");
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        handle.shutdown().await;
        Ok(())
    })
}
