//! `lustre-peer`: a Lustre node on the command line, to see an MGS at work without Lustre.
mod print;

use clap::{Args, Parser, Subcommand};
use lustre_peer::{ClientOptions, HostConfig, PeerHost, TargetKind, TargetOptions, TargetState};
use print::Printer;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use tokio::sync::oneshot;
use wire::Nid;

/// Plays an unmodified Lustre node (release 2.17.57) towards an MGS: mounts a target or a client, stays up, pings, and
/// tells what happens. Ctrl-C unmounts and leaves.
#[derive(Parser, Debug)]
#[command(name = "lustre-peer", version, about)]
struct Cli {
    #[command(flatten)]
    node: NodeArgs,
    #[command(subcommand)]
    what: What,
}

#[derive(Args, Debug, Clone)]
struct NodeArgs {
    /// NID of this node. A loopback address is also dialled from.
    #[arg(long, global = true, default_value = "127.0.0.2@tcp")]
    nid: Nid,
    /// NIDs of the MGS, tried in turn.
    #[arg(long, global = true, value_delimiter = ',', default_value = "127.0.0.1@tcp")]
    mgsnid: Vec<Nid>,
    /// Where the MGS really is; default: port 988 at the address of its NID.
    #[arg(long, global = true, value_name = "HOST:PORT")]
    mgs_addr: Option<SocketAddr>,
    /// Accept connections of the MGS here.
    #[arg(long, global = true, value_name = "HOST:PORT")]
    listen: Option<SocketAddr>,
    /// Dial from a port below 1024, as kernels do (needs privileges).
    #[arg(long, global = true)]
    reserved_ports: bool,
    /// File system.
    #[arg(long, global = true, default_value = "testfs")]
    fsname: String,
    /// Unmount and leave when everything is mounted.
    #[arg(long, global = true)]
    once: bool,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Mounts an MDT.
    Mdt(TargetArgs),
    /// Mounts an OST.
    Ost(TargetArgs),
    /// Mounts a client.
    Client {
        /// Do without the NID table.
        #[arg(long)]
        noir: bool,
    },
    /// A small file system in one process: one MDT, some OSTs, a client, each a node of its own.
    Demo {
        /// Number of OSTs.
        #[arg(long, default_value_t = 2)]
        osts: u8,
    },
}

#[derive(Args, Debug)]
struct TargetArgs {
    /// Index of the target.
    index: u32,
    /// The target was mounted before.
    #[arg(long, conflicts_with = "writeconf")]
    registered: bool,
    /// Have its logs written anew.
    #[arg(long)]
    writeconf: bool,
    /// Parameter given at format, as `name=value`.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
}

impl TargetArgs {
    fn options(&self, fsname: &str, kind: TargetKind) -> TargetOptions {
        let state = match (self.registered, self.writeconf) {
            (true, _) => TargetState::Registered,
            (_, true) => TargetState::Writeconf,
            _ => TargetState::Virgin,
        };
        TargetOptions { state, params: self.params.clone(), ..TargetOptions::new(fsname, kind, self.index) }
    }
}

/// A node of this process and what is mounted on it.
struct Running {
    host: PeerHost,
    mounted: String,
    printer: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Starts a node, mounts, prints.
    async fn start(args: &NodeArgs, nid: Nid, mount: Mount) -> Result<Self, String> {
        let mut config = HostConfig::new(nid, args.mgsnid.clone());
        if let Some(addr) = args.mgs_addr {
            config = config.with_mgs_addr(addr);
        }
        config.bind = nid.ip().filter(IpAddr::is_loopback);
        config.listen = args.listen;
        config.reserved_ports = args.reserved_ports;
        let host = PeerHost::start(config).await.map_err(|e| format!("cannot listen: {e}"))?;
        let mounted = match &mount {
            Mount::Target(options) => options.svname(),
            Mount::Client(options) => options.name(),
        };
        let (tell, shown) = oneshot::channel();
        let printer = tokio::spawn(Printer::new(&mounted).run(host.events(), tell));
        let result = match mount {
            Mount::Target(options) => host.mount_target(options).await,
            Mount::Client(options) => host.mount_client_with(options).await,
        };
        match result {
            Ok(_) => {
                let _printed = shown.await;
                Ok(Self { host, mounted, printer })
            }
            Err(error) => Err(error.to_string()),
        }
    }

    async fn stop(self) {
        if let Err(error) = self.host.umount(&self.mounted).await {
            eprintln!("{}: {error}", self.mounted);
        }
        drop(self.host);
        let _ended = self.printer.await;
    }
}

enum Mount {
    Target(TargetOptions),
    Client(ClientOptions),
}

/// NID of the `n`-th node of the demo: the address of `first` plus n.
fn neighbour(first: Nid, n: u8) -> Result<Nid, String> {
    let Some(IpAddr::V4(ip)) = first.ip() else { return Err(format!("{first}: the demo needs an IPv4 NID")) };
    let ip = u32::from(ip).checked_add(u32::from(n)).ok_or("no address left")?;
    Ok(Nid::tcp(IpAddr::V4(ip.into()), first.net))
}

async fn run(cli: Cli) -> Result<(), String> {
    let args = cli.node;
    let fs = args.fsname.as_str();
    let mut plan = Vec::new();
    match &cli.what {
        What::Mdt(target) => plan.push((args.nid, Mount::Target(target.options(fs, TargetKind::Mdt)))),
        What::Ost(target) => plan.push((args.nid, Mount::Target(target.options(fs, TargetKind::Ost)))),
        What::Client { noir } => {
            plan.push((args.nid, Mount::Client(ClientOptions { noir: *noir, ..ClientOptions::new(fs) })));
        }
        What::Demo { osts } => {
            plan.push((args.nid, Mount::Target(TargetOptions::new(fs, TargetKind::Mdt, 0))));
            for i in 0..*osts {
                let options = TargetOptions::new(fs, TargetKind::Ost, u32::from(i));
                plan.push((neighbour(args.nid, i.saturating_add(1))?, Mount::Target(options)));
            }
            let client = neighbour(args.nid, osts.saturating_add(1))?;
            plan.push((client, Mount::Client(ClientOptions::new(fs))));
        }
    }
    let mut running: Vec<Running> = Vec::new();
    let mut result = Ok(());
    for (nid, mount) in plan {
        match Running::start(&args, nid, mount).await {
            Ok(node) => running.push(node),
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    if result.is_ok() && !args.once {
        println!("up; Ctrl-C unmounts");
        let _interrupted = tokio::signal::ctrl_c().await;
    }
    while let Some(node) = running.pop() {
        node.stop().await;
    }
    result
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lustre-peer: {error}");
            ExitCode::FAILURE
        }
    }
}
