//! A map by number that lies in one piece. A site has tens of thousands of nodemaps, most of them with a handful of
//! entries: a tree for each of their lists would be most of what they take.

/// Numbers with values, in order. A number above all others, which is how ids are given out, is added in constant time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sorted<T>(Vec<(u32, T)>);

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Sorted<T> {
    /// None.
    pub const fn new() -> Self {
        Self(Vec::new())
    }
    fn at(&self, key: u32) -> Result<usize, usize> {
        match self.0.last() {
            Some((last, _)) if *last < key => Err(self.0.len()),
            _ => self.0.binary_search_by_key(&key, |(key, _)| *key),
        }
    }
    /// The value of a number.
    pub fn get(&self, key: u32) -> Option<&T> {
        let at = self.at(key).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }
    /// The same, to change it.
    pub fn get_mut(&mut self, key: u32) -> Option<&mut T> {
        let at = self.at(key).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }
    /// There is one.
    pub fn contains(&self, key: u32) -> bool {
        self.at(key).is_ok()
    }
    /// Sets the value of a number; the one before.
    pub fn insert(&mut self, key: u32, value: T) -> Option<T> {
        match self.at(key) {
            Ok(at) => self.0.get_mut(at).map(|(_, old)| std::mem::replace(old, value)),
            Err(at) => {
                // most lists have one entry and stay so
                if self.0.is_empty() {
                    self.0.reserve_exact(1);
                }
                self.0.insert(at, (key, value));
                None
            }
        }
    }
    /// Removes a number; its value.
    pub fn remove(&mut self, key: u32) -> Option<T> {
        let at = self.at(key).ok()?;
        Some(self.0.remove(at).1)
    }
    /// Removes the numbers from `first` to `last`; their values.
    pub fn remove_range(&mut self, first: u32, last: u32) -> Vec<(u32, T)> {
        let from = self.0.partition_point(|(key, _)| *key < first);
        let to = self.0.partition_point(|(key, _)| *key <= last);
        self.0.drain(from..to.max(from)).collect()
    }
    /// In order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u32, &T)> + ExactSizeIterator {
        self.0.iter().map(|(key, value)| (*key, value))
    }
    /// Values in the order of their numbers.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }
    /// Numbers in order.
    pub fn keys(&self) -> impl Iterator<Item = &u32> {
        self.0.iter().map(|(key, _)| key)
    }
    /// How many.
    pub const fn len(&self) -> usize {
        self.0.len()
    }
    /// There is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// Removes all.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl<T> FromIterator<(u32, T)> for Sorted<T> {
    fn from_iter<I: IntoIterator<Item = (u32, T)>>(items: I) -> Self {
        let mut sorted = Self::new();
        items.into_iter().for_each(|(key, value)| drop(sorted.insert(key, value)));
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Against a tree.
        #[test]
        fn it_does_what_a_tree_does(steps in proptest::collection::vec((0_u8..4, 0_u32..40, 0_u32..9), 0..200)) {
            let (mut ours, mut tree) = (Sorted::new(), BTreeMap::new());
            for (step, key, value) in steps {
                match step {
                    0 => prop_assert_eq!(ours.remove(key), tree.remove(&key)),
                    1 => {
                        let gone: Vec<u32> = tree.range(key..=key + value).map(|(k, _)| *k).collect();
                        let gone: Vec<(u32, u32)> = gone.into_iter().map(|k| (k, tree.remove(&k).unwrap())).collect();
                        prop_assert_eq!(ours.remove_range(key, key + value), gone);
                    }
                    _ => prop_assert_eq!(ours.insert(key, value), tree.insert(key, value)),
                }
                prop_assert_eq!(ours.get(key), tree.get(&key));
                prop_assert_eq!(ours.contains(key), tree.contains_key(&key));
            }
            prop_assert_eq!(ours.iter().collect::<Vec<_>>(), tree.iter().map(|(k, v)| (*k, v)).collect::<Vec<_>>());
            prop_assert_eq!(ours.len(), tree.len());
        }
    }
}
