//! Every byte between Lustre and an MGS.
//!
//! Pure: no socket, no clock, no allocation from an unchecked length. Encode stands beside decode; each layout is
//! drawn above its type with the source it was taken from.
//!
//! ```text
//!  TCP 988   socklnd   ConnReq, Hello, then Frames: a header and an LNet message each
//!            lnet      Header (ACK, PUT, GET, REPLY), PingInfo; nid: who is who
//!            ptlrpc    Message in a PUT: Body and further buffers, MGS_CONNECT
//!            ldlm      locks          mgs  registration, NID table        llog_rpc  reading of logs
//!            nodemap   index pages    rpc  all of these as one typed value
//!  proxy     relay     Frames between lnet-proxy and mgsd
//! ```

pub mod cursor;
pub mod ldlm;
pub mod llog_rpc;
pub mod lnet;
pub mod mgs;
pub mod nid;
pub mod nodemap;
pub mod ptlrpc;
pub mod relay;
pub mod rpc;
pub mod socklnd;

pub use cursor::{Error, Order, Reader, Result, Writer};
pub use nid::Nid;

/// A structure with one byte layout. Integers follow the order of the cursor, unless the type says otherwise.
pub trait Codec: Sized {
    /// Reads the structure. Never reads past the cursor, never panics.
    fn decode(r: &mut Reader<'_>) -> Result<Self>;
    /// Appends the structure.
    fn encode(&self, w: &mut Writer);

    /// Decodes from a slice; bytes behind the structure are ignored (forward compatibility).
    fn from_slice(bytes: &[u8], order: Order) -> Result<Self> {
        Self::decode(&mut Reader::new(bytes, order))
    }
    /// Encodes into fresh bytes.
    fn to_vec(&self, order: Order) -> Vec<u8> {
        let mut w = Writer::new(order);
        self.encode(&mut w);
        w.into_vec()
    }
}

/// Bytes of a worked example as the protocol documents print them: hex digits, spaces and bars ignored.
#[cfg(test)]
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    assert!(
        digits.len().is_multiple_of(2) && text.chars().all(|c| c.is_ascii_hexdigit() || " |\n".contains(c))
    );
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}
