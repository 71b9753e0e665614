//! Regular languages over bytes: the placeholders and grammars of the catalogue, and the patterns of set_param.
//!
//! One automaton serves both questions of the judge: does a grammar take this value ([`Automaton::matches`]), and does
//! a pattern hit any name of a template ([`Automaton::meets`]). The second needs no list of targets, so its cost does
//! not grow with them.

use std::collections::HashSet;

use regex_syntax::hir::{Class, Hir, HirKind};

/// More states than any template or grammar needs; a catalogue file from outside may ask for more.
const MOST_STATES: usize = 20_000;

/// A regular expression that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRegex {
    /// No regular expression.
    #[error("{regex:?} is no regular expression: {why}")]
    Syntax {
        /// The text.
        regex: String,
        /// What the parser says, on one line.
        why: String,
    },
    /// Bounded repetitions multiply.
    #[error("{0:?} needs more than {MOST_STATES} states: repeat less")]
    TooLarge(String),
}

#[derive(Clone, Debug, Default)]
struct State {
    /// Without a byte.
    free: Vec<usize>,
    /// On a byte from the first to the second.
    on: Vec<(u8, u8, usize)>,
}

/// Nondeterministic automaton; state 0 is the first, 1 the last.
#[derive(Clone, Debug)]
pub(crate) struct Automaton {
    states: Vec<State>,
}

const FIRST: usize = 0;
const LAST: usize = 1;

impl Automaton {
    fn empty() -> Self {
        Automaton { states: vec![State::default(), State::default()] }
    }

    /// From a regular expression of ASCII semantics. `^` and `$` are read as given: the whole text has to match.
    pub(crate) fn regex(regex: &str) -> Result<Self, BadRegex> {
        let parsed = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(regex);
        let hir = parsed.map_err(|error| BadRegex::Syntax {
            regex: regex.to_owned(),
            why: error.to_string().lines().last().unwrap_or_default().trim().to_owned(),
        })?;
        let mut automaton = Automaton::empty();
        automaton.add(&hir, FIRST, LAST).ok_or_else(|| BadRegex::TooLarge(regex.to_owned()))?;
        Ok(automaton)
    }

    /// From one segment of a glob(7) pattern: `*`, `?`, `[a-c]`, `[!x]`, `[^x]`. A lone `[` stands for itself.
    pub(crate) fn glob(pattern: &str) -> Self {
        let mut automaton = Automaton::empty();
        let (bytes, mut at, mut end) = (pattern.as_bytes(), 0, FIRST);
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            match byte {
                b'*' => automaton.edge(end, 0, u8::MAX, end),
                b'?' => end = automaton.step(end, &[(0, u8::MAX)]),
                b'[' => match set(bytes.get(at..).unwrap_or_default()) {
                    Some((ranges, length)) => {
                        at += length;
                        end = automaton.step(end, &ranges);
                    }
                    None => end = automaton.step(end, &[(byte, byte)]),
                },
                _ => end = automaton.step(end, &[(byte, byte)]),
            }
        }
        automaton.free(end, LAST);
        automaton
    }

    fn new_state(&mut self) -> usize {
        self.states.push(State::default());
        self.states.len() - 1
    }

    fn edge(&mut self, from: usize, low: u8, high: u8, to: usize) {
        if let Some(state) = self.states.get_mut(from) {
            state.on.push((low, high, to));
        }
    }

    fn free(&mut self, from: usize, to: usize) {
        if let Some(state) = self.states.get_mut(from) {
            state.free.push(to);
        }
    }

    fn step(&mut self, from: usize, ranges: &[(u8, u8)]) -> usize {
        let to = self.new_state();
        for &(low, high) in ranges {
            self.edge(from, low, high, to);
        }
        to
    }

    /// Adds the paths of `hir` between two states. None when it grows too large.
    fn add(&mut self, hir: &Hir, from: usize, to: usize) -> Option<()> {
        if self.states.len() > MOST_STATES {
            return None;
        }
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => self.free(from, to),
            HirKind::Literal(literal) => {
                let end = literal.0.iter().fold(from, |end, &byte| self.step(end, &[(byte, byte)]));
                self.free(end, to);
            }
            HirKind::Class(Class::Bytes(class)) => {
                class.ranges().iter().for_each(|r| self.edge(from, r.start(), r.end(), to));
            }
            // With Unicode switched off only ASCII classes are left in this form.
            HirKind::Class(Class::Unicode(class)) => {
                for range in class.ranges() {
                    if let (Ok(low), high) =
                        (u8::try_from(range.start()), u8::try_from(range.end()).unwrap_or(127))
                    {
                        self.edge(from, low, high.min(127), to);
                    }
                }
            }
            HirKind::Capture(capture) => self.add(&capture.sub, from, to)?,
            HirKind::Concat(parts) => {
                let mut end = from;
                for part in parts {
                    let next = self.new_state();
                    self.add(part, end, next)?;
                    end = next;
                }
                self.free(end, to);
            }
            HirKind::Alternation(parts) => parts.iter().try_for_each(|part| self.add(part, from, to))?,
            HirKind::Repetition(repetition) => {
                let mut end = from;
                for _ in 0..repetition.min {
                    let next = self.new_state();
                    self.add(&repetition.sub, end, next)?;
                    end = next;
                }
                match repetition.max {
                    None => {
                        // A state of its own, so that a loop is not entered from elsewhere.
                        let turn = self.new_state();
                        let back = self.new_state();
                        self.free(end, turn);
                        self.add(&repetition.sub, turn, back)?;
                        self.free(back, turn);
                        self.free(turn, to);
                    }
                    Some(max) => {
                        self.free(end, to);
                        for _ in repetition.min..max {
                            let next = self.new_state();
                            self.add(&repetition.sub, end, next)?;
                            self.free(next, to);
                            end = next;
                        }
                    }
                }
            }
        }
        Some(())
    }

    fn state(&self, at: usize) -> (&[usize], &[(u8, u8, usize)]) {
        self.states.get(at).map_or((&[], &[]), |s| (&s.free, &s.on))
    }

    /// Adds a state and what is reached from it without a byte.
    fn reach(&self, at: usize, seen: &mut [bool], list: &mut Vec<usize>) {
        let mut work = vec![at];
        while let Some(at) = work.pop() {
            match seen.get_mut(at) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            list.push(at);
            work.extend(self.state(at).0);
        }
    }

    /// The whole text is in the language.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        let mut seen = vec![false; self.states.len()];
        let (mut now, mut next) = (Vec::new(), Vec::new());
        self.reach(FIRST, &mut seen, &mut now);
        for &byte in text {
            seen.fill(false);
            for &at in &now {
                for &(low, high, to) in self.state(at).1 {
                    if (low..=high).contains(&byte) {
                        self.reach(to, &mut seen, &mut next);
                    }
                }
            }
            std::mem::swap(&mut now, &mut next);
            next.clear();
            if now.is_empty() {
                return false;
            }
        }
        now.contains(&LAST)
    }

    /// Some text is in both languages.
    pub(crate) fn meets(&self, other: &Automaton) -> bool {
        let mut seen = HashSet::from([(FIRST, FIRST)]);
        let mut work = vec![(FIRST, FIRST)];
        while let Some((a, b)) = work.pop() {
            if (a, b) == (LAST, LAST) {
                return true;
            }
            let ((free_a, on_a), (free_b, on_b)) = (self.state(a), other.state(b));
            let mut go = |pair| {
                if seen.insert(pair) {
                    work.push(pair);
                }
            };
            free_a.iter().for_each(|&to| go((to, b)));
            free_b.iter().for_each(|&to| go((a, to)));
            for &(low, high, to_a) in on_a {
                for &(other_low, other_high, to_b) in on_b {
                    if low <= other_high && other_low <= high {
                        go((to_a, to_b));
                    }
                }
            }
        }
        false
    }
}

