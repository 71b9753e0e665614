//! Words for bits: how flags, roles, privileges and capabilities are written, as `lctl` takes and shows them
//! (`lustre_nodemap.h`, `libcfs_caps.h`).

use wire::nodemap::{cluster_flags as f, cluster_flags2 as f2};

/// Bits with their words, in the order in which they are shown.
pub type Words = &'static [(u64, &'static str)];

/// Flags of a nodemap: byte 17 of its record, and byte 18 above it.
pub const FLAGS: Words = &[
    (f::ALLOW_ROOT as u64, "admin"),
    (f::TRUST_IDS as u64, "trusted"),
    (f::DENY_UNKNOWN as u64, "deny_unknown"),
    (f::MAP_UID as u64, "map_uid"),
    (f::MAP_GID as u64, "map_gid"),
    (f::MAP_PROJID as u64, "map_projid"),
    (f::AUDIT as u64, "audit_mode"),
    (f::FORBID_ENCRYPTION as u64, "forbid_encryption"),
    ((f2::READONLY as u64) << 8, "readonly_mount"),
    ((f2::DENY_MOUNT as u64) << 8, "deny_mount"),
    ((f2::FILESET_IAM as u64) << 8, "fileset_in_index"),
    ((f2::GSS as u64) << 8, "gssonly_identification"),
];

/// `enum nodemap_rbac_roles`.
pub const ROLES: Words = &[
    (0x0001, "file_perms"),
    (0x0002, "dne_ops"),
    (0x0004, "quota_ops"),
    (0x0008, "byfid_ops"),
    (0x0010, "chlg_ops"),
    (0x0020, "fscrypt_admin"),
    (0x0040, "server_upcall"),
    (0x0080, "ignore_root_prjquota"),
    (0x0100, "hsm_ops"),
    (0x4000, "immutable_flags"),
    (0x0200, "local_admin"),
    (0x0400, "pool_quota_ops"),
    (0x0800, "lqa_quota_ops"),
    (0x1000, "projid_set"),
    (0x2000, "foreign_ops"),
];
/// A role that only makes sense where root is mapped.
pub const LOCAL_ADMIN: u32 = 0x0200;

/// `enum nodemap_raise_privs`; bit 0x20, roles, is set by naming roles.
pub const PRIVILEGES: Words = &[
    (0x001, "child_raise_privs"),
    (0x002, "admin"),
    (0x004, "trusted"),
    (0x008, "deny_unknown"),
    (0x010, "readonly_mount"),
    (0x040, "forbid_encryption"),
    (0x080, "caps"),
    (0x100, "deny_mount"),
];
/// Privilege to raise roles.
pub const RAISE_ROLES: u32 = 0x20;

/// Capabilities that Lustre asks about.
pub const CAPABILITIES: Words = &[
    (1 << 0, "cap_chown"),
    (1 << 1, "cap_dac_override"),
    (1 << 2, "cap_dac_read_search"),
    (1 << 3, "cap_fowner"),
    (1 << 4, "cap_fsetid"),
    (1 << 9, "cap_linux_immutable"),
    (1 << 21, "cap_sys_admin"),
    (1 << 24, "cap_sys_resource"),
    (1 << 27, "cap_mknod"),
    (1 << 32, "cap_mac_override"),
];
/// Capabilities that a nodemap may give: `CAP_FS_SET` and `CAP_SYS_RESOURCE`.
pub const ALLOWED_CAPS: u64 = known(CAPABILITIES) & !(1 << 21);

/// Kinds of capability sets.
pub const CAP_KINDS: [&str; 3] = ["off", "mask", "set"];

/// All bits that have a word.
pub const fn known(words: Words) -> u64 {
    let (mut all, mut at) = (0, 0);
    while at < words.len() {
        #[allow(clippy::indexing_slicing)] // const: at < len
        let (bit, _) = words[at];
        all |= bit;
        at += 1;
    }
    all
}

/// Words of the bits that are set, those without a word as one hexadecimal number: nothing is lost.
pub fn exact(bits: u64, words: Words) -> String {
    let rest = bits & !known(words);
    let mut out: Vec<String> = named(bits, words).map(str::to_owned).collect();
    if rest != 0 {
        out.push(format!("{rest:#x}"));
    }
    out.join(",")
}

