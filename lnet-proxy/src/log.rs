//! What of the core's events is worth a line.
use lnet_core::{Blame, Error, Event};
use std::net::SocketAddr;
use std::time::Duration;

/// Warnings about connections in one [`WINDOW`]; what is above is logged as debug. Counters count all.
const MOST: u32 = 30;
const WINDOW: Duration = Duration::from_secs(60);

/// Scanners and strangers must not fill the log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    window: Duration,
    warnings: u32,
}

impl Log {
    pub(crate) fn event(&mut self, event: &Event, now: Duration) {
        match event {
            Event::Connected { peer, local, remote, ctype } => {
                tracing::debug!(%peer, %local, %remote, ?ctype, "connected");
            }
            Event::PeerDown { peer, local, reason } => tracing::info!(%peer, %local, %reason, "peer gone"),
            Event::Trouble { peer, remote, error } => {
                let peer = peer.map(|p| p.to_string()).unwrap_or_default();
                let known = !peer.is_empty();
                match error.blame() {
                    Blame::NotNow if known => tracing::info!(%peer, ?remote, %error, "connection ended"),
                    Blame::NotNow => tracing::debug!(?remote, %error, "connection ended before its HELLO"),
                    _ if (known || error.blame() == Blame::Refused) && self.may_warn(now) => {
                        tracing::warn!(%peer, ?remote, %error, "connection refused or ended");
                    }
                    _ => tracing::debug!(%peer, ?remote, %error, "connection refused or ended"),
                }
            }
        }
    }

    pub(crate) fn refused(&mut self, remote: SocketAddr, error: &Error, now: Duration) {
        if self.may_warn(now) {
            tracing::warn!(%remote, %error, "connection refused");
        } else {
            tracing::debug!(%remote, %error, "connection refused");
        }
    }

    fn may_warn(&mut self, now: Duration) -> bool {
        if now.saturating_sub(self.window) >= WINDOW {
            self.window = now;
            self.warnings = 0;
        }
        self.warnings += 1;
        if self.warnings == MOST {
            tracing::warn!(
                "many connections are refused: further ones of this minute are counted, not logged"
            );
        }
        self.warnings <= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_cut_and_begins_anew_after_a_minute() {
        let mut log = Log::default();
        let allowed = |log: &mut Log, at| (0..1000).filter(|_| log.may_warn(Duration::from_secs(at))).count();
        assert_eq!(allowed(&mut log, 1), 30);
        assert_eq!(allowed(&mut log, 59), 0);
        assert_eq!(allowed(&mut log, 60), 30);
        assert_eq!(allowed(&mut log, 119), 0);
    }
}
