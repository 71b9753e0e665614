//! Names in the spelling of conf_param: `DEVICE.PREFIX.NAME`.

use crate::assignment::{Syntax, shown};
use crate::device::Device;
use crate::entry::{Mode, Tunable};
use crate::prefix::{PREFIXES, Prefix, SYS, prefix};
use crate::translate::translate;
use crate::verdict::{Class, Finding};

use super::{Found, Judge, Policy, suggest};

/// Directions of a security rule (`mgs/08`).
const DIRECTIONS: [&str; 4] = ["mdt2mdt", "mdt2ost", "cli2mdt", "cli2ost"];

impl<'a> Judge<'a> {
    pub(super) fn conf(&self, name: &str, value: &str, policy: &Policy) -> Result<Found<'a>, Finding> {
        let Some((device_text, rest)) = name.split_once('.') else {
            let finding = Finding::new(Class::Syntax, name, "there is no dot between device and parameter");
            return Err(
                finding.suggest("write DEVICE.PREFIX.NAME=VALUE, such as testfs-OST0000.osc.max_dirty_mb=64")
            );
        };
        let device = self.device(device_text)?;
        let waiting = self.known_device(&device, policy)?;
        let found = |hits| Found {
            hits,
            name: name.to_owned(),
            value: value.to_owned(),
            canonical: String::new(),
            notes: waiting.iter().cloned().collect(),
        };
        never(rest)?;
        let Some((prefix, param)) =
            rest.split_once('.').filter(|(_, param)| !param.is_empty()).map(|(p, n)| (prefix(p), n))
        else {
            let known = prefix(rest.trim_end_matches('.')).is_some();
            let message = if known {
                "there is no parameter after the prefix"
            } else {
                "there is no prefix before the parameter"
            };
            let finding = Finding::new(Class::UnknownPrefix, rest, format!("{}: {message}", shown(rest)));
            return Err(finding.allowed(prefixes()).suggest("write DEVICE.PREFIX.NAME=VALUE"));
        };
        let Some(prefix) = prefix else { return Err(self.unknown_prefix(&device, rest)) };
        self.refused(&device, prefix, param)?;
        self.fits(&device, prefix, param)?;
        match prefix.name {
            "srpc" => return self.flavor(param).map(found),
            "quota" | "failover" => {
                let hits = self.catalogue.by_conf_param(rest);
                if hits.is_empty() {
                    let allowed =
                        if prefix.name == "quota" { "quota.mdt, quota.ost" } else { "failover.node" };
                    let finding = Finding::new(
                        Class::Unknown,
                        param,
                        format!("{} knows no {:?}", prefix.name, shown(param)),
                    );
                    return Err(finding.allowed(allowed));
                }
                return Ok(found(hits));
            }
            _ => {}
        }
        let hits = self.under(prefix, rest, param);
        if hits.is_empty() {
            return Err(self.missing(&device, prefix, name, param));
        }
        let writable: Vec<&&Tunable> = hits.iter().filter(|t| t.mode != Mode::Ro).collect();
        if let Some(first) = writable.iter().find(|t| t.not_stored().is_none()) {
            let reached = |t: &&&Tunable| t.conf_param.is_some();
            if !writable.iter().any(reached) {
                let message = format!("conf_param cannot set {}", first.id);
                let finding = Finding::new(Class::NoConfParam, rest, message);
                return Err(finding.suggest(format!("write {}", self.set_form(name, first, value))));
            }
            if let Some(shadow) = writable.iter().find_map(|t| t.shadow()) {
                let message =
                    format!("conf_param looks names up by their beginning, and would write {shadow} instead");
                let finding = Finding::new(Class::Shadowed, rest, message);
                return Err(finding.suggest(format!("write {}", self.set_form(name, first, value))));
            }
        }
        Ok(found(hits))
    }

    /// The device, registered where that is known.
    fn device(&self, text: &str) -> Result<Device, Finding> {
        if text.is_empty() {
            return Err(Finding::new(Class::Syntax, text, "there is no device before the first dot")
                .suggest("begin with a file system or target name"));
        }
        // A registered name is right, whatever it looks like.
        if let Some(topology) = self.topology
            && topology.filesystem(text).is_some()
        {
            return Ok(Device::FileSystem(text.to_owned()));
        }
        Device::parse(text).map_err(|why| {
            let finding = Finding::new(Class::BadDevice, text, format!("the device {:?} {why}", shown(text)));
            finding.suggest_some(self.near_device(text))
        })
    }

    fn unknown_prefix(&self, device: &Device, rest: &str) -> Finding {
        let (head, param) = rest.split_once('.').unwrap_or((rest, ""));
        let message = format!("conf_param knows no prefix {:?}", format!("{}.", shown(head)));
        let finding = Finding::new(Class::UnknownPrefix, head, message).allowed(prefixes());
        let better = match head {
            "obdfilter" | "ofd" => Some("ost"),
            "osp" => Some("osc"),
            "osd-ldiskfs" | "osd-zfs" | "osd-*" => Some("osd"),
            _ => suggest::nearest(head, PREFIXES.iter().map(|p| p.name)),
        };
        if let Some(better) = better {
            return finding.suggest(format!("write {device}.{better}.{}", shown(param)));
        }
        let here = self.catalogue.by_name(param);
        let path = here
            .iter()
            .find(|t| t.component.as_deref().is_some_and(|c| c.starts_with(head)))
            .or(here.first());
        match path.and_then(|t| t.path.as_ref()) {
            Some(path) => finding.suggest(format!("write lctl set_param -P {path}=VALUE")),
            None => finding.suggest("see mgsctl param explain NAME"),
        }
    }

    /// Names that are right in their form and never right.
    fn refused(&self, device: &Device, prefix: &Prefix, param: &str) -> Result<(), Finding> {
        let squash = matches!(param, "root_squash" | "nosquash_nids");
        let fs = device.fs().unwrap_or_default();
        let refuse = |message: &str, next: String| {
            Err(Finding::new(Class::Refused, &format!("{}.{param}", prefix.name), message).suggest(next))
        };
        match (prefix.name, device.target()) {
            ("llite", _) if squash => {
                refuse("clients take it from the MDTs", format!("write {fs}.mdt.{param}: clients follow"))
            }
            ("mdt", Some(_)) if squash => {
                refuse("it holds for a whole file system, not for one MDT", format!("write {fs}.mdt.{param}"))
            }
            ("mdc", Some(id)) if param == "active" && id.index == 0 => refuse(
                "MDT0000 holds the root directory and cannot be switched off",
                "leave it active".to_owned(),
            ),
            ("failover", _) if param == "mode" => refuse(
                "the failover mode is part of a target",
                "use tunefs.lustre --param failover.mode=… on the target, with --writeconf".to_owned(),
            ),
            ("srpc", _) if param.starts_with("udesc") => {
                refuse("this version of Lustre refuses it (EINVAL)", "leave it out".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn fits(&self, device: &Device, prefix: &Prefix, param: &str) -> Result<(), Finding> {
        if *device == Device::Mgs && prefix.name != "srpc" {
            let finding = Finding::new(Class::WrongTarget, "_mgs", "_mgs takes srpc. rules only");
            return Err(finding.suggest("name a file system or a target"));
        }
        if prefix.needs.fits(device) {
            return Ok(());
        }
        let message = format!("{}. needs {}, and {device} is not", prefix.name, prefix.needs.label());
        let finding = Finding::new(Class::WrongTarget, &device.to_string(), message);
        let fs = device.fs().unwrap_or_default();
        let better = format!("{}.{}.{}", prefix.needs.example(fs), prefix.name, shown(param));
        Err(finding.suggest(format!("write {better}")))
    }

    /// The tunables of a prefix with this name: those that conf_param reaches, else all.
    fn under(&self, prefix: &Prefix, rest: &str, param: &str) -> Vec<&'a Tunable> {
        let belongs = |t: &&Tunable| prefix.ids.iter().any(|id| t.id.starts_with(id));
        // `lod.` reaches what is listed as `lov.`
        let listed = if prefix.name == "lod" { format!("lov.{param}") } else { rest.to_owned() };
        let reached: Vec<&Tunable> =
            self.catalogue.by_conf_param(&listed).into_iter().filter(belongs).collect();
        if !reached.is_empty() || crate::pattern::is_wild(param) {
            return reached;
        }
        if prefix.name == "sys" {
            return self.catalogue.by_id(&format!("global.{param}")).into_iter().collect();
        }
        let mut all: Vec<&Tunable> = Vec::new();
        for id in prefix.ids {
            let component = id.split('.').next().unwrap_or_default();
            all.extend(
                self.catalogue.by_pattern(&format!("{component}.*.{param}")).into_iter().filter(belongs),
            );
        }
        all.dedup();
        all
    }

    /// A name that the prefix does not have.
    fn missing(&self, device: &Device, prefix: &Prefix, name: &str, param: &str) -> Finding {
        let components: Vec<&str> = prefix.ids.iter().map(|id| id.trim_end_matches('.')).collect();
        if let Some(finding) = self.removed(&components, param, Some(device)) {
            return finding;
        }
        let elsewhere = self.catalogue.by_name(param);
        if !elsewhere.is_empty() {
            return self.elsewhere(&format!("{}.{param}", prefix.name), &elsewhere, Some(device));
        }
        let message = format!("there is no parameter {:?} below {}.", shown(param), prefix.name);
        let finding = Finding::new(Class::Unknown, name, message);
        if prefix.name == "sys" {
            let near = suggest::nearest(param, SYS.iter().copied())
                .map(|n| format!("did you mean {device}.sys.{n}?"));
            return finding.allowed(SYS.join(", ")).suggest_some(near);
        }
        let here = |n: &str| {
            self.catalogue.by_name(n).iter().any(|t| prefix.ids.iter().any(|id| t.id.starts_with(id)))
        };
        let near = suggest::names(self.catalogue, param, here);
        finding.suggest_some(did_you_mean(&near))
    }

    /// Where a name of another component lives.
    pub(super) fn elsewhere(&self, typed: &str, there: &[&Tunable], device: Option<&Device>) -> Finding {
        // mdt.threads_max is meant for the services of the MDS: what begins alike comes first.
        let head = typed.split(['.', '/']).next().unwrap_or_default();
        let alike = |t: &Tunable| {
            let component = t.component.as_deref().unwrap_or_default();
            component.bytes().zip(head.bytes()).take_while(|(a, b)| a == b).count()
        };
        let mut there = there.to_vec();
        there.sort_by_key(|t| std::cmp::Reverse(alike(t)));
        let ids: Vec<&str> = there.iter().take(3).map(|t| t.id.as_str()).collect();
        let more = if there.len() > 3 { format!(" and {} more", there.len() - 3) } else { String::new() };
        let message =
            format!("{:?} does not exist; the name lives in {}{more}", shown(typed), ids.join(", "));
        let finding = Finding::new(Class::WrongComponent, typed, message);
        let conf = device.and_then(|d| there.iter().find_map(|t| conf_of(t, d)));
        let set = there.iter().find_map(|t| t.path.as_ref());
        match (conf, set) {
            (Some(conf), _) => finding.suggest(format!("write lctl conf_param {conf}")),
            (None, Some(path)) => finding.suggest(format!("write lctl set_param -P {}", with_stars(path))),
            (None, None) => finding,
        }
    }

    /// The same setting for set_param -P.
    fn set_form(&self, name: &str, tunable: &Tunable, value: &str) -> String {
        let translated = translate(Syntax::ConfParam, name);
        let hits = |n: &str| self.catalogue.by_pattern(n).iter().any(|t| t.id == tunable.id);
        let same = translated.iter().map(|t| t.name.clone()).find(|n| hits(n));
        let path = same.or_else(|| tunable.path.as_deref().map(with_stars)).unwrap_or_default();
        format!("lctl set_param -P {path}={}", shown(value))
    }

    /// `flavor.NET[.DIRECTION]`.
    fn flavor(&self, param: &str) -> Result<Vec<&'a Tunable>, Finding> {
        let unknown = |message: String| Finding::new(Class::Unknown, param, message);
        let mut words = param.split('.');
        let form = "srpc.flavor.NET[.DIRECTION]";
        if words.next() != Some("flavor") {
            return Err(unknown(format!("srpc knows no {:?}", shown(param))).allowed(form));
        }
        let net = words.next().unwrap_or_default();
        let letters = net.trim_end_matches(|c: char| c.is_ascii_digit());
        let known = ["tcp", "o2ib", "gni", "gip", "ptlf", "kfi", "efa", "bxi3f", "lo"];
        if net != "default" && (net.len() > 16 || !known.contains(&letters)) {
            return Err(unknown(format!("{:?} is no network", shown(net)))
                .allowed("default, or an LNet network such as tcp1"));
        }
        match (words.next(), words.next()) {
            (None, _) => {}
            (Some(direction), None) if DIRECTIONS.contains(&direction) => {}
            (Some(other), _) => {
                let finding = unknown(format!("there is no direction {:?}", shown(other)))
                    .allowed(DIRECTIONS.join(", "));
                let near = suggest::nearest(other, DIRECTIONS);
                return Err(finding.suggest_some(near.map(|n| format!("did you mean {n}?"))));
            }
        }
        Ok(self.catalogue.by_id("mgs.srpc.flavor").into_iter().collect())
    }
}

/// Names that the kernel drops with success, or refuses always.
fn never(rest: &str) -> Result<(), Finding> {
    let (message, next) = match rest {
        "mgsnode" | "network" => (
            "is ignored by the MGS, which says that it was done",
            "use tunefs.lustre on the target, or lctl replace_nids",
        ),
        "autodegrade" => ("is ignored by the MGS, which says that it was done", "leave it out"),
        _ => return Ok(()),
    };
    Err(Finding::new(Class::Refused, rest, format!("{rest} {message}")).suggest(next))
}

fn prefixes() -> String {
    let all: Vec<String> = PREFIXES.iter().map(|p| format!("{}.", p.name)).collect();
    all.join(" ")
}

/// The conf_param name of a tunable for this file system, with a star for a target that is not named.
fn conf_of(tunable: &Tunable, device: &Device) -> Option<String> {
    let name = tunable.conf_param.as_ref()?;
    let fs = device.fs()?;
    let (pattern, rest) = name.split_once('.')?;
    let target = device.target().map(|id| id.to_string());
    let fitting = match (pattern, &target) {
        ("<fsname>", _) => fs.to_owned(),
        ("<fsname>-OST<idx>", Some(t)) if t.starts_with("OST") => format!("{fs}-{t}"),
        ("<fsname>-MDT<idx>", Some(t)) if t.starts_with("MDT") => format!("{fs}-{t}"),
        ("<fsname>-OST<idx>", _) => format!("{fs}-OST0000"),
        ("<fsname>-MDT<idx>", _) => format!("{fs}-MDT0000"),
        _ => return None,
    };
    Some(format!("{fitting}.{rest}"))
}

/// A path with a star for each placeholder.
pub(super) fn with_stars(path: &str) -> String {
    let mut text = String::new();
    let mut depth = false;
    for c in path.chars() {
        match c {
            '<' => {
                depth = true;
                if !text.ends_with('*') {
                    text.push('*');
                }
            }
            '>' => depth = false,
            _ if !depth => text.push(c),
            _ => {}
        }
    }
    text
}

pub(super) fn did_you_mean(names: &[&str]) -> Option<String> {
    match names {
        [] => None,
        names => Some(format!("did you mean {}?", names.join(" or "))),
    }
}
