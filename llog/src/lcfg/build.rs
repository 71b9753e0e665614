//! Constructors of the commands that an MGS writes. Text arguments come without NUL; it is added here.

use super::{LustreCfg, cmd};
use crate::{Error, Marker, le};

/// Length of `lov_desc` and of `lmv_desc`: the same, which makes some tools mix them up.
const DESC: usize = 88;
/// Where the UUID lies in either descriptor.
const DESC_UUID: usize = 48;
/// Size of the UUID field, NUL included.
const UUID: usize = 40;
/// `LOV_DESC_MAGIC`, in the slot of the active target count.
const LOV_MAGIC: u32 = 0xb0cc_de5c;

impl LustreCfg {
    /// A command without device and buffers.
    pub fn new(command: u32) -> Self {
        Self { command, ..Self::default() }
    }

    /// Sets buffer `i` to a text with its NUL; buffers skipped stay absent.
    #[must_use]
    pub fn with_text(self, i: usize, text: &str) -> Self {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.with_buf(i, bytes)
    }

    /// Sets buffer `i` to raw bytes; buffers skipped stay absent.
    #[must_use]
    pub fn with_buf(mut self, i: usize, bytes: Vec<u8>) -> Self {
        if self.bufs.len() <= i {
            self.bufs.resize(i + 1, Vec::new());
        }
        if let Some(slot) = self.bufs.get_mut(i) {
            *slot = bytes;
        }
        self
    }

    /// Sets the integer argument.
    #[must_use]
    pub fn with_num(mut self, num: u32) -> Self {
        self.num = num;
        self
    }

    /// A command on `dev` with texts from buffer 1 on.
    fn texts(command: u32, dev: Option<&str>, texts: &[&str]) -> Self {
        let rec = Self::new(command);
        let rec = match dev {
            Some(dev) => rec.with_text(0, dev),
            None => rec,
        };
        texts.iter().enumerate().fold(rec, |rec, (i, text)| rec.with_text(i + 1, text))
    }

    /// `MARKER`. Buffer 0 is absent.
    ///
    /// # Errors
    /// [`Error::Marker`] when a name does not fit.
    pub fn marker_rec(m: &Marker) -> Result<Self, Error> {
        Ok(Self::new(cmd::MARKER).with_buf(1, m.encode()?.to_vec()))
    }

    /// `ATTACH`: create device `dev` of type `typ` (`lov`, `lmv`, `mdc`, `osc`, `osp`, `mdt`, `obdfilter`).
    pub fn attach(dev: &str, typ: &str, uuid: &str) -> Self {
        Self::texts(cmd::ATTACH, Some(dev), &[typ, uuid])
    }

    /// `SETUP` with raw buffers from 1 on, such as a descriptor.
    pub fn setup(dev: &str, bufs: &[&[u8]]) -> Self {
        let rec = Self::texts(cmd::SETUP, Some(dev), &[]);
        bufs.iter().enumerate().fold(rec, |rec, (i, buf)| rec.with_buf(i + 1, buf.to_vec()))
    }

    /// `SETUP` with texts from buffer 1 on.
    pub fn setup_str(dev: &str, texts: &[&str]) -> Self {
        Self::texts(cmd::SETUP, Some(dev), texts)
    }

    /// `ADD_UUID`: `nid` (64-bit form) belongs to node UUID `node`. A NID that has no 64-bit form is given as `text`
    /// with `nid` 0.
    pub fn add_uuid(node: &str, nid: u64, text: Option<&str>) -> Self {
        let mut rec = Self::texts(cmd::ADD_UUID, None, &[node]);
        rec.nid = nid;
        match text {
            Some(text) => rec.with_text(2, text),
            None => rec,
        }
    }

    /// `ADD_CONN`: failover node `node` of device `dev`.
    pub fn add_conn(dev: &str, node: &str) -> Self {
        Self::texts(cmd::ADD_CONN, Some(dev), &[node])
    }

    /// `MOUNTOPT`: profile (named as the log), its LOV, and on a client its LMV.
    pub fn mount_opt(profile: &str, lov: &str, lmv: Option<&str>) -> Self {
        let rec = Self::texts(cmd::MOUNTOPT, None, &[profile, lov]);
        match lmv {
            Some(lmv) => rec.with_text(3, lmv),
            None => rec,
        }
    }

    /// `LOV_ADD_OBD`: OST `ost_uuid` has `index` in `lov`; generation 1.
    pub fn lov_add_obd(lov: &str, ost_uuid: &str, index: u32) -> Self {
        Self::texts(cmd::LOV_ADD_OBD, Some(lov), &[ost_uuid, &index.to_string(), "1"])
    }

