//! Whether this node shows itself. A node that accepts connections and has no daemon behind it would keep peers from
//! trying their next MGS NID.
//!
//! ```text
//!  listening ─no ready daemon─► listening, patience runs ─no_daemon─► closed
//!      ▲                               │ ready                          │ ready
//!      └───────────────────────────────┴────────────────────────────────┘        connections stay throughout
//! ```
use crate::Error;
use crate::io::Output;
use crate::peer::PeerKey;
use crate::proxy::Proxy;
use crate::timers::Timer;
use std::net::IpAddr;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Presence {
    /// A daemon is ready, or expected: what peers send is kept for it.
    pub(crate) listening: bool,
    /// End of patience.
    until: Option<Duration>,
}

impl Default for Presence {
    fn default() -> Self {
        Self { listening: true, until: None }
    }
}

impl Proxy {
    /// After every input: the daemon may have come or gone.
    pub(crate) fn watch_daemon(&mut self, now: Duration) {
        if self.link.is_ready() {
            if let Some(at) = self.presence.until.take() {
                self.timers.cancel(at, Timer::Daemon);
            }
            if !self.presence.listening {
                self.presence.listening = true;
                self.outputs.push_back(Output::Listen { open: true });
            }
        } else if self.presence.listening && self.presence.until.is_none() {
            let at = now + self.config.timing.no_daemon;
            self.presence.until = Some(at);
            self.timers.set(at, Timer::Daemon);
        }
    }

    pub(crate) fn on_daemon_timer(&mut self) {
        self.presence.until = None;
        self.presence.listening = false;
        self.counters.listeners_closed += 1;
        self.outputs.push_back(Output::Listen { open: false });
        self.clear_inboxes();
    }

    /// An address moved away. What had come by it is dead, and must not be chosen for answers when it moves back.
    pub(crate) fn on_address_gone(&mut self, ip: IpAddr) {
        let keys: Vec<PeerKey> = self
            .peers
            .iter()
            .filter(|(k, p)| k.local.ip() == Some(ip) && !p.conns.is_empty())
            .map(|(k, _)| *k)
            .collect();
        for key in keys {
            self.drop_peer(key, &Error::AddressGone { ip });
        }
    }
}
