//! What a power failure leaves on a disk.
//!
//! As bad as journaling file systems allow. Of a file's writes since it was synced each block, or
//! each sector, has reached the disk, or not, or is torn in the middle; where the file has grown there may be zeros, or
//! anything at all. Its size is one that it had on the way. A cut has happened or not, and what was written behind it
//! has not reached the disk before it. Of a directory's changes since it was synced the first ones are there, however
//! many, whatever has become of the changes of other directories. What was synced stays as it was.

use std::collections::HashMap;

use super::{DirNode, FileNode, Inode, Node, apply};

/// What a kernel writes together.
const BLOCK: usize = 4096;
/// What a disk writes together.
const SECTOR: usize = 512;

/// The disk after the failure. Seed 0 loses everything that was not synced.
pub(super) fn after_failure(nodes: &HashMap<Inode, Node>, seed: u64) -> HashMap<Inode, Node> {
    // Neighbouring seeds have nothing in common.
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    // In the order of their numbers, so that the same seed gives the same outcome.
    let mut inodes: Vec<_> = nodes.iter().collect();
    inodes.sort_unstable_by_key(|(inode, _)| **inode);
    let left = |(&inode, node): (&Inode, &Node)| {
        let node = match node {
            Node::File(file) => Node::File(left_of_file(file, seed != 0, &mut random)),
            Node::Dir(dir) if seed == 0 => Node::Dir(left_of_dir(dir, 0)),
            Node::Dir(dir) => Node::Dir(left_of_dir(dir, random.below(dir.changes.len() + 1))),
        };
        (inode, node)
    };
    inodes.into_iter().map(left).collect()
}

fn left_of_dir(dir: &DirNode, kept: usize) -> DirNode {
    let mut left = dir.durable.clone();
    for (name, inode) in dir.changes[..kept].iter().flatten() {
        apply(&mut left, name, *inode);
    }
    DirNode { now: left.clone(), durable: left, changes: Vec::new() }
}

fn left_of_file(file: &FileNode, is_random: bool, random: &mut Random) -> FileNode {
    let left =
        if is_random && file.now != file.durable { contents(file, random) } else { file.durable.clone() };
    FileNode {
        path: file.path.clone(),
        now: left.clone(),
        durable: left,
        cut_to: None,
        modified_ms: file.modified_ms,
    }
}

fn contents(file: &FileNode, random: &mut Random) -> Vec<u8> {
    let mut left = file.durable.clone();
    let mut writable = file.now.len();
    match file.cut_to {
        Some(cut_to) if random.chance(2) => writable = cut_to.min(writable),
        Some(cut_to) => left.truncate(cut_to),
        None => {}
    }
    let synced = left.len();
    let grown = match random.below(3) {
        0 => writable.saturating_sub(synced),
        _ => random.below(writable.saturating_sub(synced) + 1),
    };
    left.resize(synced + grown, 0);
    // How likely a piece is to be there, out of four; and what is where a piece is not.
    let (kept, piece) = (random.below(5), if random.chance(2) { BLOCK } else { SECTOR });
    let is_scrambled = random.chance(4);
    for start in (0..left.len().min(writable)).step_by(piece) {
        let end = (start + piece).min(left.len()).min(writable);
        let torn = match random.below(16) {
            0 => start + random.below(end - start),
            _ if random.below(4) < kept => end,
            _ => start,
        };
        left[start..torn].copy_from_slice(&file.now[start..torn]);
        if is_scrambled {
            // What was synced is not written again with anything else.
            for byte in &mut left[torn.max(synced).min(end)..end] {
                *byte = random.below(256) as u8;
            }
        }
    }
    left
}

/// xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    /// One time of so many.
    fn chance(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}
