//! Changes of nodemaps as they are typed, on the command line and in files.

use clap::{CommandFactory, FromArgMatches, Subcommand};
use mgs_api::{NodemapEdit, NodemapIdKind};

/// Which ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// Users
    Uid,
    /// Groups
    Gid,
    /// Projects
    Projid,
}

impl From<Kind> for NodemapIdKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Uid => NodemapIdKind::Uid,
            Kind::Gid => NodemapIdKind::Gid,
            Kind::Projid => NodemapIdKind::Projid,
        }
    }
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Switch {
    /// In force
    On,
    /// Not in force
    Off,
}

#[derive(Debug, Subcommand)]
pub(super) enum Edit {
    /// Puts nodemaps in force, or not
    Activate {
        /// Whether they are
        switch: Switch,
    },
    /// Makes a nodemap, with the properties of the nodemap default
    Add {
        /// 1 to 16 letters, digits or _
        #[arg(value_name = "NODEMAP")]
        name: String,
    },
    /// Removes a nodemap with all that belongs to it
    Del {
        /// The nodemap
        #[arg(value_name = "NODEMAP")]
        name: String,
    },
    /// Sets properties
    Set {
        /// The nodemap
        #[arg(value_name = "NODEMAP")]
        name: String,
        /// Such as admin=1, squash_uid=99, map_mode=all, rbac=+quota_ops
        #[arg(required = true, value_name = "PROPERTY=VALUE", value_parser = assignment)]
        values: Vec<(String, String)>,
    },
    /// Adds NIDs
    AddRange {
        /// The nodemap
        #[arg(value_name = "NODEMAP")]
        name: String,
        /// Such as 10.0.0.[4-6]@tcp, *@o2ib, 10.0.0.4@tcp:10.0.0.6@tcp, 10.0.0.0/24@tcp, fd00::/64@tcp
        #[arg(required = true, value_name = "RANGE")]
        ranges: Vec<String>,
    },
    /// Removes NIDs; banned ones among them are forgotten
    DelRange {
        /// The nodemap
        #[arg(value_name = "NODEMAP")]
        name: String,
        /// Ranges as they were added
        #[arg(required = true, value_name = "RANGE")]
        ranges: Vec<String>,
    },
    /// Bans NIDs: they may not connect
    Ban {
        /// The nodemap; ? is the one that the NIDs belong to
        #[arg(value_name = "NODEMAP")]
        name: String,
        /// Within one of its ranges
        #[arg(required = true, value_name = "RANGE")]
        ranges: Vec<String>,
    },
    /// Takes bans back
    Unban {
        /// The nodemap; ? is the one that the NIDs belong to
        #[arg(value_name = "NODEMAP")]
        name: String,
        /// Ranges as they were banned
        #[arg(required = true, value_name = "RANGE")]
        ranges: Vec<String>,
    },
    /// Maps ids of clients to ids of the file system
    AddIdmap {
        /// The nodemap
        #[arg(value_name = "NODEMAP")]
        name: String,
        /// Which ids
        kind: Kind,
        /// Such as 500:1000, or rows: 500-599:1000
        #[arg(required = true, value_name = "CLIENT:FS")]
        maps: Vec<String>,
    },
    /// Removes pairs of ids
    DelIdmap {
        /// The nodemap
        #[arg(value_name = "NODEMAP")]
        name: String,
        /// Which ids
        kind: Kind,
        /// Such as 500:1000, or rows: 500-599:1000
        #[arg(required = true, value_name = "CLIENT:FS")]
        maps: Vec<String>,
    },
    /// Shifts ids 0..LIMIT of clients to OFFSET..OFFSET+LIMIT
    AddOffset {
        /// The nodemap
        #[arg(value_name = "NODEMAP")]
        name: String,
        /// First id in the file system
        offset: u64,
        /// How many
        limit: u64,
    },
    /// Removes the shift
    DelOffset {
        /// The nodemap
        #[arg(value_name = "NODEMAP")]
        name: String,
    },
    /// Adds a fileset: a directory that clients see as their root
    FilesetAdd {
        /// The nodemap
        #[arg(value_name = "NODEMAP")]
        name: String,
        /// From the root of the file system
        path: String,
        /// Beside the primary one
        #[arg(long)]
        alt: bool,
        /// Read-only
        #[arg(long)]
        ro: bool,
    },
    /// Removes a fileset
    FilesetDel {
        /// The nodemap
        #[arg(value_name = "NODEMAP")]
        name: String,
        /// Which
        #[arg(required_unless_present = "all")]
        path: Option<String>,
        /// All of them
        #[arg(long, conflicts_with = "path")]
        all: bool,
    },
    /// Changes a fileset
    FilesetModify {
        /// The nodemap
        #[arg(value_name = "NODEMAP")]
        name: String,
        /// Which
        path: String,
        /// New path
        #[arg(long, value_name = "PATH")]
        rename: Option<String>,
        /// Beside the primary one from now on
        #[arg(long)]
        alt: bool,
        /// Primary from now on
        #[arg(long, conflicts_with = "alt")]
        primary: bool,
        /// Read-only from now on
        #[arg(long)]
        ro: bool,
        /// Writable from now on
        #[arg(long, conflicts_with = "ro")]
        rw: bool,
    },
    /// Sets the primary fileset
    SetFileset {
        /// The nodemap
        #[arg(value_name = "NODEMAP")]
        name: String,
        /// From the root of the file system; clear is none
        path: String,
    },
    /// Notes the SELinux policy of the clients; servers hear of it by mgsctl param set nodemap.NODEMAP.sepol=POLICY
    SetSepol {
        /// The nodemap
        #[arg(value_name = "NODEMAP")]
        name: String,
        /// MODE:NAME:VERSION:HASH; nothing is none
        #[arg(default_value = "", value_name = "POLICY")]
        sepol: String,
    },
    /// Sets capabilities of ordinary users
    SetCap {
        /// The nodemap
        #[arg(value_name = "NODEMAP")]
        name: String,
        /// mask: no others than these; set: these; off: as usual
        #[arg(value_name = "off|mask|set")]
        kind: String,
        /// Such as cap_chown,cap_fowner or +cap_mknod
        #[arg(default_value = "", value_name = "CAPABILITIES")]
        caps: String,
    },
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (property, value) = text.split_once('=').ok_or("has no '='; write PROPERTY=VALUE")?;
    Ok((property.to_owned(), value.to_owned()))
}

