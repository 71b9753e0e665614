//! Did you mean.

use crate::catalogue::Catalogue;

/// Longer words are no typos of ours, and comparing costs the product of the lengths.
const LONGEST: usize = 64;

/// Edit distance with swapped neighbours counted once, up to `most`.
fn distance(a: &str, b: &str, most: usize) -> Option<usize> {
    if a.len() > LONGEST || b.len() > LONGEST || a.len().abs_diff(b.len()) > most {
        return None;
    }
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let at = |row: &[usize; LONGEST + 1], n: usize| row.get(n).copied().unwrap_or(usize::MAX / 2);
    let mut before = [usize::MAX / 2; LONGEST + 1];
    let mut row = [0; LONGEST + 1];
    row.iter_mut().enumerate().for_each(|(n, cell)| *cell = n);
    for (i, x) in a.iter().enumerate() {
        let mut next = [usize::MAX / 2; LONGEST + 1];
        let (mut left, mut least) = (i + 1, i + 1);
        if let Some(first) = next.first_mut() {
            *first = left;
        }
        for (j, (y, cell)) in b.iter().zip(next.iter_mut().skip(1)).enumerate() {
            let same = x.eq_ignore_ascii_case(y);
            let mut best = (at(&row, j) + usize::from(!same)).min(at(&row, j + 1) + 1).min(left + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            *cell = best;
            (left, least) = (best, least.min(best));
        }
        if least > most {
            return None;
        }
        before = std::mem::replace(&mut row, next);
    }
    Some(at(&row, b.len())).filter(|d| *d <= most)
}

fn most(word: &str) -> usize {
    match word.len() {
        0..=3 => 1,
        4..=8 => 2,
        _ => 3,
    }
}

/// The word that is nearest, if one is near.
pub(crate) fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = words.into_iter().filter_map(|w| Some((distance(word, w, most(word))?, w)));
    near.min().map(|(_, w)| w)
}

/// Up to three names of the catalogue that a mistyped one may stand for; those that `prefer` accepts come first.
pub(crate) fn names<'a>(catalogue: &'a Catalogue, name: &str, prefer: impl Fn(&str) -> bool) -> Vec<&'a str> {
    // What the kernel would take as an abbreviation is near, however long it is.
    let near = |n: &'a str| {
        let abbreviated = name.len() >= 4 && n.len() > name.len() && n.starts_with(name);
        distance(name, n, most(name)).or(abbreviated.then_some(1)).map(|d| (!prefer(n), d, n))
    };
    let mut list: Vec<_> = catalogue.names().filter_map(near).collect();
    list.sort_unstable();
    let best_is_preferred = list.first().is_some_and(|(other, ..)| !other);
    list.into_iter().filter(|(other, ..)| !(best_is_preferred && *other)).take(3).map(|(.., n)| n).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_and_far() {
        assert_eq!(distance("max_drity_mb", "max_dirty_mb", 3), Some(1));
        assert_eq!(distance("abc", "abcdef", 2), None);
        assert_eq!(nearest("crc32d", ["adler", "crc32", "crc32c"]), Some("crc32"));
        assert_eq!(nearest("enable", ["y", "n"]), None);
        let catalogue = Catalogue::shipped();
        assert_eq!(names(catalogue, "max_dirty", |_| false).first(), Some(&"max_dirty_mb"));
        assert!(names(catalogue, "zzzzzz", |_| false).is_empty());
    }
}
