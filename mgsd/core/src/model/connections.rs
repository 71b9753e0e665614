//! Who may connect (`connections`): everybody, unless somebody has said otherwise. What a kernel MGS has only as a mount
//! option (`nosvc`), forgotten by the next mount.

use super::tx::Tx;
use super::view::nid_list;
use serde::{Deserialize, Serialize};
use wire::Nid;

/// The stored rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// No node that is not connected may connect.
    #[serde(default)]
    pub closed: bool,
    /// Nodes that may not connect, by NID, each once.
    #[serde(default, with = "nid_list", skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<Nid>,
}

impl Connections {
    /// Nobody has said anything.
    pub fn is_open(&self) -> bool {
        !self.closed && self.denied.is_empty()
    }
    /// Whether a node is refused by name.
    pub fn denies(&self, nid: Nid) -> bool {
        self.denied.contains(&nid)
    }
}

impl Tx<'_> {
    /// Who may connect.
    pub fn connections(&self) -> &Connections {
        self.connections.as_ref().unwrap_or(&self.view.connections)
    }
    /// Sets it.
    pub fn set_connections(&mut self, connections: Connections) {
        self.connections = Some(connections);
    }
}
