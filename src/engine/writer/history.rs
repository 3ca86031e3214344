//! Samples of metrics: one a minute, and one at the end of a process that has recorded something.

use super::sampling::HISTORY_INTERVAL;
use super::Writer;
use crate::store;
use std::time::Instant;

impl Writer<'_> {
    /// Stores a sample when it is time.
    pub(super) fn keep_history(&mut self) {
        if Instant::now() < self.history_at {
            return;
        }
        self.history_at = Instant::now() + HISTORY_INTERVAL;
        if self.is_open().is_err() {
            return;
        }
        if let Err(error) = self.sample_metrics() {
            self.shared
                .note(format!("samples of metrics cannot be stored: {error}"));
            self.look_after_store(&error);
        }
    }

    fn sample_metrics(&mut self) -> Result<(), store::Error> {
        let names = self.store.history_names()?;
        let metrics = self.shared.metrics();
        let at_us = crate::system::clock::now_us();
        let looked = self.recorder.look(&metrics.registry, &names, at_us);
        self.sampled_seq = self.shared.queue.committed_seq();
        if looked.entries.is_empty() {
            return Ok(());
        }
        let own = &metrics.own.engine;
        own.history_series.set(looked.entries.len() as f64);
        own.history_left_out.set(looked.left_out as f64);
        self.store.put_history(at_us, &looked.entries)
    }

    /// Has what a process did that did not last until its next sample, as jobs do that run for some seconds a day.
    pub(super) fn sample_at_end(&mut self) {
        let has_recorded = self.shared.queue.committed_seq() != self.sampled_seq;
        if has_recorded && self.is_open().is_ok() && self.store.place().path().is_some() {
            if let Err(error) = self.sample_metrics() {
                self.shared
                    .note(format!("samples of metrics cannot be stored: {error}"));
            }
        }
    }
}
