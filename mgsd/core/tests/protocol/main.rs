//! Commit, notify, grant, revoke (architecture, section 5), checked in every state that two daemons, two clients and
//! three commits can get into; and each rule taken away leads to a state that is wrong.
//!
//! This is the protocol as it is written down, with several daemons on one store; that one daemon follows it is shown
//! by `revocation.rs` and `delays.rs` on the engine itself.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    missing_docs,
    unreachable_pub
)]

mod explore;
mod rules;
mod state;

use explore::explore;
use rules::{Rule, Rules};
use state::State;

/// Commits tried, and whether one thing (a reply or callback is lost, a daemon is cut off from the store) goes wrong.
/// Three commits beside a fault take minutes: `make soak` and whoever changes the protocol set `MGSD_PROTOCOL=full`.
fn scopes() -> Vec<State> {
    let full = std::env::var("MGSD_PROTOCOL").is_ok_and(|v| v == "full");
    vec![State::start(3, false), State::start(if full { 3 } else { FAULTY }, true)]
}
const FAULTY: u8 = 2;

#[test]
fn no_state_is_wrong() {
    for start in scopes() {
        holds_from(start);
    }
}

fn holds_from(start: State) {
    let found = explore(start, Rules { without: None });
    eprintln!("{} states, {} ends", found.states, found.ends);
    if let Some((what, steps)) = found.wrong {
        panic!("{what} after {steps:#?}");
    }
    // The numbers say that it was not explored by halves.
    assert!(found.states > 20_000, "{} states", found.states);
    assert!(found.ends > 10, "{} ends", found.ends);
}

#[test]
fn each_rule_taken_away_is_missed() {
    for rule in Rule::ALL {
        let found = explore(State::start(3, true), Rules { without: Some(rule) });
        let (what, steps) = found.wrong.unwrap_or_else(|| panic!("nobody misses {rule:?}"));
        assert_eq!(what, missed(rule), "without {rule:?}, after {steps:#?}");
    }
}

/// What goes wrong first without a rule.
fn missed(rule: Rule) -> &'static str {
    match rule {
        Rule::Guard => "two histories",
        Rule::Parked => "acknowledged and not durable",
        Rule::Dense => "a hole in the history",
        Rule::OneStep | Rule::CallBack => "a change is not seen and nothing says so",
        Rule::NoSecond => "a second callback for one lock",
        Rule::StartedAfter | Rule::Applied | Rule::CurrentRead => {
            "a grant hides what was acknowledged before"
        }
        Rule::RevokeStale => "a stale lock outlives the silence of the store",
        Rule::Again => "a client trusts a lock that was called back",
        Rule::Evict => "a lock of a live client was forgotten",
        Rule::Fence => "a client was left behind",
    }
}
