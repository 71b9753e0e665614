//! A real mgsd that serves the MGS `a` and `b`, each on an address of its own and all on one port, and nodes around them.

use crate::daemon::{command, free_port};
use lustre_peer::host::{HostConfig, PeerHost};
use lustre_peer::node::Event;
use mgs_api::{Client, Error, Problem, ProblemKind};
use rustix::process::{Pid, Signal, kill_process};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use wire::Nid;

pub(crate) const FS: &str = "testfs";
/// Names and addresses.
pub(crate) const ALL: [(&str, Ipv4Addr); 2] =
    [("a", Ipv4Addr::new(127, 0, 0, 2)), ("b", Ipv4Addr::new(127, 0, 0, 3))];

pub(crate) fn nid(address: Ipv4Addr) -> Nid {
    Nid::tcp(address.into(), 0)
}

/// For what the test waits for, which comes in milliseconds.
pub(crate) async fn soon<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(90), waiting).await.unwrap_or_else(|_| panic!("{what}"))
}

pub(crate) struct Site {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) port: u16,
    child: Option<Child>,
    /// What it said at its start.
    pub(crate) banner: String,
}

impl Site {
    /// `extra`: more lines of each section, for a name.
    pub(crate) async fn new(extra: impl Fn(&Path, &str) -> String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = String::new();
        for (name, address) in ALL {
            config.push_str(&format!("[[mgs]]\nname = \"{name}\"\nnid = [\"{}\"]\n", nid(address)));
            config.push_str(&extra(dir.path(), name));
        }
        std::fs::write(dir.path().join("mgsd.toml"), config).unwrap();
        let mut site = Self { dir, port: free_port(), child: None, banner: String::new() };
        site.start().await;
        site
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("mgsd.toml")
    }

    /// mgsd with the configuration of this site.
    pub(crate) fn command(&self) -> Command {
        let mut command = command(self.dir.path());
        command.arg("--config").arg(self.file());
        command
    }

    pub(crate) async fn start(&mut self) {
        let mut command = self.command();
        let mut child =
            command.args(["--port", &self.port.to_string()]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        self.banner.clear();
        while !self.banner.contains("mgsctl --mgs b status") {
            let line = lines.next_line().await.unwrap().expect("mgsd ended at its start");
            self.banner.push_str(&line);
            self.banner.push('\n');
        }
        tokio::spawn(async move { while lines.next_line().await.is_ok_and(|l| l.is_some()) {} });
        self.child = Some(child);
    }

    /// SIGTERM.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        soon("it does not stop", child.wait()).await.unwrap()
    }

    pub(crate) async fn api(&self, name: &str) -> Client {
        let socket = self.dir.path().join(name).join("api.sock");
        Client::connect(&format!("unix:{}", socket.display())).await.unwrap()
    }

    /// What the socket of all says.
    pub(crate) async fn door(&self) -> Problem {
        let socket = self.dir.path().join("api.sock");
        let client = Client::connect(&format!("unix:{}", socket.display())).await.unwrap();
        match client.status().await {
            Err(Error::Refused(problem)) if problem.kind == ProblemKind::SeveralMgs => *problem,
            other => panic!("{other:?}"),
        }
    }

    /// A node whose MGS is at that address; `to`: where it finds it.
    pub(crate) async fn node(&self, last: u8, mgs: Ipv4Addr, to: SocketAddr) -> PeerHost {
        let mut config =
            HostConfig::new(nid(Ipv4Addr::new(10, 8, 0, last)), vec![nid(mgs)]).with_mgs_addr(to);
        config.speed = 20;
        PeerHost::start(config).await.unwrap()
    }

    /// A node of the MGS at that address.
    pub(crate) async fn node_of(&self, last: u8, mgs: Ipv4Addr) -> PeerHost {
        self.node(last, mgs, (mgs, self.port).into()).await
    }
}

/// Waits until the client's configuration has these OSTs.
pub(crate) async fn sees(client: &PeerHost, osts: &[u32]) {
    let mut events = client.events();
    let seeing = async {
        loop {
            let config = client.config(&format!("{FS}-client")).await.expect("mounted");
            if config.ost_indices().into_iter().eq(osts.iter().copied()) {
                return;
            }
            let event = events.recv().await.unwrap();
            assert!(!matches!(event, Event::Violation(_)), "mgsd broke a rule: {event:?}");
        }
    };
    soon("the client does not hear of it", seeing).await;
}
