//! Properties of a nodemap: switches, squash ids, mapping, roles, capabilities, SELinux policy.

use super::{DEFAULT, Did, known, other, refused};
use crate::Errno;
use crate::error::Error;
use crate::model::nodemap::words::{self, CAPABILITIES, LOCAL_ADMIN, PRIVILEGES, RAISE_ROLES, ROLES};
use crate::model::nodemap::{ALL_ROLES, Caps, Roles};
use crate::model::tx::Tx;
use wire::nodemap::{cluster_flags as f, cluster_flags2 as f2};

/// Properties that are on or off: byte 17 or 18 of the record, and the bit.
const SWITCHES: [(&str, bool, u8); 8] = [
    ("admin", false, f::ALLOW_ROOT),
    ("trusted", false, f::TRUST_IDS),
    ("deny_unknown", false, f::DENY_UNKNOWN),
    ("audit_mode", false, f::AUDIT),
    ("forbid_encryption", false, f::FORBID_ENCRYPTION),
    ("readonly_mount", true, f2::READONLY),
    ("deny_mount", true, f2::DENY_MOUNT),
    ("gssonly_identification", true, f2::GSS),
];
/// All that can be set, for hints.
const KNOWN: &str = "admin, trusted, deny_unknown, audit_mode, forbid_encryption, readonly_mount, deny_mount, \
                     gssonly_identification, map_mode, squash_uid, squash_gid, squash_projid, rbac, \
                     child_raise_privileges";
/// Longest SELinux policy (`LUSTRE_NODEMAP_SEPOL_LENGTH`).
const SEPOL_MAX: usize = 1 + 255 + 3 + 64 + 3;
/// Longest value; lists of all words there are have a third of it.
const VALUE_MAX: usize = 1024;

pub(super) fn set(tx: &mut Tx<'_>, name: &str, property: &str, value: &str) -> Result<Did, Error> {
    let bad = |allowed: &str| {
        let what = format!("'{}' is no value of {property}", value.escape_default());
        refused(name, Errno::EINVAL, what, format!("allowed: {allowed}"))
    };
    if value.len() > VALUE_MAX {
        return refused(name, Errno::E2BIG, "the value is too long", format!("at most {VALUE_MAX} bytes"));
    }
    // As they are shown.
    let property = match property {
        "admin_nodemap" => "admin",
        "trusted_nodemap" => "trusted",
        other => other,
    };
    if let Some((_, second, bit)) = SWITCHES.iter().find(|(word, ..)| *word == property) {
        let Some(on) = words::switch(value) else { return bad("1 or 0, on or off, yes or no") };
        if property == "gssonly_identification" {
            gss(tx, name)?;
        }
        let map = known(tx, name)?;
        let flags = if *second { &mut map.flags2 } else { &mut map.flags };
        let before = std::mem::replace(flags, if on { *flags | bit } else { *flags & !bit });
        return Ok(Did::served(before != *flags));
    }
    match property {
        "squash_uid" | "squash_gid" | "squash_projid" => {
            let number: Option<u32> = value.parse().ok().filter(|_| !value.starts_with('+'));
            let Some(id) = number.filter(|id| *id != 0 || property == "squash_projid") else {
                return bad("a number up to 4294967295, for users and groups not 0, which is root");
            };
            let map = known(tx, name)?;
            let field = match property {
                "squash_uid" => &mut map.squash.uid,
                "squash_gid" => &mut map.squash.gid,
                _ => &mut map.squash.projid,
            };
            let before = std::mem::replace(field, id);
            if let Some(offset) = map.offset.filter(|o| id >= o.limit) {
                tx.warn(format!(
                    "{property} {id} of nodemap '{name}' is not below the limit {} of its offset, so that it stays what it is",
                    offset.limit
                ));
            }
            Ok(Did::served(before != id))
        }
        "map_mode" => {
            let Some(bits) = map_mode(value) else { return bad("all, both, or a list of uid, gid, projid") };
            let map = known(tx, name)?;
            let flags = (map.flags & !(f::MAP_UID | f::MAP_GID | f::MAP_PROJID)) | bits;
            let before = std::mem::replace(&mut map.flags, flags);
            Ok(Did::served(before != flags))
        }
        "rbac" => rbac(tx, name, value),
        "child_raise_privileges" => {
            let Some((raise, raised)) = privileges(value) else {
                let list: Vec<&str> = PRIVILEGES.iter().chain(ROLES).map(|(_, word)| *word).collect();
                return bad(&format!("all, none, or a list of {}", list.join(", ")));
            };
            let map = known(tx, name)?;
            let roles = Roles { raise, raised, ..map.roles };
            let before = std::mem::replace(&mut map.roles, roles);
            Ok(Did::served(before != roles))
        }
        _ => {
            let what = format!("has no property '{}'", property.escape_default());
            refused(name, Errno::EINVAL, what, format!("properties: {KNOWN}"))
        }
    }
}

/// Clients are told apart by NID or by GSS, not by both.
fn gss(tx: &mut Tx<'_>, name: &str) -> Result<(), Error> {
    let map = other(tx, name, "GSS identification")?;
    if map.ranges.is_empty() {
        return Ok(());
    }
    let what = format!("has {} ranges of NIDs, which GSS identification excludes", map.ranges.len());
    refused(name, Errno::EPERM, what, "remove them with 'mgsctl nodemap del-range' first")
}

