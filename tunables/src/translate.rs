//! One namespace, two spellings.
//!
//! The canonical name of a setting is its set_param name wherever one name means the same, and its conf_param name
//! where none does: `testfs.sys.timeout` reaches the nodes of one file system, `timeout` those of all.

use crate::assignment::Syntax;
use crate::device::{Device, TargetKind};
use crate::pattern;
use crate::prefix::{PREFIXES, Prefix, SYS, prefix};

/// A name in the other spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translated {
    /// The spelling.
    pub syntax: Syntax,
    /// The name.
    pub name: String,
    /// Reaches the same nodes and files; translated back it is the name that it came from.
    pub exact: bool,
}

impl Translated {
    fn new(syntax: Syntax, name: String, exact: bool) -> Self {
        Translated { syntax, name, exact }
    }
}

/// The names in the other spelling; empty when there is none. Only the form of the name is looked at.
pub fn translate(syntax: Syntax, name: &str) -> Vec<Translated> {
    match syntax {
        Syntax::ConfParam => to_set_param(name),
        Syntax::SetParamP | Syntax::SetParam => to_conf_param(name),
    }
}

/// The one name for a setting.
pub fn canonical(syntax: Syntax, name: &str) -> String {
    if syntax != Syntax::ConfParam {
        return pattern::segments(name).join(".");
    }
    match to_set_param(name).as_slice() {
        [Translated { name, exact: true, .. }] => name.clone(),
        // Suffixes that the kernel strips are stripped, and indices are in lower case.
        _ => match name.split_once('.').map(|(device, rest)| (Device::parse(device), rest)) {
            Some((Ok(device), rest)) => format!("{device}.{rest}"),
            _ => name.to_owned(),
        },
    }
}

fn to_set_param(name: &str) -> Vec<Translated> {
    let set = |name, exact| Translated::new(Syntax::SetParamP, name, exact);
    let Some((device, rest)) = name.split_once('.') else { return Vec::new() };
    let Ok(device) = Device::parse(device) else { return Vec::new() };
    let (Some(fs), Some((head, param))) = (device.fs(), rest.split_once('.')) else { return Vec::new() };
    let Some(prefix) = prefix(head).filter(|p| p.needs.fits(&device) && is_param(param)) else {
        return Vec::new();
    };
    match prefix.name {
        "quota" => match param {
            "mdt" => vec![set(format!("osd-*.{fs}-MDT*.quota_slave.enabled"), true)],
            "ost" => vec![set(format!("osd-*.{fs}-OST*.quota_slave.enabled"), true)],
            _ => Vec::new(),
        },
        "failover" if param == "node" => {
            let component = if device.kind() == Some(TargetKind::Ost) { "obdfilter" } else { "mdt" };
            vec![set(format!("{component}.{device}.failover.node"), true)]
        }
        "sys" if SYS.contains(&param) => vec![set(param.to_owned(), false)],
        "sys" => Vec::new(),
        _ => {
            let target = match &device {
                Device::FileSystem(fs) => format!("{fs}-MDT*"),
                other => other.to_string(),
            };
            let exact = prefix.forms.len() == 1;
            let form = |form: &&str| form.replace("{t}", &target).replace("{fs}", fs);
            prefix.forms.iter().map(|f| set(format!("{}{param}", form(f)), exact)).collect()
        }
    }
}

fn is_param(param: &str) -> bool {
    !param.is_empty()
        && !param.split('.').any(str::is_empty)
        && !pattern::is_wild(param)
        && !param.contains('/')
}

fn to_conf_param(name: &str) -> Vec<Translated> {
    let conf = |name, exact| vec![Translated::new(Syntax::ConfParam, name, exact)];
    if name.contains('{') {
        return Vec::new();
    }
    let segments = pattern::segments(name);
    let name = segments.join(".");
    if let [only] = segments.as_slice() {
        // Whose file system it should be is not said.
        return if SYS.contains(&only.as_str()) {
            conf(format!("FSNAME.sys.{only}"), false)
        } else {
            Vec::new()
        };
    }
    let Some((component, instance, param)) = split(&segments) else { return Vec::new() };
    if !is_param(&param) {
        return Vec::new();
    }
    if param == "quota_slave.enabled" && component == "osd-*" {
        for (suffix, which) in [("-MDT*", "mdt"), ("-OST*", "ost")] {
            if let Some(fs) = instance.strip_suffix(suffix).filter(|fs| is_fs(fs)) {
                return conf(format!("{fs}.quota.{which}"), true);
            }
        }
        return Vec::new();
    }
    let target =
        |text: &str| Device::parse(text).ok().filter(|d| d.to_string() == text && d.target().is_some());
    if param == "failover.node" {
        return match (component, target(instance)) {
            ("obdfilter", Some(d)) if d.kind() == Some(TargetKind::Ost) => conf(format!("{d}.{param}"), true),
            ("mdt", Some(d)) if d.kind() == Some(TargetKind::Mdt) => conf(format!("{d}.{param}"), true),
            _ => Vec::new(),
        };
    }
    for prefix in PREFIXES.iter().filter(|p| p.forms.len() == 1 && p.name != "sys") {
        if let Some(device) = device_of(prefix, component, instance) {
            let exact =
                to_set_param(&format!("{device}.{}.{param}", prefix.name)).iter().any(|t| t.name == name);
            return conf(format!("{device}.{}.{param}", prefix.name), exact);
        }
    }
    Vec::new()
}

