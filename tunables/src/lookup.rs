//! A tunable by whatever name somebody has in hand.

use crate::catalogue::Catalogue;
use crate::device::Device;
use crate::entry::Tunable;
use crate::judge::near_names;
use crate::pattern;
use crate::prefix::prefix;

impl Catalogue {
    /// The tunables that a text names: an id, a set_param name or pattern, a conf_param name with or without its device,
    /// a path with placeholders, or the last part of a name. What follows a `=` is left out.
    pub fn lookup(&self, text: &str) -> Vec<&Tunable> {
        let text = text.split('=').next().unwrap_or_default().trim();
        if let Some(tunable) = self.by_id(text) {
            return vec![tunable];
        }
        let by_path: Vec<&Tunable> =
            self.tunables().iter().filter(|t| t.path.as_deref() == Some(text)).collect();
        if !by_path.is_empty() && text.contains('.') {
            return by_path;
        }
        if !text.contains(['.', '/']) && !pattern::is_wild(text) {
            return self.by_name(text);
        }
        // With its device, or without.
        let conf = match text.split_once('.') {
            Some((device, rest)) if Device::parse(device).is_ok() && prefix(device).is_none() => rest,
            _ => text,
        };
        if let Some((head, param)) = conf.split_once('.')
            && let Some(prefix) = prefix(head)
        {
            let of_prefix = |t: &&Tunable| prefix.ids.iter().any(|id| t.id.starts_with(id));
            let mut found = self.by_conf_param(conf);
            if found.is_empty() {
                found = self.by_name(param).into_iter().filter(of_prefix).collect();
            }
            if !found.is_empty() {
                return found;
            }
        }
        let by_pattern = self.by_pattern(text);
        if by_pattern.is_empty() && !pattern::is_wild(text) { self.by_name(text) } else { by_pattern }
    }

    /// Names that a mistyped one may stand for, nearest first; at most three.
    pub fn near(&self, text: &str) -> Vec<&str> {
        near_names(self, text.rsplit(['.', '/']).next().unwrap_or(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_people_have() {
        let ids = |text: &str| {
            Catalogue::shipped().lookup(text).iter().map(|t| t.id.as_str()).collect::<Vec<_>>().join(" ")
        };
        for text in [
            "osc.max_dirty_mb",
            "osc.*.max_dirty_mb",
            "osc.testfs-OST0000-osc-*.max_dirty_mb=64",
            "osc.<fsname>-OST<idx>-osc-<mount>.max_dirty_mb",
            "testfs-OST0000.osc.max_dirty_mb",
        ] {
            assert_eq!(ids(text), "osc.max_dirty_mb", "{text}");
        }
        assert_eq!(ids("ost.brw_size"), "obdfilter.brw_size");
        assert_eq!(ids("testfs.sys.timeout"), "global.timeout");
        assert!(ids("timeout").starts_with("global.timeout"));
        assert_eq!(ids("testfs.quota.ost"), "mgs.quota.ost");
        assert_eq!(ids("brw_size"), "obdfilter.brw_size");
        assert!(ids("max_rpcs_in_flight").contains("osp.mdt."));
        assert_eq!(ids("nosuch"), "");
        assert_eq!(Catalogue::shipped().near("osc.*.max_drity_mb"), ["max_dirty_mb"]);
    }
}