fn map_mode(text: &str) -> Option<u8> {
    const ALL: u8 = f::MAP_UID | f::MAP_GID | f::MAP_PROJID;
    if text.split(',').any(|word| word == "all") {
        return Some(ALL);
    }
    text.split(',').try_fold(0, |bits, word| {
        Some(
            bits | match word {
                "both" => f::MAP_UID | f::MAP_GID,
                "uid" | "uid_only" => f::MAP_UID,
                "gid" | "gid_only" => f::MAP_GID,
                "projid" | "projid_only" => f::MAP_PROJID,
                _ => return None,
            },
        )
    })
}

fn rbac(tx: &mut Tx<'_>, name: &str, value: &str) -> Result<Did, Error> {
    let before = known(tx, name)?.roles.allowed;
    let mask = words::masked(value, before.into(), ALL_ROLES.into(), ROLES);
    let Some(allowed) = mask.and_then(|mask| u32::try_from(mask).ok()) else {
        let list: Vec<&str> = ROLES.iter().map(|(_, word)| *word).collect();
        let what = format!("'{}' is no value of rbac", value.escape_default());
        let hint = format!("allowed: all, none, or a list, also with + or -, of {}", list.join(", "));
        return refused(name, Errno::EINVAL, what, hint);
    };
    if name == DEFAULT && allowed != before && allowed != ALL_ROLES && allowed & LOCAL_ADMIN != 0 {
        let hint = "name the roles without it; it is for nodemaps in which root is mapped";
        return refused(name, Errno::EINVAL, "cannot have the role local_admin", hint);
    }
    known(tx, name)?.roles.allowed = allowed;
    Ok(Did::served(before != allowed))
}

/// Privileges, and roles among them.
fn privileges(text: &str) -> Option<(u32, u32)> {
    match text {
        "all" => return Some((u32::MAX, u32::MAX)),
        "none" => return Some((Roles::UNSET.raise, Roles::UNSET.raised)),
        _ => {}
    }
    let bit = |word: &str, words: words::Words| {
        let found = words.iter().find(|(_, name)| *name == word);
        found.and_then(|(bit, _)| u32::try_from(*bit).ok())
    };
    text.split(',').try_fold((Roles::UNSET.raise, Roles::UNSET.raised), |(raise, raised), word| {
        match (bit(word, PRIVILEGES), bit(word, ROLES)) {
            (Some(bit), _) => Some((raise | bit, raised)),
            (None, Some(bit)) => Some((raise | RAISE_ROLES, raised | bit)),
            (None, None) => None,
        }
    })
}

pub(super) fn sepol(tx: &mut Tx<'_>, name: &str, sepol: &str) -> Result<Did, Error> {
    let hint = "MODE:NAME:VERSION:HASH, as 'l_getsepol' prints it on a client; empty for none";
    if sepol.len() > SEPOL_MAX {
        return refused(name, Errno::ENAMETOOLONG, "the SELinux policy is too long", hint);
    }
    let parts: Vec<&str> = sepol.split(':').collect();
    let graphic = sepol.bytes().all(|b| b.is_ascii_graphic());
    let right = match parts.as_slice() {
        [""] => true,
        [mode, policy, version, hash] => {
            graphic
                && ["0", "1"].contains(mode)
                && (1..=255).contains(&policy.len())
                && version.parse::<u16>().is_ok()
                && (1..=64).contains(&hash.len())
        }
        _ => false,
    };
    if !right {
        let what = format!("'{}' is no SELinux policy", sepol.escape_default());
        return refused(name, Errno::EINVAL, what, hint);
    }
    let map = other(tx, name, "SELinux policy")?;
    if map.sepol == sepol {
        return Ok(Did::Nothing);
    }
    sepol.clone_into(&mut map.sepol);
    tx.warn(format!(
        "servers do not read the SELinux policy of nodemap '{name}' from here; \
         tell them with 'mgsctl param set nodemap.{name}.sepol={sepol}'"
    ));
    Ok(Did::Kept)
}

pub(super) fn caps(tx: &mut Tx<'_>, name: &str, kind: &str, caps: &str) -> Result<Did, Error> {
    let Some(kind) = words::CAP_KINDS.iter().position(|word| *word == kind) else {
        let what = format!("'{}' is no kind of capabilities", kind.escape_default());
        return refused(name, Errno::EINVAL, what, "allowed: off, mask, set");
    };
    let kind = u8::try_from(kind).unwrap_or(0);
    let map = known(tx, name)?;
    let before = map.caps;
    if kind == 0 {
        map.caps = None;
        return Ok(Did::served(before.is_some()));
    }
    let old = before.filter(|c| c.kind == kind).map_or(0, |c| c.mask);
    let number = match caps.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => caps.parse().ok().filter(|_| !caps.starts_with('+')),
    };
    let mask = number.or_else(|| words::masked(caps, old, words::ALLOWED_CAPS, CAPABILITIES));
    let Some(mask) = mask.filter(|_| caps.len() <= VALUE_MAX) else {
        let list: Vec<&str> = words::named(words::ALLOWED_CAPS, CAPABILITIES).collect();
        let what = format!("'{}' is no list of capabilities", caps.escape_default());
        let hint = format!("allowed: a number, all, or a list, also with + or -, of {}", list.join(", "));
        return refused(name, Errno::EINVAL, what, hint);
    };
    let allowed = mask & words::ALLOWED_CAPS;
    map.caps = (allowed != 0).then_some(Caps { kind, mask: allowed });
    let did = Did::served(before != map.caps);
    if allowed != mask {
        let left = words::exact(mask & !words::ALLOWED_CAPS, CAPABILITIES);
        tx.warn(format!("capabilities {left} cannot be given by a nodemap and were left out"));
    }
    if allowed == 0 {
        tx.warn(format!("no capability is left for nodemap '{name}': servers take this for off"));
    }
    Ok(did)
}
