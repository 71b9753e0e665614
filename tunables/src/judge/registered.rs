//! What a name means among the registered file systems, targets and nodemaps.

use crate::assignment::{Assignment, Syntax, shown};
use crate::device::{Device, TargetId, TargetKind};
use crate::entry::Tunable;
use crate::pattern::{self, Piece};
use crate::topology::{FileSystem, Topology};
use crate::verdict::{Class, Finding, Note};
use crate::version::Version;

use super::{Found, Judge, Policy, suggest};

/// Names in a list for people.
const MOST_NAMED: usize = 3;

/// The part of the file systems that a name speaks of.
enum Scope<'t> {
    /// Every file system.
    All,
    /// The file systems that a pattern fits.
    Some(Vec<(&'t str, &'t FileSystem)>),
    /// One target.
    Target(&'t str, &'t FileSystem, TargetId),
}

impl Judge<'_> {
    pub(super) fn registered(
        &self,
        assignment: &Assignment,
        found: &mut Found<'_>,
        policy: &Policy,
    ) -> Result<(), Finding> {
        let Some(topology) = self.topology else { return Ok(()) };
        // The device of a conf_param name was looked at before the name was.
        if assignment.syntax == Syntax::ConfParam {
            return Ok(());
        }
        let names = pattern::alternatives(assignment.name()).unwrap_or_default();
        for name in names {
            for (at, segment) in pattern::segments(&name).iter().enumerate() {
                self.known_segment(topology, at, segment, found, policy)?;
            }
        }
        Ok(())
    }

    /// The device of a conf_param name is registered; a note when it is waited for.
    pub(super) fn known_device(&self, device: &Device, policy: &Policy) -> Result<Option<Note>, Finding> {
        match (self.topology, device) {
            (Some(topology), Device::Target(fs, id)) => known_target(topology, fs, *id, policy),
            (Some(topology), Device::FileSystem(fs)) => known_fs(topology, fs).map(|_| None),
            _ => Ok(None),
        }
    }
    /// Where the paths have a device or a nodemap, the file system, target or nodemap is known.
    fn known_segment(
        &self,
        topology: &Topology,
        at: usize,
        segment: &str,
        found: &mut Found<'_>,
        policy: &Policy,
    ) -> Result<(), Finding> {
        let piece = Piece::new(segment);
        let words: Vec<&str> = found.hits.iter().filter_map(|t| word_at(t, at)).collect();
        if words.contains(&"<nodemap>") && !piece.wild {
            let Some(nodemaps) = topology.nodemaps() else { return Ok(()) };
            if segment == "default" || nodemaps.contains(segment) {
                return Ok(());
            }
            let known: Vec<&str> = nodemaps.iter().take(MOST_NAMED).map(String::as_str).collect();
            let finding =
                Finding::new(Class::BadDevice, segment, format!("there is no nodemap {:?}", shown(segment)));
            let finding = finding.allowed(format!("default {}", known.join(" ")));
            return Err(finding.suggest("create it with lctl nodemap_add"));
        }
        // Name spaces of the MGS and its clients belong to no file system.
        let device = words
            .iter()
            .any(|w| w.contains("<fsname>") || (*w == "<namespace>" && !segment.starts_with("MG")));
        if !device {
            return Ok(());
        }
        let fits: Vec<&str> =
            topology.filesystems().map(|(name, _)| name).filter(|fs| about(&piece, fs)).collect();
        let Some(first) = fits.first() else {
            let message = format!("{:?} fits no registered file system", shown(segment));
            return Err(Finding::new(Class::BadDevice, segment, message).allowed(known_names(topology)));
        };
        if let Some(id) = target_of(piece.literal_start(), first) {
            found.notes.extend(known_target(topology, first, id, policy)?);
        }
        Ok(())
    }

    /// Registered targets that are too old for a name, and which.
    pub(super) fn too_new(&self, assignment: &Assignment, tunables: &[&Tunable]) -> Vec<Note> {
        let Some(topology) = self.topology else { return Vec::new() };
        let scope = scope(topology, assignment);
        let mut notes = Vec::new();
        for tunable in tunables {
            let Some(since) = tunable.since else { continue };
            for kind in [TargetKind::Mdt, TargetKind::Ost] {
                if !tunable.on(kind.node()) {
                    continue;
                }
                let mut old: Vec<(Version, String)> = Vec::new();
                let mut look = |name: &str, fs: &FileSystem| {
                    if let Some((version, who)) = fs.oldest(kind)
                        && !since.holds(version)
                        && let Some(first) = who.first()
                    {
                        let more = if who.len() > 1 {
                            format!(" and {} more", who.len() - 1)
                        } else {
                            String::new()
                        };
                        old.push((version, format!("{name}-{first}{more} ({version})")));
                    }
                };
                match &scope {
                    Scope::All => topology.filesystems().for_each(|(name, fs)| look(name, fs)),
                    Scope::Some(list) => list.iter().for_each(|(name, fs)| look(name, fs)),
                    Scope::Target(name, fs, id) => {
                        if let Some(version) = fs.version(*id).filter(|v| id.kind == kind && !since.holds(*v))
                        {
                            old.push((version, format!("{name}-{id} ({version})")));
                        }
                    }
                }
                old.sort();
                if !old.is_empty() {
                    let who: Vec<String> = old.into_iter().take(MOST_NAMED).map(|(_, who)| who).collect();
                    let message =
                        format!("{} came with release {since}: too new for {}", tunable.id, who.join(", "));
                    notes.push(Note { class: Class::TooNew, message });
                }
            }
        }
        notes
    }

    /// Whether some registered target of these file systems runs a release up to `last`.
    pub(super) fn has_old_nodes(&self, device: Option<&Device>, last: &str) -> bool {
        let (Some(topology), Ok(last)) = (self.topology, last.parse::<Version>()) else { return false };
        let old = |fs: &FileSystem| {
            let kinds = [TargetKind::Mdt, TargetKind::Ost];
            kinds
                .iter()
                .filter_map(|kind| fs.oldest(*kind))
                .any(|(version, _)| version.release() <= last.release())
        };
        match device.and_then(Device::fs) {
            Some(fs) => topology.filesystem(fs).is_some_and(old),
            None => topology.filesystems().any(|(_, fs)| old(fs)),
        }
    }

    /// The registered name that was meant.
    pub(super) fn near_device(&self, text: &str) -> Option<String> {
        let topology = self.topology?;
        let names: Vec<&str> = topology.filesystems().map(|(name, _)| name).collect();
        let typed = text.split(['-', '.']).next().unwrap_or(text);
        // The file system is right, the target is not.
        if let Some(fs) = topology.filesystem(typed).filter(|_| text != typed) {
            let known: Vec<String> =
                fs.targets().take(MOST_NAMED + 1).map(|t| format!("{typed}-{t}")).collect();
            return Some(format!("registered: {}", known.join(", ")));
        }
        let near = suggest::nearest(typed, names.iter().copied());
        near.map(|name| format!("did you mean {name}?"))
            .or_else(|| (!names.is_empty()).then(|| format!("registered: {}", known_names(topology))))
    }
}

