//! Acceptor request and HELLO, dialled and accepted.
use super::{Conn, ConnId, Lnet, RECONNECT, State, text};
use crate::node::Transmit;
use crate::node::event::{ConsoleLine, Violation};
use std::time::Duration;
use wire::Nid;
use wire::socklnd::{ConnReq, ConnType, Hello, LNET_PID};

impl Lnet {
    /// The driver made the connection.
    pub(crate) fn connected(&mut self, id: ConnId, now: Duration) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let (State::Dialling, Some(peer)) = (conn.state, conn.peer) else { return };
        conn.state = State::AwaitAnswer;
        conn.since = now;
        let ctype = conn.ctype;
        let version = if matches!(peer.addr, wire::nid::NidAddr::Small(_)) { 1 } else { 2 };
        let mut bytes = ConnReq { version, nid: peer }.to_bytes(self.order);
        let hello_version = if version == 1 { 3 } else { 4 };
        bytes.extend(self.hello(hello_version, peer, ctype).to_bytes(self.order));
        self.out.push_back(Transmit::Bytes { conn: id, bytes: bytes.into() });
    }

    pub(super) fn hello(&self, version: u32, to: Nid, ctype: ConnType) -> Hello {
        Hello {
            version,
            src_nid: self.nid,
            dst_nid: to,
            src_pid: LNET_PID,
            dst_pid: 0,
            src_incarnation: self.incarnation,
            dst_incarnation: 0,
            ctype,
            ips: Vec::new(),
        }
    }

    /// The driver accepted a connection.
    pub(crate) fn accepted(&mut self, id: ConnId, now: Duration) {
        self.conns.insert(id, Conn::new(State::AwaitRequest, None, ConnType::None, now));
    }

    pub(super) fn on_hello(&mut self, id: ConnId, hello: &Hello, now: Duration) {
        let Some(conn) = self.conns.get(&id) else { return };
        let dialled = conn.state == State::AwaitAnswer;
        let (expected, ctype) = (conn.peer, conn.ctype);
        if dialled && hello.ctype == ConnType::None {
            self.console(ConsoleLine::info(format!("Connection to {} refused: try again", hello.src_nid)));
            return self.close(id, now);
        }
        let fault = if dialled && expected != Some(hello.src_nid) {
            Some(format!("connected to {} instead of {}", hello.src_nid, text(expected)))
        } else if hello.src_pid != LNET_PID {
            Some(format!("process id {} instead of {LNET_PID}", hello.src_pid))
        } else if hello.src_nid == Nid::ANY {
            Some("source NID is ANY".to_owned())
        } else if dialled && hello.ctype.inverted() != ctype {
            Some(format!("mismatched types: me {ctype:?}, peer {:?}", hello.ctype))
        } else if hello.ips.len() > 16 {
            Some(format!("{} addresses", hello.ips.len()))
        } else {
            None
        };
        if let Some(what) = fault {
            self.console(ConsoleLine::error(format!(
                "Protocol error connecting to {}: {what}",
                hello.src_nid
            )));
            self.violation(Violation::Hello { what });
            return self.close(id, now);
        }
        let known = self.peer(hello.src_nid, now).incarnation;
        if known.is_some_and(|k| k != hello.src_incarnation) {
            self.close_siblings(hello.src_nid, Some(id), now);
        }
        let peer = self.peer(hello.src_nid, now);
        peer.incarnation = Some(hello.src_incarnation);
        peer.backoff = RECONNECT.0;
        peer.heard = now;
        let mine = if dialled { ctype } else { hello.ctype.inverted() };
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.peer = Some(hello.src_nid);
            conn.ctype = mine;
            conn.version = hello.version;
            conn.incarnation = hello.src_incarnation;
            conn.state = State::Up;
        }
        if !dialled {
            let answer = self.hello(hello.version, hello.src_nid, mine).to_bytes(self.order);
            self.out.push_back(Transmit::Bytes { conn: id, bytes: answer.into() });
        }
        self.flush(hello.src_nid);
        self.dial_next(hello.src_nid, now);
    }
}
