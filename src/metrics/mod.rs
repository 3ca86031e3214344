//! Metrics: what is counted as operations are accepted, and oplog's own figures, in one registry per engine.
//!
//! Pure: it sees batches and renders text. Label values are commands, statuses and projects only, never SQL text, ids
//! or messages, and their number is limited.

mod figures;
mod operations;

pub use figures::Figures;

use crate::record::Batch;
use operations::OperationMetrics;
use prometheus::{Registry, TextEncoder};

pub struct Metrics {
    registry: Registry,
    operations: OperationMetrics,
    pub figures: Figures,
}

impl Metrics {
    pub fn new() -> Result<Self, String> {
        let registry = Registry::new();
        let build = |error: prometheus::Error| format!("metrics: {error}");
        Ok(Self {
            operations: OperationMetrics::register(&registry).map_err(build)?,
            figures: Figures::register(&registry).map_err(build)?,
            registry,
        })
    }

    /// Counts accepted operations. A metric has at most `max_series` label sets.
    pub fn count(&self, batch: &Batch, max_series: usize) {
        let folded = self.operations.count(batch, max_series);
        if folded > 0 {
            self.figures.folded.inc_by(folded);
        }
    }

    /// The registry in Prometheus text format 0.0.4.
    pub fn render(&self) -> Result<String, String> {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .map_err(|error| format!("metrics: {error}"))
    }
}
