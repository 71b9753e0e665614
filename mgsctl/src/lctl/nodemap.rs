//! `nodemap_*`: every edit is one order, and says nothing when it is done.

use mgs_api::{NodemapEdit, NodemapEdits, NodemapIdKind};

use mgs_core::model::nodemap::range::{BadRange, Range};

use super::errno::Errno;
use super::front::{Done, End, Front};
use super::get;
use super::getopt::{Given, Opt, flag, parse, word};

const NAME: Opt = word('n', "name");
const HELP: Opt = flag('h', "help");

/// Options of a command.
fn known(command: &str) -> Vec<Opt> {
    let more: &[Opt] = match command {
        "nodemap_add" | "nodemap_new" => &[flag('d', "dynamic"), word('p', "parent")],
        "nodemap_add_range" | "nodemap_del_range" | "nodemap_banlist_add" | "nodemap_banlist_del" => {
            &[word('r', "range")]
        }
        "nodemap_modify" => &[word('p', "property"), word('v', "value")],
        "nodemap_add_idmap" | "nodemap_del_idmap" => &[word('i', "idtype"), word('m', "idmap")],
        "nodemap_add_offset" => &[word('l', "limit"), word('o', "offset")],
        "nodemap_set_fileset" => &[word('f', "fileset")],
        "nodemap_fileset_add" => &[flag('a', "alt"), word('f', "fileset"), flag('r', "ro")],
        "nodemap_fileset_del" => &[flag('A', "all"), word('f', "fileset")],
        "nodemap_fileset_modify" => &[
            flag('a', "alt"),
            word('f', "fileset"),
            flag('o', "ro"),
            flag('p', "primary"),
            word('r', "rename"),
            flag('w', "rw"),
        ],
        "nodemap_set_sepol" => &[word('s', "sepol")],
        "nodemap_set_cap" => &[word('c', "caps"), word('c', "capabilities"), word('t', "type")],
        "nodemap_test_id" => {
            return vec![HELP, word('i', "id"), word('n', "nid"), word('t', "idtype")];
        }
        "nodemap_test_nid" => return vec![HELP, word('n', "nid")],
        "nodemap_info" => &[flag('l', "list"), word('p', "property")],
        _ => &[],
    };
    [HELP, NAME].iter().chain(more).copied().collect()
}

pub(super) async fn run(front: &Front<'_>, args: &[String]) -> Done {
    let given = parse(args, &known(front.name)).map_err(|why| {
        front.complain(format!("{}: {why}", front.name));
        End::Usage
    })?;
    if given.has('h') {
        return Err(End::Usage);
    }
    match front.name {
        "nodemap_info" => return info(front, &given).await,
        "nodemap_test_nid" | "nodemap_test_id" => return test(front, &given).await,
        "nodemap_add" | "nodemap_new" | "nodemap_del" => exists(front, &given).await?,
        _ => {}
    }
    let edit = edit(front, &given)?;
    let code = ioctl(front.name, given.value('p').unwrap_or_default(), given.value('i').unwrap_or_default());
    let done = front.api.nodemap_edit(&NodemapEdits { edits: vec![edit] }, false).await;
    match done {
        Ok(change) => {
            front.warn(&change.warnings);
            Ok(())
        }
        Err(error) => {
            let errno = front.errno(&error);
            refused(front, code, errno);
            Err(failed(front, &given, errno))
        }
    }
}

/// A name that is needed for the command: `--name`, or the only word.
fn name(front: &Front<'_>, given: &Given) -> Done<String> {
    match (given.value('n'), given.words.first()) {
        (Some(name), _) => Ok(name.to_owned()),
        (None, Some(name)) if ["nodemap_add", "nodemap_new", "nodemap_del"].contains(&front.name) => {
            Ok(name.clone())
        }
        _ => Err(missing(front, "nodemap name")),
    }
}

fn missing(front: &Front<'_>, what: &str) -> End {
    front.complain(format!("{}: missing {what}", front.name));
    End::Usage
}

