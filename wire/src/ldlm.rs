//! Config locks: resource names, lock descriptors, requests, replies.
use crate::{Codec, Reader, Result, Writer};

/// Lock modes.
pub mod mode {
    #![allow(missing_docs)]
    pub const NONE: u32 = 0;
    pub const EX: u32 = 1;
    pub const PW: u32 = 2;
    pub const PR: u32 = 4;
    pub const CW: u32 = 8;
    pub const CR: u32 = 16;
    pub const NL: u32 = 32;
}
/// `LDLM_PLAIN`.
pub const PLAIN: u32 = 10;
/// Lock flags on the wire.
pub mod lock_flags {
    #![allow(missing_docs)]
    pub const BLOCK_GRANTED: u32 = 0x2;
    pub const BLOCK_WAIT: u32 = 0x8;
    pub const AST_SENT: u32 = 0x20;
    pub const REPLAY: u32 = 0x100;
    pub const HAS_INTENT: u32 = 0x1000;
}
/// Kind of data a config lock guards: word 1 of the resource name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum ConfigKind {
    Config,
    Recover,
    Params,
    Nodemap,
    Barrier,
}
impl ConfigKind {
    /// Word 1 of the resource name.
    pub const fn to_u64(self) -> u64 {
        match self {
            Self::Config => 0,
            Self::Recover => 2,
            Self::Params => 3,
            Self::Nodemap => 4,
            Self::Barrier => 5,
        }
    }
    /// The kind of word 1; 1 (sptlrpc) never appears there, its logs are guarded as [`ConfigKind::Config`].
    pub const fn from_u64(v: u64) -> Option<Self> {
        Some(match v {
            0 => Self::Config,
            2 => Self::Recover,
            3 => Self::Params,
            4 => Self::Nodemap,
            5 => Self::Barrier,
            _ => return None,
        })
    }
}
/// `ldlm_res_id`.
///
/// ```text
///  0                      8            16             32
///  +----------------------+------------+--------------+
///  | name, zero filled,   | ConfigKind | 0            |
///  | as little-endian u64 |            |              |
///  +----------------------+------------+--------------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ResId(pub [u64; 4]);
impl ResId {
    /// Name of at most 8 bytes, and kind; `None` when the name is empty or longer, or has a NUL.
    pub fn config(base: &str, kind: ConfigKind) -> Option<Self> {
        let raw = base.as_bytes();
        if raw.is_empty() || raw.len() > 8 || raw.contains(&0) {
            return None;
        }
        let mut word = [0; 8];
        word.iter_mut().zip(raw).for_each(|(to, from)| *to = *from);
        Some(Self([u64::from_le_bytes(word), kind.to_u64(), 0, 0]))
    }
    /// Base name and kind back, if it is such a name.
    pub fn parse_config(&self) -> Option<(String, ConfigKind)> {
        let [name, kind, 0, 0] = self.0 else { return None };
        let raw = name.to_le_bytes();
        let base = raw.split(|b| *b == 0).next().unwrap_or_default();
        let base = std::str::from_utf8(base).ok()?;
        let kind = ConfigKind::from_u64(kind)?;
        // Bytes behind a NUL would make two names of one text.
        (Self::config(base, kind)? == *self).then(|| (base.to_owned(), kind))
    }
}
impl std::fmt::Display for ResId {
    /// `testfs/Config`, or the four words in hex.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.parse_config() {
            Some((base, kind)) => write!(f, "{base}/{kind:?}"),
            None => write!(f, "{:#x?}", self.0),
        }
    }
}
impl Codec for ResId {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        words(r, "lr_name").map(Self)
    }
    fn encode(&self, w: &mut Writer) {
        self.0.iter().for_each(|v| w.u64(*v));
    }
}
fn words(r: &mut Reader<'_>, what: &'static str) -> Result<[u64; 4]> {
    Ok([r.u64(what)?, r.u64(what)?, r.u64(what)?, r.u64(what)?])
}
/// `ldlm_lock_desc`, 80 bytes.
///
/// ```text
/// lustre_idl.h: struct ldlm_resource_desc (0..40), struct ldlm_lock_desc
///  0         4        8                40           44                48                 80
///  +---------+--------+----------------+------------+-----------------+------------------+
///  | lr_type | lr_pad | lr_name u64[4] | l_req_mode | l_granted_mode  | l_policy u64[4]  |
///  +---------+--------+----------------+------------+-----------------+------------------+
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct LockDesc {
    pub lock_type: u32,
    pub pad: u32,
    pub resource: ResId,
    pub req_mode: u32,
    pub granted_mode: u32,
    pub policy: [u64; 4],
}
impl LockDesc {
    /// Bytes of the structure.
    pub const SIZE: usize = 80;
}
impl Codec for LockDesc {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let mut r = r.sub("ldlm_lock_desc", Self::SIZE)?;
        Ok(Self {
            lock_type: r.u32("lr_type")?,
            pad: r.u32("lr_pad")?,
            resource: ResId::decode(&mut r)?,
            req_mode: r.u32("l_req_mode")?,
            granted_mode: r.u32("l_granted_mode")?,
            policy: words(&mut r, "l_policy_data")?,
        })
    }
    fn encode(&self, w: &mut Writer) {
        w.u32(self.lock_type);
        w.u32(self.pad);
        self.resource.encode(w);
        w.u32(self.req_mode);
        w.u32(self.granted_mode);
        self.policy.iter().for_each(|v| w.u64(*v));
    }
}
/// `ldlm_request`, 88 bytes + 8 per handle, at least 104.
///
/// ```text
/// lustre_idl.h: struct ldlm_request
///  0            4            8             88              96              104
///  +------------+------------+-------------+---------------+---------------+-----
///  | lock_flags | lock_count | lock_desc   | handle[0]     | handle[1]     | ...
///  +------------+------------+-------------+---------------+---------------+-----
///   enqueue: handle[0] client's lock     callback: [0] client's, [1] server's
///   cancel: count handles of the server
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct LdlmRequest {
    pub flags: u32,
    pub count: u32,
    pub desc: LockDesc,
    /// All handles in the buffer, at least two when encoded.
    pub handles: Vec<u64>,
}
impl LdlmRequest {
    /// Bytes with two handles.
    pub const SIZE: usize = 104;

