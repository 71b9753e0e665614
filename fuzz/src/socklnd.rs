//! socklnd: the first bytes of a connection, and the stream behind them.
use crate::input::{Input, order};
use bytes::BytesMut;
use std::fmt::Debug;
use wire::socklnd::{ConnReq, Frame, Hello, Step};
use wire::{Order, Result};

/// Acceptor request.
pub fn conn_req(data: &[u8]) {
    handshake(data, ConnReq::parse, ConnReq::to_bytes, 28);
}

/// HELLO of version 2, 3, 4.
pub fn hello(data: &[u8]) {
    handshake(data, Hello::parse, Hello::to_bytes, 56 + 4 * 16);
}

/// Asks for more as long as the value is not whole, takes no more than it has, reads what it writes.
fn handshake<T: Clone + Debug + PartialEq>(
    data: &[u8],
    parse: impl Fn(&[u8]) -> Result<Step<(T, Order)>>,
    write: impl Fn(&T, Order) -> Vec<u8>,
    most: usize,
) {
    match parse(data) {
        Err(e) => assert!(!e.to_string().is_empty()),
        Ok(Step::Need(n)) => assert!(data.len() < n && n <= most, "asks for {n}, has {}", data.len()),
        Ok(Step::Done((value, order), used)) => {
            assert!(used <= data.len() && used <= most);
            for have in 0..used {
                let part = parse(&data[..have]);
                assert!(matches!(part, Ok(Step::Need(n)) if have < n && n <= used), "{have}: {part:?}");
            }
            let again = write(&value, order);
            assert_eq!(parse(&again), Ok(Step::Done((value, order), again.len())));
        }
    }
}

/// Messages of a connection: `[order, version] [length of a piece] stream`. However TCP cuts the stream, the same
/// messages come out.
pub fn ksock_stream(data: &[u8]) {
    let mut input = Input(data);
    let choice = input.u8();
    let (order, version) = (order(choice), if choice & 2 == 0 { 3 } else { 4 });
    let piece = usize::from(input.u8()) + 1;
    let whole = read(std::iter::once(input.0), version, order);
    assert_eq!(read(input.0.chunks(piece), version, order), whole);
    for frame in &whole.0 {
        let bytes = BytesMut::from(&frame.to_bytes(version, order)[..]);
        assert_eq!(Frame::parse(&bytes, version, order), Ok(Step::Done(frame.clone(), bytes.len())));
    }
}

/// Frames up to the end or the first error, which is as good as the end.
fn read<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    version: u32,
    order: Order,
) -> (Vec<Frame>, Result<usize>) {
    const MOST: usize = 24 + 96 + (1 << 20);
    let mut buf = BytesMut::new();
    let mut frames = Vec::new();
    let mut need = 0;
    for piece in pieces {
        buf.extend_from_slice(piece);
        while buf.len() >= need {
            match Frame::split(&mut buf, version, order) {
                Err(e) => return (frames, Err(e)),
                Ok(Step::Need(n)) => {
                    assert!(buf.len() < n && n <= MOST, "asks for {n}, has {}", buf.len());
                    need = n;
                }
                Ok(Step::Done(frame, _)) => {
                    frames.push(frame);
                    need = 0;
                }
            }
        }
    }
    (frames, Ok(buf.len()))
}