/// lctl looks first whether there is one.
async fn exists(front: &Front<'_>, given: &Given) -> Done {
    let name = name(front, given)?;
    if given.has('d') || given.has('p') {
        front.complain(format!(
            "{}: dynamic nodemaps are made on MDS and OSS nodes, with the lctl of Lustre",
            front.name
        ));
        return Err(End::Usage);
    }
    let found = match front.api.nodemaps().await {
        Ok(maps) => maps.items.iter().any(|map| map.name == name),
        Err(error) => return Err(fails(front, front.errno(&error))),
    };
    let (wrong, what) = match front.name {
        "nodemap_del" => (!found, "does not exist"),
        _ => (found, "already exists"),
    };
    if wrong {
        front.complain(format!("error: nodemap '{name}' {what}"));
        return Err(fails(front, Errno::EINVAL));
    }
    Ok(())
}

/// What lctl says of a command that the kernel has refused.
fn refused(front: &Front<'_>, code: u32, errno: Errno) {
    front.complain(format!("error: invalid ioctl: {code:08x} errno: {}: {}", errno.number, errno.text));
}

/// `perror`, and exit code 1.
fn fails(front: &Front<'_>, errno: Errno) -> End {
    front.complain(format!("{}: {}", front.name, errno.text));
    End::Incomplete
}

/// The words that lctl has for a refusal.
fn failed(front: &Front<'_>, given: &Given, errno: Errno) -> End {
    let value = |short| given.value(short).unwrap_or_default();
    let map = value('n');
    let line = match front.name {
        "nodemap_modify" => {
            let (property, inside) = value('p').split_once('=').unwrap_or((value('p'), value('v')));
            format!(
                "error: nodemap_modify: cannot modify nodemap '{map}' to param '{property}': value '{inside}': {}",
                errno.text
            )
        }
        "nodemap_set_fileset" | "nodemap_fileset_add" | "nodemap_fileset_del" | "nodemap_fileset_modify" => {
            format!(
                "error: cannot '{}' with fileset '{}' on nodemap '{map}': {}",
                front.name,
                value('f'),
                errno.text
            )
        }
        "nodemap_set_cap" => {
            let caps = value('c');
            format!(
                "error: nodemap_set_cap: cannot set capabilities '{caps}' on nodemap '{map}': {}",
                errno.text
            )
        }
        "nodemap_add_offset" => {
            let why = if errno == Errno::ERANGE { " because it overlaps with existing offset" } else { "" };
            let (start, limit) = (value('o'), value('l'));
            format!(
                "{}: cannot set offset {start}+{limit} to nodemap '{map}'{why}: {}",
                front.name, errno.text
            )
        }
        "nodemap_del_offset" => {
            format!("{}: cannot del offset from nodemap '{map}': {}", front.name, errno.text)
        }
        _ => return fails(front, errno),
    };
    front.complain(line);
    End::Errno(errno)
}

