//! Events as lines for a person.
use lustre_peer::Event;
use std::collections::BTreeMap;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::oneshot;
use wire::ldlm::ConfigKind;

/// Prints what happens on one node.
#[derive(Debug)]
pub(crate) struct Printer {
    /// What a person calls the node: that which it mounts.
    node: String,
    /// The line before: a burst of equal callbacks is one line.
    before: String,
    /// Target → index, registered but without its log yet.
    registered: BTreeMap<String, u32>,
}

impl Printer {
    pub(crate) fn new(mounted: &str) -> Self {
        Self { node: short(mounted).to_owned(), before: String::new(), registered: BTreeMap::new() }
    }

    /// Prints until the node is gone; tells when it has said that the mount is there.
    pub(crate) async fn run(mut self, mut events: Receiver<Event>, shown: oneshot::Sender<()>) {
        let mut shown = Some(shown);
        loop {
            match events.recv().await {
                Ok(event) => {
                    if let Some(line) = self.line(&event).filter(|l| *l != self.before) {
                        println!("{line}");
                        self.before = line;
                    }
                    if let Some(shown) = shown.take_if(|_| matches!(event, Event::Mounted { .. })) {
                        let _gone = shown.send(());
                    }
                }
                Err(RecvError::Lagged(n)) => println!("({n} events not shown)"),
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn line(&mut self, event: &Event) -> Option<String> {
        let node = self.node.clone();
        Some(match event {
            Event::Connected { mgs, conn_cnt: 1, version, .. } => {
                format!("{node}: connected to the MGS at {mgs} ({})", release(*version))
            }
            Event::Connected { mgs, evicted, .. } => {
                let note =
                    if *evicted { "; it had forgotten this node, everything is read again" } else { "" };
                format!("{node}: connected to the MGS at {mgs} again{note}")
            }
            Event::Disconnected { mgs, why } => format!("{node}: lost the MGS at {mgs}: {why}"),
            Event::Registered { target, index, .. } => {
                self.registered.insert(target.clone(), *index);
                return None;
            }
            Event::LogRead { owner, log, records: Some(n), .. }
                if owner == log && self.registered.contains_key(owner) =>
            {
                let index = self.registered.remove(owner)?;
                format!("{}: registered, index {index}, log {log} read ({n} records)", short(owner))
            }
            Event::LogRead { owner, log, records: Some(n), .. } if owner == log => {
                format!("{}: log {log} read ({n} records)", short(owner))
            }
            Event::LogRead { owner, log, records: Some(n), .. } if *n > 0 => {
                format!("{node}: log {log} read ({n} records)")
            }
            Event::TableRead { table, entries, version: Some(version) } if *entries > 0 => {
                format!("{node}: NID table {table}: {entries} target(s), version {version}")
            }
            Event::NodemapRead { records: Some(n) } => format!("{node}: nodemap read ({n} records)"),
            Event::Ready { target, ir } => {
                let ir = if *ir { ", imperative recovery on" } else { "" };
                format!("{}: told the MGS that it is up{ir}", short(target))
            }
            Event::Mounted { name, config } => match name.strip_suffix("-client") {
                Some(fs) => format!("client: mounted {fs}: {config}"),
                None => format!("{}: mounted", short(name)),
            },
            Event::MountFailed { name, errno, why } => {
                let hint = if *errno == -98 {
                    "; if it was registered before, say --registered or --writeconf"
                } else {
                    ""
                };
                format!("{}: mount failed: {why} ({errno}){hint}", short(name))
            }
            Event::Unmounted { name } => format!("{}: unmounted", short(name)),
            Event::Notified { name, kind } => {
                let what = match kind {
                    ConfigKind::Config => format!("configuration of {name}"),
                    ConfigKind::Recover => format!("NID table of {name}"),
                    ConfigKind::Params => "params".to_owned(),
                    ConfigKind::Nodemap => "nodemap".to_owned(),
                    ConfigKind::Barrier => format!("barrier of {name}"),
                };
                format!("{node}: notified: {what} changed, reading it again in 5 to 10 s")
            }
            Event::Reconfigured { name, config } => format!("{}: now {config}", short(name)),
            Event::Violation(violation) => format!("{node}: RULE BROKEN BY THE MGS: {violation}"),
            Event::Console(line) if line.error => format!("{node}: {line}"),
            Event::Crashed { why } => format!("{node}: KERNEL PANIC: {why}"),
            Event::Console(_)
            | Event::Pinged { .. }
            | Event::Locked { .. }
            | Event::LogRead { .. }
            | Event::TableRead { .. }
            | Event::NodemapRead { .. } => return None,
        })
    }
}

/// `OST0000` of `testfs-OST0000`.
fn short(name: &str) -> &str {
    name.rsplit_once('-').map_or(name, |(_, target)| target)
}

/// `release 2.17.57`.
fn release(version: u32) -> String {
    let [major, minor, patch, fix] = version.to_be_bytes();
    let fix = if fix == 0 { String::new() } else { format!(".{fix}") };
    format!("release {major}.{minor}.{patch}{fix}")
}
