//! Everything that `LOAD` adds, in the order of the reference, and `oplog_functions()`, which lists it.

use super::relations::{self, Relation};
use super::scalar::{
    counter_gauge_observe, describe, exposition, finish, record, start, statements, version,
    ScalarFunction,
};
use super::table::engine_function::{
    Arguments, Column, EngineFunction, EngineTable, Parameter, Type, BASE,
};
use super::table::log_query::{Columns, LogQuery};
use super::table::log_query_table::LogQueryTable;
use super::table::query::Query;
use super::table::rows::{Answer, Value};
use super::table::{
    active, alerts, archive, backup, capacity, engine_functions, history, log_queries, parameters,
    policy, retention, serve,
};
use super::Session;
use crate::duckdb::Host;
use crate::engine::Engine;

/// A heading of the reference and what stands under it.
pub struct Section {
    pub title: &'static str,
    pub parts: &'static [Part],
}

pub enum Part {
    Scalars(&'static [ScalarFunction]),
    LogQueries(&'static [LogQuery]),
    EngineFunctions(&'static [EngineFunction]),
    Relations(&'static [Relation]),
}

pub const SURFACE: &[Section] = &[
    Section {
        title: "Recording",
        parts: &[Part::Scalars(&[record::RECORD])],
    },
    Section {
        title: "Spans",
        parts: &[
            Part::Scalars(&[start::START, finish::FINISH]),
            Part::EngineFunctions(&[active::ACTIVE]),
        ],
    },
    Section {
        title: "Reading",
        parts: &[Part::LogQueries(log_queries::ALL)],
    },
    Section {
        title: "Statements",
        parts: &[Part::Scalars(&[
            statements::NORMALIZE,
            statements::FINGERPRINT,
        ])],
    },
    Section {
        title: "Retention",
        parts: &[
            Part::EngineFunctions(retention::ALL),
            Part::EngineFunctions(archive::ALL),
        ],
    },
    Section {
        title: "The engine",
        parts: &[
            Part::EngineFunctions(engine_functions::ALL),
            Part::EngineFunctions(backup::ALL),
            Part::EngineFunctions(&[FUNCTIONS]),
            Part::Scalars(&[version::VERSION]),
        ],
    },
    Section {
        title: "Health and alerts",
        parts: &[Part::EngineFunctions(alerts::ALL)],
    },
    Section {
        title: "Metrics",
        parts: &[
            Part::Scalars(&[
                counter_gauge_observe::COUNTER,
                counter_gauge_observe::GAUGE,
                counter_gauge_observe::OBSERVE,
                describe::DESCRIBE,
            ]),
            Part::EngineFunctions(&[engine_functions::METRICS]),
            Part::EngineFunctions(history::ALL),
            Part::EngineFunctions(capacity::ALL),
            Part::Scalars(&[exposition::PROMETHEUS_TEXT, exposition::OPENMETRICS_TEXT]),
            Part::Relations(relations::ALL),
        ],
    },
    Section {
        title: "HTTP",
        parts: &[Part::EngineFunctions(serve::ALL)],
    },
];

fn parts() -> impl Iterator<Item = &'static Part> {
    SURFACE.iter().flat_map(|section| section.parts)
}

/// Registers all functions; the relations have one replacement scan for all of them.
pub fn register(host: &Host<'_>, session: &Session) -> Result<(), String> {
    for part in parts() {
        match part {
            Part::Scalars(functions) => {
                for function in *functions {
                    (function.register)(host, session)?;
                }
            }
            Part::LogQueries(functions) => {
                for function in *functions {
                    policy::register(host, session, LogQueryTable::new(session, function))?;
                }
            }
            Part::EngineFunctions(functions) => {
                for function in *functions {
                    policy::register(host, session, EngineTable::new(session, function))?;
                }
            }
            Part::Relations(_) => {}
        }
    }
    Ok(())
}

/// What there is to say of a parameter.
const PARAMETER_FIELDS: &[&str] = &["name", "type", "default", "meaning"];
/// What there is to say of a column.
const COLUMN_FIELDS: &[&str] = &["name", "type", "meaning"];

const FUNCTIONS: EngineFunction = EngineFunction {
    name: "oplog_functions",
    summary: "What oplog adds: a row for each signature of a function, and for each relation. \
        `unnest(parameters, recursive := true)` gives the parameters a row each.",
    example: "FROM oplog_functions();",
    columns: &[
        ("name", Type::Varchar, "the function or relation"),
        ("kind", Type::Varchar, "`scalar`, `table` or `relation`"),
        ("section", Type::Varchar, "its heading in the reference"),
        (
            "parameters",
            Type::TextStructs(PARAMETER_FIELDS),
            "in their order; those of a table function that are not `required` are given by their names",
        ),
        (
            "columns",
            Type::TextStructs(COLUMN_FIELDS),
            "of a table function or relation; for a scalar function what it returns, which has no name",
        ),
        ("summary", Type::Varchar, "what it does"),
        ("example", Type::Varchar, "a statement that runs as it is"),
    ],
    answer: functions,
    ..BASE
};

fn functions(engine: &Engine, _: &Arguments) -> Answer {
    let mut rows = Vec::new();
    for section in SURFACE {
        for part in section.parts {
            match part {
                Part::Scalars(functions) => {
                    for function in *functions {
                        rows.extend(scalar_rows(section.title, function));
                    }
                }
                Part::LogQueries(functions) => {
                    for function in *functions {
                        rows.push(log_query_row(section.title, function, engine)?);
                    }
                }
                Part::EngineFunctions(functions) => {
                    rows.extend(
                        functions
                            .iter()
                            .map(|f| engine_function_row(section.title, f)),
                    );
                }
                Part::Relations(relations) => {
                    for relation in *relations {
                        rows.push(relation_row(section.title, relation, engine)?);
                    }
                }
            }
        }
    }
    Ok(rows)
}

fn row(
    name: &str,
    kind: &str,
    section: &str,
    parameters: Vec<Vec<String>>,
    columns: Vec<Vec<String>>,
    summary: &str,
    example: &str,
) -> Vec<Value> {
    vec![
        Value::text(name),
        Value::text(kind),
        Value::text(section),
        Value::Structs(parameters),
        Value::Structs(columns),
        Value::text(summary),
        Value::text(example),
    ]
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

fn scalar_rows(section: &str, function: &ScalarFunction) -> Vec<Vec<Value>> {
    let signatures = function.signatures.iter();
    signatures
        .map(|(parameters, returns)| {
            let parameters = parameters.split(", ").filter_map(|parameter| {
                let (name, takes) = parameter.split_once(' ')?;
                Some(texts([name, takes, "", ""]))
            });
            row(
                function.name,
                "scalar",
                section,
                parameters.collect(),
                vec![texts(["", returns, ""])],
                function.summary,
                function.example,
            )
        })
        .collect()
}

fn columns(listed: &[Column]) -> Vec<Vec<String>> {
    let column =
        |(name, column_type, meaning): &Column| texts([name, &column_type.sql_name(), meaning]);
    listed.iter().map(column).collect()
}

fn engine_function_row(section: &str, function: &EngineFunction) -> Vec<Value> {
    let parameter = |parameter: &Parameter| {
        texts([
            parameter.name,
            &parameter.takes.sql_name(),
            parameter.default,
            parameter.meaning,
        ])
    };
    let parameters = function.positional.iter().chain(function.named);
    row(
        function.name,
        "table",
        section,
        parameters.map(parameter).collect(),
        columns(function.columns),
        function.summary,
        function.example,
    )
}

fn log_query_row(
    section: &str,
    function: &'static LogQuery,
    engine: &Engine,
) -> Result<Vec<Value>, String> {
    let parameters = function.positional.iter().chain(function.parameters());
    let parameter = |parameter: &parameters::Parameter| {
        texts([
            parameter.name,
            parameter.type_name(),
            &function.default_of(parameter),
            parameter.meaning,
        ])
    };
    Ok(row(
        function.name,
        "table",
        section,
        parameters.map(parameter).collect(),
        columns_of(function, &function.columns, engine)?,
        function.summary,
        function.example,
    ))
}

/// The columns of a query to the log.
fn columns_of(
    log_query: &'static LogQuery,
    documented: &Columns,
    engine: &Engine,
) -> Result<Vec<Vec<String>>, String> {
    let documented: &[_] = match documented {
        Columns::Log => &[],
        Columns::Listed(columns) | Columns::Grouped(columns) => columns,
    };
    let columns = Query::default_of(log_query)?.columns(engine.answering())?;
    let column = |(name, type_name): (String, String)| {
        let mut documented = documented.iter().filter(|(column, ..)| *column == name);
        match documented.next() {
            // Of a nested type DuckDB gives the name of its kind only.
            Some((_, type_name, meaning)) => texts([&name, type_name, meaning]),
            None => texts([&name, &type_name, log_queries::meaning_of(&name)]),
        }
    };
    Ok(columns.into_iter().map(column).collect())
}

fn relation_row(section: &str, relation: &Relation, engine: &Engine) -> Result<Vec<Value>, String> {
    let columns = match &relation.columns {
        Columns::Listed(columns) => {
            let columns = columns.iter();
            columns
                .map(|(name, type_name, meaning)| texts([name, type_name, meaning]))
                .collect()
        }
        of_log => match relation.function().and_then(log_queries::named) {
            Some(log_query) => columns_of(log_query, of_log, engine)?,
            None => Vec::new(),
        },
    };
    Ok(row(
        relation.name,
        "relation",
        section,
        Vec::new(),
        columns,
        relation.meaning,
        &format!("FROM {};", relation.name),
    ))
}
