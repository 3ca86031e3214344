//! oplog's own figures: read by `oplog_status()` and by the exposition alike.

use super::family::{Family, Kind, Owner};
use super::series::{Series, Stage};
use super::Registry;
use std::sync::Arc;
use std::time::Duration;

/// Upper bounds in seconds of what a commit takes.
const COMMIT_BOUNDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// A figure without labels.
pub struct Figure(Arc<Series>);

impl Figure {
    fn of(family: &Family) -> Self {
        Self(family.find(std::iter::empty(), 1).series)
    }

    pub fn inc(&self) {
        self.inc_by(1);
    }

    pub fn inc_by(&self, count: u64) {
        self.0.add(Stage::Live, count as f64);
    }

    pub fn set(&self, value: f64) {
        self.0.set(value);
    }

    pub fn get(&self) -> u64 {
        self.0.value(Stage::Live) as u64
    }
}

pub struct Figures {
    /// Operations that were not recorded because something in them was wrong.
    pub rejected: Figure,
    pub commits: Figure,
    pub commit_errors: Figure,
    pub purged: Figure,
    pub lost: Figure,
    /// Operations that the store does not take, in a file of their own.
    pub set_aside: Figure,
    /// Operations counted under the label value `other`.
    pub folded: Figure,
    /// Values of a service's own metrics that went to the label value `other`.
    pub folded_updates: Figure,
    /// Values of a service's own metrics that were not taken because something in them was wrong.
    pub rejected_updates: Figure,
    /// Spans that nobody finished, recorded as interrupted.
    pub interrupted: Figure,
    pub active_spans: Figure,
    pub pending_operations: Figure,
    pub pending_bytes: Figure,
    pub commit_lag_seconds: Figure,
    pub journal_bytes: Figure,
    pub metrics_bytes: Figure,
    pub last_operation_seconds: Figure,
    /// When the totals of operations began.
    pub totals_began_seconds: Figure,
    pub retention_at_seconds: Figure,
    commit_duration: Arc<Family>,
}

impl Figures {
    pub fn register(registry: &Registry) -> Self {
        let own = |kind, name: &str, help: &str| {
            Figure::of(&registry.own(Owner::Engine, kind, name, help, &[], &[]))
        };
        let counter = |name: &str, help: &str| own(Kind::Counter, name, help);
        let gauge = |name: &str, help: &str| own(Kind::Gauge, name, help);
        let build_info = registry.own(
            Owner::Engine,
            Kind::Gauge,
            "oplog_build_info",
            "The version of oplog; always 1.",
            &["version"],
            &[],
        );
        let version = [env!("CARGO_PKG_VERSION")].into_iter();
        build_info.find(version, 1).series.set(1.0);
        let commit_duration = registry.own(
            Owner::Engine,
            Kind::Histogram,
            "oplog_commit_duration_seconds",
            "How long commits to the log took.",
            &[],
            &COMMIT_BOUNDS,
        );
        // It has its series from the start, and not only once something was committed.
        commit_duration.find(std::iter::empty(), 1);
        Self {
            rejected: counter(
                "oplog_rejected_operations_total",
                "Operations that were not recorded because they were invalid.",
            ),
            commits: counter("oplog_commits_total", "Commits to the log."),
            commit_errors: counter(
                "oplog_commit_errors_total",
                "Commits to the log that failed and were tried again.",
            ),
            purged: counter(
                "oplog_purged_operations_total",
                "Operations that retention deleted.",
            ),
            lost: counter(
                "oplog_lost_operations_total",
                "Operations that were recorded and cannot be read, because the journal was damaged.",
            ),
            set_aside: counter(
                "oplog_set_aside_operations_total",
                "Operations that could not be stored, kept in a file of their own.",
            ),
            folded: counter(
                "oplog_folded_operations_total",
                "Operations counted under the label value other, beyond oplog_max_series.",
            ),
            folded_updates: counter(
                "oplog_folded_metric_updates_total",
                "Values of a service's metrics under the label value other, beyond oplog_max_series.",
            ),
            rejected_updates: counter(
                "oplog_rejected_metric_updates_total",
                "Values of a service's metrics that were not taken because they were invalid.",
            ),
            interrupted: counter(
                "oplog_interrupted_operations_total",
                "Spans that nobody finished, recorded as interrupted.",
            ),
            active_spans: gauge("oplog_active_spans", "Spans that are running."),
            pending_operations: gauge(
                "oplog_pending_operations",
                "Operations accepted but not yet committed to the log.",
            ),
            pending_bytes: gauge(
                "oplog_pending_bytes",
                "Memory that operations take until they are committed.",
            ),
            commit_lag_seconds: gauge(
                "oplog_commit_lag_seconds",
                "How long the oldest operation in memory has waited to be committed.",
            ),
            journal_bytes: gauge(
                "oplog_journal_bytes",
                "What the journal takes beside the log.",
            ),
            metrics_bytes: gauge("oplog_metrics_bytes", "Memory that all metrics take."),
            last_operation_seconds: gauge(
                "oplog_last_operation_timestamp_seconds",
                "When this process last recorded an operation, in seconds since 1970.",
            ),
            totals_began_seconds: gauge(
                "oplog_totals_created_timestamp_seconds",
                "When the log's totals began to count, in seconds since 1970.",
            ),
            retention_at_seconds: gauge(
                "oplog_retention_timestamp_seconds",
                "When retention last ran in this process, in seconds since 1970.",
            ),
            commit_duration,
        }
    }

    pub fn committed(&self, took: Duration) {
        self.commits.inc();
        let found = self.commit_duration.find(std::iter::empty(), 1);
        found
            .series
            .observe(Stage::Live, &COMMIT_BOUNDS, &[took.as_secs_f64()], None);
    }
}
