//! `ptlrpc_body`: what every RPC says beside its own content.
use crate::{Codec, Error, Reader, Result, Writer};

/// `ptlrpc_body_v3`, 184 bytes; 152 (v2) accepted.
///
/// ```text
/// lustre_idl.h: struct ptlrpc_body_v3
///    0 u64 handle          8 u32 type          12 u32 version       16 u32 opc          20 i32 status
///   24 u64 last_xid       32 u16 tag           34 u16 padding0      36 u32 projid
///   40 u64 last_committed 48 u64 transno       56 u32 flags         60 u32 op_flags
///   64 u32 conn_cnt       68 u32 timeout       72 u32 service_time  76 u32 limit
///   80 u64 slv            88 u64 pre_versions[4]                   120 u64 mbits
///  128 u64 padding64[2]  144 u32 uid          148 u32 gid          152 char jobid[32] (v3 only)
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Body {
    pub handle: u64,
    pub msg_type: u32,
    pub version: u32,
    pub opc: u32,
    /// Negative errno in a reply.
    pub status: i32,
    pub last_xid: u64,
    pub tag: u16,
    pub padding0: u16,
    pub projid: u32,
    pub last_committed: u64,
    pub transno: u64,
    pub flags: u32,
    pub op_flags: u32,
    pub conn_cnt: u32,
    pub timeout: u32,
    pub service_time: u32,
    pub limit: u32,
    pub slv: u64,
    pub pre_versions: [u64; 4],
    pub mbits: u64,
    pub padding64: [u64; 2],
    pub uid: u32,
    pub gid: u32,
    pub jobid: [u8; 32],
}
impl Body {
    /// Bytes of version 3, the only one written.
    pub const SIZE: usize = 184;
    /// Bytes of version 2, the least accepted.
    pub const SIZE_V2: usize = 152;
}
impl Codec for Body {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let have = r.remaining();
        if have < Self::SIZE_V2 {
            return Err(Error::Truncated { what: "ptlrpc_body", need: Self::SIZE_V2, have });
        }
        let pre = "pb_pre_versions";
        Ok(Self {
            handle: r.u64("pb_handle")?,
            msg_type: r.u32("pb_type")?,
            version: r.u32("pb_version")?,
            opc: r.u32("pb_opc")?,
            status: r.u32("pb_status")?.cast_signed(),
            last_xid: r.u64("pb_last_xid")?,
            tag: r.u16("pb_tag")?,
            padding0: r.u16("pb_padding0")?,
            projid: r.u32("pb_projid")?,
            last_committed: r.u64("pb_last_committed")?,
            transno: r.u64("pb_transno")?,
            flags: r.u32("pb_flags")?,
            op_flags: r.u32("pb_op_flags")?,
            conn_cnt: r.u32("pb_conn_cnt")?,
            timeout: r.u32("pb_timeout")?,
            service_time: r.u32("pb_service_time")?,
            limit: r.u32("pb_limit")?,
            slv: r.u64("pb_slv")?,
            pre_versions: [r.u64(pre)?, r.u64(pre)?, r.u64(pre)?, r.u64(pre)?],
            mbits: r.u64("pb_mbits")?,
            padding64: [r.u64("pb_padding64_0")?, r.u64("pb_padding64_1")?],
            uid: r.u32("pb_uid")?,
            gid: r.u32("pb_gid")?,
            jobid: if r.remaining() < 32 { [0; 32] } else { r.array("pb_jobid")? },
        })
    }
    fn encode(&self, w: &mut Writer) {
        w.u64(self.handle);
        w.u32(self.msg_type);
        w.u32(self.version);
        w.u32(self.opc);
        w.u32(self.status.cast_unsigned());
        w.u64(self.last_xid);
        w.u16(self.tag);
        w.u16(self.padding0);
        w.u32(self.projid);
        w.u64(self.last_committed);
        w.u64(self.transno);
        for v in [self.flags, self.op_flags, self.conn_cnt, self.timeout, self.service_time, self.limit] {
            w.u32(v);
        }
        w.u64(self.slv);
        self.pre_versions.iter().for_each(|v| w.u64(*v));
        w.u64(self.mbits);
        self.padding64.iter().for_each(|v| w.u64(*v));
        w.u32(self.uid);
        w.u32(self.gid);
        w.put(&self.jobid);
    }
}
