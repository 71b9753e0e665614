//! LNet header, ping information, NIDs.
use crate::input::Input;
use wire::lnet::{Header, PingInfo};
use wire::{Codec, Nid, Order, Reader, Writer};

/// LNet header: `[version] header`, 72 or 96 bytes.
pub fn lnet_header(data: &[u8]) {
    let mut input = Input(data);
    let version = if input.u8() & 1 == 0 { 3 } else { 4 };
    let Ok(header) = Header::decode(&mut Reader::new(input.0, Order::Big), version) else { return };
    assert!(header.payload_len <= 1 << 20);
    let mut w = Writer::new(Order::Little);
    header.encode(&mut w, version);
    assert_eq!(w.len(), Header::size(version));
    let bytes = w.into_vec();
    assert_eq!(Header::decode(&mut Reader::new(&bytes, Order::Little), version), Ok(header));
}

/// Answer to a ping, content of a push.
pub fn ping_info(data: &[u8]) {
    let Ok((info, order)) = PingInfo::decode(data) else { return };
    assert!(16 * info.nis.len() + 12 * info.large.len() + info.tail.len() <= data.len());
    let bytes = info.to_bytes(order);
    assert_eq!(bytes.len(), info.size() + info.tail.len());
    assert_eq!(PingInfo::decode(&bytes), Ok((info, order)));
}

/// Text of a NID.
pub fn nid_text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match text.parse::<Nid>() {
        Ok(nid) => text_form(nid),
        Err(e) => assert!(e.to_string().len() < 600, "{e}"),
    }
}

/// The 8- and 20-byte forms, and their texts.
pub fn nid_bytes(data: &[u8]) {
    if let Ok(nid) = Nid::from_slice(data, Order::Little) {
        assert_eq!(Nid::from_slice(&nid.to_vec(Order::Big), Order::Little), Ok(nid));
        text_form(nid);
    }
    if let Some(word) = data.first_chunk() {
        let nid = Nid::from_u64(u64::from_le_bytes(*word));
        assert_eq!(nid.to_u64().map(Nid::from_u64), Some(nid));
        text_form(nid);
    }
}

fn text_form(nid: Nid) {
    let text = nid.to_string();
    assert!(text.len() < 64 && text.is_ascii(), "{text}");
    assert_eq!(text.parse(), Ok(nid), "{text}");
    assert_eq!(nid.is_large(), nid.to_u64().is_none());
}
