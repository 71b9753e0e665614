//! `mgsctl lctl …`: what `lctl` of Lustre takes, prints and ends with, for the commands of an MGS, so that scripts that
//! were written for a kernel MGS go on. A command parses, calls the API and formats; what it may do is decided there.
//!
//! ```text
//! words ─ getopt ─ command (pool, param, logs, edit, nodemap, barrier, get) ─ /v1 ─ text on stdout, errno text on stderr, exit code
//! ```
//! It is never installed as `lctl`: the kernel and udev run that one on every node. Where the answer differs from
//! that of a kernel, docs/lctl.md says so.

mod barrier;
mod edit;
mod errno;
mod front;
mod get;
mod getopt;
mod live;
mod logs;
mod nodemap;
mod param;
mod pool;
mod srpc;
mod tree;

use mgs_api::Client;

use crate::exit::Failure;
use front::{Done, End, Front};

/// Commands, with the words behind them.
const COMMANDS: &[(&str, &str)] = &[
    ("apply_yaml", "YAML_PARAM_FILE"),
    ("barrier_freeze", "FSNAME [TIMEOUT_SECONDS]"),
    ("barrier_rescan", "FSNAME [TIMEOUT_SECONDS]"),
    ("barrier_stat", "[--state|-s] [--timeout|-t] FSNAME"),
    ("barrier_thaw", "FSNAME"),
    ("clear_conf", "DEVICE|FSNAME"),
    ("conf_param", "[-d] DEVICE.PARAM[=VALUE]"),
    ("del_ost", "[--dryrun] --target FSNAME-OSTxxxx"),
    ("dl", ""),
    ("get_param", "[-n|--no-name] [-N|--only-name] [-R|--recursive] PATTERN..."),
    ("lcfg_clear", "DEVICE|FSNAME"),
    ("lcfg_erase", "[-q|--quiet] FSNAME"),
    ("lcfg_fork", "FSNAME NEWNAME"),
    ("list_param", "[-R|--recursive] PATTERN..."),
    ("llog_cancel", "{LOGNAME|FID} --log_idx INDEX"),
    ("llog_catlist", ""),
    ("llog_check", "{LOGNAME|FID} [--start INDEX] [--end INDEX]"),
    ("llog_info", "{LOGNAME|FID}"),
    ("llog_print", "{LOGNAME|FID} [--start INDEX] [--end INDEX] [--raw]"),
    ("llog_remove", "{LOGNAME|FID}"),
    ("nodemap_activate", "{0|1}"),
    ("nodemap_add", "--name NODEMAP_NAME"),
    ("nodemap_add_idmap", "--name NODEMAP_NAME --idtype {uid|gid|projid} --idmap CLIENTID:FSID"),
    ("nodemap_add_offset", "--name NODEMAP_NAME --offset OFFSET --limit LIMIT"),
    ("nodemap_add_range", "--name NODEMAP_NAME --range NID_RANGE"),
    ("nodemap_banlist_add", "[--name NODEMAP_NAME] --range NID_RANGE"),
    ("nodemap_banlist_del", "[--name NODEMAP_NAME] --range NID_RANGE"),
    ("nodemap_del", "--name NODEMAP_NAME"),
    ("nodemap_del_idmap", "--name NODEMAP_NAME --idtype {uid|gid|projid} --idmap CLIENTID:FSID"),
    ("nodemap_del_offset", "--name NODEMAP_NAME"),
    ("nodemap_del_range", "--name NODEMAP_NAME --range NID_RANGE"),
    ("nodemap_fileset_add", "[--alt] [--ro] --name NODEMAP_NAME --fileset SUBDIRECTORY"),
    ("nodemap_fileset_del", "--name NODEMAP_NAME {--all|--fileset SUBDIRECTORY}"),
    (
        "nodemap_fileset_modify",
        "--name NODEMAP_NAME --fileset SUBDIRECTORY [--rename SUBDIRECTORY] [--ro|--rw] [--alt|--primary]",
    ),
    ("nodemap_info", "[--list] [--name NODEMAP_NAME] [--property PROPERTY_NAME]"),
    ("nodemap_modify", "--name NODEMAP_NAME --property PROPERTY_NAME{=VALUE|--value VALUE}"),
    ("nodemap_new", "--name NODEMAP_NAME"),
    ("nodemap_set_cap", "--name NODEMAP_NAME --caps CAPABILITIES --type {mask|set|off}"),
    ("nodemap_set_fileset", "--name NODEMAP_NAME --fileset SUBDIRECTORY"),
    ("nodemap_set_sepol", "--name NODEMAP_NAME --sepol SEPOL"),
    ("nodemap_test_id", "--nid NID --idtype {uid|gid|projid} --id ID"),
    ("nodemap_test_nid", "--nid NID"),
    ("pool_add", "[-n|--nowait] FSNAME.POOLNAME OSTNAME_LIST..."),
    ("pool_destroy", "[-n|--nowait] FSNAME.POOLNAME"),
    ("pool_list", "FSNAME[.POOLNAME]"),
    ("pool_new", "[-n|--nowait] FSNAME.POOLNAME"),
    ("pool_remove", "[-n|--nowait] FSNAME.POOLNAME OSTNAME_LIST..."),
    ("replace_nids", "DEVICE NID1[,NID2,NID3:NID4,NID5:NID6]"),
    ("set_param", "[-d|--delete] [-F|--file] [-n|--noname] [-P|--permanent] PARAM=VALUE..."),
];

