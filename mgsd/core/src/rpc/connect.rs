//! MGS_CONNECT (250) and MGS_DISCONNECT (251).

use crate::Errno;
use crate::engine::{Answer, Engine, ReqId, Step};
use crate::error::{Error, Result};
use crate::export::{Connect, Connected, grant};
use crate::time::Now;
use bytes::Bytes;
use wire::ptlrpc::{Body, ConnectRequest, Message, connect_flags, connect_op};
use wire::{Codec, Order};

/// Connects, or renews a connection.
pub(crate) fn connect(
    engine: &mut Engine,
    id: ReqId,
    message: &Message,
    body: &Body,
    now: Now,
) -> Result<Step> {
    let request = ConnectRequest::from_message(message)?;
    if request.target != "MGS" || !engine.is_ready() {
        return Err(Error::NotNow { what: "no such target here (yet)", errno: Errno::ENODEV });
    }
    if body.op_flags & connect_op::LIBCLIENT != 0 || request.data.flags & connect_flags::FULL20 == 0 {
        return Err(Error::PeerMisbehaved {
            what: "connects as a client of before 2.0",
            errno: Errno::EPROTO,
        });
    }
    if request.client_uuid.is_empty() || body.conn_cnt == 0 {
        return Err(Error::PeerMisbehaved { what: "connects without uuid or count", errno: Errno::EPROTO });
    }
    let known = engine.exports.by_uuid(&request.client_uuid).is_some();
    let peer = engine.in_service(id)?.from.peer;
    engine.view.connections.admit(peer, known)?;
    let open = engine.in_service_mut(id)?;
    open.asked = (request.data.flags, request.data.flags2);
    let connect = Connect {
        uuid: request.client_uuid.clone(),
        handle: body.handle,
        callback_cookie: request.callback_cookie,
        conn_cnt: body.conn_cnt,
        op_flags: body.op_flags,
        address: open.from,
        data: request.data.clone(),
        tag: engine.tag(body.handle, body.conn_cnt),
    };
    let (cookie, again) = engine.connect(&connect, now).map_err(|errno| Error::NotNow {
        what: "its earlier connection is still in use; it will expire, or the peer comes again with a higher count",
        errno,
    })?;
    // A kernel MGS sets RECONNECT whenever the peer counts more than one attempt, even for a fresh export: with
    // another handle than the peer's it means "evicted", and everything is read anew.
    let op_flags = if again || body.conn_cnt > 1 { connect_op::RECONNECT } else { 0 };
    let (flags, flags2) = grant(&request.data);
    let mut data = request.data;
    data.flags = flags;
    data.flags2 = flags2;
    data.instance = 0;
    // Echoed, it would make the peer keep requests for a replay.
    data.transno = 0;
    // The peer's own version is the one that no release warns about.
    Ok(Step::Reply(Answer {
        handle: cookie,
        op_flags,
        buffers: vec![Bytes::from(data.to_vec(Order::Little))],
        ..Answer::default()
    }))
}

/// Forgets the export with its locks.
pub(crate) fn disconnect(engine: &mut Engine, id: ReqId, now: Now) -> Result<Step> {
    if let Some(export) = engine.in_service(id)?.export.and_then(|cookie| engine.forget(cookie, now)) {
        engine.disconnected(export, now);
    }
    Ok(Step::Reply(Answer::ok(Vec::new())))
}

impl Engine {
    fn connect(&mut self, connect: &Connect, now: Now) -> std::result::Result<(u64, bool), Errno> {
        let cookie = self.new_cookie(connect.tag);
        let mut connected = self.exports.connect(connect, cookie, now);
        // What only waits for somebody's word keeps no node from connecting anew: it sends it again.
        if connected == Connected::Refused(Errno::EBUSY)
            && let Some(export) = self.exports.by_uuid(&connect.uuid).map(|e| e.cookie)
            && self.drop_held(export)
        {
            connected = self.exports.connect(connect, cookie, now);
        }
        match connected {
            Connected::New(cookie) => {
                self.connected(connect, cookie, false, now);
                Ok((cookie, false))
            }
            Connected::Again(cookie) => {
                self.drop_held(cookie);
                self.connected(connect, cookie, true, now);
                Ok((cookie, true))
            }
            Connected::Refused(errno) => Err(errno),
        }
    }
}
