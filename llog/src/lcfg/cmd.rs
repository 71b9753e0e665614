//! Command numbers, names and the keys of their buffers (`lustre_cfg.h: enum lcfg_command_type`, `lcfg_data_table`).
//!
//! Bit [`REQUIRED`] means: a reader that does not know the command, or fails in it, must fail the mount.

/// A reader that fails in such a command fails the mount.
pub const REQUIRED: u32 = 0x1000;

/// Create a device: type, UUID.
pub const ATTACH: u32 = 0xcf001;
/// Remove a device.
pub const DETACH: u32 = 0xcf002;
/// Set a device up; buffers depend on its type.
pub const SETUP: u32 = 0xcf003;
/// Take a device down; 1 = flags.
pub const CLEANUP: u32 = 0xcf004;
/// Add a NID to a node UUID.
pub const ADD_UUID: u32 = 0xcf005;
/// Forget a node UUID, or all.
pub const DEL_UUID: u32 = 0xcf006;
/// Profile: name, LOV, LMV.
pub const MOUNTOPT: u32 = 0xcf007;
/// Remove a profile.
pub const DEL_MOUNTOPT: u32 = 0xcf008;
/// `num` = seconds.
pub const SET_TIMEOUT: u32 = 0xcf009;
/// Ignored.
pub const SET_UPCALL: u32 = 0xcf00a;
/// Add a failover node UUID to a device.
pub const ADD_CONN: u32 = 0xcf00b;
/// Remove one.
pub const DEL_CONN: u32 = 0xcf00c;
/// Add an OST to a LOV: UUID, index, generation.
pub const LOV_ADD_OBD: u32 = 0xcf00d;
/// Remove one.
pub const LOV_DEL_OBD: u32 = 0xcf00e;
/// `conf_param`: `name=value`.
pub const PARAM: u32 = 0xcf00f;
/// Start or end of a section.
pub const MARKER: u32 = 0xcf010;
/// In memory between mount and MGC; never stored.
pub const LOG_START: u32 = 0xce011;
/// In memory between mount and MGC; never stored.
pub const LOG_END: u32 = 0xce012;
/// `LOV_ADD_OBD` in an EXCLUDE section; never stored.
pub const LOV_ADD_INA: u32 = 0xce013;
/// Add an MDT to an LMV: UUID, index, generation, MDC UUID.
pub const ADD_MDC: u32 = 0xcf014;
/// Remove one.
pub const DEL_MDC: u32 = 0xcf015;
/// Security rule.
pub const SPTLRPC_CONF: u32 = 0xce016;
/// New pool: fsname, pool.
pub const POOL_NEW: u32 = 0xce020;
/// Add an OST to a pool: fsname, pool, OST UUID.
pub const POOL_ADD: u32 = 0xce021;
/// Remove an OST from a pool.
pub const POOL_REM: u32 = 0xce022;
/// Remove a pool.
pub const POOL_DEL: u32 = 0xce023;
/// `num` = seconds.
pub const SET_LDLM_TIMEOUT: u32 = 0xce030;
/// Internal.
pub const PRE_CLEANUP: u32 = 0xcf031;
/// `set_param -P`: `path=value`, upcall.
pub const SET_PARAM: u32 = 0xce032;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_ADD: u32 = 0xce040;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_DEL: u32 = 0xce041;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_ADD_RANGE: u32 = 0xce042;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_DEL_RANGE: u32 = 0xce043;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_ADD_UIDMAP: u32 = 0xce044;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_DEL_UIDMAP: u32 = 0xce045;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_ADD_GIDMAP: u32 = 0xce046;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_DEL_GIDMAP: u32 = 0xce047;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_ACTIVATE: u32 = 0xce048;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_ADMIN: u32 = 0xce049;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_ADD_PROJIDMAP: u32 = 0xce04a;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_DEL_PROJIDMAP: u32 = 0xce04b;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_ADD_OFFSET: u32 = 0xce04c;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_DEL_OFFSET: u32 = 0xce04d;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_TRUSTED: u32 = 0xce050;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_SQUASH_UID: u32 = 0xce051;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_SQUASH_GID: u32 = 0xce052;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_ADD_SHKEY: u32 = 0xce053;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_DEL_SHKEY: u32 = 0xce054;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_TEST_NID: u32 = 0xce055;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_TEST_ID: u32 = 0xce056;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_SET_FILESET: u32 = 0xce057;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_DENY_UNKNOWN: u32 = 0xce058;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_MAP_MODE: u32 = 0xce059;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_AUDIT_MODE: u32 = 0xce05a;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_SET_SEPOL: u32 = 0xce05b;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_FORBID_ENCRYPT: u32 = 0xce05c;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_SQUASH_PROJID: u32 = 0xce05d;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_READONLY_MOUNT: u32 = 0xce05e;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_RBAC: u32 = 0xce05f;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_DENY_MOUNT: u32 = 0xce060;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_RAISE_PRIVS: u32 = 0xce061;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_FILESET_ADD: u32 = 0xce062;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_SET_CAPS: u32 = 0xce063;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_FILESET_DEL: u32 = 0xce064;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_GSS_IDENTIFY: u32 = 0xce065;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_LOOKUP_SHA: u32 = 0xce066;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_FILESET_MODIFY: u32 = 0xce067;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_BANLIST_ADD: u32 = 0xce068;
/// Nodemap ioctl; never stored in a log.
pub const NODEMAP_BANLIST_DEL: u32 = 0xce069;

