//! docs/functions.md, and a table each of docs/metrics.md and docs/http.md, made of the declarations. The tests below fail where a file is not what they say;
//! `make reference` writes it anew.

use super::relations::Relation;
use super::scalar::ScalarFunction;
use super::surface::{Part, SURFACE};
use super::table::engine_function::{self, EngineFunction};
use super::table::log_query::{Column, Columns, LogQuery};
use super::table::parameters;
use crate::metrics::{Declaration, Registry, SelfMetrics};
use crate::record::{Field, Kind};
use crate::serve::{Route, Shape, PROJECT, ROUTES};
use crate::settings::{Setting, Type};
use std::fmt::Write;

const HEAD: &str = "\
# Function reference

What `LOAD oplog` adds, made from the declarations in `src/functions` by `make reference`. Parameters with a name are
optional and given by it: `oplog_stats(period := '24h')`. Every function that reads sees all that was recorded before.

";

fn rendered() -> String {
    let mut out = HEAD.to_owned();
    for section in SURFACE {
        line(&mut out, format_args!("## {}\n", section.title));
        for part in section.parts {
            match part {
                Part::Scalars(functions) => functions.iter().for_each(|f| scalar(&mut out, f)),
                Part::LogQueries(functions) => {
                    functions.iter().for_each(|f| log_query(&mut out, f))
                }
                Part::EngineFunctions(functions) => {
                    functions.iter().for_each(|f| engine_function(&mut out, f));
                }
                Part::Relations(all) => relations(&mut out, all),
            }
        }
    }
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

fn scalar(out: &mut String, function: &ScalarFunction) {
    let name = function.name;
    line(out, format_args!("### `{name}`\n"));
    for (parameters, returns) in function.signatures {
        line(out, format_args!("- `{name}({parameters}) -> {returns}`"));
    }
    line(out, format_args!("\n{}\n", function.summary));
    example(out, function.example);
    if name == "oplog_record" {
        fields(out);
    }
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

fn log_query(out: &mut String, function: &LogQuery) {
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
    let parameters: Vec<&parameters::Parameter> =
        function.positional.iter().chain(function.named).collect();
    if !parameters.is_empty() {
        line(
            out,
            format_args!("| parameter | type | default | meaning |"),
        );
        line(out, format_args!("|---|---|---|---|"));
        for parameter in parameters {
            let default = function.default_of(parameter);
            line(
                out,
                format_args!(
                    "| `{}` | {} | {default} | {} |",
                    parameter.name,
                    parameter.type_name(),
                    parameter.meaning
                ),
            );
        }
        out.push('\n');
    }
    if function.filters {
        let names: Vec<String> = parameters::FILTERS
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

fn columns(out: &mut String, listed: &[Column]) {
    line(out, format_args!("| column | type | meaning |"));
    line(out, format_args!("|---|---|---|"));
    for (name, sql_type, meaning) in listed {
        line(out, format_args!("| `{name}` | {sql_type} | {meaning} |"));
    }
    out.push('\n');
}

fn engine_function(out: &mut String, function: &EngineFunction) {
    let positional: Vec<&str> = function.positional.iter().map(|p| p.name).collect();
    line(
        out,
        format_args!("### `{}({})`\n", function.name, positional.join(", ")),
    );
    line(out, format_args!("{}\n", function.summary));
    example(out, function.example);
    if function.named.is_empty() {
        for engine_function::Parameter { name, meaning, .. } in function.positional {
            line(out, format_args!("- `{name}` VARCHAR: {meaning}\n"));
        }
    } else {
        line(
            out,
            format_args!("| parameter | type | default | meaning |"),
        );
        line(out, format_args!("|---|---|---|---|"));
        for parameter in function.positional.iter().chain(function.named) {
            let (type_name, default) = (parameter.takes.sql_name(), parameter.default);
            line(
                out,
                format_args!(
                    "| `{}` | {type_name} | {default} | {} |",
                    parameter.name, parameter.meaning
                ),
            );
        }
        out.push('\n');
    }
    line(out, format_args!("| column | type | meaning |"));
    line(out, format_args!("|---|---|---|"));
    for (name, column_type, meaning) in function.columns {
        let type_name = column_type.sql_name();
        line(out, format_args!("| `{name}` | {type_name} | {meaning} |"));
    }
    out.push('\n');
}

fn relations(out: &mut String, all: &[Relation]) {
    line(out, format_args!("### Relations\n"));
    for relation in all {
        line(
            out,
            format_args!("- `{}`: {}", relation.name, relation.meaning),
        );
    }
    out.push('\n');
    example(out, "SELECT text FROM oplog.prometheus;");
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

/// The table of oplog's own metrics in docs/metrics.md.
fn self_metrics() -> String {
    let own = SelfMetrics::register(&Registry::default());
    let mut out = String::from("| name | type | labels | |\n|---|---|---|---|\n");
    out.push_str("| `oplog_build_info` | gauge | `version` | the version of oplog; always 1 |\n");
    for declaration in own.declarations() {
        let Declaration {
            name, kind, help, ..
        } = declaration;
        line(
            &mut out,
            format_args!("| `{name}` | {} | | {help} |", kind.name()),
        );
    }
    out
}

/// Checks that a page is what the declarations say, given what it is now; writes it where that was asked for.
fn assert_current(page: &str, rendered: impl FnOnce(&str) -> String) {
    let path = format!("{}/{page}", env!("CARGO_MANIFEST_DIR"));
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let rendered = rendered(&written);
    if std::env::var_os("OPLOG_WRITE_REFERENCE").is_some() {
        std::fs::write(&path, &rendered).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == rendered,
        "{page} is not current: run `make reference`"
    );
}

/// A page with another table in the place of the one of this heading.
fn with_table(page: &str, table: &str) -> String {
    let (heading, _) = table.split_once('\n').unwrap();
    let (before, rest) = page.split_once(heading).unwrap();
    let (_, after) = rest.split_once("\n\n").unwrap();
    format!("{before}{table}\n{after}")
}

#[test]
fn the_page_about_metrics_has_those_that_are_declared() {
    assert_current("docs/metrics.md", |page| {
        // Other tables there have the same heading.
        let (others, last) = page.split_at(own_table(page));
        format!("{others}{}", with_table(last, &self_metrics()))
    });
}

/// Where the table of oplog's own metrics begins.
fn own_table(page: &str) -> usize {
    let (before, _) = page.split_once("| `oplog_build_info`").unwrap();
    before.rfind("| name | type |").unwrap()
}

/// The table of paths in docs/http.md.
fn paths() -> String {
    let mut out = String::from("| path | answers | like |\n|---|---|---|\n");
    for route in ROUTES {
        let Route { path, answers, .. } = route;
        let like = match route.shape {
            Shape::Metrics => "`prometheus_text()`, `openmetrics_text()`".to_owned(),
            Shape::Health => "`oplog_health()`".to_owned(),
            Shape::Page(name) | Shape::Member(name) | Shape::Row(name) => format!("`{name}(…)`"),
        };
        line(&mut out, format_args!("| `{path}` | {answers} | {like} |"));
    }
    let of_project = ROUTES.iter().filter(|route| route.of_project);
    let below: Vec<String> = of_project
        .map(|route| format!("`{PROJECT}{}`", route.path))
        .collect();
    line(
        &mut out,
        format_args!(
            "| {} | the same of one project | `project_id := …` |",
            below.join(", ")
        ),
    );
    out
}

#[test]
fn the_page_about_http_has_the_paths_that_there_are() {
    assert_current("docs/http.md", |page| with_table(page, &paths()));
}

#[test]
fn the_reference_in_the_docs_is_what_the_declarations_say() {
    assert_current("docs/functions.md", |_| rendered());
}
