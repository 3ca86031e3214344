//! The rows of `oplog_status()`.

use super::engine_function::Arguments;
use super::rows::{Answer, Value};
use super::server_status;
use crate::engine::Engine;

pub fn status(engine: &Engine, _: &Arguments) -> Answer {
    let status = engine.status();
    let figures = &engine.metrics().figures;
    let path = status
        .place
        .path()
        .map_or("memory".to_owned(), |path| path.display().to_string());
    let mut rows = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned(), "", "The extension's version"),
        ("log", path, "", "The file that the log is kept in, or memory"),
        (
            "role",
            status.role.name().to_owned(),
            "",
            "owner: the log is where it should be; guest: another process has it; fallback: it cannot be opened",
        ),
        (
            "recorded_operations",
            (status.queue.next_seq - 1).to_string(),
            "operations",
            "Operations recorded in this log so far, those that retention deleted included",
        ),
        (
            "pending_operations",
            status.queue.operations.to_string(),
            "operations",
            "Operations accepted but not yet committed to the log",
        ),
        (
            "pending_bytes",
            status.queue.bytes.to_string(),
            "bytes",
            "Memory that they take",
        ),
        (
            "pending_bytes_max",
            crate::queue::QUEUE_BYTES_MAX.to_string(),
            "bytes",
            "Memory that they may take; callers wait for the writer when it is reached",
        ),
        (
            "spool",
            status
                .spool
                .map_or(String::new(), |path| path.display().to_string()),
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
        (
            "journal_bytes",
            status.queue.journal_bytes.to_string(),
            "bytes",
            "What the journal takes beside the log",
        ),
        (
            "journal_bytes_max",
            crate::journal::JOURNAL_BYTES_MAX.to_string(),
            "bytes",
            "What it may take; callers wait for the writer when it is reached",
        ),
        (
            "journal_only",
            status.queue.spilled.to_string(),
            "",
            "Whether what waits is in the journal only, because memory has reached its limit",
        ),
        (
            "journal_syncs",
            status.queue.syncs.to_string(),
            "syncs",
            "Waits for the disk, with oplog_durability = os",
        ),
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
        (
            "lost_operations",
            status.lost_operations.to_string(),
            "operations",
            "Operations that were recorded and cannot be read, because the journal was damaged",
        ),
        (
            "set_aside_operations",
            figures.set_aside.get().to_string(),
            "operations",
            "Operations that could not be stored since LOAD, kept in a file beside the log: notes say which",
        ),
        (
            "active_spans",
            status.spans.running.to_string(),
            "spans",
            "Spans that are running: FROM oplog_active()",
        ),
        (
            "active_spans_max",
            crate::spans::SPANS_MAX.to_string(),
            "spans",
            "How many may; more cannot be started until some are finished",
        ),
        (
            "active_span_bytes",
            status.spans.bytes.to_string(),
            "bytes",
            "Memory that they take",
        ),
        (
            "active_span_bytes_max",
            crate::spans::SPANS_BYTES_MAX.to_string(),
            "bytes",
            "Memory that they may take",
        ),
        (
            "interrupted_operations",
            figures.interrupted.get().to_string(),
            "operations",
            "Spans of processes that are gone, recorded as interrupted since LOAD",
        ),
        (
            "full_waits",
            status.queue.full_waits.to_string(),
            "calls",
            "Calls that had to wait for the writer",
        ),
        (
            "rejected_operations",
            figures.rejected.get().to_string(),
            "operations",
            "Operations that were not recorded because they were invalid, with oplog_strict = false",
        ),
        (
            "folded_operations",
            figures.folded.get().to_string(),
            "operations",
            "Operations counted under the label value other, beyond oplog_max_series",
        ),
        (
            "metrics",
            engine.registry().len().to_string(),
            "metrics",
            "Metrics of oplog and of services",
        ),
        (
            "metrics_max",
            crate::metrics::METRICS_MAX.to_string(),
            "metrics",
            "How many there may be; one more is an error",
        ),
        (
            "metrics_bytes",
            engine.registry().bytes().to_string(),
            "bytes",
            "Memory that they take, and the text that they make",
        ),
        (
            "metrics_bytes_max",
            crate::metrics::REGISTRY_BYTES_MAX.to_string(),
            "bytes",
            "What they may take; further label sets count under the label value other",
        ),
        (
            "rejected_metric_updates",
            figures.rejected_updates.get().to_string(),
            "updates",
            "Values of a service's metrics that were invalid, with oplog_strict = false",
        ),
        (
            "folded_metric_updates",
            figures.folded_updates.get().to_string(),
            "updates",
            "Values of a service's metrics under the label value other",
        ),
        (
            "purged_operations",
            figures.purged.get().to_string(),
            "operations",
            "Operations that retention deleted since LOAD",
        ),
        (
            "commits",
            figures.commits.get().to_string(),
            "commits",
            "Commits to the log since LOAD",
        ),
        (
            "commit_errors",
            figures.commit_errors.get().to_string(),
            "commits",
            "Commits that failed and were tried again",
        ),
    ];
    rows.extend(server_status::status(engine));
    rows.push((
        "notes",
        status.notes.join("\n"),
        "",
        "What happened when the log was opened, and what did not work since",
    ));
    Ok(rows
        .into_iter()
        .map(|(name, value, unit, meaning)| {
            vec![
                Value::text(name),
                Value::text(value),
                Value::text(unit),
                Value::text(meaning),
            ]
        })
        .collect())
}
