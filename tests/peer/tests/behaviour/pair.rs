//! A node and a fake MGS in virtual time.
use crate::fake::Fake;
use lustre_peer::{
    ClientOptions, Command, ConnId, Event, Input, Node, NodeConfig, TargetKind, TargetOptions, Transmit,
    Violation,
};
use std::time::Duration;
use wire::Nid;

pub(crate) struct Pair {
    pub(crate) node: Node,
    pub(crate) mgs: Fake,
    pub(crate) now: Duration,
    pub(crate) events: Vec<Event>,
    /// Dialling fails while set.
    pub(crate) unreachable: bool,
    conns: Vec<ConnId>,
}

pub(crate) fn nid(text: &str) -> Nid {
    text.parse().unwrap()
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let mut config = NodeConfig::new(
            nid("10.0.0.7@tcp"),
            vec![nid("10.0.0.1@tcp")],
            3,
            Duration::from_secs(1_800_000_000),
        );
        change(&mut config);
        let mgs = Fake::new(config.mgs[0]);
        Self {
            node: Node::new(config),
            mgs,
            now: Duration::ZERO,
            events: Vec::new(),
            unreachable: false,
            conns: Vec::new(),
        }
    }

    pub(crate) fn feed(&mut self, input: Input) {
        self.node.handle(input, self.now);
        self.pump();
    }

    /// Carries messages until nobody has anything to say; time stands still.
    pub(crate) fn pump(&mut self) {
        loop {
            while let Some(event) = self.node.poll_event() {
                self.events.push(event);
            }
            if let Some(transmit) = self.node.poll_transmit() {
                match transmit {
                    Transmit::Dial { conn, .. } if self.unreachable => {
                        self.node.handle(Input::Closed(conn), self.now);
                    }
                    Transmit::Dial { conn, .. } => {
                        self.mgs.open(conn);
                        self.conns.push(conn);
                        self.node.handle(Input::Connected(conn), self.now);
                    }
                    Transmit::Bytes { conn, bytes } => self.mgs.bytes(conn, &bytes),
                    Transmit::Close { .. } => {}
                }
            } else if self.mgs.out.is_empty() {
                return;
            } else {
                let (conn, bytes) = self.mgs.out.remove(0);
                self.node.handle(Input::Bytes(conn, bytes.into()), self.now);
            }
        }
    }

    /// Lets time pass, stopping at each of the node's timers.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..10_000 {
            match self.node.poll_timeout().filter(|at| *at <= end) {
                Some(at) => self.now = self.now.max(at),
                None => {
                    self.now = end;
                    return self.feed(Input::Tick);
                }
            }
            self.feed(Input::Tick);
        }
        panic!("the node's timers do not move on: {:?} at {:?}", self.node.poll_timeout(), self.now);
    }

    pub(crate) fn seconds(&mut self, n: u64) {
        self.pass(Duration::from_secs(n));
    }

    pub(crate) fn mount_client(&mut self) {
        self.feed(Input::Command(Command::MountClient(ClientOptions::new("testfs"))));
    }

    pub(crate) fn mount_ost(&mut self, index: u32) {
        let options = TargetOptions::new("testfs", TargetKind::Ost, index);
        self.feed(Input::Command(Command::MountTarget(options)));
    }

    pub(crate) fn mount_mdt(&mut self) {
        self.feed(Input::Command(Command::MountTarget(TargetOptions::new("testfs", TargetKind::Mdt, 0))));
    }

    /// TCP breaks.
    pub(crate) fn cut(&mut self) {
        for conn in std::mem::take(&mut self.conns) {
            self.mgs.close(conn);
            self.feed(Input::Closed(conn));
        }
    }

    pub(crate) fn violations(&self) -> Vec<&Violation> {
        self.events.iter().filter_map(|e| if let Event::Violation(v) = e { Some(v) } else { None }).collect()
    }

    pub(crate) fn crashed(&self) -> bool {
        self.events.iter().any(|e| matches!(e, Event::Crashed { .. }))
    }

    pub(crate) fn failure(&self) -> Option<i32> {
        self.events
            .iter()
            .find_map(|e| if let Event::MountFailed { errno, .. } = e { Some(*errno) } else { None })
    }

    pub(crate) fn mounted(&self) -> Vec<String> {
        self.node.mounted().map(str::to_owned).collect()
    }
}
