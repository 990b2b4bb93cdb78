//! Doing the same to many things at once, where each waits for the disk.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Fewer than these are not worth a thread.
const PER_THREAD_MIN: usize = 8;

/// Does it to every item, on at most so many threads of which this is one; the results are in the order of the items.
pub(super) fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    act: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let threads = threads.clamp(1, (items.len() / PER_THREAD_MIN).max(1));
    if threads == 1 {
        return items.iter().map(act).collect();
    }
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, R)>> = Mutex::default();
    let work = || {
        let mut mine = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { break };
            mine.push((index, act(item)));
        }
        results.lock().extend(mine);
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut results = results.into_inner();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items_whoever_made_them() {
        let items: Vec<usize> = (0..1000).collect();
        for threads in [0, 1, 2, 7] {
            assert_eq!(
                in_parallel(&items, threads, |item| item * 2),
                items.iter().map(|i| i * 2).collect::<Vec<_>>()
            );
        }
        assert!(in_parallel(&[] as &[usize], 4, |item| *item).is_empty());
    }
}