/// Bytes from-to, both included.
type Ranges = Vec<(u8, u8)>;

/// A set after its `[`: ranges and the number of bytes up to and with `]`. None when it is not closed.
fn set(bytes: &[u8]) -> Option<(Ranges, usize)> {
    let negated = matches!(bytes.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    // A `]` in the first place stands for itself.
    let close = bytes.iter().skip(start + 1).position(|&b| b == b']')? + start + 1;
    let inside = bytes.get(start..close)?;
    let mut wanted = [false; 256];
    let mut at = 0;
    while let Some(&low) = inside.get(at) {
        let high = match (inside.get(at + 1), inside.get(at + 2)) {
            (Some(b'-'), Some(&high)) => {
                at += 3;
                high
            }
            _ => {
                at += 1;
                low
            }
        };
        (low..=high).for_each(|b| {
            if let Some(w) = wanted.get_mut(usize::from(b)) {
                *w = true;
            }
        });
    }
    let ranges =
        (0..=u8::MAX).zip(wanted).filter(|(_, wanted)| *wanted != negated).map(|(b, _)| (b, b)).collect();
    Some((ranges, close + 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn meets(regex: &str, pattern: &str) -> bool {
        Automaton::regex(regex).unwrap().meets(&Automaton::glob(pattern))
    }

    #[test]
    fn texts() {
        let four = Automaton::regex("^[0-9a-f]{4}$").unwrap();
        assert!(four.matches(b"00ff"));
        assert!(!four.matches(b"00f") && !four.matches(b"00fff") && !four.matches(b"00fg"));
        let words = Automaton::regex(r"^(?i:a|bc)(?:\s+(?i:a|bc))*$").unwrap();
        assert!(words.matches(b"A Bc\ta") && !words.matches(b"a,bc") && !words.matches(b""));
        let upto = Automaton::regex("x{0,2}y?").unwrap();
        assert!(upto.matches(b"") && upto.matches(b"xxy") && !upto.matches(b"xxx"));
        assert!(!Automaton::regex("^[^{}]+$").unwrap().matches(b"a}"));
    }

    #[test]
    fn patterns() {
        let osp = "[0-9A-Za-z_]{1,8}-OST[0-9a-f]{4}-osc-MDT[0-9a-f]{4}";
        assert!(meets(osp, "testfs-OST*"));
        assert!(meets(osp, "*MDT00[!1-9]?"));
        assert!(!meets(osp, "testfs-OST*-osc-[^M]*"));
        assert!(!meets(osp, "*-mdc-*"));
        assert!(!meets(osp, "averylongname-OST*"));
        assert!(meets("a\\[b", "a[b") && meets("\\]", "[]]"));
    }

    #[test]
    fn bad_expressions() {
        assert!(matches!(Automaton::regex("(a"), Err(BadRegex::Syntax { .. })));
        assert!(matches!(Automaton::regex("((a{99}){99}){99}"), Err(BadRegex::TooLarge(_))));
    }
}
