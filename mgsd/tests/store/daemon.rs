//! One real mgsd, and what nodes around it have read.

use crate::process::{command, free_port, serve};
use lustre_peer::host::{HostConfig, PeerHost};
use lustre_peer::node::{Event, Violation};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;
use wire::Nid;

pub(crate) struct Daemon {
    pub(crate) dir: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

/// Runs `mgsd` with these words; what it printed, on both streams.
pub(crate) async fn mgsd(words: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_mgsd")).args(words).output().await.unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(text) } else { Err(text) }
}

impl Daemon {
    pub(crate) async fn new() -> Self {
        Self::with("check_interval = 1\n").await
    }

    /// With this configuration file.
    pub(crate) async fn with(config: &str) -> Self {
        let mut daemon = Self { dir: tempfile::tempdir().unwrap(), port: free_port(), child: None };
        std::fs::write(daemon.dir.path().join("mgsd.toml"), config).unwrap();
        daemon.start().await;
        daemon
    }

    pub(crate) fn data(&self) -> &str {
        self.dir.path().to_str().unwrap()
    }

    pub(crate) async fn start(&mut self) {
        let config = self.dir.path().join("mgsd.toml");
        let mut command = command(self.dir.path());
        let at = ["--nid", "127.0.0.1@tcp", "--port", &self.port.to_string()];
        self.child = Some(serve(command.args(at).arg("--config").arg(&config)).await.0);
    }

    pub(crate) async fn kill(&mut self) {
        self.child.take().unwrap().kill().await.unwrap();
    }

    pub(crate) async fn api(&self) -> mgs_api::Client {
        let address = format!("unix:{}", self.dir.path().join("api.sock").display());
        mgs_api::Client::connect(&address).await.unwrap()
    }

    pub(crate) async fn node(&self, number: u8, speed: u32) -> Node {
        let nid = Nid::tcp(Ipv4Addr::new(10, 9, 2, number).into(), 0);
        let mgs = SocketAddr::from(([127, 0, 0, 1], self.port));
        let mut config = HostConfig::new(nid, vec!["127.0.0.1@tcp".parse().unwrap()]).with_mgs_addr(mgs);
        config.speed = speed;
        let host = PeerHost::start(config).await.unwrap();
        let mut events = host.events();
        let read = Arc::<Seen>::default();
        let seen = Arc::clone(&read);
        tokio::spawn(async move {
            loop {
                match events.recv().await {
                    Ok(event) => seen.take(event),
                    Err(RecvError::Lagged(n)) => seen.take(Event::Violation(Violation::Stream {
                        what: format!("{n} events were missed"),
                    })),
                    Err(RecvError::Closed) => return,
                }
            }
        });
        Node { host, seen: read }
    }
}

/// What a node has read so far.
#[derive(Default)]
pub(crate) struct Seen {
    state: Mutex<State>,
    bell: Notify,
}

#[derive(Default, Clone)]
pub(crate) struct State {
    /// By log: the last index.
    pub(crate) logs: BTreeMap<String, u32>,
    /// By table: the version.
    pub(crate) tables: BTreeMap<String, u64>,
    /// By mount: the OSTs that it knows.
    pub(crate) osts: BTreeMap<String, Vec<u32>>,
    /// Records of the nodemap index, each time that it was read.
    pub(crate) nodemaps: Vec<usize>,
    pub(crate) evictions: usize,
    pub(crate) violations: Vec<String>,
}

impl Seen {
    fn take(&self, event: Event) {
        let mut state = self.state.lock().unwrap();
        match event {
            Event::LogRead { log, last, .. } => {
                let known = state.logs.entry(log).or_default();
                *known = last.max(*known);
            }
            Event::TableRead { table, version: Some(version), .. } => {
                state.tables.insert(table, version);
            }
            Event::Mounted { name, config } | Event::Reconfigured { name, config } => {
                state.osts.insert(name, config.osts.keys().map(|(_, index)| *index).collect());
            }
            Event::NodemapRead { records: Some(records) } => state.nodemaps.push(records),
            Event::Connected { evicted: true, .. } => state.evictions += 1,
            Event::Violation(what) => state.violations.push(format!("{what:?}")),
            _ => {}
        }
        drop(state);
        self.bell.notify_waiters();
    }
}

pub(crate) struct Node {
    pub(crate) host: PeerHost,
    seen: Arc<Seen>,
}

impl Node {
    pub(crate) fn nid(&self) -> String {
        self.host.nid().to_string()
    }

    pub(crate) fn state(&self) -> State {
        self.seen.state.lock().unwrap().clone()
    }

    /// Waits until what the node has read is `enough`.
    pub(crate) async fn until(&self, what: &str, enough: impl Fn(&State) -> bool) {
        let waiting = async {
            loop {
                let bell = self.seen.bell.notified();
                if enough(&self.state()) {
                    return;
                }
                bell.await;
            }
        };
        // a node that hears nothing shall fail its test, not stop the run
        let heard = tokio::time::timeout(std::time::Duration::from_secs(100), waiting).await;
        let state = self.state();
        assert!(
            heard.is_ok(),
            "{} never: {what}; {:?} {:?} {:?}",
            self.nid(),
            state.logs,
            state.osts,
            state.violations
        );
    }

    pub(crate) async fn until_it_knows(&self, mount: &str, ost: u32) {
        self.until("a new OST", |s| s.osts.get(mount).is_some_and(|o| o.contains(&ost))).await;
    }
}

/// Everything of a directory that a database is.
pub(crate) fn copy_of(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in ["mgs.db", "mgs.db-wal"] {
        if dir.join(name).exists() {
            std::fs::copy(dir.join(name), copy.path().join(name)).unwrap();
        }
    }
    copy
}
