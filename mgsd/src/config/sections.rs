//! `[[mgs]]`: several MGS in one process. Each has NIDs, addresses, sockets and a store of its own; what it leaves out
//! is as above the sections.
//!
//! ```text
//! data = "DIR", api = "unix:RUN/api.sock"       store of NAME: DIR/NAME       API of NAME: RUN/NAME/api.sock
//! ```

use super::{Config, ConfigError, File, Options, Tuning, unix_path};
use lnet_core::RouteError;
use serde::Deserialize;
use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};
use store_backends::Place;
use wire::Nid;

/// Longest name, bytes.
const NAME_MAX: usize = 32;
/// Longest path of a Unix socket, bytes: `sun_path` of `struct sockaddr_un` less its NUL.
const SOCKET_MAX: usize = 107;

/// One of them, as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    name: String,
    nid: Vec<String>,
    store: Option<String>,
    #[serde(default)]
    bind: Vec<IpAddr>,
    wait_address: Option<bool>,
    route: Option<Vec<String>>,
    relay: Option<String>,
    ir_timeout: Option<u64>,
    dead_sections: Option<bool>,
    check_interval: Option<u64>,
    keep_commits: Option<u64>,
    keep_days: Option<u64>,
    prune_interval: Option<u64>,
}

impl Section {
    fn tuning(&self, above: Tuning) -> Tuning {
        Tuning {
            ir_timeout: self.ir_timeout.or(above.ir_timeout),
            dead_sections: self.dead_sections.or(above.dead_sections),
            check_interval: self.check_interval.or(above.check_interval),
            keep_commits: self.keep_commits.or(above.keep_commits),
            keep_days: self.keep_days.or(above.keep_days),
            prune_interval: self.prune_interval.or(above.prune_interval),
        }
    }
}

/// What belongs to one MGS is said in its section, and nowhere else.
pub(super) fn nothing_beside_them(options: &Options, file: &File, path: &Path) -> Result<(), ConfigError> {
    let said = [
        ("--nid", !options.nid.is_empty()),
        ("--store", options.store.is_some()),
        ("--bind", !options.bind.is_empty()),
        ("--relay", options.relay.is_some()),
        ("nid", !file.nid.is_empty()),
        ("store", file.store.is_some()),
        ("bind", !file.bind.is_empty()),
        ("relay", file.relay.is_some()),
    ];
    match said.iter().find(|(_, said)| *said) {
        None => Ok(()),
        Some((word, _)) => Err(ConfigError::Parse {
            path: path.to_owned(),
            what: format!(
                "{word} beside [[mgs]] sections: it belongs to one MGS; say {} in its section",
                word.trim_start_matches('-')
            ),
        }),
    }
}

/// All sections. `above`: what they leave out.
pub(super) fn all(above: &Config, file: &File, path: &Path) -> Result<Vec<Config>, ConfigError> {
    let mut done: Vec<Config> = Vec::new();
    for section in &file.mgs {
        let bad = |what: String| ConfigError::Section {
            path: path.to_owned(),
            section: section.name.clone(),
            what,
        };
        let config = one(section, above, Tuning::of(file)).map_err(bad)?;
        for other in &done {
            apart(&config, other).map_err(bad)?;
        }
        done.push(config);
    }
    if let [only] = done.as_mut_slice() {
        only.api_alias = Some(above.api.clone());
    }
    Ok(done)
}

