//! The image of an MGT that was formatted with ldiskfs, read as ext4 and never written.
//!
//! The reader knows ext4. Of what ldiskfs adds, `large_dir` only allows directories to grow beyond what an MGT has, so
//! the reader is not told of it; `dirdata`, which a disk shared with an MDT has, changes the entries of directories, and
//! is refused.

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use ext4_view::{Ext4, Ext4Read};

use super::{Disk, FILE_MAX};
use crate::exit::Failure;

/// `s_feature_incompat` in a file system: of the superblock at 1024.
const INCOMPAT: u64 = 1024 + 96;
/// `EXT3_FEATURE_INCOMPAT_RECOVER`.
const RECOVER: u32 = 0x4;
/// `EXT4_FEATURE_INCOMPAT_DIRDATA`.
const DIRDATA: u32 = 0x1000;
/// `EXT4_FEATURE_INCOMPAT_LARGEDIR`.
const LARGE_DIR: u32 = 0x4000;

/// A file, with [`LARGE_DIR`] hidden.
struct Image {
    file: File,
}

impl Ext4Read for Image {
    fn read(&mut self, start: u64, dst: &mut [u8]) -> Result<(), Box<dyn Error + Send + Sync + 'static>> {
        self.file.read_exact_at(dst, start)?;
        // Its second byte is the one with the bit.
        let at = (INCOMPAT + 1).checked_sub(start).and_then(|at| usize::try_from(at).ok());
        if let Some(byte) = at.and_then(|at| dst.get_mut(at)) {
            *byte &= !(LARGE_DIR.to_le_bytes()[1]);
        }
        Ok(())
    }
}

pub(super) fn read(path: &Path) -> Result<Disk, Failure> {
    let what = path.display().to_string();
    let bad = |why: String| Failure::Input { what: what.clone(), why };
    let io = |source| Failure::Io { what: what.clone(), source };
    let file = File::open(path).map_err(io)?;
    let mut word = [0; 4];
    file.read_exact_at(&mut word, INCOMPAT).map_err(io)?;
    if u32::from_le_bytes(word) & DIRDATA != 0 {
        return Err(bad(
            "is the disk of an MDT (dirdata); mount it as ldiskfs, read-only, and name its CONFIGS"
                .to_owned(),
        ));
    }
    let features = u32::from_le_bytes(word);
    let disk = Ext4::load(Box::new(Image { file }));
    let disk = disk.map_err(|e| {
        bad(match features & RECOVER {
            0 => format!("is no disk of an MGT with ldiskfs: {e}; of ZFS, name the mounted dataset"),
            // The reader plays back journals with checksums only, and those of ldiskfs have none.
            _ => format!("was not unmounted, and its journal cannot be read ({e}); play it back with e2fsck -E journal_only"),
        })
    })?;
    let folder = |name: &str| {
        let mut files = std::collections::BTreeMap::new();
        for entry in disk.read_dir(name).map_err(|e| bad(format!("{name}: {e}")))? {
            let entry = entry.map_err(|e| bad(format!("{name}: {e}")))?;
            let path = entry.path();
            let of = |e: &dyn std::fmt::Display| bad(format!("{}: {e}", path.display()));
            let size = disk.symlink_metadata(&path).map_err(|e| of(&e))?;
            let Ok(file) = std::str::from_utf8(entry.file_name().as_ref()).map(str::to_owned) else {
                continue;
            };
            if size.is_dir() || size.is_symlink() {
                continue;
            }
            if size.len() > FILE_MAX {
                return Err(of(&format!("is larger than {} MiB", FILE_MAX >> 20)));
            }
            files.insert(file, disk.read(&path).map_err(|e| of(&e))?);
        }
        Ok(files)
    };
    let tables = if disk.exists("/NIDTBL_VERSIONS").unwrap_or(false) {
        folder("/NIDTBL_VERSIONS")?
    } else {
        <_>::default()
    };
    Ok(Disk { configs: folder("/CONFIGS")?, tables, ..Disk::default() })
}
