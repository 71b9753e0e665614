//! What was decided: the last answers given to each peer, so that somebody at a failed mount can ask why.

use std::collections::{BTreeMap, VecDeque};
use wire::Nid;

/// Decisions kept of one peer.
const PER_PEER: usize = 32;
/// Peers kept.
const PEERS: usize = 4096;

/// An answer, or something that happened to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Unix seconds.
    pub time: i64,
    /// Who asked.
    pub nid: Nid,
    /// What it asked: `mgs_target_reg`, `llog_open`, `evicted`.
    pub op: &'static str,
    /// Target, log or table concerned; empty when there is none.
    pub object: String,
    /// `pb_status` of the answer.
    pub status: i32,
    /// Why it was refused, with the next step; empty when it was not.
    pub why: String,
}

/// Decisions by peer.
#[derive(Debug, Default)]
pub struct Journal(BTreeMap<Nid, VecDeque<Decision>>);

impl Journal {
    /// Keeps a decision. The same again (a retry) takes the place of the one before.
    pub fn note(&mut self, decision: Decision) {
        let nid = decision.nid;
        let ring = self.0.entry(nid).or_default();
        if let Some(last) = ring.back_mut()
            && (last.op, &last.object, last.status, &last.why)
                == (decision.op, &decision.object, decision.status, &decision.why)
        {
            *last = decision;
            return;
        }
        ring.push_back(decision);
        if ring.len() > PER_PEER {
            ring.pop_front();
        }
        if self.0.len() > PEERS {
            let quiet = self.0.iter().filter(|(n, _)| **n != nid);
            let oldest = quiet.min_by_key(|(_, r)| r.back().map(|d| d.time)).map(|(n, _)| *n);
            oldest.and_then(|n| self.0.remove(&n));
        }
    }

    /// Everything on a NID, or on an object (a target or log) whoever asked; oldest first.
    pub fn about(&self, subject: &str) -> Vec<Decision> {
        let nid: Option<Nid> = subject.contains('@').then(|| subject.parse().ok()).flatten();
        let all = self.0.values().flatten();
        let hit = |d: &&Decision| nid.map_or(d.object == subject, |n| d.nid == n);
        let mut out: Vec<Decision> = all.filter(hit).cloned().collect();
        out.sort_by_key(|d| d.time);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(n: u8, time: i64, object: &str) -> Decision {
        let nid = Nid::tcp([10, 0, 0, n].into(), 0);
        Decision {
            time,
            nid,
            op: "mgs_target_reg",
            object: object.to_owned(),
            status: -98,
            why: "in use".to_owned(),
        }
    }

    #[test]
    fn a_subject_is_a_nid_or_an_object() {
        let mut j = Journal::default();
        j.note(decision(1, 5, "testfs-OST0000"));
        j.note(decision(2, 3, "testfs-OST0000"));
        j.note(decision(2, 4, "testfs-OST0001"));
        let times = |s: &str| j.about(s).iter().map(|d| d.time).collect::<Vec<_>>();
        assert_eq!(times("testfs-OST0000"), [3, 5]);
        assert_eq!(times("10.0.0.2@tcp"), [3, 4]);
        assert!(times("nobody").is_empty() && times("10.9.9.9@tcp").is_empty());
    }

    #[test]
    fn retries_and_many_peers_stay_bounded() {
        let mut j = Journal::default();
        for time in 0..1000 {
            j.note(decision(1, time, "testfs-OST0000"));
        }
        assert_eq!(j.about("10.0.0.1@tcp").len(), 1, "the same again takes its place");
        for time in 0..1000 {
            j.note(decision(1, time, &format!("testfs-OST{time:04x}")));
        }
        assert_eq!(j.about("10.0.0.1@tcp").len(), PER_PEER);
        for n in 0..5000_u32 {
            let nid = Nid::tcp(std::net::Ipv4Addr::from(n).into(), 0);
            j.note(Decision { nid, ..decision(0, 2000 + i64::from(n), "x") });
        }
        assert!(j.0.len() <= PEERS);
        assert!(j.about("10.0.0.1@tcp").is_empty(), "the quiet one went");
    }
}
