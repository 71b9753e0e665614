//! socklnd: acceptor request, HELLO, message header.
mod frame;
mod handshake;

pub use frame::{Frame, MsgHeader, MsgKind};
pub use handshake::{ACCEPTOR_MAGIC, ConnReq, ConnType, HELLO_MAGIC, Hello};

/// LNet process id of every Lustre node.
pub const LNET_PID: u32 = 12345;
/// Largest LNet payload.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// What a stream decoder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// Not yet enough bytes: at least so many in all.
    Need(usize),
    /// A value, and how many bytes it took.
    Done(T, usize),
}
