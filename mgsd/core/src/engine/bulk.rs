//! Bulk: PUTs that go before a reply, and GETs that go before the work (protocol/5, section 5.1).

use super::{Answer, Engine, Output, Put, ReqId, Timer};
use crate::lint;
use crate::model::registration;
use crate::time::Now;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;
use wire::lnet::portal;
use wire::relay::{Frame, PostStatus};

/// A transfer without acknowledgement for so long has failed: the request is not answered and comes again.
const DEADLINE: Duration = Duration::from_secs(100);

/// Transfers under way, by cookie.
#[derive(Debug, Default)]
pub(super) struct Bulks {
    puts: BTreeMap<u64, (ReqId, Answer, Bytes)>,
    gets: BTreeMap<u64, (ReqId, Box<registration::Request>)>,
}

impl Engine {
    /// Starts the PUT that precedes a reply.
    pub(super) fn start_bulk(&mut self, id: ReqId, answer: Answer, data: Bytes, now: Now) {
        let Some(request) = self.requests.get(id).cloned() else { return };
        if let Err(violation) = lint::reply(&request, &answer, Some(&data)) {
            // Checked here too: bulk must not leave before its reply was looked at.
            self.count("lint_violations");
            let error = crate::Error::Bug { what: violation.to_string() };
            return self.answer_error(id, &error, now);
        }
        let cookie = self.entropy.cookie();
        let put = Put {
            portal: portal::MGS_BULK,
            match_bits: request.bulk_bits(),
            offset: 0,
            want_ack: true,
            payload: data.clone(),
        };
        self.post(&request.from, cookie, put);
        self.timer(now.mono + DEADLINE, Timer::Bulk(cookie));
        self.bulks.puts.insert(cookie, (id, answer, data));
    }

    /// A PUT with this cookie is done; `false` when it was not a bulk.
    pub(super) fn bulk_done(&mut self, cookie: u64, status: PostStatus, now: Now) -> bool {
        let Some((id, answer, data)) = self.bulks.puts.remove(&cookie) else { return false };
        match status {
            PostStatus::Acked(length) if length as usize == data.len() => {
                self.finish(id, &answer, Some(&data), now);
            }
            // Never success without its bulk: no answer, the peer repeats the read.
            _ => self.abandon(id, "bulk_failed"),
        }
        true
    }

    /// Asks for a NID list that was too long for its request.
    pub(crate) fn start_fetch(
        &mut self,
        id: ReqId,
        request: Box<registration::Request>,
        length: u32,
        now: Now,
    ) {
        let Some(open) = self.requests.get(id).cloned() else { return };
        let cookie = self.entropy.cookie();
        self.out.push_back(Output::Relay(
            open.from.link,
            Frame::Fetch {
                cookie,
                peer: open.from.peer,
                local: open.from.local,
                incarnation: open.from.incarnation,
                portal: portal::MGS_BULK,
                match_bits: open.bulk_bits(),
                length,
            },
        ));
        self.timer(now.mono + DEADLINE, Timer::Bulk(cookie));
        self.bulks.gets.insert(cookie, (id, request));
    }

    pub(super) fn fetched(&mut self, cookie: u64, payload: Option<Bytes>, now: Now) {
        let Some((id, mut request)) = self.bulks.gets.remove(&cookie) else { return };
        let Some(payload) = payload else { return self.abandon(id, "fetch_failed") };
        match wire::mgs::parse_nid_entries(&payload) {
            Ok(texts) => {
                crate::rpc::target_reg::take_nids(&mut request, &texts);
                self.queue_registration(id, request, now);
            }
            Err(error) => self.answer_error(id, &error.into(), now),
        }
    }

    pub(super) fn bulk_late(&mut self, cookie: u64) {
        let put = self.bulks.puts.remove(&cookie).map(|(id, ..)| id);
        if let Some(id) = put.or_else(|| self.bulks.gets.remove(&cookie).map(|(id, _)| id)) {
            self.abandon(id, "bulk_late");
        }
    }

    /// Drops a request without an answer.
    pub(super) fn abandon(&mut self, id: ReqId, why: &'static str) {
        self.count(why);
        if let Some(export) = self.requests.close(id).and_then(|r| r.export)
            && let Some(export) = self.exports.get_mut(export)
        {
            export.in_service = export.in_service.saturating_sub(1);
        }
    }
}
