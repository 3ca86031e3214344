//! The metrics of operations, counted a batch at a time: rows are grouped first, so that the lock and the label look-up
//! are paid once a group.

use crate::record::{Batch, Field, LOGGED_STATUSES};
use prometheus::{
    Error, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry,
};
use std::collections::HashMap;
use std::sync::Mutex;

/// Upper bounds in seconds: from a key-value look-up to a nightly import.
const DURATION_BUCKETS: [f64; 15] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
];

/// The label value that stands for all that found no room.
const OTHER: &str = "other";

type ByStatus = [Option<IntCounter>; LOGGED_STATUSES.len()];

/// The children of one command's label.
#[derive(Clone)]
struct CommandSeries {
    duration: Histogram,
    rows: IntCounter,
    bytes_in: IntCounter,
    bytes_out: IntCounter,
}

#[derive(Default)]
struct Known {
    commands: HashMap<String, (CommandSeries, ByStatus)>,
    command_series: usize,
    /// By project, then by command.
    projects: HashMap<String, HashMap<String, ByStatus>>,
    project_series: usize,
}

pub struct OperationMetrics {
    operations: IntCounterVec,
    project_operations: IntCounterVec,
    duration: HistogramVec,
    rows: IntCounterVec,
    bytes_in: IntCounterVec,
    bytes_out: IntCounterVec,
    known: Mutex<Known>,
}

/// Rows of a batch that share all labels.
struct Group<'a> {
    command: &'a str,
    status: &'a str,
    project: &'a str,
    count: u64,
    rows: u64,
    bytes_in: u64,
    bytes_out: u64,
    seconds: Vec<f64>,
}

impl OperationMetrics {
    pub fn register(registry: &Registry) -> Result<Self, Error> {
        let counter = |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec, Error> {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let duration = HistogramVec::new(
            HistogramOpts::new(
                "duckdb_operation_duration_seconds",
                "How long operations took.",
            )
            .buckets(DURATION_BUCKETS.to_vec()),
            &["command"],
        )?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Self {
            operations: counter(
                "duckdb_operations_total",
                "Operations recorded.",
                &["command", "status"],
            )?,
            project_operations: counter(
                "duckdb_project_operations_total",
                "Operations recorded, by project.",
                &["project_id", "command", "status"],
            )?,
            duration,
            rows: counter(
                "duckdb_operation_rows_affected_total",
                "Rows that operations read or wrote.",
                &["command"],
            )?,
            bytes_in: counter(
                "duckdb_operation_bytes_in_total",
                "Bytes that operations took in.",
                &["command"],
            )?,
            bytes_out: counter(
                "duckdb_operation_bytes_out_total",
                "Bytes that operations gave out.",
                &["command"],
            )?,
            known: Mutex::default(),
        })
    }

    /// Counts a batch; returns how many operations were folded into `other`.
    pub fn count(&self, batch: &Batch, max_series: usize) -> u64 {
        let mut folded = 0;
        for group in group(batch) {
            let status = LOGGED_STATUSES
                .iter()
                .position(|status| *status == group.status)
                .unwrap_or(0);
            let mut known = self
                .known
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            let (series, operations, command_folded) =
                self.command(&mut known, group.command, status, max_series);
            let (project_operations, project_folded) =
                self.project(&mut known, group.project, group.command, status, max_series);
            drop(known);
            operations.inc_by(group.count);
            project_operations.inc_by(group.count);
            series.rows.inc_by(group.rows);
            series.bytes_in.inc_by(group.bytes_in);
            series.bytes_out.inc_by(group.bytes_out);
            for seconds in &group.seconds {
                series.duration.observe(*seconds);
            }
            if command_folded || project_folded {
                folded += group.count;
            }
        }
        folded
    }

    /// The children for a command, or for `other` where the metric is full.
    fn command(
        &self,
        known: &mut Known,
        command: &str,
        status: usize,
        max_series: usize,
    ) -> (CommandSeries, IntCounter, bool) {
        if let Some((series, by_status)) = known.commands.get(command) {
            if let Some(counter) = &by_status[status] {
                return (series.clone(), counter.clone(), false);
            }
        }
        let folded = known.command_series >= max_series;
        let command = if folded { OTHER } else { command };
        let (series, by_status) = known.commands.entry(command.to_owned()).or_insert_with(|| {
            let label = &[command];
            let series = CommandSeries {
                duration: self.duration.with_label_values(label),
                rows: self.rows.with_label_values(label),
                bytes_in: self.bytes_in.with_label_values(label),
                bytes_out: self.bytes_out.with_label_values(label),
            };
            (series, ByStatus::default())
        });
        let counter = by_status[status].get_or_insert_with(|| {
            known.command_series += 1;
            self.operations
                .with_label_values(&[command, LOGGED_STATUSES[status]])
        });
        (series.clone(), counter.clone(), folded)
    }

