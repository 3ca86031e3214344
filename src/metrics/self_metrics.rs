//! oplog's own metrics, each declared once: what a scrape, `oplog_status()` and docs/metrics.md say of it comes from here.

use super::family::{Family, Kind, Owner};
use super::series::{Series, Stage};
use super::Registry;
use std::sync::Arc;
use std::time::Duration;

/// Upper bounds in seconds of what a commit takes.
const COMMIT_BOUNDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// What a metric is called, and what it says.
#[derive(Clone, Copy, Debug)]
pub struct Declaration {
    pub name: &'static str,
    pub kind: Kind,
    /// What it counts.
    pub unit: &'static str,
    /// A sentence without its full stop.
    pub help: &'static str,
}

impl Declaration {
    /// Its name in `oplog_status()`.
    pub fn status_name(&self) -> &'static str {
        let name = self.name.strip_prefix("oplog_").unwrap_or(self.name);
        name.strip_suffix("_total").unwrap_or(name)
    }

    fn register(&self, registry: &Registry, bounds: &[f64]) -> Arc<Family> {
        let help = format!("{}.", self.help);
        let family = registry.own(Owner::Engine, self.kind, self.name, &help, &[], bounds);
        // It has its series from the start, and not only once something was counted.
        family.find(std::iter::empty(), 1);
        family
    }
}

fn only_series(family: &Family) -> Arc<Series> {
    family.find(std::iter::empty(), 1).series
}

/// A metric with one number.
pub trait Number {
    fn declaration(&self) -> &'static Declaration;
    fn value(&self) -> f64;
}

macro_rules! number {
    ($type:ident, $kind:ident, $says:literal) => {
        #[doc = $says]
        pub struct $type {
            series: Arc<Series>,
            declaration: &'static Declaration,
        }

        impl Number for $type {
            fn declaration(&self) -> &'static Declaration {
                self.declaration
            }

            fn value(&self) -> f64 {
                self.series.value(Stage::Live)
            }
        }

        impl $type {
            const KIND: Kind = Kind::$kind;

            fn of(series: Arc<Series>, declaration: &'static Declaration) -> Self {
                Self {
                    series,
                    declaration,
                }
            }
        }
    };
}

number!(Counter, Counter, "What only rises.");
number!(Gauge, Gauge, "What rises and falls.");

impl Counter {
    pub fn inc(&self) {
        self.inc_by(1);
    }

    pub fn inc_by(&self, count: u64) {
        self.series.add(Stage::Live, count as f64);
    }

    pub fn get(&self) -> u64 {
        self.value() as u64
    }

    /// Takes over what somebody else counts.
    pub fn set(&self, count: u64) {
        self.series.set(count as f64);
    }
}

impl Gauge {
    pub fn set(&self, value: f64) {
        self.series.set(value);
    }

    pub fn inc(&self) {
        self.series.add(Stage::Live, 1.0);
    }

    pub fn dec(&self) {
        self.series.add(Stage::Live, -1.0);
    }

    #[cfg(test)]
    pub fn get(&self) -> u64 {
        self.value() as u64
    }
}

