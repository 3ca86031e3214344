//! The archive: where operations go before retention deletes them.

use super::engine_function::{Arguments, EngineFunction, Parameter, Type, BASE};
use super::policy::Effect;
use super::rows::{Answer, Value};
use crate::calendar::{format_interval, parse_interval_us, DAY_US};
use crate::engine::Engine;
use crate::excerpt::excerpt;
use crate::store::{absolute, Archive};
use std::path::Path;

/// Files of less would be many and small, and what has to go would wait for longer.
const EVERY_US: std::ops::RangeInclusive<i64> = 60_000_000..=31 * DAY_US;

pub const ALL: &[EngineFunction] = &[
    EngineFunction {
        name: "oplog_archive_set",
        summary: "Has operations written to Parquet files before retention deletes them, in a folder for each day (UTC): \
            [the archive](retention.md#the-archive). `''` ends that; files that there are stay. Kept with the log.",
        example: "CALL oplog_archive_set('archive', every := '1 day');",
        positional: &[Parameter {
            name: "path",
            takes: Type::Varchar,
            default: "required",
            meaning: "the folder; it is made if only its last part is missing. `''` for none",
        }],
        named: &[Parameter {
            name: "every",
            takes: Type::Varchar,
            default: "'1 day'",
            meaning: "operations go in periods of this length, a minute to 31 days: a day's go when its last one is too old",
        }],
        columns: &[
            ("path", Type::Varchar, "the folder; NULL for none"),
            ("every", Type::Varchar, "the length of the periods"),
        ],
        effects: &[Effect::Configures, Effect::WritesFile],
        check: |arguments| wanted(arguments).map(drop),
        answer: set,
    },
    EngineFunction {
        name: "oplog_archive",
        summary: "The files of the archive.",
        example: "FROM oplog_archive();",
        columns: &[
            ("file", Type::Varchar, "the file"),
            ("operations", Type::BigInt, "operations in it"),
            ("bytes", Type::BigInt, "its size"),
            ("first_at", Type::TimestampTz, "when the first of its operations ended"),
            ("last_at", Type::TimestampTz, "when the last of them ended"),
            ("archived_at", Type::TimestampTz, "when it was written"),
            ("present", Type::Boolean, "whether it is still there; one that is not is left out of answers"),
        ],
        answer: files,
        ..BASE
    },
];

/// What was asked for; none to end it.
fn wanted(arguments: &Arguments) -> Result<Option<Archive>, String> {
    let every = arguments.text("every");
    let every = every.as_deref().unwrap_or("1 day");
    let every_us = parse_interval_us(every).filter(|us| EVERY_US.contains(us));
    let every_us = every_us.ok_or_else(|| {
        format!(
            "every is '{}': give an interval of a minute to 31 days, such as '1 day'",
            excerpt(every)
        )
    })?;
    let path = arguments.path("path")?;
    if path.is_empty() {
        return Ok(None);
    }
    if path.contains("://") {
        return Err(format!(
            "path is '{}': give a folder of this machine; what is in it can be copied anywhere",
            excerpt(&path)
        ));
    }
    Ok(Some(Archive {
        path: absolute(Path::new(&path)),
        every_us,
    }))
}

fn set(engine: &Engine, arguments: &Arguments) -> Answer {
    let archive = wanted(arguments)?;
    engine.set_archive(archive.clone())?;
    Ok(vec![match archive {
        None => vec![Value::Null, Value::Null],
        Some(archive) => vec![
            Value::text(archive.path.display().to_string()),
            Value::text(format_interval(archive.every_us)),
        ],
    }])
}

fn files(engine: &Engine, _: &Arguments) -> Answer {
    let files = engine.answering().archive_files()?;
    Ok(files
        .into_iter()
        .map(|file| {
            vec![
                Value::text(file.path.display().to_string()),
                Value::Integer(file.operations as i64),
                Value::Integer(file.bytes as i64),
                Value::Time(file.first_us),
                Value::Time(file.last_us),
                Value::Time(file.archived_us),
                Value::Boolean(file.is_there()),
            ]
        })
        .collect())
}
