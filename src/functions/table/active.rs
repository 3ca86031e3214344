//! `oplog_active()`: the spans that are running.

use super::engine_function::{Arguments, Column, EngineFunction, Type, BASE};
use super::rows::{Answer, Value};
use crate::engine::Engine;
use crate::record::Field;

pub const ACTIVE: EngineFunction = EngineFunction {
    name: "oplog_active",
    summary: "The spans that are running, the oldest first.",
    example: "FROM oplog_active();",
    columns: COLUMNS,
    answer: active,
    ..BASE
};

/// What a span belongs to, in the order of the columns behind `age_ms`: what it can be found by, and its place in a trace.
const fn is_context(field: Field) -> bool {
    match field {
        Field::Command | Field::Status => false,
        Field::SpanId | Field::ParentSpanId => true,
        other => !other.filter().is_empty(),
    }
}

const CONTEXT_FIELDS: usize = {
    let (mut count, mut at) = (0, 0);
    while at < Field::ALL.len() {
        count += is_context(Field::ALL[at]) as usize;
        at += 1;
    }
    count
};

const CONTEXT: [Field; CONTEXT_FIELDS] = {
    let mut fields = [Field::Command; CONTEXT_FIELDS];
    let (mut count, mut at) = (0, 0);
    while at < Field::ALL.len() {
        if is_context(Field::ALL[at]) {
            fields[count] = Field::ALL[at];
            count += 1;
        }
        at += 1;
    }
    fields
};

const BEFORE: [Column; 4] = [
    ("id", Type::Uuid, "what `oplog_start` returned"),
    ("command", Type::Varchar, "what is running"),
    ("started_at", Type::TimestampTz, "when it started"),
    (
        "age_ms",
        Type::Double,
        "how long it has been running, in milliseconds",
    ),
];

const COLUMNS: &[Column] = &{
    let mut columns = [(
        "host_connection_id",
        Type::UBigInt,
        "the connection that started it, within its process",
    ); BEFORE.len() + CONTEXT_FIELDS + 1];
    let mut at = 0;
    while at < BEFORE.len() {
        columns[at] = BEFORE[at];
        at += 1;
    }
    while at < BEFORE.len() + CONTEXT_FIELDS {
        let field = CONTEXT[at - BEFORE.len()];
        columns[at] = (field.name(), Type::Varchar, field.meaning());
        at += 1;
    }
    columns
};

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
            row.extend(CONTEXT.map(text));
            row.push(Value::Count(span.batch.connection_id));
            row
        })
        .collect())
}
