//! Noun `sptlrpc`: security rules, kept in the log `<fs>-sptlrpc` that every node of a file system reads before its
//! other logs (mgs/08, 8.3). The MGS hands them out; clients and servers obey them among themselves.

use super::param;
use crate::Errno;
use crate::error::Error;
use crate::model::Resource;
use crate::model::commit::EventKind;
use crate::model::conf_param::Scope;
use crate::model::tx::Tx;
use llog::lcfg::{LustreCfg, cmd};
use wire::Nid;
use wire::ldlm::ConfigKind;

/// The name of a parameter that is a rule begins so.
pub const PREFIX: &str = "srpc.";
/// Device of rules between nodes and the MGS.
pub const MGS: &str = "_mgs";

const DIRECTIONS: [&str; 4] = ["cli2mdt", "cli2ost", "mdt2mdt", "mdt2ost"];
/// Flavors that need no GSS (`sec.c: sptlrpc_name2flavor_base`).
const PLAIN: [&str; 2] = ["null", "plain"];
/// Flavors that do.
const GSS: [&str; 9] = ["gssnull", "krb5n", "krb5a", "krb5i", "krb5p", "skn", "ska", "ski", "skpi"];
/// Algorithms of `plain-hash:` (`sec_bulk.c`).
const HASHES: [&str; 8] = ["null", "adler32", "crc32", "md5", "sha1", "sha256", "sha384", "sha512"];

/// Changes of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// `testfs`, `testfs-OST0000`; `_mgs`.
    pub device: String,
    /// `default`, `tcp1.cli2ost`.
    pub rule: String,
    /// `skpi`; none: the rule goes.
    pub flavor: Option<String>,
}

/// A rule in force.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// `testfs`, `testfs-OST0000`.
    pub device: String,
    /// `default`, or a network.
    pub net: String,
    /// `cli2ost`; none: any.
    pub direction: Option<String>,
    /// `skpi`.
    pub flavor: String,
    /// Index of the record.
    pub index: u32,
}

impl Rule {
    /// As `lctl conf_param` takes it.
    pub fn text(&self) -> String {
        let direction = self.direction.as_ref().map(|d| format!(".{d}")).unwrap_or_default();
        format!("{}.srpc.flavor.{}{direction}={}", self.device, self.net, self.flavor)
    }
    /// Nodes look for a rule in this order: targets before file systems, networks before `default`, directions before
    /// any.
    fn rank(&self) -> (bool, bool, bool) {
        (!self.device.contains('-'), self.net == "default", self.direction.is_none())
    }
    /// It demands of both sides that they use GSS.
    pub fn demands_gss(&self) -> bool {
        GSS.contains(&self.flavor.as_str())
    }
}

/// The log of a file system's rules.
pub fn log_name(fs: &str) -> String {
    format!("{fs}-sptlrpc")
}

/// Rules in force, as nodes look for them.
pub fn rules(log: &llog::Log) -> Vec<Rule> {
    let mut found = Vec::new();
    let mut live = false;
    for record in log.records().filter(|r| r.live) {
        let Ok(cfg) = record.cfg() else { continue };
        if let Some(m) = cfg.marker() {
            live = m.is_start() && !m.is_skip();
            continue;
        }
        let known = live && cfg.command == cmd::SPTLRPC_CONF;
        let text = cfg.buf_str(1).filter(|_| known).and_then(|t| t.strip_prefix("srpc.flavor."));
        let Some((rule, flavor)) = text.and_then(|t| t.split_once('=')) else { continue };
        let (net, direction) = rule.split_once('.').map_or((rule, None), |(net, dir)| (net, Some(dir)));
        if !flavor.is_empty() {
            found.push(Rule {
                device: cfg.dev().unwrap_or_default().to_owned(),
                net: net.to_owned(),
                direction: direction.map(str::to_owned),
                flavor: flavor.to_owned(),
                index: record.index,
            });
        }
    }
    found.sort_by_key(Rule::rank);
    found
}

/// Whether the rules for the MGS itself are such that nodes can connect to this one.
///
/// # Errors
/// `EOPNOTSUPP`: the first that demands security between nodes and the MGS.
pub fn can_be_met(log: &llog::Log) -> Result<(), Error> {
    match rules(log).iter().find(|rule| rule.flavor != "null") {
        Some(rule) => Err(no_gss(&rule.text())),
        None => Ok(()),
    }
}

fn no_gss(rule: &str) -> Error {
    Error::refused(
        format!("security rule '{rule}'"),
        Errno::EOPNOTSUPP,
        "demands security between nodes and the MGS, which mgsd does not have: nodes could not connect",
        "rules of file systems are handed out; for the MGS itself leave it at null",
    )
}

