//! A daemon on a failing disk, the nodes around it, and what they were promised.

use crate::daemon::free_port;
use crate::disk::Disk;
use lustre_peer::host::{HostConfig, PeerError, PeerHost};
use lustre_peer::node::{Event, TargetOptions};
use mgs_core::model::view::View;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use store_backends::Store;
use store_backends::sqlite::SqliteStore;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::broadcast::error::RecvError;
use wire::Nid;

pub(crate) const FS: &str = "faulty";
/// Clocks of the nodes run so many times faster.
const SPEED: u32 = 50;

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// What was acknowledged to nodes, and what they complained of.
#[derive(Default)]
pub(crate) struct Promises {
    pub(crate) registered: BTreeSet<String>,
    pub(crate) ready: BTreeSet<String>,
    broken: Vec<String>,
}

pub(crate) type Shared = Arc<Mutex<Promises>>;

/// How a start went.
pub(crate) enum Start {
    Serves,
    /// It ended with these lines.
    Refused(String),
}

/// One MGS.
pub(crate) struct Site {
    pub(crate) disk: Disk,
    pub(crate) promises: Shared,
    port: u16,
    child: Option<Child>,
    pub(crate) random: Random,
    /// Kills survived.
    pub(crate) kills: u64,
}

impl Site {
    pub(crate) fn new(seed: u64) -> Self {
        let (port, random) = (free_port(), Random(seed));
        Self { disk: Disk::new(), promises: Shared::default(), port, child: None, random, kills: 0 }
    }

    /// Starts the daemon; it serves, or ends with a line that says why not.
    pub(crate) async fn try_start(&mut self) -> Start {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mgsd"));
        self.disk.under(&mut command);
        let mut child = command
            .kill_on_drop(true)
            .env("RUST_LOG", "warn")
            .arg("--data")
            .arg(self.disk.data())
            .args(["--nid", "127.0.0.1@tcp", "--port", &self.port.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut stderr = child.stderr.take().unwrap();
        if lines.next_line().await.unwrap().is_some_and(|first| first.contains("serves MGS")) {
            tokio::spawn(async move { while lines.next_line().await.is_ok_and(|l| l.is_some()) {} });
            tokio::spawn(async move {
                let mut lines = BufReader::new(stderr).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    eprintln!("mgsd: {line}");
                }
            });
            self.child = Some(child);
            return Start::Serves;
        }
        let mut text = String::new();
        stderr.read_to_string(&mut text).await.unwrap();
        let status = child.wait().await.unwrap();
        if status.signal() == Some(9) {
            text.push_str("killed");
        }
        assert!(!text.contains("panicked"), "{text}");
        Start::Refused(text)
    }

    /// Starts the daemon on a disk that may fail under the start itself: then it says so, and the disk is repaired.
    pub(crate) async fn start(&mut self) {
        for _ in 0..3 {
            match self.try_start().await {
                Start::Serves => return,
                Start::Refused(why) => {
                    let last = why.lines().last().unwrap_or_default();
                    let clear = last == "killed" || (last.starts_with("mgsd: ") && last.contains("mgs.db"));
                    assert!(clear, "a start that fails says where and why: {why}");
                    self.disk.heal();
                    self.power_cut();
                }
            }
        }
        panic!("mgsd does not start on a disk that works");
    }

    /// What the daemon says of itself.
    pub(crate) async fn status(&self) -> mgs_api::Status {
        let address = format!("unix:{}", self.disk.data().join("api.sock").display());
        let client = mgs_api::Client::connect(&address).await.unwrap();
        client.status().await.unwrap()
    }

    fn power_cut(&mut self) {
        self.kills += 1;
        // some of what was not synced has reached the disk, nothing or all of it
        let odds = [0, 50, 100][usize::try_from(self.random.below(3)).unwrap()];
        let random = &mut self.random;
        self.disk.power_cut(|| random.below(100) < odds);
    }

    pub(crate) async fn kill(&mut self) {
        self.child.take().expect("it runs").kill().await.unwrap();
        self.power_cut();
    }

    /// Waits for `work`, and brings the daemon back whenever it dies meanwhile.
    pub(crate) async fn until<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            let child = self.child.as_mut().expect("it runs");
            tokio::select! {
                done = &mut work => return done,
                status = child.wait() => {
                    assert_eq!(status.unwrap().signal(), Some(9), "mgsd ended by itself");
                    self.child = None;
                    self.power_cut();
                    self.check().await;
                    // never the same distance, or no commit would ever get past it
                    self.disk.fail_again(self.random.below(120) + 2);
                    self.start().await;
                }
            }
        }
    }

    /// A node whose answers count.
    pub(crate) async fn node(&self, number: u8) -> PeerHost {
        let nid = Nid::tcp(Ipv4Addr::new(10, 9, 1, number).into(), 0);
        let mgs = SocketAddr::from(([127, 0, 0, 1], self.port));
        let mut config = HostConfig::new(nid, vec!["127.0.0.1@tcp".parse().unwrap()]).with_mgs_addr(mgs);
        config.speed = SPEED;
        let host = PeerHost::start(config).await.unwrap();
        let mut events = host.events();
        let promises = Arc::clone(&self.promises);
        tokio::spawn(async move {
            loop {
                let event = events.recv().await;
                let mut promises = promises.lock().unwrap();
                match event {
                    Ok(Event::Registered { target, .. }) => {
                        promises.registered.insert(target);
                    }
                    Ok(Event::Ready { target, .. }) => {
                        promises.ready.insert(target);
                    }
                    Ok(Event::Violation(what)) => promises.broken.push(format!("{what:?}")),
                    Ok(_) => {}
                    Err(RecvError::Lagged(n)) => promises.broken.push(format!("{n} events were missed")),
                    Err(RecvError::Closed) => return,
                }
            }
        });
        host
    }

    /// The store as a dead daemon and a power cut left it, looked at in a copy: no damage, everything promised is
    /// there, and each registration is whole.
    pub(crate) async fn check(&self) {
        let copy = copy_of(&self.disk.data());
        if !copy.path().join("mgs.db").exists() {
            assert!(self.promises.lock().unwrap().registered.is_empty());
            return;
        }
        assert_eq!(verdict(copy.path()).await, Ok(()));
        let all = SqliteStore::open(copy.path()).unwrap().range("").await.unwrap();
        let view = View::load(all.entries.iter().map(|e| (e.key.as_str(), e.value.as_slice()))).unwrap();
        whole(&view);
        let known: BTreeSet<String> =
            view.fs.get(FS).into_iter().flat_map(|fs| fs.targets.keys().map(|id| id.svname(FS))).collect();
        let running: BTreeSet<String> =
            view.fs.get(FS).into_iter().flat_map(|fs| fs.nidtbl.keys().map(|id| id.svname(FS))).collect();
        let promises = self.promises.lock().unwrap();
        let lost: Vec<_> =
            promises.registered.difference(&known).chain(promises.ready.difference(&running)).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        assert!(promises.broken.is_empty(), "{:?}", promises.broken);
    }
}

