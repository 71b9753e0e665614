//! Noun `pool`: OST pools, kept in the logs that clients and MDTs read (mgs/08, 8.1).

use crate::Errno;
use crate::error::Error;
use crate::model::Resource;
use crate::model::commit::EventKind;
use crate::model::names::{TargetId, TargetKind, client_log};
use crate::model::sections::{clilov, mdtlov};
use crate::model::tx::Tx;
use llog::lcfg::{LustreCfg, cmd};
use std::collections::{BTreeMap, BTreeSet};
use wire::ldlm::ConfigKind;

/// Changes of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// File system.
    pub fs: String,
    /// Pool.
    pub pool: String,
    /// What.
    pub action: Action,
}

/// What is done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A new pool.
    New,
    /// OSTs become members: all of them, or none.
    Add(Members),
    /// OSTs leave.
    Remove(Members),
    /// The pool goes; it has to be empty.
    Destroy,
}

/// OSTs of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Members {
    /// These.
    Ids(Vec<TargetId>),
    /// As [`osts`] takes them.
    Named(Vec<String>),
}

impl Members {
    fn resolve(&self, fs: &str) -> Result<Vec<TargetId>, Error> {
        match self {
            Self::Ids(ids) => Ok(ids.clone()),
            Self::Named(names) => {
                let lists: Result<Vec<_>, _> = names.iter().map(|name| osts(fs, name)).collect();
                Ok(lists?.into_iter().flatten().collect())
            }
        }
    }
}

/// Longest name of a pool (`lustre_user.h: LOV_MAXPOOLNAME`).
const NAME_MAX: usize = 15;

/// Pools of a file system with their members: what a client that executes its log ends with.
pub fn pools(fs: &str, log: Option<&llog::Log>) -> BTreeMap<String, BTreeSet<String>> {
    let mut pools: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut live = false;
    let device = clilov(fs);
    for cfg in log.into_iter().flat_map(llog::Log::records).filter(|r| r.live).filter_map(|r| r.cfg().ok()) {
        if let Some(m) = cfg.marker() {
            live = m.is_start() && !m.is_skip();
            continue;
        }
        let text = |i| cfg.buf_str(i).unwrap_or_default().to_owned();
        let members = |pools: &mut BTreeMap<String, BTreeSet<String>>, add: bool| {
            let ost = text(3);
            let ost = ost.strip_suffix("_UUID").unwrap_or(&ost).to_owned();
            match pools.get_mut(&text(2)) {
                Some(members) if add => drop(members.insert(ost)),
                Some(members) => drop(members.remove(&ost)),
                None => {}
            }
        };
        match cfg.command {
            _ if !live || cfg.dev() != Some(device.as_str()) => {}
            cmd::POOL_NEW => drop(pools.entry(text(2)).or_default()),
            cmd::POOL_DEL => drop(pools.remove(&text(2))),
            cmd::POOL_ADD => members(&mut pools, true),
            cmd::POOL_REM => members(&mut pools, false),
            _ => {}
        }
    }
    pools
}

/// OSTs from their names: `OST0000`, `testfs-OST0000`, `testfs-OST0000_UUID`, and lists such as `OST[0-3,8-a/2]`, whose
/// numbers are hexadecimal, as `lctl` takes them.
///
/// # Errors
/// The text is none of these, or names more OSTs than a file system can have.
pub fn osts(fs: &str, text: &str) -> Result<Vec<TargetId>, Error> {
    let refuse = || {
        Error::refused(
            format!("OST '{}'", text.escape_default()),
            Errno::EINVAL,
            "is no name of an OST",
            format!("write OST0000, {fs}-OST0000, or a list such as OST[0-3,8-a/2]"),
        )
    };
    let name = text.strip_suffix("_UUID").unwrap_or(text);
    let name = name.strip_prefix(fs).and_then(|rest| rest.strip_prefix('-')).unwrap_or(name);
    let Some(list) = name.strip_prefix("OST[").and_then(|rest| rest.strip_suffix(']')) else {
        let id = TargetId::parse(name).filter(|id| id.kind == TargetKind::Ost);
        return id.map(|id| vec![id]).ok_or_else(refuse);
    };
    let number = |text: &str| u16::from_str_radix(text, 16).map(u32::from).map_err(|_| refuse());
    let mut out = Vec::new();
    for part in list.split(',') {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (number(first)?, number(last)?);
        let step: usize = step.parse().map_err(|_| refuse())?;
        if step == 0 || last < first {
            return Err(refuse());
        }
        out.extend((first..=last).step_by(step).map(TargetId::ost));
    }
    Ok(out)
}

impl Command {
    /// A change of the pool `FS.POOL`.
    pub fn new(name: &str, action: Action) -> Self {
        let (fs, pool) = name.split_once('.').unwrap_or((name, ""));
        Self { fs: fs.to_owned(), pool: pool.to_owned(), action }
    }

    fn object(&self) -> String {
        format!("pool '{}.{}'", self.fs.escape_default(), self.pool.escape_default())
    }

    fn refused(&self, errno: Errno, what: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::refused(self.object(), errno, what, hint)
    }

