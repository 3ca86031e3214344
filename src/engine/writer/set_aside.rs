//! Records that the store does not take, whatever is tried: they go into a file of their own, and nothing waits for them.

use super::Writer;
use crate::engine::error::Error;
use crate::files::FileError;
use crate::journal;
use crate::metrics::Changes;
use crate::record::{part, Pending};
use crate::store;
use std::path::{Path, PathBuf};

impl Writer<'_> {
    /// Commits what can be of the batch that waits first, and sets the rest aside, row by row.
    pub(super) fn set_aside(&mut self) {
        let Ok(mut batches) = self.shared.queue.take() else {
            return;
        };
        let rest = batches.split_off(batches.len().min(1));
        self.shared.queue.put_back(rest);
        let Some((stamp, batch)) = batches.pop() else {
            return;
        };
        let pending = (stamp, batch);
        match self.without_culprits(&pending) {
            Ok(()) => {
                self.failures.clear();
                self.shared.queue.committed(vec![pending]);
            }
            Err(error) => self.shared.queue.failed(vec![pending], &error.to_string()),
        }
    }

    /// Commits a batch but for the rows that the store does not take, where it takes others and the disk does too.
    fn without_culprits(&mut self, pending: &Pending) -> Result<(), Error> {
        // A disk that has room for the whole batch is not why a row of it fails.
        let whole = self.write_aside(std::slice::from_ref(pending))?;
        let divided = self.divide(pending);
        let dropped = whole.map_or(Ok(()), |file| {
            std::fs::remove_file(&file).map_err(FileError::of("delete", file))
        });
        let aside = divided?;
        dropped?;
        let file = self.write_aside(&aside)?;
        let end = pending.0.first_seq + pending.1.rows() as u64;
        self.store.put_next_seq(end).inspect_err(|_| {
            if let Some(file) = &file {
                // It will be written again.
                let _ = std::fs::remove_file(file);
            }
        })?;
        self.say_set_aside(&aside, file.as_deref());
        Ok(())
    }

    /// Commits a batch in halves, down to single rows; returns those that fail alone.
    fn divide(&mut self, pending: &Pending) -> Result<Vec<Pending>, store::Error> {
        let whole = std::slice::from_ref(pending);
        if self.store.commit(whole, &[], &Changes::default()).is_ok() {
            return Ok(Vec::new());
        }
        let (stamp, batch) = pending;
        // If the store takes nothing else either, it is not the row.
        self.store.put_next_seq(stamp.first_seq)?;
        let rows = batch.rows();
        if rows == 1 {
            return Ok(whole.to_vec());
        }
        let mut aside = Vec::new();
        for half in [0..rows / 2, rows / 2..rows] {
            aside.extend(self.divide(&part(pending, half))?);
        }
        Ok(aside)
    }

    /// The file that they are in now; none where there is nothing to write, or nowhere.
    fn write_aside(&self, aside: &[Pending]) -> Result<Option<PathBuf>, FileError> {
        match self.store.place().path() {
            Some(log) if !aside.is_empty() => journal::write_aside(log, aside).map(Some),
            _ => Ok(None),
        }
    }

    fn say_set_aside(&self, aside: &[Pending], file: Option<&Path>) {
        let Some((first, _)) = aside.first() else {
            return;
        };
        let where_to = file.map_or("lost".to_owned(), |file| {
            format!("kept in {}", file.display())
        });
        let said = format!(
            "{} operations from seq {} on cannot be stored, and are {where_to}",
            aside.len(),
            first.first_seq
        );
        self.shared.note(said.clone());
        self.shared.note_set_aside(said);
        self.shared
            .metrics
            .own
            .engine
            .set_aside
            .inc_by(aside.len() as u64);
    }
}