/// What `llog_print` calls a command and its buffers 1 to 4.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// Command number.
    pub command: u32,
    /// Event name.
    pub name: &'static str,
    /// Keys of buffers 1 to 4.
    pub keys: [&'static str; 4],
}

const fn row(command: u32, name: &'static str, keys: [&'static str; 4]) -> Description {
    Description { command, name, keys }
}

const PLAIN: [&str; 4] = ["1", "2", "3", "4"];

/// Every command that can be printed. Nodemap and internal commands have no name there.
static TABLE: &[Description] = &[
    row(ATTACH, "attach", ["type", "UUID", "3", "4"]),
    row(DETACH, "detach", PLAIN),
    row(SETUP, "setup", ["UUID", "node", "options", "failout"]),
    row(CLEANUP, "cleanup", PLAIN),
    row(ADD_UUID, "add_uuid", ["node", "nid", "3", "4"]),
    row(DEL_UUID, "del_uuid", PLAIN),
    row(MOUNTOPT, "new_profile", ["name", "lov", "lmv", "4"]),
    row(DEL_MOUNTOPT, "del_mountopt", PLAIN),
    row(SET_TIMEOUT, "set_timeout", ["parameter", "2", "3", "4"]),
    row(SET_UPCALL, "set_upcall", PLAIN),
    row(ADD_CONN, "add_conn", ["node", "2", "3", "4"]),
    row(DEL_CONN, "del_conn", PLAIN),
    row(LOV_ADD_OBD, "add_osc", ["ost", "index", "gen", "UUID"]),
    row(LOV_DEL_OBD, "del_osc", PLAIN),
    row(PARAM, "conf_param", ["parameter", "value", "3", "4"]),
    row(MARKER, "marker", PLAIN),
    row(LOG_START, "log_start", PLAIN),
    row(LOG_END, "log_end", PLAIN),
    row(LOV_ADD_INA, "add_osc_inactive", PLAIN),
    row(ADD_MDC, "add_mdc", ["mdt", "index", "gen", "UUID"]),
    row(DEL_MDC, "del_mdc", PLAIN),
    row(SPTLRPC_CONF, "security", ["parameter", "2", "3", "4"]),
    row(POOL_NEW, "new_pool", ["fsname", "pool", "3", "4"]),
    row(POOL_ADD, "add_pool", ["fsname", "pool", "ost", "4"]),
    row(POOL_REM, "remove_pool", ["fsname", "pool", "ost", "4"]),
    row(POOL_DEL, "del_pool", ["fsname", "pool", "3", "4"]),
    row(SET_LDLM_TIMEOUT, "set_ldlm_timeout", ["parameter", "2", "3", "4"]),
    row(SET_PARAM, "set_param", ["parameter", "value", "3", "4"]),
];

/// Name and buffer keys of a command; `None` for one that no log holds.
pub fn describe(command: u32) -> Option<&'static Description> {
    TABLE.iter().find(|d| d.command == command)
}

/// The event name that `llog_print` uses: `attach`, `add_osc`, `conf_param`, …
pub fn command_name(command: u32) -> Option<&'static str> {
    describe(command).map(|d| d.name)
}