    fn check_name(&self) -> Result<(), Error> {
        let name = &self.pool;
        if name.len() > NAME_MAX {
            return Err(self.refused(Errno::ENAMETOOLONG, "name is too long", "at most 15 characters"));
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        if name.is_empty() || !name.bytes().all(allowed) || ["ignore", "inherit"].contains(&name.as_str()) {
            let hint = "1 to 15 letters, digits, '_', '-' or '.'; not 'ignore' or 'inherit'";
            return Err(self.refused(Errno::EINVAL, "name is not allowed", hint));
        }
        Ok(())
    }

    pub(in crate::model) fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        self.check_name()?;
        let log = client_log(&self.fs);
        if tx.head(&self.fs).is_none() || tx.log_is_empty(&log) {
            return Err(self.refused(
                Errno::EINVAL,
                format!("no target of a file system '{}' has registered", self.fs.escape_default()),
                "see 'mgsctl fs list'",
            ));
        }
        let known = pools(&self.fs, tx.log(&log).map(|entry| &entry.log));
        let members = known.get(&self.pool);
        match &self.action {
            Action::New => {
                if members.is_some() {
                    return Err(self.refused(Errno::EEXIST, "exists already", "see 'mgsctl pool list'"));
                }
                self.write(tx, "new", None)?;
                tx.event(EventKind::PoolCreated { fs: self.fs.clone(), pool: self.pool.clone() });
            }
            Action::Add(osts) => {
                let osts = &osts.resolve(&self.fs)?;
                let Some(members) = members else {
                    return Err(self.refused(
                        Errno::ENOMEDIUM,
                        "does not exist",
                        "make it with 'mgsctl pool new'",
                    ));
                };
                self.each(tx, osts, |ost| {
                    if !members.contains(ost) {
                        return Ok(());
                    }
                    Err(self.refused(Errno::EEXIST, format!("{ost} is a member already"), "leave it out"))
                })?;
                for ost in osts {
                    self.write(tx, "add", Some(*ost))?;
                }
                self.changed(tx, osts, true);
            }
            Action::Remove(osts) => {
                let osts = &osts.resolve(&self.fs)?;
                let hint = "see 'mgsctl pool list'";
                let Some(members) = members else {
                    return Err(self.refused(Errno::ENOENT, "does not exist", hint));
                };
                for ost in osts {
                    let name = ost.svname(&self.fs);
                    if !members.contains(&name) {
                        return Err(self.refused(Errno::ENOENT, format!("{name} is not a member"), hint));
                    }
                }
                for ost in osts {
                    self.write(tx, "rem", Some(*ost))?;
                }
                self.changed(tx, osts, false);
            }
            Action::Destroy => {
                let Some(members) = members else {
                    return Err(self.refused(Errno::ENOENT, "does not exist", "see 'mgsctl pool list'"));
                };
                if let Some(first) = members.first() {
                    let what = format!("has {} members, {first} among them", members.len());
                    return Err(self.refused(
                        Errno::ENOTEMPTY,
                        what,
                        "remove them with 'mgsctl pool remove'",
                    ));
                }
                self.write(tx, "del", None)?;
                crate::model::settings::drop_pool(tx, &self.fs, &self.pool);
                tx.event(EventKind::PoolDestroyed { fs: self.fs.clone(), pool: self.pool.clone() });
            }
        }
        tx.touch(Resource::new(self.fs.as_str(), ConfigKind::Config));
        Ok(())
    }

    /// Every OST is registered, named once, and passes a check.
    fn each(
        &self,
        tx: &Tx<'_>,
        osts: &[TargetId],
        check: impl Fn(&str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        for ost in osts {
            let name = ost.svname(&self.fs);
            if ost.kind != TargetKind::Ost || tx.target(&self.fs, *ost).is_none() {
                let hint = format!("see 'mgsctl target list --fs {}'", self.fs);
                return Err(self.refused(Errno::ENODEV, format!("{name} is no registered OST"), hint));
            }
            check(&name)?;
            if !seen.insert(*ost) {
                return Err(self.refused(Errno::EEXIST, format!("{name} is named twice"), "name it once"));
            }
        }
        Ok(())
    }

    fn changed(&self, tx: &mut Tx<'_>, osts: &[TargetId], added: bool) {
        tx.event(EventKind::PoolMembers {
            fs: self.fs.clone(),
            pool: self.pool.clone(),
            osts: osts.iter().map(|id| id.svname(&self.fs)).collect(),
            added,
        });
    }

    /// One section in the log of clients and in that of each MDT.
    fn write(&self, tx: &mut Tx<'_>, word: &str, ost: Option<TargetId>) -> Result<(), Error> {
        let (fs, pool) = (self.fs.as_str(), self.pool.as_str());
        let mut logs = vec![(client_log(fs), clilov(fs))];
        logs.extend(tx.mdts(fs).into_iter().map(|mdt| (mdt.svname(fs), mdtlov(fs, mdt))));
        logs.retain(|(log, _)| !tx.log_is_empty(log));
        let uuid = ost.map(|ost| format!("{}_UUID", ost.svname(fs))).unwrap_or_default();
        let comment = |word: &str| match ost {
            Some(_) => format!("{word} {fs}.{pool}.{uuid}"),
            None => format!("{word} {fs}.{pool}"),
        };
        for (log, lov) in logs {
            let record = match word {
                "new" => LustreCfg::pool_new(&lov, fs, pool),
                "add" => LustreCfg::pool_add(&lov, fs, pool, &uuid),
                "rem" => LustreCfg::pool_rem(&lov, fs, pool, &uuid),
                _ => LustreCfg::pool_del(&lov, fs, pool),
            };
            match word {
                "rem" => tx.skip_sections(&log, &lov, &comment("add"))?,
                "del" => tx.skip_sections(&log, &lov, &comment("new"))?,
                _ => {}
            }
            tx.section(fs, &log, &lov, &comment(word), 0, &[record])?;
        }
        Ok(())
    }
}
