//! Names in the spelling of set_param: `component[.instance].name`, with wildcards.

use crate::assignment::{Syntax, shown};
use crate::device::{self, Device};
use crate::pattern::{self, Piece};
use crate::prefix::prefix;
use crate::translate::translate;
use crate::verdict::{Class, Finding, Note};

use super::conf::{did_you_mean, with_stars};
use super::{Found, Judge, suggest};

/// Longest component of a name that the MGS stores (E2BIG beyond).
const MAX_COMPONENT: usize = 64;

impl<'a> Judge<'a> {
    pub(super) fn set(&self, syntax: Syntax, name: &str, value: &str) -> Result<Found<'a>, Finding> {
        let names = pattern::alternatives(name)
            .map_err(|why| Finding::new(Class::Syntax, name, format!("the name {:?}: {why}", shown(name))))?;
        let mut found = Found {
            hits: Vec::new(),
            name: name.to_owned(),
            value: value.to_owned(),
            canonical: String::new(),
            notes: Vec::new(),
        };
        for name in &names {
            let segments = pattern::segments(name);
            if segments.iter().any(String::is_empty) {
                let message = format!("a part of the name {:?} is empty", shown(name));
                return Err(
                    Finding::new(Class::Syntax, name, message).suggest("write COMPONENT.DEVICE.NAME=VALUE")
                );
            }
            let long = segments.iter().find(|s| s.len() > MAX_COMPONENT);
            if let Some(long) = long.filter(|_| syntax.stores()) {
                let message = format!("{:?} has {} characters", shown(long), long.len());
                let finding = Finding::new(Class::Length, long, message);
                return Err(finding.allowed(format!("at most {MAX_COMPONENT} in one part of a name")));
            }
            let pieces: Vec<Piece> = segments.iter().map(|s| Piece::new(s)).collect();
            if syntax.stores()
                && let Some(hit) = self.special(&segments)?
            {
                found.hits.push(hit);
                continue;
            }
            let hits = self.catalogue.by_segments(&pieces);
            if hits.is_empty() {
                return Err(self.nowhere(name, &segments, &pieces, value));
            }
            if let Some(squash) = hits.iter().find(|t| {
                syntax.stores() && matches!(t.id.as_str(), "llite.root_squash" | "llite.nosquash_nids")
            }) {
                let finding = Finding::new(Class::Refused, name, "clients take it from the MDTs");
                return Err(finding.suggest(format!("write mdt.*.{}: clients follow", squash.name)));
            }
            found.hits.extend(hits);
        }
        found.hits.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        found.hits.dedup_by(|a, b| a.id == b.id);
        if syntax.stores()
            && found.hits.iter().any(|t| matches!(t.id.as_str(), "mdt.root_squash" | "mdt.nosquash_nids"))
        {
            found.notes.push(Note {
                class: Class::RuntimeLimit,
                message: "each node applies it to every component that has the name, clients included"
                    .to_owned(),
            });
        }
        Ok(found)
    }

    /// Names that the MGS takes apart itself.
    fn special(&self, segments: &[String]) -> Result<Option<&'a crate::Tunable>, Finding> {
        let refused = |what: &str, message: &str, next: &str| {
            Err(Finding::new(Class::Refused, what, message.to_owned()).suggest(next.to_owned()))
        };
        let name = segments.join(".");
        match segments {
            [first, ..] if first == "srpc" => refused(
                &name,
                "the MGS reads it and passes it on to nobody",
                "use lctl conf_param FSNAME.srpc.flavor.…",
            ),
            [.., last]
                if matches!(last.as_str(), "mgsnode" | "network" | "autodegrade") && segments.len() <= 2 =>
            {
                refused(
                    &name,
                    "is ignored by the MGS, which says that it was done",
                    "use tunefs.lustre on the target, or lctl replace_nids",
                )
            }
            [.., before, last] if before == "failover" && last == "mode" => refused(
                &name,
                "the failover mode is part of a target",
                "use tunefs.lustre --param failover.mode=… on the target, with --writeconf",
            ),
            [component, target, before, last] if before == "failover" && last == "node" => {
                if pattern::is_wild(component) || pattern::is_wild(target) {
                    return refused(&name, "failover.node takes no wildcard (ENODEV)", "name one target");
                }
                let device = Device::parse(target).map_err(|why| {
                    Finding::new(Class::BadDevice, target, format!("the target {:?} {why}", shown(target)))
                })?;
                let wanted = match device.kind().map(device::TargetKind::node) {
                    Some("ost") => "obdfilter",
                    Some(_) => "mdt",
                    None => {
                        let message = format!("failover.node needs a target, and {device} is not");
                        return Err(Finding::new(Class::WrongTarget, target, message));
                    }
                };
                if component != wanted {
                    let message = format!("{device} is not below {component:?}");
                    let finding = Finding::new(Class::WrongComponent, &name, message);
                    return Err(finding.suggest(format!("write {wanted}.{device}.failover.node")));
                }
                Ok(self.catalogue.by_id("mgs.failover.node"))
            }
            [.., before, last] if before == "failover" && last == "node" => refused(
                &name,
                "failover.node needs component and target (ENODEV)",
                "write obdfilter.TARGET.failover.node or mdt.TARGET.failover.node",
            ),
            _ => Ok(None),
        }
    }

    /// Why a pattern hits nothing.
    fn nowhere(&self, name: &str, segments: &[String], pieces: &[Piece], value: &str) -> Finding {
        let device = segments.first().and_then(|first| Device::parse(first).ok());
        // The longest ending that is a name somewhere: names may have dots.
        let endings =
            || (0..segments.len()).filter_map(|from| segments.get(from..).map(|s| (from, s.join("."))));
        for (from, ending) in endings() {
            let components: Vec<String> = match from {
                0 => vec![String::new()],
                _ => (1..=from.min(2)).filter_map(|n| segments.get(..n)).map(|s| s.join(".")).collect(),
            };
            let components: Vec<&str> = components.iter().map(String::as_str).collect();
            if let Some(finding) = self.removed(&components, &ending, None) {
                return finding;
            }
        }
        // The spelling of the other command.
        if device.is_some()
            && segments.get(1).is_some_and(|p| prefix(p).is_some())
            && let Some(set) = translate(Syntax::ConfParam, name).first()
            && !self.catalogue.by_pattern(&set.name).is_empty()
        {
            let message = format!("{:?} is the spelling of conf_param", shown(name));
            let finding = Finding::new(Class::WrongComponent, name, message);
            return finding.suggest(format!(
                "write {}={}, or lctl conf_param {}={1}",
                set.name,
                shown(value),
                shown(name)
            ));
        }
        for (from, ending) in endings() {
            let there = self.catalogue.by_name(&ending);
            if there.is_empty() {
                continue;
            }
            let component = segments.first().map_or("", String::as_str);
            let same: Vec<_> = there
                .iter()
                .copied()
                .filter(|t| {
                    let all = t.component.iter().chain(&t.aliases);
                    let mut firsts = all.filter_map(|c| c.split('.').next());
                    from > 0 && pieces.first().is_some_and(|p| firsts.any(|f| p.hits(f)))
                })
                .collect();
            if let Some(first) = same.first()
                && let Some(path) = &first.path
            {
                let devices = pieces.get(1..from).unwrap_or_default();
                let form = with_stars(path);
                if let Some(bad) = devices.iter().find(|d| !self.catalogue.is_device(d)) {
                    let message = format!("{:?} is no device of {component}", shown(&bad.text));
                    let finding = Finding::new(Class::BadDevice, &bad.text, message);
                    let allowed = first.instance.clone().unwrap_or_default();
                    return finding.allowed(allowed).suggest_some(self.near_device(&bad.text));
                }
                let message = if devices.is_empty() {
                    format!("the device is missing in {:?}", shown(name))
                } else {
                    let devices: Vec<&str> = devices.iter().map(|d| d.text.as_str()).collect();
                    format!("there is no {:?} below {component}", shown(&devices.join(".")))
                };
                return Finding::new(Class::WrongComponent, name, message)
                    .suggest(format!("write {form}={}", shown(value)));
            }
            return self.elsewhere(name, &there, None);
        }
        let last = segments.last().map_or("", String::as_str);
        let message = format!("no node has a parameter that {:?} names", shown(name));
        let finding = Finding::new(Class::Unknown, name, message);
        let component = segments.first().filter(|_| segments.len() > 1);
        let here = |n: &str| {
            self.catalogue.by_name(n).iter().any(|t| {
                t.component.as_deref().and_then(|c| c.split('.').next()) == component.map(String::as_str)
            })
        };
        finding.suggest_some(did_you_mean(&suggest::names(self.catalogue, last, here)))
    }

    /// A name of older releases, or an old spelling of one.
    pub(super) fn removed(
        &self,
        components: &[&str],
        name: &str,
        device: Option<&Device>,
    ) -> Option<Finding> {
        let fits = |component: &str| {
            components.iter().any(|typed| {
                *typed == component || (pattern::is_wild(typed) && Piece::new(typed).hits(component))
            })
        };
        if let Some(old) = self.catalogue.removed().iter().find(|r| r.name == name && fits(&r.component)) {
            let message = format!("{name} went away after release {}", old.last);
            let note = old.note.as_ref().map(|n| format!(" ({n})")).unwrap_or_default();
            let mut finding = Finding::new(Class::Removed, name, format!("{message}{note}"));
            // Where nodes of that release are registered they still take it.
            finding.inferred = self.has_old_nodes(device, &old.last);
            let next = old.replacement.as_ref().map(|r| format!("write {r}"));
            return Some(finding.suggest("leave it out").suggest_some(next));
        }
        let alias = self.catalogue.aliases().iter().find(|a| {
            a.from.split_once('.').is_some_and(|(component, old)| old == name && fits(component))
                && self.catalogue.by_id(&a.from).is_none()
        })?;
        let message = format!("{} is an old name ({})", alias.from, alias.note);
        Some(Finding::new(Class::Removed, name, message).suggest(format!("write {}", alias.to)))
    }
}
