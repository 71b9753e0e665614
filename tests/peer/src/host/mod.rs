//! Runs a [`Node`] over real TCP.
//!
//! One task owns the node; two small tasks per connection read and write. Cheap enough for a thousand nodes in a
//! process.
mod net;

use crate::interp::ConfigTree;
use crate::node::{
    ClientOptions, Command, Event, Input, Node, NodeConfig, TargetKind, TargetOptions, Transmit,
};
use net::{FromNet, Net};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;
use wire::Nid;

/// Port of the LNet acceptor.
pub const LNET_PORT: u16 = 988;
/// Events kept for a slow subscriber.
const EVENTS: usize = 512;
const COMMANDS: usize = 64;

/// How a node reaches the world.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// The node.
    pub node: NodeConfig,
    /// Local address to dial from; `None`: the system's choice.
    pub bind: Option<IpAddr>,
    /// Dial from a port below 1024, as kernels do and as an acceptor in secure mode demands.
    pub reserved_ports: bool,
    /// Where a NID really is, for tests on loopback; other NIDs are dialled at their address.
    pub addresses: HashMap<Nid, SocketAddr>,
    /// Port for NIDs without an entry above.
    pub port: u16,
    /// Accept connections of the MGS here.
    pub listen: Option<SocketAddr>,
    /// The node's clock runs so many times faster than ours: tests need not wait for a kernel's patience.
    pub speed: u32,
}

impl HostConfig {
    /// A 2.17 node that boots now, with a seed from the clock and its NID.
    #[allow(clippy::disallowed_methods)] // a driver reads clocks
    pub fn new(nid: Nid, mgs: Vec<Nid>) -> Self {
        let boot = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let salt = nid.to_u64().unwrap_or_default().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let seed = salt ^ u64::try_from(boot.as_nanos()).unwrap_or_default();
        Self {
            node: NodeConfig::new(nid, mgs, seed, boot),
            bind: None,
            reserved_ports: false,
            addresses: HashMap::new(),
            port: LNET_PORT,
            listen: None,
            speed: 1,
        }
    }
    /// Dials every MGS NID at this address.
    #[must_use]
    pub fn with_mgs_addr(mut self, addr: SocketAddr) -> Self {
        self.addresses = self.node.mgs.iter().map(|nid| (*nid, addr)).collect();
        self
    }
}

/// Why an operation did not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The mount failed as a kernel's would.
    #[error("{name}: mount failed: {why}: rc = {errno}")]
    Mount {
        /// Which.
        name: String,
        /// Negative errno.
        errno: i32,
        /// At what.
        why: String,
    },
    /// The node hit an assertion.
    #[error("the node crashed: {why}")]
    Crashed {
        /// Which assertion.
        why: String,
    },
    /// The host was stopped.
    #[error("the node was stopped")]
    Stopped,
}

/// Keeps a node stopped.
#[derive(Debug)]
pub struct Frozen {
    _guard: oneshot::Sender<()>,
}

type Answer = oneshot::Sender<Result<ConfigTree, PeerError>>;

enum Order {
    Do(Command, String, Answer),
    Ping,
    Config(String, oneshot::Sender<Option<ConfigTree>>),
    /// Power off: sockets go away without a word.
    PowerOff,
    /// Break all TCP connections; the node goes on.
    Cut,
    /// Do nothing until the other end is dropped.
    Freeze(oneshot::Receiver<()>),
}

/// A running node.
#[derive(Debug)]
pub struct PeerHost {
    nid: Nid,
    orders: mpsc::Sender<Order>,
    events: broadcast::Sender<Event>,
}

impl PeerHost {
    /// Starts a node on the current tokio runtime.
    ///
    /// # Errors
    /// The listening address cannot be bound.
    pub async fn start(config: HostConfig) -> io::Result<Self> {
        let nid = config.node.nid;
        let (orders, inbox) = mpsc::channel(COMMANDS);
        let (events, _) = broadcast::channel(EVENTS);
        let node = Node::new(config.node.clone());
        let speed = config.speed.max(1);
        let (net, from_net) = Net::start(config).await?;
        let host = Host {
            node,
            net,
            events: events.clone(),
            waiting: Vec::new(),
            origin: Instant::now(),
            speed,
            crashed: None,
        };
        tokio::spawn(host.run(inbox, from_net));
        Ok(Self { nid, orders, events })
    }

