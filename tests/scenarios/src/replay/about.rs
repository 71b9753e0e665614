//! What a message is about: how one of mgsd is found for one of the recorded MGS.
use bytes::Bytes;
use wire::ldlm::ResId;
use wire::lnet::{Handle, Message, portal};
use wire::ptlrpc::{Body, msg_type, opc, version};
use wire::rpc::{Head, Request, Rpc};
use wire::socklnd::Frame;

/// What a message of an MGS is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum About {
    Answer(u32, u64),
    Callback(u32, ResId, u64),
    Lnet(Handle),
}

/// Whether a peer asks for something.
pub(super) fn is_request(frame: &Frame) -> bool {
    let Frame::Lnet(_, header, _) = frame else { return false };
    let Message::Put { portal, .. } = header.msg else { return false };
    matches!(portal, portal::MGS_REQUEST | portal::LDLM_CANCEL_REQUEST)
}

/// What a message of an MGS is about. `None`: nothing that a peer expects.
pub(super) fn about(msg: &Message, payload: &Bytes) -> Option<About> {
    match *msg {
        Message::Ack { dst, .. } | Message::Reply { dst } => Some(About::Lnet(dst)),
        Message::Put { portal: portal::LDLM_CB_REQUEST, .. } => {
            let Ok(Rpc::Request { body, content, .. }) = Rpc::decode_put(portal::LDLM_CB_REQUEST, payload)
            else {
                return None;
            };
            let (Request::Blocking(lock) | Request::Completion(lock, _) | Request::Glimpse(lock, _)) =
                content
            else {
                return None;
            };
            Some(About::Callback(body.opc, lock.desc.resource, *lock.handles.first()?))
        }
        Message::Put { portal, match_bits, .. } => Some(About::Answer(portal, match_bits)),
        Message::Get { .. } => None,
    }
}

/// `pb_opc`, where there is one.
pub(super) fn opcode(msg: Message, payload: &Bytes) -> Option<u32> {
    let Message::Put { portal, .. } = msg else { return None };
    Rpc::decode_put(portal, payload).ok()?.body().map(|b| b.opc)
}

/// "Still working on it".
pub(super) fn is_early(msg: Message, payload: &Bytes) -> bool {
    let Message::Put { portal: portal::MGC_REPLY | portal::LDLM_CANCEL_REPLY, offset: 0, .. } = msg else {
        return false;
    };
    matches!(Rpc::decode_put(portal::MGC_REPLY, payload), Ok(Rpc::Reply { head, .. }) if head.cksum != 0)
}

/// A ping with a handle that no server gave.
pub(super) fn probe(xid: u64) -> Bytes {
    let body = Body {
        msg_type: msg_type::REQUEST,
        version: version::OBD,
        opc: opc::OBD_PING,
        handle: 0x0707_0707_0707_0707,
        mbits: xid,
        conn_cnt: 1,
        timeout: 10,
        ..Body::default()
    };
    Rpc::Request { head: Head { flags: 3, repsize: 224, ..Head::default() }, body, content: Request::Empty }
        .to_bytes()
}
