//! Contents of RPC buffers. Each input begins with a byte for the order (bit 0) and, where a target has several
//! structures, one that chooses.
use crate::input::Input;
use std::fmt::Debug;
use wire::ldlm::{BarrierDesc, BarrierLvb, LdlmReply, LdlmRequest, LockDesc, ResId};
use wire::llog_rpc::{LlogdBody, LogId};
use wire::mgs::{
    ConfigBody, ConfigRes, NidTblEntry, TargetInfo, TargetNidList, nid_entries, parse_nid_entries,
};
use wire::ptlrpc::{Body, ConnectData};
use wire::{Codec, Nid, Order, Reader, Writer};

/// What was read is written, and read again as the same value.
fn codec<T: Codec + Debug + PartialEq>(data: &[u8], order: Order) -> Option<T> {
    let value = T::from_slice(data, order).ok()?;
    let bytes = value.to_vec(order);
    assert_eq!(T::from_slice(&bytes, order).as_ref(), Ok(&value));
    Some(value)
}

/// Lock structures: `[order] [which] bytes`.
pub fn ldlm(data: &[u8]) {
    let mut input = Input(data);
    let order = input.order();
    let resource = match input.u8() % 5 {
        0 => codec::<LdlmRequest>(input.0, order).map(|lock| {
            assert!(
                lock.named_handles().count() <= lock.handles.len() && lock.handles.len() <= data.len() / 8
            );
            lock.desc.resource
        }),
        1 => codec::<LdlmReply>(input.0, order).map(|lock| lock.desc.resource),
        2 => codec::<LockDesc>(input.0, order).map(|lock| lock.resource),
        3 => codec::<BarrierDesc>(input.0, order).map(|_| ResId::default()),
        _ => codec::<BarrierLvb>(input.0, order).map(|_| ResId::default()),
    };
    let Some(resource) = resource else { return };
    assert!(!resource.to_string().is_empty());
    if let Some((base, kind)) = resource.parse_config() {
        assert_eq!(ResId::config(&base, kind), Some(resource));
    }
}

/// Registration: `[order] mgs_target_info`.
pub fn mgs_target_info(data: &[u8]) {
    let mut input = Input(data);
    let order = input.order();
    let Some(info) = codec::<TargetInfo>(input.0, order) else { return };
    assert!(TargetInfo::SIZE + 64 * info.nidlist.len() <= data.len());
    for text in &info.nidlist {
        let _ = text.parse::<Nid>();
    }
}

/// NID lists: `[order] [which] mgs_target_nidlist, or the entries of a fetched one`.
pub fn mgs_nid_list(data: &[u8]) {
    let mut input = Input(data);
    let order = input.order();
    if input.u8() & 1 == 0 {
        codec::<TargetNidList>(input.0, order);
    } else if let Ok(list) = parse_nid_entries(input.0) {
        assert_eq!(64 * list.len(), input.0.len());
        assert_eq!(parse_nid_entries(&nid_entries(&list)), Ok(list));
    }
}

/// CONFIG_READ, connect data, body: `[order] [which] bytes`.
pub fn mgs_config(data: &[u8]) {
    let mut input = Input(data);
    let order = input.order();
    match input.u8() % 4 {
        0 => {
            let size = codec::<ConfigBody>(input.0, order).map(|body| body.buffer_size());
            assert_ne!(size, Some(Some(u64::MAX)));
        }
        1 => drop(codec::<ConfigRes>(input.0, order)),
        2 => drop(codec::<ConnectData>(input.0, order)),
        _ => drop(codec::<Body>(input.0, order)),
    }
}

/// NID table: `[order] entries`.
pub fn mgs_nidtbl(data: &[u8]) {
    let mut input = Input(data);
    let order = input.order();
    let Ok(entries) = NidTblEntry::decode_all(&mut Reader::new(input.0, order)) else { return };
    assert!(entries.len() <= data.len() / 32);
    let mut w = Writer::new(order);
    entries.iter().for_each(|entry| entry.encode(&mut w));
    assert_eq!(w.len(), input.0.len());
    let bytes = w.into_vec();
    assert_eq!(NidTblEntry::decode_all(&mut Reader::new(&bytes, order)), Ok(entries));
}

/// Log service: `[order] [which] bytes`.
pub fn llog_rpc(data: &[u8]) {
    let mut input = Input(data);
    let order = input.order();
    if input.u8() & 1 == 0 {
        codec::<LlogdBody>(input.0, order);
    } else if let Some(id) = codec::<LogId>(input.0, order) {
        assert_eq!(id.to_string().split(':').count(), 3);
    }
}
