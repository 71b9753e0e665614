//! Names as set_param takes them: segments, glob(7) wildcards, braces.

use crate::automaton::Automaton;

/// Names that one pattern with braces may stand for. More is no configuration, and each costs a search.
const MOST_ALTERNATIVES: usize = 64;

/// A name whose braces cannot be expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// `{` without `}` or the reverse.
    #[error("braces do not match")]
    Braces,
    /// Too many alternatives.
    #[error("its braces stand for more than {MOST_ALTERNATIVES} names")]
    TooMany,
}

/// Whether a text has a character that set_param expands.
pub fn is_wild(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// Cuts a name into its segments: at dots and slashes, but not inside a NID (after `exports.` and in `MGC<nid>`) and
/// not inside brackets.
pub fn segments(name: &str) -> Vec<String> {
    // Pieces, each with whether a dot (and no slash) stands before it.
    let mut pieces: Vec<(bool, String)> = vec![(false, String::new())];
    let mut inside = false;
    for (at, c) in name.char_indices() {
        match c {
            '[' if !inside => inside = name.get(at + 1..).is_some_and(|rest| rest.contains(']')),
            ']' => inside = false,
            _ => {}
        }
        match (c, pieces.last_mut()) {
            ('.' | '/', _) if !inside => pieces.push((c == '.', String::new())),
            (_, Some((_, piece))) => piece.push(c),
            _ => {}
        }
    }
    let mut list: Vec<String> = Vec::new();
    let mut rest = pieces.into_iter().peekable();
    let mut nids_left = name.matches('@').count();
    while let Some((_, mut piece)) = rest.next() {
        let nid = piece.starts_with("MGC") || list.last().is_some_and(|last| last == "exports");
        nids_left -= piece.matches('@').count().min(nids_left);
        // The NID ends with the piece that has its @; without one there is no NID.
        while nid && nids_left > 0 && !piece.contains('@') {
            match rest.next_if(|(dot, _)| *dot) {
                Some((_, next)) => {
                    nids_left -= next.matches('@').count().min(nids_left);
                    piece.push('.');
                    piece.push_str(&next);
                }
                None => break,
            }
        }
        list.push(piece);
    }
    list
}

/// The names that `{a,b}` stand for, in order.
///
/// # Errors
/// Braces that do not match, or too many names.
pub fn alternatives(name: &str) -> Result<Vec<String>, BadPattern> {
    let mut done = Vec::new();
    let mut work = vec![name.to_owned()];
    while let Some(name) = work.pop() {
        let Some(close) = name.find('}') else {
            if name.contains('{') {
                return Err(BadPattern::Braces);
            }
            done.push(name);
            continue;
        };
        // The innermost pair comes first.
        let (before, after) =
            (name.get(..close).unwrap_or_default(), name.get(close + 1..).unwrap_or_default());
        let (head, inside) = before.rsplit_once('{').ok_or(BadPattern::Braces)?;
        let choices: Vec<&str> = inside.split(',').collect();
        if done.len() + work.len() + choices.len() > MOST_ALTERNATIVES {
            return Err(BadPattern::TooMany);
        }
        work.extend(choices.iter().rev().map(|choice| format!("{head}{choice}{after}")));
    }
    Ok(done)
}

/// A segment of a pattern.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) wild: bool,
    pub(crate) automaton: Automaton,
}

impl Piece {
    pub(crate) fn new(text: &str) -> Self {
        Piece { text: text.to_owned(), wild: is_wild(text), automaton: Automaton::glob(text) }
    }

    /// Some name of this piece is `word`.
    pub(crate) fn hits(&self, word: &str) -> bool {
        if self.wild { self.automaton.matches(word.as_bytes()) } else { self.text == word }
    }

    /// What stands before the first wildcard.
    pub(crate) fn literal_start(&self) -> &str {
        self.text.split(['*', '?', '[', '{']).next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn dots_inside_a_nid_do_not_separate() {
        let cut = |name| segments(name).join("|");
        assert_eq!(cut("obdfilter.*.exports.10.0.0.9@tcp.stats"), "obdfilter|*|exports|10.0.0.9@tcp|stats");
        assert_eq!(cut("mgc.MGC10.0.0.2@tcp.import"), "mgc|MGC10.0.0.2@tcp|import");
        assert_eq!(cut("mgc.MGC*.import"), "mgc|MGC*|import");
        assert_eq!(
            cut("ldlm.namespaces.MGC10.0.0.2@tcp.lru_size"),
            "ldlm|namespaces|MGC10.0.0.2@tcp|lru_size"
        );
        assert_eq!(cut("obdfilter.a.exports.clear"), "obdfilter|a|exports|clear");
        assert_eq!(cut("mdt/a/exports/10.0.0.9@tcp/stats"), "mdt|a|exports|10.0.0.9@tcp|stats");
        assert_eq!(cut("llite/*/max_cached_mb"), "llite|*|max_cached_mb");
        assert_eq!(cut("osc.a[.]b.c"), "osc|a[.]b|c");
        assert_eq!(cut(""), "");
    }

    #[test]
    fn braces() {
        let all = |name| alternatives(name).map(|list| list.join(" "));
        assert_eq!(all("{osc,mdc}.*.x{1,2}").unwrap(), "osc.*.x1 osc.*.x2 mdc.*.x1 mdc.*.x2");
        assert_eq!(all("a{b{c,d},e}").unwrap(), "abc ae abd ae");
        assert_eq!(all("a}b"), Err(BadPattern::Braces));
        assert_eq!(all("a{b"), Err(BadPattern::Braces));
        assert_eq!(all(&"{a,b}".repeat(30)), Err(BadPattern::TooMany));
    }
}