    /// The node's NID.
    pub const fn nid(&self) -> Nid {
        self.nid
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Mounts an MDT with default options; the configuration that its log gave.
    ///
    /// # Errors
    /// See [`PeerError`].
    pub async fn mount_mdt(&self, fsname: &str, index: u32) -> Result<ConfigTree, PeerError> {
        self.mount_target(TargetOptions::new(fsname, TargetKind::Mdt, index)).await
    }

    /// Mounts an OST with default options.
    ///
    /// # Errors
    /// See [`PeerError`].
    pub async fn mount_ost(&self, fsname: &str, index: u32) -> Result<ConfigTree, PeerError> {
        self.mount_target(TargetOptions::new(fsname, TargetKind::Ost, index)).await
    }

    /// Mounts a target.
    ///
    /// # Errors
    /// See [`PeerError`].
    pub async fn mount_target(&self, options: TargetOptions) -> Result<ConfigTree, PeerError> {
        let name = options.svname();
        self.command(Command::MountTarget(options), name).await
    }

    /// Registers a target and breaks its mount off behind that.
    ///
    /// # Errors
    /// See [`PeerError`].
    pub async fn register(&self, options: TargetOptions) -> Result<(), PeerError> {
        let name = options.svname();
        self.command(Command::Register(options), name).await.map(drop)
    }

    /// Mounts a client with default options.
    ///
    /// # Errors
    /// See [`PeerError`].
    pub async fn mount_client(&self, fsname: &str) -> Result<ConfigTree, PeerError> {
        self.mount_client_with(ClientOptions::new(fsname)).await
    }

    /// Mounts a client.
    ///
    /// # Errors
    /// See [`PeerError`].
    pub async fn mount_client_with(&self, options: ClientOptions) -> Result<ConfigTree, PeerError> {
        let name = options.name();
        self.command(Command::MountClient(options), name).await
    }

    /// Unmounts `testfs-OST0000` or `testfs-client`.
    ///
    /// # Errors
    /// [`PeerError::Stopped`], [`PeerError::Crashed`].
    pub async fn umount(&self, name: &str) -> Result<(), PeerError> {
        self.command(Command::Umount(name.to_owned()), name.to_owned()).await.map(|_| ())
    }

    /// Pings the MGS now; [`Event::Pinged`] follows.
    ///
    /// # Errors
    /// [`PeerError::Stopped`].
    pub async fn ping(&self) -> Result<(), PeerError> {
        self.orders.send(Order::Ping).await.map_err(|_| PeerError::Stopped)
    }

    /// Configuration of a mount as it is now.
    pub async fn config(&self, name: &str) -> Option<ConfigTree> {
        let (tx, rx) = oneshot::channel();
        self.orders.send(Order::Config(name.to_owned(), tx)).await.ok()?;
        rx.await.ok().flatten()
    }

    /// Breaks all TCP connections. The node dials again when it has something to say.
    pub async fn cut(&self) {
        let _gone = self.orders.send(Order::Cut).await;
    }

    /// Power off: nothing is unmounted, nobody is told.
    pub async fn power_off(&self) {
        let _gone = self.orders.send(Order::PowerOff).await;
        self.orders.closed().await;
    }

    /// Stops the node, as SIGSTOP does a process, until the guard is dropped: connections stay, nothing is read.
    pub async fn freeze(&self) -> Frozen {
        let (guard, until) = oneshot::channel();
        let _gone = self.orders.send(Order::Freeze(until)).await;
        Frozen { _guard: guard }
    }

    async fn command(&self, command: Command, name: String) -> Result<ConfigTree, PeerError> {
        let (tx, rx) = oneshot::channel();
        self.orders.send(Order::Do(command, name, tx)).await.map_err(|_| PeerError::Stopped)?;
        rx.await.unwrap_or(Err(PeerError::Stopped))
    }
}

struct Host {
    node: Node,
    net: Net,
    events: broadcast::Sender<Event>,
    /// Who waits for which mount or unmount, in order.
    waiting: Vec<(String, Answer)>,
    origin: Instant,
    speed: u32,
    crashed: Option<String>,
}

impl Host {
    fn now(&self) -> Duration {
        self.origin.elapsed() * self.speed
    }

    async fn run(mut self, mut orders: mpsc::Receiver<Order>, mut from_net: mpsc::Receiver<FromNet>) {
        loop {
            let due = self.node.poll_timeout().map(|at| self.origin + at / self.speed);
            // Far away instead of never: one branch less.
            let due = due.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            let input = tokio::select! {
                order = orders.recv() => match order {
                    None | Some(Order::PowerOff) => break,
                    Some(Order::Freeze(until)) => {
                        let _dropped = until.await;
                        None
                    }
                    Some(order) => self.order(order),
                },
                Some(message) = from_net.recv() => self.net.translate(message),
                () = tokio::time::sleep_until(due) => Some(Input::Tick),
            };
            if let Some(input) = input {
                self.node.handle(input, self.now());
            }
            self.pump();
        }
    }

    fn order(&mut self, order: Order) -> Option<Input> {
        match order {
            Order::Do(_, _, answer) if self.crashed.is_some() => {
                let why = self.crashed.clone().unwrap_or_default();
                let _gone = answer.send(Err(PeerError::Crashed { why }));
                None
            }
            Order::Do(command, name, answer) => {
                self.waiting.push((name, answer));
                Some(Input::Command(command))
            }
            Order::Ping => Some(Input::Command(Command::Ping)),
            Order::Config(name, answer) => {
                let _gone = answer.send(self.node.config(&name).cloned());
                None
            }
            Order::Cut => {
                for conn in self.net.cut() {
                    self.node.handle(Input::Closed(conn), self.now());
                }
                None
            }
            Order::PowerOff | Order::Freeze(_) => None,
        }
    }

    /// Carries out what the node wants and tells what happened.
    fn pump(&mut self) {
        while let Some(transmit) = self.node.poll_transmit() {
            match transmit {
                Transmit::Dial { conn, to } => self.net.dial(conn, to),
                Transmit::Bytes { conn, bytes } => self.net.write(conn, bytes),
                Transmit::Close { conn } => self.net.close(conn),
            }
        }
        while let Some(event) = self.node.poll_event() {
            self.answer(&event);
            let _nobody_listens = self.events.send(event);
        }
    }

    fn answer(&mut self, event: &Event) {
        let (name, result) = match event {
            Event::Mounted { name, config } => (name, Ok((**config).clone())),
            Event::Unmounted { name } => (name, Ok(ConfigTree::default())),
            Event::MountFailed { name, errno, why } => {
                (name, Err(PeerError::Mount { name: name.clone(), errno: *errno, why: why.clone() }))
            }
            Event::Crashed { why } => {
                self.crashed = Some(why.clone());
                for (_, answer) in self.waiting.drain(..) {
                    let _gone = answer.send(Err(PeerError::Crashed { why: why.clone() }));
                }
                return;
            }
            _ => return,
        };
        if let Some(at) = self.waiting.iter().position(|(n, _)| n == name) {
            let (_, answer) = self.waiting.remove(at);
            let _gone = answer.send(result);
        }
    }
}
