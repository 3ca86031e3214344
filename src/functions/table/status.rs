//! The rows of `oplog_status()`: oplog's own metrics under the same names and words as in a scrape, the limits that belong to
//! them, and what is no number.

use super::engine_function::Arguments;
use super::rows::{Answer, Value};
use crate::engine::{Engine, Status};
use crate::metrics::{Number, Registry, SelfMetrics};
use crate::retention::LEAP_SHARE_MAX;
use crate::serve::limits;
use crate::{history, journal, metrics, queue, spans};
use std::net::SocketAddr;

/// Name, value, unit and meaning.
type Row = (&'static str, String, &'static str, &'static str);

pub fn status(engine: &Engine, _: &Arguments) -> Answer {
    let status = engine.status();
    // Measured now.
    let own = &engine.metrics().own;
    let mut rows = of_log(&status);
    rows.push(number(&own.engine.recorded));
    rows.extend(of_queue(own, &status));
    rows.extend(of_recovery(own, &status));
    rows.extend(of_retention(own));
    rows.push((
        "archive",
        archive_path(engine),
        "",
        "Folder that operations are archived in before retention deletes them; empty where they are not",
    ));
    rows.extend(of_spans(own, &status));
    rows.extend(of_metrics(own, engine.registry()));
    rows.extend(of_history(own));
    rows.extend(of_server(own, engine.serving_at()));
    for metric in own.numbers() {
        let row = number(metric);
        if !rows.iter().any(|(name, ..)| *name == row.0) {
            rows.push(row);
        }
    }
    rows.push((
        "notes",
        status.notes.join("\n"),
        "",
        "What happened when the log was opened, and what did not work since",
    ));
    Ok(rows
        .into_iter()
        .map(|(name, value, unit, meaning)| [name, &value, unit, meaning].map(Value::text).to_vec())
        .collect())
}

/// Nothing where the log does not answer, which other rows say.
fn archive_path(engine: &Engine) -> String {
    let archive = engine.answering().archive().ok().flatten();
    archive.map_or(String::new(), |archive| archive.path.display().to_string())
}

fn number(metric: &dyn Number) -> Row {
    let declaration = metric.declaration();
    (
        declaration.status_name(),
        metric.value().to_string(),
        declaration.unit,
        declaration.help,
    )
}

fn limit(name: &'static str, value: usize, unit: &'static str, meaning: &'static str) -> Row {
    (name, value.to_string(), unit, meaning)
}

fn shown(path: Option<&std::path::Path>) -> Option<String> {
    path.map(|path| path.display().to_string())
}

fn of_log(status: &Status) -> Vec<Row> {
    vec![
        (
            "version",
            env!("CARGO_PKG_VERSION").to_owned(),
            "",
            "The extension's version",
        ),
        (
            "log",
            shown(status.place.path()).unwrap_or_else(|| "memory".to_owned()),
            "",
            "The file that the log is kept in, or memory",
        ),
        (
            "role",
            status.role.name().to_owned(),
            "",
            "owner: the log is where it should be; guest: another process has it; fallback: it cannot be opened",
        ),
    ]
}

/// What waits to be committed, and where.
fn of_queue(own: &SelfMetrics, status: &Status) -> Vec<Row> {
    let own = &own.engine;
    vec![
        number(&own.pending_operations),
        number(&own.pending_bytes),
        limit(
            "pending_bytes_max",
            queue::QUEUE_BYTES_MAX,
            "bytes",
            "Memory that pending operations may take; beyond it they wait in the journal, or callers wait for the writer",
        ),
        (
            "spool",
            shown(status.spool.as_deref()).unwrap_or_default(),
            "",
            "Where a guest keeps its records for the log's owner",
        ),
        (
            "spools",
            status.spools.spools.to_string(),
            "spools",
            "Spools of guests beside this log when the owner last looked",
        ),
        (
            "spooled_operations",
            status.spools.taken_operations.to_string(),
            "operations",
            "Operations of guests that were taken in since LOAD",
        ),
        number(&own.journal_bytes),
        limit(
            "journal_bytes_max",
            journal::JOURNAL_BYTES_MAX as usize,
            "bytes",
            "What the journal's files may take; callers wait for the writer when that is reached",
        ),
        (
            "journal_only",
            status.queue.spilled.to_string(),
            "",
            "Whether operations wait in the journal only, because pending_bytes_max was reached",
        ),
        (
            "journal_syncs",
            status.queue.syncs.to_string(),
            "syncs",
            "How often the journal was synced to disk since LOAD, which happens with oplog_durability = os",
        ),
        (
            "full_waits",
            status.queue.full_waits.to_string(),
            "calls",
            "Calls since LOAD that had to wait for the writer",
        ),
    ]
}

/// What the last process has left, and what was lost.
fn of_recovery(own: &SelfMetrics, status: &Status) -> Vec<Row> {
    let own = &own.engine;
    vec![
        (
            "recovered_operations",
            status.recovery.rows.to_string(),
            "operations",
            "Operations that the last process had recorded but not committed, taken from the journal on LOAD",
        ),
        (
            "recovered_torn_bytes",
            status.recovery.torn_bytes.to_string(),
            "bytes",
            "Bytes of records that nobody had acknowledged yet, cut off on LOAD",
        ),
        number(&own.lost),
        number(&own.set_aside),
    ]
}

fn of_retention(own: &SelfMetrics) -> Vec<Row> {
    let own = &own.engine;
    vec![
        number(&own.purged),
        number(&own.held_back),
        (
            "held_back_share_max",
            LEAP_SHARE_MAX.to_string(),
            "ratio",
            "Share of the operations in the log that retention deletes at most because the clock leapt; beyond it they are held back",
        ),
        number(&own.clock_ahead_seconds),
    ]
}

fn of_spans(own: &SelfMetrics, status: &Status) -> Vec<Row> {
    let own = &own.engine;
    vec![
        number(&own.active_spans),
        limit(
            "active_spans_max",
            spans::SPANS_MAX,
            "spans",
            "How many spans may run at once; more cannot be started until some are finished",
        ),
        (
            "active_span_bytes",
            status.spans.bytes.to_string(),
            "bytes",
            "Memory that the running spans take",
        ),
        limit(
            "active_span_bytes_max",
            spans::SPANS_BYTES_MAX,
            "bytes",
            "Memory that the running spans may take",
        ),
        number(&own.interrupted),
    ]
}

fn of_metrics(own: &SelfMetrics, registry: &Registry) -> Vec<Row> {
    let own = &own.engine;
    vec![
        (
            "metrics",
            registry.len().to_string(),
            "metrics",
            "Metrics of oplog and of services",
        ),
        limit(
            "metrics_max",
            metrics::METRICS_MAX,
            "metrics",
            "How many metrics there may be; one more is an error",
        ),
        number(&own.metrics_bytes),
        limit(
            "metrics_bytes_max",
            metrics::REGISTRY_BYTES_MAX,
            "bytes",
            "What all metrics may take; further label sets count under the label value other",
        ),
    ]
}

fn of_history(own: &SelfMetrics) -> Vec<Row> {
    let own = &own.engine;
    vec![
        number(&own.history_series),
        limit(
            "history_series_max",
            history::SERIES_MAX,
            "series",
            "How many series may have a history; further ones are left out",
        ),
        number(&own.history_left_out),
    ]
}

fn of_server(own: &SelfMetrics, address: Option<SocketAddr>) -> Vec<Row> {
    let own = &own.serve;
    vec![
        (
            "serve",
            address.map_or(String::new(), |address| format!("http://{address}")),
            "",
            "Where the HTTP server of oplog_serve answers; empty where none runs",
        ),
        number(&own.reads),
        limit(
            "serve_reads_max",
            limits::READS_MAX,
            "questions",
            "How many questions the HTTP server answers at once; others wait, and are put off after 2 s",
        ),
        number(&own.connections),
        limit(
            "serve_connections_max",
            limits::CONNECTIONS_MAX,
            "connections",
            "How many HTTP connections may be open; others are answered 503 and closed",
        ),
    ]
}
