//! One file per request. `dispatch` knows which opcode belongs to which portal and service version.

pub(crate) mod cancel;
pub(crate) mod config_read;
pub(crate) mod connect;
pub(crate) mod enqueue;
pub(crate) mod llog;
pub(crate) mod ping;
pub(crate) mod set_info;
pub(crate) mod target_reg;

use crate::Errno;
use crate::engine::{Engine, ReqId, Step};
use crate::error::{Error, Result};
use crate::time::Now;
use wire::lnet::portal;
use wire::ptlrpc::{Body, Message, opc, version};

/// Service and portal of an opcode, if it is served at all.
const fn service(opcode: u32) -> Option<(u32, u32)> {
    Some(match opcode {
        opc::MGS_CONNECT | opc::MGS_DISCONNECT | opc::OBD_PING => (version::OBD, portal::MGS_REQUEST),
        opc::MGS_TARGET_REG | opc::MGS_TARGET_DEL | opc::MGS_SET_INFO | opc::MGS_CONFIG_READ => {
            (version::MGS, portal::MGS_REQUEST)
        }
        opc::LLOG_ORIGIN_HANDLE_CREATE
        | opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK
        | opc::LLOG_ORIGIN_HANDLE_READ_HEADER
        | opc::LLOG_ORIGIN_HANDLE_PREV_BLOCK => (version::LOG, portal::MGS_REQUEST),
        opc::LDLM_ENQUEUE => (version::DLM, portal::MGS_REQUEST),
        opc::LDLM_CANCEL => (version::DLM, portal::LDLM_CANCEL_REQUEST),
        _ => return None,
    })
}

/// Name under which an opcode is counted.
pub(crate) const fn counter(opcode: u32) -> &'static str {
    match opcode {
        opc::MGS_CONNECT => "mgs_connect",
        opc::MGS_DISCONNECT => "mgs_disconnect",
        opc::OBD_PING => "obd_ping",
        opc::MGS_TARGET_REG => "mgs_target_reg",
        opc::MGS_TARGET_DEL => "mgs_target_del",
        opc::MGS_SET_INFO => "mgs_set_info",
        opc::MGS_CONFIG_READ => "mgs_config_read",
        opc::LLOG_ORIGIN_HANDLE_CREATE => "llog_open",
        opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK => "llog_next_block",
        opc::LLOG_ORIGIN_HANDLE_READ_HEADER => "llog_read_header",
        opc::LLOG_ORIGIN_HANDLE_PREV_BLOCK => "llog_prev_block",
        opc::LDLM_ENQUEUE => "ldlm_enqueue",
        opc::LDLM_CANCEL => "ldlm_cancel",
        _ => "unknown_opcode",
    }
}

/// Serves a request.
pub(crate) fn dispatch(
    engine: &mut Engine,
    id: ReqId,
    on: u32,
    message: &Message,
    body: &Body,
    now: Now,
) -> Result<Step> {
    let Some((high, portal)) = service(body.opc) else {
        return Err(Error::Unsupported { what: format!("opcode {}", body.opc), errno: Errno::EOPNOTSUPP });
    };
    if portal != on {
        return Err(Error::PeerMisbehaved {
            what: "request on another service's portal",
            errno: Errno::EOPNOTSUPP,
        });
    }
    if body.version & 0xffff_0000 != high {
        return Err(Error::PeerMisbehaved { what: "wrong service version", errno: Errno::EINVAL });
    }
    match body.opc {
        opc::MGS_CONNECT => connect::connect(engine, id, message, body, now),
        opc::MGS_DISCONNECT => connect::disconnect(engine, id, now),
        opc::OBD_PING => Ok(ping::ping()),
        opc::MGS_TARGET_REG => target_reg::target_reg(engine, id, message, now),
        opc::MGS_TARGET_DEL => Ok(ping::ping()),
        opc::MGS_SET_INFO => set_info::set_info(message),
        opc::MGS_CONFIG_READ => config_read::config_read(engine, id, message, now),
        opc::LLOG_ORIGIN_HANDLE_CREATE => llog::open(engine, id, message, now),
        opc::LLOG_ORIGIN_HANDLE_READ_HEADER => llog::read_header(engine, id, message, now),
        opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK => llog::next_block(engine, id, message, now),
        opc::LLOG_ORIGIN_HANDLE_PREV_BLOCK => llog::prev_block(engine, id, message, now),
        opc::LDLM_ENQUEUE => enqueue::enqueue(engine, id, message, now),
        _ => cancel::cancel(engine, id, message),
    }
}