impl Edit {
    /// As the API takes them.
    pub(super) fn edits(self) -> Vec<NodemapEdit> {
        use NodemapEdit as E;
        fn each(name: &str, values: Vec<String>, edit: impl Fn(String, String) -> E) -> Vec<E> {
            values.into_iter().map(|value| edit(name.to_owned(), value)).collect()
        }
        match self {
            Edit::Activate { switch } => vec![E::Activate { active: switch == Switch::On }],
            Edit::Add { name } => vec![E::Add { nodemap: name }],
            Edit::Del { name } => vec![E::Del { nodemap: name }],
            Edit::Set { name, values } => {
                let set = |(property, value)| E::Modify { nodemap: name.clone(), property, value };
                values.into_iter().map(set).collect()
            }
            Edit::AddRange { name, ranges } => {
                each(&name, ranges, |nodemap, range| E::AddRange { nodemap, range })
            }
            Edit::DelRange { name, ranges } => {
                each(&name, ranges, |nodemap, range| E::DelRange { nodemap, range })
            }
            Edit::Ban { name, ranges } => {
                each(&name, ranges, |nodemap, range| E::BanlistAdd { nodemap, range })
            }
            Edit::Unban { name, ranges } => {
                each(&name, ranges, |nodemap, range| E::BanlistDel { nodemap, range })
            }
            Edit::AddIdmap { name, kind, maps } => {
                each(&name, maps, |nodemap, map| E::AddIdmap { nodemap, kind: kind.into(), map })
            }
            Edit::DelIdmap { name, kind, maps } => {
                each(&name, maps, |nodemap, map| E::DelIdmap { nodemap, kind: kind.into(), map })
            }
            Edit::AddOffset { name, offset, limit } => {
                vec![E::AddOffset { nodemap: name, start: offset, limit }]
            }
            Edit::DelOffset { name } => vec![E::DelOffset { nodemap: name }],
            Edit::FilesetAdd { name, path, alt, ro } => {
                vec![E::FilesetAdd { nodemap: name, path, alternate: alt, ro }]
            }
            Edit::FilesetDel { name, path, all: _ } => vec![E::FilesetDel { nodemap: name, path }],
            Edit::FilesetModify { name, path, rename, alt, primary, ro, rw } => {
                let given = |on: bool, off: bool| (on || off).then_some(on);
                let (alternate, ro) = (given(alt, primary), given(ro, rw));
                vec![E::FilesetModify { nodemap: name, path, rename, alternate, ro }]
            }
            Edit::SetFileset { name, path } => vec![E::SetFileset { nodemap: name, path }],
            Edit::SetSepol { name, sepol } => vec![E::SetSepol { nodemap: name, sepol }],
            Edit::SetCap { name, kind, caps } => vec![E::SetCap { nodemap: name, kind, caps }],
        }
    }
}

/// One line of a file.
#[derive(Debug, clap::Parser)]
#[command(multicall = true, disable_help_flag = true, disable_help_subcommand = true)]
struct Line {
    #[command(subcommand)]
    edit: Edit,
}

/// Reads lines; the table of what can be typed is made once.
pub(super) struct Parser(clap::Command);

impl Default for Parser {
    fn default() -> Self {
        Self(Line::command())
    }
}

impl Parser {
    /// The changes of a line, or what is wrong with it.
    pub(super) fn parse(&mut self, line: &str) -> Result<Vec<NodemapEdit>, String> {
        let parsed = self.0.try_get_matches_from_mut(line.split_whitespace());
        let parsed = parsed.and_then(|matches| Line::from_arg_matches(&matches));
        parsed.map(|line| line.edit.edits()).map_err(|error| {
            let text = error.to_string();
            let text = text.lines().next().unwrap_or_default();
            format!("{}; see 'mgsctl nodemap --help'", text.trim_start_matches("error: "))
        })
    }
}
