//! `llog_catlist`, `llog_info`, `llog_print`, `llog_check`.

use mgs_api::Log;

use super::errno::Errno;
use super::front::{Done, End, Front};
use super::getopt::{Given, Opt, flag, parse, word};

/// Options of the commands that read a range.
const RANGE: &[Opt] =
    &[word('c', "catalog"), word('e', "end"), flag('h', "help"), flag('r', "raw"), word('s', "start")];

/// The names that `llog_catlist` shows (`mgs_llog.c: config_log_name_valid` and the dash), sorted: a kernel goes by the
/// hashes of a directory, which differ from one MGT to the next.
pub(super) async fn names(front: &Front<'_>) -> Result<Vec<String>, mgs_api::Error> {
    let logs = front.api.logs(None).await?.items;
    Ok(logs.into_iter().map(|log| log.name).filter(|name| shown(name)).collect())
}

fn shown(name: &str) -> bool {
    let Some((_, kind)) = name.rsplit_once('-') else { return false };
    let indexed = |prefix| {
        let digits = kind.strip_prefix(prefix).unwrap_or_default();
        digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit())
    };
    kind == "client" || indexed("MDT") || indexed("OST")
}

pub(super) async fn catlist(front: &Front<'_>, args: &[String]) -> Done {
    if !args.is_empty() {
        return Err(End::Usage);
    }
    match names(front).await {
        Ok(names) => front.say(names.iter().map(|name| format!("config_log: {name}\n")).collect::<String>()),
        Err(error) => Err(no_device(front, &error)),
    }
}

/// `llog_*` look for their device first.
fn no_device(front: &Front<'_>, error: &mgs_api::Error) -> End {
    let errno = front.errno(error);
    if matches!(error, mgs_api::Error::Unreachable { .. }) { End::Incomplete } else { End::Errno(errno) }
}

/// A log by its name or id, as the commands take it. A log without records is none.
pub(super) async fn find(front: &Front<'_>, text: &str) -> Result<Log, End> {
    let list = front.api.logs(None).await.map_err(|error| no_device(front, &error))?;
    let name = text.strip_prefix('$').unwrap_or(text);
    let first = name.chars().next();
    if !first.is_some_and(|c| c.is_ascii_alphanumeric() || c == '[' || c == '#') {
        return Err(End::Errno(Errno::EINVAL));
    }
    let found = list.items.into_iter().find(|log| log.name == name || log.id == name);
    found.filter(|log| log.size != 0).ok_or(End::Errno(Errno::ENOENT))
}

pub(super) async fn info(front: &Front<'_>, args: &[String]) -> Done {
    let given = options(front, args, &[word('c', "catalog"), flag('h', "help")])?;
    let log = match (given.value('c'), given.words.as_slice()) {
        (None, [log]) => log.clone(),
        (Some(log), []) => log.to_owned(),
        _ => return Err(End::Usage),
    };
    let log = find(front, &log).await.map_err(|end| failed(front, end, "llog_info", "LLOG_INFO"))?;
    front.say(format!(
        "logid:            {}\nflags:            4 (plain)\nrecords_count:    {}\nlast_index:       {}\n",
        log.id,
        log.records_live + 1,
        log.last_index
    ))
}

/// `WHO: OBD_IOC_… failed: WHY`, where it is an errno.
fn failed(front: &Front<'_>, end: End, who: &str, ioctl: &str) -> End {
    if let End::Errno(errno) = end {
        front.complain(format!("{who}: OBD_IOC_{ioctl} failed: {}", errno.text));
    }
    end
}

pub(super) async fn print(front: &Front<'_>, args: &[String]) -> Done {
    let (name, given, range) = range(front, args)?;
    let text = match read(front, &name).await {
        Ok(log) => llog::text::yaml(&log, given.has('r'), &range),
        Err(end) => return Err(failed(front, end, &name, "LLOG_PRINT")),
    };
    front.say(text)
}

/// One line per live record.
pub(super) async fn check(front: &Front<'_>, args: &[String]) -> Done {
    let (name, given, range) = range(front, args)?;
    if given.has('r') {
        return Err(End::Usage);
    }
    let log = read(front, &name).await.map_err(|end| failed(front, end, "llog_check", "LLOG_CHECK"))?;
    let live = log.records().filter(|r| r.live && !r.is_pad() && range.contains(&r.index));
    let line = |r: llog::RecordRef<'_>| {
        format!("[index]: {:05}  [type]: {:02x}  [len]: {:04} ok\n", r.index, r.kind, r.len)
    };
    front.say(live.map(line).collect::<String>())
}

/// The records of a log.
pub(super) async fn read(front: &Front<'_>, name: &str) -> Done<llog::Log> {
    let log = find(front, name).await?;
    let file = front.api.log_file(&log.name).await.map_err(|error| End::Errno(front.errno(&error)))?;
    llog::Log::from_file(&file).map_err(|error| {
        front.complain(format!("{name}: {error}"));
        End::Errno(Errno::EIO)
    })
}

fn options(front: &Front<'_>, args: &[String], known: &[Opt]) -> Done<Given> {
    let given = parse(args, known).map_err(|why| {
        front.complain(format!("{}: {why}", front.name));
        End::Usage
    })?;
    if given.has('h') { Err(End::Usage) } else { Ok(given) }
}

/// `NAME [START [END]]`, or with options.
fn range(front: &Front<'_>, args: &[String]) -> Done<(String, Given, std::ops::RangeInclusive<u32>)> {
    let given = options(front, args, RANGE)?;
    let usage = |why: String| {
        front.complain(format!("{}: {why}", front.name));
        End::Usage
    };
    let number = |what: &str, text: &str| {
        let digits = text.strip_prefix("0x").map_or((text, 10), |hex| (hex, 16));
        u32::from_str_radix(digits.0, digits.1).map_err(|_| usage(format!("bad {what} value '{text}'")))
    };
    let mut words = given.words.iter();
    let name = match (given.value('c'), words.len()) {
        (Some(name), _) => name.to_owned(),
        (None, 0) => return Err(usage("no logname specified".to_owned())),
        (None, _) => words.next().cloned().unwrap_or_default(),
    };
    let mut ends =
        [("start", given.value('s').map(str::to_owned)), ("end", given.value('e').map(str::to_owned))];
    for (what, value) in &mut ends {
        match (words.next(), &value) {
            (None, _) => {}
            (Some(word), None) => *value = Some(word.clone()),
            (Some(word), Some(_)) => {
                return Err(usage(format!("--{what} is set, unknown argument '{word}'")));
            }
        }
    }
    if let Some(word) = words.next() {
        return Err(usage(format!("unknown argument '{word}'")));
    }
    let [(_, start), (_, end)] = ends;
    let start = start.map_or(Ok(1), |text| number("start", &text))?;
    let end = end.filter(|text| text != "-1").map(|text| number("end", &text)).transpose()?;
    if let Some(end) = end.filter(|end| *end < start) {
        return Err(usage(format!("end '{end}' less than than start '{start}'")));
    }
    Ok((name, given, llog::text::range(Some(start), end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_logs_of_nodes_are_listed() {
        for name in ["testfs-client", "lu-0-MDT0000", "testfs-OST00ff"] {
            assert!(shown(name), "{name}");
        }
        for name in [
            "params",
            "nodemap",
            "testfs-sptlrpc",
            "testfs-client.1795232206.bak",
            "testfs-OST1",
            "testfs-OST000g",
        ] {
            assert!(!shown(name), "{name}");
        }
    }
}
