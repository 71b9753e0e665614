//! `CONFIGS/nodemap`: the nodemap index as ldiskfs keeps it (`osd_iam_lfix.c`, `osd_iam.c`), in blocks of 4096 bytes.
//!
//! ```text
//! root   0 u64 0xbedabb1ed | u16 key 8 | u16 record 32 | u16 pointer 4 | u8 levels | u8
//!       16 slots, limit 340
//! node   0 slots, limit 341
//! leaf   0 u16 0x1976 | u16 count | count x { key[8], record[32] }, by the bytes of the keys
//!
//! slots  u16 limit | u16 count | u32 unused leaves, of the root only | 4 bytes, then (count - 1) x { key[8], u32 block }
//! ```
//!
//! A key in root and nodes is the least one below its block; that of the first block in each counts as 0. Levels are those
//! between root and leaves.

use wire::nodemap::Entry;

const BLOCK: usize = 4096;
const ROOT: u64 = 0x0b_edab_b1ed;
const LEAF: u16 = 0x1976;
const ENTRY: usize = 40;
/// Bytes of a slot.
const SLOT: usize = 12;
/// Bytes in front of the slots of the root.
const GAP: usize = 16;
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

type Key = [u8; 8];

/// Root, or a node between it and the leaves.
struct Node {
    block: u32,
    /// Least key and number of each block below.
    below: Vec<(Key, u32)>,
}

impl Node {
    /// Blocks that it takes: the first slot has limit and count.
    const fn room(is_root: bool) -> usize {
        (BLOCK - if is_root { GAP } else { 0 }) / SLOT - 1
    }

    fn encode(&self, levels: Option<u8>) -> Vec<u8> {
        let mut out = Vec::with_capacity(BLOCK);
        if let Some(levels) = levels {
            out.extend(ROOT.to_le_bytes());
            for half in [8, 32, 4, u16::from(levels)] {
                out.extend(u16::to_le_bytes(half));
            }
        }
        for half in [Self::room(levels.is_some()) + 1, self.below.len() + 1, 0, 0, 0, 0] {
            out.extend(u16::try_from(half).unwrap_or(u16::MAX).to_le_bytes());
        }
        for (key, block) in &self.below {
            out.extend(key);
            out.extend(block.to_le_bytes());
        }
        out.resize(BLOCK, 0);
        out
    }
}

/// A file that grows as a kernel makes it grow when entries come in the order of their keys: what is full is split in
/// the middle, new blocks go to the end.
struct Tree {
    blocks: Vec<Vec<u8>>,
    /// From the root to the node above the last leaf.
    path: Vec<Node>,
}

impl Tree {
    fn new() -> Self {
        Self { blocks: vec![Vec::new()], path: vec![Node { block: 0, below: Vec::new() }] }
    }

    fn new_block(&mut self) -> u32 {
        self.blocks.push(Vec::new());
        u32::try_from(self.blocks.len() - 1).unwrap_or(u32::MAX)
    }

    fn set(&mut self, block: u32, content: Vec<u8>) {
        if let Some(place) = self.blocks.get_mut(block as usize) {
            *place = content;
        }
    }

    /// Makes room for one more leaf (`split_index_node`).
    fn make_room(&mut self) {
        let full = |(depth, node): (usize, &Node)| node.below.len() == Node::room(depth == 0);
        let split = self.path.iter().enumerate().rev().take_while(|at| full(*at)).count();
        let mut depth = self.path.len() - split;
        let mut fresh: Vec<u32> = (0..split).map(|_| self.new_block()).collect();
        if split > 0 && depth == 0 {
            // The root stays where it is: all that it has goes one level down.
            let block = fresh.remove(0);
            if let Some(root) = self.path.first_mut() {
                let below = std::mem::replace(&mut root.below, vec![([0; 8], block)]);
                self.path.insert(1, Node { block, below });
            }
            // It is larger than the root was, and has room.
            depth = 2;
        }
        for block in fresh {
            let Some(node) = self.path.get_mut(depth) else { return };
            // Counted with the slot of limit and count.
            let keep = usize::midpoint(node.below.len(), 1);
            let below = node.below.split_off(keep);
            let pivot = below.first().map_or([0; 8], |(key, _)| *key);
            let done = std::mem::replace(node, Node { block, below });
            self.set(done.block, done.encode(None));
            if let Some(parent) = depth.checked_sub(1).and_then(|above| self.path.get_mut(above)) {
                parent.below.push((pivot, block));
            }
            depth += 1;
        }
    }

