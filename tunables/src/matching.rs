//! Whether a pattern of set_param means a name, and whether two patterns may mean the same.

use crate::pattern::{self, Piece};

/// The address of a kernel object, as a node has it in the names of its mounts.
const MOUNT: &str = "ffff8a0012345678";

/// Whether every node would apply `pattern` to `name`, in which a `*` stands for what differs from node to node: the
/// mount, the kind of backend, the index.
pub fn covers(pattern: &str, name: &str) -> bool {
    let wanted = pattern::segments(name);
    let fits = |alternative: &String| {
        let pieces = pattern::segments(alternative);
        pieces.len() == wanted.len() && pieces.iter().zip(&wanted).all(|(piece, word)| takes(piece, word))
    };
    pattern::alternatives(pattern).is_ok_and(|all| all.iter().any(fits))
}

fn takes(piece: &str, word: &str) -> bool {
    if piece == word {
        return true;
    }
    let piece = Piece::new(piece);
    match word.split_once('*') {
        None => piece.hits(word),
        Some(("osd-", "")) => ["osd-ldiskfs", "osd-zfs", "osd-wbcfs"].iter().any(|osd| piece.hits(osd)),
        Some((start, end)) => {
            let some = if start.ends_with("-MDT") || start.ends_with("-OST") { "0000" } else { MOUNT };
            piece.hits(&format!("{start}{some}{end}"))
        }
    }
}

/// Whether some name is meant by both.
pub fn overlap(one: &str, other: &str) -> bool {
    let (Ok(ones), Ok(others)) = (pattern::alternatives(one), pattern::alternatives(other)) else {
        return one == other;
    };
    ones.iter().any(|one| others.iter().any(|other| meet(one, other)))
}

fn meet(one: &str, other: &str) -> bool {
    let (one, other) = (pattern::segments(one), pattern::segments(other));
    let both = |(a, b): (&String, &String)| a == b || Piece::new(a).automaton.meets(&Piece::new(b).automaton);
    one.len() == other.len() && one.iter().zip(&other).all(both)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_what_they_mean() {
        let name = "osc.testfs-OST0000-osc-*.max_dirty_mb";
        for pattern in [
            "osc.*.max_dirty_mb",
            "osc.testfs-*.max_dirty_mb",
            "osc.testfs-OST000[0-3]*.max_dirty_mb",
            name,
            "{osc,mdc}.*.max_dirty_mb",
            "osc.*OST0000*.max_*",
        ] {
            assert!(covers(pattern, name) && overlap(pattern, name), "{pattern}");
        }
        for pattern in [
            "osc.*.max_dirty",
            "mdc.*.max_dirty_mb",
            "osc.other-*.max_dirty_mb",
            "osc.*OST0001*.max_dirty_mb",
            "osc.*.*.max_dirty_mb",
            "osc.{a,b",
            "",
        ] {
            assert!(!covers(pattern, name), "{pattern}");
        }
        assert!(covers("osd-zfs.*.auto_scrub", "osd-*.testfs-OST0000.auto_scrub"));
        assert!(covers("mdt.testfs-*.x", "mdt.testfs-MDT*.x"));
        assert!(overlap("osc.*OST0001*.x", "osc.testfs-OST0000-osc-*.x"), "some mount could be called so");
        assert!(!overlap("osc.a-*.x", "osc.b-*.x"));
    }
}
