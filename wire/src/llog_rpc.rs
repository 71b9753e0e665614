//! llog RPC bodies.
use crate::{Codec, Reader, Result, Writer};

/// `llog_logid`, 20 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs)]
pub struct LogId {
    pub oid: u64,
    pub seq: u64,
    pub ogen: u32,
}
/// `llogd_body`, 48 bytes.
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
impl Codec for LlogdBody {
    fn decode(_r: &mut Reader<'_>) -> Result<Self> {
        todo!()
    }
    fn encode(&self, _w: &mut Writer) {
        todo!()
    }
}