    fn leaf(&mut self, entries: &[Entry]) {
        // the key of the first is never looked at
        let first = if self.blocks.len() == 1 { None } else { entries.first() };
        self.make_room();
        let block = self.new_block();
        if let Some(node) = self.path.last_mut() {
            node.below.push((first.map_or([0; 8], |entry| entry.key), block));
        }
        let mut leaf = Vec::with_capacity(BLOCK);
        leaf.extend(LEAF.to_le_bytes());
        leaf.extend(u16::try_from(entries.len()).unwrap_or(u16::MAX).to_le_bytes());
        for entry in entries {
            leaf.extend(entry.key);
            leaf.extend(entry.rec);
        }
        leaf.resize(BLOCK, 0);
        self.set(block, leaf);
    }

    fn finish(mut self) -> Vec<u8> {
        let levels = u8::try_from(self.path.len() - 1).unwrap_or(u8::MAX);
        for (depth, node) in std::mem::take(&mut self.path).into_iter().enumerate() {
            self.set(node.block, node.encode((depth == 0).then_some(levels)));
        }
        self.blocks.concat()
    }
}

/// A file with these entries.
pub(crate) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut entries = entries.to_vec();
    if !entries.iter().any(|entry| entry.key == [0; 8]) {
        entries.push(Entry { key: [0; 8], rec: [0; 32] });
    }
    entries.sort_by_key(|entry| entry.key);
    let mut tree = Tree::new();
    let mut rest = entries.as_slice();
    while rest.len() > PER_LEAF
        && let Some((leaf, more)) = rest.split_at_checked(PER_LEAF / 2)
    {
        tree.leaf(leaf);
        rest = more;
    }
    tree.leaf(rest);
    tree.finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::io::Read as _;

    #[test]
    fn recorded_indices_come_out_as_they_were() {
        let mut seen = 0;
        for session in capture::states::SESSIONS {
            for (path, file) in capture::states::session(session) {
                if !path.ends_with("/CONFIGS/nodemap") {
                    continue;
                }
                let entries = decode(&file).unwrap();
                let written = encode(&entries);
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

    /// 230 nodemaps, which came in the order of their keys: the file that a kernel made of them.
    #[test]
    fn an_index_of_several_leaves_grows_as_on_a_kernel() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/mgt/nodemap-230.gz");
        let mut file = Vec::new();
        flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut file).unwrap();
        let entries = decode(&file).unwrap();
        let written = encode(&entries);
        assert_eq!((entries.len(), written.len()), (233, file.len()));
        assert_eq!(written[..BLOCK], file[..BLOCK]);
        for block in 1..file.len() / BLOCK {
            let at = block * BLOCK;
            // Behind the last entry of a leaf a kernel leaves what was there before it was split.
            let end = at + 4 + half(&file, at + 2) * ENTRY;
            assert_eq!(written[at..end], file[at..end], "block {block}");
        }
    }

    #[test]
    fn other_files_are_refused() {
        assert!(decode(b"").is_err() && decode(&[0; 8192]).is_err());
        let mut file = encode(&[entry(1)]);
        file[BLOCK + 2..BLOCK + 4].copy_from_slice(&[0xff, 0xff]);
        assert!(decode(&file).is_err());
    }

    fn entry(n: u32) -> Entry {
        let [a, b, c, d] = n.to_be_bytes();
        let mut rec = [7; 32];
        rec[..4].copy_from_slice(&n.to_le_bytes());
        Entry { key: [a, b, c, 0x10, 0, 0, 0, d], rec }
    }

    fn half(file: &[u8], at: usize) -> usize {
        u16::from_le_bytes(file[at..at + 2].try_into().unwrap()).into()
    }

    /// Blocks in the slots of a node, with what their keys promise.
    fn slots(file: &[u8], block: usize) -> Vec<(Key, usize)> {
        let at = block * BLOCK + if block == 0 { GAP } else { 0 };
        let (limit, count) = (half(file, at), half(file, at + 2));
        assert_eq!(limit, if block == 0 { 340 } else { 341 });
        assert!((2..=limit).contains(&count), "{count}");
        let slot = |n: usize| &file[at + n * SLOT..at + (n + 1) * SLOT];
        let read =
            |s: &[u8]| (s[..8].try_into().unwrap(), u32::from_le_bytes(s[8..].try_into().unwrap()) as usize);
        (1..count).map(|n| read(slot(n))).collect()
    }

    /// From the root down, as a kernel looks for a key (`iam_find_position`, `iam_lfix_lookup`).
    fn find(file: &[u8], key: Key) -> Option<[u8; 32]> {
        let mut block = 0;
        for _ in 0..=file[14] {
            let slots = slots(file, block);
            let after = slots.iter().skip(1).position(|(least, _)| *least > key);
            block = slots[after.unwrap_or(slots.len() - 1)].1;
        }
        let leaf = &file[block * BLOCK..(block + 1) * BLOCK];
        assert_eq!(half(leaf, 0), usize::from(LEAF));
        let entries = leaf[4..].chunks(ENTRY).take(half(leaf, 2));
        entries.into_iter().find(|e| e[..8] == key).map(|e| e[8..].try_into().unwrap())
    }

    /// From the first leaf to the last, as a kernel goes through an index.
    fn walk(file: &[u8]) -> (Vec<Key>, BTreeSet<usize>) {
        let (mut level, mut seen) = (vec![0], BTreeSet::from([0]));
        for _ in 0..=file[14] {
            level = level.iter().flat_map(|block| slots(file, *block)).map(|(_, block)| block).collect();
            assert!(level.iter().all(|block| seen.insert(*block)), "a block stands twice");
        }
        let leaves = level.iter().map(|block| &file[block * BLOCK..(block + 1) * BLOCK]);
        let keys = leaves.flat_map(|leaf| leaf[4..].chunks(ENTRY).take(half(leaf, 2)));
        (keys.map(|e| e[..8].try_into().unwrap()).collect(), seen)
    }

    /// Around every size at which the shape changes: one leaf, a full root, a full node, and far beyond.
    #[test]
    fn every_entry_of_a_large_index_is_found() {
        const HALF: u32 = 51;
        for size in [1, 101, 102, 103, 339 * HALF + 50, 339 * HALF + 51, 340 * HALF + 52, 200_000] {
            let entries: Vec<Entry> = (1..=size).map(entry).collect();
            let file = encode(&entries);
            assert_eq!(decode(&file).unwrap().len(), entries.len() + 1);
            let (keys, blocks) = walk(&file);
            assert!(blocks.iter().copied().eq(0..file.len() / BLOCK), "{size}: every block has its place");
            assert!(keys.is_sorted() && keys.len() == entries.len() + 1, "{size}");
            for wanted in entries.iter().step_by(entries.len() / 500 + 1).chain(entries.last()) {
                assert_eq!(find(&file, wanted.key), Some(wanted.rec), "{size}");
            }
            assert_eq!(find(&file, [0; 8]), Some([0; 32]));
            assert_eq!(find(&file, [0xff; 8]), None);
            let levels = u8::from(size + 1 > 339 * HALF + 51);
            assert_eq!(file[14], levels, "{size}");
        }
    }
}
