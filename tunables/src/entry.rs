//! One tunable, as the catalogue describes it.

use serde::{Deserialize, Serialize};

use crate::version::Since;

/// May a node write it, read it, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Read and written.
    Rw,
    /// No store function.
    Ro,
    /// Written only.
    Wo,
}

/// Whether storing makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Ordinary configuration.
    Setting,
    /// Read only.
    Info,
    /// Does something once: stored, it would be repeated at every mount.
    Action,
    /// Any write zeroes counters.
    Reset,
    /// Writable for repair, or by accident.
    State,
    /// Fault injection, crash switches.
    Debug,
    /// Written by helpers of the kernel.
    Downcall,
}

/// Which parser the node uses (`tunables/README.md` section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// y, n, 1, 0, on, off.
    Bool,
    /// Signed number.
    Int,
    /// Unsigned number.
    Uint,
    /// Number with a unit.
    Size,
    /// 0 to 100, `%` allowed.
    Percent,
    /// One word of a set.
    Enum,
    /// Words that switch bits.
    Mask,
    /// Text.
    String,
    /// Absolute path, or one of a few words.
    Path,
    /// A syntax of its own.
    Grammar,
    /// The content is ignored.
    Any,
    /// Read only.
    Text,
    /// Written by kernel helpers.
    Binary,
}

/// May it be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Persist {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Possible, and rarely meant.
    Discouraged,
    /// Option of a kernel module: modprobe configuration.
    Modprobe,
    /// Has an lctl command of its own.
    Ioctl,
}

/// How sure the catalogue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// The store function, or its absence, was read: a violation is refused.
    Verified,
    /// From documents or the name: a violation is warned of.
    Inferred,
}

/// Width of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Width {
    /// 8 bits.
    U8,
    /// 16 bits.
    U16,
    /// 32 bits.
    U32,
    /// 32 bits, signed.
    I32,
    /// `unsigned long`, 64 bits.
    Ul,
    /// `long`, 64 bits.
    L,
    /// 64 bits.
    U64,
    /// 64 bits, signed.
    I64,
}

impl Width {
    /// Smallest and largest number.
    pub fn limits(self) -> (i128, i128) {
        match self {
            Width::U8 => (0, u8::MAX.into()),
            Width::U16 => (0, u16::MAX.into()),
            Width::U32 => (0, u32::MAX.into()),
            Width::I32 => (i32::MIN.into(), i32::MAX.into()),
            Width::Ul | Width::U64 => (0, u64::MAX.into()),
            Width::L | Width::I64 => (i64::MIN.into(), i64::MAX.into()),
        }
    }
}

/// A tunable. Field names are those of `catalogue.toml`, whose header explains each.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Tunable {
    /// Unique key: `component.name`, `global.name`; services and the two kinds of OSP have a word more.
    pub id: String,
    /// Last part of the parameter name; may contain dots (`hsm.policy`).
    pub name: String,
    /// First part of the set_param name; none for global names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// Pattern of the device between component and name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Whole set_param name with `<placeholders>`; none for what only the MGS knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Where it exists: client, mdt, ost, mgs.
    pub nodes: Vec<String>,
    /// sysfs, debugfs, procfs, module, ioctl, mgs.
    pub iface: String,
    /// Read, written.
    pub mode: Mode,
    /// Setting, action, ...
    #[serde(rename = "class")]
    pub kind: Kind,
    /// Parser of its value.
    #[serde(rename = "type")]
    pub value: Type,
    /// Width of a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ctype: Option<Width>,
    /// 10 decimal only, 0 also 0x and leading-0 octal, 8 octal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<u32>,
    /// Smallest value; bytes for sizes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// Largest value; bytes for sizes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// `check`: the code compares; `ctype`: only the width limits it; `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<String>,
    /// Unit of a bare number of type size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_unit: Option<String>,
    /// What a `%` value is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent_of: Option<String>,
    /// errno of a value out of range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range_error: Option<String>,
    /// Which values are changed silently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clamp: Option<String>,
    /// Range of the manual pages where it differs from the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documented_range: Option<String>,
    /// Accepted words; for numbers, text and paths besides the usual syntax.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Case of the words does not matter.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub values_ignore_case: bool,
    /// Key into the grammars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grammar: Option<String>,
    /// Fewest characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minlen: Option<usize>,
    /// Most characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maxlen: Option<usize>,
    /// Unit of the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Default, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// A limit that only the running node knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_limit: Option<String>,
    /// conf_param spelling, with placeholders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conf_param: Option<String>,
    /// `attr`, `uevent`, `special` or `shadowed:<what it would write instead>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conf_via: Option<String>,
    /// May it be stored.
    pub persist: Persist,
    /// Other names: whole paths, or last parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// What replaces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
    /// First release that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// Last release that will have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// File of the Lustre tree that defines it.
    pub source: String,
    /// How sure the catalogue is.
    pub confidence: Confidence,
    /// What it does.
    pub desc: String,
    /// What else is worth to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Tunable {
    /// Unit of a bare number: `MiB` of a size that is printed in bytes.
    pub fn bare_unit(&self) -> Option<&str> {
        let (unit, of_size) = (self.unit.as_deref(), self.default_unit.as_deref());
        if self.value == Type::Size { of_size.or(unit) } else { unit.or(of_size) }
    }

    /// What conf_param would write instead, where its lookup by prefix finds another attribute.
    pub fn shadow(&self) -> Option<&str> {
        self.conf_via.as_deref()?.strip_prefix("shadowed:")
    }

    /// Several records with different values may live in a log (`mgs_llog.c: mgs_modify_param`, LU-17920).
    pub fn is_compound(&self) -> bool {
        is_compound(&self.name)
    }

    /// Limits of a number: those of the entry, narrowed by the width.
    pub fn limits(&self) -> (Option<i128>, Option<i128>) {
        let width = self.ctype.map(Width::limits);
        let (low, high) = (self.min.map(i128::from), self.max.map(i128::from));
        (low.or(width.map(|w| w.0)), high.or(width.map(|w| w.1)))
    }

    /// Runs on nodes of this kind: `mdt`, `ost`, `client`, `mgs`.
    pub fn on(&self, node: &str) -> bool {
        self.nodes.iter().any(|n| n == node)
    }

    /// Why it cannot be stored, where it cannot.
    pub fn not_stored(&self) -> Option<&'static str> {
        match (self.kind, self.persist) {
            (_, Persist::Modprobe) => Some("is an option of a kernel module, read when the module is loaded"),
            (_, Persist::Ioctl) => Some("is stored by an lctl command of its own"),
            (Kind::Action, _) => Some("is an action: stored, it would be repeated at every mount"),
            (Kind::Reset, _) => Some("resets counters: stored, it would do so at every mount"),
            (Kind::Downcall, _) => Some("is written by helpers of the kernel only"),
            (_, Persist::No) => Some("cannot be stored"),
            _ => None,
        }
    }
}

/// Whether the last component names a compound parameter.
pub fn is_compound(name: &str) -> bool {
    matches!(name.rsplit('.').next(), Some("nrs_tbf_rule" | "pcc" | "wbc"))
}
