//! MGS_TARGET_REG (253): three forms of the request, two operations, one rule for the reply.

use crate::Errno;
use crate::engine::{Answer, Engine, ReqId, Step};
use crate::error::{Error, Result};
use crate::export::Address;
use crate::model::admission::Origin;
use crate::model::recovery::IrState;
use crate::model::registration::Request;
use crate::time::Now;
use bytes::Bytes;
use wire::mgs::{TargetInfo, TargetNidList, ldd, mtn};
use wire::ptlrpc::{Message, connect_flags};
use wire::{Codec, Nid, Order};

/// Most NIDs of a list: one bulk of 1 MiB.
const MAX_LIST: u32 = 16_384;
/// Slots of the old array.
const MAX_ARRAY: usize = 32;

/// Takes a registration apart and queues it; a long NID list is fetched first.
pub(crate) fn target_reg(engine: &mut Engine, id: ReqId, message: &Message, now: Now) -> Result<Step> {
    let mut info = TargetInfo::decode(&mut message.buffer(1)?)?;
    engine.in_service_mut(id)?.object = info.svname.replace([':', '='], "-");
    let cookie = engine.in_service(id)?.export;
    let export = cookie.and_then(|c| engine.exports.get_mut(c));
    let Some(export) = export else {
        return Err(Error::Bug { what: "registration without export".to_owned() });
    };
    if !export.has(connect_flags::IMP_RECOV) {
        info.flags = (info.flags & !ldd::OPC_MASK) | ldd::OPC_REG;
    }
    export.remember(&info.svname.replace([':', '='], "-"), &info.fsname);
    let lists = export.has(connect_flags::MGS_NIDLIST);
    let mgc_uuid = export.uuid.clone();
    let Address { peer, remote, gateway, .. } = engine.in_service(id)?.from;
    let origin = Origin { peer, remote, gateway };

    match info.flags & ldd::OPC_MASK {
        ldd::OPC_REG | ldd::OPC_READY => {}
        _ => {
            let reply = TargetInfo { flags: info.flags | ldd::ERROR, ..info };
            return Ok(Step::Reply(Answer::status(Errno::EINVAL.status(), vec![encode(&reply)])));
        }
    }
    let list = if message.buffers.len() > 2 {
        Some((message.buffer(2)?.remaining(), TargetNidList::decode(&mut message.buffer(2)?)?))
    } else if lists {
        return Err(Error::PeerMisbehaved {
            what: "NID list was promised and is missing",
            errno: Errno::EPROTO,
        });
    } else {
        None
    };
    let mut request = Box::new(Request {
        info,
        nids: Vec::new(),
        mgc_uuid,
        origin,
        removed_net: None,
        entropy: [[0; 16]; 2],
    });
    match list {
        _ if request.info.flags & ldd::LARGE_NID == 0 => {
            let count = usize::try_from(request.info.nid_count).unwrap_or(MAX_ARRAY).min(MAX_ARRAY);
            request.nids = request.info.nids.iter().take(count).copied().map(Nid::from_u64).collect();
        }
        Some((_, list)) if lists && list.flags & mtn::IN_BULK != 0 => {
            if list.count == 0 || list.count > MAX_LIST {
                return Err(Error::PeerMisbehaved {
                    what: "NID list has no entry or too many",
                    errno: Errno::EINVAL,
                });
            }
            engine.start_fetch(id, request, list.count * 64, now);
            return Ok(Step::Parked);
        }
        Some((length, list)) if lists && length > 8 => {
            let count = usize::try_from(list.count).unwrap_or(usize::MAX);
            if count > list.inline.len() {
                return Err(Error::PeerMisbehaved {
                    what: "NID list is shorter than it says",
                    errno: Errno::EPROTO,
                });
            }
            let texts: Vec<String> = list.inline.into_iter().take(count).collect();
            take_nids(&mut request, &texts);
        }
        _ => {
            let count = usize::try_from(request.info.nid_count).unwrap_or(usize::MAX);
            let texts: Vec<String> = request.info.nidlist.iter().take(count).cloned().collect();
            take_nids(&mut request, &texts);
        }
    }
    engine.queue_registration(id, request, now);
    Ok(Step::Parked)
}

/// NIDs from their texts. What does not parse is skipped, as by the kernel; loopback is nobody's address.
pub(crate) fn take_nids(request: &mut Request, texts: &[String]) {
    request.nids = texts.iter().filter_map(|t| t.parse().ok()).filter(|n| *n != Nid::LOOPBACK).collect();
    request.removed_net = texts.first().and_then(|t| t.strip_prefix('#')).map(str::to_owned);
}

/// The body of a reply.
pub(crate) fn encode(info: &TargetInfo) -> Bytes {
    Bytes::from(info.to_vec(Order::Little))
}

/// The body of a refusal: as it came, with ERROR.
pub(crate) fn refused(request: &Request) -> TargetInfo {
    TargetInfo { flags: request.info.flags | ldd::ERROR, ..request.info.clone() }
}

/// Sets ERROR in an encoded body.
pub(crate) fn with_error_flag(body: &Bytes) -> Bytes {
    match TargetInfo::from_slice(body, Order::Little) {
        Ok(info) => encode(&TargetInfo { flags: info.flags | ldd::ERROR, ..info }),
        Err(_) => body.clone(),
    }
}

/// The body of the reply to READY: as it came, with IR_CAPABLE where clients will be told.
pub(crate) fn ready_reply(request: &Request, state: IrState) -> TargetInfo {
    let mut info = request.info.clone();
    if state == IrState::Full {
        info.flags |= ldd::IR_CAPABLE;
    }
    info
}
