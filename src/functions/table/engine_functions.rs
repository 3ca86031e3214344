//! The functions about the engine itself, its settings and its metrics.

use super::engine_function::{Arguments, EngineFunction, Parameter, Type, BASE};
use super::policy::Effect;
use super::rows::{Answer, Value};
use super::status::status;
use crate::engine::Engine;
use crate::settings::Setting;
use std::path::Path;

pub const ALL: &[EngineFunction] = &[
    EngineFunction {
        name: "oplog_settings",
        summary: "Every setting: its value, default, unit and meaning, and whether somebody set it.",
        example: "FROM oplog_settings();",
        columns: &[
            ("name", Type::Varchar, "the setting"),
            ("value", Type::Varchar, "the value in force"),
            ("default_value", Type::Varchar, "what holds until somebody sets it"),
            ("unit", Type::Varchar, "the unit of the value"),
            ("is_set", Type::Boolean, "whether somebody has set it"),
            ("meaning", Type::Varchar, "what it decides"),
        ],
        answer: settings,
        ..BASE
    },
    EngineFunction {
        name: "oplog_status",
        summary: "The engine's own figures: where the log is, what waits, what was refused, what went wrong.",
        example: "FROM oplog_status();",
        columns: &[
            ("name", Type::Varchar, "the figure"),
            ("value", Type::Varchar, "its value, as text"),
            ("unit", Type::Varchar, "what it counts"),
            ("meaning", Type::Varchar, "what it says"),
        ],
        answer: status,
        ..BASE
    },
    EngineFunction {
        name: "oplog_flush",
        summary: "Commits everything recorded so far to the log; the operations that waited.",
        example: "CALL oplog_flush();",
        columns: &[("operations", Type::BigInt, "how many waited")],
        answer: |engine, _| Ok(vec![vec![Value::Integer(engine.flush()? as i64)]]),
        ..BASE
    },
    EngineFunction {
        name: "oplog_open",
        summary: "Moves the log, rows included, to another file, where it stays; the operations that moved.",
        example: "CALL oplog_open('service.oplog');",
        positional: &[Parameter {
            name: "path",
            takes: Type::Varchar,
            default: "required",
            meaning: "the file; what it holds already is kept, and numbered before",
        }],
        columns: &[
            ("operations", Type::BigInt, "how many moved"),
            ("path", Type::Varchar, "where the log is now"),
        ],
        effects: &[Effect::Configures, Effect::WritesFile],
        answer: open,
        ..BASE
    },
];

pub const METRICS: EngineFunction = EngineFunction {
    name: "oplog_metrics",
    summary: "Every metric as `prometheus_text()` gives it, one row a sample.",
    example: "FROM oplog_metrics();",
    columns: &[
        (
            "name",
            Type::Varchar,
            "the sample; a histogram has one for each bucket, a `_sum` and a `_count`",
        ),
        ("type", Type::Varchar, "counter, gauge or histogram"),
        ("labels", Type::TextMap, "names and values"),
        ("value", Type::Double, "what it is now"),
        ("help", Type::Varchar, "what the metric says"),
    ],
    answer: metrics,
    ..BASE
};

fn metrics(engine: &Engine, _: &Arguments) -> Answer {
    let rows = engine.metrics().registry.rows();
    Ok(rows
        .into_iter()
        .map(|row| {
            vec![
                Value::text(row.name),
                Value::text(row.kind.name()),
                Value::Structs(
                    row.labels
                        .into_iter()
                        .map(|(name, value)| vec![name, value])
                        .collect(),
                ),
                Value::Double(row.value),
                Value::text(row.help),
            ]
        })
        .collect())
}

fn open(engine: &Engine, arguments: &Arguments) -> Answer {
    let path = arguments.path("path")?;
    if path.is_empty() {
        return Err("path is '': name the file that the log shall be kept in".into());
    }
    let moved = engine.move_to(Path::new(&path))?;
    let place = engine.status().place;
    let path = place.path().unwrap_or(Path::new("")).display().to_string();
    Ok(vec![vec![Value::Integer(moved as i64), Value::text(path)]])
}

fn settings(engine: &Engine, _: &Arguments) -> Answer {
    let settings = engine.settings();
    Ok(Setting::ALL
        .iter()
        .map(|setting| {
            vec![
                Value::text(setting.name()),
                Value::text(settings.get(*setting).to_string()),
                Value::text(setting.default().to_string()),
                Value::text(setting.unit()),
                Value::Boolean(settings.is_set(*setting)),
                Value::text(setting.meaning()),
            ]
        })
        .collect())
}
