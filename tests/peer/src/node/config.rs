//! What a node is told: who it is, which release it runs, what it mounts.
use std::time::Duration;
use wire::ptlrpc::connect_flags as flag;
use wire::{Nid, Order};

/// A Lustre release; its dialect follows `protocol/6`, table 6.11.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[allow(missing_docs)]
pub enum Release {
    V2_12,
    V2_15,
    V2_16,
    /// 2.17.57: the release of the recordings.
    #[default]
    V2_17,
}

/// What differs between releases on the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// `ocd_version`, `mti_lustre_ver`.
    pub(crate) version: u32,
    pub(crate) connect_flags: u64,
    pub(crate) connect_flags2: u64,
    /// `pb_flags` of every request.
    pub(crate) pb_flags: u32,
    /// MGS_CONNECT carries the SELinux buffer.
    pub(crate) sepol: bool,
    /// Log open carries credentials.
    pub(crate) open_creds: bool,
    /// `mcb_rec_nid_size` of a table read.
    pub(crate) nid_size: u8,
    /// READY again after each reconnect.
    pub(crate) notify: bool,
    /// -EBADR means end of log, as -EIO does.
    pub(crate) eof_ebadr: bool,
    /// Sends text NIDs when granted.
    pub(crate) large_nid: bool,
}

/// FULL20, AT, VERSION, BARRIER, IMP_RECOV, LVB_TYPE, BULK_MBITS: asked by every release.
const ASKED_BY_ALL: u64 = flag::VERSION
    | flag::BARRIER
    | flag::AT
    | flag::FULL20
    | flag::IMP_RECOV
    | flag::LVB_TYPE
    | flag::BULK_MBITS;

impl Release {
    pub(crate) const fn dialect(self) -> Dialect {
        match self {
            Self::V2_12 => Dialect {
                version: 0x020c_0000,
                connect_flags: ASKED_BY_ALL | flag::MNE_SWAB,
                connect_flags2: 0,
                pb_flags: 0,
                sepol: false,
                open_creds: false,
                nid_size: 0,
                notify: false,
                eof_ebadr: false,
                large_nid: false,
            },
            Self::V2_15 => Dialect {
                version: 0x020f_0000,
                connect_flags: ASKED_BY_ALL | flag::FLAGS2,
                connect_flags2: flag::REP_MBITS,
                pb_flags: 0,
                sepol: true,
                open_creds: true,
                nid_size: 0,
                notify: false,
                eof_ebadr: false,
                large_nid: false,
            },
            Self::V2_16 => Dialect {
                version: 0x0210_0000,
                connect_flags: ASKED_BY_ALL | flag::FLAGS2,
                connect_flags2: flag::REP_MBITS | flag::LARGE_NID,
                pb_flags: 0,
                sepol: true,
                open_creds: true,
                nid_size: 20,
                notify: false,
                eof_ebadr: false,
                large_nid: true,
            },
            Self::V2_17 => Dialect {
                version: 0x0211_3900,
                connect_flags: ASKED_BY_ALL | flag::FLAGS2 | flag::MGS_NIDLIST,
                connect_flags2: flag::REP_MBITS | flag::LARGE_NID,
                pb_flags: wire::ptlrpc::pb_flags::PACK_UID_GID,
                sepol: true,
                open_creds: true,
                nid_size: 20,
                notify: true,
                eof_ebadr: true,
                large_nid: true,
            },
        }
    }
}

/// Who the node is.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Its NID; one network, one interface.
    pub nid: Nid,
    /// NIDs of the MGS nodes (`mgsnode=A:B`), tried in turn.
    pub mgs: Vec<Nid>,
    /// Dialect.
    pub release: Release,
    /// Byte order of the machine.
    pub order: Order,
    /// Everything on it is mounted with `-o noir`: its MGC does not ask for imperative recovery.
    pub noir: bool,
    /// Source of cookies, uuids and delays.
    pub seed: u64,
    /// Wall clock at boot since the Unix epoch: the incarnation and the first xid come from it.
    pub boot: Duration,
}

