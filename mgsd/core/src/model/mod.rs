//! The model: pure functions from the current view and a request to a plan. A plan is changes of the store, what to
//! notify, and the answer; nothing here knows of locks, exports or time-outs.

pub mod admission;
pub mod ahead;
pub mod command;
pub mod commit;
pub mod conf_param;
pub mod connections;
pub mod edits;
pub mod effective;
pub mod generation;
pub mod keys;
pub mod logs;
pub mod moved;
pub mod names;
mod node_names;
pub mod nodemap;
pub mod params;
pub mod read;
pub mod recovery;
pub mod registration;
mod replaced;
pub mod restore;
pub mod rules;
pub mod sections;
pub mod settings;
pub mod tx;
pub mod view;

pub use names::{TargetId, TargetKind};
pub use view::View;

use wire::ldlm::{ConfigKind, ResId};

/// What a commit touches, as the locks name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    /// File system, `params` or `nodemap`.
    pub base: String,
    /// Kind of data.
    pub kind: ConfigKind,
}

impl Resource {
    /// A resource by name.
    pub fn new(base: impl Into<String>, kind: ConfigKind) -> Self {
        Self { base: base.into(), kind }
    }
    /// From its text, `testfs/config`.
    pub fn parse(text: &str) -> Option<Self> {
        let (base, kind) = text.rsplit_once('/')?;
        let kind = match kind {
            "config" => ConfigKind::Config,
            "recover" => ConfigKind::Recover,
            "params" => ConfigKind::Params,
            "nodemap" => ConfigKind::Nodemap,
            "barrier" => ConfigKind::Barrier,
            _ => return None,
        };
        Some(Self::new(base, kind))
    }
    /// Its lock.
    pub fn res_id(&self) -> Option<ResId> {
        ResId::config(&self.base, self.kind)
    }
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            ConfigKind::Config => "config",
            ConfigKind::Recover => "recover",
            ConfigKind::Params => "params",
            ConfigKind::Nodemap => "nodemap",
            ConfigKind::Barrier => "barrier",
        };
        write!(f, "{}/{kind}", self.base)
    }
}
