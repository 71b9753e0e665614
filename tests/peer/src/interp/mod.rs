//! Executes configuration records as a reader of a log does (`class_config_llog_handler`).
//!
//! A record counts only inside of a section; a section with SKIP is ignored; in one with EXCLUDE, and for targets on
//! the mount's exclude list, devices are added inactive. A REQUIRED command that fails ends the reading; errors of
//! the others are ignored.
mod device;
mod tree;

pub use tree::{ConfigTree, Device, Member, Profile, TargetNow};

use llog::lcfg::cmd;
use llog::marker::flag;
use llog::{LustreCfg, command_name};
use wire::mgs::NidTblEntry;

/// Whose log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Role {
    Client,
    Mdt,
    Ost,
}

/// A record that ends the reading.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {index}: {what}: rc = {errno}")]
pub struct ExecError {
    /// Index of the record.
    pub index: u32,
    /// Negative errno.
    pub errno: i32,
    /// Command and object.
    pub what: String,
}

/// Where the reader is between markers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Section {
    #[default]
    Outside,
    Run,
    /// Devices are added inactive.
    Exclude,
    Skip,
}

/// Executes records one after the other.
#[derive(Clone, Debug)]
pub struct Interpreter {
    role: Role,
    exclude: Vec<String>,
    section: Section,
    tree: ConfigTree,
}

impl Interpreter {
    /// For the log of `name` (`testfs-client`, `testfs-MDT0000`); `exclude` names targets to be inactive.
    pub fn new(role: Role, name: &str, exclude: Vec<String>) -> Self {
        let tree = ConfigTree { name: name.to_owned(), ..ConfigTree::default() };
        Self { role, exclude, section: Section::Outside, tree }
    }

    /// What came out so far.
    pub const fn tree(&self) -> &ConfigTree {
        &self.tree
    }

    /// Executes the payload of one configuration record.
    ///
    /// # Errors
    /// A payload that does not decode, or a REQUIRED command that fails; nothing behind it may be executed.
    pub fn execute(&mut self, index: u32, payload: &[u8]) -> Result<(), ExecError> {
        let rec =
            LustreCfg::decode(payload).map_err(|e| ExecError { index, errno: -22, what: e.to_string() })?;
        if rec.command == cmd::MARKER {
            let marker = rec.marker().ok_or_else(|| ExecError {
                index,
                errno: -22,
                what: "marker record without a marker".to_owned(),
            })?;
            let listed = self.exclude.contains(&marker.tgtname);
            if marker.flags & flag::START != 0 {
                self.section = match marker.flags {
                    f if f & flag::SKIP != 0 => Section::Skip,
                    f if f & flag::EXCLUDE != 0 || listed => Section::Exclude,
                    _ => Section::Run,
                };
            } else if marker.flags & flag::END != 0 {
                self.section = Section::Outside;
            }
            return Ok(());
        }
        match self.section {
            Section::Outside => {
                self.tree.ignored += 1;
                return Ok(());
            }
            Section::Skip => return Ok(()),
            Section::Run | Section::Exclude => {}
        }
        let active = self.section == Section::Run;
        match self.tree.run(self.role, &rec, active) {
            Err(errno) if rec.command & cmd::REQUIRED != 0 => {
                let name = command_name(rec.command).unwrap_or("unknown");
                let object = rec.dev().or(rec.buf_str(1)).unwrap_or("-");
                Err(ExecError { index, errno, what: format!("{name} ({:#x}) {object}", rec.command) })
            }
            _ => Ok(()),
        }
    }

    /// Entries of a NID table read: where targets are now.
    pub fn targets_moved(&mut self, entries: &[NidTblEntry]) {
        for e in entries {
            let now = TargetNow {
                version: e.version,
                instance: e.instance,
                nids: e.nids.iter().map(ToString::to_string).collect(),
            };
            self.tree.targets.insert((e.target_type, e.index), now);
        }
    }
}

/// Executes a whole log that is in memory: what came out of it, and the error that ended it early.
pub fn execute_log(role: Role, name: &str, log: &llog::Log) -> (ConfigTree, Option<ExecError>) {
    let mut interp = Interpreter::new(role, name, Vec::new());
    for record in log.records().filter(|r| r.live && r.kind == llog::record::kind::CFG) {
        if let Err(error) = interp.execute(record.index, record.payload) {
            return (interp.tree, Some(error));
        }
    }
    (interp.tree, None)
}