    /// The handles that a cancel names: `count` of them, as far as they are there.
    pub fn named_handles(&self) -> impl Iterator<Item = u64> + '_ {
        self.handles.iter().copied().take(self.count as usize)
    }
}
impl Codec for LdlmRequest {
    /// Takes every whole handle up to the end of the cursor.
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let whole = r.remaining() / 8 * 8;
        let mut r = r.sub("ldlm_request", whole.max(Self::SIZE))?;
        let (flags, count) = (r.u32("lock_flags")?, r.u32("lock_count")?);
        let desc = LockDesc::decode(&mut r)?;
        let mut handles = Vec::with_capacity(r.remaining() / 8);
        while r.remaining() >= 8 {
            handles.push(r.u64("lock_handle")?);
        }
        Ok(Self { flags, count, desc, handles })
    }
    fn encode(&self, w: &mut Writer) {
        w.u32(self.flags);
        w.u32(self.count);
        self.desc.encode(w);
        self.handles.iter().for_each(|h| w.u64(*h));
        w.zeros(8 * 2_usize.saturating_sub(self.handles.len()));
    }
}
/// `ldlm_reply`, 112 bytes.
///
/// ```text
/// lustre_idl.h: struct ldlm_reply
///  0            4              8            88            96              104             112
///  +------------+--------------+------------+-------------+---------------+---------------+
///  | lock_flags | lock_padding | lock_desc  | lock_handle | policy_res1   | policy_res2   |
///  +------------+--------------+------------+-------------+---------------+---------------+
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct LdlmReply {
    pub flags: u32,
    pub padding: u32,
    pub desc: LockDesc,
    pub handle: u64,
    pub policy_res1: u64,
    pub policy_res2: u64,
}
impl LdlmReply {
    /// Bytes of the structure.
    pub const SIZE: usize = 112;
}
impl Codec for LdlmReply {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let mut r = r.sub("ldlm_reply", Self::SIZE)?;
        Ok(Self {
            flags: r.u32("lock_flags")?,
            padding: r.u32("lock_padding")?,
            desc: LockDesc::decode(&mut r)?,
            handle: r.u64("lock_handle")?,
            policy_res1: r.u64("lock_policy_res1")?,
            policy_res2: r.u64("lock_policy_res2")?,
        })
    }
    fn encode(&self, w: &mut Writer) {
        w.u32(self.flags);
        w.u32(self.padding);
        self.desc.encode(w);
        w.u64(self.handle);
        w.u64(self.policy_res1);
        w.u64(self.policy_res2);
    }
}
/// Glimpse descriptor of a barrier, 64 bytes of which 16 are used.
///
/// ```text
/// lustre_idl.h: struct ldlm_gl_barrier_desc in union ldlm_gl_desc
///  0        4         8          16           64
///  +--------+---------+----------+------------+
///  | status | timeout | padding  | zeros      |
///  +--------+---------+----------+------------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct BarrierDesc {
    pub status: u32,
    pub timeout: u32,
    pub padding: u64,
}
impl BarrierDesc {
    /// Bytes of the union around it.
    pub const SIZE: usize = 64;
}
impl Codec for BarrierDesc {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let mut r = r.sub("ldlm_gl_barrier_desc", Self::SIZE)?;
        Ok(Self {
            status: r.u32("lgbd_status")?,
            timeout: r.u32("lgbd_timeout")?,
            padding: r.u64("lgbd_padding")?,
        })
    }
    fn encode(&self, w: &mut Writer) {
        w.u32(self.status);
        w.u32(self.timeout);
        w.u64(self.padding);
        w.zeros(Self::SIZE - 16);
    }
}
/// LVB of a barrier glimpse reply, 16 bytes.
///
/// ```text
/// lustre_idl.h: struct barrier_lvb
///  0        4         8          16
///  +--------+---------+----------+
///  | status | index   | padding  |
///  +--------+---------+----------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct BarrierLvb {
    pub status: u32,
    pub index: u32,
    pub padding: u64,
}
impl BarrierLvb {
    /// Bytes of the structure.
    pub const SIZE: usize = 16;
}
impl Codec for BarrierLvb {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let mut r = r.sub("barrier_lvb", Self::SIZE)?;
        Ok(Self { status: r.u32("lvb_status")?, index: r.u32("lvb_index")?, padding: r.u64("lvb_padding")? })
    }
    fn encode(&self, w: &mut Writer) {
        w.u32(self.status);
        w.u32(self.index);
        w.u64(self.padding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Order, hex};

    /// Buffer 1 of a CR enqueue of the config of `lustre`.
    #[test]
    fn enqueue_example() {
        let request = LdlmRequest {
            flags: 0,
            count: 0,
            desc: LockDesc {
                lock_type: PLAIN,
                resource: ResId::config("lustre", ConfigKind::Config).unwrap(),
                req_mode: mode::CR,
                ..LockDesc::default()
            },
            handles: vec![0x8877_6655_4433_2211],
        };
        let bytes = hex("00 00 00 00 00 00 00 00  0a 00 00 00 00 00 00 00
            6c 75 73 74 72 65 00 00  00 00 00 00 00 00 00 00
            00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  10 00 00 00 00 00 00 00
            00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00
            11 22 33 44 55 66 77 88  00 00 00 00 00 00 00 00");
        assert_eq!(request.to_vec(Order::Little), bytes);
        let read = LdlmRequest::from_slice(&bytes, Order::Little).unwrap();
        assert_eq!(read, LdlmRequest { handles: vec![0x8877_6655_4433_2211, 0], ..request });
    }

    #[test]
    fn resource_names() {
        for (base, kind, words) in [
            ("lustre", ConfigKind::Config, [0x6572_7473_756c, 0]),
            ("lustre", ConfigKind::Recover, [0x6572_7473_756c, 2]),
            ("lustre", ConfigKind::Barrier, [0x6572_7473_756c, 5]),
            ("params", ConfigKind::Params, [0x736d_6172_6170, 3]),
            ("nodemap", ConfigKind::Nodemap, [0x0070_616d_6564_6f6e, 4]),
        ] {
            let id = ResId::config(base, kind).unwrap();
            assert_eq!(id, ResId([words[0], words[1], 0, 0]));
            assert_eq!(id.parse_config(), Some((base.to_owned(), kind)));
        }
    }

    #[test]
    fn what_is_no_config_name() {
        for name in ["", "ninebytes", "nul\0"] {
            assert_eq!(ResId::config(name, ConfigKind::Config), None, "{name:?}");
        }
        let lustre = 0x6572_7473_756c;
        let behind_nul = u64::from_le_bytes(*b"fs\0junk!");
        let not_text = u64::from_le_bytes([0xff; 8]);
        for words in [
            [lustre, 1, 0, 0],
            [lustre, 6, 0, 0],
            [lustre, 0, 1, 0],
            [lustre, 0, 0, 1],
            [0, 0, 0, 0],
            [behind_nul, 0, 0, 0],
            [not_text, 0, 0, 0],
        ] {
            assert_eq!(ResId(words).parse_config(), None, "{words:x?}");
        }
    }
}
