//! Noun `nodemap`: which clients are who.

use hyper::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::client::{query, segment};
use crate::{Change, Client, Error};

/// All nodemaps in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Nodemaps {
    /// The commit that the answer reflects.
    pub seq: u64,
    /// They are in force.
    pub active: bool,
    /// The commit that changed last what servers read; 0: nobody ever did.
    pub version: u64,
    /// By name.
    pub items: Vec<NodemapEntry>,
}

/// A nodemap in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodemapEntry {
    /// Name.
    pub name: String,
    /// Its id in the index that servers read.
    pub id: u32,
    /// How many ranges of NIDs it has.
    pub ranges: u64,
    /// How many banned ones.
    pub bans: u64,
    /// How many pairs of ids.
    pub idmaps: u64,
    /// Path of its primary fileset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fileset: Option<String>,
}

/// A nodemap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Nodemap {
    /// The commit that the answer reflects.
    pub seq: u64,
    /// Name.
    pub name: String,
    /// Its id in the index that servers read.
    pub id: u32,
    /// Root of its clients is root.
    pub admin: bool,
    /// Ids of its clients are taken as they are.
    pub trusted: bool,
    /// Who is not mapped is refused.
    pub deny_unknown: bool,
    /// Changelogs tell of its clients.
    pub audit_mode: bool,
    /// Its clients may not encrypt.
    pub forbid_encryption: bool,
    /// Its clients mount read-only.
    pub readonly_mount: bool,
    /// Its clients may not mount.
    pub deny_mount: bool,
    /// Its clients are known by GSS, not by NID.
    pub gssonly_identification: bool,
    /// Which ids are mapped: `all`, or of `uid`, `gid`, `projid`.
    pub map_mode: String,
    /// Who is not mapped becomes this user.
    pub squash_uid: u32,
    /// This group.
    pub squash_gid: u32,
    /// This project.
    pub squash_projid: u32,
    /// Roles that root of its clients has.
    pub rbac: String,
    /// What nodemaps below it may raise.
    pub child_raise_privileges: String,
    /// SELinux policy that its clients must have.
    pub sepol: String,
    /// Shift of ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<NodemapOffset>,
    /// Capabilities of ordinary users; none: as usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caps: Option<NodemapCaps>,
    /// The primary fileset first, then alternate ones.
    pub filesets: Vec<NodemapFileset>,
    /// NIDs of its clients, the newest first.
    pub ranges: Vec<NodemapRange>,
    /// NIDs that may not connect, the newest first.
    pub banlist: Vec<NodemapRange>,
    /// Users, groups, projects, each by the ids of clients.
    pub idmap: Vec<NodemapIds>,
    /// Connected nodes that belong to it.
    pub exports: Vec<NodemapExport>,
}

/// Ids `0..limit` of clients are `start..start + limit` in the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodemapOffset {
    /// First id.
    pub start: u32,
    /// How many.
    pub limit: u32,
}

/// Capabilities of ordinary users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodemapCaps {
    /// `mask`: no others; `set`: these.
    pub kind: String,
    /// `cap_chown,cap_fowner`.
    pub caps: String,
}

/// A directory that clients see as their root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodemapFileset {
    /// From the root of the file system.
    pub path: String,
    /// Beside the primary one.
    pub alternate: bool,
    /// Read-only.
    pub ro: bool,
}

/// A range of NIDs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodemapRange {
    /// Its id in the index.
    pub id: u32,
    /// As an edit takes it: `10.0.0.4@tcp:10.0.0.6@tcp`, `fd00::/64@tcp`.
    pub range: String,
    /// First NID; of a prefix its address.
    pub start: String,
    /// Last NID; of a prefix its address.
    pub end: String,
}

/// Which ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NodemapIdKind {
    /// Users.
    Uid,
    /// Groups.
    Gid,
    /// Projects.
    Projid,
}

impl NodemapIdKind {
    /// `uid`, `gid`, `projid`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uid => "uid",
            Self::Gid => "gid",
            Self::Projid => "projid",
        }
    }
}

/// A pair of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodemapIds {
    /// Which.
    pub kind: NodemapIdKind,
    /// On the client.
    pub client: u32,
    /// In the file system.
    pub fs: u32,
}

/// A connected node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodemapExport {
    /// NID.
    pub nid: String,
    /// UUID of its MGC.
    pub uuid: String,
    /// Its NID is banned.
    pub banned: bool,
}

/// Whose a NID is, and what becomes of an id there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodemapTest {
    /// The commit that the answer reflects.
    pub seq: u64,
    /// NID.
    pub nid: String,
    /// Its nodemap.
    pub nodemap: String,
    /// It may not connect.
    pub banned: bool,
    /// Nodemaps are in force.
    pub active: bool,
    /// The id in the file system; while nodemaps are not in force the id itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
}

/// Changes of nodemaps: all of them are made, or none, in one commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodemapEdits {
    /// In this order.
    pub edits: Vec<NodemapEdit>,
}

