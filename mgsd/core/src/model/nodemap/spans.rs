//! Whose what is: NIDs, banned NIDs and ids of the file system, each claimed by one nodemap at most. A batch of many
//! nodemaps is checked in `n log n`.

use super::{Name, Offset};
use std::collections::BTreeMap;
use wire::{Nid, nid::NidAddr};

/// Where a span lies; spans of different spaces have nothing to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// NIDs of one network with addresses of one size.
    Nids(Network),
    /// Banned ones.
    Banned(Network),
    /// Ids of the file system that offsets lead to.
    Ids,
}

/// A network, and whether its addresses are large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    /// LND.
    pub lnd: u8,
    /// Number.
    pub net: u16,
    /// 16 bytes instead of 4.
    pub large: bool,
}

/// A stretch of a space, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Where.
    pub space: Space,
    /// First.
    pub first: u128,
    /// Last.
    pub last: u128,
}

impl Span {
    /// Of an offset.
    pub fn offset(offset: Offset) -> Self {
        let first = u128::from(offset.start);
        Self { space: Space::Ids, first, last: first + u128::from(offset.limit).saturating_sub(1) }
    }
    /// Of one NID.
    pub fn nid(nid: &Nid, banned: bool) -> Self {
        let (address, large) = match nid.addr {
            NidAddr::Small(a) => (u128::from(a), false),
            NidAddr::Large(a) => (u128::from_be_bytes(a), true),
        };
        let network = Network { lnd: nid.lnd, net: nid.net, large };
        let space = if banned { Space::Banned(network) } else { Space::Nids(network) };
        Self { space, first: address, last: address }
    }
    /// The same stretch of the other space of NIDs.
    pub const fn banned(self, banned: bool) -> Self {
        let space = match self.space {
            Space::Nids(network) | Space::Banned(network) if banned => Space::Banned(network),
            Space::Nids(network) | Space::Banned(network) => Space::Nids(network),
            Space::Ids => Space::Ids,
        };
        Self { space, ..self }
    }
    /// It has something in common with the other.
    pub fn meets(&self, other: &Self) -> bool {
        self.space == other.space && self.first <= other.last && other.first <= self.last
    }
    /// It has all of the other.
    pub fn holds(&self, other: &Self) -> bool {
        self.space == other.space && self.first <= other.first && other.last <= self.last
    }
}

/// Spans with their owners.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans(BTreeMap<Span, Name>);

impl Spans {
    /// Claims a span.
    pub fn claim(&mut self, span: Span, owner: Name) {
        self.0.insert(span, owner);
    }
    /// Gives it up.
    pub fn release(&mut self, span: &Span) {
        self.0.remove(span);
    }
    /// The owner of exactly this span.
    pub fn owner(&self, span: &Span) -> Option<&str> {
        self.0.get(span).map(Name::as_str)
    }
    /// Spans that have something in common with this one, in their order.
    ///
    /// Spans of a space do not overlap, except that large addresses, which come as prefixes, may lie within each other
    /// in an index that was imported. What holds the first address is found by its prefix then.
    pub fn meeting(&self, span: Span) -> impl Iterator<Item = (Span, &str)> {
        let from = Span { last: 0, ..span };
        let before = self.0.range(Span { first: 0, ..from }..from).next_back();
        let before = before.filter(|(s, _)| s.meets(&span));
        let large = matches!(span.space, Space::Nids(n) | Space::Banned(n) if n.large);
        let around = (0..=128_u32).filter(move |_| large).filter_map(move |bits| {
            let wide = prefix(span.space, span.first, bits);
            let (wide, owner) = self.0.get_key_value(&wide)?;
            (wide.first < span.first && before.is_none_or(|(s, _)| s != wide)).then_some((wide, owner))
        });
        let to = Span { first: span.last, last: u128::MAX, ..span };
        let within = self.0.range(from..=to);
        around.chain(before).chain(within).map(|(span, owner)| (*span, owner.as_str()))
    }
    /// The narrowest span that holds this one.
    pub fn holding(&self, span: Span) -> Option<(Span, &str)> {
        self.meeting(span).filter(|(s, _)| s.holds(&span)).min_by_key(|(s, _)| s.last - s.first)
    }
}

/// All addresses that share the first `bits` bits with this one.
pub(super) const fn prefix(space: Space, address: u128, bits: u32) -> Span {
    let low = match u128::MAX.checked_shr(bits) {
        Some(low) => low,
        None => 0,
    };
    Span { space, first: address & !low, last: address | low }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const V4: Space = Space::Nids(Network { lnd: 2, net: 0, large: false });
    const V6: Space = Space::Nids(Network { lnd: 2, net: 0, large: true });

    proptest! {
        /// Against a walk over all of them.
        #[test]
        fn meeting_finds_what_a_walk_finds(
            cuts in proptest::collection::btree_set(0_u32..400, 2..40),
            ask in (0_u32..400, 0_u32..60),
        ) {
            let owner = Name::new("x").unwrap();
            let cuts: Vec<u32> = cuts.into_iter().collect();
            let mut spans = Spans::default();
            let all: Vec<Span> = cuts.chunks_exact(2)
                .map(|c| Span { space: V4, first: c[0].into(), last: c[1].into() })
                .collect();
            all.iter().for_each(|s| spans.claim(*s, owner));
            let ask = Span { space: V4, first: ask.0.into(), last: (ask.0 + ask.1).into() };
            let found: Vec<Span> = spans.meeting(ask).map(|(s, _)| s).collect();
            prop_assert_eq!(found, all.iter().copied().filter(|s| s.meets(&ask)).collect::<Vec<_>>());
            let other = Span { space: V6, ..ask };
            prop_assert_eq!(spans.meeting(other).count(), 0);
        }

        /// Prefixes within prefixes.
        #[test]
        fn prefixes_are_found_around_and_within(
            bits in proptest::collection::btree_set((0_u32..=128, 0_u8..4), 0..12),
            ask in (0_u32..=128, 0_u8..4),
        ) {
            let at = |n: u8| u128::from(n) << 120 | u128::from(n) << 3;
            let owner = Name::new("x").unwrap();
            let mut spans = Spans::default();
            let mut all: Vec<Span> = bits.iter().map(|(b, n)| prefix(V6, at(*n), *b)).collect();
            all.sort();
            all.dedup();
            all.iter().for_each(|s| spans.claim(*s, owner));
            let ask = prefix(V6, at(ask.1), ask.0);
            let mut found: Vec<Span> = spans.meeting(ask).map(|(s, _)| s).collect();
            found.sort();
            prop_assert_eq!(found, all.iter().copied().filter(|s| s.meets(&ask)).collect::<Vec<_>>());
        }
    }
}
