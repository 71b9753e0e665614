//! Little-endian words at an offset. Reading or writing outside the slice yields `None`, never a panic.

/// The bytes `at..at+N`.
pub(crate) fn array_at<const N: usize>(b: &[u8], at: usize) -> Option<[u8; N]> {
    b.get(at..)?.first_chunk::<N>().copied()
}

pub(crate) fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    array_at(b, at).map(u32::from_le_bytes)
}

pub(crate) fn u64_at(b: &[u8], at: usize) -> Option<u64> {
    array_at(b, at).map(u64::from_le_bytes)
}

/// Overwrites `at..at+src.len()`.
pub(crate) fn put(b: &mut [u8], at: usize, src: &[u8]) -> Option<()> {
    b.get_mut(at..)?.get_mut(..src.len())?.copy_from_slice(src);
    Some(())
}

/// Reverses the byte order of the word `at..at+width`.
pub(crate) fn swap(b: &mut [u8], at: usize, width: usize) -> Option<()> {
    b.get_mut(at..)?.get_mut(..width)?.reverse();
    Some(())
}

/// Bytes up to the first NUL, or all of them.
pub(crate) fn until_nul(b: &[u8]) -> &[u8] {
    b.split(|c| *c == 0).next().unwrap_or_default()
}

/// A length that came from a `usize` known to be small (at most a chunk).
pub(crate) fn len32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A `u32` as a slice length; saturates where `usize` is smaller, which no slice reaches.
pub(crate) fn index(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// A position in a file as its offset.
pub(crate) fn offset(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
