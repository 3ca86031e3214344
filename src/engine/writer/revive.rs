//! What the writer does about a store that does not work.
//!
//! A checkpoint or a write that failed is the end of DuckDB's instance, as DuckDB sees it, and not of the log: what is
//! acknowledged is in the journal or in the write-ahead log. So the instance is given up and the file opened anew, again
//! and again until that works.

use super::Writer;
use crate::engine::error::Error;
use crate::store::{self, Place, Store};
use std::fmt::Display;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a file is read to its end, at most, to see whether it is damaged.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

impl Writer<'_> {
    /// The error is why the store is closed.
    pub(super) fn is_open(&self) -> Result<(), Error> {
        match &self.failures.closed {
            Some((reason, _)) => Err(Error::Closed {
                reason: reason.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Opens a store anew that did not answer any more after this error.
    pub(super) fn look_after_store(&mut self, error: &dyn Display) {
        if self.failures.closed.is_none() && !self.store.is_alive() {
            self.open_anew(error);
        }
    }

    /// Tries a store again that is closed, and sees to it that what is written is the file of that name.
    pub(super) fn look_after_file(&mut self) {
        match &self.failures.closed {
            Some((_, retry_at)) if Instant::now() < *retry_at => {}
            Some((reason, _)) => self.open_anew(&reason.clone()),
            None if !self.store.is_in_place() => self.begin_again(),
            None => {}
        }
    }

    pub(super) fn open_anew(&mut self, error: &dyn Display) {
        let place = self.store.place().clone();
        self.shared.close_reader(&error.to_string());
        self.store.let_go();
        match store::reopen(&place) {
            Ok((store, note)) => {
                let note = note.unwrap_or_else(|| match place {
                    Place::File(_) => "the log was opened anew".into(),
                    Place::Memory => "the log in memory is gone, and a fresh one was begun".into(),
                });
                self.shared.note(format!("{note} ({error})"));
                self.go_on_with(store);
            }
            Err(reason) => self.stay_closed(&reason),
        }
    }

    pub(super) fn stay_closed(&mut self, reason: &dyn Display) {
        let reason = format!("the log cannot be opened again yet: {reason}");
        self.shared.note(reason.clone());
        self.shared.close_reader(&reason);
        self.shared.queue.failed(Vec::new(), &reason);
        self.failures.close(reason);
    }

    /// Puts a store that was opened anew in the place of the one before.
    pub(super) fn go_on_with(&mut self, store: Store) {
        self.store = store;
        if let Some(log) = self.store.place().path() {
            self.shared.keep_private(log);
        }
        let taken = self.numbered().map_err(Error::from).and_then(|next_seq| {
            self.totals.failed();
            self.shared.metrics.registry.set_unsaved();
            self.spools = None;
            Ok(self.shared.queue.reopened(next_seq)?)
        });
        match taken {
            Ok(()) => {
                self.failures.clear();
                self.shared.reopened(&self.store);
            }
            Err(error) => self.stay_closed(&error),
        }
    }

    /// Where the store goes on. One that begins anew does not give out what the one before has.
    fn numbered(&mut self) -> Result<u64, store::Error> {
        let next_seq = self.store.next_seq()?;
        if next_seq > 1 {
            return Ok(next_seq);
        }
        let committed_seq = self.shared.queue.committed_seq();
        self.store.put_next_seq(committed_seq)?;
        let set = self.shared.settings().stored();
        self.unstored
            .extend(set.into_iter().map(|(name, value)| (name, Some(value))));
        Ok(committed_seq)
    }

    /// The file that is written has another name now, or none: a fresh log is begun where it should be.
    fn begin_again(&mut self) {
        let Some(path) = self.store.place().path().map(Path::to_path_buf) else {
            return;
        };
        // So that what waits in its write-ahead log, which has kept its name, goes along.
        let _ = self.store.checkpoint();
        let mut error = format!(
            "{} was removed or replaced while it was in use: what had been committed went with it",
            path.display()
        );
        match store::make_way(&path) {
            Ok(None) => {}
            Ok(Some(aside)) => {
                error += &format!("; what stood there is now {}", aside.display());
            }
            Err(reason) => {
                self.shared.note(error);
                return self.stay_closed(&reason);
            }
        }
        self.shared.note_trouble(&error);
        self.open_anew(&error);
    }

    /// Looks whether the log's file is damaged, and saves what can be read if it is; says whether that was so.
    pub(super) fn mend(&mut self) -> bool {
        let lately = self
            .failures
            .looked_at
            .is_some_and(|at| at.elapsed() < LOOK_INTERVAL);
        if lately || self.is_open().is_err() || !self.store.is_alive() {
            return false;
        }
        self.failures.looked_at = Some(Instant::now());
        let Some(path) = self.store.place().path().map(Path::to_path_buf) else {
            return false;
        };
        if !self.store.is_damaged() {
            return false;
        }
        self.shared.close_reader("the log is being saved");
        self.store.let_go();
        match store::mend(&path) {
            Ok((store, note)) => {
                self.shared.note_trouble(&note);
                self.shared.note(note);
                self.go_on_with(store);
                true
            }
            Err(error) => {
                self.stay_closed(&error);
                false
            }
        }
    }
}
