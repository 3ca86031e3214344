//! oplog's own figures: one counter each, read by `oplog_status()` and by the exposition alike.

use prometheus::{Error, IntCounter, IntGauge, IntGaugeVec, Opts, Registry};

pub struct Figures {
    /// Operations that were not recorded because something in them was wrong.
    pub rejected: IntCounter,
    pub commits: IntCounter,
    pub commit_errors: IntCounter,
    pub purged: IntCounter,
    /// Operations counted under the label value `other`.
    pub folded: IntCounter,
    /// Spans that nobody finished, recorded as interrupted.
    pub interrupted: IntCounter,
    pub active_spans: IntGauge,
    pub pending_operations: IntGauge,
    pub pending_bytes: IntGauge,
}

impl Figures {
    pub fn register(registry: &Registry) -> Result<Self, Error> {
        let counter = |name: &str, help: &str| -> Result<IntCounter, Error> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let gauge = |name: &str, help: &str| -> Result<IntGauge, Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let build_info = IntGaugeVec::new(
            Opts::new("oplog_build_info", "The version of oplog; always 1."),
            &["version"],
        )?;
        build_info
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        registry.register(Box::new(build_info))?;
        Ok(Self {
            rejected: counter(
                "oplog_rejected_operations_total",
                "Operations that were not recorded because they were invalid.",
            )?,
            commits: counter("oplog_commits_total", "Commits to the log.")?,
            commit_errors: counter(
                "oplog_commit_errors_total",
                "Commits to the log that failed and were tried again.",
            )?,
            purged: counter(
                "oplog_purged_operations_total",
                "Operations that retention deleted.",
            )?,
            folded: counter(
                "oplog_folded_operations_total",
                "Operations counted under the label value other, beyond oplog_max_series.",
            )?,
            interrupted: counter(
                "oplog_interrupted_operations_total",
                "Spans that nobody finished, recorded as interrupted.",
            )?,
            active_spans: gauge("oplog_active_spans", "Spans that are running.")?,
            pending_operations: gauge(
                "oplog_pending_operations",
                "Operations accepted but not yet committed to the log.",
            )?,
            pending_bytes: gauge(
                "oplog_pending_bytes",
                "Memory that operations take until they are committed.",
            )?,
        })
    }
}
