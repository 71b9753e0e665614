//! One mgsd and the nodes around it.
use lustre_peer::interp::ConfigTree;
use lustre_peer::{Event, HostConfig, PeerError, PeerHost, TargetKind, TargetOptions, TargetState as State};
use scenarios::daemon::{Daemon, Stopped};
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use wire::Nid;

pub(crate) const FS: &str = "testfs";
const MGS: &str = "10.6.0.1@tcp";
/// The nodes' clocks: a kernel waits 5 to 10 s before it reads a changed log again.
const SPEED: u32 = 8;
/// After which a test says what it still waits for: 20 minutes of the nodes' time.
const PATIENCE: Duration = Duration::from_secs(150);

pub(crate) fn nid(text: &str) -> Nid {
    text.parse().unwrap()
}

pub(crate) fn mdt(index: u32) -> TargetOptions {
    TargetOptions::new(FS, TargetKind::Mdt, index)
}
pub(crate) fn ost(index: u32) -> TargetOptions {
    TargetOptions::new(FS, TargetKind::Ost, index)
}
pub(crate) fn with(options: TargetOptions, state: State) -> TargetOptions {
    TargetOptions { state, ..options }
}

/// A daemon, stopped or not.
pub(crate) struct Site {
    daemon: Option<Daemon>,
    stopped: Option<Stopped>,
    lnet: std::net::SocketAddr,
}

impl Site {
    /// `ir_timeout`: how long recovery is not yet in force.
    pub(crate) async fn with_ir_timeout(ir_timeout: Duration) -> Self {
        let daemon = Daemon::start(nid(MGS), ir_timeout).await.unwrap();
        Self { lnet: daemon.lnet, daemon: Some(daemon), stopped: None }
    }
    pub(crate) async fn new() -> Self {
        Self::with_ir_timeout(Duration::from_secs(400)).await
    }
    pub(crate) fn api(&self) -> &mgs_api::Client {
        &self.daemon.as_ref().unwrap().api
    }
    pub(crate) async fn stop_mgs(&mut self) {
        self.stopped = Some(self.daemon.take().unwrap().pause().await.unwrap());
    }
    /// The MGS fails over to another node.
    pub(crate) async fn start_mgs_at(&mut self, at: &str) {
        self.stopped = self.stopped.take().map(|s| s.with_nid(nid(at)));
        self.start_mgs().await;
    }
    pub(crate) async fn start_mgs(&mut self) {
        self.daemon = Some(self.stopped.take().unwrap().start().await.unwrap());
    }
    pub(crate) async fn node(&self, at: &str) -> Node {
        self.node_with(at, |_| ()).await
    }
    pub(crate) async fn node_with(&self, at: &str, change: impl FnOnce(&mut HostConfig)) -> Node {
        let mut config = HostConfig::new(nid(at), vec![nid(MGS)]).with_mgs_addr(self.lnet);
        config.speed = SPEED;
        change(&mut config);
        let host = PeerHost::start(config).await.unwrap();
        Node { events: host.events(), host }
    }
    /// The configuration that a new client gets.
    pub(crate) async fn seen(&self, fs: &str) -> ConfigTree {
        let client = self.node("10.6.9.9@tcp").await;
        let tree = client.host.mount_client(fs).await.unwrap();
        client.host.umount(&format!("{fs}-client")).await.unwrap();
        client.end().await;
        tree
    }
    /// `mgsd check` finds nothing.
    pub(crate) async fn end(self) {
        assert_eq!(self.daemon.unwrap().stop().await.unwrap(), [""; 0]);
    }
}

/// A node, and what happens to it.
pub(crate) struct Node {
    pub(crate) host: PeerHost,
    events: Receiver<Event>,
}

impl Node {
    /// Waits until something has happened. mgsd breaks no rule of kernel peers meanwhile.
    pub(crate) async fn until<T>(&mut self, mut found: impl FnMut(&Event) -> Option<T>) -> T {
        let mut last = None;
        loop {
            let Ok(event) = tokio::time::timeout(PATIENCE, self.events.recv()).await else {
                panic!("{}: nothing has happened since {last:?}", self.host.nid());
            };
            match event {
                Ok(Event::Violation(what)) => panic!("{}: {what}", self.host.nid()),
                Ok(event) => {
                    if let Some(found) = found(&event) {
                        return found;
                    }
                    last = Some(event);
                }
                Err(RecvError::Lagged(n)) => panic!("{n} events were not looked at"),
                Err(RecvError::Closed) => panic!("{} has ended", self.host.nid()),
            }
        }
    }
    /// The configuration of a mount, as soon as it fits.
    pub(crate) async fn config(&mut self, mount: &str, fits: impl Fn(&ConfigTree) -> bool) -> ConfigTree {
        loop {
            let now = self.host.config(mount).await.unwrap();
            if fits(&now) {
                return now;
            }
            self.until(|e| matches!(e, Event::Reconfigured { .. } | Event::TableRead { .. }).then_some(()))
                .await;
        }
    }
    /// Mounts targets, one after the other.
    pub(crate) async fn mount(&self, targets: impl IntoIterator<Item = TargetOptions>) {
        for target in targets {
            self.host.mount_target(target).await.unwrap();
        }
    }
    pub(crate) async fn umount(&self, targets: impl IntoIterator<Item = TargetOptions>) {
        for target in targets {
            self.host.umount(&target.svname()).await.unwrap();
        }
    }
    /// The errno with which a mount fails.
    pub(crate) async fn refused(&self, target: TargetOptions) -> i32 {
        match self.host.mount_target(target).await {
            Err(PeerError::Mount { errno, .. }) => errno,
            other => panic!("{other:?}"),
        }
    }
    pub(crate) async fn end(mut self) {
        self.host.power_off().await;
        while let Ok(event) = self.events.try_recv() {
            assert!(!matches!(event, Event::Violation(_)), "{event:?}");
        }
    }
}