/// Runs one command, and gives its exit code as a failure unless it is 0.
pub(crate) async fn run(api: &Client, words: &[String]) -> Result<(), Failure> {
    let code = match device(words) {
        Ok(words) => code(command(api, words).await),
        Err(code) => code,
    };
    if code == 0 { Ok(()) } else { Err(Failure::Front { code }) }
}

/// As lctl maps it.
fn code(end: Done) -> u8 {
    match end {
        Ok(()) | Err(End::Gone) => 0,
        Err(End::Errno(errno)) => errno.number,
        Err(End::Incomplete) => 1,
        Err(End::Usage) => 4,
    }
}

/// `--device MGS` in front: there is no other device here.
fn device(words: &[String]) -> Result<&[String], u8> {
    match words {
        [option, device, rest @ ..] if option == "--device" => {
            let name = device.strip_prefix('$').unwrap_or(device);
            if name.starts_with("MGS") || name.bytes().all(|b| b.is_ascii_digit()) {
                return Ok(rest);
            }
            eprintln!("No device found for name {name}: Invalid argument");
            Err(errno::Errno::EINVAL.number)
        }
        words => Ok(words),
    }
}

async fn command(api: &Client, words: &[String]) -> Done {
    let Some((first, rest)) = words.split_first() else {
        eprintln!("usage: mgsctl lctl COMMAND [ARGUMENTS]; 'mgsctl lctl --list-commands' lists them");
        return Err(End::Incomplete);
    };
    if ["--list-commands", "list-commands", "help", "--help"].contains(&first.as_str()) {
        let names: String = COMMANDS.iter().map(|(name, usage)| format!("{name} {usage}\n")).collect();
        return Front { api, name: first }.say(names);
    }
    // `llog print` is `llog_print`.
    let pair = rest.split_first().map(|(second, rest)| (format!("{first}_{second}"), rest));
    let known = |name: &str| COMMANDS.iter().find(|(known, _)| *known == name);
    let (found, rest) = match (known(first), &pair) {
        (Some(found), _) => (Some(found), rest),
        (None, Some((name, rest))) => (known(name), *rest),
        (None, None) => (None, rest),
    };
    let Some((name, usage)) = found else {
        eprintln!("lctl: '{first}' is not a valid command. See 'mgsctl lctl --list-commands'.");
        return Err(End::Incomplete);
    };
    let front = Front { api, name };
    let done = dispatch(&front, rest).await;
    if done == Err(End::Usage) {
        front.say(format!("usage: {name} {usage}\n"))?;
    }
    done
}

async fn dispatch(front: &Front<'_>, args: &[String]) -> Done {
    match front.name {
        "apply_yaml" => param::apply_yaml(front, args).await,
        "conf_param" => param::conf_param(front, args).await,
        "set_param" => param::set_param(front, args).await,
        "get_param" | "list_param" => get::get(front, args).await,
        "dl" => get::devices(front).await,
        "clear_conf" | "lcfg_clear" => edit::clear(front, args).await,
        "del_ost" => edit::del_ost(front, args).await,
        "lcfg_erase" => edit::erase(front, args).await,
        "lcfg_fork" => edit::fork(front, args).await,
        "llog_cancel" => edit::cancel(front, args).await,
        "llog_remove" => edit::remove(front, args).await,
        "replace_nids" => edit::replace_nids(front, args).await,
        name if name.starts_with("barrier_") => barrier::run(front, args).await,
        name if name.starts_with("nodemap_") => nodemap::run(front, args).await,
        "llog_catlist" => logs::catlist(front, args).await,
        "llog_check" => logs::check(front, args).await,
        "llog_info" => logs::info(front, args).await,
        "llog_print" => logs::print(front, args).await,
        _ => pool::run(front, args).await,
    }
}
