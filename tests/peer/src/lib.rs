//! The one place that knows how an unmodified Lustre node behaves towards an MGS.
//!
//! * [`node`]: one node (LNet, ptlrpc, MGC, targets, client mounts) without sockets and clocks. Four verbs:
//!   [`Node::handle`], [`Node::poll_transmit`], [`Node::poll_timeout`], [`Node::poll_event`].
//! * [`interp`]: executes configuration records as the kernel does; the result is a [`interp::ConfigTree`].
//! * [`host`]: runs a node over real TCP.
//!
//! The sequences are those of a kernel of release 2.17.57 as recorded (`vectors/captures/A`); the test
//! `tests/golden.rs` holds this crate against the recordings field by field.

pub mod host;
pub mod interp;
pub mod node;

pub use host::{HostConfig, PeerError, PeerHost};
pub use node::{
    ClientOptions, Command, ConnId, ConsoleLine, Event, Input, Node, NodeConfig, Release, TargetKind,
    TargetOptions, TargetState, Transmit, Violation,
};
