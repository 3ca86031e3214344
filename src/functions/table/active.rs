//! `oplog_active()`: the spans that are running.

use super::engine_function::{Arguments, EngineFunction, Type, BASE};
use super::rows::{Answer, Value};
use crate::engine::Engine;
use crate::record::Field;

pub const ACTIVE: EngineFunction = EngineFunction {
    name: "oplog_active",
    summary: "The spans that are running, the oldest first.",
    example: "FROM oplog_active();",
    columns: &[
        ("id", Type::Uuid, "what `oplog_start` returned"),
        ("command", Type::Varchar, "what is running"),
        ("started_at", Type::TimestampTz, "when it started"),
        (
            "age_ms",
            Type::Double,
            "how long it has been running, in milliseconds",
        ),
        ("project_id", Type::Varchar, "the tenant it runs for"),
        ("branch_id", Type::Varchar, "the branch of the project"),
        (
            "bucket_name",
            Type::Varchar,
            "the bucket, or schema, of the table",
        ),
        ("table_name", Type::Varchar, "the table that it works on"),
        ("request_id", Type::Varchar, "the request that caused it"),
        (
            "connection_job_id",
            Type::Varchar,
            "the job that it belongs to",
        ),
        ("connection_run_id", Type::Varchar, "the run of the job"),
        ("trace_id", Type::Varchar, "the trace that it belongs to"),
        ("span_id", Type::Varchar, "its id within the trace"),
        ("parent_span_id", Type::Varchar, "the span above it"),
        (
            "host_connection_id",
            Type::UBigInt,
            "the connection that started it, within its process",
        ),
    ],
    answer: active,
    ..BASE
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

fn active(engine: &Engine, _: &Arguments) -> Answer {
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
