//! MGS RPC bodies: registration, CONFIG_READ, NID table entries.
use crate::{Codec, Reader, Result, Writer};

/// `mti_flags`.
pub mod ldd {
    #![allow(missing_docs)]
    pub const SV_TYPE_MDT: u32 = 0x1;
    pub const SV_TYPE_OST: u32 = 0x2;
    pub const SV_TYPE_MGS: u32 = 0x4;
    pub const SV_ALL: u32 = 0x8;
    pub const NEED_INDEX: u32 = 0x10;
    pub const VIRGIN: u32 = 0x20;
    pub const UPDATE: u32 = 0x40;
    pub const REWRITE_LDD: u32 = 0x80;
    pub const WRITECONF: u32 = 0x100;
    pub const PARAM: u32 = 0x400;
    pub const NO_PRIMNODE: u32 = 0x1000;
    pub const IR_CAPABLE: u32 = 0x2000;
    pub const ERROR: u32 = 0x4000;
    pub const PARAM2: u32 = 0x8000;
    pub const NO_LOCAL_LOGS: u32 = 0x1_0000;
    pub const LARGE_NID: u32 = 0x2_0000;
    pub const OPC_REG: u32 = 0x1000_0000;
    pub const OPC_UNREG: u32 = 0x2000_0000;
    pub const OPC_READY: u32 = 0x4000_0000;
    pub const OPC_MASK: u32 = 0xf000_0000;
}
mod nidtbl;
mod target;
pub use nidtbl::NidTblEntry;
pub use target::{TargetInfo, TargetNidList, mtn, nid_entries, parse_nid_entries};

/// `mcb_type`.
pub mod config_type {
    #![allow(missing_docs)]
    pub const CONFIG: u16 = 0;
    pub const SPTLRPC: u16 = 1;
    pub const RECOVER: u16 = 2;
    pub const PARAMS: u16 = 3;
    pub const NODEMAP: u16 = 4;
    pub const BARRIER: u16 = 5;
}
/// `mgs_config_body`, 80 bytes.
///
/// ```text
/// lustre_idl.h: struct mgs_config_body
///  0             64        72     74                 75     76      80
///  +-------------+---------+------+------------------+------+-------+
///  | name[64]    | offset  | type | nid size or pass | bits | units |
///  +-------------+---------+------+------------------+------+-------+
///  buffer of the asker = units << bits bytes
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct ConfigBody {
    pub name: String,
    pub offset: u64,
    pub config_type: u16,
    /// RECOVER: NID size; NODEMAP: pass.
    pub nid_size_or_pass: u8,
    /// log2 of the unit.
    pub bits: u8,
    pub units: u32,
}
impl ConfigBody {
    /// Bytes of the structure.
    pub const SIZE: usize = 80;

    /// Bytes of the asker's buffer; `None` when that overflows.
    pub fn buffer_size(&self) -> Option<u64> {
        let unit = 1_u64.checked_shl(self.bits.into())?;
        unit.checked_mul(self.units.into())
    }
}
impl Codec for ConfigBody {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let mut r = r.sub("mgs_config_body", Self::SIZE)?;
        Ok(Self {
            name: r.cstr("mcb_name", 64)?,
            offset: r.u64("mcb_offset")?,
            config_type: r.u16("mcb_type")?,
            nid_size_or_pass: r.u8("mcb_rec_nid_size")?,
            bits: r.u8("mcb_bits")?,
            units: r.u32("mcb_units")?,
        })
    }
    fn encode(&self, w: &mut Writer) {
        w.cstr(&self.name, 64);
        w.u64(self.offset);
        w.u16(self.config_type);
        w.u8(self.nid_size_or_pass);
        w.u8(self.bits);
        w.u32(self.units);
    }
}
/// `mgs_config_res`, 16 bytes.
///
/// ```text
/// lustre_idl.h: struct mgs_config_res
///  0         8               16
///  +---------+---------------+
///  | offset  | size or pass  |
///  +---------+---------------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct ConfigRes {
    pub offset: u64,
    /// RECOVER: table version; NODEMAP: next pass.
    pub size_or_pass: u64,
}
impl ConfigRes {
    /// Bytes of the structure.
    pub const SIZE: usize = 16;
}
impl Codec for ConfigRes {
    fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let mut r = r.sub("mgs_config_res", Self::SIZE)?;
        Ok(Self { offset: r.u64("mcr_offset")?, size_or_pass: r.u64("mcr_size")? })
    }
    fn encode(&self, w: &mut Writer) {
        w.u64(self.offset);
        w.u64(self.size_or_pass);
    }
}
