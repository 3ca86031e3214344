//! The functions that answer from the engine itself, or that make it do something now and say what came of it.

use super::policy::{Effect, Effects};
use super::Session;
use crate::duckdb::{Context, LogicalType, Table, TableBind, TableOutput, TypeId};
use crate::engine::Engine;
use crate::excerpt::excerpt;
use crate::settings::Setting;
use std::path::Path;

/// A value of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Text(String),
    Integer(i64),
    Count(u64),
    Double(f64),
    Boolean(bool),
    Uuid(u128),
    /// Microseconds since 1970.
    Time(i64),
    /// Of a MAP(VARCHAR, VARCHAR).
    Map(Vec<(String, String)>),
}

impl Value {
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() {
            Self::Null
        } else {
            Self::Text(text)
        }
    }
}

pub type Answer = Result<Vec<Vec<Value>>, String>;

/// A function whose rows the engine makes.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "only the reference reads them, and tests make it")
)]
pub struct Figure {
    pub name: &'static str,
    pub summary: &'static str,
    pub example: &'static str,
    /// Names and meanings of the positional parameters, all VARCHAR.
    pub positional: &'static [(&'static str, &'static str)],
    /// Name, type and meaning of each.
    pub columns: &'static [(&'static str, TypeId, &'static str)],
    /// What it does beyond reading the log; a file is the one that the first parameter names.
    pub effects: &'static [Effect],
    pub answer: fn(&Engine, &[String]) -> Answer,
}

pub const ALL: &[Figure] = &[
    Figure {
        name: "oplog_settings",
        summary: "Every setting: its value, default, unit and meaning, and whether somebody set it.",
        example: "FROM oplog_settings();",
        positional: &[],
        columns: &[
            ("name", TypeId::Varchar, "the setting"),
            ("value", TypeId::Varchar, "the value in force"),
            ("default_value", TypeId::Varchar, "what holds until somebody sets it"),
            ("unit", TypeId::Varchar, "the unit of the value"),
            ("is_set", TypeId::Boolean, "whether somebody has set it"),
            ("meaning", TypeId::Varchar, "what it decides"),
        ],
        effects: &[],
        answer: settings,
    },
    Figure {
        name: "oplog_status",
        summary: "The engine's own figures: where the log is, what waits, what was refused, what went wrong.",
        example: "FROM oplog_status();",
        positional: &[],
        columns: &[
            ("name", TypeId::Varchar, "the figure"),
            ("value", TypeId::Varchar, "its value, as text"),
            ("unit", TypeId::Varchar, "what it counts"),
            ("meaning", TypeId::Varchar, "what it says"),
        ],
        effects: &[],
        answer: super::status::status,
    },
    Figure {
        name: "oplog_flush",
        summary: "Commits everything recorded so far to the log; the operations that waited.",
        example: "CALL oplog_flush();",
        positional: &[],
        columns: &[("operations", TypeId::BigInt, "how many waited")],
        effects: &[],
        answer: |engine, _| Ok(vec![vec![Value::Integer(engine.flush()? as i64)]]),
    },
    Figure {
        name: "oplog_purge",
        summary: "Applies the retention policy now; what it deleted, by age and by size.",
        example: "CALL oplog_purge();",
        positional: &[],
        columns: &[
            ("deleted", TypeId::BigInt, "operations deleted"),
            ("deleted_by_age", TypeId::BigInt, "those that were too old"),
            ("deleted_by_size", TypeId::BigInt, "those that were too many"),
        ],
        effects: &[],
        answer: |engine, _| {
            let purged = engine.purge()?;
            Ok(vec![vec![
                Value::Integer((purged.by_age + purged.by_size) as i64),
                Value::Integer(purged.by_age as i64),
                Value::Integer(purged.by_size as i64),
            ]])
        },
    },
    Figure {
        name: "oplog_open",
        summary: "Moves the log, rows included, to another file, where it stays; the operations that moved.",
        example: "CALL oplog_open('service.oplog');",
        positional: &[("path", "the file; what it holds already is kept, and numbered before")],
        columns: &[
            ("operations", TypeId::BigInt, "how many moved"),
            ("path", TypeId::Varchar, "where the log is now"),
        ],
        effects: &[Effect::Configures, Effect::WritesFile],
        answer: open,
    },
];

pub const METRICS: Figure = Figure {
    name: "oplog_metrics",
    summary: "Every metric as `prometheus_text()` gives it, one row a sample.",
    example: "FROM oplog_metrics();",
    positional: &[],
    columns: &[
        (
            "name",
            TypeId::Varchar,
            "the sample; a histogram has one for each bucket, a `_sum` and a `_count`",
        ),
        ("type", TypeId::Varchar, "counter, gauge or histogram"),
        ("labels", TypeId::Map, "names and values"),
        ("value", TypeId::Double, "what it is now"),
        ("help", TypeId::Varchar, "what the metric says"),
    ],
    effects: &[],
    answer: metrics,
};

fn metrics(engine: &Engine, _: &[String]) -> Answer {
    let rows = engine.metrics().registry.rows();
    Ok(rows
        .into_iter()
        .map(|row| {
            vec![
                Value::text(row.name),
                Value::text(row.kind.name()),
                Value::Map(row.labels),
                Value::Double(row.value),
                Value::text(row.help),
            ]
        })
        .collect())
}

