//! What the peers say, with the values of the recorded MGS replaced by those of mgsd.
use super::compare::{Asked, Comparer, base};
use crate::Error;
use crate::mask::Rule;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use wire::lnet::{Handle, Message, portal};
use wire::mgs::config_type;
use wire::rpc::{Request, Rpc};
use wire::socklnd::Frame;

/// Place of an answer: node, portal, match bits.
pub(super) type AnswerAt = (usize, u32, u64);

/// What was said so far that later messages refer to.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Requests, by where their answers go.
    pub(super) asked: BTreeMap<AnswerAt, Asked>,
    /// Handles of pings and pushes of the recorded MGS, which ours need not send.
    pub(super) pings: BTreeSet<[u8; 16]>,
    /// (node, xid) of callbacks that ours need not send.
    pub(super) unsent: BTreeSet<(usize, u64)>,
    /// Zero-copy cookies of the recorded MGS.
    pub(super) zc: BTreeSet<(usize, u64)>,
}

impl Said {
    /// The message for mgsd; `None` when it refers to what mgsd does not say.
    pub(super) fn repeat(
        &mut self,
        compare: &mut Comparer,
        node: usize,
        time: Duration,
        frame: &Frame,
    ) -> Result<Option<Frame>, Error> {
        let no = |what: String| Err(Error::Unplayable { time, what });
        let (head, header, payload) = match frame {
            Frame::Noop(head) => {
                let [_, cookie] = head.zc_cookies;
                return Ok((!self.zc.contains(&(node, cookie))).then(|| frame.clone()));
            }
            Frame::Lnet(head, header, payload) => (*head, *header, payload),
        };
        let (mut header, mut payload) = (header, payload.clone());
        if let Message::Ack { dst, mlength, .. } = &mut header.msg
            && let Some(ours) = compare.maps.lengths.get(&dst.0)
        {
            *mlength = *ours;
        }
        match &mut header.msg {
            Message::Ack { dst, .. } | Message::Reply { dst } => {
                if self.pings.contains(&dst.0) {
                    return Ok(None);
                }
                match compare.maps.handles.get(&dst.0) {
                    Some(ours) => *dst = Handle(*ours),
                    None => return no(format!("an answer to {dst:?}, which nobody sent")),
                }
            }
            Message::Put { portal: portal::LDLM_CB_REPLY, match_bits, .. } => {
                if self.unsent.contains(&(node, *match_bits)) {
                    return Ok(None);
                }
                match compare.maps.xids.get(&node).and_then(|xids| xids.get(match_bits)) {
                    Some(ours) => *match_bits = *ours,
                    None => return no(format!("an answer to callback {match_bits:#x}, which nobody sent")),
                }
            }
            Message::Put { portal, match_bits, .. } if *portal != portal::LNET_RESERVED => {
                let Some(rest) = self.request(compare, node, *portal, *match_bits, &payload) else {
                    return no(format!(
                        "a PUT to portal {portal} that is no request, or not encoded as it came"
                    ));
                };
                payload = rest;
            }
            Message::Put { .. } | Message::Get { .. } => {}
        }
        Ok(Some(Frame::Lnet(head, header, payload)))
    }

    fn request(
        &mut self,
        compare: &mut Comparer,
        node: usize,
        to: u32,
        xid: u64,
        payload: &Bytes,
    ) -> Option<Bytes> {
        let mut rpc = Rpc::decode_put(to, payload).ok()?;
        let faithful = rpc.to_bytes() == *payload;
        let Rpc::Request { body, content, .. } = &mut rpc else { return None };
        let answer = match to {
            portal::LDLM_CANCEL_REQUEST => portal::LDLM_CANCEL_REPLY,
            _ => portal::MGC_REPLY,
        };
        let asked = Asked { body: body.clone(), content: content.clone() };
        for bits in [xid, if body.mbits == 0 { xid } else { body.mbits }] {
            self.asked.insert((node, answer, bits), asked.clone());
        }
        let (maps, mask) = (&compare.maps, &mut compare.mask);
        maps.exports.replace(Rule::Handle, &mut body.handle, mask);
        match content {
            Request::Cancel(locks) => {
                let named = usize::try_from(locks.count).unwrap_or(usize::MAX);
                for handle in locks.handles.iter_mut().take(named) {
                    maps.locks.replace(Rule::LockCookie, handle, mask);
                }
            }
            Request::LlogRead(body) | Request::LlogOpen { body, .. } => maps.log_asked(&mut body.logid, mask),
            Request::ConfigRead(read) if read.config_type == config_type::RECOVER => {
                maps.version_asked(base(&read.name), &mut read.offset);
            }
            _ => {}
        }
        faithful.then(|| rpc.to_bytes())
    }
}
