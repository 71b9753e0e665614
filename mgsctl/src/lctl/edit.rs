//! Commands that change logs themselves: `llog_cancel`, `llog_remove`, `del_ost`, `replace_nids`, `clear_conf`,
//! `lcfg_fork`, `lcfg_erase`.

use mgs_api::{Change, MoveTarget, NewName};

use super::errno::Errno;
use super::front::{Done, End, Front};
use super::getopt::{Given, Opt, flag, parse, word};
use super::logs;

fn options(front: &Front<'_>, args: &[String], known: &[Opt]) -> Done<Given> {
    let given = parse(args, known).map_err(|why| {
        front.complain(format!("{}: {why}", front.name));
        End::Usage
    })?;
    if given.has('h') { Err(End::Usage) } else { Ok(given) }
}

/// `llog_cancel LOG --log_idx N`, or `LOG N`, or `LOG ID N`.
pub(super) async fn cancel(front: &Front<'_>, args: &[String]) -> Done {
    let known = [word('c', "catalog"), flag('h', "help"), word('i', "log_idx"), word('l', "log_id")];
    let given = options(front, args, &known)?;
    let mut words = given.words.iter().map(String::as_str);
    let log = given.value('c').or_else(|| words.next()).ok_or(End::Usage)?.to_owned();
    let index = given.value('i').or_else(|| words.next_back()).ok_or(End::Usage)?.to_owned();
    let failed = |errno: Errno| {
        front.complain(format!("llog_cancel: cancel catalog '{log}:{index}' failed: {}", errno.text));
        End::Errno(errno)
    };
    let number = index.parse().map_err(|_| failed(Errno::EINVAL))?;
    let name = match logs::find(front, &log).await {
        Ok(found) => found.name,
        Err(End::Errno(errno)) => return Err(failed(errno)),
        Err(end) => return Err(end),
    };
    match front.api.log_cancel(&name, number, false).await {
        Ok(_) => Ok(()),
        Err(error) => Err(failed(front.errno(&error))),
    }
}

/// `llog_remove LOG`.
pub(super) async fn remove(front: &Front<'_>, args: &[String]) -> Done {
    let given = options(front, args, &[word('c', "catalog"), flag('h', "help"), word('l', "log_id")])?;
    let log = given.value('c').or(given.words.first().map(String::as_str)).ok_or(End::Usage)?;
    match front.api.log_remove(log.strip_prefix('$').unwrap_or(log), false).await {
        Ok(_) => Ok(()),
        Err(error) => {
            let errno = front.errno(&error);
            let id = given.value('l').unwrap_or("(null)");
            front.complain(format!("llog_remove: cancel catalog '{log}:{id}' failed: {}", errno.text));
            Err(End::Errno(errno))
        }
    }
}

/// `del_ost [--dryrun] --target FS-OSTxxxx`: one order; lctl cancels record by record, from the end.
pub(super) async fn del_ost(front: &Front<'_>, args: &[String]) -> Done {
    let given = options(front, args, &[flag('h', "help"), flag('n', "dryrun"), word('t', "target")])?;
    let target = given.value('t').ok_or(End::Usage)?;
    let (fs, rest) = target.split_once("-OST").ok_or(End::Usage)?;
    let dry_run = given.has('n');
    if dry_run {
        front.say(format!("del_ost: dry run for target {target}\n"))?;
    }
    if !rest.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return Err(End::Errno(Errno::EINVAL));
    }
    let names = logs::names(front).await.map_err(|error| End::Errno(front.errno(&error)))?;
    let ours = |name: &String| {
        name.strip_prefix(fs).is_some_and(|rest| rest.starts_with("-MDT") || rest.starts_with("-client"))
    };
    // The texts of what goes, before it is gone.
    let mut before = Vec::new();
    for name in names.into_iter().filter(ours) {
        match logs::read(front, &name).await {
            Ok(log) => before.push((name, log)),
            Err(End::Errno(errno)) => {
                front.say(format!("config_log: {name}\n"))?;
                front.complain(format!("error with catalog {name}: {}", errno.text));
                return Err(End::Errno(errno));
            }
            Err(end) => return Err(end),
        }
    }
    let change = match front.api.target_remove(target, dry_run).await {
        Ok(change) => change,
        // Its records are gone already: lctl finds none, and that is no error.
        Err(error) if front.errno(&error) == Errno::ENOENT && !before.is_empty() => Change::default(),
        Err(error) => return Err(End::Errno(Errno::of(&error))),
    };
    for (name, log) in &before {
        front.say(format!("config_log: {name}\n"))?;
        let of_log = change.logs.iter().find(|effect| effect.log == *name);
        let mut gone: Vec<u32> = of_log.map(|effect| effect.cancelled.clone()).unwrap_or_default();
        gone.sort_unstable_by(|a, b| b.cmp(a));
        for index in &gone {
            let record = llog::text::yaml(log, true, &llog::text::range(Some(*index), Some(*index)));
            front.say(match dry_run {
                true => format!("[DRY RUN] cancel catalog '{name}:{index}':\"{}\"\n", record.trim_end()),
                false => format!("cancel catalog {name} log_idx {index}: done\n"),
            })?;
        }
        front.say(match (gone.len(), dry_run) {
            (0, _) | (_, true) => "del_ost: no catalog entry deleted\n".to_owned(),
            (n, false) => format!("del_ost: cancelled {n} catalog entries\n"),
        })?;
    }
    Ok(())
}

