//! One direction of a connection: segments in any order become bytes in stream order.
use crate::packet::Segment;
use std::collections::BTreeMap;
use std::time::Duration;

/// What one side sent.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// All bytes, in stream order.
    pub bytes: Vec<u8>,
    /// (end offset, time): bytes below the offset were readable at the time. Both grow.
    readable: Vec<(usize, Duration)>,
    /// Sequence number of the SYN, or of the byte before the first one captured.
    initial: Option<u32>,
    /// Segments that came before their predecessors.
    early: BTreeMap<usize, Vec<u8>>,
}

impl Stream {
    /// When the byte at `offset` arrived, or rather: could be read, all bytes before it being there too. Since the
    /// Unix epoch. An offset behind the last byte gives the time of the last byte.
    pub fn time_of(&self, offset: usize) -> Duration {
        let i = self.readable.partition_point(|(end, _)| *end <= offset);
        self.readable.get(i).or(self.readable.last()).map(|(_, time)| *time).unwrap_or_default()
    }

    /// The pieces in which the bytes became readable: (start, end, time), in order.
    pub fn pieces(&self) -> impl Iterator<Item = (usize, usize, Duration)> + '_ {
        let starts = std::iter::once(0).chain(self.readable.iter().map(|(end, _)| *end));
        starts.zip(&self.readable).map(|(start, (end, time))| (start, *end, *time))
    }

    pub(crate) fn starts_with_syn(&self, seq: u32) -> bool {
        self.initial == Some(seq)
    }

    /// Where bytes are missing although later ones came.
    pub(crate) fn hole(&self) -> Option<usize> {
        (!self.early.is_empty()).then_some(self.bytes.len())
    }

    pub(crate) fn push(&mut self, segment: &Segment<'_>, time: Duration, from_start: bool) {
        if segment.syn {
            self.initial.get_or_insert(segment.seq);
        }
        if segment.payload.is_empty() {
            return;
        }
        if !from_start {
            self.initial.get_or_insert(segment.seq.wrapping_sub(1));
        }
        let Some(initial) = self.initial else { return };
        // The SYN takes one sequence number; data in a SYN (fast open) would start right behind it.
        let first = if segment.syn { segment.seq.wrapping_add(1) } else { segment.seq };
        // Distance to what is expected next, as a signed number: right across the wrap at 2^32.
        let next = self.bytes.len();
        let expected = initial.wrapping_add(1).wrapping_add(low32(next));
        let ahead = i64::from(first.wrapping_sub(expected).cast_signed());
        match usize::try_from(ahead) {
            Ok(ahead) if ahead > 0 => {
                let kept = self.early.entry(next + ahead).or_default();
                if kept.len() < segment.payload.len() {
                    *kept = segment.payload.to_vec();
                }
            }
            _ => {
                // Bytes that are known already came first: a retransmission does not replace them.
                let known = usize::try_from(-ahead).unwrap_or(usize::MAX);
                self.append(segment.payload.get(known..).unwrap_or_default());
                self.release();
                if self.bytes.len() > next {
                    self.readable.push((self.bytes.len(), time));
                }
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn release(&mut self) {
        while let Some((start, bytes)) = self.early.pop_first() {
            let Some(known) = self.bytes.len().checked_sub(start) else {
                self.early.insert(start, bytes);
                return;
            };
            self.append(bytes.get(known..).unwrap_or_default());
        }
    }
}

/// The value modulo 2^32.
fn low32(n: usize) -> u32 {
    u32::try_from(n & 0xffff_ffff).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn segment(seq: u32, syn: bool, payload: &[u8]) -> Segment<'_> {
        let here = SocketAddr::from(([0, 0, 0, 0], 0));
        Segment { from: here, to: here, seq, syn, ack: !syn, payload }
    }

    fn stream(isn: u32, segments: &[(u32, &[u8])]) -> Stream {
        let mut s = Stream::default();
        s.push(&segment(isn, true, b""), Duration::ZERO, true);
        for (i, (offset, payload)) in segments.iter().enumerate() {
            let seq = isn.wrapping_add(1).wrapping_add(*offset);
            s.push(&segment(seq, false, payload), Duration::from_secs(i as u64 + 1), true);
        }
        s
    }

    #[test]
    fn sequence_numbers_wrap() {
        let s = stream(u32::MAX - 2, &[(0, b"ab"), (2, b"cdef"), (6, b"g")]);
        assert_eq!(s.bytes, b"abcdefg");
        assert_eq!(s.hole(), None);
    }

    #[test]
    fn late_segments_are_put_in_order_and_carry_the_time_of_the_gap_closing() {
        let s = stream(7, &[(0, b"ab"), (4, b"ef"), (6, b"gh"), (2, b"cd")]);
        assert_eq!(s.bytes, b"abcdefgh");
        assert_eq!(s.time_of(1), Duration::from_secs(1));
        assert_eq!(s.time_of(2), Duration::from_secs(4));
        assert_eq!(s.time_of(7), Duration::from_secs(4));
        assert_eq!(
            s.pieces().collect::<Vec<_>>(),
            [(0, 2, Duration::from_secs(1)), (2, 8, Duration::from_secs(4))]
        );
    }

    #[test]
    fn retransmissions_and_overlaps_add_only_what_is_new() {
        let s = stream(7, &[(0, b"abcd"), (0, b"XXXX"), (2, b"XXef"), (5, b"Xg"), (9, b"jk"), (7, b"hiXX")]);
        assert_eq!(s.bytes, b"abcdefghiXX");
        assert_eq!(s.hole(), None);
    }

    #[test]
    fn a_lost_segment_is_a_hole() {
        let s = stream(7, &[(0, b"ab"), (3, b"d")]);
        assert_eq!(s.bytes, b"ab");
        assert_eq!(s.hole(), Some(2));
    }
}
