use std::path::Path;
use std::sync::Arc;

use ottla_protocol::Offset;
use proptest::prelude::*;

use super::{Entry, Index, OffsetEntry, TimeEntry};
use crate::TopicPartition;
use crate::disk::{Disk, SimDisk};
use crate::file_cache::{LogContext, SegmentFiles, SharedDir};

const BASE: Offset = Offset(1000);

fn files(disk: &SimDisk) -> Arc<SegmentFiles> {
    disk.create_dir(Path::new("/t-0")).expect("makes");
    let dir = SharedDir::new(TopicPartition::new("t", 0), "/t-0".into());
    SegmentFiles::new(LogContext::new(Arc::new(disk.clone()), 10), dir, BASE)
}

fn entries(count: u32) -> Vec<OffsetEntry> {
    (1..=count)
        .map(|n| OffsetEntry { offset: Offset(BASE.0 + i64::from(n) * 3), position: n * 100 })
        .collect()
}

fn check_lookups(index: &Index<OffsetEntry>, files: &Arc<SegmentFiles>, entries: &[OffsetEntry]) {
    assert_eq!(index.len(files).expect("reads") as usize, entries.len());
    assert_eq!(index.last(files).expect("reads"), entries.last().copied());
    let end = entries.last().map_or(BASE.0, |last| last.offset.0) + 5;
    for offset in (BASE.0 - 2..end).step_by(1 + (end - BASE.0) as usize / 60) {
        let expected = entries.iter().rfind(|entry| entry.offset.0 <= offset).copied();
        let found = index.floor(files, |entry| entry.offset.0 <= offset).expect("reads");
        assert_eq!(found, expected, "{offset}");
    }
}

/// Mostly few; sometimes more than a block holds.
fn any_count() -> impl Strategy<Value = u32> {
    prop_oneof![150 => 0..20_u32, 1 => 0..1500_u32]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    /// In memory, written in part, read back by another process, cut: an index answers as its entries do.
    #[test]
    fn lookups_are_those_of_a_linear_scan(count in any_count(), kept in any_count(), stored in any_count()) {
        let disk = SimDisk::new();
        let files = files(&disk);
        let index = Index::empty(BASE);
        let mut all = entries(count);
        for (n, entry) in all.iter().enumerate() {
            index.push(*entry);
            if n as u32 == stored {
                index.store_block(&files).expect("writes");
            }
        }
        check_lookups(&index, &files, &all);
        index.finish(&files, false).expect("writes");
        check_lookups(&index, &files, &all);
        let size = disk.metadata(&files.path(OffsetEntry::KIND)).expect("there").len;
        prop_assert_eq!(size, u64::from(count) * 8);

        let index = Index::existing(BASE);
        check_lookups(&index, &files, &all);
        let cut = Offset(BASE.0 + i64::from(kept) * 3 + 1);
        index.truncate(&files, |entry| entry.offset < cut).expect("cuts");
        all.truncate(kept.min(count) as usize);
        check_lookups(&index, &files, &all);
        let added = OffsetEntry { offset: Offset(BASE.0 + 20_000), position: 1 };
        index.push(added);
        all.push(added);
        check_lookups(&index, &files, &all);
    }

    /// What a JVM that was killed leaves behind the entries.
    #[test]
    fn zeros_behind_the_entries_are_none(count in any_count(), filling in 0..300_u64) {
        let disk = SimDisk::new();
        let files = files(&disk);
        let index = Index::empty(BASE);
        let all = entries(count);
        all.iter().for_each(|entry| index.push(*entry));
        index.finish(&files, false).expect("writes");
        let file = files.get(OffsetEntry::KIND).expect("opens");
        file.set_len(u64::from(count) * 8 + filling).expect("fills");
        let index = Index::existing(BASE);
        check_lookups(&index, &files, &all);
        index.finish(&files, false).expect("writes");
        prop_assert_eq!(file.size().expect("there"), u64::from(count) * 8);
    }
}

#[test]
fn time_entries_have_kafkas_bytes() {
    let entry = TimeEntry { timestamp: 1_700_000_000_000, offset: Offset(BASE.0 + 258) };
    let mut bytes = Vec::new();
    entry.encode(BASE, &mut bytes);
    assert_eq!(bytes, [0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0, 0, 0, 1, 2]);
    assert_eq!(TimeEntry::decode(BASE, &bytes), entry);
}

#[test]
fn an_index_without_its_file_is_empty() {
    let disk = SimDisk::new();
    let files = files(&disk);
    check_lookups(&Index::existing(BASE), &files, &[]);
}
