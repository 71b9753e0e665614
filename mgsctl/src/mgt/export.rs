//! `mgsctl export-mgt`: what a kernel MGS needs on its disk to go on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mgs_api::Client;
use serde::Serialize;

use super::iam::encode as write_index;
use crate::exit::Failure;
use crate::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Command {
    /// A directory, such as a freshly formatted MGT (mkfs.lustre --mgs) mounted as ldiskfs
    dir: PathBuf,
    /// Write over files that differ
    #[arg(long)]
    overwrite: bool,
    /// Say which files; write nothing
    #[arg(long)]
    dry_run: bool,
}

/// What was written.
#[derive(Default, Serialize)]
struct Exported {
    seq: u64,
    dry_run: bool,
    /// Files written, or to be written.
    written: Vec<String>,
    /// Files that were there with the same content.
    same: Vec<String>,
    /// Files that are there and no part of this.
    other: Vec<String>,
    notes: Vec<String>,
}

impl Command {
    pub(crate) async fn run(self, api: &Client, out: &Output) -> Result<(), Failure> {
        let mgt = api.export().await?;
        let mut exported = Exported { seq: mgt.seq, dry_run: self.dry_run, ..Exported::default() };
        let mut files: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
        for (name, digits) in &mgt.logs {
            files.insert(Path::new("CONFIGS").join(name), bytes(name, digits)?);
        }
        for (fs, version) in &mgt.tables {
            files.insert(Path::new("NIDTBL_VERSIONS").join(fs), version.to_le_bytes().to_vec());
        }
        let mut entries = Vec::new();
        for digits in mgt.nodemaps.iter().flatten() {
            let bytes = bytes("nodemap", digits)?;
            if let Some((key, rec)) = bytes.split_first_chunk::<8>()
                && let Ok(rec) = rec.try_into()
            {
                entries.push(wire::nodemap::Entry { key: *key, rec });
            }
        }
        files.insert(Path::new("CONFIGS").join("nodemap"), write_index(&entries));
        for log in api.logs(None).await?.items.iter().filter(|log| log.next.is_some()) {
            let (which, other) = if log.pinned_count > 0 { ("older", "newer") } else { ("newer", "older") };
            exported.notes.push(format!(
                "log {} has two generations, a kernel MGS has one: the {which} is written; unmount nodes that read the {other}",
                log.name
            ));
        }
        self.write(&files, &mut exported)?;
        exported.notes.push(
            "start the MGS with -o nosvc, look at lctl --device MGS llog_print, then start targets"
                .to_owned(),
        );
        out.document(&exported, show)
    }

    /// All or nothing, as far as can be seen beforehand.
    fn write(&self, files: &BTreeMap<PathBuf, Vec<u8>>, exported: &mut Exported) -> Result<(), Failure> {
        let io = |path: &Path| {
            let what = path.display().to_string();
            move |source| Failure::Io { what, source }
        };
        let mut todo = Vec::new();
        for (name, file) in files {
            let path = self.dir.join(name);
            match std::fs::read(&path) {
                Ok(there) if there == *file => exported.same.push(name.display().to_string()),
                // An index that was only formatted, or an empty log, is nothing to lose.
                Ok(there) if there.is_empty() || self.overwrite || name.ends_with("nodemap") => {
                    todo.push((path, name, file))
                }
                Ok(_) => {
                    let why =
                        "is there with other content; give --overwrite, or another directory".to_owned();
                    return Err(Failure::Input { what: path.display().to_string(), why });
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => todo.push((path, name, file)),
                Err(error) => return Err(io(&path)(error)),
            }
        }
        for folder in ["CONFIGS", "NIDTBL_VERSIONS"] {
            let Ok(list) = std::fs::read_dir(self.dir.join(folder)) else { continue };
            for entry in list {
                let name = Path::new(folder).join(entry.map_err(io(&self.dir))?.file_name());
                if !files.contains_key(&name) {
                    exported.other.push(name.display().to_string());
                }
            }
        }
        exported.other.sort();
        for (path, name, file) in todo {
            exported.written.push(name.display().to_string());
            if self.dry_run {
                continue;
            }
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(io(folder))?;
            }
            std::fs::write(&path, file).map_err(io(&path))?;
        }
        Ok(())
    }
}

fn bytes(what: &str, digits: &str) -> Result<Vec<u8>, Failure> {
    let bad =
        || Failure::Input { what: what.to_owned(), why: "the daemon gave no hexadecimal digits".to_owned() };
    let pair =
        |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or_else(bad);
    (0..digits.len()).step_by(2).map(pair).collect()
}

fn show(exported: &Exported) -> String {
    let Exported { seq, dry_run, written, same, other, notes } = exported;
    let verb = if *dry_run { "would write" } else { "wrote" };
    let mut out = format!("state of seq {seq}\n");
    for (what, names) in [(verb, written), ("same already", same), ("there, and no part of this", other)] {
        if !names.is_empty() {
            out += &format!("{what}: {}\n", names.join(", "));
        }
    }
    out.extend(notes.iter().map(|note| format!("note: {note}\n")));
    out
}