/// `error: COMMAND: WHY`.
fn plain<T>(front: &Front<'_>, done: Result<T, mgs_api::Error>) -> Done {
    done.map(drop).map_err(|error| {
        let errno = front.errno(&error);
        front.complain(format!("error: {}: {}", front.name, errno.text));
        End::Errno(errno)
    })
}

/// `replace_nids DEVICE NIDS`, as a kernel does it: the logs are written anew.
pub(super) async fn replace_nids(front: &Front<'_>, args: &[String]) -> Done {
    let [target, nids] = args else { return Err(End::Usage) };
    let to = MoveTarget { nids: nids.clone(), rewrite: true };
    plain(front, front.api.target_replace_nids(target, &to, false).await)
}

/// `clear_conf NAME`, `lcfg_clear NAME`.
pub(super) async fn clear(front: &Front<'_>, args: &[String]) -> Done {
    let [name] = args else { return Err(End::Usage) };
    plain(front, front.api.log_clear(name, false).await)
}

/// `lcfg_fork OLD NEW`.
pub(super) async fn fork(front: &Front<'_>, args: &[String]) -> Done {
    let [from, to] = args else { return Err(End::Usage) };
    front.api.fs_fork(from, &NewName { to: to.clone() }, false).await.map(drop).map_err(|error| {
        let errno = front.errno(&error);
        front.complain(format!("error: {}: OBD_IOC_LCFG_FORK failed: {}", front.name, errno.text));
        End::Errno(errno)
    })
}

/// `lcfg_erase [-q] FS`, with what `set_param -P` has for it.
pub(super) async fn erase(front: &Front<'_>, args: &[String]) -> Done {
    let given = options(front, args, &[flag('h', "help"), flag('q', "quiet")])?;
    let Some(fs) = given.words.first() else {
        front.complain(format!("{}: missing fsname", front.name));
        return Err(End::Usage);
    };
    let quiet = given.has('q');
    if !quiet {
        front.say(format!("{}: erasing config log and params for fsname '{fs}'\n", front.name))?;
    }
    let change = front.api.fs_erase(fs, false).await.map_err(|error| {
        let errno = front.errno(&error);
        front.complain(format!("{}: OBD_IOC_LCFG_ERASE failed: {}", front.name, errno.text));
        End::Errno(errno)
    })?;
    if quiet {
        return Ok(());
    }
    let of = |event: &serde_json::Value| event.get("params").and_then(|p| p.as_array().cloned());
    let params: Vec<serde_json::Value> = change.events.iter().filter_map(of).flatten().collect();
    for name in params.iter().filter_map(serde_json::Value::as_str) {
        front.say(format!("- cancelled param '{name}'\n"))?;
    }
    let n = params.len();
    let s = if n > 1 { "s" } else { "" };
    front.say(format!("{}: erased {n} parameter{s} matching fsname '{fs}'\n", front.name))
}
