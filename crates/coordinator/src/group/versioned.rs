//! A value as the log has it, and what the writes under way would make of it.

use super::WriteId;

/// A value with its committed version and the versions of writes whose outcome is not known yet.
///
/// ```text
/// committed ── write 7 ── write 9
///     │                      └─ written: what the next request builds on
///     └─ committed: what readers see
/// ```
#[derive(Debug)]
pub(super) struct Versioned<T> {
    committed: Option<T>,
    /// Oldest first; `None` is a deletion.
    pending: Vec<(WriteId, Option<T>)>,
}

impl<T> Versioned<T> {
    /// A value that is not there yet.
    pub(super) fn absent() -> Self {
        Versioned { committed: None, pending: Vec::new() }
    }

    /// A value of the log.
    pub(super) fn of_log(value: T) -> Self {
        Versioned { committed: Some(value), pending: Vec::new() }
    }

    pub(super) fn committed(&self) -> Option<&T> {
        self.committed.as_ref()
    }

    pub(super) fn written(&self) -> Option<&T> {
        match self.pending.last() {
            Some((_, value)) => value.as_ref(),
            None => self.committed.as_ref(),
        }
    }

    pub(super) fn written_mut(&mut self) -> Option<&mut T> {
        match self.pending.last_mut() {
            Some((_, value)) => value.as_mut(),
            None => self.committed.as_mut(),
        }
    }

    /// Takes a new version that becomes committed with `write`.
    pub(super) fn write(&mut self, write: WriteId, value: Option<T>) {
        if let Some((last, old)) = self.pending.last_mut()
            && *last == write
        {
            *old = value;
            return;
        }
        self.pending.push((write, value));
    }

    /// The write is committed: its version is what the log says.
    pub(super) fn commit(&mut self, write: WriteId) {
        if let Some(at) = self.pending.iter().position(|(id, _)| *id == write) {
            self.committed = self.pending.drain(..=at).next_back().and_then(|(_, value)| value);
        }
    }

    /// The write failed: its version never was. Gives the value that it would have been.
    pub(super) fn roll_back(&mut self, write: WriteId) -> Option<T> {
        let at = self.pending.iter().position(|(id, _)| *id == write)?;
        self.pending.remove(at).1
    }

    /// Whether nothing is left, committed or written.
    pub(super) fn is_gone(&self) -> bool {
        self.committed.is_none() && self.pending.is_empty()
    }

    /// The writes that have a version here, oldest first.
    pub(super) fn writes(&self) -> impl Iterator<Item = WriteId> {
        self.pending.iter().map(|(write, _)| *write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &Versioned<&str>, committed: Option<&str>, written: Option<&str>) {
        assert_eq!((value.committed().copied(), value.written().copied()), (committed, written));
    }

    #[test]
    fn readers_see_a_version_once_it_is_committed() {
        let mut value = Versioned::of_log("a");
        value.write(WriteId(1), Some("b"));
        value.write(WriteId(2), None);
        check(&value, Some("a"), None);
        value.commit(WriteId(1));
        check(&value, Some("b"), None);
        value.commit(WriteId(2));
        check(&value, None, None);
        assert!(value.is_gone());
    }

    #[test]
    fn a_failed_write_leaves_what_was_before_and_what_came_after() {
        let mut value = Versioned::absent();
        value.write(WriteId(1), Some("a"));
        value.write(WriteId(2), Some("b"));
        value.roll_back(WriteId(1));
        check(&value, None, Some("b"));
        value.roll_back(WriteId(2));
        assert!(value.is_gone());
    }

    #[test]
    fn the_last_version_of_one_write_counts() {
        let mut value = Versioned::absent();
        value.write(WriteId(1), Some("a"));
        value.write(WriteId(1), Some("b"));
        value.commit(WriteId(1));
        check(&value, Some("b"), Some("b"));
    }
}
