//! A reader that only hands out what is there, and a writer; both know the byte order of the peer.

/// Byte order of the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Order {
    /// x86, arm: nearly every peer.
    #[default]
    Little,
    /// Power, s390.
    Big,
}

/// Why bytes could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The structure is longer than the bytes.
    #[error("{what}: needs {need} bytes, has {have}")]
    Truncated {
        /// The structure or field.
        what: &'static str,
        /// Bytes needed.
        need: usize,
        /// Bytes left.
        have: usize,
    },
    /// A magic number that is not ours.
    #[error("{what}: bad magic {got:#x}")]
    BadMagic {
        /// The structure.
        what: &'static str,
        /// The value found.
        got: u64,
    },
    /// A field with a value outside of what the protocol allows.
    #[error("{what}: bad value {got:#x}")]
    BadValue {
        /// The field.
        what: &'static str,
        /// The value found.
        got: u64,
    },
    /// Text that is not terminated, not UTF-8, or does not parse.
    #[error("{what}: bad text")]
    BadText {
        /// The field.
        what: &'static str,
    },
    /// Text that is not a NID.
    #[error("NID {text:?}: {why}; a NID is <address>@<network>, such as 10.0.0.1@tcp")]
    BadNid {
        /// The text, at most 64 characters of it.
        text: String,
        /// What is wrong.
        why: &'static str,
    },
}

/// Result of decoding.
pub type Result<T> = std::result::Result<T, Error>;

/// Bounded reader.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    order: Order,
}

impl<'a> Reader<'a> {
    /// Reads from `bytes` in `order`.
    pub const fn new(bytes: &'a [u8], order: Order) -> Self {
        Self { bytes, order }
    }
    /// Byte order of the sender.
    pub const fn order(&self) -> Order {
        self.order
    }
    /// Bytes not yet read.
    pub const fn remaining(&self) -> usize {
        self.bytes.len()
    }
    /// The next `n` bytes.
    pub fn take(&mut self, what: &'static str, n: usize) -> Result<&'a [u8]> {
        match self.bytes.split_at_checked(n) {
            Some((head, tail)) => {
                self.bytes = tail;
                Ok(head)
            }
            None => Err(Error::Truncated { what, need: n, have: self.bytes.len() }),
        }
    }
    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N]> {
        let have = self.bytes.len();
        let head = self.take(what, N)?;
        head.try_into().map_err(|_| Error::Truncated { what, need: N, have })
    }
    /// A sub-reader of exactly `n` bytes.
    pub fn sub(&mut self, what: &'static str, n: usize) -> Result<Reader<'a>> {
        Ok(Reader { bytes: self.take(what, n)?, order: self.order })
    }
    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }
    /// One byte.
    pub fn u8(&mut self, what: &'static str) -> Result<u8> {
        Ok(u8::from_le_bytes(self.array(what)?))
    }
    /// Two bytes.
    pub fn u16(&mut self, what: &'static str) -> Result<u16> {
        let b = self.array(what)?;
        Ok(match self.order {
            Order::Little => u16::from_le_bytes(b),
            Order::Big => u16::from_be_bytes(b),
        })
    }
    /// Four bytes.
    pub fn u32(&mut self, what: &'static str) -> Result<u32> {
        let b = self.array(what)?;
        Ok(match self.order {
            Order::Little => u32::from_le_bytes(b),
            Order::Big => u32::from_be_bytes(b),
        })
    }
    /// Eight bytes.
    pub fn u64(&mut self, what: &'static str) -> Result<u64> {
        let b = self.array(what)?;
        Ok(match self.order {
            Order::Little => u64::from_le_bytes(b),
            Order::Big => u64::from_be_bytes(b),
        })
    }
    /// A fixed array holding a NUL-terminated string; bytes behind the NUL are ignored.
    pub fn cstr(&mut self, what: &'static str, n: usize) -> Result<String> {
        let raw = self.take(what, n)?;
        let end = raw.iter().position(|b| *b == 0).ok_or(Error::BadText { what })?;
        let text = raw.get(..end).unwrap_or_default();
        String::from_utf8(text.to_vec()).map_err(|_| Error::BadText { what })
    }
}

