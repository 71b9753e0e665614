//! What is in force and what waits, with who wanted it.

use super::in_force::{InForce, in_force};
use super::{PARAMS, device_name};
use crate::model::conf_param::Scope;
use crate::model::names::{TargetId, log_base};
use crate::model::settings::{Setting, Value};
use crate::model::view::View;

/// A parameter, with its assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What, and where it stands; nowhere: it waits for its target.
    pub param: InForce,
    /// Who assigned it; `None`: the logs have it, and nobody assigned it here.
    pub assigned: Option<Value>,
    /// The commit that wrote the first of its records.
    pub written: Option<u64>,
}

/// Parameters of a file system, or of all of them with those of `set_param -P`.
pub fn listed(view: &View, fs: Option<&str>) -> Vec<Listed> {
    let wanted = view.logs.iter().filter(|(name, _)| fs.is_none_or(|fs| log_base(name) == fs));
    let found = in_force(wanted.map(|(name, entry)| (name.as_str(), &entry.log)));
    let mut out: Vec<Listed> = found
        .into_iter()
        .map(|p| Listed { assigned: assigned(view, &p), written: written(view, &p), param: p })
        .collect();
    for (name, settings) in view.settings.conf.iter().filter(|(name, _)| fs.is_none_or(|fs| fs == *name)) {
        for ((scope, param), setting) in settings {
            let here = |id: &TargetId| view.fs.get(name).is_some_and(|fs| fs.targets.contains_key(id));
            if matches!(scope, Scope::Target(id) if !here(id)) {
                out.extend(waiting(Some(device_name(name, *scope)), param, setting));
            }
        }
    }
    if fs.is_none_or(|fs| fs == PARAMS) {
        for (path, setting) in &view.settings.set {
            if !out.iter().any(|l| l.param.device.is_none() && l.param.name == *path) {
                out.extend(waiting(None, path, setting));
            }
        }
    }
    out.sort_by(|a, b| a.param.cmp(&b.param));
    out
}

fn waiting(device: Option<String>, name: &str, setting: &Setting) -> Vec<Listed> {
    let values = setting.values.iter().filter(|v| !v.unset);
    let param = |value: &Value| InForce {
        device: device.clone(),
        name: name.to_owned(),
        value: value.value.clone(),
        logs: Vec::new(),
    };
    let listed = |value: &Value| Listed { param: param(value), assigned: Some(value.clone()), written: None };
    values.map(listed).collect()
}

fn written(view: &View, param: &InForce) -> Option<u64> {
    let (log, index) = param.logs.first()?;
    view.logs.get(log)?.commit_of(*index)
}

fn assigned(view: &View, param: &InForce) -> Option<Value> {
    let value = |setting: Option<&Setting>| setting?.values.iter().rfind(|v| v.value == param.value).cloned();
    let Some(device) = &param.device else { return value(view.settings.set.get(&param.name)) };
    let named = |fs: &str, scope, name: &str| view.settings.conf.get(fs)?.get(&(scope, name.to_owned()));
    let known = |fs: &str, scope| value(named(fs, scope, &param.name));
    if view.fs.contains_key(device) {
        return known(device, Scope::Fs).or_else(|| follows(view, device, param));
    }
    let (fs, id) = TargetId::parse_svname(device)?;
    // What is set on all MDTs stands in the log of each under its own name; other MDTs have `mdc.active` under another.
    let active = || value(named(fs, Scope::Target(id), "mdc.active").filter(|_| param.name == "osp.active"));
    known(fs, Scope::Target(id)).or_else(|| known(fs, Scope::Fs)).or_else(active)
}

/// What clients are told because something was set on MDTs.
fn follows(view: &View, fs: &str, param: &InForce) -> Option<Value> {
    let of = match param.name.as_str() {
        "llite.root_squash" => "mdt.root_squash",
        "llite.nosquash_nids" => "mdt.nosquash_nids",
        name if name.starts_with("lov.") => name,
        _ => return None,
    };
    let settings = view.settings.conf.get(fs)?.iter().filter(|((_, name), _)| name == of);
    let values = settings.flat_map(|(_, setting)| &setting.values).filter(|v| v.value == param.value);
    values.max_by_key(|v| v.seq).cloned()
}
