//! The task that owns the core.
use crate::config::Config;
use crate::connection::Connection;
use crate::link::{self, FrameLink};
use crate::listen::{self, BindError};
use crate::log::Log;
use lnet_core::{ConnId, Counters, Input, Output, Proxy};
use socket2::SockRef;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use wire::relay::Frame;

/// Reports that wait for the core; readers stop when it is full.
const REPORTS: usize = 256;
/// Reports between two looks at deadlines.
const BATCH: usize = 32;
const RECONNECT_MIN: Duration = Duration::from_millis(100);
/// Shorter than the patience of the core: a restart of the daemon must not close the listener.
const RECONNECT_MAX: Duration = Duration::from_secs(1);

/// How the daemon is reached.
#[derive(Debug)]
pub enum Link {
    /// In this process: the proxy's end of [`link::pair`]. When the daemon drops its end the proxy ends too.
    Memory(FrameLink),
    /// Over a Unix socket; dialled again whenever it is lost.
    Unix(PathBuf),
}

/// Numbers for metrics and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// What happened so far.
    pub counters: Counters,
    /// TCP connections now.
    pub connections: usize,
    /// Peers connected now.
    pub peers: usize,
    /// New connections are wanted: a daemon is ready, or was a moment ago.
    pub listening: bool,
}

