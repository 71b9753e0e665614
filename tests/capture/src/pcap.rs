//! The classic pcap container.
//!
//! ```text
//! file    u32 magic (a1b2c3d4 us, a1b23c4d ns), u16 major, u16 minor, u32 zone, u32 sigfigs, u32 snaplen, u32 link type
//! record  u32 seconds, u32 fraction, u32 captured bytes, u32 original bytes, then the captured bytes
//! ```
use crate::CaptureError;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;
const LINK_ETHERNET: u32 = 1;

/// One captured Ethernet frame.
pub(crate) struct Frame<'a> {
    pub(crate) time: Duration,
    pub(crate) bytes: &'a [u8],
}

/// The unpacked file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, CaptureError> {
    let io = |error| CaptureError::Io { path: path.to_path_buf(), error };
    let raw = std::fs::read(path).map_err(io)?;
    if !raw.starts_with(&[0x1f, 0x8b]) {
        return Ok(raw);
    }
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(raw.as_slice()).read_to_end(&mut plain).map_err(io)?;
    Ok(plain)
}

/// Frames of the file, in order; after an error (offset, what) the iterator ends.
pub(crate) fn frames(file: &[u8]) -> impl Iterator<Item = Result<Frame<'_>, (usize, &'static str)>> {
    let mut cursor = Some(0);
    let mut format = None;
    std::iter::from_fn(move || {
        let at = cursor.take()?;
        let (at, form) = match format {
            Some(form) => (at, form),
            None => match Format::of(file) {
                Ok(form) => {
                    format = Some(form);
                    (FILE_HEADER, form)
                }
                Err(e) => return Some(Err(e)),
            },
        };
        if at == file.len() {
            return None;
        }
        match form.record(file, at) {
            Ok((frame, next)) => {
                cursor = Some(next);
                Some(Ok(frame))
            }
            Err(e) => Some(Err(e)),
        }
    })
}

#[derive(Clone, Copy)]
struct Format {
    big: bool,
    nanos: bool,
}

impl Format {
    fn of(file: &[u8]) -> Result<Self, (usize, &'static str)> {
        let magic = file.first_chunk::<4>().ok_or((0, "no pcap header"))?;
        let form = match magic {
            [0xd4, 0xc3, 0xb2, 0xa1] => Self { big: false, nanos: false },
            [0x4d, 0x3c, 0xb2, 0xa1] => Self { big: false, nanos: true },
            [0xa1, 0xb2, 0xc3, 0xd4] => Self { big: true, nanos: false },
            [0xa1, 0xb2, 0x3c, 0x4d] => Self { big: true, nanos: true },
            _ => return Err((0, "not a classic pcap file")),
        };
        match form.u32(file, 20) {
            Some(LINK_ETHERNET) => Ok(form),
            Some(_) => Err((20, "link type is not Ethernet")),
            None => Err((0, "cut pcap header")),
        }
    }

    fn u32(self, file: &[u8], at: usize) -> Option<u32> {
        let b = *file.get(at..)?.first_chunk::<4>()?;
        Some(if self.big { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) })
    }

    fn record(self, file: &[u8], at: usize) -> Result<(Frame<'_>, usize), (usize, &'static str)> {
        let field = |n: usize| self.u32(file, at + n).ok_or((at, "cut record header"));
        let (seconds, fraction, captured, original) = (field(0)?, field(4)?, field(8)?, field(12)?);
        if captured != original {
            return Err((at, "frame was cut by the snap length"));
        }
        let unit = if self.nanos { 1 } else { 1_000 };
        let nanos = u64::from(fraction).checked_mul(unit).ok_or((at, "bad time"))?;
        let start = at + RECORD_HEADER;
        let length = usize::try_from(captured).map_err(|_| (at, "bad length"))?;
        let end = start.checked_add(length).ok_or((at, "bad length"))?;
        let bytes = file.get(start..end).ok_or((at, "cut record"))?;
        Ok((Frame { time: Duration::from_secs(seconds.into()) + Duration::from_nanos(nanos), bytes }, end))
    }
}
