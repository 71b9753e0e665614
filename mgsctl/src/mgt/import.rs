//! `mgsctl import`: takes over from a kernel MGS.

use std::path::PathBuf;

use mgs_api::{Change, Client, Mgt};
use serde::Serialize;

use super::iam::decode as read_index;
use super::{Disk, Mountdata};
use crate::change;
use crate::exit::Failure;
use crate::output::{Format, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Command {
    /// The mounted MGT, its CONFIGS, or the image of its disk (ldiskfs), while no MGS uses it
    #[arg(long, value_name = "PATH")]
    from: PathBuf,
    /// NIDs that the kernel MGS had: with them it is certain whether nodes stay mounted
    #[arg(long, value_name = "NID,NID")]
    was: Option<String>,
    #[command(flatten)]
    how: change::How,
}

/// What comes of a take-over for the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Class {
    /// A disk of its own, and mgsd has the NIDs.
    StayMounted,
    /// The NIDs were not given.
    StayMountedWithItsNids,
    /// The MGS shares its disk and its node with an MDT, or mgsd has other NIDs.
    Remount,
}

/// What was found and done.
#[derive(Serialize)]
struct Imported {
    class: Class,
    /// Why it is of this class, and what to do on which node.
    plan: Vec<String>,
    /// What is odd in the source.
    odd: Vec<String>,
    #[serde(flatten)]
    change: Change,
}

impl Command {
    pub(crate) async fn run(self, api: &Client, out: &Output) -> Result<(), Failure> {
        let disk = Disk::read(&self.from)?;
        let status = api.status().await?;
        let (class, plan) = class(&disk, self.was.as_deref(), &status.nids);
        let (mgt, odd) = document(&disk, &self.from.display().to_string())?;
        // A person is told before anything is done.
        if out.format() == Format::Table {
            out.bytes(found(class, &plan, &odd).as_bytes())?;
        }
        let change = api.import(&mgt, self.how.dry_run).await?;
        out.document(&Imported { class, plan, odd, change }, done)
    }
}

const fn words(class: Class) -> &'static str {
    match class {
        Class::StayMounted => "standalone MGS, its NID taken over: clients stay mounted",
        Class::StayMountedWithItsNids => {
            "standalone MGS: clients stay mounted if mgsd gets its NIDs (--was says which)"
        }
        Class::Remount => "combined with an MDT, o2ib, or a new NID: remount plan per node",
    }
}

fn class(disk: &Disk, was: Option<&str>, ours: &[String]) -> (Class, Vec<String>) {
    let data = disk.configs.get("mountdata").and_then(|file| Mountdata::decode(file));
    let old: Vec<&str> =
        was.into_iter().flat_map(|text| text.split([',', ':'])).filter(|nid| !nid.is_empty()).collect();
    let missing: Vec<&str> = old.iter().filter(|nid| !ours.iter().any(|own| own == *nid)).copied().collect();
    let at = ours.join(",");
    let mut plan = Vec::new();
    let combined = data.as_ref().filter(|d| d.is_combined());
    if let Some(data) = combined {
        plan.push(format!("the MGS lives on the disk of {}, which goes on under its own NID", data.svname));
    }
    if !missing.is_empty() {
        plan.push(format!("nodes know the MGS as {}, mgsd has {at}", missing.join(",")));
    }
    if combined.is_none() && missing.is_empty() {
        let class = if old.is_empty() { Class::StayMountedWithItsNids } else { Class::StayMounted };
        plan.push("stop the kernel MGS, give its address to the node of mgsd, start mgsd: nodes connect again by themselves".to_owned());
        return (class, plan);
    }
    plan.push(format!("each client: umount, then mount {at}:/FSNAME"));
    plan.push(format!(
        "each target: umount, tunefs.lustre --erase-params --mgsnode={at} with its other parameters, mount"
    ));
    if combined.is_some() {
        plan.push("the combined disk: the same, and tunefs.lustre --nomgs".to_owned());
    }
    (Class::Remount, plan)
}

/// The document of the API, and what is odd.
fn document(disk: &Disk, from: &str) -> Result<(Mgt, Vec<String>), Failure> {
    let mut mgt = Mgt { from: from.to_owned(), ..Mgt::default() };
    let mut odd = Vec::new();
    if let Some((log, name)) = disk.renames.first_key_value() {
        return Err(Failure::Input {
            what: format!("log {log}"),
            why: format!(
                "waits to be renamed to {name:?}; start the kernel MGS once, or remove its trusted.rename_tgt"
            ),
        });
    }
    match disk.configs.get("mountdata").map(|file| Mountdata::decode(file)) {
        None => odd.push("no mountdata: whether an MDT shares the disk is not known".to_owned()),
        Some(None) => odd.push("mountdata is none".to_owned()),
        Some(Some(data)) if !data.is_mgs() => {
            odd.push(format!("mountdata is that of {}, not of an MGS", data.svname))
        }
        Some(Some(_)) => {}
    }
    for (name, file) in &disk.configs {
        match name.as_str() {
            "mountdata" => {}
            "nodemap" => {
                let entries =
                    read_index(file).map_err(|why| Failure::Input { what: "nodemap".to_owned(), why })?;
                let digits = |e: &wire::nodemap::Entry| hex(&[e.key.as_slice(), e.rec.as_slice()].concat());
                mgt.nodemaps = Some(entries.iter().map(digits).collect());
            }
            _ if file.is_empty() => {
                if name != "params" {
                    odd.push(format!("{name}: empty, a leftover; left out"));
                }
            }
            _ => {
                if name.ends_with(".bak") {
                    odd.push(format!("{name}: a backup; kept"));
                }
                mgt.logs.insert(name.clone(), hex(file));
            }
        }
    }
    for (fs, file) in &disk.tables {
        match file.first_chunk() {
            Some(bytes) => drop(mgt.tables.insert(fs.clone(), u64::from_le_bytes(*bytes))),
            None => odd.push(format!("NIDTBL_VERSIONS/{fs}: {} bytes, not 8; left out", file.len())),
        }
    }
    Ok((mgt, odd))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn found(class: Class, plan: &[String], odd: &[String]) -> String {
    let mut out = format!("class: {}\n", words(class));
    out.extend(plan.iter().map(|line| format!("  {line}\n")));
    out.extend(odd.iter().map(|line| format!("odd: {line}\n")));
    out
}

fn done(imported: &Imported) -> String {
    let mut out = String::new();
    let mut change = imported.change.clone();
    // Of each log its length: its records are those of the source.
    let lengths: Vec<String> =
        change.logs.iter().map(|log| format!("{} ({} records)", log.log, log.appended.len())).collect();
    change.logs.clear();
    if !lengths.is_empty() {
        out += &format!("logs: {}\n", lengths.join(", "));
    } else if imported.change.seq.is_none() && !imported.change.dry_run {
        out += "mgsd holds exactly this already\n";
    }
    out + &change::show(&change)
}
