//! What is registered: file systems, targets with their versions, nodemaps, pools.
//!
//! Everything is found by name, and the oldest version of a kind is kept ready, so that the judge never walks a list of
//! targets.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::device::{self, TargetId, TargetKind};
use crate::version::Version;

/// Topology of one MGS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    filesystems: BTreeMap<String, FileSystem>,
    nodemaps: Option<BTreeSet<String>>,
}

/// One file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSystem {
    targets: BTreeMap<TargetId, Option<Version>>,
    versions: BTreeMap<(TargetKind, Version), BTreeSet<TargetId>>,
    pools: Option<BTreeSet<String>>,
}

impl FileSystem {
    /// Whether a target is registered.
    pub fn has(&self, id: TargetId) -> bool {
        self.targets.contains_key(&id)
    }

    /// Version of a target, where it is known.
    pub fn version(&self, id: TargetId) -> Option<Version> {
        *self.targets.get(&id)?
    }

    /// The oldest known version among the targets of a kind, and the targets that run it.
    pub fn oldest(&self, kind: TargetKind) -> Option<(Version, &BTreeSet<TargetId>)> {
        let from = (kind, Version { major: 0, minor: 0, patch: 0 });
        let ((found, version), who) = self.versions.range(from..).next()?;
        (*found == kind).then_some((*version, who))
    }

    /// Its targets, by kind and index.
    pub fn targets(&self) -> impl Iterator<Item = TargetId> {
        self.targets.keys().copied()
    }

    /// The pools, where they are known.
    pub fn pools(&self) -> Option<&BTreeSet<String>> {
        self.pools.as_ref()
    }
}

impl Topology {
    /// Adds a file system without targets, or does nothing.
    pub fn add_filesystem(&mut self, name: &str) {
        self.filesystems.entry(name.to_owned()).or_default();
    }

    /// Adds a target, or changes its version.
    pub fn add_target(&mut self, fs: &str, id: TargetId, version: Option<Version>) {
        let fs = self.filesystems.entry(fs.to_owned()).or_default();
        if let Some(Some(old)) = fs.targets.insert(id, version) {
            forget(&mut fs.versions, id, old);
        }
        if let Some(version) = version {
            fs.versions.entry((id.kind, version)).or_default().insert(id);
        }
    }

    /// Removes a target.
    pub fn remove_target(&mut self, fs: &str, id: TargetId) {
        if let Some(fs) = self.filesystems.get_mut(fs)
            && let Some(Some(old)) = fs.targets.remove(&id)
        {
            forget(&mut fs.versions, id, old);
        }
    }

    /// Removes a file system.
    pub fn remove_filesystem(&mut self, name: &str) {
        self.filesystems.remove(name);
    }

    /// Says which nodemaps there are; `default` always is.
    pub fn set_nodemaps(&mut self, names: impl IntoIterator<Item = String>) {
        self.nodemaps = Some(names.into_iter().collect());
    }

    /// From now on it is known which nodemaps there are: none beside `default`, unless they were named before.
    pub fn know_nodemaps(&mut self) {
        self.nodemaps.get_or_insert_default();
    }

    /// Adds a nodemap.
    pub fn add_nodemap(&mut self, name: &str) {
        self.nodemaps.get_or_insert_default().insert(name.to_owned());
    }

    /// Removes a nodemap.
    pub fn remove_nodemap(&mut self, name: &str) {
        self.nodemaps.get_or_insert_default().remove(name);
    }

    /// Says which pools a file system has.
    pub fn set_pools(&mut self, fs: &str, names: impl IntoIterator<Item = String>) {
        self.filesystems.entry(fs.to_owned()).or_default().pools = Some(names.into_iter().collect());
    }

    /// A file system.
    pub fn filesystem(&self, name: &str) -> Option<&FileSystem> {
        self.filesystems.get(name)
    }

    /// File systems by name.
    pub fn filesystems(&self) -> impl Iterator<Item = (&str, &FileSystem)> {
        self.filesystems.iter().map(|(name, fs)| (name.as_str(), fs))
    }

    /// The nodemaps, where they are known.
    pub fn nodemaps(&self) -> Option<&BTreeSet<String>> {
        self.nodemaps.as_ref()
    }

