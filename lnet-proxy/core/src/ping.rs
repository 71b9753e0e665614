//! The answer to an LNet ping.
use wire::lnet::{PingInfo, PingNi};
use wire::nid::NidAddr;
use wire::socklnd::LNET_PID;
use wire::{Nid, Order};

/// Status "up" of an interface (`LNET_NI_STATUS_UP`).
const UP: u32 = 0x15aa_c0de;
/// Status field of entry 0 is a sequence number; our content never changes.
const SEQUENCE: u32 = 1;
/// A u32 status and 20 bytes of NID.
const LARGE_ENTRY: u32 = 24;
/// Fixed part and two entries.
const SMALL_PART: u32 = 16 + 16;

/// Ping information that names the loopback and the NID that was pinged, and no other: a peer that does not merge
/// NIDs has no use for more, and an old one must not be led to it.
pub(crate) fn answer(local: Nid, features: u32) -> Vec<u8> {
    use wire::lnet::feature::{LARGE_ADDR, PRIMARY_LARGE};
    let up = PingNi { nid: local, status: UP, msg_size: 0 };
    let mut lo = PingNi { nid: Nid::LOOPBACK, status: SEQUENCE, msg_size: 0 };
    let info = match local.addr {
        NidAddr::Small(_) => {
            PingInfo { features, pid: LNET_PID, nis: vec![lo, up], large: vec![], tail: vec![] }
        }
        NidAddr::Large(_) => {
            lo.msg_size = SMALL_PART + LARGE_ENTRY;
            let features = features | LARGE_ADDR | PRIMARY_LARGE;
            PingInfo { features, pid: LNET_PID, nis: vec![lo], large: vec![up], tail: vec![] }
        }
    };
    info.to_bytes(Order::Little)
}