    fn project(
        &self,
        known: &mut Known,
        project: &str,
        command: &str,
        status: usize,
        max_series: usize,
    ) -> (IntCounter, bool) {
        let found = known
            .projects
            .get(project)
            .and_then(|commands| commands.get(command))
            .and_then(|by_status| by_status[status].clone());
        if let Some(counter) = found {
            return (counter, false);
        }
        let folded = known.project_series >= max_series;
        let (project, command) = if folded {
            (OTHER, OTHER)
        } else {
            (project, command)
        };
        let counter = known
            .projects
            .entry(project.to_owned())
            .or_default()
            .entry(command.to_owned())
            .or_default()[status]
            .get_or_insert_with(|| {
                known.project_series += 1;
                self.project_operations.with_label_values(&[
                    project,
                    command,
                    LOGGED_STATUSES[status],
                ])
            })
            .clone();
        (counter, folded)
    }
}

/// Groups the rows of a batch. Neighbours are usually alike, so the last group is tried first.
fn group(batch: &Batch) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut index: foldhash::HashMap<(&str, &str, &str), usize> = foldhash::HashMap::default();
    let mut last = usize::MAX;
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
                    seconds: Vec::new(),
                });
                groups.len() - 1
            });
        }
        let group = &mut groups[last];
        let number = |field| batch.number(field, row);
        group.count += 1;
        group.rows += number(Field::RowsAffected).unwrap_or(0);
        group.bytes_in += number(Field::BytesIn).unwrap_or(0);
        group.bytes_out += number(Field::BytesOut).unwrap_or(0);
        if let Some(bits) = number(Field::DurationMs) {
            group.seconds.push(f64::from_bits(bits) / 1000.0);
        }
    }
    groups
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

    fn rendered(metrics: &crate::metrics::Metrics) -> Vec<String> {
        metrics
            .render()
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn rows_are_counted_under_their_labels() {
        let metrics = crate::metrics::Metrics::new().unwrap();
        metrics.count(
            &batch(&[
                ("import", "success", "a", 4.0),
                ("import", "error", "b", 2000.0),
                ("import", "success", "a", 0.5),
            ]),
            100,
        );
        let lines = rendered(&metrics);
        for line in [
            "duckdb_operations_total{command=\"import\",status=\"success\"} 2",
            "duckdb_operations_total{command=\"import\",status=\"error\"} 1",
            "duckdb_project_operations_total{command=\"import\",project_id=\"b\",status=\"error\"} 1",
            "duckdb_operation_duration_seconds_bucket{command=\"import\",le=\"0.001\"} 1",
            "duckdb_operation_duration_seconds_bucket{command=\"import\",le=\"0.005\"} 2",
            "duckdb_operation_duration_seconds_bucket{command=\"import\",le=\"+Inf\"} 3",
            "duckdb_operation_rows_affected_total{command=\"import\"} 30",
        ] {
            assert!(lines.iter().any(|have| have == line), "{line} in {lines:#?}");
        }
    }

    #[test]
    fn label_sets_beyond_the_limit_fold_into_other_and_are_counted() {
        let metrics = crate::metrics::Metrics::new().unwrap();
        for command in ["a", "b", "c", "d", "a"] {
            metrics.count(&batch(&[(command, "success", "p", 1.0)]), 2);
        }
        let lines = rendered(&metrics);
        for line in [
            "duckdb_operations_total{command=\"a\",status=\"success\"} 2",
            "duckdb_operations_total{command=\"b\",status=\"success\"} 1",
            "duckdb_operations_total{command=\"other\",status=\"success\"} 2",
            "oplog_folded_operations_total 2",
        ] {
            assert!(
                lines.iter().any(|have| have == line),
                "{line} in {lines:#?}"
            );
        }
    }
}
