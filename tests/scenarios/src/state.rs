//! What the recorded MGS had on its disk after a stage, against what mgsd has.
use crate::gap::{Gap, Gaps};
use crate::mask::{Mask, Rule};
use crate::replay::Difference;
use crate::{Error, logs};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// The recorded states of one session: `vectors/states/<session>.tar.gz`.
#[derive(Debug)]
pub struct States {
    /// Files by `<stage>/<path>`.
    files: BTreeMap<String, Vec<u8>>,
}

/// Files of `CONFIGS` that are no logs. The nodemap index is compared where it is served.
const NO_LOGS: [&str; 2] = ["mountdata", "nodemap"];

impl States {
    /// Reads an archive.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Archive`] when it is no ustar archive, or has other entries than files and hard links.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let io = |error| Error::Io { path: path.to_owned(), error };
        let mut tar = Vec::new();
        let gz = std::fs::read(path).map_err(io)?;
        flate2::read::GzDecoder::new(gz.as_slice()).read_to_end(&mut tar).map_err(io)?;
        let files = untar(&tar).map_err(|what| Error::Archive { path: path.to_owned(), what })?;
        Ok(Self { files })
    }

    /// The files of a folder of a stage, by name.
    fn folder(&self, stage: &str, folder: &str) -> BTreeMap<&str, &[u8]> {
        let prefix = format!("{stage}/{folder}/");
        let below = self.files.range(prefix.clone()..);
        below
            .map_while(|(path, bytes)| Some((path.strip_prefix(&prefix)?, bytes.as_slice())))
            .filter(|(name, _)| !name.is_empty())
            .collect()
    }

    /// The logs of a stage, by name; those of file systems in `without` are left out.
    ///
    /// # Errors
    /// The stage is not in the archive.
    pub fn logs(&self, stage: &str, without: &[&str]) -> Result<BTreeMap<&str, &[u8]>, Error> {
        let mut golden = self.folder(stage, "CONFIGS");
        let left_out = |log: &str| without.iter().any(|fs| crate::replay::log_base(log) == *fs && log != *fs);
        golden.retain(|name, _| !NO_LOGS.contains(name) && !left_out(name));
        if golden.is_empty() {
            let what = format!("it has no CONFIGS of {stage}");
            return Err(Error::Archive { path: "states".into(), what });
        }
        Ok(golden)
    }

    /// Compares the logs after a stage. `steps`: markers may count on from another number; file systems in `without` are
    /// left out on the recorded side.
    ///
    /// # Errors
    /// The API does not answer; the stage is not in the archive.
    pub async fn compare_logs(
        &self,
        stage: &str,
        api: &mgs_api::Client,
        (steps, without): (bool, &[&str]),
        (mask, gaps): (&mut Mask, &mut Gaps),
    ) -> Result<Vec<Difference>, Error> {
        let mut out = Vec::new();
        let mut differ = |place: String, kernel: String, ours: String| {
            let (stage, time) = (stage.to_owned(), Duration::ZERO);
            out.push(Difference { stage, time, what: "state".to_owned(), place, kernel, ours });
        };
        let golden = self.logs(stage, without)?;
        let ours: BTreeSet<String> = api.logs(None).await?.items.into_iter().map(|l| l.name).collect();
        for name in ours.iter().filter(|n| !golden.contains_key(n.as_str())) {
            differ(format!("CONFIGS/{name}"), "-".to_owned(), "a log".to_owned());
        }
        for (name, kernel) in golden {
            if !ours.contains(name) {
                differ(format!("CONFIGS/{name}"), format!("{} bytes", kernel.len()), "-".to_owned());
                continue;
            }
            let mut file = api.log_file(name).await?;
            let mut kernel = kernel;
            if let Some((theirs, ours)) = reaches(kernel, &file)
                && gaps.meets(Gap::ReachesLater)
            {
                (kernel, file) = (theirs, ours.into());
            }
            for (place, kernel, ours) in logs::compare(kernel, &file, steps, mask) {
                differ(format!("CONFIGS/{name}: {place}"), kernel, ours);
            }
        }
        Ok(out)
    }

    /// The same, and the versions of the NID tables. `shift`: distance of ours.
    ///
    /// # Errors
    /// Those of [`States::compare_logs`].
    pub async fn compare(
        &self,
        stage: &str,
        api: &mgs_api::Client,
        form: (bool, &[&str]),
        shift: &BTreeMap<String, i64>,
        (mask, gaps): (&mut Mask, &mut Gaps),
    ) -> Result<Vec<Difference>, Error> {
        let mut out = self.compare_logs(stage, api, form, (&mut *mask, gaps)).await?;
        let (_, without) = form;
        let list = api.fs_list().await?.items;
        let ours: BTreeMap<String, u64> = list.into_iter().map(|f| (f.name, f.nidtbl_version)).collect();
        let mut versions: BTreeMap<String, u64> = BTreeMap::new();
        let versions_of = self.folder(stage, "NIDTBL_VERSIONS");
        for (fs, bytes) in versions_of.into_iter().filter(|(fs, _)| !without.contains(fs)) {
            let version = bytes.first_chunk().map(|b| u64::from_le_bytes(*b)).unwrap_or_default();
            let moved = shift.get(fs).copied().unwrap_or_default();
            if moved != 0 {
                mask.used(Rule::TableVersion);
            }
            versions.insert(fs.to_owned(), version.wrapping_add_signed(moved));
        }
        if versions != ours {
            let (stage, time) = (stage.to_owned(), Duration::ZERO);
            let (what, place) = ("state".to_owned(), "NIDTBL_VERSIONS".to_owned());
            let (kernel, ours) = (format!("{versions:?}"), format!("{ours:?}"));
            out.push(Difference { stage, time, what, place, kernel, ours });
        }
        Ok(out)
    }
}