impl NodeConfig {
    /// A little-endian node of release 2.17.57.
    pub const fn new(nid: Nid, mgs: Vec<Nid>, seed: u64, boot: Duration) -> Self {
        Self { nid, mgs, release: Release::V2_17, order: Order::Little, noir: false, seed, boot }
    }
}

/// MDT or OST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum TargetKind {
    Mdt,
    Ost,
}

impl TargetKind {
    /// `MDT` or `OST`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Mdt => "MDT",
            Self::Ost => "OST",
        }
    }
}

/// What the disk of a target says at mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TargetState {
    /// Virgin when this node never mounted it, registered afterwards.
    #[default]
    Automatic,
    /// Freshly formatted.
    Virgin,
    /// Mounted before.
    Registered,
    /// `tunefs --writeconf`.
    Writeconf,
    /// `mkfs --replace`, or parameters changed: UPDATE alone.
    Update,
}

/// A target to mount.
#[derive(Clone, Debug)]
pub struct TargetOptions {
    /// File system.
    pub fsname: String,
    /// MDT or OST.
    pub kind: TargetKind,
    /// Index in the file system.
    pub index: u32,
    /// What the disk says.
    pub state: TargetState,
    /// Parameters of the format (`--param`), each as `name=value`. Sent in this order.
    pub params: Vec<String>,
    /// `--failnode`: groups of NIDs, one group per node.
    pub failnodes: Vec<Vec<Nid>>,
    /// `--servicenode`: as above, with NO_PRIMNODE.
    pub servicenodes: Vec<Vec<Nid>>,
    /// NIDs stated beside the node's own; more than 38 in all travel by bulk.
    pub more_nids: Vec<Nid>,
    /// Registers as a node does whose connection is not complete: it cannot know that the MGS takes a list of NIDs
    /// (`OBD_FAIL_MGC_REG_BEFORE_CONN`).
    pub before_connected: bool,
    /// Mount count stated in READY; `None`: counted by this node.
    pub instance: Option<u32>,
}

impl TargetOptions {
    /// A plain target, virgin at its first mount on this node.
    pub fn new(fsname: &str, kind: TargetKind, index: u32) -> Self {
        Self {
            fsname: fsname.to_owned(),
            kind,
            index,
            state: TargetState::Automatic,
            params: Vec::new(),
            failnodes: Vec::new(),
            servicenodes: Vec::new(),
            more_nids: Vec::new(),
            before_connected: false,
            instance: None,
        }
    }
    /// `testfs-OST0001`.
    pub fn svname(&self) -> String {
        format!("{}-{}{:04x}", self.fsname, self.kind.text(), self.index)
    }
}

/// A client mount.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// File system.
    pub fsname: String,
    /// `-o exclude=`: target names set inactive.
    pub exclude: Vec<String>,
    /// `-o noir`: no recover table.
    pub noir: bool,
}

impl ClientOptions {
    /// A plain mount.
    pub fn new(fsname: &str) -> Self {
        Self { fsname: fsname.to_owned(), exclude: Vec::new(), noir: false }
    }
    /// Name of the mount, which is the name of its log: `testfs-client`.
    pub fn name(&self) -> String {
        format!("{}-client", self.fsname)
    }
}

/// What a person or a test asks of a node. Commands are executed one after the other, as a shell would.
#[derive(Clone, Debug)]
pub enum Command {
    /// `mount -t lustre_tgt`.
    MountTarget(TargetOptions),
    /// The same, broken off behind the registration: the target is not up, the MGC stays. For load alone.
    Register(TargetOptions),
    /// `mount -t lustre`.
    MountClient(ClientOptions),
    /// `umount` of a target (`testfs-OST0000`) or client (`testfs-client`).
    Umount(String),
    /// `lctl get_param mgc.*.import` and the like: an extra ping of the MGS.
    Ping,
}