impl Command {
    /// From the device, name and value of `conf_param`.
    ///
    /// # Errors
    /// `EINVAL`: the name is none of `srpc.flavor.NET[.DIRECTION]`.
    pub(super) fn of_param(device: &str, name: &str, value: &str, delete: bool) -> Result<Self, Error> {
        let Some(rule) = name.strip_prefix("srpc.flavor.") else {
            return Err(Error::refused(
                format!("parameter '{}.{}'", device.escape_default(), name.escape_default()),
                Errno::EINVAL,
                "is no security rule",
                "write srpc.flavor.NET[.DIRECTION]=FLAVOR",
            ));
        };
        let flavor = (!delete && !value.is_empty()).then(|| value.to_owned());
        Ok(Self { device: device.to_owned(), rule: rule.to_owned(), flavor })
    }

    fn refused<T>(&self, errno: Errno, what: impl Into<String>, hint: impl Into<String>) -> Result<T, Error> {
        let object = format!("security rule '{}.srpc.flavor.{}'", self.device, self.rule);
        Err(Error::refused(object.escape_default().to_string(), errno, what, hint))
    }

    fn check(&self) -> Result<(), Error> {
        let (net, direction) =
            self.rule.split_once('.').map_or((self.rule.as_str(), None), |(net, dir)| (net, Some(dir)));
        let network = || ["0.0.0.0", "0"].iter().any(|a| format!("{a}@{net}").parse::<Nid>().is_ok());
        if net != "default" && (net.len() > 16 || net.starts_with('<') || !network()) {
            return self.refused(
                Errno::EINVAL,
                format!("'{}' is no network", net.escape_default()),
                "write default, or a network such as tcp1 or o2ib",
            );
        }
        if let Some(direction) = direction.filter(|d| !DIRECTIONS.contains(d)) {
            let what = format!("'{}' is no direction", direction.escape_default());
            return self.refused(Errno::EINVAL, what, format!("directions: {}", DIRECTIONS.join(", ")));
        }
        let Some(flavor) = &self.flavor else { return Ok(()) };
        let plain_hash = flavor.strip_prefix("plain-hash:").is_some_and(|hash| HASHES.contains(&hash));
        if !plain_hash && !PLAIN.iter().chain(&GSS).any(|known| known == flavor) {
            let what = format!("'{}' is no flavor", flavor.escape_default());
            let hint = format!(
                "flavors: {}, {}; plain also as plain-hash:ALGORITHM of {}",
                PLAIN.join(", "),
                GSS.join(", "),
                HASHES.join(", ")
            );
            return self.refused(Errno::EINVAL, what, hint);
        }
        Ok(())
    }

    pub(super) fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        self.check()?;
        if self.device == MGS {
            return self.of_mgs(tx);
        }
        let (fs, device) = match param::device(tx, &self.device)? {
            (fs, Scope::Fs) => (fs.clone(), fs),
            (fs, Scope::Target(id)) => {
                let device = id.svname(&fs);
                (fs, device)
            }
        };
        let log = log_name(&fs);
        let comment = format!("srpc.flavor.{}", self.rule);
        let known = tx.log(&log).map(|entry| rules(&entry.log)).unwrap_or_default();
        let same = |r: &&Rule| {
            let direction = r.direction.as_ref().map(|d| format!(".{d}")).unwrap_or_default();
            r.device == device && format!("{}{direction}", r.net) == self.rule
        };
        let before = known.iter().find(same).map(|r| r.flavor.clone());
        if self.flavor.is_none() && before.is_none() {
            return self.refused(Errno::ENOENT, "is not set", format!("see 'mgsctl sptlrpc list --fs {fs}'"));
        }
        if self.flavor == before {
            return Ok(());
        }
        // Nodes that run hear of a removed rule by one without a flavor.
        let text = format!("{comment}={}", self.flavor.as_deref().unwrap_or_default());
        tx.skip_sections(&log, &device, &comment)?;
        tx.section(&fs, &log, &device, &comment, 0, &[LustreCfg::sptlrpc_conf(&device, &text)])?;
        tx.touch(Resource::new(fs, ConfigKind::Config));
        let (rule, flavor) = (self.rule.clone(), self.flavor.clone());
        tx.event(EventKind::SecurityRule { device, rule, flavor, before });
        Ok(())
    }

    /// Nodes speak to mgsd without security: a rule that says so is what holds.
    fn of_mgs(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        if self.rule.contains('.') {
            let hint = "a rule for the MGS names a network only";
            return self.refused(Errno::EINVAL, "has a direction that does not lead to the MGS", hint);
        }
        match self.flavor.as_deref() {
            None | Some("null") => {
                tx.warn("nodes speak to this MGS without security in any case".to_owned());
                Ok(())
            }
            Some(flavor) => Err(no_gss(&format!("{MGS}.srpc.flavor.{}={flavor}", self.rule))),
        }
    }
}