/// Records of the kernel, and as many of ours, if ours has `sys.*` settings behind them and nothing else.
fn reaches<'a>(kernel: &'a [u8], ours: &[u8]) -> Option<(&'a [u8], Vec<u8>)> {
    const HEADER: usize = 8192;
    let theirs = llog::Log::from_file(kernel).ok()?;
    let log = llog::Log::from_file(ours).ok()?;
    let mut more = log.records_from(theirs.last_index() + 1).peekable();
    more.peek()?;
    let is_sys = |text: &str| text.starts_with("sys.");
    let settings = more.all(|r| {
        r.cfg().is_ok_and(|c| match c.marker() {
            Some(m) => is_sys(&m.comment),
            None => c.buf_str(1).is_some_and(is_sys),
        })
    });
    let records = (kernel.get(HEADER..)?, ours.get(HEADER..kernel.len())?.to_vec());
    settings.then_some(records)
}

/// The files of a ustar archive.
fn untar(tar: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, String> {
    const BLOCK: usize = 512;
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut at = 0;
    while let Some(head) = tar.get(at..at + BLOCK).filter(|h| h.first() != Some(&0)) {
        let text = |from: usize, len: usize| {
            let field = head.get(from..from + len).unwrap_or_default();
            let field = field.split(|b| *b == 0).next().unwrap_or_default();
            String::from_utf8_lossy(field).trim().trim_start_matches("./").to_owned()
        };
        let (prefix, base) = (text(345, 155), text(0, 100));
        let path = if prefix.is_empty() { base } else { format!("{prefix}/{base}") };
        let size = usize::from_str_radix(&text(124, 12), 8).map_err(|e| format!("size of {path}: {e}"))?;
        at += BLOCK;
        match head.get(156) {
            Some(b'0') => {
                let bytes = tar.get(at..at + size).ok_or_else(|| format!("{path} is cut"))?;
                files.insert(path, bytes.to_vec());
            }
            Some(b'1') => {
                let target = text(157, 100);
                let bytes = files
                    .get(&target)
                    .ok_or_else(|| format!("{path} links to {target}, which is not there"))?;
                files.insert(path, bytes.clone());
            }
            Some(b'5') => {}
            other => return Err(format!("{path}: entry of type {other:?}")),
        }
        at += size.next_multiple_of(BLOCK);
    }
    Ok(files)
}
