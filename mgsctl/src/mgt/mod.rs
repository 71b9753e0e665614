//! The disk of a kernel MGS (its MGT): what lies on it, and what it means.
//!
//! ```text
//! CONFIGS/FS-client, FS-MDT0000, …, params   logs              NIDTBL_VERSIONS/FS   version of the NID table, 8 bytes
//! CONFIGS/nodemap                            index, see iam    CONFIGS/mountdata    whose disk it is
//! ```

pub(crate) mod export;
mod iam;
mod image;
pub(crate) mod import;
mod mountdata;

use mountdata::Mountdata;

use std::collections::BTreeMap;
use std::path::Path;

use crate::exit::Failure;

/// Files of the two folders that matter.
#[derive(Debug, Default)]
struct Disk {
    /// `CONFIGS`, by name.
    configs: BTreeMap<String, Vec<u8>>,
    /// `NIDTBL_VERSIONS`, by name.
    tables: BTreeMap<String, Vec<u8>>,
    /// Logs that wait to be renamed (`tunefs.lustre --rename`): the new name.
    renames: BTreeMap<String, String>,
}

/// A log has at most 64767 records of a few hundred bytes.
const FILE_MAX: u64 = 256 << 20;
/// Files of a folder that are read.
const FILES_MAX: usize = 1 << 20;

impl Disk {
    /// Reads a directory: one that holds `CONFIGS`, or `CONFIGS` itself; or the image of a disk.
    ///
    /// # Errors
    /// Neither; a file that cannot be read.
    fn read(path: &Path) -> Result<Self, Failure> {
        let io = |source| Failure::Io { what: path.display().to_string(), source };
        if !std::fs::metadata(path).map_err(io)?.is_dir() {
            return image::read(path);
        }
        let inner = path.join("CONFIGS");
        let (configs, beside) = match inner.is_dir() {
            true => (inner, Some(path)),
            false => (path.to_owned(), path.parent().filter(|_| path.ends_with("CONFIGS"))),
        };
        let mut disk = Self { configs: folder(&configs)?, ..Self::default() };
        if let Some(tables) = beside.map(|dir| dir.join("NIDTBL_VERSIONS")).filter(|dir| dir.is_dir()) {
            disk.tables = folder(&tables)?;
        }
        for name in disk.configs.keys() {
            let mut value = [0; 64];
            if let Ok(len) = rustix::fs::getxattr(configs.join(name), "trusted.rename_tgt", &mut value) {
                let text = value.get(..len).unwrap_or_default();
                disk.renames
                    .insert(name.clone(), String::from_utf8_lossy(text).trim_end_matches('\0').to_owned());
            }
        }
        if !disk.configs.keys().any(|name| name == "mountdata" || name == "params" || name.contains('-')) {
            return Err(Failure::Input {
                what: path.display().to_string(),
                why: "holds neither CONFIGS nor logs; name the mounted MGT, its CONFIGS, or its image"
                    .to_owned(),
            });
        }
        Ok(disk)
    }
}

/// The regular files of a directory.
fn folder(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let io = |path: &Path| {
        let what = path.display().to_string();
        move |source| Failure::Io { what: what.clone(), source }
    };
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(dir).map_err(io(dir))? {
        let path = entry.map_err(io(dir))?.path();
        let size = std::fs::symlink_metadata(&path).map_err(io(&path))?;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if !size.is_file() || name.is_empty() {
            continue;
        }
        if size.len() > FILE_MAX || files.len() >= FILES_MAX {
            let why = format!("is too large: at most {FILES_MAX} files of {} MiB", FILE_MAX >> 20);
            return Err(Failure::Input { what: path.display().to_string(), why });
        }
        files.insert(name, std::fs::read(&path).map_err(io(&path))?);
    }
    Ok(files)
}
