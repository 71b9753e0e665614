//! `CONFIGS/nodemap`: the nodemap index as ldiskfs keeps it (`osd_iam_lfix.c`), in blocks of 4096 bytes.
//!
//! ```text
//! root   0 u64 0xbedabb1ed | u16 key 8 | u16 record 32 | u16 pointer 4 | u8 levels | u8
//!       16 u16 limit | u16 count | 8 bytes | (count - 1) x { key[8], u32 block }
//! leaf   0 u16 0x1976 | u16 count | count x { key[8], record[32] }, by the bytes of the keys
//! ```

use wire::nodemap::Entry;

const BLOCK: usize = 4096;
const ROOT: u64 = 0x0b_edab_b1ed;
const LEAF: u16 = 0x1976;
const ENTRY: usize = 40;
/// Slots of a root: what is left of the block, in slots of 12 bytes.
const LIMIT: u16 = 340;
/// Entries of a leaf.
const PER_LEAF: usize = (BLOCK - 4) / ENTRY;

/// The entries of all leaves.
///
/// # Errors
/// What the file is not.
pub(crate) fn decode(file: &[u8]) -> Result<Vec<Entry>, String> {
    let magic = file.first_chunk().map(|b| u64::from_le_bytes(*b));
    if magic != Some(ROOT) {
        return Err("does not begin with the magic number of an index".to_owned());
    }
    let mut entries = Vec::new();
    for (number, leaf) in (1..).zip(file.get(BLOCK..).unwrap_or_default().chunks(BLOCK)) {
        let half = |at: usize| leaf.get(at..)?.first_chunk().map(|b| u16::from_le_bytes(*b));
        if half(0) != Some(LEAF) {
            continue; // a node between root and leaves
        }
        let count = usize::from(half(2).unwrap_or(0));
        let list = leaf
            .get(4..4 + count * ENTRY)
            .ok_or_else(|| format!("block {number} has {count} entries, more than fit"))?;
        for entry in list.chunks(ENTRY) {
            if let Some((key, rec)) = entry.split_first_chunk::<8>()
                && let Ok(rec) = rec.try_into()
            {
                entries.push(Entry { key: *key, rec });
            }
        }
    }
    Ok(entries)
}

/// A file with these entries; `None`: more than one leaf takes, and larger ones were never seen.
pub(crate) fn encode(entries: &[Entry]) -> Option<Vec<u8>> {
    let mut entries = entries.to_vec();
    if !entries.iter().any(|entry| entry.key == [0; 8]) {
        entries.push(Entry { key: [0; 8], rec: [0; 32] });
    }
    entries.sort_by_key(|entry| entry.key);
    let count = u16::try_from(entries.len()).ok().filter(|_| entries.len() <= PER_LEAF)?;
    let mut file = ROOT.to_le_bytes().to_vec();
    for half in [8, 32, 4, 0, LIMIT, 2] {
        file.extend(u16::to_le_bytes(half));
    }
    file.resize(16 + 12 + 8, 0);
    file.extend(1_u32.to_le_bytes());
    file.resize(BLOCK, 0);
    file.extend(LEAF.to_le_bytes());
    file.extend(count.to_le_bytes());
    for entry in &entries {
        file.extend(entry.key);
        file.extend(entry.rec);
    }
    file.resize(2 * BLOCK, 0);
    Some(file)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn recorded_indices_come_out_as_they_were() {
        let mut seen = 0;
        for session in capture::states::SESSIONS {
            for (path, file) in capture::states::session(session) {
                if !path.ends_with("/CONFIGS/nodemap") {
                    continue;
                }
                let entries = decode(&file).unwrap();
                let written = encode(&entries).unwrap();
                assert_eq!(written.len(), file.len(), "{path}");
                // Behind the last entry a kernel leaves what was there before.
                let end = BLOCK + 4 + entries.len() * ENTRY;
                assert_eq!(written[..end], file[..end], "{path}");
                assert_eq!(decode(&written).unwrap(), entries);
                seen += 1;
            }
        }
        assert!(seen > 40, "{seen}");
    }

    #[test]
    fn other_files_are_refused_and_large_ones_left_out() {
        assert!(decode(b"").is_err() && decode(&[0; 8192]).is_err());
        let entry = |n: u8| Entry { key: [n, 0, 0, 0x10, 0, 0, 0, 0], rec: [0; 32] };
        let mut file = encode(&[entry(1)]).unwrap();
        file[BLOCK + 2..BLOCK + 4].copy_from_slice(&[0xff, 0xff]);
        assert!(decode(&file).is_err());
        assert!(encode(&(0..103).map(entry).collect::<Vec<_>>()).is_none());
    }
}
