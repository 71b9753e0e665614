//! MGS RPC bodies: registration, CONFIG_READ, NID table entries.
use crate::{Codec, Nid, Reader, Result, Writer};

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
/// `mgs_target_info`, 4544 bytes + text NIDs (2.16 form). Strings are kept without NUL.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct TargetInfo {
    pub lustre_ver: u32,
    pub stripe_index: u32,
    pub config_ver: u32,
    pub flags: u32,
    pub nid_count: u32,
    pub instance: u32,
    pub fsname: String,
    pub svname: String,
    pub uuid: String,
    /// The 32-slot array, as numbers (zeros kept).
    pub nids: Vec<u64>,
    pub params: String,
    /// Tail of 64-byte text NIDs (raw text, as sent).
    pub nidlist: Vec<String>,
}
impl Codec for TargetInfo {
    fn decode(_r: &mut Reader<'_>) -> Result<Self> {
        todo!()
    }
    fn encode(&self, _w: &mut Writer) {
        todo!()
    }
}
/// `mgs_target_nidlist`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct TargetNidList {
    pub flags: u32,
    pub count: u32,
    /// Inline entries, as sent.
    pub inline: Vec<String>,
}
/// `mtn_flags`.
pub mod mtn {
    #![allow(missing_docs)]
    pub const APPEND: u32 = 1;
    pub const IN_BULK: u32 = 2;
    pub const COMPRESSED: u32 = 4;
}
impl Codec for TargetNidList {
    fn decode(_r: &mut Reader<'_>) -> Result<Self> {
        todo!()
    }
    fn encode(&self, _w: &mut Writer) {
        todo!()
    }
}
/// The 64-byte entries of a fetched NID list.
pub fn parse_nid_entries(_bytes: &[u8]) -> Result<Vec<String>> {
    todo!()
}
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
impl Codec for ConfigBody {
    fn decode(_r: &mut Reader<'_>) -> Result<Self> {
        todo!()
    }
    fn encode(&self, _w: &mut Writer) {
        todo!()
    }
}
/// `mgs_config_res`, 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct ConfigRes {
    pub offset: u64,
    /// RECOVER: table version; NODEMAP: next pass.
    pub size_or_pass: u64,
}
impl Codec for ConfigRes {
    fn decode(_r: &mut Reader<'_>) -> Result<Self> {
        todo!()
    }
    fn encode(&self, _w: &mut Writer) {
        todo!()
    }
}
/// `mgs_nidtbl_entry`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct NidTblEntry {
    pub version: u64,
    pub instance: u32,
    pub index: u32,
    /// Bytes to the next entry: entry plus slack.
    pub length: u32,
    /// 1 MDT, 2 OST.
    pub target_type: u8,
    /// 0: u64 NIDs, 1: 20-byte NIDs.
    pub nid_type: u8,
    pub nid_size: u8,
    pub nids: Vec<Nid>,
}
impl NidTblEntry {
    /// Bytes without slack for `count` NIDs of a form.
    pub const fn size(nid_type: u8, count: usize) -> usize {
        24 + count * if nid_type == 0 { 8 } else { 20 }
    }
}
/// Decode skips the slack; encode writes `length` bytes (slack zero).
impl Codec for NidTblEntry {
    fn decode(_r: &mut Reader<'_>) -> Result<Self> {
        todo!()
    }
    fn encode(&self, _w: &mut Writer) {
        todo!()
    }
}
