//! The LNet messages of a capture, in the order of their arrival.

use crate::Connection;
use bytes::{Bytes, BytesMut};
use std::time::Duration;
use wire::lnet::Header;
use wire::socklnd::{ConnReq, Frame, Hello, Step};

/// A message with what was known of its connection.
#[derive(Clone, Debug)]
pub struct Message {
    /// When its last byte was readable, since the Unix epoch.
    pub time: Duration,
    /// Sent by the side that dialled.
    pub to_server: bool,
    /// Which connection of the list.
    pub connection: usize,
    /// LNet header.
    pub header: Header,
    /// Payload.
    pub payload: Bytes,
}

/// Everything that was sent over connections recorded from their start; NOOPs are left out.
///
/// # Errors
/// What does not decode: a recording of real nodes that does fails the test that reads it.
pub fn messages(connections: &[Connection]) -> wire::Result<Vec<Message>> {
    let mut out = Vec::new();
    for (connection, c) in connections.iter().enumerate().filter(|(_, c)| c.from_start) {
        for to_server in [true, false] {
            let stream = if to_server { &c.to_server } else { &c.to_client };
            let mut at = 0;
            let rest = |at: usize| stream.bytes.get(at..).unwrap_or_default();
            if to_server {
                match ConnReq::parse(rest(at))? {
                    Step::Done(_, used) => at += used,
                    Step::Need(_) => continue,
                }
            }
            let Step::Done((hello, order), used) = Hello::parse(rest(at))? else { continue };
            at += used;
            let mut buffer = BytesMut::from(rest(at));
            let total = stream.bytes.len();
            while let Step::Done(frame, _) = Frame::split(&mut buffer, hello.version, order)? {
                let time = stream.time_of(total - buffer.len() - 1);
                if let Frame::Lnet(_, header, payload) = frame {
                    out.push(Message { time, to_server, connection, header, payload });
                }
            }
        }
    }
    out.sort_by_key(|m| m.time);
    Ok(out)
}
