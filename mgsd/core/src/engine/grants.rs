//! Grant: an enqueue waits for a barrier that was started after it arrived, and is granted when everything up to the
//! barrier is applied. So a lock never hides a change that was committed before it was asked for.

use super::{Answer, Engine, Output, ReqId, Timer};
use crate::locks::Lock;
use crate::rpc::enqueue;
use crate::time::Now;
use std::time::Duration;
use wire::ldlm::LdlmRequest;

/// Without an answer of the store for so long, locks are granted all the same, and revoked when it is back.
const PATIENCE: Duration = Duration::from_secs(1);

/// An enqueue that waits.
#[derive(Debug)]
struct Waiting {
    id: ReqId,
    request: LdlmRequest,
}

/// Enqueues by what they wait for.
#[derive(Debug, Default)]
pub(super) struct Grants {
    /// For the barrier after the one in flight.
    next: Vec<Waiting>,
    /// For the one in flight.
    current: Option<(u64, Vec<Waiting>)>,
    /// For this commit to be applied.
    behind: Vec<(u64, Vec<Waiting>)>,
    barriers: u64,
    cookie: u64,
}

impl Engine {
    /// An enqueue: waits for the next barrier.
    pub(crate) fn queue_grant(&mut self, id: ReqId, request: LdlmRequest, now: Now) {
        self.grants.next.push(Waiting { id, request });
        self.start_barrier(now);
    }

    fn start_barrier(&mut self, now: Now) {
        if !self.grants.next.is_empty() {
            self.probe(now);
        }
    }

    /// Starts a barrier for those who wait, or for nobody, unless one is in flight.
    pub(super) fn probe(&mut self, now: Now) {
        if self.grants.current.is_none() {
            self.grants.barriers += 1;
            let number = self.grants.barriers;
            self.grants.current = Some((number, std::mem::take(&mut self.grants.next)));
            self.out.push_back(Output::Barrier);
            self.timer(now.mono + PATIENCE, Timer::Barrier(number));
        }
    }

    pub(super) fn barrier_done(&mut self, seq: Option<u64>, now: Now) {
        let waiting = self.grants.current.take().map(|(_, w)| w).unwrap_or_default();
        match seq {
            Some(seq) => {
                self.store_answers(now);
                let stale = self.locks.mark_stale();
                self.call_back(&stale, now);
                if seq <= self.view.seq {
                    self.grant(waiting, false, now);
                } else {
                    self.grants.behind.push((seq, waiting));
                }
            }
            None => self.grant(waiting, true, now),
        }
        self.start_barrier(now);
    }

    /// The store is slow: whoever waits is served at what is applied. The barrier stays in flight.
    pub(super) fn barrier_late(&mut self, number: u64, now: Now) {
        let mut late = Vec::new();
        if let Some((current, waiting)) = &mut self.grants.current
            && *current == number
        {
            late = std::mem::take(waiting);
            late.append(&mut self.grants.next);
            self.timer(now.mono + PATIENCE, Timer::Barrier(number));
        }
        self.grant(late, true, now);
    }

    /// Grants what waited for a commit that is now applied.
    pub(super) fn grant_applied(&mut self, now: Now) {
        let seq = self.view.seq;
        let due: Vec<Waiting> =
            self.grants.behind.extract_if(.., |(at, _)| *at <= seq).flat_map(|(_, w)| w).collect();
        self.grant(due, false, now);
    }

    /// Lock cookies rise, so that callbacks go out in the order of the grants; where they start is random, so that a
    /// restarted MGS does not use one again.
    fn next_lock_cookie(&mut self) -> u64 {
        if self.grants.cookie == 0 {
            self.grants.cookie = self.entropy.cookie() >> 1;
        }
        self.grants.cookie += 1;
        self.grants.cookie
    }

    fn grant(&mut self, waiting: Vec<Waiting>, stale: bool, now: Now) {
        for Waiting { id, request } in waiting {
            let Ok(open) = self.in_service(id) else { continue };
            let (Some(export), resent) = (open.export, open.resent) else { continue };
            let asked = Lock {
                cookie: self.next_lock_cookie(),
                client_cookie: request.handles.first().copied().unwrap_or(0),
                export,
                resource: request.desc.resource,
                marked: false,
                stale,
            };
            let alive = self.exports.get(export).is_some();
            let granted = if alive { self.locks.grant(asked, resent) } else { None };
            match granted {
                Some(lock) => {
                    let answer = Answer::ok(enqueue::reply(&request, &lock));
                    self.answer(id, answer, now);
                    if lock.marked {
                        // Taken over by a resent enqueue: its callback may have met a client that did not know it yet.
                        self.call_back(&[lock], now);
                    }
                }
                None => self.answer_error(id, &enqueue::refused(alive), now),
            }
        }
    }
}