fn edit(front: &Front<'_>, given: &Given) -> Done<NodemapEdit> {
    if front.name == "nodemap_activate" {
        let [value] = given.words.as_slice() else { return Err(End::Usage) };
        let active = match value.to_ascii_lowercase().as_str() {
            "1" | "on" | "yes" | "y" | "true" | "t" => true,
            "0" | "off" | "no" | "n" | "false" | "f" => false,
            _ => {
                refused(front, ioctl(front.name, "", ""), Errno::EINVAL);
                return Err(fails(front, Errno::EINVAL));
            }
        };
        return Ok(NodemapEdit::Activate { active });
    }
    let needed = |short, what: &str| match given.value(short) {
        Some(value) if !value.is_empty() => Ok(value.to_owned()),
        _ => Err(missing(front, what)),
    };
    let nodemap = match front.name {
        // Whose range it is, where it is not said.
        "nodemap_banlist_add" | "nodemap_banlist_del" if given.value('n').is_none() => "?".to_owned(),
        _ => name(front, given)?,
    };
    Ok(match front.name {
        "nodemap_add" | "nodemap_new" => NodemapEdit::Add { nodemap },
        "nodemap_del" => NodemapEdit::Del { nodemap },
        "nodemap_add_range" => {
            NodemapEdit::AddRange { nodemap, range: range(front, needed('r', "NID range")?)? }
        }
        "nodemap_del_range" => {
            NodemapEdit::DelRange { nodemap, range: range(front, needed('r', "NID range")?)? }
        }
        "nodemap_banlist_add" => {
            NodemapEdit::BanlistAdd { nodemap, range: range(front, needed('r', "NID range")?)? }
        }
        "nodemap_banlist_del" => {
            NodemapEdit::BanlistDel { nodemap, range: range(front, needed('r', "NID range")?)? }
        }
        "nodemap_modify" => {
            let property = needed('p', "property name")?;
            let (property, inside) = match property.split_once('=') {
                Some((property, value)) => (property.to_owned(), Some(value.to_owned())),
                None => (property, None),
            };
            let value = match (inside.filter(|v| !v.is_empty()), given.value('v')) {
                (Some(_), Some(_)) => {
                    front.complain(
                        "error: nodemap_modify: use of both '--property=<value>' and '--value <value>' is invalid",
                    );
                    return Err(End::Usage);
                }
                (Some(value), None) => value,
                (None, Some(value)) => value.to_owned(),
                (None, None) => return Err(missing(front, "value for property")),
            };
            if property_code(&property).is_none() {
                front.complain(format!("error: nodemap_modify: nodemap_modify invalid property: {property}"));
                return Err(End::Usage);
            }
            // The project of nobody may be 0.
            if ["squash_uid", "squash_gid"].contains(&property.as_str()) && value.trim() == "0" {
                let why = Errno::EINVAL.text;
                front.complain(format!(
                    "error: nodemap_modify: cannot squash to ID 0 on nodemap '{nodemap}': {why}"
                ));
                return Err(End::Usage);
            }
            NodemapEdit::Modify { nodemap, property, value }
        }
        "nodemap_add_idmap" | "nodemap_del_idmap" => {
            let kind = id_kind(&needed('i', "ID type")?).ok_or_else(|| {
                front
                    .complain(format!("{}: incorrect ID type, must be one of uid, gid, projid.", front.name));
                End::Usage
            })?;
            let map = needed('m', "ID map")?;
            match front.name {
                "nodemap_add_idmap" => NodemapEdit::AddIdmap { nodemap, kind, map },
                _ => NodemapEdit::DelIdmap { nodemap, kind, map },
            }
        }
        "nodemap_add_offset" => {
            let number =
                |short| given.value(short).and_then(|text| text.parse().ok()).filter(|n: &u64| *n > 0);
            let (Some(start), Some(limit)) = (number('o'), number('l')) else {
                let shown = given.value('o').unwrap_or_default();
                front.complain(format!("{}: invalid nodemap '{nodemap}' offset '{shown}'", front.name));
                return Err(End::Usage);
            };
            NodemapEdit::AddOffset { nodemap, start, limit }
        }
        "nodemap_del_offset" => NodemapEdit::DelOffset { nodemap },
        "nodemap_set_fileset" => {
            let path = given.value('f').ok_or_else(|| missing(front, "fileset SUBDIRECTORY"))?;
            let path = if path == "clear" { String::new() } else { path.to_owned() };
            NodemapEdit::SetFileset { nodemap, path }
        }
        "nodemap_fileset_add" => NodemapEdit::FilesetAdd {
            nodemap,
            path: given.value('f').ok_or(End::Usage)?.to_owned(),
            alternate: given.has('a'),
            ro: given.has('r'),
        },
        "nodemap_fileset_del" => {
            let path = given.value('f').map(str::to_owned);
            match (&path, given.has('A')) {
                (Some(_), true) => {
                    front.complain("error: cannot specify both --fileset and --all options");
                    return Err(End::Usage);
                }
                (None, false) => return Err(End::Usage),
                _ => NodemapEdit::FilesetDel { nodemap, path },
            }
        }
        "nodemap_fileset_modify" => {
            let either = |yes: char, no: char, what: &str| match (given.has(yes), given.has(no)) {
                (true, true) => {
                    front.complain(format!("cannot specify both {what}"));
                    Err(End::Usage)
                }
                (true, false) => Ok(Some(true)),
                (false, true) => Ok(Some(false)),
                (false, false) => Ok(None),
            };
            let alternate = either('a', 'p', "--alt and --primary")?;
            let ro = either('o', 'w', "--ro and --rw")?;
            let path = given.value('f').ok_or(End::Usage)?.to_owned();
            let rename = given.value('r').map(str::to_owned);
            NodemapEdit::FilesetModify { nodemap, path, rename, alternate, ro }
        }
        "nodemap_set_sepol" => {
            let sepol = given.value('s').ok_or_else(|| missing(front, "sepol"))?.to_owned();
            NodemapEdit::SetSepol { nodemap, sepol }
        }
        "nodemap_set_cap" => {
            let kind = needed('t', "caps type")?;
            let caps = given.value('c').unwrap_or_default().to_owned();
            if caps.is_empty() && kind != "off" {
                return Err(missing(front, "capabilities"));
            }
            NodemapEdit::SetCap { nodemap, kind, caps }
        }
        _ => return Err(End::Usage),
    })
}

