//! docs/functions.md, made of the declarations. The test below fails where the file is not what they say;
//! `make reference` writes it anew.

use super::alerts::{self, AlertSet};
use super::figures::{self, Figure};
use super::parameters::{Parameter, Role};
use super::readings::{self, Column, Columns, Reading};
use super::{
    active, describe, finish, metrics, publish, record, relations, serve, start, version,
    Documentation,
};
use crate::duckdb::TypeId;
use crate::record::{Field, Kind};
use crate::settings::{Setting, Type};
use std::fmt::Write;

const HEAD: &str = "\
# Function reference

What `LOAD oplog` adds, made from the declarations in `src/functions` by `make reference`. Parameters with a name are
optional and given by it: `oplog_stats(period := '24h')`. Every function that reads sees all that was recorded before.

";

fn rendered() -> String {
    let mut out = HEAD.to_owned();
    out.push_str("## Recording\n\n");
    scalar(&mut out, "oplog_record", &record::DOCUMENTATION);
    fields(&mut out);
    out.push_str("## Spans\n\n");
    scalar(&mut out, "oplog_start", &start::DOCUMENTATION);
    scalar(&mut out, "oplog_finish", &finish::DOCUMENTATION);
    figure(&mut out, &active::ACTIVE);
    out.push_str("## Reading\n\n");
    for function in readings::ALL {
        reading(&mut out, function);
    }
    out.push_str("## The engine\n\n");
    for function in figures::ALL {
        figure(&mut out, function);
    }
    scalar(&mut out, "oplog_version", &version::DOCUMENTATION);
    out.push_str("## Health and alerts\n\n");
    for function in alerts::ALL {
        figure(&mut out, function);
    }
    alert_set(&mut out);
    out.push_str("## Metrics\n\n");
    scalar(&mut out, "oplog_counter", &publish::COUNTER);
    scalar(&mut out, "oplog_gauge", &publish::GAUGE);
    scalar(&mut out, "oplog_observe", &publish::OBSERVE);
    scalar(&mut out, "oplog_describe", &describe::DOCUMENTATION);
    figure(&mut out, &figures::METRICS);
    scalar(&mut out, "prometheus_text", &metrics::PROMETHEUS_TEXT);
    scalar(&mut out, "openmetrics_text", &metrics::OPENMETRICS_TEXT);
    relations(&mut out);
    out.push_str("## HTTP\n\n");
    serving(&mut out);
    figure(&mut out, &serve::STOP);
    settings(&mut out);
    format!("{}\n", out.trim_end())
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

fn example(out: &mut String, sql: &str) {
    line(out, format_args!("```sql\n{sql}\n```\n"));
}

fn scalar(out: &mut String, name: &str, documentation: &Documentation) {
    line(out, format_args!("### `{name}`\n"));
    for signature in documentation.signatures {
        line(out, format_args!("- `{signature}`"));
    }
    line(out, format_args!("\n{}\n", documentation.summary));
    example(out, documentation.example);
}

fn fields(out: &mut String) {
    line(out, format_args!("#### Fields of an operation\n"));
    line(out, format_args!("| field | type | default | meaning |"));
    line(out, format_args!("|---|---|---|---|"));
    for field in Field::ALL {
        let default = match (*field, field.default()) {
            (Field::Command, _) => "required",
            (_, "") => "NULL",
            (_, default) => default,
        };
        line(
            out,
            format_args!(
                "| `{}` | {} | {default} | {} |",
                field.name(),
                field_type(field.kind()),
                field.meaning()
            ),
        );
    }
    out.push('\n');
}

fn field_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Status | Kind::TraceParent => "VARCHAR",
        Kind::Milliseconds => "DOUBLE",
        Kind::Count => "BIGINT",
        Kind::Time => "TIMESTAMP WITH TIME ZONE",
        Kind::Json => "JSON",
    }
}

fn reading(out: &mut String, function: &Reading) {
    let positional: Vec<&str> = function
        .positional
        .iter()
        .map(|parameter| parameter.name)
        .collect();
    line(
        out,
        format_args!("### `{}({})`\n", function.name, positional.join(", ")),
    );
    line(out, format_args!("{}\n", function.summary));
    example(out, function.example);
    let parameters: Vec<&Parameter> = function.positional.iter().chain(function.named).collect();
    if !parameters.is_empty() {
        line(
            out,
            format_args!("| parameter | type | default | meaning |"),
        );
        line(out, format_args!("|---|---|---|---|"));
        for parameter in parameters {
            let default = match (parameter.name, parameter.role) {
                ("period", _) => function
                    .default_period
                    .map_or("everything".into(), |period| format!("'{period}'")),
                (_, Role::Rows { default: i64::MAX }) => "all".into(),
                (_, Role::Rows { default }) => default.to_string(),
                ("by", _) if !function.default_by.is_empty() => {
                    format!("'{}'", function.default_by.join(","))
                }
                (_, Role::Id) => "required".into(),
                _ => String::new(),
            };
            line(
                out,
                format_args!(
                    "| `{}` | {} | {default} | {} |",
                    parameter.name,
                    parameter_type(parameter),
                    parameter.meaning
                ),
            );
        }
        out.push('\n');
    }
    if function.filters {
        let names: Vec<String> = super::parameters::FILTERS
            .iter()
            .map(|filter| format!("`{}`", filter.name))
            .collect();
        line(out, format_args!("Filters: {}.\n", names.join(", ")));
    }
    match &function.columns {
        Columns::Log => line(
            out,
            format_args!("Columns: those of the log, `DESCRIBE operation_log`.\n"),
        ),
        Columns::Listed(listed) => columns(out, listed),
        Columns::Grouped(listed) => {
            line(out, format_args!("Columns: those of `by`, and\n"));
            columns(out, listed);
        }
    }
}

