//! Which metrics have a history, and what of them is kept: a sample a minute.
//!
//! Pure: it sees the registry's rows and says what to store.

use crate::metrics::{Kind, Registry, Row};
use std::collections::HashMap;

/// The metrics that always have a history: what capacity and a look back at an incident need.
pub const STANDARD: [&str; 14] = [
    DISK_AVAILABLE,
    DISK_SIZE,
    DATABASE_FILE,
    DATABASE_WAL,
    "oplog_active_spans",
    "oplog_journal_bytes",
    "oplog_pending_operations",
    OPERATIONS,
    "process_cpu_seconds_total",
    "process_disk_read_bytes_total",
    "process_disk_written_bytes_total",
    "process_open_fds",
    MEMORY,
    "process_threads",
];

pub const DISK_AVAILABLE: &str = "duckdb_database_disk_available_bytes";
pub const DISK_SIZE: &str = "duckdb_database_disk_size_bytes";
pub const DATABASE_FILE: &str = "duckdb_database_file_bytes";
pub const DATABASE_WAL: &str = "duckdb_database_wal_bytes";
pub const MEMORY: &str = "process_resident_memory_bytes";
pub const OPERATIONS: &str = "oplog_recorded_operations_total";

/// Metrics that may be named besides those.
pub const NAMES_MAX: usize = 100;

/// Series that are sampled at most, those of [`STANDARD`] first.
pub const SERIES_MAX: usize = 300;

/// How often a sample is kept.
pub const SAMPLE_INTERVAL_US: i64 = 60_000_000;

/// How long samples are kept; hours stay as long as rollups do.
pub const SAMPLES_KEPT_US: i64 = 7 * 86_400_000_000;

/// The same in memory.
pub const SAMPLES_KEPT_IN_MEMORY_US: i64 = 86_400_000_000;

/// What is stored of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub metric: String,
    /// As [`labels_text`] writes them.
    pub labels: String,
    /// A gauge as it is; of a counter, its rise a second since the sample before.
    pub value: f64,
    /// A counter's rise since the sample before.
    pub increase: Option<f64>,
}