macro_rules! self_metrics {
    ($(#[$meta:meta])* $group:ident {
        $($field:ident: $type:ident $name:literal, $unit:literal, $help:literal;)*
    }) => {
        $(#[$meta])*
        pub struct $group {
            $(pub $field: $type,)*
        }

        impl $group {
            pub fn register(registry: &Registry) -> Self {
                Self {
                    $($field: {
                        const DECLARATION: &Declaration = &Declaration {
                            name: $name,
                            kind: $type::KIND,
                            unit: $unit,
                            help: $help,
                        };
                        $type::of(only_series(&DECLARATION.register(registry, &[])), DECLARATION)
                    },)*
                }
            }

            /// All of them, in their order.
            pub fn all(&self) -> Vec<&dyn Number> {
                vec![$(&self.$field as &dyn Number,)*]
            }
        }
    };
}

self_metrics! {
    /// What the engine of a log counts and measures.
    EngineMetrics {
        pending_operations: Gauge "oplog_pending_operations", "operations",
            "Operations accepted but not yet committed to the log";
        pending_bytes: Gauge "oplog_pending_bytes", "bytes",
            "Memory that pending operations take";
        journal_bytes: Gauge "oplog_journal_bytes", "bytes",
            "What the journal's files beside the log take on disk";
        recorded: Counter "oplog_recorded_operations_total", "operations",
            "Operations recorded in this log so far, those that retention deleted included";
        commits: Counter "oplog_commits_total", "commits",
            "Commits to the log since LOAD";
        commit_errors: Counter "oplog_commit_errors_total", "commits",
            "Commits since LOAD that failed and were tried again";
        commit_lag_seconds: Gauge "oplog_commit_lag_seconds", "seconds",
            "How long the oldest operation in memory has waited to be committed";
        last_operation_seconds: Gauge "oplog_last_operation_timestamp_seconds", "seconds",
            "When an operation was last recorded here, in seconds since 1970; 0 for never";
        totals_began_seconds: Gauge "oplog_totals_created_timestamp_seconds", "seconds",
            "When the log's totals began to count, in seconds since 1970";
        active_spans: Gauge "oplog_active_spans", "spans",
            "Spans that are running: FROM oplog_active()";
        interrupted: Counter "oplog_interrupted_operations_total", "operations",
            "Spans of processes that are gone, recorded as interrupted since LOAD";
        rejected: Counter "oplog_rejected_operations_total", "operations",
            "Operations since LOAD that were not recorded because they were invalid, with oplog_strict = false";
        lost: Counter "oplog_lost_operations_total", "operations",
            "Operations that were recorded and cannot be read, because the journal was damaged";
        set_aside: Counter "oplog_set_aside_operations_total", "operations",
            "Operations that could not be stored since LOAD, kept in a file beside the log: notes say which";
        overflowed: Counter "oplog_folded_operations_total", "operations",
            "Operations since LOAD whose metrics count under the label value other, beyond oplog_max_series";
        purged: Counter "oplog_purged_operations_total", "operations",
            "Operations that retention deleted since LOAD";
        retention_at_seconds: Gauge "oplog_retention_timestamp_seconds", "seconds",
            "When retention last ran in this process, in seconds since 1970; 0 for never";
        held_back: Gauge "oplog_held_back_operations", "operations",
            "Operations that are too old only because the clock leapt, which retention does not delete yet";
        clock_ahead_seconds: Gauge "oplog_clock_ahead_seconds", "seconds",
            "How far the clock is ahead of the time by which retention deletes; 0 where that is the clock's";
        history_series: Gauge "oplog_history_series", "series",
            "Series that were sampled last: FROM oplog_history_metrics() lists their metrics";
        history_left_out: Gauge "oplog_history_left_out_series", "series",
            "Series without a history, since there are more than oplog_history can keep";
        metrics_bytes: Gauge "oplog_metrics_bytes", "bytes",
            "Memory that all metrics take, the text that they make included";
        rejected_updates: Counter "oplog_rejected_metric_updates_total", "updates",
            "Values of a service's metrics since LOAD that were invalid, with oplog_strict = false";
        overflowed_updates: Counter "oplog_folded_metric_updates_total", "updates",
            "Values of a service's metrics since LOAD that count under the label value other";
    }
}

self_metrics! {
    /// What all HTTP servers of a log have counted, and what the one that runs is doing.
    ServeMetrics {
        requests: Counter "oplog_serve_requests_total", "requests",
            "HTTP requests since LOAD";
        rejected: Counter "oplog_serve_rejected_total", "requests",
            "HTTP requests that were refused since LOAD: no HTTP, no valid token, a wrong host, path, method or parameter (4xx)";
        busy: Counter "oplog_serve_busy_total", "requests",
            "HTTP requests that were put off since LOAD because a limit was reached (503)";
        failed: Counter "oplog_serve_failed_total", "requests",
            "HTTP requests that could not be answered since LOAD (500)";
        reads: Gauge "oplog_serve_reads", "questions",
            "Questions to the log that the HTTP server is answering now";
        connections: Gauge "oplog_serve_connections", "connections",
            "HTTP connections that are open now";
        refused: Counter "oplog_serve_connections_refused_total", "connections",
            "HTTP connections since LOAD that were refused because too many were open";
        timed_out: Counter "oplog_serve_connections_timed_out_total", "connections",
            "HTTP connections that were closed since LOAD because a client took too long, or did nothing";
    }
}

/// How long commits took.
const COMMIT_DURATION: Declaration = Declaration {
    name: "oplog_commit_duration_seconds",
    kind: Kind::Histogram,
    unit: "seconds",
    help: "How long commits to the log took, 0.001 s to 5 s",
};

/// All metrics of oplog's own.
pub struct SelfMetrics {
    pub engine: EngineMetrics,
    pub serve: Arc<ServeMetrics>,
    commit_duration: Arc<Series>,
}

impl SelfMetrics {
    pub fn register(registry: &Registry) -> Self {
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
        Self {
            engine: EngineMetrics::register(registry),
            serve: Arc::new(ServeMetrics::register(registry)),
            commit_duration: only_series(&COMMIT_DURATION.register(registry, &COMMIT_BOUNDS)),
        }
    }

    pub fn committed(&self, took: Duration) {
        self.engine.commits.inc();
        let took = [took.as_secs_f64()];
        self.commit_duration
            .observe(Stage::Live, &COMMIT_BOUNDS, &took, None);
    }

    /// Those with one number, in their order.
    pub fn numbers(&self) -> Vec<&dyn Number> {
        let mut all = self.engine.all();
        all.extend(self.serve.all());
        all
    }

    /// What docs/metrics.md says of each: name, type and meaning.
    #[cfg(test)]
    pub fn declarations(&self) -> Vec<Declaration> {
        let numbers = self.numbers().into_iter();
        let mut all: Vec<Declaration> = numbers.map(|number| *number.declaration()).collect();
        all.push(COMMIT_DURATION);
        all
    }
}