/// Component, device and parameter.
fn split(segments: &[String]) -> Option<(&str, &str, String)> {
    match segments {
        [component, instance, param @ ..] if !param.is_empty() => {
            Some((component, instance, param.join(".")))
        }
        _ => None,
    }
}

fn is_fs(text: &str) -> bool {
    matches!(Device::parse(text), Ok(Device::FileSystem(fs)) if fs == text)
}

/// The device for which this prefix gives this set_param name.
fn device_of(prefix: &Prefix, component: &str, instance: &str) -> Option<Device> {
    let form = prefix.forms.first()?.strip_suffix('.')?;
    let (wanted, device) = form.split_once('.')?;
    if wanted != component {
        return None;
    }
    let (before, after) = device.split_once("{t}").or_else(|| device.split_once("{fs}"))?;
    let name = instance.strip_prefix(before)?.strip_suffix(after)?;
    let name = match name.strip_suffix("-MDT*") {
        Some(fs) if prefix.name == "mdt" => fs,
        _ => name,
    };
    let device = Device::parse(name).ok()?;
    (prefix.needs.fits(&device) && device.to_string() == name).then_some(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        for (conf, set) in [
            ("testfs-OST0000.osc.max_dirty_mb", "osc.testfs-OST0000-osc-*.max_dirty_mb"),
            ("testfs-MDT0001.mdc.max_rpcs_in_flight", "mdc.testfs-MDT0001-mdc-*.max_rpcs_in_flight"),
            ("testfs.llite.fast_read", "llite.testfs-*.fast_read"),
            ("testfs-MDT0000.lod.mdt_hash", "lod.testfs-MDT0000-mdtlov.mdt_hash"),
            ("testfs.mdt.root_squash", "mdt.testfs-MDT*.root_squash"),
            ("testfs-MDT0000.mdt.hsm.policy", "mdt.testfs-MDT0000.hsm.policy"),
            ("testfs-MDT0000.mdd.atime_diff", "mdd.testfs-MDT0000.atime_diff"),
            ("testfs-OST0010.ost.brw_size", "obdfilter.testfs-OST0010.brw_size"),
            ("testfs-OST0000.osd.auto_scrub", "osd-*.testfs-OST0000.auto_scrub"),
            ("testfs.quota.ost", "osd-*.testfs-OST*.quota_slave.enabled"),
            ("testfs-MDT0000.failover.node", "mdt.testfs-MDT0000.failover.node"),
            ("a-b.llite.fast_read", "llite.a-b-*.fast_read"),
        ] {
            let to = |syntax, name: &str| match translate(syntax, name).as_slice() {
                [one] if one.exact => one.name.clone(),
                other => format!("{other:?}"),
            };
            assert_eq!(to(Syntax::ConfParam, conf), set);
            assert_eq!(to(Syntax::SetParamP, set), conf);
            assert_eq!(canonical(Syntax::ConfParam, conf), set);
            assert_eq!(canonical(Syntax::SetParamP, set), set);
        }
    }

    #[test]
    fn no_single_name() {
        assert_eq!(translate(Syntax::ConfParam, "testfs-MDT0000.lov.stripesize").len(), 2);
        assert!(!translate(Syntax::ConfParam, "testfs.sys.timeout").iter().any(|t| t.exact));
        assert_eq!(canonical(Syntax::ConfParam, "testfs.sys.timeout"), "testfs.sys.timeout");
        for set in [
            "osc.*.max_dirty_mb",
            "ost.OSS.ost_io.threads_max",
            "osc.testfs-MDT0000-osc-*.x",
            "x.y",
            "",
            "...",
        ] {
            assert_eq!(translate(Syntax::SetParamP, set), [], "{set}");
        }
    }
}
