//! Where a new partition's log goes: Kafka's rule.
//!
//! 1. Where an operator wished it to be (AlterReplicaLogDirs before there is a log).
//! 2. Where the metadata says that it is (KIP-858).
//! 3. In the directory that has the fewest logs, the first of those in `log.dirs`, leaving out those that are cordoned
//!    (KIP-1066) unless all are.

use ottla_protocol::Uuid;

/// What is known of a directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// Its id.
    pub id: Uuid,
    /// Whether it can be used.
    pub is_online: bool,
    /// Whether it gets no new partitions.
    pub is_cordoned: bool,
    /// How many logs it has.
    pub logs: usize,
}

/// The index of the directory; `None` where the log may be in a directory that is offline, or all are.
pub(super) fn place(dirs: &[Candidate], assigned: Uuid, wished: Option<usize>) -> Option<usize> {
    if let Some(index) = wished.filter(|index| dirs[*index].is_online) {
        return Some(index);
    }
    let is_somewhere = ![Uuid::ZERO, Uuid::UNASSIGNED_DIR, Uuid::LOST_DIR].contains(&assigned);
    if is_somewhere {
        if let Some(index) = dirs.iter().position(|dir| dir.is_online && dir.id == assigned) {
            return Some(index);
        }
        // Its directory may come back, with the data.
        if dirs.iter().any(|dir| !dir.is_online) {
            return None;
        }
    }
    let online = || dirs.iter().enumerate().filter(|(_, dir)| dir.is_online);
    let fewest = online().filter(|(_, dir)| !dir.is_cordoned).min_by_key(|(_, dir)| dir.logs);
    fewest.or_else(|| online().next()).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Uuid = Uuid([10; 16]);
    const B: Uuid = Uuid([11; 16]);
    const GONE: Uuid = Uuid([12; 16]);

    fn dir(id: Uuid, logs: usize) -> Candidate {
        Candidate { id, is_online: true, is_cordoned: false, logs }
    }

    #[test]
    fn new_logs_go_where_the_fewest_are() {
        assert_eq!(place(&[dir(A, 2), dir(B, 1)], Uuid::UNASSIGNED_DIR, None), Some(1));
        assert_eq!(place(&[dir(A, 1), dir(B, 1)], Uuid::UNASSIGNED_DIR, None), Some(0));
        assert_eq!(place(&[], Uuid::UNASSIGNED_DIR, None), None);
    }

    #[test]
    fn a_wish_counts_before_the_metadata_and_that_before_the_rule() {
        assert_eq!(place(&[dir(A, 0), dir(B, 9)], B, None), Some(1));
        assert_eq!(place(&[dir(A, 9), dir(B, 0)], B, Some(0)), Some(0));
        assert_eq!(place(&[dir(A, 9), dir(B, 0)], Uuid::LOST_DIR, None), Some(1));
    }

    #[test]
    fn cordoned_directories_get_nothing_unless_all_are() {
        let cordoned = |id, logs| Candidate { is_cordoned: true, ..dir(id, logs) };
        assert_eq!(place(&[cordoned(A, 0), dir(B, 9)], Uuid::UNASSIGNED_DIR, None), Some(1));
        assert_eq!(place(&[cordoned(A, 5), cordoned(B, 0)], Uuid::UNASSIGNED_DIR, None), Some(0));
        assert_eq!(place(&[cordoned(A, 0), dir(B, 9)], A, None), Some(0), "it is there already");
    }

    #[test]
    fn no_log_is_begun_anew_while_its_directory_may_come_back() {
        let offline = Candidate { is_online: false, ..dir(A, 0) };
        assert_eq!(place(&[offline, dir(B, 0)], A, None), None);
        assert_eq!(place(&[offline, dir(B, 0)], GONE, None), None, "its id may not have been readable");
        assert_eq!(place(&[offline, dir(B, 0)], Uuid::UNASSIGNED_DIR, None), Some(1));
        assert_eq!(place(&[dir(A, 1), dir(B, 0)], GONE, None), Some(1), "its disk was replaced");
    }
}
