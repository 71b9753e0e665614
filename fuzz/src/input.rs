//! The bytes of a fuzzer, taken as small choices; behind the end everything is zero.
use wire::Order;

#[derive(Clone, Debug)]
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn u8(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }
    pub(crate) fn u16(&mut self) -> u16 {
        u16::from(self.u8()) | u16::from(self.u8()) << 8
    }
    pub(crate) fn order(&mut self) -> Order {
        order(self.u8())
    }
    /// At most `n` bytes.
    pub(crate) fn take(&mut self, n: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(n.min(self.0.len()));
        self.0 = tail;
        head
    }
    /// A length of two bytes, and so many bytes.
    pub(crate) fn part(&mut self) -> &'a [u8] {
        let n = self.u16();
        self.take(n.into())
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

pub(crate) fn order(choice: u8) -> Order {
    if choice & 1 == 0 { Order::Little } else { Order::Big }
}
