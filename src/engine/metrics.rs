//! Metrics: how operations are counted, what services publish, and what is measured when somebody asks.

use super::command::Command;
use super::engine::Engine;
use super::error::Error;
use super::rules::rules;
use super::shared::Shared;
use crate::locks::read;
use crate::metrics::{Metrics, Registry, Rules, Updates};
use crate::record::{Batch, Stamp};
use std::path::Path;

/// What the label `database` says of the databases that share a log, and of the log.
pub(super) const HOST: &str = "host";
pub(super) const LOG: &str = "log";

impl Shared {
    /// Counts operations that come from a spool.
    pub fn count(&self, batch: &Batch, stamp: &Stamp) {
        self.metrics.count(batch, stamp, &self.rules());
    }

    /// How operations are counted.
    pub fn rules(&self) -> Rules {
        rules(&read(&self.settings))
    }

    /// All metrics, with the figures that are measured when they are asked for.
    pub fn metrics(&self) -> &Metrics {
        let queue = self.queue.figures();
        let figures = &self.metrics.own.engine;
        figures.recorded.set(queue.next_seq - 1);
        figures.pending_operations.set(queue.operations as f64);
        figures.pending_bytes.set(queue.bytes as f64);
        figures.journal_bytes.set(queue.journal_bytes as f64);
        let waiting = self.queue.health().waiting.unwrap_or_default();
        figures.commit_lag_seconds.set(waiting.as_secs_f64());
        let lost = self.lost_operations(&read(&self.log).recovery);
        figures.lost.set(lost);
        let bytes = self.metrics.registry.bytes();
        figures.metrics_bytes.set(bytes as f64);
        let spans = self.spans.figures();
        figures.active_spans.set(spans.running as f64);
        let place = read(&self.log).place.clone();
        // Hosts that share a log share its metrics; the first one stands for them.
        let hosts = self.sampler.hosts();
        let host = hosts.first().map(|path| (HOST, path.as_path()));
        let log = place.path().map(|path| (LOG, path));
        let databases: Vec<(&str, &Path)> = host.into_iter().chain(log).collect();
        self.metrics.measure(&databases);
        &self.metrics
    }
}

impl Engine {
    /// Counts values of a service's metrics that were refused.
    pub fn count_rejected_updates(&self, updates: u64) {
        self.shared
            .metrics
            .own
            .engine
            .rejected_updates
            .inc_by(updates);
    }

    pub fn registry(&self) -> &Registry {
        &self.shared.metrics.registry
    }

    /// Changes a service's metrics.
    pub fn publish(&self, updates: &mut Updates) {
        let max_series = read(&self.shared.settings).max_series();
        let metrics = &self.shared.metrics;
        let overflowed = updates.apply(max_series);
        metrics.own.engine.overflowed_updates.inc_by(overflowed);
        let mut unsaved = false;
        for family in updates.families() {
            unsaved |= metrics.registry.touched(family);
        }
        if unsaved {
            self.shared.queue.nudge();
        }
    }

    pub fn metrics(&self) -> &Metrics {
        self.shared.metrics()
    }

    /// Has a metric sampled each minute.
    pub fn keep_history(&self, name: &str) -> Result<(), Error> {
        self.ask(|reply| Command::KeepHistory(name.to_owned(), reply))?
    }

    /// Samples it no longer; how many samples of it are gone, none where it was not named.
    pub fn drop_history(&self, name: &str) -> Result<Option<u64>, Error> {
        self.ask(|reply| Command::DropHistory(name.to_owned(), reply))?
    }
}
