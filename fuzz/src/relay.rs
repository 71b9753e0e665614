//! The stream between proxy and daemon.
use bytes::BytesMut;
use wire::relay::{Frame, MAX_FRAME};

/// Frames, read at once and in pieces: `[length of a piece] stream`.
pub fn relay_frames(data: &[u8]) {
    let Some((piece, stream)) = data.split_first() else { return };
    let frames = read(stream, stream.len().max(1));
    assert_eq!(read(stream, usize::from(*piece) + 1), frames);
    let mut used = 0;
    for frame in &frames.0 {
        let bytes = frame.to_bytes();
        assert!(bytes.len() <= 4 + MAX_FRAME);
        used += bytes.len();
        assert_eq!(Frame::parse(&bytes), Ok(Some((frame.clone(), bytes.len()))));
    }
    if let Ok(left) = frames.1 {
        assert_eq!(used + left, stream.len(), "bytes of a frame that nobody looked at");
    }
}

/// Frames up to the end or the first error.
fn read(stream: &[u8], piece: usize) -> (Vec<Frame>, wire::Result<usize>) {
    let mut buf = BytesMut::new();
    let mut frames = Vec::new();
    for part in stream.chunks(piece) {
        buf.extend_from_slice(part);
        loop {
            let copied = Frame::parse(&buf);
            let have = buf.len();
            match Frame::split(&mut buf) {
                Err(e) => {
                    assert_eq!(copied, Err(e.clone()));
                    return (frames, Err(e));
                }
                Ok(None) => {
                    assert_eq!(copied, Ok(None));
                    break;
                }
                Ok(Some(frame)) => {
                    assert_eq!(copied, Ok(Some((frame.clone(), have - buf.len()))));
                    frames.push(frame);
                }
            }
        }
    }
    (frames, Ok(buf.len()))
}
