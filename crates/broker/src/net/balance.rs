//! Which data threads do the work. A request that wakes a second core costs several times what the request itself does,
//! so as few threads work as can, and another one takes over connections when one is full. A pure decision.
//!
//! ```text
//! a thread is full, another is far from it   → the full one gives connections away, for both to have as much
//! two threads have little to do              → the later one gives all to the earlier one
//! ```
//!
//! Between the two bounds nothing happens, so that connections do not go back and forth.

/// A thread that is busy for more of the time is full: what arrives has to wait.
const FULL: f64 = 0.8;
/// Two threads that are busy for less of the time together are one too many.
const LITTLE: f64 = 0.4;

/// What a data thread did for a while.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Share of the time during which it worked: 0 to 1.
    pub busy: f64,
    /// Its connections on which anything arrived.
    pub active: usize,
}

/// Connections that should change threads, as soon as each is between two requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shift {
    /// Index of the thread that gives them away.
    pub from: usize,
    /// Index of the thread that gets them.
    pub to: usize,
    /// How many.
    pub count: usize,
}

/// What should change; nothing in most cases.
pub(super) fn shift(loads: &[Load]) -> Option<Shift> {
    spread(loads).or_else(|| gather(loads))
}

/// The thread that a new connection goes to: the first with room, or the one with the most of it.
pub(super) fn first_with_room(busy: impl Iterator<Item = f64> + Clone) -> usize {
    let least = || busy.clone().enumerate().min_by(|(_, one), (_, other)| one.total_cmp(other));
    busy.clone().position(|busy| busy < FULL).or_else(|| least().map(|(index, _)| index)).unwrap_or(0)
}

fn spread(loads: &[Load]) -> Option<Shift> {
    let by_busy = |one: &(usize, &Load), other: &(usize, &Load)| one.1.busy.total_cmp(&other.1.busy);
    let (from, full) = loads.iter().enumerate().max_by(by_busy)?;
    let (to, other) = loads.iter().enumerate().min_by(by_busy)?;
    let has_much_less = other.busy < full.busy / 2.0;
    if full.busy < FULL || !has_much_less || full.active < 2 {
        return None;
    }
    let share = (full.busy - other.busy) / 2.0 / full.busy;
    let count = (full.active as f64 * share).round() as usize;
    Some(Shift { from, to, count: count.clamp(1, full.active - 1) })
}

fn gather(loads: &[Load]) -> Option<Shift> {
    let (from, last) = loads.iter().enumerate().rfind(|(_, load)| load.active > 0)?;
    let to = loads[..from].iter().position(|load| load.busy + last.busy < LITTLE)?;
    Some(Shift { from, to, count: last.active })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(loads: &[(f64, usize)], expected: Option<(usize, usize, usize)>) {
        let loads: Vec<Load> =
            loads.iter().map(|(busy, active)| Load { busy: *busy, active: *active }).collect();
        let expected = expected.map(|(from, to, count)| Shift { from, to, count });
        assert_eq!(shift(&loads), expected, "{loads:?}");
    }

    #[test]
    fn a_full_thread_shares_with_one_that_has_much_less_to_do() {
        check(&[(0.9, 10), (0.0, 0)], Some((0, 1, 5)));
        check(&[(0.9, 10), (0.3, 3)], Some((0, 1, 3)));
        check(&[(0.9, 2), (0.0, 0), (0.1, 1)], Some((0, 1, 1)));
        check(&[(0.9, 10), (0.6, 5)], None);
        check(&[(0.7, 10), (0.0, 0)], None);
    }

    #[test]
    fn one_connection_is_not_shared() {
        check(&[(1.0, 1), (0.0, 0)], None);
    }

    #[test]
    fn threads_with_little_to_do_leave_it_to_the_first() {
        check(&[(0.1, 3), (0.1, 4)], Some((1, 0, 4)));
        check(&[(0.6, 3), (0.1, 4), (0.2, 1)], Some((2, 1, 1)));
        check(&[(0.3, 3), (0.2, 4)], None);
        check(&[(0.1, 3), (0.0, 0)], None);
    }

    #[test]
    fn what_was_shared_is_not_taken_back_at_once() {
        for active in 2..100 {
            let before = Load { busy: 0.85, active };
            let Some(Shift { count, .. }) = shift(&[before, Load { busy: 0.0, active: 0 }]) else { panic!() };
            let moved = before.busy * count as f64 / active as f64;
            let after = [
                Load { busy: before.busy - moved, active: active - count },
                Load { busy: moved, active: count },
            ];
            assert_eq!(shift(&after), None, "{after:?}");
        }
    }

    #[test]
    fn new_connections_go_to_the_first_thread_with_room() {
        assert_eq!(first_with_room([0.5, 0.0].into_iter()), 0);
        assert_eq!(first_with_room([0.9, 0.5, 0.1].into_iter()), 1);
        assert_eq!(first_with_room([0.95, 0.9].into_iter()), 1);
    }
}
