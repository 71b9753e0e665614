//! A checker for histories of concurrent callers.
//!
//! Every answer names the sequence number that it reflects. That makes linearizability simple to decide:
//! the numbers are the order, and the order must not contradict time.

use std::collections::BTreeMap;

use crate::{Change, Entry, Seq};

/// One finished call. `start` and `end` are drawn from one counter shared by all callers.
#[derive(Clone, Debug)]
pub struct Call {
    /// Drawn before the call.
    pub start: u64,
    /// Drawn after the answer.
    pub end: u64,
    /// What was answered.
    pub answer: Answer,
}

/// What a call has told its caller.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A commit, with the changes that it made.
    Committed(Seq, Vec<Change>),
    /// A conflict, or a barrier: the store was here.
    At(Seq),
    /// All entries of the prefix that the changes are in, and the number that they reflect.
    Range(Seq, Vec<Entry>),
}

impl Call {
    fn seq(&self) -> Seq {
        match self.answer {
            Answer::Committed(seq, _) | Answer::At(seq) | Answer::Range(seq, _) => seq,
        }
    }
}

/// Whether one order explains all answers.
///
/// # Errors
/// The first contradiction, in words.
pub fn linearizable(history: &[Call]) -> Result<(), String> {
    let mut commits: Vec<(Seq, &[Change])> = Vec::new();
    for call in history {
        if let Answer::Committed(seq, changes) = &call.answer {
            commits.push((*seq, changes));
        }
    }
    commits.sort_by_key(|(seq, _)| *seq);
    for (expected, (seq, _)) in (1..).zip(&commits) {
        if *seq != expected {
            return Err(format!(
                "commit {seq} stands in the place of {expected}: numbers are not 1, 2, 3, …"
            ));
        }
    }
    for earlier in history {
        for later in history.iter().filter(|later| earlier.end < later.start) {
            let forward = match later.answer {
                Answer::Committed(..) => earlier.seq() < later.seq(),
                _ => earlier.seq() <= later.seq(),
            };
            if !forward {
                return Err(format!(
                    "{later:?} began after {earlier:?} was answered, but it is not after it"
                ));
            }
        }
    }
    for call in history {
        if let Answer::Range(seq, entries) = &call.answer {
            let mut state = BTreeMap::new();
            for change in commits.iter().take_while(|(at, _)| at <= seq).flat_map(|(_, changes)| *changes) {
                match change {
                    Change::Put(key, value) => drop(state.insert(key, value)),
                    Change::Delete(key) => drop(state.remove(key)),
                }
            }
            if !entries.iter().map(|e| (&e.key, &e.value)).eq(state) {
                return Err(format!("{call:?} is not the state after commit {seq}"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(start: u64, end: u64, answer: Answer) -> Call {
        Call { start, end, answer }
    }

    fn wrote(seq: Seq) -> Answer {
        Answer::Committed(seq, vec![Change::Put("k".to_owned(), seq.to_string().into_bytes())])
    }

    fn read(seq: Seq, value: &str) -> Answer {
        Answer::Range(seq, vec![Entry { key: "k".to_owned(), value: value.as_bytes().to_vec() }])
    }

    #[test]
    fn overlapping_calls_may_take_either_order() {
        let history = [
            call(0, 5, wrote(2)),
            call(1, 4, wrote(1)),
            call(2, 9, Answer::Range(0, vec![])),
            call(3, 8, read(2, "2")),
            call(6, 7, Answer::At(2)),
        ];
        assert_eq!(linearizable(&history), Ok(()));
    }

    #[test]
    fn each_kind_of_contradiction_is_found() {
        let lost_number = vec![call(0, 1, wrote(1)), call(2, 3, wrote(3))];
        let same_number = vec![call(0, 3, wrote(1)), call(1, 2, wrote(1))];
        let backwards = vec![call(0, 1, wrote(2)), call(2, 3, wrote(1))];
        let stale_barrier = vec![call(0, 1, wrote(1)), call(2, 3, Answer::At(0))];
        let stale_range = vec![call(0, 1, wrote(1)), call(2, 3, Answer::Range(0, vec![]))];
        let from_the_future = vec![call(0, 1, Answer::At(1)), call(2, 3, wrote(1))];
        let torn_range = vec![call(0, 1, wrote(1)), call(2, 5, wrote(2)), call(3, 4, read(2, "1"))];
        for bad in
            [lost_number, same_number, backwards, stale_barrier, stale_range, from_the_future, torn_range]
        {
            assert!(linearizable(&bad).is_err(), "{bad:?}");
        }
    }
}
