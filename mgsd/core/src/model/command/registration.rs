//! Noun `registration`: verdicts on targets that are not registered, the policy of file systems to come, and what a
//! node's address has to do with the NIDs that it claims.

use crate::Errno;
use crate::error::Error;
use crate::model::commit::EventKind;
use crate::model::names::{MAX_INDEX, TargetId, check_fsname};
use crate::model::registration::texts;
use crate::model::rules::{Binding, Mode, Node, Policy, Verdict};
use crate::model::tx::Tx;
use wire::Nid;

/// An approval that nobody uses ends after so long, seconds: a mistyped name leaves nothing behind for ever.
pub const APPROVAL: i64 = 7 * 86_400;
/// Most nodes and routers that a binding names.
const DECLARED: usize = 4096;

/// Changes of who may register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The policy of file systems to come.
    Default(Policy),
    /// Lets a target in, once.
    Approve {
        /// `testfs-OST0004`.
        target: String,
        /// From nodes with one of these NIDs only; empty: from any.
        from: Vec<Nid>,
    },
    /// Refuses a target until it is approved or forgotten.
    Refuse {
        /// `testfs-OST0004`.
        target: String,
    },
    /// Takes back what was said of a target.
    Forget {
        /// `testfs-OST0004`.
        target: String,
    },
    /// Binding of claimed NIDs to addresses, of nodes that come over one network.
    Bind(Bind),
}

/// Change of a binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// `tcp`, `o2ib1`.
    pub net: String,
    /// How strict.
    pub mode: Mode,
    /// Nodes to declare, each by its NIDs, beside those that are declared.
    pub nodes: Vec<Vec<Nid>>,
    /// Routers to declare.
    pub routers: Vec<Nid>,
    /// What was declared before is forgotten.
    pub reset: bool,
}

impl Command {
    pub(super) fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        match self {
            Self::Default(policy) => {
                let before = tx.default_policy();
                if before != *policy {
                    tx.event(EventKind::PolicySet { fs: None, policy: *policy, before });
                    tx.set_default_policy(*policy);
                }
                Ok(())
            }
            Self::Approve { target, from } => approve(tx, target, from),
            Self::Refuse { target } => refuse(tx, target),
            Self::Forget { target } => {
                let (fs, id) = unregistered(tx, target)?;
                let before = tx.verdict(fs, id).cloned();
                if before.is_some() {
                    tx.event(EventKind::VerdictForgotten { target: id.svname(fs), before });
                    tx.set_verdict(fs, id, None);
                }
                Ok(())
            }
            Self::Bind(bind) => bind.plan(tx),
        }
    }
}

/// A target by its name, which must be one that a target can have.
///
/// # Errors
/// `EINVAL`: it is none.
pub fn name(text: &str) -> Result<(&str, TargetId), Error> {
    let found =
        TargetId::parse_svname(text).filter(|(fs, id)| check_fsname(fs).is_ok() && id.index <= MAX_INDEX);
    found.ok_or_else(|| {
        Error::refused(
            format!("target '{}'", text.escape_default()),
            Errno::EINVAL,
            "is no name of a target",
            "it is FS-OST0004 or FS-MDT0001, the index in four hexadecimal digits up to fffe",
        )
    })
}

fn unregistered<'a>(tx: &Tx<'_>, target: &'a str) -> Result<(&'a str, TargetId), Error> {
    let (fs, id) = name(target)?;
    if tx.target(fs, id).is_some() {
        return Err(Error::refused(
            format!("target '{}'", id.svname(fs)),
            Errno::EEXIST,
            "is registered already; what is registered needs no approval and cannot be refused",
            format!("see 'mgsctl target show {}'", id.svname(fs)),
        ));
    }
    Ok((fs, id))
}

fn approve(tx: &mut Tx<'_>, target: &str, from: &[Nid]) -> Result<(), Error> {
    let (fs, id) = unregistered(tx, target)?;
    if tx.verdict(fs, id).is_some_and(|v| v.approved && v.from == from) {
        return Ok(());
    }
    let until = tx.wall() + APPROVAL;
    let verdict = Verdict {
        approved: true,
        from: from.to_vec(),
        by: tx.actor().to_owned(),
        time: tx.wall(),
        until: Some(until),
    };
    let before = tx.verdict(fs, id).cloned();
    tx.event(EventKind::RegistrationApproved { target: id.svname(fs), from: texts(from), until, before });
    tx.set_verdict(fs, id, Some(verdict));
    Ok(())
}

fn refuse(tx: &mut Tx<'_>, target: &str) -> Result<(), Error> {
    let (fs, id) = unregistered(tx, target)?;
    if tx.verdict(fs, id).is_some_and(|v| !v.approved) {
        return Ok(());
    }
    let (by, time) = (tx.actor().to_owned(), tx.wall());
    let before = tx.verdict(fs, id).cloned();
    tx.event(EventKind::RegistrationRefused { target: id.svname(fs), before });
    tx.set_verdict(fs, id, Some(Verdict { approved: false, from: Vec::new(), by, time, until: None }));
    Ok(())
}

impl Bind {
    fn plan(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        // A network by one name only: `tcp0` is `tcp`.
        let parsed: Option<Nid> = format!("0.0.0.0@{}", self.net).parse().ok();
        let refused = |what: String, hint: &str| {
            let object = format!("network '{}'", self.net.escape_default());
            Err(Error::refused(object, Errno::EINVAL, what, hint))
        };
        let Some(net) = parsed.map(|nid| nid.net_name()) else {
            return refused("is no LNet network".to_owned(), "name one such as tcp, tcp1 or o2ib");
        };
        if let Some(node) = self.nodes.iter().find(|node| node.len() < 2) {
            let what = format!("the address set '{}' names fewer than two NIDs", texts(node).join("="));
            return refused(what, "write the NIDs of one node as A=B, such as 10.0.0.2@tcp=10.0.1.2@tcp");
        }
        let before = tx.binding(&net);
        let mut binding = if self.reset { Binding::default() } else { before.clone() };
        binding.mode = self.mode;
        let nodes = self.nodes.iter().cloned().map(Node);
        for node in nodes {
            if !binding.nodes.contains(&node) {
                binding.nodes.push(node);
            }
        }
        for router in &self.routers {
            if !binding.routers.contains(router) {
                binding.routers.push(*router);
            }
        }
        if binding.nodes.len() + binding.routers.len() > DECLARED {
            return refused(
                format!("more than {DECLARED} nodes and routers are declared"),
                "start anew with --reset, or set the network to log",
            );
        }
        if binding != before {
            tx.set_binding(&net, binding.clone());
            tx.event(EventKind::BindingSet { net, binding, before });
        }
        Ok(())
    }
}
