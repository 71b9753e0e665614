//! Whether a target that nobody knows may register, and whether a node is where it says it is.

use super::names::TargetId;
use super::registration::{Request, texts};
use super::rules::{Binding, Mode, Policy};
use super::tx::Tx;
use crate::Errno;
use crate::error::Error;
use std::net::IpAddr;
use wire::Nid;
use wire::nid::lnd;

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The NID that the node's LNet speaks from.
    pub peer: Nid,
    /// Address of its connection; `None` when it is not known.
    pub remote: Option<IpAddr>,
    /// Router that its messages came through; then `remote` is the router's.
    pub gateway: Option<Nid>,
}

impl Origin {
    /// The NID that the address of the connection stands for. A router vouches for whoever is behind it, and so does
    /// this host for its own processes: `lnet-proxy` takes connections from ports that only root has.
    pub fn seen(&self) -> Nid {
        match self.remote {
            Some(ip) if self.gateway.is_none() && self.peer.lnd == lnd::TCP && !ip.is_loopback() => {
                Nid::tcp(ip.to_canonical(), self.peer.net)
            }
            _ => self.peer,
        }
    }
}

/// What is to be done with a target that nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It registers.
    Welcome,
    /// Somebody has to say yes or no.
    Wait,
}

/// Asks the rules. What lets it in is used up by [`enter`].
pub(super) fn admit(tx: &Tx<'_>, req: &Request, id: TargetId, on_demand: bool) -> Result<Admission, Error> {
    let fs = req.info.fsname.as_str();
    let svname = id.svname(fs);
    let refused = |what: String, hint: String| Err(Error::refused(&svname, Errno::EACCES, what, hint));
    let has_one_of = |nids: &[Nid]| nids.iter().any(|n| req.nids.contains(n) || *n == req.origin.peer);

    let reservation = tx.reserved(fs, id);
    if let Some(r) = reservation.filter(|r| !r.nids.is_empty() && !has_one_of(&r.nids)) {
        let what = format!(
            "its index is reserved by {} for {}, and this node is {}",
            r.by,
            texts(&r.nids).join(","),
            texts(&req.nids).join(",")
        );
        return refused(
            what,
            format!(
                "format it with another --index, or let the index go with 'mgsctl target unreserve {svname}'"
            ),
        );
    }
    let verdict = tx.verdict(fs, id);
    if let Some(v) = verdict.filter(|v| !v.approved) {
        return refused(
            format!("its registration was refused by {}", v.by),
            format!("'mgsctl registration approve {svname}' lets it in"),
        );
    }
    let approved = verdict.is_some_and(|v| v.from.is_empty() || has_one_of(&v.from));
    let returns = tx.returning(fs).is_some_and(|r| r.targets.contains(&id));
    if approved || returns || reservation.is_some_and(|r| !r.nids.is_empty()) {
        return Ok(Admission::Welcome);
    }
    match tx.policy(fs) {
        Policy::Open => Ok(Admission::Welcome),
        Policy::Approve if on_demand => refused(
            format!("asks for any index, and file system '{fs}' wants each target approved by its name"),
            format!("format it with an --index that 'mgsctl target reserve --fs {fs}' names"),
        ),
        Policy::Approve => Ok(Admission::Wait),
        Policy::Closed => refused(
            format!("file system '{fs}' is closed to new targets"),
            format!(
                "'mgsctl registration approve {svname}' lets it in, 'mgsctl fs policy {fs} open' lets in everybody"
            ),
        ),
    }
}

/// It registers: a verdict and a reservation have done their work.
pub(super) fn enter(tx: &mut Tx<'_>, fs: &str, id: TargetId) {
    if tx.verdict(fs, id).is_some() {
        tx.set_verdict(fs, id, None);
    }
    if tx.reserved(fs, id).is_some() {
        tx.set_reserved(fs, id, None);
    }
}

/// A node that claims to be somebody else than the one that is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// NIDs that the registration names.
    pub claimed: Vec<Nid>,
    /// NID that the node's address stands for.
    pub seen: Nid,
    /// Router that it came through.
    pub gateway: Option<Nid>,
}

/// Holds the NIDs of a REG or READY against the node's address.
///
/// # Errors
/// `EACCES` where the network's binding is enforced.
pub fn check(tx: &Tx<'_>, req: &Request) -> Result<Option<Mismatch>, Error> {
    let seen = req.origin.seen();
    let net = req.origin.peer.net_name();
    let binding = tx.binding(&net);
    if binding.mode == Mode::Off || req.nids.is_empty() || believed(&binding, req, seen) {
        return Ok(None);
    }
    let found = Mismatch { claimed: req.nids.clone(), seen, gateway: req.origin.gateway };
    if binding.mode == Mode::Log {
        return Ok(Some(found));
    }
    let claimed = texts(&found.claimed).join(",");
    let (what, flag) = match found.gateway {
        Some(router) => (
            format!("claims to be {claimed}, and came through {router}, which is no declared router"),
            format!("--router {router}"),
        ),
        None => (
            format!("claims to be {claimed}, and is seen at {seen}"),
            format!("--allow {}={seen}", found.claimed.first().map(ToString::to_string).unwrap_or_default()),
        ),
    };
    Err(Error::refused(
        format!("target '{}'", req.info.svname.escape_default()),
        Errno::EACCES,
        what,
        format!("if that is right, declare it with 'mgsctl registration bind {net} enforce {flag}'"),
    ))
}

fn believed(binding: &Binding, req: &Request, seen: Nid) -> bool {
    let same = |claimed: &Nid| {
        *claimed == seen
            || binding.nodes.iter().any(|node| node.0.contains(claimed) && node.0.contains(&seen))
    };
    let routed =
        req.origin.gateway.is_none_or(|g| binding.routers.is_empty() || binding.routers.contains(&g));
    routed && req.nids.iter().any(same)
}
