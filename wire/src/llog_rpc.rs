//! llog RPC bodies.
use crate::{Codec, Reader, Result, Writer};

/// Bytes of a log header and of a block in a reply.
pub const CHUNK: usize = 8192;

/// `llog_logid`, 20 bytes. The client hands it back as it came; all zero means "open by name".
///
/// ```text
/// lustre_idl.h: struct llog_logid
///  0            8            16       20
///  +------------+------------+--------+
///  | lgl_oi.oid | lgl_oi.seq | ogen   |
///  +------------+------------+--------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs)]
pub struct LogId {
    pub oid: u64,
    pub seq: u64,
    pub ogen: u32,
}
impl Codec for LogId {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let mut r = r.sub("llog_logid", 20)?;
        Ok(Self { oid: r.u64("lgl_oi.oid")?, seq: r.u64("lgl_oi.seq")?, ogen: r.u32("lgl_ogen")? })
    }
    fn encode(&self, w: &mut Writer) {
        w.u64(self.oid);
        w.u64(self.seq);
        w.u32(self.ogen);
    }
}
impl std::fmt::Display for LogId {
    /// `0x3:0xa:0x0`, the form in which Lustre's tools print it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}:{:#x}:{:#x}", self.oid, self.seq, self.ogen)
    }
}

/// `llogd_body`, 48 bytes.
///
/// ```text
/// lustre_idl.h: struct llogd_body
///  0        20          24           28      32             36    40            48
///  +--------+-----------+------------+-------+--------------+-----+-------------+
///  | logid  | ctxt_idx  | llh_flags  | index | saved_index  | len | cur_offset  |
///  +--------+-----------+------------+-------+--------------+-----+-------------+
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct LlogdBody {
    pub logid: LogId,
    pub ctxt_idx: u32,
    pub llh_flags: u32,
    pub index: u32,
    pub saved_index: u32,
    pub len: u32,
    pub cur_offset: u64,
}
impl LlogdBody {
    /// Bytes of the structure.
    pub const SIZE: usize = 48;
}
impl Codec for LlogdBody {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let mut r = r.sub("llogd_body", Self::SIZE)?;
        Ok(Self {
            logid: LogId::decode(&mut r)?,
            ctxt_idx: r.u32("lgd_ctxt_idx")?,
            llh_flags: r.u32("lgd_llh_flags")?,
            index: r.u32("lgd_index")?,
            saved_index: r.u32("lgd_saved_index")?,
            len: r.u32("lgd_len")?,
            cur_offset: r.u64("lgd_cur_offset")?,
        })
    }
    fn encode(&self, w: &mut Writer) {
        self.logid.encode(w);
        for v in [self.ctxt_idx, self.llh_flags, self.index, self.saved_index, self.len] {
            w.u32(v);
        }
        w.u64(self.cur_offset);
    }
}
