//! The Lustre configuration log: container, records and text forms.
//!
//! A configuration log is a file that every node of a file system reads and *executes*: attach this device, set it
//! up with these buffers, add this target. This crate holds one log in memory ([`Log`]), the commands in it
//! ([`LustreCfg`]), the markers that group them into sections ([`Marker`], [`section`]), and the text forms that
//! administrators know (`lctl llog_print`, `llog_reader`). It reads either byte order and writes little-endian.
//!
//! Pure: no I/O, no clock; time is an argument. Nothing here panics on foreign bytes.

pub mod check;
pub mod diff;
mod error;
pub mod header;
pub mod lcfg;
mod le;
pub mod log;
pub mod marker;
pub mod record;
pub mod section;
pub mod text;

pub use error::Error;
pub use lcfg::{LustreCfg, cmd, command_name};
pub use log::{Appended, Log};
pub use marker::Marker;
pub use record::RecordRef;
pub use section::Section;

/// Length of the header record, and of every chunk behind it. No record crosses a multiple of it.
pub const CHUNK: usize = 8192;
