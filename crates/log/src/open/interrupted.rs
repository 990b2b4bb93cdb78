//! What an operation left that was interrupted: files that were to be removed, segments that the cleaner was putting in
//! the place of others.

use ottla_protocol::Offset;

use super::Opening;
use crate::disk::OpenMode;
use crate::error::LogError;
use crate::names::{self, Kind};
use crate::scan::end_of_file;

impl Opening<'_> {
    /// Removes what was to be removed, and completes or undoes what the cleaner was doing: files that it wrote are
    /// removed unless all of them were written, which the ending `.swap` says; then they take the place of those they
    /// were made from. Gives the names of the files that are there then.
    pub(super) fn finish_interrupted(&mut self) -> Result<Vec<String>, LogError> {
        let names = self.list()?;
        let is_interrupted = |name: &String| {
            [names::DELETED, names::CLEANED, names::SWAP].iter().any(|ending| name.ends_with(ending))
        };
        if !names.iter().any(is_interrupted) {
            return Ok(names);
        }
        let mut swaps = Vec::new();
        let mut first_cleaned = Offset(i64::MAX);
        for name in &names {
            let ending = names::split(name);
            if name.ends_with(names::DELETED) && !name.ends_with(names::CHECKPOINT_DELETED) {
                self.remove(name)?;
            } else if let Some((offset, ending)) = ending
                && ending.ends_with(names::CLEANED)
            {
                first_cleaned = first_cleaned.min(offset);
                self.remove(name)?;
            } else if let Some((offset, ending)) = ending
                && ending.ends_with(names::SWAP)
            {
                swaps.push((offset, name.clone()));
            }
        }
        // Made together with files that were not complete yet.
        let (incomplete, complete): (Vec<_>, Vec<_>) =
            swaps.into_iter().partition(|(offset, _)| *offset >= first_cleaned);
        for (_, name) in incomplete {
            self.remove(&name)?;
        }
        self.swap_in(complete)?;
        // A killed process has renamed files and not synced their names: what it took away must not come back, with the
        // next power failure, behind what is appended from now on.
        if !self.options.was_clean {
            let dir = &self.options.dir;
            self.context.disk().sync_dir(dir).map_err(self.dir.io("sync", dir))?;
        }
        self.list()
    }

    fn swap_in(&mut self, swaps: Vec<(Offset, String)>) -> Result<(), LogError> {
        let log_swap = format!("{}{}", Kind::Log.suffix(), names::SWAP);
        let mut replaced = Offset(i64::MAX)..Offset(i64::MIN);
        for (offset, name) in swaps.iter().filter(|(_, name)| name.ends_with(&log_swap)) {
            replaced.start = replaced.start.min(*offset);
            replaced.end = replaced.end.max(self.end_of_swap(*offset, name)?);
        }
        for name in self.list()? {
            let is_of_segment =
                names::split(&name).filter(|(_, ending)| Kind::ALL.iter().any(|k| k.suffix() == *ending));
            if is_of_segment.is_some_and(|(offset, _)| replaced.contains(&offset)) {
                self.remove(&name)?;
            }
        }
        for (_, name) in swaps {
            let from = self.options.dir.join(&name);
            let to = self.options.dir.join(name.trim_end_matches(names::SWAP));
            self.context.disk().rename(&from, &to).map_err(self.dir.io("rename", &from))?;
            self.report.completed_swaps.push(to);
        }
        Ok(())
    }

    /// The offset after the last batch of a file that is about to become a segment's.
    fn end_of_swap(&self, base_offset: Offset, name: &str) -> Result<Offset, LogError> {
        let path = self.options.dir.join(name);
        let file = self.context.disk().open(&path, OpenMode::Read);
        file.and_then(|file| end_of_file(file, base_offset)).map_err(self.dir.io("read", &path))
    }
}