/// A running proxy; dropping it ends it at once.
#[derive(Debug)]
pub struct Handle {
    /// Addresses listened on, in the order of the configuration.
    pub addresses: Vec<SocketAddr>,
    snapshots: watch::Receiver<Snapshot>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Handle {
    /// The numbers of now.
    pub fn snapshot(&self) -> Snapshot {
        *self.snapshots.borrow()
    }

    /// Waits for numbers that satisfy `wanted`; `None`: the proxy ended before.
    pub async fn wait_for(&self, wanted: impl FnMut(&Snapshot) -> bool) -> Option<Snapshot> {
        let mut snapshots = self.snapshots.clone();
        snapshots.wait_for(wanted).await.ok().map(|s| *s)
    }

    /// Waits until the proxy ends by itself: its daemon, in this process, is gone.
    pub async fn ended(&self) {
        let mut snapshots = self.snapshots.clone();
        while snapshots.changed().await.is_ok() {}
    }

    /// Closes all connections and waits for the end.
    pub async fn shutdown(mut self) {
        drop(self.stop.take());
        let _ = (&mut self.task).await; // it ends in any case
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}

/// What the other tasks tell the owner of the core.
pub(crate) enum Report {
    Accepted(TcpStream, SocketAddr),
    Dialled(ConnId, std::io::Result<TcpStream>),
    Input(Input),
    /// A link stands; its number tells it from its predecessors.
    LinkUp(u64, LinkQueue),
    Link(u64, Input),
    /// The link is lost and there is no way to make another one.
    NoDaemon,
}

/// Our end of a link that stands; dropping it gives the link up.
pub(crate) struct LinkQueue {
    frames: mpsc::UnboundedSender<Frame>,
    /// Tells the link's task even while it waits for a daemon that does not read.
    _alive: oneshot::Sender<()>,
}

/// Binds, then runs in the background.
///
/// # Errors
/// An address cannot be listened on.
pub fn spawn(mut config: Config, link: Link) -> Result<Handle, BindError> {
    let places = listen::bind_all(&config)?;
    let addresses = places.iter().map(|place| place.address).collect();
    let (reports, inbox) = mpsc::channel(REPORTS);
    let (publish, snapshots) = watch::channel(Snapshot::default());
    let (stop, stopped) = oneshot::channel();
    let mut tasks = JoinSet::new();
    let (listening, wanted) = watch::channel(true);
    for place in places {
        tasks.spawn(listen::keep_listening(place, config.wait_address, wanted.clone(), reports.clone()));
    }
    if matches!(link, Link::Memory(_)) {
        config.core.timing.daemon_silence = None;
    }
    tasks.spawn(keep_link(link, reports.clone()));
    let driver = Driver {
        proxy: Proxy::new(config.core.clone()),
        config,
        start: Instant::now(),
        reports,
        connections: HashMap::new(),
        dials: HashMap::new(),
        link: None,
        listening,
        publish,
        log: Log::default(),
    };
    let task = tokio::spawn(async move {
        driver.run(inbox, stopped).await;
        tasks.shutdown().await;
    });
    Ok(Handle { addresses, snapshots, stop: Some(stop), task })
}

struct Driver {
    proxy: Proxy,
    config: Config,
    start: Instant,
    reports: mpsc::Sender<Report>,
    connections: HashMap<ConnId, Connection>,
    dials: HashMap<ConnId, AbortHandle>,
    /// Number and queue of the link that stands.
    link: Option<(u64, LinkQueue)>,
    /// Whether the listeners are to be open.
    listening: watch::Sender<bool>,
    publish: watch::Sender<Snapshot>,
    log: Log,
}

impl Driver {
    async fn run(mut self, mut inbox: mpsc::Receiver<Report>, mut stopped: oneshot::Receiver<()>) {
        self.handle(Input::Tick); // patience with the daemon begins
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let deadline = self.proxy.poll_timeout().map(|at| self.start + at);
            tokio::select! {
                count = inbox.recv_many(&mut batch, BATCH) => {
                    if count == 0 || batch.iter().any(|report| matches!(report, Report::NoDaemon)) {
                        break;
                    }
                    for report in batch.drain(..) {
                        self.take(report);
                        self.execute();
                    }
                }
                () = wait_until(deadline) => self.handle(Input::Tick),
                _ = &mut stopped => break,
            }
            self.execute();
            self.publish.send_replace(Snapshot {
                counters: self.proxy.counters(),
                connections: self.proxy.connections(),
                peers: self.proxy.connected_peers(),
                listening: *self.listening.borrow(),
            });
        }
        for dial in self.dials.values() {
            dial.abort();
        }
    }

    fn handle(&mut self, input: Input) {
        self.proxy.handle(input, self.start.elapsed());
    }

    fn take(&mut self, report: Report) {
        match report {
            Report::Input(input) => {
                if let Input::AddressGone { ip } = input {
                    self.connections.values().for_each(|connection| connection.forget_with(ip));
                }
                self.handle(input);
            }
            Report::Accepted(stream, remote) => match self.proxy.accept(remote, self.start.elapsed()) {
                Ok(id) => {
                    self.connections.insert(id, Connection::start(id, stream, &self.reports));
                }
                Err(error) => self.log.refused(remote, &error, self.start.elapsed()),
            },
            Report::Dialled(id, result) => {
                if self.dials.remove(&id).is_none() {
                    return; // given up meanwhile
                }
                let ready = result.and_then(|stream| {
                    listen::set_options(SockRef::from(&stream))?;
                    Ok((stream.local_addr()?, stream.peer_addr()?, stream))
                });
                let result = match ready {
                    Ok((local, remote, stream)) => {
                        self.connections.insert(id, Connection::start(id, stream, &self.reports));
                        Ok((local, remote))
                    }
                    Err(error) => Err(error.to_string()),
                };
                self.handle(Input::Dialled { conn: id, result });
            }
            Report::LinkUp(number, queue) => {
                self.link = Some((number, queue));
                self.handle(Input::LinkUp);
            }
            Report::Link(number, input) => {
                if self.link.as_ref().is_some_and(|(current, _)| *current == number) {
                    if matches!(input, Input::LinkDown) {
                        self.link = None;
                    }
                    self.handle(input);
                }
            }
            Report::NoDaemon => {}
        }
    }

    fn execute(&mut self) {
        while let Some(output) = self.proxy.poll_output() {
            match output {
                Output::Write { conn, bytes } => {
                    if let Some(connection) = self.connections.get_mut(&conn) {
                        connection.write(bytes);
                    }
                }
                Output::Close { conn, drain } => {
                    if let Some(dial) = self.dials.remove(&conn) {
                        dial.abort();
                    }
                    match self.connections.remove(&conn) {
                        Some(connection) if drain => connection.drain(),
                        _ => {}
                    }
                }
                Output::Dial { conn, peer, ip, local, ctype } => {
                    tracing::debug!(%peer, %local, ?ctype, "dialling");
                    let overridden = self.config.dial_override.as_ref().and_then(|o| (o.0)(peer));
                    let target = overridden.unwrap_or(SocketAddr::new(ip, self.config.peer_port));
                    // Where we listen elsewhere than on our NIDs, their addresses are not this host's.
                    let own = self.config.bind.is_empty() && overridden.is_none();
                    let source = local.ip().filter(|_| own);
                    let reports = self.reports.clone();
                    let dial = tokio::spawn(async move {
                        let result = crate::dial::connect(target, source).await;
                        let _ = reports.send(Report::Dialled(conn, result)).await; // the driver may have ended
                    });
                    self.dials.insert(conn, dial.abort_handle());
                }
                Output::Relay(frame) => {
                    if let Some((_, queue)) = &self.link {
                        let _ = queue.frames.send(frame); // a link that is gone reports itself
                    }
                }
                Output::DropLink { reason } => {
                    tracing::error!(%reason, "link to the daemon given up");
                    self.link = None;
                }
                Output::Listen { open } => {
                    self.listening.send_replace(open);
                }
                Output::Event(event) => self.log.event(&event, self.start.elapsed()),
            }
        }
    }
}

async fn wait_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Holds the link to the daemon, again and again if it is one that can be dialled.
async fn keep_link(link: Link, reports: mpsc::Sender<Report>) {
    let path = match link {
        Link::Memory(link) => {
            run_link(1, link, &reports).await;
            let _ = reports.send(Report::NoDaemon).await; // the driver may have ended
            return;
        }
        Link::Unix(path) => path,
    };
    let mut pause = RECONNECT_MIN;
    for number in 1.. {
        match link::connect(&path).await {
            Ok(link) => {
                tracing::info!(path = %path.display(), "link to the daemon stands");
                if run_link(number, link, &reports).await {
                    pause = RECONNECT_MIN;
                }
                tracing::warn!(path = %path.display(), "link to the daemon lost");
            }
            Err(error) => tracing::debug!(path = %path.display(), %error, "daemon not reachable"),
        }
        if reports.is_closed() {
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(RECONNECT_MAX);
    }
}

/// Moves frames both ways until either end is gone. `true`: something came from the daemon.
async fn run_link(number: u64, mut link: FrameLink, reports: &mpsc::Sender<Report>) -> bool {
    let (queue, mut frames) = mpsc::unbounded_channel();
    let (alive, given_up) = oneshot::channel();
    let queue = LinkQueue { frames: queue, _alive: alive };
    if reports.send(Report::LinkUp(number, queue)).await.is_err() {
        return false;
    }
    let outward = async {
        while let Some(frame) = frames.recv().await {
            if link.tx.send(frame).await.is_err() {
                return;
            }
            let flushed = Report::Link(number, Input::LinkFlushed { frames: 1 });
            if reports.send(flushed).await.is_err() {
                return;
            }
        }
    };
    let mut heard = false;
    let inward = async {
        while let Some(frame) = link.rx.recv().await {
            heard = true;
            if reports.send(Report::Link(number, Input::Relay(frame))).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = outward => {}
        () = inward => {}
        _ = given_up => {}
    }
    let _ = reports.send(Report::Link(number, Input::LinkDown)).await; // the driver may have ended
    heard
}
