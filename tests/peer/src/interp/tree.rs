//! What a configuration log amounts to.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A device that a log attached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// `osc`, `mdc`, `lov`, `obdfilter`, ... as written in the log.
    pub kind: String,
    /// UUID given at attach.
    pub uuid: String,
    /// Buffers of the setup that are text; `None`: not set up.
    pub setup: Option<Vec<String>>,
    /// Node UUIDs it may connect to, the primary one first.
    pub connections: Vec<String>,
}

/// A target that is member of a LOV or LMV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Target UUID.
    pub uuid: String,
    /// Connected at mount.
    pub active: bool,
}

/// What to mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// LOV device.
    pub lov: String,
    /// LMV device; clients only.
    pub lmv: Option<String>,
}

/// An entry of the NID table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetNow {
    /// Table version of the entry.
    pub version: u64,
    /// Start counter of the target.
    pub instance: u32,
    /// Where it is.
    pub nids: Vec<String>,
}

/// Configuration of one mount. Two readers of the same log have equal trees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigTree {
    /// `testfs-client`, `testfs-OST0000`.
    pub name: String,
    /// By name as in the log (a client appends its instance).
    pub devices: BTreeMap<String, Device>,
    /// Node UUID → NIDs.
    pub nodes: BTreeMap<String, Vec<String>>,
    /// By name of the log.
    pub profiles: BTreeMap<String, Profile>,
    /// OSTs by LOV and index.
    pub osts: BTreeMap<(String, u32), Member>,
    /// MDTs by LMV (or LOV of an MDT) and index.
    pub mdts: BTreeMap<(String, u32), Member>,
    /// Pool → OST UUIDs.
    pub pools: BTreeMap<String, BTreeSet<String>>,
    /// (device or file system, name) → value.
    pub params: BTreeMap<(String, String), String>,
    /// `obd_timeout`, seconds.
    pub timeout: Option<u32>,
    /// `ldlm_timeout`, seconds.
    pub ldlm_timeout: Option<u32>,
    /// (1 MDT or 2 OST, index) → where it is now.
    pub targets: BTreeMap<(u8, u32), TargetNow>,
    /// Records outside of any section.
    pub ignored: usize,
}

impl ConfigTree {
    /// Indices of the MDTs that the mount knows.
    pub fn mdt_indices(&self) -> BTreeSet<u32> {
        self.mdts.keys().map(|(_, index)| *index).collect()
    }
    /// Indices of the OSTs that the mount knows.
    pub fn ost_indices(&self) -> BTreeSet<u32> {
        self.osts.keys().map(|(_, index)| *index).collect()
    }
}

/// `1 MDT, 2 OSTs`.
impl fmt::Display for ConfigTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |n: usize| if n == 1 { "" } else { "s" };
        let (m, o) = (self.mdt_indices().len(), self.ost_indices().len());
        write!(f, "{m} MDT{}, {o} OST{}", s(m), s(o))?;
        if !self.params.is_empty() {
            write!(f, ", {} param{}", self.params.len(), s(self.params.len()))?;
        }
        if !self.pools.is_empty() {
            write!(f, ", {} pool{}", self.pools.len(), s(self.pools.len()))?;
        }
        Ok(())
    }
}
