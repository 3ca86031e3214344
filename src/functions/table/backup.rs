//! Backups of the log and checks of either: `oplog_backup` and `oplog_check`.

use super::engine_function::{Arguments, EngineFunction, Parameter, Type, BASE};
use super::policy::Effect;
use super::rows::{Answer, Value};
use crate::engine::Engine;
use crate::store::{Check, Verdict};
use std::path::{Path, PathBuf};
use std::time::Instant;

pub const ALL: &[EngineFunction] = &[BACKUP, CHECK];

const BACKUP: EngineFunction = EngineFunction {
    name: "oplog_backup",
    summary: "Writes a copy of the log, with all that was recorded before the call, into a new file while the log goes on. To restore \
        it, [copy the file back](guarantees.md#backups).",
    example: "CALL oplog_backup('service.backup.oplog');",
    positional: &[Parameter {
        name: "path",
        takes: Type::Varchar,
        default: "required",
        meaning: "the file to write; there must be none of that name",
    }],
    columns: &[
        ("path", Type::Varchar, "the backup"),
        ("operations", Type::BigInt, "operations in it"),
        ("bytes", Type::BigInt, "its size"),
        ("duration_ms", Type::Double, "how long it took"),
    ],
    effects: &[Effect::WritesFile],
    check: |arguments| file(arguments).map(drop),
    answer: back_up,
    ..BASE
};

const CHECK: EngineFunction = EngineFunction {
    name: "oplog_check",
    summary: "Checks the log, or the one in a file that nobody has open, such as a backup: every block has its checksum, every value can be \
        read, numbers and ids are there once, and totals and rollups are those of the operations. Nothing is changed.",
    example: "FROM oplog_check();",
    named: &[Parameter {
        name: "path",
        takes: Type::Varchar,
        default: "",
        meaning: "the file to check; the log itself where it is left out",
    }],
    columns: &[
        ("name", Type::Varchar, "what is checked: `checksums`, `schema`, `tables`, `seq`, `ids`, `keys`, `totals`, `rollups` or `durations`"),
        ("subject", Type::Varchar, "the file or table that it is checked of"),
        ("status", Type::Varchar, "`pass`, `fail`, or `skip` where it could not be checked"),
        ("detail", Type::Varchar, "what was found"),
    ],
    effects: &[Effect::ReadsFile],
    check: |arguments| match arguments.text("path") {
        Some(_) => file(arguments).map(drop),
        None => Ok(()),
    },
    answer: check,
    ..BASE
};

fn check(engine: &Engine, arguments: &Arguments) -> Answer {
    let path = arguments.text("path").map(PathBuf::from);
    let checks = engine.check(path.as_deref())?;
    let row = |check: Check| {
        let status = match check.verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Skip => "skip",
        };
        vec![
            Value::text(check.name),
            Value::text(check.subject),
            Value::text(status),
            Value::text(check.detail),
        ]
    };
    Ok(checks.into_iter().map(row).collect())
}

fn file(arguments: &Arguments) -> Result<PathBuf, String> {
    let path = arguments.path("path")?;
    if path.is_empty() {
        return Err("path is '': give the path of a file".into());
    }
    Ok(PathBuf::from(path))
}

fn back_up(engine: &Engine, arguments: &Arguments) -> Answer {
    let started = Instant::now();
    let backup = engine.back_up(&file(arguments)?)?;
    Ok(vec![vec![
        Value::text(shown(&backup.path)),
        Value::Integer(backup.operations as i64),
        Value::Integer(backup.bytes as i64),
        Value::Double(started.elapsed().as_secs_f64() * 1e3),
    ]])
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
