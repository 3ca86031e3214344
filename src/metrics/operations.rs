//! The metrics of operations, counted a batch at a time: rows are grouped first, so that a series is looked up once a
//! group.

use super::family::{pack, Family, Kind, Lookup, Owner, OTHER};
use super::series::{Exemplar, Series, Stage};
use super::Registry;
use crate::locks::lock;
use crate::record::{Batch, Field, Stamp, LOGGED_STATUSES};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Upper bounds in seconds: from a key-value look-up to a nightly import.
const DURATION_BOUNDS: [f64; 15] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
];

/// The error code of an operation that failed without one.
const NO_CODE: &str = "unknown";

/// What stands in for a success.
const SUCCESS: &str = LOGGED_STATUSES[0];

/// What decides how a batch is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Label sets that a metric may have.
    pub max_series: usize,
    /// From here on an operation is slow.
    pub slow_us: i64,
}

type ByStatus = [Option<Arc<Series>>; LOGGED_STATUSES.len()];

/// The series of one command.
#[derive(Clone)]
struct CommandSeries {
    duration: Arc<Series>,
    rows: Arc<Series>,
    bytes_in: Arc<Series>,
    bytes_out: Arc<Series>,
    slow: Arc<Series>,
}

/// Series that were found before: what has found room stays where it is.
#[derive(Default)]
struct Known {
    commands: HashMap<String, (CommandSeries, ByStatus)>,
    /// By project, then by command.
    projects: HashMap<String, HashMap<String, ByStatus>>,
}

pub struct OperationMetrics {
    operations: Arc<Family>,
    project_operations: Arc<Family>,
    duration: Arc<Family>,
    rows: Arc<Family>,
    bytes_in: Arc<Family>,
    bytes_out: Arc<Family>,
    errors: Arc<Family>,
    slow: Arc<Family>,
    known: Mutex<Known>,
}

/// Rows of a batch that share all labels.
struct Group<'a> {
    command: &'a str,
    status: &'a str,
    project: &'a str,
    count: u64,
    rows: u128,
    bytes_in: u128,
    bytes_out: u128,
    slow: u64,
    seconds: Vec<f64>,
    /// The last row that belongs to a trace, and how long it took.
    traced: Option<(usize, f64)>,
}

/// The groups of a batch.
struct Grouped<'a> {
    groups: Vec<Group<'a>>,
    /// Failures by command and error code.
    errors: foldhash::HashMap<(&'a str, &'a str), u64>,
}

