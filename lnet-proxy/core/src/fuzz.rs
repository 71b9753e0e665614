//! Entry points for fuzzing: bytes become a life of a [`Proxy`], which must stay within its bounds and forget
//! everything in the end. They panic when it does not, and tell what the life was like: a script that reaches nothing
//! finds nothing.
use crate::{Config, ConnId, Counters, Input, Limits, Output, Proxy};
use bytes::Bytes;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use wire::Nid;
use wire::relay::Frame;

/// NID of the proxy: the one that the captures in `vectors/` call, so that they can seed the corpus.
pub const OWN: &str = "10.77.0.2@tcp";

/// What one peer sends over one connection, from its first byte on.
pub fn stream(bytes: &[u8]) -> Counters {
    let mut life = Life::new();
    life.accept();
    life.bytes(0, bytes);
    life.end()
}

/// Any events in any order. Each takes a byte that says what, one that says where, one that says how much, and as
/// many bytes as that as content.
pub fn events(mut bytes: &[u8]) -> Counters {
    let mut life = Life::new();
    while let Some((&[what, which, much], rest)) = bytes.split_first_chunk::<3>() {
        let (content, rest) = rest.split_at(usize::from(much).min(rest.len()));
        bytes = rest;
        life.event(what % 10, which, content);
    }
    life.end()
}

struct Life {
    proxy: Proxy,
    now: Duration,
    conns: Vec<ConnId>,
    dials: Vec<ConnId>,
    flows: bool,
}

impl Life {
    fn new() -> Self {
        let nids: Vec<Nid> = OWN.parse().into_iter().collect();
        let mut config = Config::new(nids, 1);
        config.limits = Limits {
            half_open: 4,
            connections: 16,
            connections_per_peer: 4,
            partial_bytes: 4 << 20,
            peer_outbound_bytes: 1 << 16,
            outbound_bytes: 1 << 17,
            peer_inbound_bytes: 1 << 16,
            inbound_bytes: 1 << 17,
            link_window: 4,
            link_frames: 64,
            pending: 16,
            routed_peers: 3,
            router_in_flight: 2,
            router_outbound_bytes: 1 << 16,
        };
        let proxy = Proxy::new(config);
        let mut life = Self { proxy, now: Duration::ZERO, conns: Vec::new(), dials: Vec::new(), flows: true };
        life.link_up();
        life
    }

    fn event(&mut self, what: u8, which: u8, content: &[u8]) {
        let all = self.conns.iter().chain(&self.dials).copied();
        let conn = all.cycle().nth(usize::from(which));
        match (what, conn) {
            (0, _) => self.accept(),
            (1, _) => self.bytes(usize::from(which), content),
            (2, Some(conn)) => self.input(Input::Closed { conn, error: None }),
            (3, Some(conn)) => self.input(Input::Flushed { conn, bytes: content.len() * 16 }),
            (4, Some(conn)) => {
                let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 988));
                let result = if content.is_empty() { Err(String::new()) } else { Ok((at, at)) };
                self.input(Input::Dialled { conn, result });
            }
            (5, _) => {
                if let Ok(Some((frame, _))) = Frame::parse(content) {
                    self.input(Input::Relay(frame));
                }
            }
            (6, _) => self.link_up(),
            (7, _) => self.input(Input::LinkFlushed { frames: content.len() }),
            (8, _) => self.wait(Duration::from_millis(u64::from(which) * 256)),
            (9, _) => self.flows = !self.flows,
            _ => {}
        }
    }

    fn accept(&mut self) {
        if let Ok(conn) = self.proxy.accept(SocketAddr::from((Ipv4Addr::LOCALHOST, 1000)), self.now) {
            self.conns.push(conn);
        }
        self.run();
    }

    fn bytes(&mut self, which: usize, bytes: &[u8]) {
        let all = self.conns.iter().chain(&self.dials).copied();
        if let Some(conn) = all.cycle().nth(which) {
            self.input(Input::Bytes { conn, bytes: Bytes::copy_from_slice(bytes) });
        }
    }

    fn link_up(&mut self) {
        self.input(Input::LinkUp);
        self.input(Input::Relay(Frame::Welcome {
            version: 1,
            features: 0,
            mgs_uuid: String::new(),
            daemon: String::new(),
            max_inflight: 0,
            max_bytes: 0,
        }));
    }

    fn input(&mut self, input: Input) {
        self.proxy.handle(input, self.now);
        self.run();
    }

    fn run(&mut self) {
        while let Some(output) = self.proxy.poll_output() {
            match output {
                Output::Write { conn, bytes } if self.flows => {
                    self.proxy.handle(Input::Flushed { conn, bytes: bytes.len() }, self.now);
                }
                Output::Relay(_) if self.flows => {
                    self.proxy.handle(Input::LinkFlushed { frames: 1 }, self.now);
                }
                Output::Dial { conn, .. } => self.dials.push(conn),
                _ => {}
            }
        }
        assert!(self.proxy.connections() <= 16 + self.dials.len(), "connections");
        assert!(self.proxy.held_bytes() <= 5 << 20, "bytes held: {}", self.proxy.held_bytes());
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.proxy.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.input(Input::Tick);
            assert_ne!(self.proxy.poll_timeout(), Some(at), "a deadline that does not go away");
        }
        self.now = end;
    }

    fn end(mut self) -> Counters {
        for conn in self.conns.clone() {
            self.input(Input::Closed { conn, error: None });
        }
        for conn in self.dials.clone() {
            self.input(Input::Closed { conn, error: None });
        }
        self.wait(Duration::from_secs(1000));
        assert_eq!(self.proxy.connections(), 0, "connections left over");
        assert_eq!(self.proxy.known_peers(), 0, "peers left over");
        assert_eq!(self.proxy.held_bytes(), 0, "bytes left over");
        assert_eq!(self.proxy.poll_timeout(), None, "deadlines left over");
        self.proxy.counters()
    }
}