fn parameter_type(parameter: &Parameter) -> &'static str {
    match parameter.role {
        Role::Id => "UUID",
        Role::Time => "TIMESTAMPTZ, TIMESTAMP, DATE or VARCHAR",
        _ => parameter.type_id.sql_name(),
    }
}

fn columns(out: &mut String, listed: &[Column]) {
    line(out, format_args!("| column | type | meaning |"));
    line(out, format_args!("|---|---|---|"));
    for (name, sql_type, meaning) in listed {
        line(out, format_args!("| `{name}` | {sql_type} | {meaning} |"));
    }
    out.push('\n');
}

fn figure(out: &mut String, function: &Figure) {
    let positional: Vec<&str> = function.positional.iter().map(|(name, _)| *name).collect();
    line(
        out,
        format_args!("### `{}({})`\n", function.name, positional.join(", ")),
    );
    line(out, format_args!("{}\n", function.summary));
    example(out, function.example);
    for (name, meaning) in function.positional {
        line(out, format_args!("- `{name}` VARCHAR: {meaning}\n"));
    }
    typed_columns(out, function.columns);
}

fn alert_set(out: &mut String) {
    line(out, format_args!("### `{}(name)`\n", AlertSet::NAME));
    line(out, format_args!("{}\n", AlertSet::SUMMARY));
    example(out, AlertSet::EXAMPLE);
    line(out, format_args!("| parameter | type | meaning |"));
    line(out, format_args!("|---|---|---|"));
    for (name, type_id, meaning) in AlertSet::PARAMETERS {
        line(
            out,
            format_args!("| `{name}` | {} | {meaning} |", type_id.sql_name()),
        );
    }
    out.push('\n');
    typed_columns(out, AlertSet::COLUMNS);
}

fn typed_columns(out: &mut String, listed: &[(&'static str, TypeId, &'static str)]) {
    let listed: Vec<Column> = listed
        .iter()
        .map(|(name, type_id, meaning)| (*name, figures::column_type_name(*type_id), *meaning))
        .collect();
    columns(out, &listed);
}

fn relations(out: &mut String) {
    line(out, format_args!("### Relations\n"));
    for relation in relations::ALL {
        line(
            out,
            format_args!("- `{}`: {}", relation.name, relation.meaning),
        );
    }
    out.push('\n');
    example(out, "SELECT text FROM oplog.prometheus;");
}

fn serving(out: &mut String) {
    line(out, format_args!("### `{}()`\n", serve::NAME));
    line(out, format_args!("{}\n", serve::SUMMARY));
    example(out, serve::EXAMPLE);
    line(
        out,
        format_args!("| parameter | type | default | meaning |"),
    );
    line(out, format_args!("|---|---|---|---|"));
    for (name, type_id, default, meaning) in serve::PARAMETERS {
        let type_name = type_id.sql_name();
        line(
            out,
            format_args!("| `{name}` | {type_name} | {default} | {meaning} |"),
        );
    }
    out.push('\n');
    columns(
        out,
        &serve::COLUMNS.map(|(name, type_id, meaning)| (name, type_id.sql_name(), meaning)),
    );
}

fn settings(out: &mut String) {
    line(out, format_args!("## Settings\n"));
    line(
        out,
        format_args!(
            "`PRAGMA name = value` or `SET name = value`. A value is applied at the next call of an oplog function, and kept with\nthe log: it holds again after a restart.\n"
        ),
    );
    line(out, format_args!("| setting | type | default | meaning |"));
    line(out, format_args!("|---|---|---|---|"));
    for setting in Setting::ALL {
        let sql_type = match setting.takes() {
            Type::Interval => "INTERVAL",
            Type::Bytes | Type::Word(_) => "VARCHAR",
            Type::Boolean => "BOOLEAN",
            Type::UBigInt => "UBIGINT",
        };
        line(
            out,
            format_args!(
                "| `{}` | {sql_type} | {} | {} |",
                setting.name(),
                setting.default(),
                setting.meaning()
            ),
        );
    }
}

#[test]
fn the_reference_in_the_docs_is_what_the_declarations_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/functions.md");
    let rendered = rendered();
    if std::env::var_os("OPLOG_WRITE_REFERENCE").is_some() {
        std::fs::write(path, &rendered).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == rendered,
        "docs/functions.md is not current: run `make reference`"
    );
}
