//! `CONFIGS/mountdata`: whose disk it is (`lustre_disk.h: struct lustre_disk_data`).
//!
//! ```text
//!  0 magic 0x1dd00001   20 flags   24 index   32 fsname[64]   96 svname[64]   … 12288 bytes
//! ```

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mountdata {
    flags: u32,
    /// `MGS`, or the name of the target that lives on the same disk.
    pub(crate) svname: String,
}

const MAGIC: u32 = 0x1dd0_0001;
const MDT: u32 = 0x1;
const MGS: u32 = 0x4;

impl Mountdata {
    /// Reads it, in either byte order; `None`: it is none.
    pub(crate) fn decode(file: &[u8]) -> Option<Self> {
        let word = |at: usize| file.get(at..)?.first_chunk::<4>().copied();
        let little = u32::from_le_bytes(word(0)?) == MAGIC;
        if !little && u32::from_be_bytes(word(0)?) != MAGIC {
            return None;
        }
        let flags = if little { u32::from_le_bytes(word(20)?) } else { u32::from_be_bytes(word(20)?) };
        let name = file.get(96..160)?.split(|b| *b == 0).next()?;
        Some(Self { flags, svname: String::from_utf8_lossy(name).replace([':', '='], "-") })
    }

    /// An MGS lives on this disk.
    pub(crate) const fn is_mgs(&self) -> bool {
        self.flags & MGS != 0
    }

    /// So does an MDT.
    pub(crate) const fn is_combined(&self) -> bool {
        self.flags & MDT != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_one() {
        let file = capture::states::session("B").remove("B00-mounted/CONFIGS/mountdata").unwrap_or_default();
        let data = Mountdata::decode(&file);
        assert_eq!(data, Some(Mountdata { flags: 0x24, svname: "MGS".to_owned() }));
        assert!(data.is_some_and(|d| d.is_mgs() && !d.is_combined()));
        for len in 0..160 {
            assert_eq!(Mountdata::decode(file.get(..len).unwrap_or_default()), None, "{len}");
        }
    }
}
