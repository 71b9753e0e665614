//! LDLM_ENQUEUE (101): always granted, after a barrier.

use crate::Errno;
use crate::engine::{Engine, ReqId, Step};
use crate::error::{Error, Result};
use crate::locks::Lock;
use crate::time::Now;
use bytes::Bytes;
use wire::ldlm::{LdlmReply, LdlmRequest, LockDesc, PLAIN, lock_flags, mode};
use wire::ptlrpc::Message;
use wire::{Codec, Order};

/// Queues a grant.
pub(crate) fn enqueue(engine: &mut Engine, id: ReqId, message: &Message, now: Now) -> Result<Step> {
    let mut buffer = message.buffer(1)?;
    let request = LdlmRequest::decode(&mut buffer)?;
    if request.flags & (lock_flags::HAS_INTENT | lock_flags::REPLAY) != 0 {
        return Err(Error::PeerMisbehaved { what: "enqueue with an intent or replay", errno: Errno::EPROTO });
    }
    if request.desc.lock_type != PLAIN || request.desc.req_mode != mode::CR {
        return Err(Error::PeerMisbehaved { what: "config locks are plain and CR", errno: Errno::EFAULT });
    }
    if let Some(export) = engine.in_service(id)?.export {
        // Early lock cancel: handles behind the first are locks to let go of.
        let count = usize::try_from(request.count).unwrap_or(usize::MAX);
        let early: Vec<u64> = request.handles.iter().take(count).skip(1).copied().collect();
        early.into_iter().for_each(|cookie| engine.let_go(export, cookie));
    }
    engine.queue_grant(id, request, now);
    Ok(Step::Parked)
}

/// Buffers of the reply to a granted enqueue: lock and an empty LVB.
pub(crate) fn reply(request: &LdlmRequest, lock: &Lock) -> Vec<Bytes> {
    let reply = LdlmReply {
        desc: LockDesc { granted_mode: mode::CR, ..request.desc.clone() },
        handle: lock.cookie,
        ..LdlmReply::default()
    };
    vec![Bytes::from(reply.to_vec(Order::Little)), Bytes::new()]
}

/// Why an enqueue that waited was not granted after all.
pub(crate) const fn refused(export_alive: bool) -> Error {
    if export_alive {
        Error::NotNow { what: "the node holds too many locks", errno: Errno::ENOMEM }
    } else {
        Error::NotNow { what: "evicted meanwhile", errno: Errno::ENOTCONN }
    }
}