/// One change of nodemaps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "edit", rename_all = "snake_case", deny_unknown_fields)]
pub enum NodemapEdit {
    /// Nodemaps are in force, or not.
    Activate {
        /// In force.
        active: bool,
    },
    /// One is made, with the properties of the nodemap `default`.
    Add {
        /// 1 to 16 letters, digits or `_`.
        nodemap: String,
    },
    /// One is removed with all that belongs to it.
    Del {
        /// Name.
        nodemap: String,
    },
    /// A property gets a value.
    Modify {
        /// Name.
        nodemap: String,
        /// Such as `admin`, `squash_uid`, `rbac`.
        property: String,
        /// Such as `1`, `99`, `file_perms,dne_ops`, `+quota_ops`.
        value: String,
    },
    /// NIDs belong to it.
    AddRange {
        /// Name.
        nodemap: String,
        /// `10.0.0.[4-6]@tcp`, `*@o2ib`, `10.0.0.4@tcp:10.0.0.6@tcp`, `10.0.0.0/24@tcp`, `fd00::/64@tcp`.
        range: String,
    },
    /// They no longer do.
    DelRange {
        /// Name.
        nodemap: String,
        /// A range as it was added.
        range: String,
    },
    /// NIDs may not connect.
    BanlistAdd {
        /// Name; `?` for the nodemap that the NIDs belong to.
        nodemap: String,
        /// Within one of its ranges.
        range: String,
    },
    /// They may again.
    BanlistDel {
        /// Name; `?` for the nodemap that the NIDs belong to.
        nodemap: String,
        /// A range as it was banned.
        range: String,
    },
    /// Ids of clients become ids of the file system.
    AddIdmap {
        /// Name.
        nodemap: String,
        /// Which ids.
        kind: NodemapIdKind,
        /// `500:1000`, `500-599:1000`.
        map: String,
    },
    /// They no longer do.
    DelIdmap {
        /// Name.
        nodemap: String,
        /// Which ids.
        kind: NodemapIdKind,
        /// `500:1000`, `500-599:1000`.
        map: String,
    },
    /// Ids `0..limit` of clients become `start..start + limit`.
    AddOffset {
        /// Name.
        nodemap: String,
        /// First id in the file system.
        start: u64,
        /// How many.
        limit: u64,
    },
    /// They no longer do.
    DelOffset {
        /// Name.
        nodemap: String,
    },
    /// The primary fileset is this one.
    SetFileset {
        /// Name.
        nodemap: String,
        /// From the root of the file system; empty: none.
        path: String,
    },
    /// A fileset is added.
    FilesetAdd {
        /// Name.
        nodemap: String,
        /// From the root of the file system.
        path: String,
        /// Beside the primary one.
        #[serde(default)]
        alternate: bool,
        /// Read-only.
        #[serde(default)]
        ro: bool,
    },
    /// Filesets are removed.
    FilesetDel {
        /// Name.
        nodemap: String,
        /// This one; none: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    /// A fileset is changed.
    FilesetModify {
        /// Name.
        nodemap: String,
        /// Which.
        path: String,
        /// New path.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rename: Option<String>,
        /// Alternate or primary from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alternate: Option<bool>,
        /// Read-only or writable from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ro: Option<bool>,
    },
    /// SELinux policy of its clients. Servers hear of it by `set_param -P nodemap.NAME.sepol` only.
    SetSepol {
        /// Name.
        nodemap: String,
        /// `MODE:NAME:VERSION:HASH`; empty: none.
        sepol: String,
    },
    /// Capabilities of ordinary users.
    SetCap {
        /// Name.
        nodemap: String,
        /// `off`, `mask`, `set`.
        kind: String,
        /// `cap_chown,cap_fowner`, `+cap_mknod`, or a number.
        #[serde(default)]
        caps: String,
    },
}

impl Client {
    /// All nodemaps in short.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn nodemaps(&self) -> Result<Nodemaps, Error> {
        self.json("/v1/nodemaps").await
    }

    /// One nodemap.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn nodemap(&self, name: &str) -> Result<Nodemap, Error> {
        self.json(&format!("/v1/nodemaps/{}", segment(name))).await
    }

    /// Whose a NID is, and what becomes of an id there.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn nodemap_test(
        &self,
        nid: &str,
        id: Option<(NodemapIdKind, u32)>,
    ) -> Result<NodemapTest, Error> {
        let kind = id.map(|(kind, _)| kind.as_str());
        let id = id.map(|(_, id)| id.to_string());
        let query = query(&[("nid", Some(nid)), ("kind", kind), ("id", id.as_deref())]);
        self.json(&format!("/v1/nodemap-test{query}")).await
    }

    /// Changes nodemaps, all edits or none.
    ///
    /// # Errors
    /// Like every call: [`Error`].
    pub async fn nodemap_edit(&self, edits: &NodemapEdits, dry_run: bool) -> Result<Change, Error> {
        self.change(Method::POST, "/v1/nodemaps", edits, dry_run).await
    }
}