    /// Reads a topology file:
    ///
    /// ```toml
    /// [[filesystem]]
    /// name = "testfs"
    /// targets = ["MDT0000", { name = "OST0000", version = "2.15.4" }]   # or testfs-OST0000
    /// nodemaps = ["c0"]                                                 # of the whole MGS; optional
    /// pools = ["flash"]                                                 # optional
    /// version = "2.17.57"                                               # of targets without one; optional
    /// ```
    ///
    /// # Errors
    /// What is wrong, with its place.
    pub fn parse(text: &str) -> Result<Self, BadTopology> {
        let file: File = toml::from_str(text)?;
        let mut topology = Topology::default();
        let mut nodemaps = file.nodemaps;
        for fs in file.filesystem {
            let bad = |what: &str, why: String| BadTopology::Name { what: what.to_owned(), why };
            device::fsname(&fs.name).map_err(|why| bad(&fs.name, why))?;
            if topology.filesystems.contains_key(&fs.name) {
                return Err(bad(&fs.name, "is there twice".to_owned()));
            }
            topology.add_filesystem(&fs.name);
            let version = |text: &Option<String>, of: &str| -> Result<Option<Version>, BadTopology> {
                let parsed = text.as_ref().map(|text| text.parse::<Version>()).transpose();
                parsed.map_err(|error| bad(of, error.to_string()))
            };
            let common = version(&fs.version, &fs.name)?;
            for target in fs.targets {
                let (name, own) = match target {
                    Target::Name(name) => (name, None),
                    Target::Versioned { name, version: own } => {
                        let own = version(&own, &name)?;
                        (name, own)
                    }
                };
                let short = name.strip_prefix(&format!("{}-", fs.name)).unwrap_or(&name);
                let why = || bad(&name, format!("is no target of {}: expected MDT0000 or OST0000", fs.name));
                topology.add_target(&fs.name, TargetId::parse(short).ok_or_else(why)?, own.or(common));
            }
            if let Some(more) = fs.nodemaps {
                nodemaps.get_or_insert_default().extend(more);
            }
            if let Some(pools) = fs.pools {
                topology.set_pools(&fs.name, pools);
            }
        }
        topology.nodemaps = nodemaps.map(|list| list.into_iter().collect());
        Ok(topology)
    }
}

fn forget(
    versions: &mut BTreeMap<(TargetKind, Version), BTreeSet<TargetId>>,
    id: TargetId,
    version: Version,
) {
    let key = (id.kind, version);
    if let Some(who) = versions.get_mut(&key) {
        who.remove(&id);
        if who.is_empty() {
            versions.remove(&key);
        }
    }
}

/// A topology file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadTopology {
    /// No TOML, or fields that do not fit.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// A name in it.
    #[error("{what:?} {why}")]
    Name {
        /// The name.
        what: String,
        /// What is wrong with it.
        why: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    filesystem: Vec<Entry>,
    #[serde(default)]
    nodemaps: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    #[serde(default)]
    targets: Vec<Target>,
    #[serde(default)]
    nodemaps: Option<Vec<String>>,
    #[serde(default)]
    pools: Option<Vec<String>>,
    #[serde(default)]
    version: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Target {
    Name(String),
    Versioned {
        name: String,
        #[serde(default)]
        version: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files() {
        let text = r#"
            [[filesystem]]
            name = "testfs"
            targets = ["MDT0000", "testfs-OST0000", { name = "OST0001", version = "2.15.4" }]
            nodemaps = ["c0"]
            version = "2.17.57"
        "#;
        let topology = Topology::parse(text).unwrap();
        let fs = topology.filesystem("testfs").unwrap();
        let (version, who) = fs.oldest(TargetKind::Ost).unwrap();
        assert_eq!(version.to_string(), "2.15.4");
        assert_eq!(who.iter().map(ToString::to_string).collect::<Vec<_>>(), ["OST0001"]);
        assert_eq!(fs.oldest(TargetKind::Mdt).unwrap().0.to_string(), "2.17.57");
        assert!(topology.nodemaps().unwrap().contains("c0"));
        for bad in [
            "[[filesystem]]\nname = \"averylongname\"",
            "[[filesystem]]\nname = \"a\"\ntargets = [\"b-OST0000\"]",
            "[[filesystem]]\nname = \"a\"\ntarget = []",
            "[[filesystem]]\nname = \"a\"\nversion = \"new\"",
            "[[filesystem]]\nname = \"a\"\n[[filesystem]]\nname = \"a\"",
            "filesystem = 1",
        ] {
            assert!(Topology::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn oldest_versions_follow_changes() {
        let ost = |index| TargetId { kind: TargetKind::Ost, index };
        let mut topology = Topology::default();
        let oldest =
            |t: &Topology| t.filesystem("a").unwrap().oldest(TargetKind::Ost).map(|o| o.0.to_string());
        topology.add_target("a", ost(0), "2.12.9".parse().ok());
        topology.add_target("a", ost(1), "2.15.4".parse().ok());
        assert_eq!(oldest(&topology).as_deref(), Some("2.12.9"));
        topology.add_target("a", ost(0), "2.16.0".parse().ok());
        assert_eq!(oldest(&topology).as_deref(), Some("2.15.4"));
        topology.remove_target("a", ost(1));
        assert_eq!(oldest(&topology).as_deref(), Some("2.16.0"));
        topology.remove_target("a", ost(0));
        assert_eq!(oldest(&topology), None);
    }
}