/// Mounts until it works; what the attempts before said.
pub(crate) async fn mount(host: &PeerHost, options: TargetOptions) -> Vec<i32> {
    let mut said = Vec::new();
    loop {
        match host.mount_target(options.clone()).await {
            Ok(_) => return said,
            Err(PeerError::Mount { errno, .. }) => said.push(errno),
            Err(other) => panic!("{other}"),
        }
        assert!(said.len() < 200, "{} never mounts: {said:?}", options.svname());
    }
}

/// As many sections as targets, in the client log and each in its own.
pub(crate) fn whole(view: &View) {
    let Some(fs) = view.fs.get(FS) else { return };
    let added: Vec<String> = view
        .logs
        .get(&format!("{FS}-client"))
        .into_iter()
        .flat_map(|e| e.log.records().filter_map(|r| r.cfg().ok()?.marker()))
        .filter(|m| m.is_start() && m.flags & llog::marker::flag::SKIP == 0)
        .filter(|m| matches!(m.comment.as_str(), "add osc" | "add mdc"))
        .map(|m| m.tgtname)
        .collect();
    let unique: BTreeSet<&String> = added.iter().collect();
    assert_eq!((added.len(), unique.len()), (fs.targets.len(), fs.targets.len()), "{added:?}");
    for id in fs.targets.keys() {
        assert!(view.logs.get(&id.svname(FS)).is_some_and(|e| e.log.last_index() > 0), "{id}");
    }
}

/// `mgsd check` of a directory, on a disk that works.
pub(crate) async fn verdict(data: &Path) -> Result<(), String> {
    let output =
        Command::new(env!("CARGO_BIN_EXE_mgsd")).arg("check").arg("--data").arg(data).output().await.unwrap();
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(String::from_utf8_lossy(&text).into_owned())
}

pub(crate) fn copy_of(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("mgs.db") && !name.ends_with("-shm") {
            std::fs::copy(&path, copy.path().join(name)).unwrap();
        }
    }
    copy
}
