//! Fields of the frames, read and written side by side.
use super::{DaemonState, Frame, MAX_FRAME, PostStatus};
use crate::cursor::len32;
use crate::{Codec, Error, Nid, Reader, Result, Writer};
use bytes::Bytes;

/// Bytes of the frame at the start of `buf` with its length word; `None` while that is not there.
pub(super) fn total(buf: &[u8]) -> Result<Option<usize>> {
    let Some(word) = buf.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*word);
    match length as usize {
        n @ 1..=MAX_FRAME => Ok(Some(4 + n)),
        _ => {
            Err(Error::BadValue { what: "relay frame length (1 byte to 1 MiB + 64 KiB)", got: length.into() })
        }
    }
}
/// Nothing may be left behind the fields.
pub(super) fn end(r: &Reader<'_>) -> Result<()> {
    match r.remaining() {
        0 => Ok(()),
        left => {
            Err(Error::BadValue { what: "relay frame: bytes behind its fields", got: len32(left).into() })
        }
    }
}

fn text(r: &mut Reader<'_>, what: &'static str) -> Result<String> {
    let len = r.u16(what)?.into();
    let raw = r.take(what, len)?;
    std::str::from_utf8(raw).map(str::to_owned).map_err(|_| Error::BadText { what })
}
fn put_text(w: &mut Writer, text: &str) {
    let cut = text.floor_char_boundary(text.len().min(usize::from(u16::MAX)));
    w.u16(u16::try_from(cut).unwrap_or(0));
    w.put(text.get(..cut).unwrap_or_default().as_bytes());
}
fn flag(r: &mut Reader<'_>, what: &'static str) -> Result<bool> {
    match r.u8(what)? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(Error::BadValue { what, got: other.into() }),
    }
}
/// Each item takes at least one byte of the frame, so the list is bounded by it.
fn list<T>(
    r: &mut Reader<'_>,
    what: &'static str,
    item: impl Fn(&mut Reader<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = r.u16(what)?;
    (0..count).map(|_| item(r)).collect()
}
fn put_list<T>(w: &mut Writer, list: &[T], item: impl Fn(&mut Writer, &T)) {
    let count = u16::try_from(list.len()).unwrap_or(u16::MAX);
    w.u16(count);
    list.iter().take(count.into()).for_each(|it| item(w, it));
}

const STATES: [DaemonState; 3] = [DaemonState::Ready, DaemonState::Draining, DaemonState::Down];
fn state(r: &mut Reader<'_>) -> Result<DaemonState> {
    let v = r.u8("daemon state")?;
    STATES
        .get(usize::from(v))
        .copied()
        .ok_or(Error::BadValue { what: "daemon state (0 to 2)", got: v.into() })
}
fn put_state(w: &mut Writer, state: DaemonState) {
    w.u8(match state {
        DaemonState::Ready => 0,
        DaemonState::Draining => 1,
        DaemonState::Down => 2,
    });
}
fn status(r: &mut Reader<'_>) -> Result<PostStatus> {
    let (v, bytes) = (r.u8("post status")?, r.u32("post status")?);
    Ok(match v {
        0 => PostStatus::Sent,
        1 => PostStatus::Acked(bytes),
        2 => PostStatus::Unreachable,
        3 => PostStatus::Stale,
        _ => return Err(Error::BadValue { what: "post status (0 to 3)", got: v.into() }),
    })
}
fn put_status(w: &mut Writer, status: PostStatus) {
    let (v, bytes) = match status {
        PostStatus::Sent => (0, 0),
        PostStatus::Acked(bytes) => (1, bytes),
        PostStatus::Unreachable => (2, 0),
        PostStatus::Stale => (3, 0),
    };
    w.u8(v);
    w.u32(bytes);
}

pub(super) fn decode(r: &mut Reader<'_>, payload: impl Fn(&[u8]) -> Bytes) -> Result<Frame> {
    Ok(match r.u8("relay frame kind")? {
        1 => Frame::Hello {
            min_version: r.u16("min version")?,
            max_version: r.u16("max version")?,
            features: r.u64("features")?,
            identity: text(r, "identity")?,
            nids: list(r, "nids", Nid::decode)?,
        },
        2 => Frame::Welcome {
            version: r.u16("version")?,
            features: r.u64("features")?,
            mgs_uuid: text(r, "mgs uuid")?,
            daemon: text(r, "daemon")?,
            max_inflight: r.u32("max inflight")?,
            max_bytes: r.u64("max bytes")?,
        },
        3 => Frame::View { daemons: list(r, "daemons", |r| Ok((text(r, "daemon")?, state(r)?)))? },
        4 => Frame::PeerUp {
            slot: r.u32("slot")?,
            peer: Nid::decode(r)?,
            local: Nid::decode(r)?,
            incarnation: r.u64("incarnation")?,
            remote: text(r, "remote")?,
            gateway: if flag(r, "routed (0 or 1)")? { Some(Nid::decode(r)?) } else { None },
        },
        5 => Frame::PeerDown { slot: r.u32("slot")?, reason: text(r, "reason")? },
        6 => Frame::Deliver {
            slot: r.u32("slot")?,
            incarnation: r.u64("incarnation")?,
            portal: r.u32("portal")?,
            match_bits: r.u64("match bits")?,
            offset: r.u32("offset")?,
            payload: payload(r.rest()),
        },
        7 => Frame::Post {
            cookie: r.u64("cookie")?,
            peer: Nid::decode(r)?,
            local: Nid::decode(r)?,
            incarnation: r.u64("incarnation")?,
            portal: r.u32("portal")?,
            match_bits: r.u64("match bits")?,
            offset: r.u32("offset")?,
            want_ack: flag(r, "want_ack (0 or 1)")?,
            payload: payload(r.rest()),
        },
        8 => Frame::Done { cookie: r.u64("cookie")?, status: status(r)? },
        9 => Frame::Fetch {
            cookie: r.u64("cookie")?,
            peer: Nid::decode(r)?,
            local: Nid::decode(r)?,
            incarnation: r.u64("incarnation")?,
            portal: r.u32("portal")?,
            match_bits: r.u64("match bits")?,
            length: r.u32("length")?,
        },
        10 => Frame::Fetched {
            cookie: r.u64("cookie")?,
            payload: flag(r, "fetched (0 or 1)")?.then(|| payload(r.rest())),
        },
        11 => Frame::Credit { slot: r.u32("slot")?, count: r.u32("count")? },
        12 => Frame::Ping { token: r.u64("token")? },
        13 => Frame::Pong { token: r.u64("token")? },
        14 => Frame::Drain,
        other => return Err(Error::BadValue { what: "relay frame kind (1 to 14)", got: other.into() }),
    })
}

impl Frame {
    pub(super) fn encode(&self, w: &mut Writer) {
        match self {
            Self::Hello { min_version, max_version, features, identity, nids } => {
                w.u8(1);
                w.u16(*min_version);
                w.u16(*max_version);
                w.u64(*features);
                put_text(w, identity);
                put_list(w, nids, |w, nid| nid.encode(w));
            }
            Self::Welcome { version, features, mgs_uuid, daemon, max_inflight, max_bytes } => {
                w.u8(2);
                w.u16(*version);
                w.u64(*features);
                put_text(w, mgs_uuid);
                put_text(w, daemon);
                w.u32(*max_inflight);
                w.u64(*max_bytes);
            }
            Self::View { daemons } => {
                w.u8(3);
                put_list(w, daemons, |w, (daemon, state)| {
                    put_text(w, daemon);
                    put_state(w, *state);
                });
            }
            Self::PeerUp { slot, peer, local, incarnation, remote, gateway } => {
                w.u8(4);
                w.u32(*slot);
                peer.encode(w);
                local.encode(w);
                w.u64(*incarnation);
                put_text(w, remote);
                w.u8(u8::from(gateway.is_some()));
                gateway.iter().for_each(|nid| nid.encode(w));
            }
            Self::PeerDown { slot, reason } => {
                w.u8(5);
                w.u32(*slot);
                put_text(w, reason);
            }
            Self::Deliver { slot, incarnation, portal, match_bits, offset, payload } => {
                w.u8(6);
                w.u32(*slot);
                w.u64(*incarnation);
                w.u32(*portal);
                w.u64(*match_bits);
                w.u32(*offset);
                w.put(payload);
            }
            Self::Post {
                cookie,
                peer,
                local,
                incarnation,
                portal,
                match_bits,
                offset,
                want_ack,
                payload,
            } => {
                w.u8(7);
                w.u64(*cookie);
                peer.encode(w);
                local.encode(w);
                w.u64(*incarnation);
                w.u32(*portal);
                w.u64(*match_bits);
                w.u32(*offset);
                w.u8(u8::from(*want_ack));
                w.put(payload);
            }
            Self::Done { cookie, status } => {
                w.u8(8);
                w.u64(*cookie);
                put_status(w, *status);
            }
            Self::Fetch { cookie, peer, local, incarnation, portal, match_bits, length } => {
                w.u8(9);
                w.u64(*cookie);
                peer.encode(w);
                local.encode(w);
                w.u64(*incarnation);
                w.u32(*portal);
                w.u64(*match_bits);
                w.u32(*length);
            }
            Self::Fetched { cookie, payload } => {
                w.u8(10);
                w.u64(*cookie);
                w.u8(u8::from(payload.is_some()));
                payload.iter().for_each(|p| w.put(p));
            }
            Self::Credit { slot, count } => {
                w.u8(11);
                w.u32(*slot);
                w.u32(*count);
            }
            Self::Ping { token } => {
                w.u8(12);
                w.u64(*token);
            }
            Self::Pong { token } => {
                w.u8(13);
                w.u64(*token);
            }
            Self::Drain => w.u8(14),
        }
    }
}
