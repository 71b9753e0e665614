//! Breadth first through every state: the first wrong one is reported with the shortest way to it.

use crate::rules::Rules;
use crate::state::{State, Step};
use std::collections::HashMap;

/// What was found.
pub struct Explored {
    pub states: usize,
    /// States in which nothing is left to be done.
    pub ends: usize,
    /// What is wrong, and the steps that lead there.
    pub wrong: Option<(&'static str, Vec<Step>)>,
}

/// Walks through all states that `rules` allow from `start` on.
pub fn explore(start: State, rules: Rules) -> Explored {
    let mut number = HashMap::from([(start, 0_usize)]);
    let mut reached = vec![(start, 0, None)];
    let mut ends = 0;
    let mut at = 0;
    while at < reached.len() {
        let state = reached[at].0;
        let mut progress = false;
        for step in state.steps(rules) {
            let mut next = state;
            if let Err(what) = next.take(step, rules).and_then(|()| next.check()) {
                return Explored {
                    states: reached.len(),
                    ends,
                    wrong: Some((what, path(&reached, at, step))),
                };
            }
            progress |= !step.is_fault();
            number.entry(next).or_insert_with(|| {
                reached.push((next, at, Some(step)));
                reached.len() - 1
            });
        }
        if !progress {
            ends += 1;
            if let Err(what) = state.check_end() {
                let (_, from, last) = reached[at];
                let steps = last.map(|step| path(&reached, from, step)).unwrap_or_default();
                return Explored { states: reached.len(), ends, wrong: Some((what, steps)) };
            }
        }
        at += 1;
    }
    Explored { states: reached.len(), ends, wrong: None }
}

fn path(reached: &[(State, usize, Option<Step>)], mut at: usize, last: Step) -> Vec<Step> {
    let mut steps = vec![last];
    while let (_, from, Some(step)) = reached[at] {
        steps.push(step);
        at = from;
    }
    steps.reverse();
    steps
}
