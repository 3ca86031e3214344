//! Metrics: what is counted as operations are accepted, what services publish through SQL, and oplog's own, in
//! one registry per engine.
//!
//! Pure: it sees batches and renders text. The labels of what oplog counts are commands, statuses, projects and error
//! codes, never SQL text, ids or messages, and the number of label sets is limited for every metric.
//!
//! The registry is our own: to gather and encode 10,000 series takes the `prometheus` crate more than twenty times as long,
//! it has no OpenMetrics, and its totals cannot be restored.

#[cfg(test)]
mod against_crate;
mod family;
mod names;
mod number;
mod operations;
mod process;
#[cfg(test)]
mod prometheus_oracle;
mod registry;
mod render;
mod rows;
mod samples;
mod self_metrics;
mod series;
mod totals;
mod updates;

pub use family::{pack, Kind, REGISTRY_BYTES_MAX};
pub use names::is_metric_name;
pub use operations::Rules;
pub use process::MACHINE_MEMORY;
pub use registry::{Registry, StoredFamily, METRICS_MAX};
pub use render::{Exposition, Format};
pub use rows::Row;
pub use samples::{Sample, Samples};
#[cfg(test)]
pub use self_metrics::Declaration;
pub use self_metrics::{Number, SelfMetrics, ServeMetrics};
pub use series::Stage;
pub use totals::{assemble, part, Changes, FamilyRow, Totals, ValueRow};
pub use updates::Updates;

use crate::record::{Batch, Pending, Stamp};
use operations::OperationMetrics;
use process::ProcessMetrics;
use std::path::Path;

pub struct Metrics {
    pub registry: Registry,
    operations: OperationMetrics,
    process: ProcessMetrics,
    pub own: SelfMetrics,
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::default();
        Self {
            operations: OperationMetrics::register(&registry),
            process: ProcessMetrics::register(&registry),
            own: SelfMetrics::register(&registry),
            registry,
        }
    }
}

impl Metrics {
    /// Counts accepted operations.
    pub fn count(&self, batch: &Batch, stamp: &Stamp, rules: &Rules) {
        let overflowed = self.operations.count(batch, stamp, Stage::Live, rules);
        if overflowed > 0 {
            self.own.engine.overflowed.inc_by(overflowed);
        }
        let at_seconds = stamp.recorded_at_us as f64 / 1e6;
        self.own.engine.last_operation_seconds.set(at_seconds);
    }

    /// Counts operations that are about to be committed, once each and in the order of the log. Those below
    /// `recovered_seq` were accepted by a process that is gone, and are counted here only.
    pub fn count_committed(&self, batches: &[Pending], recovered_seq: u64, rules: &Rules) {
        for (stamp, batch) in batches {
            if stamp.first_seq < recovered_seq {
                self.operations.count(batch, stamp, Stage::Live, rules);
            }
            self.operations.count(batch, stamp, Stage::Committed, rules);
        }
    }

    /// Adds totals that were stored.
    pub fn restore(&self, stored: &[StoredFamily]) {
        self.registry.restore(stored);
        let began_us = self.operations.began_us();
        let began_us = began_us.unwrap_or_else(crate::system::clock::now_us);
        self.own
            .engine
            .totals_began_seconds
            .set(began_us as f64 / 1e6);
    }

    /// Measures what is measured on demand: the process, and database files under a label each.
    pub fn measure(&self, databases: &[(&str, &Path)]) {
        self.process.measure(databases);
    }

    /// All metrics and what else is given, in either format.
    pub fn render(&self, format: Format, samples: &Samples) -> String {
        let mut exposition = Exposition::new(format);
        exposition.registry(&self.registry);
        samples.render(&mut exposition);
        exposition.finish()
    }
}