impl OperationMetrics {
    pub fn register(registry: &Registry) -> Self {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            registry.own(Owner::Operations, Kind::Counter, name, help, labels, &[])
        };
        let command: &[&str] = &["command"];
        Self {
            operations: counter(
                "duckdb_operations_total",
                "Operations recorded.",
                &["command", "status"],
            ),
            project_operations: counter(
                "duckdb_project_operations_total",
                "Operations recorded, by project.",
                &["command", "project_id", "status"],
            ),
            duration: registry.own(
                Owner::Operations,
                Kind::Histogram,
                "duckdb_operation_duration_seconds",
                "How long operations took.",
                command,
                &DURATION_BOUNDS,
            ),
            rows: counter(
                "duckdb_operation_rows_affected_total",
                "Rows that operations read or wrote.",
                command,
            ),
            bytes_in: counter(
                "duckdb_operation_bytes_in_total",
                "Bytes that operations took in.",
                command,
            ),
            bytes_out: counter(
                "duckdb_operation_bytes_out_total",
                "Bytes that operations gave out.",
                command,
            ),
            errors: counter(
                "duckdb_operation_errors_total",
                "Operations that did not succeed, by error code.",
                &["command", "error_code"],
            ),
            slow: counter(
                "duckdb_slow_operations_total",
                "Operations that took as long as oplog_slow_threshold, or longer.",
                command,
            ),
            known: Mutex::default(),
        }
    }

    /// When the first series began, in microseconds since 1970.
    pub fn began_us(&self) -> Option<i64> {
        let series = self.operations.series();
        series
            .ordered
            .iter()
            .map(|series| series.created_at_us())
            .min()
    }

    /// Counts a batch; returns how many operations had no room and count under `other`.
    pub fn count(&self, batch: &Batch, stamp: &Stamp, stage: Stage, rules: &Rules) -> u64 {
        let max_series = rules.max_series;
        let grouped = group(batch, rules.slow_us);
        let mut overflowed = 0;
        for group in &grouped.groups {
            let status = LOGGED_STATUSES
                .iter()
                .position(|status| *status == group.status)
                .unwrap_or(0);
            let mut known = lock(&self.known);
            let (series, operations, command_overflowed) =
                self.command(&mut known, group.command, status, max_series);
            let (project_operations, project_overflowed) =
                self.project(&mut known, group.project, group.command, status, max_series);
            drop(known);
            operations.add(stage, group.count as f64);
            project_operations.add(stage, group.count as f64);
            series.rows.add(stage, group.rows as f64);
            series.bytes_in.add(stage, group.bytes_in as f64);
            series.bytes_out.add(stage, group.bytes_out as f64);
            series.slow.add(stage, group.slow as f64);
            let exemplar = match (stage, group.traced) {
                (Stage::Live, Some((row, value))) => exemplar(batch, stamp, row, value),
                _ => None,
            };
            let bounds = &self.duration.bounds;
            series
                .duration
                .observe(stage, bounds, &group.seconds, exemplar);
            if command_overflowed || project_overflowed {
                overflowed += group.count;
            }
        }
        for ((command, code), count) in grouped.errors {
            let found = self.errors.find([command, code].into_iter(), max_series);
            found.series.add(stage, count as f64);
        }
        overflowed
    }

    /// The series of a command, or of `other` where the metric is full.
    fn command(
        &self,
        known: &mut Known,
        command: &str,
        status: usize,
        max_series: usize,
    ) -> (CommandSeries, Arc<Series>, bool) {
        if let Some((series, by_status)) = known.commands.get(command) {
            if let Some(operations) = &by_status[status] {
                return (series.clone(), Arc::clone(operations), false);
            }
        }
        let labels = [command, LOGGED_STATUSES[status]];
        let operations = find(&self.operations, labels, max_series);
        // What has no room in one metric has none in the others: a command is either told apart or not.
        let named = if operations.overflowed {
            OTHER
        } else {
            command
        };
        let mut key = Vec::new();
        pack(&mut key, [named].into_iter());
        let find = |family: &Family| family.find_packed(&key, usize::MAX).series;
        let series = CommandSeries {
            duration: find(&self.duration),
            rows: find(&self.rows),
            bytes_in: find(&self.bytes_in),
            bytes_out: find(&self.bytes_out),
            slow: find(&self.slow),
        };
        if !operations.overflowed {
            let (_, by_status) = known
                .commands
                .entry(command.to_owned())
                .or_insert_with(|| (series.clone(), ByStatus::default()));
            by_status[status] = Some(Arc::clone(&operations.series));
        }
        (series, operations.series, operations.overflowed)
    }

    fn project(
        &self,
        known: &mut Known,
        project: &str,
        command: &str,
        status: usize,
        max_series: usize,
    ) -> (Arc<Series>, bool) {
        let found = known
            .projects
            .get(project)
            .and_then(|commands| commands.get(command))
            .and_then(|by_status| by_status[status].clone());
        if let Some(series) = found {
            return (series, false);
        }
        let labels = [command, project, LOGGED_STATUSES[status]];
        let found = find(&self.project_operations, labels, max_series);
        if !found.overflowed {
            known
                .projects
                .entry(project.to_owned())
                .or_default()
                .entry(command.to_owned())
                .or_default()[status] = Some(Arc::clone(&found.series));
        }
        (found.series, found.overflowed)
    }
}

/// The series with these label values, the last of which is a status: that one is kept where the others fold, so that
/// rates of success stay right.
fn find<const LABELS: usize>(family: &Family, labels: [&str; LABELS], max_series: usize) -> Lookup {
    let mut key = Vec::with_capacity(64);
    pack(&mut key, labels.into_iter());
    family.find_or_fold(&key, max_series, || {
        let mut overflow = [OTHER; LABELS];
        overflow[LABELS - 1] = labels[LABELS - 1];
        let mut key = Vec::new();
        pack(&mut key, overflow.into_iter());
        key
    })
}

fn exemplar(batch: &Batch, stamp: &Stamp, row: usize, value: f64) -> Option<Exemplar> {
    let at_us = batch.number(Field::Timestamp, row).map(|us| us as i64);
    Some(Exemplar {
        trace_id: batch.text(Field::TraceId, row)?.into(),
        value,
        at_us: at_us.unwrap_or(stamp.recorded_at_us),
    })
}

