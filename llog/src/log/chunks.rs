//! The chunks of a log, in groups: a clone that is changed copies one group, not the list of a log of any size.

use std::sync::Arc;

/// Chunks in a group: the longest log has about a thousand.
const GROUP: usize = 32;

/// A list that is cheap to clone, and cheap to change after that.
#[derive(Clone, Debug)]
pub(super) struct Chunks<T>(Arc<Vec<Group<T>>>);

/// All groups but the last are full; none is empty.
type Group<T> = Arc<Vec<Arc<T>>>;

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone> Chunks<T> {
    pub(super) fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * GROUP + last.len())
    }

    pub(super) fn get(&self, n: usize) -> Option<&T> {
        self.0.get(n / GROUP)?.get(n % GROUP).map(Arc::as_ref)
    }

    pub(super) fn last(&self) -> Option<&T> {
        self.0.last()?.last().map(Arc::as_ref)
    }

    /// From the `n`th on.
    pub(super) fn iter_from(&self, n: usize) -> impl Iterator<Item = &T> {
        let groups = self.0.iter().skip(n / GROUP).enumerate();
        groups
            .flat_map(move |(i, group)| group.iter().skip(if i == 0 { n % GROUP } else { 0 }))
            .map(Arc::as_ref)
    }

    /// How many at the front hold to `pred`, which the rest does not. Takes O(log n).
    pub(super) fn partition_point(&self, pred: impl Fn(&T) -> bool) -> usize {
        let whole = self.0.partition_point(|group| group.last().is_some_and(|c| pred(c)));
        match self.0.get(whole) {
            Some(group) => whole * GROUP + group.partition_point(|c| pred(c)),
            None => self.len(),
        }
    }

    pub(super) fn push(&mut self, item: T) {
        let groups = Arc::make_mut(&mut self.0);
        match groups.last_mut().filter(|group| group.len() < GROUP) {
            Some(group) => Arc::make_mut(group).push(Arc::new(item)),
            None => groups.push(Arc::new(vec![Arc::new(item)])),
        }
    }

    /// To be changed; what is shared on the way to it is copied.
    pub(super) fn get_mut(&mut self, n: usize) -> Option<&mut T> {
        let group = Arc::make_mut(&mut self.0).get_mut(n / GROUP)?;
        Arc::make_mut(group).get_mut(n % GROUP).map(Arc::make_mut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_a_plain_list() {
        let mut chunks = Chunks::default();
        for n in 0..3 * GROUP + 1 {
            let all: Vec<usize> = chunks.iter_from(0).copied().collect();
            assert_eq!(all, (0..n).collect::<Vec<_>>());
            assert_eq!((chunks.len(), chunks.last().copied()), (n, n.checked_sub(1)));
            assert_eq!(chunks.get(n), None);
            for from in 0..=n {
                assert_eq!(chunks.partition_point(|c| *c < from), from);
                assert!(chunks.iter_from(from).copied().eq(from..n));
            }
            chunks.push(n);
        }
    }

    #[test]
    fn a_change_does_not_show_in_a_clone() {
        let mut chunks = Chunks::default();
        (0..2 * GROUP).for_each(|n| chunks.push(n));
        let before = chunks.clone();
        if let Some(item) = chunks.get_mut(GROUP) {
            *item = 0;
        }
        chunks.push(7);
        assert_eq!((before.get(GROUP), before.len()), (Some(&GROUP), 2 * GROUP));
        assert_eq!((chunks.get(GROUP), chunks.len()), (Some(&0), 2 * GROUP + 1));
        // The other group is still one and the same.
        assert!(Arc::ptr_eq(&before.0[0], &chunks.0[0]) && !Arc::ptr_eq(&before.0[1], &chunks.0[1]));
    }
}
