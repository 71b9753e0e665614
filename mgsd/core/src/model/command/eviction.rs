//! Noun `client`: nodes are forgotten, or not let in.

use crate::Errno;
use crate::error::Error;
use crate::model::commit::EventKind;
use crate::model::connections::Connections;
use crate::model::tx::Tx;
use wire::Nid;

/// Changes of who is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `evict_client`: what is known of a node's connections is forgotten; it connects again and reads everything anew.
    Evict {
        /// NID, or UUID of an MGC; also `nid:…` and `uuid:…`, as `lctl` takes them.
        who: String,
    },
    /// Nodes are not let in; those that are connected are evicted.
    Deny {
        /// NIDs.
        nids: Vec<String>,
    },
    /// They are let in again.
    Allow {
        /// NIDs.
        nids: Vec<String>,
    },
    /// No node that is not connected yet is let in, or every one again.
    Close(bool),
}

/// Most nodes that are refused by name.
const MOST: usize = 1024;

impl Command {
    pub(super) fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let mut now = tx.connections().clone();
        let before = now.clone();
        match self {
            Self::Evict { .. } => return Err(Error::Bug { what: "an eviction is not planned".to_owned() }),
            Self::Deny { nids } => {
                now.denied.extend(parsed(nids)?);
                now.denied.sort_unstable();
                now.denied.dedup();
                if now.denied.len() > MOST {
                    let what = format!("would be {}", now.denied.len());
                    let hint =
                        "at most 1024; bind networks with 'mgsctl registration bind', or use a firewall";
                    return Err(Error::refused("denied nodes", Errno::E2BIG, what, hint));
                }
            }
            Self::Allow { nids } => {
                let nids = parsed(nids)?;
                if let Some(free) = nids.iter().find(|nid| !now.denies(**nid)) {
                    let hint = "see 'mgsctl client denied'";
                    return Err(Error::refused(format!("node {free}"), Errno::ENOENT, "is not denied", hint));
                }
                now.denied.retain(|nid| !nids.contains(nid));
            }
            Self::Close(closed) => now.closed = *closed,
        }
        if now != before {
            tx.event(EventKind::ConnectionsSet { connections: now.clone(), before });
            tx.set_connections(now);
        }
        Ok(())
    }
}

fn parsed(nids: &[String]) -> Result<Vec<Nid>, Error> {
    let parse = |text: &String| {
        text.parse::<Nid>().map_err(|_| {
            let object = format!("NID '{}'", text.escape_default());
            Error::refused(
                object,
                Errno::EINVAL,
                "cannot be read",
                "write it as a number, such as 10.0.0.4@tcp",
            )
        })
    };
    nids.iter().map(parse).collect()
}

impl Connections {
    /// Why a node is not let in; `known`: it is connected already.
    ///
    /// # Errors
    /// Denied by name, or closed for who is new.
    pub(crate) fn admit(&self, nid: Nid, known: bool) -> Result<(), Error> {
        if self.denies(nid) {
            let hint = format!("'mgsctl client allow {nid}' lets it in");
            return Err(Error::refused(format!("node {nid}"), Errno::EPERM, "is denied", hint));
        }
        if self.closed && !known {
            let hint = "'mgsctl client open' lets it in";
            return Err(Error::refused(
                format!("node {nid}"),
                Errno::EAGAIN,
                "is new, and connections are closed",
                hint,
            ));
        }
        Ok(())
    }
}
