//! Peers and connections of an LNet leaf node, as pure state machines.
//!
//! [`Proxy`] turns TCP connections into LNet peers, answers ping, acknowledges, and passes the PUTs of a few portals
//! on as relay frames; relay frames from the daemon leave as PUT and GET. It opens no socket and reads no clock:
//!
//! ```text
//!  sockets, link, timer            Proxy                          driver does
//!  ─────────────────────► handle(input, now)
//!                         poll_output()   ───────────────────────► write, close, dial, send frame, log
//!                         poll_timeout()  ───────────────────────► wake me then: Input::Tick
//!                         counters()      ───────────────────────► metrics
//! ```
//!
//! `now` is the time since an arbitrary start that stays the same for the life of a `Proxy`.
//!
//! Everything is bounded ([`Limits`]): half-open connections, connections, bytes of incomplete messages, bytes towards
//! peers, bytes towards the daemon. What does not fit is dropped and counted ([`Counters`]), or costs the
//! connection; Lustre resends.

mod config;
mod conn;
mod counters;
mod delivery;
mod dial;
mod error;
pub mod fuzz;
mod handshake;
mod inbound;
mod io;
mod link;
mod outbound;
mod peer;
mod ping;
mod presence;
mod proxy;
mod pulse;
mod route;
mod routed;
mod timers;

pub use config::{Accept, Config, Limits, Timing};
pub use counters::Counters;
pub use error::{Blame, Error};
pub use io::{ConnId, Event, Input, Output};
pub use proxy::Proxy;
pub use route::{Route, RouteError};
