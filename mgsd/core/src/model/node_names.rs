//! Names of nodes in logs. A node is called by its first NID, of which the last 39 characters count: two long NIDs may come
//! to one name, and whoever reads the logs would take their nodes for one.

use super::names::{TargetId, node_uuid};
use super::params::failover_nodes;
use super::tx::Tx;
use super::view::Target;
use crate::Errno;
use crate::error::Error;
use wire::Nid;

/// Shorter NIDs are names as they are.
const WHOLE: usize = 39;

/// The first NID of each node of a target.
pub(super) fn of(target: &Target) -> Vec<Nid> {
    let failover = target.failover.iter().flat_map(|value| firsts(value));
    target.nids.first().copied().into_iter().chain(failover).collect()
}

/// The first NID of each node of a list `A,B:C`.
pub(super) fn firsts(value: &str) -> Vec<Nid> {
    failover_nodes(value).iter().filter_map(|node| node.first().copied()).collect()
}

/// Whether the nodes of a target, each by its first NID, have names that no other node of the file system has. What is
/// stored of the target itself does not count.
///
/// # Errors
/// `ENOTUNIQ` with the other target and its NID.
pub(super) fn check(tx: &Tx<'_>, fs: &str, id: TargetId, nodes: &[Nid]) -> Result<(), Error> {
    for nid in nodes.iter().filter(|nid| nid.to_string().len() > WHOLE) {
        let name = node_uuid(nid);
        let same = |other: &Nid| other != nid && node_uuid(other) == name;
        let own = nodes.iter().find(|other| same(other)).map(|other| (id, *other));
        let of_others = || {
            tx.targets(fs)
                .into_iter()
                .filter(|of| *of != id)
                .find_map(|of| Some((of, self::of(tx.target(fs, of)?).into_iter().find(same)?)))
        };
        if let Some((of, other)) = own.or_else(of_others) {
            return Err(Error::refused(
                format!("target '{}'", id.svname(fs)),
                Errno::ENOTUNIQ,
                format!(
                    "its node {nid} would have the name of {other}, the node of {}: '{name}'",
                    of.svname(fs)
                ),
                "put another NID of the node first: logs keep 39 characters of it",
            ));
        }
    }
    Ok(())
}
