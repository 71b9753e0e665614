//! The shortest way from one list of lines to another (Myers, "An O(ND) difference algorithm", 1986).

/// More changes than this are not searched for: what is left counts as replaced. Bounds time and memory.
const MAX_CHANGES: usize = 1500;

/// One step over both lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// A line of both.
    Keep,
    /// A line of the first.
    Delete,
    /// A line of the second.
    Insert,
}

/// The steps that lead through both lists.
pub(super) fn edits(a: &[&str], b: &[&str]) -> Vec<Edit> {
    let head = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (rest_a, rest_b) = (a.get(head..).unwrap_or_default(), b.get(head..).unwrap_or_default());
    let tail = rest_a.iter().rev().zip(rest_b.iter().rev()).take_while(|(x, y)| x == y).count();
    let mid_a = rest_a.get(..rest_a.len() - tail).unwrap_or_default();
    let mid_b = rest_b.get(..rest_b.len() - tail).unwrap_or_default();
    let mut out = vec![Edit::Keep; head];
    match middle(mid_a, mid_b) {
        Some(steps) => out.extend(steps),
        None => {
            out.resize(head + mid_a.len(), Edit::Delete);
            out.resize(head + mid_a.len() + mid_b.len(), Edit::Insert);
        }
    }
    out.resize(out.len() + tail, Edit::Keep);
    out
}

/// `furthest[k + offset]` is the furthest position in `a` on the diagonal `x - y = k` with `d` changes. One such row per
/// `d` is kept to walk back.
fn middle(a: &[&str], b: &[&str]) -> Option<Vec<Edit>> {
    let limit = (a.len() + b.len()).min(MAX_CHANGES);
    let (n, m) = (a.len().cast_signed(), b.len().cast_signed());
    let mut rows: Vec<Row> = Vec::new();
    for d in 0..=limit.cast_signed() {
        let mut row = Row { d, furthest: Vec::new() };
        for k in (-d..=d).step_by(2) {
            let mut x = match rows.last() {
                None => 0,
                Some(last) => last.start(k).0,
            };
            while x < n && x - k < m && line(a, x) == line(b, x - k) {
                x += 1;
            }
            row.furthest.push(x);
            if x >= n && x - k >= m {
                rows.push(row);
                return Some(walk_back(&rows, n, m));
            }
        }
        rows.push(row);
    }
    None
}

struct Row {
    d: isize,
    /// For k = -d, -d+2, …, d.
    furthest: Vec<isize>,
}

impl Row {
    fn at(&self, k: isize) -> Option<isize> {
        let slot = usize::try_from((k + self.d) / 2).ok()?;
        if k < -self.d { None } else { self.furthest.get(slot).copied() }
    }

    /// Where diagonal `k` of the next row begins, and whether a line of the second list led there.
    fn start(&self, k: isize) -> (isize, bool) {
        match (self.at(k - 1), self.at(k + 1)) {
            (Some(left), Some(up)) if left < up => (up, true),
            (Some(left), _) => (left + 1, false),
            (None, up) => (up.unwrap_or(0), true),
        }
    }
}

fn line<'a>(lines: &[&'a str], at: isize) -> Option<&'a str> {
    usize::try_from(at).ok().and_then(|at| lines.get(at).copied())
}

fn walk_back(rows: &[Row], n: isize, m: isize) -> Vec<Edit> {
    let (mut x, mut k) = (n, n - m);
    let mut out = Vec::new();
    for pair in rows.windows(2).rev() {
        let Some(before) = pair.first() else { break };
        let (start, inserted) = before.start(k);
        for _ in start..x {
            out.push(Edit::Keep);
        }
        if inserted {
            out.push(Edit::Insert);
            (x, k) = (start, k + 1);
        } else {
            out.push(Edit::Delete);
            (x, k) = (start - 1, k - 1);
        }
    }
    for _ in 0..x {
        out.push(Edit::Keep);
    }
    out.reverse();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn apply<'a>(a: &[&'a str], b: &[&'a str]) -> (Vec<&'a str>, Vec<&'a str>, usize) {
        let (mut from_a, mut from_b, mut changes) = (Vec::new(), Vec::new(), 0);
        let (mut i, mut j) = (a.iter(), b.iter());
        for step in edits(a, b) {
            match step {
                Edit::Keep => {
                    let (x, y) = (i.next().unwrap(), j.next().unwrap());
                    assert_eq!(x, y);
                    from_a.push(*x);
                    from_b.push(*y);
                }
                Edit::Delete => {
                    from_a.push(i.next().unwrap());
                    changes += 1;
                }
                Edit::Insert => {
                    from_b.push(j.next().unwrap());
                    changes += 1;
                }
            }
        }
        (from_a, from_b, changes)
    }

    /// Length of the longest common subsequence, the slow way.
    fn common(a: &[&str], b: &[&str]) -> usize {
        let mut row = vec![0; b.len() + 1];
        for x in a {
            let mut diagonal = 0;
            for (j, y) in b.iter().enumerate() {
                let up = row[j + 1];
                row[j + 1] = if x == y { diagonal + 1 } else { up.max(row[j]) };
                diagonal = up;
            }
        }
        row[b.len()]
    }

    proptest! {
        #[test]
        fn shortest_and_complete(a in prop::collection::vec("[abc]", 0..24), b in prop::collection::vec("[abc]", 0..24)) {
            let a: Vec<&str> = a.iter().map(String::as_str).collect();
            let b: Vec<&str> = b.iter().map(String::as_str).collect();
            let (from_a, from_b, changes) = apply(&a, &b);
            prop_assert_eq!(&from_a, &a);
            prop_assert_eq!(&from_b, &b);
            prop_assert_eq!(changes, a.len() + b.len() - 2 * common(&a, &b));
        }
    }

    #[test]
    fn too_different_is_replaced() {
        let a: Vec<String> = (0..1000).map(|i| format!("a{i}")).collect();
        let b: Vec<String> = (0..1000).map(|i| format!("b{i}")).collect();
        let (a, b): (Vec<&str>, Vec<&str>) =
            (a.iter().map(String::as_str).collect(), b.iter().map(String::as_str).collect());
        let (from_a, from_b, changes) = apply(&a, &b);
        assert_eq!((from_a, from_b, changes), (a, b, 2000));
    }
}
