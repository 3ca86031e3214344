//! Committing what waits: all of it, or what can be.

use super::Writer;
use crate::engine::error::Error;
use crate::record::Pending;
use crate::store::{self, Place, SettingChange};
use std::time::Instant;

impl Writer<'_> {
    /// Commits everything that has been accepted by now, whatever comes meanwhile.
    pub(super) fn commit_all(&mut self) -> Result<(), Error> {
        let target = self.shared.queue.next_seq();
        while self.shared.queue.committed_seq() < target {
            self.try_commit()?;
        }
        Ok(())
    }

    /// Commits some of what waits, and says whether that failed.
    pub(super) fn try_commit(&mut self) -> Result<(), Error> {
        let errors = self.shared.metrics.own.engine.commit_errors.get();
        self.commit();
        self.is_open()?;
        if self.shared.metrics.own.engine.commit_errors.get() > errors {
            return Err(Error::NotCommitted);
        }
        Ok(())
    }

    pub(super) fn commit(&mut self) {
        self.look_after_file();
        if let Err(error) = self.is_open() {
            // Whoever waits for it is told now.
            self.shared.queue.failed(Vec::new(), &error.to_string());
            return;
        }
        let mut batches = match self.shared.queue.take() {
            Ok(batches) => batches,
            Err(error) => {
                self.shared.metrics.own.engine.commit_errors.inc();
                return self.keep(Vec::new(), &format!("the journal cannot be read: {error}"));
            }
        };
        if self.failures.is_suspicious() && batches.len() > 1 {
            // One at a time, to tell which of them it is.
            let rest = batches.split_off(1);
            self.shared.queue.put_back(rest);
        }
        let settings: Vec<SettingChange> = self
            .unstored
            .iter()
            .map(|(name, value)| (*name, value.clone()))
            .collect();
        let unsaved = self.shared.metrics.registry.take_unsaved();
        self.totals_at = None;
        if batches.is_empty() && settings.is_empty() && !unsaved {
            return;
        }
        let metrics = &self.shared.metrics;
        let uncounted = batches.partition_point(|(stamp, _)| stamp.first_seq < self.counted_seq);
        let (rules, recovered_seq) = (self.shared.rules(), self.shared.queue.recovered_seq());
        metrics.count_committed(&batches[uncounted..], recovered_seq, &rules);
        if let Some((stamp, batch)) = batches.last() {
            // A batch that is tried alone after it has failed with others was counted with them.
            self.counted_seq = self.counted_seq.max(stamp.first_seq + batch.rows() as u64);
        }
        let totals = self.totals.changes(&metrics.registry);
        let (started, wal_bytes) = (Instant::now(), self.store.wal_bytes());
        match self.store.commit(&batches, &settings, &totals) {
            Ok(()) => {
                metrics.own.committed(started.elapsed());
                self.unstored.clear();
                self.failures.clear();
                self.grow(&batches);
                self.shared.queue.committed(batches);
            }
            Err(error) => self.commit_failed(batches, &error.to_string(), wal_bytes),
        }
    }

    fn commit_failed(&mut self, batches: Vec<Pending>, error: &str, wal_bytes: u64) {
        self.shared.metrics.own.engine.commit_errors.inc();
        self.totals.failed();
        self.shared.metrics.registry.set_unsaved();
        let is_culprit = self.failures.note(&batches);
        self.keep(batches, error);
        if self.store.wal_bytes() == wal_bytes {
            self.look_after_store(&error);
        } else {
            // DuckDB 2 could not cut off what it had written, and would write behind it what nobody could read back.
            self.open_anew(&error);
        }
        if self.is_open().is_err() {
            return;
        }
        if *self.store.place() == Place::Memory {
            // As a rule it is for want of memory.
            self.make_room();
        }
        if is_culprit {
            self.set_aside();
        }
    }

    /// Notes what a log in memory has grown by, and lets the oldest go if it has become too large: it does not wait for
    /// the next run of retention, until when a burst could take all that its instance has.
    fn grow(&mut self, batches: &[Pending]) {
        if *self.store.place() != Place::Memory {
            return;
        }
        let now_us = crate::system::clock::now_us();
        let policy = self.shared.policy(now_us);
        let rows = batches.iter().map(|(_, batch)| batch.rows()).sum();
        let bytes = batches.iter().map(|(_, batch)| batch.bytes()).sum();
        let purged = self.store.grow(rows, bytes, &policy, now_us);
        self.count_purged(purged);
    }

    fn make_room(&mut self) {
        let purged = self.store.make_room(crate::system::clock::now_us());
        self.count_purged(purged);
    }

    fn count_purged(&self, purged: Result<u64, store::Error>) {
        match purged {
            Ok(rows) => self.shared.metrics.own.engine.purged.inc_by(rows),
            Err(error) => self
                .shared
                .note(format!("the log in memory cannot be made smaller: {error}")),
        }
    }

    /// Keeps what could not be committed for the next try.
    fn keep(&mut self, batches: Vec<Pending>, error: &str) {
        self.shared.note(format!("a commit failed: {error}"));
        self.shared.queue.failed(batches, error);
    }
}