/// What [`exact`] wrote.
pub fn parse_exact(text: &str, words: Words) -> Option<u64> {
    text.split(',').filter(|word| !word.is_empty()).try_fold(0, |bits, word| {
        let named = words.iter().find(|(_, name)| *name == word).map(|(bit, _)| *bit);
        let bit = named.or_else(|| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok())?;
        Some(bits | bit)
    })
}

/// Words of the bits that are set and have one.
pub fn named(bits: u64, words: Words) -> impl Iterator<Item = &'static str> {
    words.iter().filter(move |(bit, _)| bits & bit != 0).map(|(_, word)| *word)
}

/// A list of words as `cfs_str2mask` takes it: `a,b` sets these, `+a-b` changes what is there, `all` and `none` are all
/// and none. `None`: a word is unknown, or an operator has none.
pub fn masked(text: &str, before: u64, all: u64, words: Words) -> Option<u64> {
    let (mut mask, mut rest, mut first) = (before, text, true);
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        if rest.is_empty() {
            // an empty list of roles is none of them
            return Some(if first && !text.contains(['+', '-']) { 0 } else { mask });
        }
        let op = rest.chars().next().filter(|c| matches!(c, '+' | '-'));
        match op {
            Some(_) => rest = rest.get(1..)?.trim_start(),
            None if first => mask = 0,
            None => {}
        }
        let end = rest.find(|c: char| c.is_ascii_whitespace() || matches!(c, '+' | '-' | ','));
        let (word, tail) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
        let bit = match word.to_ascii_lowercase().as_str() {
            "all" => all,
            "none" => 0,
            word => words.iter().find(|(_, name)| *name == word).map(|(bit, _)| *bit)?,
        };
        let none = word.eq_ignore_ascii_case("none");
        match op {
            Some('-') => mask &= !bit,
            _ if none => mask = 0,
            _ => mask |= bit,
        }
        (rest, first) = (tail, false);
    }
}

/// `kstrtobool`: what `lctl` takes for a switch.
pub fn switch(text: &str) -> Option<bool> {
    let mut letters = text.chars().map(|c| c.to_ascii_lowercase());
    match (letters.next()?, letters.next()) {
        ('y' | 't' | '1', _) | ('o', Some('n')) => Some(true),
        ('n' | 'f' | '0', _) | ('o', Some('f')) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_exactly_reads_back() {
        for (bits, words) in
            [(0, ROLES), (3, ROLES), (0xffff_ffff, ROLES), (0xffff_fe00, PRIVILEGES), (0x0f4f, FLAGS)]
        {
            assert_eq!(parse_exact(&exact(bits, words), words), Some(bits), "{}", exact(bits, words));
        }
        assert_eq!(exact(0x8003, ROLES), "file_perms,dne_ops,0x8000");
        assert_eq!(parse_exact("file_perms,nonsense", ROLES), None);
    }

    #[test]
    fn lists_mean_what_the_kernel_takes_them_for() {
        let roles = |text, before| masked(text, before, 0xffff_ffff, ROLES);
        assert_eq!(roles("file_perms,dne_ops", 0xff), Some(3));
        assert_eq!(roles("+quota_ops", 3), Some(7));
        assert_eq!(roles("-dne_ops+byfid_ops", 3), Some(9));
        assert_eq!(roles("FILE_PERMS dne_ops", 0), Some(3));
        assert_eq!(roles("all", 0), Some(0xffff_ffff));
        assert_eq!(roles("all-dne_ops", 0), Some(0xffff_fffd));
        assert_eq!(roles("none", 7), Some(0));
        assert_eq!(roles("", 7), Some(0));
        for bad in ["nosuch", "file_perms,", "+", "-", "file_perms,x"] {
            assert_eq!(roles(bad, 1).is_none(), bad != "file_perms,", "{bad}");
        }
    }

    #[test]
    fn switches() {
        for on in ["1", "y", "Y", "true", "on", "ON"] {
            assert_eq!(switch(on), Some(true), "{on}");
        }
        for off in ["0", "n", "false", "off", "OF"] {
            assert_eq!(switch(off), Some(false), "{off}");
        }
        for bad in ["", "2", "o", "maybe"] {
            assert_eq!(switch(bad), None, "{bad}");
        }
    }
}