/// The target is registered; a note when it is waited for.
fn known_target(
    topology: &Topology,
    fs: &str,
    id: TargetId,
    policy: &Policy,
) -> Result<Option<Note>, Finding> {
    let system = known_fs(topology, fs)?;
    if system.has(id) {
        return Ok(None);
    }
    let name = format!("{fs}-{id}");
    if policy.unregistered_targets {
        let message = format!("{name} is not registered: the setting waits until it is");
        return Ok(Some(Note { class: Class::BadDevice, message }));
    }
    let alike: Vec<TargetId> = system.targets().filter(|t| t.kind == id.kind).take(MOST_NAMED + 1).collect();
    let mut known: Vec<String> = alike.iter().take(MOST_NAMED).map(|t| format!("{fs}-{t}")).collect();
    if alike.len() > MOST_NAMED {
        known.push("…".to_owned());
    }
    let known = if known.is_empty() { format!("{fs} has no {}", id.kind.label()) } else { known.join(", ") };
    let finding =
        Finding::new(Class::BadDevice, &name, format!("no target {name} is registered")).allowed(known);
    Err(finding.suggest("register the target first, or correct its index"))
}

fn known_fs<'t>(topology: &'t Topology, fs: &str) -> Result<&'t FileSystem, Finding> {
    topology.filesystem(fs).ok_or_else(|| {
        let near = suggest::nearest(fs, topology.filesystems().map(|(name, _)| name));
        Finding::new(Class::BadDevice, fs, format!("no file system {:?} is registered", shown(fs)))
            .allowed(known_names(topology))
            .suggest_some(near.map(|n| format!("did you mean {n}?")))
    })
}

