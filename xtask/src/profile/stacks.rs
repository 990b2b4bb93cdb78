//! Samples of `perf script` as a tree of functions, from the thread down to where it was.

use std::collections::BTreeMap;

/// A function and those that it called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    /// Samples in it and below.
    pub(crate) samples: u64,
    /// Whether it is the kernel's.
    pub(crate) is_kernel: bool,
    pub(crate) called: BTreeMap<String, Node>,
}

/// All samples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) root: Node,
}

impl Tree {
    /// Reads blocks of lines: the thread's name, then a line for each function, the innermost first.
    pub(crate) fn parse(text: &str) -> Tree {
        let mut tree = Tree::default();
        for block in text.split("\n\n") {
            let mut lines = block.lines().filter(|line| !line.trim().is_empty());
            let Some(thread) = lines.next() else { continue };
            let mut frames: Vec<(String, bool)> = lines.filter_map(frame).collect();
            frames.push((thread.trim().to_owned(), false));
            tree.add(frames.into_iter().rev());
        }
        tree
    }

    fn add(&mut self, frames: impl Iterator<Item = (String, bool)>) {
        let mut node = &mut self.root;
        node.samples += 1;
        for (name, is_kernel) in frames {
            node = node.called.entry(name).or_default();
            node.samples += 1;
            node.is_kernel = is_kernel;
        }
    }

    /// How many there are.
    pub(crate) fn samples(&self) -> u64 {
        self.root.samples
    }

    /// Functions by the samples that were in them and not below, the most first.
    pub(crate) fn by_self(&self) -> Vec<(&str, u64)> {
        let mut own = BTreeMap::new();
        let mut nodes = vec![("", &self.root)];
        while let Some((name, node)) = nodes.pop() {
            let below: u64 = node.called.values().map(|called| called.samples).sum();
            *own.entry(name).or_insert(0) += node.samples - below;
            nodes.extend(node.called.iter().map(|(name, node)| (name.as_str(), node)));
        }
        let mut own: Vec<(&str, u64)> = own.into_iter().filter(|(_, samples)| *samples > 0).collect();
        own.sort_by_key(|(_, samples)| std::cmp::Reverse(*samples));
        own
    }
}

/// `  5581a2b3c4d5 ottla_log::append (/path/ottla)`: the name without the hash of the compiler, and whether it is the
/// kernel's.
fn frame(line: &str) -> Option<(String, bool)> {
    let (_, named) = line.trim().split_once(' ')?;
    let (name, object) = named.rsplit_once(" (").unwrap_or((named, ""));
    let is_hash = |hash: &str| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = match name.rsplit_once("::h") {
        Some((name, hash)) if is_hash(hash) => name,
        _ => name,
    };
    Some((name.to_owned(), object.starts_with("[kernel") || object.starts_with("[guest.kernel")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: &str = "\
ottla-data-0
\t    5581a2b3c4d5 ottla_log::append::h0123456789abcdef (/target/ottla)
\t    5581a2b3c400 <alloc::vec::Vec<T> as core::ops::drop::Drop>::drop (/target/ottla)

ottla-data-0
\tffffffff81000000 __x64_sys_write ([kernel.kallsyms])
\t    5581a2b3c400 <alloc::vec::Vec<T> as core::ops::drop::Drop>::drop (/target/ottla)

flusher
\t    7f0000000000 [unknown] ([unknown])
";

    #[test]
    fn samples_become_a_tree_from_the_outside_in() {
        let tree = Tree::parse(SAMPLES);
        assert_eq!(tree.samples(), 3);
        let threads: Vec<(&str, u64)> =
            tree.root.called.iter().map(|(name, node)| (name.as_str(), node.samples)).collect();
        assert_eq!(threads, [("flusher", 1), ("ottla-data-0", 2)]);
        let drop =
            &tree.root.called["ottla-data-0"].called["<alloc::vec::Vec<T> as core::ops::drop::Drop>::drop"];
        assert_eq!(drop.samples, 2);
        assert!(drop.called["__x64_sys_write"].is_kernel && !drop.called["ottla_log::append"].is_kernel);
    }

    #[test]
    fn what_a_function_did_by_itself_is_told_apart_from_what_it_called() {
        let tree = Tree::parse(SAMPLES);
        assert_eq!(tree.by_self(), [("[unknown]", 1), ("__x64_sys_write", 1), ("ottla_log::append", 1)]);
    }
}
