//! Prefixes of conf_param names: which device they need, what they reach, and the set_param name that means the same.
//!
//! The table of the catalogue says this in words; a test holds both together.

use crate::device::{Device, TargetKind};

/// Device that a prefix needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The file system name.
    FileSystem,
    /// An OST.
    Ost,
    /// An MDT.
    Mdt,
    /// An MDT, or the file system for all MDTs.
    MdtOrAll,
    /// Any target.
    Target,
    /// Anything.
    Any,
}

impl Needs {
    /// A device fits.
    pub fn fits(self, device: &Device) -> bool {
        match self {
            Needs::FileSystem => matches!(device, Device::FileSystem(_)),
            Needs::Ost => device.kind() == Some(TargetKind::Ost),
            Needs::Mdt => device.kind() == Some(TargetKind::Mdt),
            Needs::MdtOrAll => {
                device.kind() == Some(TargetKind::Mdt) || matches!(device, Device::FileSystem(_))
            }
            Needs::Target => device.target().is_some(),
            Needs::Any => true,
        }
    }

    /// In words.
    pub fn label(self) -> &'static str {
        match self {
            Needs::FileSystem => "a file system name",
            Needs::Ost => "an OST name",
            Needs::Mdt => "an MDT name",
            Needs::MdtOrAll => "an MDT name, or the file system name for all MDTs",
            Needs::Target => "a target name",
            Needs::Any => "any device",
        }
    }

    /// A device that would fit, of the same file system.
    pub(crate) fn example(self, fs: &str) -> String {
        match self {
            Needs::FileSystem | Needs::MdtOrAll | Needs::Any => fs.to_owned(),
            Needs::Ost | Needs::Target => format!("{fs}-OST0000"),
            Needs::Mdt => format!("{fs}-MDT0000"),
        }
    }
}

/// A prefix.
#[derive(Clone, Copy, Debug)]
pub struct Prefix {
    /// Without its dot.
    pub name: &'static str,
    /// Device.
    pub needs: Needs,
    /// Ids of the tunables that it reaches begin with one of these.
    pub ids: &'static [&'static str],
    /// set_param names up to the parameter: `{t}` is the target (`FS-MDT*` for all MDTs), `{fs}` the file system.
    pub forms: &'static [&'static str],
}

/// All prefixes. `mdt.hsm.` is `mdt.` with longer names.
pub const PREFIXES: &[Prefix] = &[
    Prefix { name: "sys", needs: Needs::FileSystem, ids: &["global."], forms: &[""] },
    Prefix { name: "osc", needs: Needs::Ost, ids: &["osc.", "osp.ost."], forms: &["osc.{t}-osc-*."] },
    Prefix { name: "mdc", needs: Needs::Mdt, ids: &["mdc."], forms: &["mdc.{t}-mdc-*."] },
    Prefix { name: "llite", needs: Needs::FileSystem, ids: &["llite."], forms: &["llite.{fs}-*."] },
    Prefix {
        name: "lov",
        needs: Needs::Mdt,
        ids: &["lod.", "lov."],
        forms: &["lod.{t}-mdtlov.", "lov.{fs}-clilov-*."],
    },
    Prefix { name: "lod", needs: Needs::Mdt, ids: &["lod."], forms: &["lod.{t}-mdtlov."] },
    Prefix { name: "mdt", needs: Needs::MdtOrAll, ids: &["mdt."], forms: &["mdt.{t}."] },
    Prefix { name: "mdd", needs: Needs::Mdt, ids: &["mdd."], forms: &["mdd.{t}."] },
    Prefix { name: "ost", needs: Needs::Ost, ids: &["obdfilter."], forms: &["obdfilter.{t}."] },
    Prefix {
        name: "osd",
        needs: Needs::Ost,
        ids: &["osd-ldiskfs.", "osd-zfs.", "osd-wbcfs."],
        forms: &["osd-*.{t}."],
    },
    Prefix { name: "quota", needs: Needs::FileSystem, ids: &["mgs.quota."], forms: &[] },
    Prefix { name: "failover", needs: Needs::Target, ids: &["mgs.failover."], forms: &[] },
    Prefix { name: "srpc", needs: Needs::Any, ids: &["mgs.srpc."], forms: &[] },
];

/// Names below `sys.` that the MGS knows (`mgs/07-tunables.md` 7.3).
pub const SYS: &[&str] = &[
    "timeout",
    "ldlm_timeout",
    "at_min",
    "at_max",
    "at_extra",
    "at_early_margin",
    "at_history",
    "jobid_var",
];

/// A prefix by its name.
pub fn prefix(name: &str) -> Option<&'static Prefix> {
    PREFIXES.iter().find(|p| p.name == name)
}
