//! Which metrics of a service have a history: `oplog_history_set` and `oplog_history_drop`.

use super::engine_function::{Arguments, EngineFunction, Parameter, Type, BASE};
use super::policy::Effect;
use super::rows::{Answer, Value};
use crate::engine::Engine;
use crate::excerpt::excerpt;
use crate::history::STANDARD;
use crate::metrics::is_metric_name;

const METRIC: Parameter = Parameter {
    name: "metric",
    takes: Type::Varchar,
    default: "required",
    meaning: "the metric",
};

pub const ALL: &[EngineFunction] = &[
    EngineFunction {
        name: "oplog_history_set",
        summary: "Keeps the history of a metric of yours, or of another one of oplog's: its series are sampled each minute. Of a \
            histogram, sum and count are.",
        example: "CALL oplog_history_set('duckdb_operations_total');",
        positional: &[METRIC],
        columns: &[
            ("metric", Type::Varchar, "the metric"),
            ("type", Type::Varchar, "its type; NULL where nothing has been published under that name yet"),
            ("series", Type::BigInt, "how many it has now"),
        ],
        effects: &[Effect::Configures],
        check: |arguments| check(arguments).map(drop),
        answer: set,
        ..BASE
    },
    EngineFunction {
        name: "oplog_history_drop",
        summary: "Keeps the history of such a metric no longer, and deletes what there is of it.",
        example: "CALL oplog_history_drop('duckdb_operations_total');",
        positional: &[METRIC],
        columns: &[
            ("metric", Type::Varchar, "the metric"),
            ("deleted", Type::BigInt, "samples and hours of it that are gone"),
        ],
        effects: &[Effect::Configures],
        check: |arguments| check(arguments).map(drop),
        answer: drop_history,
        ..BASE
    },
];

/// The name that was given, where a metric may be called so and has no history of itself.
fn check(arguments: &Arguments) -> Result<String, String> {
    let name = arguments.text("metric").unwrap_or_default();
    if !is_metric_name(&name) {
        return Err(format!(
            "metric is '{}': give a metric's name, which has letters, digits, _ and :, and does not begin with a digit",
            excerpt(&name)
        ));
    }
    if STANDARD.contains(&name.as_str()) {
        return Err(format!(
            "metric is '{name}', whose history is always kept: ask FROM oplog_history(metric := '{name}')"
        ));
    }
    Ok(name)
}

fn set(engine: &Engine, arguments: &Arguments) -> Answer {
    let name = check(arguments)?;
    let registry = engine.registry();
    if let Some(other) = registry.taken(std::slice::from_ref(&name)) {
        if other != name {
            return Err(format!(
                "metric is '{name}', which is a part of '{other}': give that name"
            ));
        }
    }
    engine.keep_history(&name)?;
    let family = registry
        .families()
        .into_iter()
        .find(|family| family.name == name);
    let series = family
        .as_ref()
        .map_or(0, |family| family.series().ordered.len());
    Ok(vec![vec![
        Value::text(name),
        family.map_or(Value::Null, |family| Value::text(family.kind.name())),
        Value::Integer(series as i64),
    ]])
}

fn drop_history(engine: &Engine, arguments: &Arguments) -> Answer {
    let name = check(arguments)?;
    match engine.drop_history(&name)? {
        Some(deleted) => Ok(vec![vec![
            Value::text(name),
            Value::Integer(deleted as i64),
        ]]),
        None => Err(format!(
            "metric is '{name}', of which no history is kept: FROM oplog_history_metrics() lists those of which it is"
        )),
    }
}