/// lctl reads ranges itself, but for those with a mask or with two ends.
fn range(front: &Front<'_>, text: String) -> Done<String> {
    let why = match Range::parse(&text) {
        Ok(_) => return Ok(text),
        Err(_) if text.contains(['/', ':']) => return Ok(text),
        Err(BadRange::Gaps) => "nodemap ranges must be contiguous".to_owned(),
        Err(_) => {
            format!("can't parse nid range: {text}")
        }
    };
    front.complain(format!("error: nodemap_xxx_range: {why}"));
    Err(End::Usage)
}

fn id_kind(text: &str) -> Option<NodemapIdKind> {
    [NodemapIdKind::Uid, NodemapIdKind::Gid, NodemapIdKind::Projid]
        .into_iter()
        .find(|kind| kind.as_str() == text)
}

/// The command that a message of lctl names (`lustre_cfg.h: LCFG_NODEMAP_*`).
fn ioctl(command: &str, property: &str, ids: &str) -> u32 {
    0x000c_e000
        | match (command, ids) {
            ("nodemap_add" | "nodemap_new", _) => 0x40,
            ("nodemap_del", _) => 0x41,
            ("nodemap_add_range", _) => 0x42,
            ("nodemap_del_range", _) => 0x43,
            ("nodemap_add_idmap", "uid") => 0x44,
            ("nodemap_del_idmap", "uid") => 0x45,
            ("nodemap_add_idmap", "gid") => 0x46,
            ("nodemap_del_idmap", "gid") => 0x47,
            ("nodemap_activate", _) => 0x48,
            ("nodemap_add_idmap", _) => 0x4a,
            ("nodemap_del_idmap", _) => 0x4b,
            ("nodemap_add_offset", _) => 0x4c,
            ("nodemap_del_offset", _) => 0x4d,
            ("nodemap_test_nid", _) => 0x55,
            ("nodemap_test_id", _) => 0x56,
            ("nodemap_set_fileset", _) => 0x57,
            ("nodemap_set_sepol", _) => 0x5b,
            ("nodemap_fileset_add", _) => 0x62,
            ("nodemap_set_cap", _) => 0x63,
            ("nodemap_fileset_del", _) => 0x64,
            ("nodemap_fileset_modify", _) => 0x67,
            ("nodemap_banlist_add", _) => 0x68,
            ("nodemap_banlist_del", _) => 0x69,
            _ => property_code(property.split('=').next().unwrap_or_default()).unwrap_or(0),
        }
}

/// The same for `nodemap_modify`; `None`: no property.
fn property_code(property: &str) -> Option<u32> {
    Some(match property {
        "admin" => 0x49,
        "trusted" => 0x50,
        "squash_uid" => 0x51,
        "squash_gid" => 0x52,
        "deny_unknown" => 0x58,
        "map_mode" => 0x59,
        "audit_mode" => 0x5a,
        "forbid_encryption" => 0x5c,
        "squash_projid" => 0x5d,
        "readonly_mount" => 0x5e,
        "rbac" => 0x5f,
        "deny_mount" => 0x60,
        "child_raise_privileges" => 0x61,
        "gssonly_identification" => 0x65,
        _ => return None,
    })
}