fn one(section: &Section, above: &Config, tuning: Tuning) -> Result<Config, String> {
    let (name, tuning) = (&section.name, section.tuning(tuning));
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !begins || name.len() > NAME_MAX || !name.chars().all(plain) {
        return Err(format!(
            "not a name; allowed: 1 to {NAME_MAX} letters, digits, - and _, beginning with a letter or digit"
        ));
    }
    if section.nid.is_empty() {
        return Err("nid = []: an MGS needs a NID, such as nid = [\"10.0.0.1@tcp\"]".to_owned());
    }
    let nids = section.nid.iter().map(|text| {
        text.parse::<Nid>().map_err(|_| format!("nid \"{text}\" is not a NID, such as 10.0.0.1@tcp"))
    });
    let store = match &section.store {
        Some(text) => Place::parse(text).map_err(|e| format!("store: {e}"))?,
        None => Place::Sqlite(above.data.join(name)),
    };
    let routes = match &section.route {
        Some(route) => {
            let parsed = route.iter().map(|text| text.parse());
            parsed.collect::<Result<_, RouteError>>().map_err(|e| e.to_string())?
        }
        None => above.routes.clone(),
    };
    let relay = section.relay.as_ref();
    let relay = relay.map(|text| unix_path(text).map_err(|e| format!("relay = \"{text}\": {e}")));
    let config = Config {
        name: Some(name.clone()),
        data: above.data.join(name),
        store,
        nids: nids.collect::<Result<_, _>>()?,
        port: above.port,
        bind: section.bind.clone(),
        wait_address: section.wait_address.unwrap_or(above.wait_address),
        routes,
        api: beside(&above.api, name),
        api_alias: None,
        relay: relay.transpose()?,
        catalogue: above.catalogue.clone(),
        ir_timeout: tuning.ir_timeout(),
        dead_sections: tuning.dead_sections.unwrap_or(false),
        check_interval: tuning.check_interval(),
        keep: tuning.keep(),
    };
    for (word, socket) in [("api", Some(&config.api)), ("relay", config.relay.as_ref())] {
        if let Some(path) = socket.filter(|path| path.as_os_str().len() > SOCKET_MAX) {
            let bytes = path.as_os_str().len();
            return Err(format!(
                "{word}: the socket {} has {bytes} bytes, {SOCKET_MAX} are allowed; shorten the name or the directory",
                path.display()
            ));
        }
    }
    Ok(config)
}

/// The socket of one MGS: in a directory of its name beside the socket of all.
fn beside(socket: &Path, name: &str) -> PathBuf {
    let mut path = socket.parent().unwrap_or(Path::new("")).join(name);
    path.push(socket.file_name().unwrap_or("api.sock".as_ref()));
    path
}

/// Nothing of the one is the other's.
fn apart(new: &Config, old: &Config) -> Result<(), String> {
    let other = old.name.as_deref().unwrap_or_default();
    if new.name == old.name {
        return Err("two sections have this name; each needs its own".to_owned());
    }
    if let Some(nid) = new.nids.iter().find(|nid| old.nids.contains(nid)) {
        return Err(format!(
            "nid \"{nid}\" is a NID of [[mgs]] {other:?}: nodes choose their MGS by it; each needs its own"
        ));
    }
    if new.relay.is_some() && new.relay == old.relay {
        let relay = new.relay.as_deref().unwrap_or(Path::new("")).display().to_string();
        return Err(format!("relay \"unix:{relay}\" is that of [[mgs]] {other:?}; each needs its own"));
    }
    if is_same(&new.store, &old.store) {
        return Err(format!("store \"{}\" is that of [[mgs]] {other:?}; each needs its own", new.store));
    }
    if new.relay.is_none() && old.relay.is_none() {
        for ip in listens(new) {
            let taken = |at: &IpAddr| {
                *at == ip || (at.is_ipv4() == ip.is_ipv4() && (at.is_unspecified() || ip.is_unspecified()))
            };
            if let Some(at) = listens(old).find(taken) {
                return Err(format!(
                    "address {ip} meets {at} of [[mgs]] {other:?}: all listen on one port; each needs addresses of its own"
                ));
            }
        }
    }
    Ok(())
}

fn listens(config: &Config) -> impl Iterator<Item = IpAddr> + '_ {
    let own = config.nids.iter().filter(|_| config.bind.is_empty()).filter_map(|nid| nid.ip());
    config.bind.iter().copied().chain(own)
}

fn is_same(a: &Place, b: &Place) -> bool {
    match (a, b) {
        (Place::Sqlite(a), Place::Sqlite(b)) => real(a) == real(b),
        (Place::Etcd(a), Place::Etcd(b)) => {
            a.prefix == b.prefix && a.endpoints.iter().any(|member| b.endpoints.contains(member))
        }
        _ => false,
    }
}

/// A path without links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for there in absolute.ancestors() {
        if let (Ok(mut known), Ok(rest)) = (there.canonicalize(), absolute.strip_prefix(there)) {
            for part in rest.components() {
                // What is to be made has no links.
                match part {
                    Component::ParentDir => drop(known.pop()),
                    part => known.push(part),
                }
            }
            return known;
        }
    }
    absolute
}

#[cfg(test)]
mod tests;