fn open(engine: &Engine, parameters: &[String]) -> Answer {
    let path = parameters.first().map(String::as_str).unwrap_or_default();
    if path.is_empty() {
        return Err("path is '': name the file that the log shall be kept in".into());
    }
    if path.contains('\0') {
        return Err(format!(
            "path is '{}': no path has a NUL character",
            excerpt(path)
        ));
    }
    let moved = engine.move_to(Path::new(path))?;
    let place = engine.status().place;
    let path = place.path().unwrap_or(Path::new("")).display().to_string();
    Ok(vec![vec![Value::Integer(moved as i64), Value::text(path)]])
}

fn settings(engine: &Engine, _: &[String]) -> Answer {
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

/// The type of a figure's column. The one MAP that there is has texts for keys and values.
fn column_type(type_id: TypeId) -> LogicalType {
    match type_id {
        TypeId::Map => LogicalType::text_map(),
        plain => LogicalType::new(plain),
    }
}

/// The SQL name of that type.
#[cfg(test)]
pub fn column_type_name(type_id: TypeId) -> &'static str {
    match type_id {
        TypeId::Map => "MAP(VARCHAR, VARCHAR)",
        plain => plain.sql_name(),
    }
}

/// A figure function as DuckDB sees it.
pub struct FigureFunction {
    session: Session,
    figure: &'static Figure,
}

impl FigureFunction {
    pub fn new(session: &Session, figure: &'static Figure) -> Self {
        Self {
            session: session.clone(),
            figure,
        }
    }
}

/// The rows of an answer, handed out a chunk at a time.
pub struct Scan {
    rows: std::vec::IntoIter<Vec<Value>>,
    columns: Vec<usize>,
}

impl Scan {
    /// `columns` are the positions of those that the host wants.
    pub fn new(rows: Vec<Vec<Value>>, columns: &[usize]) -> Self {
        Self {
            rows: rows.into_iter(),
            columns: columns.to_vec(),
        }
    }

    /// Fills a chunk; zero rows are the end.
    pub fn next_into(&mut self, output: &mut TableOutput) -> usize {
        let chunk: Vec<Vec<Value>> = self
            .rows
            .by_ref()
            .take(crate::duckdb::VECTOR_SIZE)
            .collect();
        for (to, from) in self.columns.iter().enumerate() {
            if matches!(
                chunk.first().and_then(|row| row.get(*from)),
                Some(Value::Map(_))
            ) {
                let mut column = output.map_mut(to);
                for (at, row) in chunk.iter().enumerate() {
                    if let Value::Map(pairs) = &row[*from] {
                        column.set(at, pairs);
                    }
                }
                continue;
            }
            let mut column = output.column_mut(to);
            for (count, row) in chunk.iter().enumerate() {
                // What is no column of ours is a row number that count(*) asks for and nobody reads.
                let Some(value) = row.get(*from) else {
                    continue;
                };
                match value {
                    Value::Null => column.set_null(count),
                    Value::Text(text) => column.set_text(count, text),
                    Value::Integer(number) => column.set_i64(count, *number),
                    Value::Count(number) => column.set_u64(count, *number),
                    Value::Double(number) => column.set_f64(count, *number),
                    Value::Uuid(id) => column.set_uuid(count, *id),
                    Value::Time(micros) => column.set_i64(count, *micros),
                    Value::Boolean(value) => column.set_bool(count, *value),
                    // A column of maps is one throughout.
                    Value::Map(_) => {}
                }
            }
        }
        chunk.len()
    }
}

impl Table for FigureFunction {
    type Bound = Vec<String>;
    type Scan = Scan;

    fn name(&self) -> &'static str {
        self.figure.name
    }

    fn positional(&self) -> Vec<TypeId> {
        vec![TypeId::Varchar; self.figure.positional.len()]
    }

    fn named(&self) -> Vec<(&'static str, TypeId)> {
        Vec::new()
    }

    fn bind(&self, bind: &mut TableBind<'_>) -> Result<Vec<String>, String> {
        for (name, type_id, _) in self.figure.columns {
            bind.add_column(name, &column_type(*type_id));
        }
        let named = self.figure.positional.iter().enumerate();
        named
            .map(|(index, (name, _))| {
                let text = bind.positional_text(index, name);
                text.map(Option::unwrap_or_default)
                    .map_err(|error| format!("{}: {error}", self.figure.name))
            })
            .collect()
    }

    fn start(
        &self,
        parameters: &Vec<String>,
        columns: &[usize],
        _: &Context,
    ) -> Result<Scan, String> {
        let rows = (self.figure.answer)(self.session.engine(), parameters)
            .map_err(|error| format!("{}: {error}", self.figure.name))?;
        Ok(Scan::new(rows, columns))
    }

    fn next(&self, scan: &mut Scan, output: &mut TableOutput) -> Result<usize, String> {
        Ok(scan.next_into(output))
    }
}

impl Effects for FigureFunction {
    fn effects(&self) -> &'static [Effect] {
        self.figure.effects
    }

    fn file<'a>(&self, parameters: &'a Vec<String>) -> Option<&'a str> {
        parameters.first().map(String::as_str)
    }
}