/// A length as the u32 that most length fields are. Nothing that long exists: what is encoded came in below 1 MiB.
pub(crate) fn len32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Writer in one byte order.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    order: Order,
}

impl Writer {
    /// An empty writer.
    pub const fn new(order: Order) -> Self {
        Self { bytes: Vec::new(), order }
    }
    /// Byte order written.
    pub const fn order(&self) -> Order {
        self.order
    }
    /// Bytes so far.
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }
    /// Nothing written yet.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
    /// The bytes.
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }
    /// Raw bytes.
    pub fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
    /// `n` zero bytes.
    pub fn zeros(&mut self, n: usize) {
        self.bytes.resize(self.bytes.len() + n, 0);
    }
    /// One byte.
    pub fn u8(&mut self, v: u8) {
        self.bytes.push(v);
    }
    /// Two bytes.
    pub fn u16(&mut self, v: u16) {
        match self.order {
            Order::Little => self.put(&v.to_le_bytes()),
            Order::Big => self.put(&v.to_be_bytes()),
        }
    }
    /// Four bytes.
    pub fn u32(&mut self, v: u32) {
        match self.order {
            Order::Little => self.put(&v.to_le_bytes()),
            Order::Big => self.put(&v.to_be_bytes()),
        }
    }
    /// Eight bytes.
    pub fn u64(&mut self, v: u64) {
        match self.order {
            Order::Little => self.put(&v.to_le_bytes()),
            Order::Big => self.put(&v.to_be_bytes()),
        }
    }
    /// A string in a fixed array of `n` bytes, zero filled; cut between characters so that a NUL always remains.
    pub fn cstr(&mut self, text: &str, n: usize) {
        let cut = text.floor_char_boundary(n.saturating_sub(1));
        self.put(text.get(..cut).unwrap_or_default().as_bytes());
        self.zeros(n - cut);
    }
    /// Zeros up to the next multiple of 8.
    pub fn pad8(&mut self) {
        self.zeros(self.bytes.len().next_multiple_of(8) - self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_nothing_that_is_not_there() {
        let mut r = Reader::new(&[1, 2, 3], Order::Big);
        assert_eq!(r.u32("word"), Err(Error::Truncated { what: "word", need: 4, have: 3 }));
        assert_eq!(r.u16("half"), Ok(0x0102));
        assert!(r.sub("part", 2).is_err() && r.take("part", usize::MAX).is_err());
        assert_eq!((r.remaining(), r.rest(), r.remaining()), (1, &[3][..], 0));
    }

    #[test]
    fn strings_end_at_their_first_nul() {
        let text = |raw: &[u8], n| Reader::new(raw, Order::Little).cstr("text", n);
        assert_eq!(text(b"ab\0cd\0", 6), Ok("ab".into()));
        assert_eq!(text(b"\0", 1), Ok(String::new()));
        assert_eq!(text(b"\xff\0", 2), Err(Error::BadText { what: "text" }));
        for (raw, n) in [(&b"abc"[..], 3), (b"", 0)] {
            assert_eq!(text(raw, n), Err(Error::BadText { what: "text" }));
        }
        assert!(matches!(text(b"a\0", 3), Err(Error::Truncated { .. })));
    }

    #[test]
    fn a_writer_tells_how_much_it_holds() {
        let mut w = Writer::new(Order::Big);
        assert_eq!((w.len(), w.is_empty()), (0, true));
        w.u8(7);
        assert_eq!((w.len(), w.is_empty()), (1, false));
        w.pad8();
        assert_eq!((w.len(), w.order()), (8, Order::Big));
    }

    #[test]
    fn strings_are_cut_between_characters() {
        for (text, n, bytes) in [
            ("abc", 5, &b"abc\0\0"[..]),
            ("abc", 3, b"ab\0"),
            ("aé", 3, b"a\0\0"),
            ("aé", 4, b"a\xc3\xa9\0"),
            ("abc", 0, b""),
        ] {
            let mut w = Writer::new(Order::Little);
            w.cstr(text, n);
            assert_eq!(w.into_vec(), bytes, "{text} in {n}");
        }
    }
}