    /// `ADD_MDC`: MDT `mdt_uuid` has `index` in the client's LMV, or in the LOV of another MDT; generation 1.
    pub fn add_mdc(lmv_or_lov: &str, mdt_uuid: &str, index: u32, mdc_uuid: Option<&str>) -> Self {
        let rec = Self::texts(cmd::ADD_MDC, Some(lmv_or_lov), &[mdt_uuid, &index.to_string(), "1"]);
        match mdc_uuid {
            Some(mdc) => rec.with_text(4, mdc),
            None => rec,
        }
    }

    /// `PARAM` (`conf_param`): `text` is `name=value`.
    pub fn param(dev: Option<&str>, text: &str) -> Self {
        Self::texts(cmd::PARAM, dev, &[text])
    }

    /// `SET_PARAM` (`set_param -P`): `scope` is `general` or a file system, `text` is `path=value`.
    pub fn set_param(scope: &str, text: &str) -> Self {
        Self::texts(cmd::SET_PARAM, Some(scope), &[text, "lctl"])
    }

    /// `SET_TIMEOUT` (`sys.timeout`).
    pub fn set_timeout(seconds: u32) -> Self {
        Self::texts(cmd::SET_TIMEOUT, None, &[&format!("sys.timeout={seconds}")]).with_num(seconds)
    }

    /// `SET_LDLM_TIMEOUT` (`sys.ldlm_timeout`).
    pub fn set_ldlm_timeout(seconds: u32) -> Self {
        Self::texts(cmd::SET_LDLM_TIMEOUT, None, &[&format!("sys.ldlm_timeout={seconds}")]).with_num(seconds)
    }

    /// `SPTLRPC_CONF`: `text` is `srpc.flavor.<net>[.<dir>]=<flavor>`; `dev` a file system, a target or `_mgs`.
    pub fn sptlrpc_conf(dev: &str, text: &str) -> Self {
        Self::texts(cmd::SPTLRPC_CONF, Some(dev), &[text])
    }

    /// `POOL_NEW` on LOV device `lov`.
    pub fn pool_new(lov: &str, fsname: &str, pool: &str) -> Self {
        Self::texts(cmd::POOL_NEW, Some(lov), &[fsname, pool])
    }

    /// `POOL_ADD` of one OST.
    pub fn pool_add(lov: &str, fsname: &str, pool: &str, ost_uuid: &str) -> Self {
        Self::texts(cmd::POOL_ADD, Some(lov), &[fsname, pool, ost_uuid])
    }

    /// `POOL_REM` of one OST.
    pub fn pool_rem(lov: &str, fsname: &str, pool: &str, ost_uuid: &str) -> Self {
        Self::texts(cmd::POOL_REM, Some(lov), &[fsname, pool, ost_uuid])
    }

    /// `POOL_DEL`.
    pub fn pool_del(lov: &str, fsname: &str, pool: &str) -> Self {
        Self::texts(cmd::POOL_DEL, Some(lov), &[fsname, pool])
    }

    /// The descriptor for `SETUP` of a LOV (`lustre_idl.h: struct lov_desc`), with the kernel's defaults.
    ///
    /// ```text
    ///    0 4 tgt_count 0       12 4 pattern 1 (RAID0)     32 4 pad          48 40 "<lov>_UUID"
    ///    4 4 magic 0xB0CCDE5C  16 8 stripe size 4 MiB     36 4 qos_maxage 5
    ///    8 4 stripe count 1    24 8 stripe offset -1      40 8 pad
    /// ```
    pub fn lov_desc(lov: &str) -> Vec<u8> {
        let mut out = desc(lov);
        le::put(&mut out, 4, &LOV_MAGIC.to_le_bytes());
        le::put(&mut out, 8, &1u32.to_le_bytes());
        le::put(&mut out, 12, &1u32.to_le_bytes());
        le::put(&mut out, 16, &(4u64 << 20).to_le_bytes());
        le::put(&mut out, 24, &u64::MAX.to_le_bytes());
        le::put(&mut out, 36, &5u32.to_le_bytes());
        out
    }

    /// The descriptor for `SETUP` of an LMV: zeros, and `<lmv>_UUID` at 48.
    pub fn lmv_desc(lmv: &str) -> Vec<u8> {
        desc(lmv)
    }
}

/// A zeroed descriptor with `<name>_UUID`, cut to 39 bytes.
fn desc(name: &str) -> Vec<u8> {
    let mut out = vec![0; DESC];
    let uuid = format!("{name}_UUID");
    let fitting = uuid.as_bytes().get(..UUID - 1).unwrap_or(uuid.as_bytes());
    le::put(&mut out, DESC_UUID, fitting);
    out
}