/// Labels as text that DuckDB casts to MAP(VARCHAR, VARCHAR): every name and value in quotes, in the order of the names.
pub fn labels_text(labels: &[(String, String)]) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let pairs = labels
        .iter()
        .map(|(name, value)| format!("{}={}", quoted(name), quoted(value)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}

/// What counters were, by name and labels.
type Counters = HashMap<(String, String), f64>;

/// Makes samples of what metrics are: of a counter that needs what it was before.
#[derive(Default)]
pub struct Recorder {
    /// The time of the last look, and what counters were then.
    before: Option<(i64, Counters)>,
}

/// What a look at the metrics gave.
#[derive(Debug, Default, PartialEq)]
pub struct Looked {
    pub entries: Vec<Entry>,
    /// Series for which there was no room.
    pub left_out: usize,
}

impl Recorder {
    /// Samples of the standard metrics and of those that are named. The first look, and one after the clock was set back,
    /// only begins.
    pub fn look(&mut self, registry: &Registry, names: &[String], at_us: i64) -> Looked {
        let mut rows = registry.rows_of(|family| STANDARD.contains(&family));
        rows.extend(registry.rows_of(|family| {
            !STANDARD.contains(&family) && names.iter().any(|name| name == family)
        }));
        // The buckets of a histogram are many, and say little alone.
        rows.retain(|row| row.kind != Kind::Histogram || !row.name.ends_with("_bucket"));
        let left_out = rows.len().saturating_sub(SERIES_MAX);
        rows.truncate(SERIES_MAX);
        let mut counters = Counters::new();
        let entries = rows
            .into_iter()
            .filter_map(|row| self.sample(row, at_us, &mut counters))
            .collect();
        self.before = Some((at_us, counters));
        Looked { entries, left_out }
    }

    fn sample(&self, row: Row, at_us: i64, counters: &mut Counters) -> Option<Entry> {
        let labels = labels_text(&row.labels);
        let key = (row.name, labels);
        if row.kind != Kind::Gauge {
            counters.insert(key.clone(), row.value);
        }
        let (before_us, before) = self.before.as_ref()?;
        let elapsed_us = at_us - before_us;
        if elapsed_us <= 0 || !row.value.is_finite() {
            return None;
        }
        let increase = (row.kind != Kind::Gauge).then(|| {
            // A series that was not there began at zero, as one does that is lower than it was.
            let earlier = before.get(&key).copied().unwrap_or(0.0);
            if row.value >= earlier {
                row.value - earlier
            } else {
                row.value
            }
        });
        Some(Entry {
            metric: key.0,
            labels: key.1,
            value: increase.map_or(row.value, |rise| rise / (elapsed_us as f64 / 1e6)),
            increase,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    const SECOND: i64 = 1_000_000;

    fn samples(recorder: &mut Recorder, metrics: &Metrics, names: &[&str], second: i64) -> Looked {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        recorder.look(&metrics.registry, &names, second * SECOND)
    }

    fn of<'a>(looked: &'a Looked, metric: &str) -> Vec<&'a Entry> {
        let all = looked.entries.iter();
        all.filter(|sample| sample.metric == metric).collect()
    }

    #[test]
    fn every_standard_metric_is_one_of_oplogs_own() {
        let metrics = Metrics::default();
        let families = metrics.registry.families();
        for name in STANDARD {
            assert!(families.iter().any(|family| family.name == name), "{name}");
        }
        assert!(STANDARD.is_sorted());
    }

    #[test]
    fn a_counter_is_its_rise_and_a_gauge_what_it_is() {
        let metrics = Metrics::default();
        let own = &metrics.own.engine;
        own.recorded.set(100);
        own.active_spans.set(3.0);
        let mut recorder = Recorder::default();
        assert_eq!(
            samples(&mut recorder, &metrics, &[], 0),
            Looked::default(),
            "the first look only begins"
        );
        own.recorded.set(220);
        let looked = samples(&mut recorder, &metrics, &[], 60);
        let counter = of(&looked, OPERATIONS)[0];
        assert_eq!((counter.value, counter.increase), (2.0, Some(120.0)));
        let gauge = of(&looked, "oplog_active_spans")[0];
        assert_eq!((gauge.value, gauge.increase), (3.0, None));
        assert_eq!(gauge.labels, "{}");
        // As Prometheus has it: one that is lower began anew.
        own.recorded.set(30);
        let looked = samples(&mut recorder, &metrics, &[], 120);
        assert_eq!(of(&looked, OPERATIONS)[0].increase, Some(30.0));
        // A clock that was set back gives no rate.
        assert_eq!(
            samples(&mut recorder, &metrics, &[], 100).entries,
            Vec::new()
        );
        own.recorded.set(31);
        let looked = samples(&mut recorder, &metrics, &[], 101);
        assert_eq!(of(&looked, OPERATIONS)[0].value, 1.0);
    }

    #[test]
    fn a_services_metrics_have_a_history_where_they_are_named() {
        let metrics = Metrics::default();
        let published = |name: &str, kind, value: f64| {
            let family = metrics.registry.used(name, kind, &["shard"]).unwrap();
            let series = family.find(["it's"].into_iter(), 10).series;
            match kind {
                Kind::Histogram => {
                    series.observe(crate::metrics::Stage::Live, &family.bounds, &[value], None)
                }
                _ => series.set(value),
            }
        };
        let names = ["queue_depth", "request_seconds", "jobs_total"];
        let mut recorder = Recorder::default();
        samples(&mut recorder, &metrics, &names, 0);
        published("queue_depth", Kind::Gauge, 7.0);
        published("other_depth", Kind::Gauge, 8.0);
        published("jobs_total", Kind::Counter, 5.0);
        published("request_seconds", Kind::Histogram, 0.5);
        let looked = samples(&mut recorder, &metrics, &names, 10);
        let depth = of(&looked, "queue_depth")[0];
        assert_eq!(
            (depth.value, depth.labels.as_str()),
            (7.0, r"{'shard'='it\'s'}")
        );
        assert_eq!(of(&looked, "other_depth"), Vec::<&Entry>::new());
        assert_eq!(of(&looked, "jobs_total")[0].increase, Some(5.0));
        assert_eq!(of(&looked, "request_seconds_count")[0].increase, Some(1.0));
        assert_eq!(of(&looked, "request_seconds_sum")[0].increase, Some(0.5));
        assert_eq!(of(&looked, "request_seconds_bucket").len(), 0);
    }

    #[test]
    fn there_is_room_for_so_many_series() {
        let metrics = Metrics::default();
        let family = metrics
            .registry
            .used("wide", Kind::Gauge, &["number"])
            .unwrap();
        for number in 0..400 {
            let number = number.to_string();
            family
                .find([number.as_str()].into_iter(), 1000)
                .series
                .set(1.0);
        }
        let mut recorder = Recorder::default();
        samples(&mut recorder, &metrics, &["wide"], 0);
        let looked = samples(&mut recorder, &metrics, &["wide"], 60);
        assert_eq!(looked.entries.len(), SERIES_MAX);
        let standard = looked.entries.len() - of(&looked, "wide").len();
        assert_eq!(looked.left_out, 400 + standard - SERIES_MAX);
        assert_eq!(
            of(&looked, OPERATIONS).len(),
            1,
            "the standard ones come first"
        );
    }
}