fn known_names(topology: &Topology) -> String {
    let mut names: Vec<&str> = topology.filesystems().map(|(name, _)| name).take(MOST_NAMED).collect();
    if topology.filesystems().nth(MOST_NAMED).is_some() {
        names.push("…");
    }
    if names.is_empty() { "no file system is registered".to_owned() } else { names.join(", ") }
}

/// The part of the path at a place; for what only the MGS knows, component and target.
fn word_at(tunable: &Tunable, at: usize) -> Option<&str> {
    match &tunable.path {
        Some(path) => path.split('.').nth(at),
        None => (at == 1).then_some("<fsname>"),
    }
}

/// What stands before the file system name in the devices of servers and name spaces.
const BEFORE: [&str; 7] = ["", "mdt-", "filter-", "cli-", "srv-", "ctl-", "cli-cli-"];

/// Whether some device of a file system fits.
fn about(piece: &Piece, fs: &str) -> bool {
    if !piece.wild {
        return BEFORE.iter().any(|before| {
            let rest = piece.text.strip_prefix(before).and_then(|t| t.strip_prefix(fs));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        });
    }
    let before = "(?:mdt-|filter-|cli-|srv-|ctl-|cli-cli-)?";
    let regex = format!("{before}{}(?:-[0-9A-Za-z_.:@-]*)?", regex_syntax::escape(fs));
    crate::automaton::Automaton::regex(&regex).is_ok_and(|a| a.meets(&piece.automaton))
}

/// The target that a device begins with, when all of its index is there.
fn target_of(literal: &str, fs: &str) -> Option<TargetId> {
    let rest =
        BEFORE.iter().find_map(|before| literal.strip_prefix(before)?.strip_prefix(fs)?.strip_prefix('-'))?;
    let (id, after) = rest.split_at_checked(7)?;
    TargetId::parse(id).filter(|_| after.is_empty() || after.starts_with(['-', '_']))
}

fn scope<'t>(topology: &'t Topology, assignment: &Assignment) -> Scope<'t> {
    let of = |fs: &str| topology.filesystems().find(|(name, _)| *name == fs);
    if assignment.syntax == Syntax::ConfParam {
        let device = assignment.name().split('.').next().unwrap_or_default();
        return match Device::parse(device) {
            Ok(Device::Target(fs, id)) => {
                of(&fs).map_or(Scope::Some(Vec::new()), |(n, f)| Scope::Target(n, f, id))
            }
            Ok(Device::FileSystem(fs)) => Scope::Some(of(&fs).into_iter().collect()),
            _ => Scope::All,
        };
    }
    let segments = pattern::segments(assignment.name());
    let Some(instance) = segments.get(1).filter(|_| segments.len() > 2) else { return Scope::All };
    let piece = Piece::new(instance);
    let fits: Vec<_> = topology.filesystems().filter(|(fs, _)| about(&piece, fs)).collect();
    match fits.as_slice() {
        [] => Scope::All,
        [(name, fs)] => match target_of(piece.literal_start(), name) {
            Some(id) => Scope::Target(name, fs, id),
            None => Scope::Some(fits),
        },
        _ => Scope::Some(fits),
    }
}