/// Whether OpenMetrics has room for it: 128 characters for all labels of an exemplar, name included.
fn fits_exemplar(trace_id: &str) -> bool {
    trace_id.len() <= 100
        && trace_id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Groups the rows of a batch. Neighbours are usually alike, so the last group is tried first.
fn group(batch: &Batch, slow_us: i64) -> Grouped<'_> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut errors = foldhash::HashMap::default();
    let mut index: foldhash::HashMap<(&str, &str, &str), usize> = foldhash::HashMap::default();
    let mut last = usize::MAX;
    let slow_seconds = slow_us as f64 / 1e6;
    for row in 0..batch.rows() {
        let command = batch.text_or_default(Field::Command, row);
        let status = batch.text_or_default(Field::Status, row);
        let project = batch.text_or_default(Field::ProjectId, row);
        let same = groups.get(last).is_some_and(|group| {
            group.command == command && group.status == status && group.project == project
        });
        if !same {
            last = *index.entry((command, status, project)).or_insert_with(|| {
                groups.push(Group {
                    command,
                    status,
                    project,
                    count: 0,
                    rows: 0,
                    bytes_in: 0,
                    bytes_out: 0,
                    slow: 0,
                    seconds: Vec::new(),
                    traced: None,
                });
                groups.len() - 1
            });
        }
        let group = &mut groups[last];
        let number = |field| batch.number(field, row);
        group.count += 1;
        group.rows += number(Field::RowsAffected).map_or(0, u128::from);
        group.bytes_in += number(Field::BytesIn).map_or(0, u128::from);
        group.bytes_out += number(Field::BytesOut).map_or(0, u128::from);
        if let Some(bits) = number(Field::DurationMs) {
            let seconds = f64::from_bits(bits) / 1000.0;
            group.seconds.push(seconds);
            group.slow += u64::from(seconds >= slow_seconds);
            if batch.text(Field::TraceId, row).is_some_and(fits_exemplar) {
                group.traced = Some((row, seconds));
            }
        }
        if status != SUCCESS {
            let code = batch.text(Field::ErrorCode, row).unwrap_or(NO_CODE);
            *errors.entry((command, code)).or_insert(0) += 1;
        }
    }
    Grouped { groups, errors }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, Source, Value};

    fn batch(rows: &[(&str, &str, &str, f64)]) -> Batch {
        let mut builder = BatchBuilder::new(rows.len());
        for (row, (command, status, project, millis)) in rows.iter().enumerate() {
            builder.seek(row);
            for (field, text) in [
                (Field::Command, command),
                (Field::Status, status),
                (Field::ProjectId, project),
            ] {
                builder.push(field, &Value::Text((*text).into())).unwrap();
            }
            builder
                .push(Field::DurationMs, &Value::Double(*millis))
                .unwrap();
            builder
                .push(Field::RowsAffected, &Value::Integer(10))
                .unwrap();
        }
        builder.finish(Source::Record, rows.len()).0.unwrap()
    }

    fn stamp() -> Stamp {
        Stamp {
            first_seq: 1,
            ids: crate::record::IdRange::starting_at(1),
            recorded_at_us: 1_700_000_000_000_000,
        }
    }

    fn rules(max_series: usize) -> Rules {
        Rules {
            max_series,
            slow_us: 1_000_000,
        }
    }

    fn assert_has(metrics: &crate::metrics::Metrics, wanted: &[&str]) {
        let text = metrics.render(
            crate::metrics::Format::Text,
            &crate::metrics::Samples::default(),
        );
        for line in wanted {
            assert!(text.lines().any(|have| have == *line), "{line} in {text}");
        }
    }

    #[test]
    fn rows_are_counted_under_their_labels() {
        let metrics = crate::metrics::Metrics::default();
        let rows = batch(&[
            ("import", "success", "a", 4.0),
            ("import", "error", "b", 2000.0),
            ("import", "success", "a", 0.5),
        ]);
        metrics.count(&rows, &stamp(), &rules(100));
        assert_has(
            &metrics,
            &[
                "duckdb_operations_total{command=\"import\",status=\"success\"} 2",
                "duckdb_operations_total{command=\"import\",status=\"error\"} 1",
                "duckdb_project_operations_total{command=\"import\",project_id=\"b\",status=\"error\"} 1",
                "duckdb_operation_duration_seconds_bucket{command=\"import\",le=\"0.001\"} 1",
                "duckdb_operation_duration_seconds_bucket{command=\"import\",le=\"0.005\"} 2",
                "duckdb_operation_duration_seconds_bucket{command=\"import\",le=\"+Inf\"} 3",
                "duckdb_operation_duration_seconds_sum{command=\"import\"} 2.0045",
                "duckdb_operation_rows_affected_total{command=\"import\"} 30",
                "duckdb_operation_errors_total{command=\"import\",error_code=\"unknown\"} 1",
                "duckdb_slow_operations_total{command=\"import\"} 1",
            ],
        );
    }

    #[test]
    fn label_sets_beyond_the_limit_fold_into_other_and_are_counted() {
        let metrics = crate::metrics::Metrics::default();
        for command in ["a", "b", "c", "d", "a"] {
            metrics.count(
                &batch(&[(command, "success", "p", 1.0)]),
                &stamp(),
                &rules(2),
            );
        }
        assert_has(
            &metrics,
            &[
                "duckdb_operations_total{command=\"a\",status=\"success\"} 2",
                "duckdb_operations_total{command=\"b\",status=\"success\"} 1",
                "duckdb_operations_total{command=\"other\",status=\"success\"} 2",
                "duckdb_operation_rows_affected_total{command=\"other\"} 20",
                "oplog_folded_operations_total 2",
            ],
        );
    }

    #[test]
    fn what_is_committed_counts_apart_from_what_is_accepted() {
        let metrics = crate::metrics::Metrics::default();
        let rows = batch(&[("import", "success", "a", 4.0)]);
        metrics.count(&rows, &stamp(), &rules(9));
        metrics.count(&rows, &stamp(), &rules(9));
        metrics.count_committed(&[(stamp(), Arc::new(rows))], 0, &rules(9));
        let family = &metrics.operations.operations;
        let series = family.find(["import", "success"].into_iter(), 9).series;
        assert_eq!(series.value(Stage::Live), 2.0);
        assert_eq!(series.value(Stage::Committed), 1.0);
        assert_eq!(series.counted().value, 1.0);
    }
}
