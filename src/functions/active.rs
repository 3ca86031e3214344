//! `oplog_active()`: the spans that are running.

use super::figures::{Answer, Figure, Value};
use crate::duckdb::TypeId;
use crate::engine::Engine;
use crate::record::Field;

pub const ACTIVE: Figure = Figure {
    name: "oplog_active",
    summary: "The spans that are running, the oldest first.",
    example: "FROM oplog_active();",
    positional: &[],
    columns: &[
        ("id", TypeId::Uuid, "what `oplog_start` returned"),
        ("command", TypeId::Varchar, "what is running"),
        ("started_at", TypeId::TimestampTz, "when it started"),
        (
            "age_ms",
            TypeId::Double,
            "how long it has been running, in milliseconds",
        ),
        ("project_id", TypeId::Varchar, "the tenant it runs for"),
        ("branch_id", TypeId::Varchar, "the branch of the project"),
        (
            "bucket_name",
            TypeId::Varchar,
            "the bucket, or schema, of the table",
        ),
        ("table_name", TypeId::Varchar, "the table that it works on"),
        ("request_id", TypeId::Varchar, "the request that caused it"),
        (
            "connection_job_id",
            TypeId::Varchar,
            "the job that it belongs to",
        ),
        ("connection_run_id", TypeId::Varchar, "the run of the job"),
        ("trace_id", TypeId::Varchar, "the trace that it belongs to"),
        ("span_id", TypeId::Varchar, "its id within the trace"),
        ("parent_span_id", TypeId::Varchar, "the span above it"),
        (
            "host_connection_id",
            TypeId::UBigInt,
            "the connection that started it, within its process",
        ),
    ],
    effects: &[],
    answer: active,
};

/// The texts, in the order of their columns behind `age_ms`.
const TEXTS: [Field; 10] = [
    Field::ProjectId,
    Field::BranchId,
    Field::BucketName,
    Field::TableName,
    Field::RequestId,
    Field::ConnectionJobId,
    Field::ConnectionRunId,
    Field::TraceId,
    Field::SpanId,
    Field::ParentSpanId,
];

fn active(engine: &Engine, _: &[String]) -> Answer {
    let spans = engine.running_spans();
    Ok(spans
        .into_iter()
        .map(|span| {
            let text = |field| Value::text(span.batch.text_or_default(field, 0));
            let mut row = vec![
                Value::Uuid(span.id),
                text(Field::Command),
                Value::Time(span.started_at_us),
                Value::Double(span.age_ms),
            ];
            row.extend(TEXTS.map(text));
            row.push(Value::Count(span.batch.connection_id));
            row
        })
        .collect())
}
