//! From settings to logs: at the registration of a target, behind its sections, in the same commit.

use super::{Setting, Writeconf, pools};
use crate::Errno;
use crate::error::Error;
use crate::model::commit::EventKind;
use crate::model::conf_param::{self, Scope};
use crate::model::names::TargetId;
use crate::model::tx::Tx;
use std::collections::BTreeSet;

/// Logs that a setting may be written to.
#[derive(Clone, Copy, Debug)]
pub enum Reach<'a> {
    /// All that it belongs into.
    All,
    /// Of those, only these.
    Only(&'a BTreeSet<String>),
    /// Of those, the ones that hold no value of it.
    Missing,
}

impl Reach<'_> {
    /// Whether a log is among them.
    pub fn has(&self, log: &str) -> bool {
        match self {
            Self::All | Self::Missing => true,
            Self::Only(logs) => logs.contains(log),
        }
    }
}

/// Which settings a target's own log holds, and nothing else does.
const OWN: [&str; 6] = ["mdt.", "mdd.", "lod.", "lov.", "ost.", "osd."];

/// Writes what is wanted of a target that has just registered, and what is wanted of all and its log does not say yet.
/// `fresh`: logs that began with this registration.
pub fn bind(tx: &mut Tx<'_>, fs: &str, id: TargetId, fresh: &BTreeSet<String>) -> Result<(), Error> {
    let mut wanted: Vec<(Scope, String, Setting)> = Vec::new();
    for ((scope, name), setting) in tx.conf_settings(fs) {
        let here = match scope {
            Scope::Fs => true,
            Scope::Target(other) => *other == id || tx.target(fs, *other).is_some(),
        };
        if here && !setting.is_unset() {
            wanted.push((*scope, name.clone(), setting.clone()));
        }
    }
    // Where two set the same, the newer one ends behind the older.
    wanted.sort_by_key(|(_, _, setting)| setting.seq());
    for (scope, name, setting) in &wanted {
        let reach = if *scope == Scope::Target(id) { Reach::All } else { Reach::Only(fresh) };
        for value in setting.values.iter().filter(|v| !v.unset) {
            let setting =
                conf_param::Setting { fs, scope: *scope, name, value: &value.value, delete: false, reach };
            match conf_param::set(tx, &setting) {
                // From a kernel's logs, which take anything: it keeps no target out.
                Err(error) if [Errno::EINVAL, Errno::EPERM].contains(&error.errno()) => {}
                other => other?,
            }
        }
    }
    bind_paths(tx, fs, id)?;
    pools::bind(tx, fs)
}

/// Paths of `set_param -P` that name the target, and waited for it.
fn bind_paths(tx: &mut Tx<'_>, fs: &str, id: TargetId) -> Result<(), Error> {
    let name = id.svname(fs);
    let wanted: Vec<(String, Setting)> = tx
        .set_settings()
        .into_iter()
        .filter(|(path, setting)| !setting.is_unset() && path.contains(&name))
        .map(|(path, setting)| (path.to_owned(), setting.clone()))
        .collect();
    for (path, setting) in wanted {
        for value in setting.values.iter().filter(|v| !v.unset) {
            crate::model::command::param::write_path(tx, &path, &value.value)?;
        }
    }
    Ok(())
}

/// A writeconf of MDT0000 is about to erase every log of a file system. What was wanted stays, goes, or the writeconf
/// is refused, as somebody chose.
///
/// # Errors
/// `EBUSY`: nobody has chosen.
pub fn keep_on_erase(tx: &mut Tx<'_>, fs: &str, policy: Writeconf) -> Result<(), Error> {
    let all: Vec<(Scope, String, bool)> =
        tx.conf_settings(fs).into_iter().map(|((s, n), v)| (*s, n.clone(), v.is_unset())).collect();
    let wanted = all.iter().filter(|(.., unset)| !unset).count();
    match policy {
        Writeconf::Reapply => {
            for (scope, name, _) in all.iter().filter(|(.., unset)| *unset) {
                tx.set_conf_setting(fs, *scope, name, None);
            }
            pools::keep(tx, fs);
        }
        Writeconf::Wipe => {
            for (scope, name, _) in &all {
                tx.set_conf_setting(fs, *scope, name, None);
            }
            tx.set_waiting_pools(fs, None);
            if wanted > 0 {
                tx.event(EventKind::SettingsWiped { device: fs.to_owned(), settings: wanted as u64 });
            }
        }
        Writeconf::Ask => {
            let pools = crate::model::command::pool::pools(
                fs,
                tx.log(&crate::model::names::client_log(fs)).map(|entry| &entry.log),
            );
            if wanted + pools.len() > 0 {
                return Err(undecided(fs, fs, wanted, pools.len()));
            }
        }
    }
    Ok(())
}

/// A writeconf of one target is about to erase its log.
///
/// # Errors
/// `EBUSY`: nobody has chosen what becomes of its settings.
pub fn forget(tx: &mut Tx<'_>, fs: &str, id: TargetId, policy: Writeconf) -> Result<(), Error> {
    let own = |name: &str| OWN.iter().any(|class| name.starts_with(class));
    let mine = tx
        .conf_settings(fs)
        .into_iter()
        .filter(|((scope, name), _)| *scope == Scope::Target(id) && own(name));
    let mine: Vec<(String, bool)> = mine.map(|((_, name), v)| (name.clone(), v.is_unset())).collect();
    let wanted = mine.iter().filter(|(_, unset)| !unset).count();
    if policy == Writeconf::Ask && wanted > 0 {
        return Err(undecided(&id.svname(fs), fs, wanted, 0));
    }
    for (name, unset) in &mine {
        if *unset || policy == Writeconf::Wipe {
            tx.set_conf_setting(fs, Scope::Target(id), name, None);
        }
    }
    if policy == Writeconf::Wipe && wanted > 0 {
        tx.event(EventKind::SettingsWiped { device: id.svname(fs), settings: wanted as u64 });
    }
    Ok(())
}

fn undecided(device: &str, fs: &str, settings: usize, pools: usize) -> Error {
    Error::refused(
        format!("writeconf of '{device}'"),
        Errno::EBUSY,
        format!("would erase {settings} settings and {pools} pools, and nobody has said whether they stay"),
        format!("'mgsctl fs writeconf {fs} reapply' keeps them, 'wipe' lets them go; then mount it again"),
    )
}