/// `nodemap_test_nid`, `nodemap_test_id`.
async fn test(front: &Front<'_>, given: &Given) -> Done {
    let of_id = front.name == "nodemap_test_id";
    let nid = given.value('n').or(given.words.first().filter(|_| !of_id).map(String::as_str));
    let nid = nid.ok_or(End::Usage)?;
    let failed = |errno: Errno| {
        refused(front, ioctl(front.name, "", ""), errno);
        if of_id { End::Errno(errno) } else { fails(front, errno) }
    };
    let id = if of_id {
        let (kind, id) = (given.value('t').ok_or(End::Usage)?, given.value('i').ok_or(End::Usage)?);
        let known = id_kind(kind).zip(id.parse().ok());
        Some(known.ok_or_else(|| failed(Errno::EINVAL))?)
    } else {
        None
    };
    match front.api.nodemap_test(nid, id).await {
        Ok(test) => front.say(test.id.map_or(test.nodemap, |id| id.to_string()) + "\n"),
        Err(error) => Err(failed(front.errno(&error))),
    }
}

/// What `nodemap_info --list` says of the parameters.
const PARAMETERS: &[(&str, &str)] = &[
    ("admin_nodemap", "root is not squashed on policy group"),
    ("audit_mode", "client can record FS access events to the Changelogs"),
    ("deny_mount", "disable client mounts"),
    ("deny_unknown", "deny access for unknown (squashed) users"),
    ("exports", "list of client connections (NIDs) for this nodemap"),
    ("fileset", "fileset restrictions for this nodemap"),
    ("forbid_encryption", "prevent clients from using encryption"),
    ("id", "unique identifier for this nodemap"),
    ("idmap", "identity mapping rules for UID/GID/PROJID translation"),
    ("map_mode", "identity mapping mode"),
    ("offset", "idmap range offset for identity translation"),
    ("ranges", "NID ranges assigned to this nodemap"),
    ("rbac", "role-based admin control settings"),
    ("readonly_mount", "force clients to mount read-only"),
    ("sepol", "SELinux policy for this nodemap"),
    ("squash_gid", "GID for unmapped users"),
    ("squash_projid", "project ID for unmapped projects"),
    ("squash_uid", "UID for unmapped users"),
    ("trusted_nodemap", "accept client identities without mapping"),
];

async fn info(front: &Front<'_>, given: &Given) -> Done {
    let (map, property, list) = (given.value('n'), given.value('p'), given.has('l'));
    if (map.is_some() || property.is_some() || list) && !given.words.is_empty() {
        front.complain("error: using both positional and named arguments is not allowed");
        return Err(End::Usage);
    }
    if (map.is_some() || property.is_some()) && list {
        front.complain("error: using both --list and --name or --property is not allowed");
        return Err(End::Usage);
    }
    if list || given.words.first().is_some_and(|word| word == "list") {
        let maps = front.api.nodemaps().await.map_err(|error| End::Errno(front.errno(&error)))?;
        if !list {
            return front.say(maps.items.iter().map(|m| format!("nodemap.{}\n", m.name)).collect::<String>());
        }
        let state = if maps.active { "active" } else { "inactive" };
        let names: String = maps.items.iter().map(|m| format!("\t{}\n", m.name)).collect();
        let known: String = PARAMETERS.iter().map(|(name, says)| format!("\t{name:<20} {says}\n")).collect();
        return front.say(format!(
            "Global nodemap state:\n\t{state}\n\nDefined nodemaps:\n{names}\nAvailable nodemap parameters:\n{known}"
        ));
    }
    let words = given.words.first().map(String::as_str);
    let map = map.or(words.filter(|word| *word != "all"));
    let pattern = format!("nodemap.{}.{}", map.unwrap_or("*"), property.unwrap_or("*"));
    let front = Front { api: front.api, name: "get_param" };
    if map.is_none() && property.is_none() && words.is_none() {
        get::get(&front, &["nodemap.active".to_owned()]).await?;
    }
    let only_names = words.is_some().then(|| "-N".to_owned());
    let args: Vec<String> = only_names.into_iter().chain([pattern]).collect();
    get::get(&front, &args).await
}
