//! A function that reads the log, as DuckDB sees it.

use super::log_query::LogQuery;
use super::parameters::{from_call, id, Arguments};
use super::policy::{Effect, Effects};
use super::query::{executed, Failed, Query, JSON_COLUMN};
use crate::caller::Watched;
use crate::duckdb::{
    Context, LogicalType, Rows, Table, TableBind, TableOutput, TypeId, Value, VECTOR_SIZE,
};
use crate::engine::Shared;
use crate::functions::Session;
use crate::store::Parameter as Bound;

pub struct LogQueryTable {
    session: Session,
    log_query: &'static LogQuery,
}

impl LogQueryTable {
    pub fn new(session: &Session, log_query: &'static LogQuery) -> Self {
        Self {
            session: session.clone(),
            log_query,
        }
    }

    /// Has the log mended if it is its damage that a query has met; says whether it was.
    fn may_mend(&self, error: &Failed) -> bool {
        error.may_be_damage() && self.shared().mend()
    }

    fn shared(&self) -> &Shared {
        self.session.engine().answering()
    }
}

/// A bound call: the rest is worked out when it runs, since a prepared statement runs at another time than it is bound.
pub struct BoundQuery {
    query: Query,
    columns: Vec<String>,
}

/// A running call.
pub enum Scan {
    /// The rows of the sidecar's query, and the positions of the columns that the host wants.
    Rows {
        watched: Watched,
        rows: Rows,
        columns: Vec<usize>,
    },
    /// The host wants no column, as for count(*): so many rows are left to give.
    Count(usize),
}

/// The text of an id, which is given as a UUID or as text.
fn given_id(name: &str, value: &Value) -> Result<String, String> {
    match value.type_id() {
        TypeId::Varchar | TypeId::Uuid => {
            let text = value
                .text()
                .map_err(|problem| format!("{name} is {problem}"))?;
            id(name, text)
        }
        other => Err(format!(
            "{name} is of type {}: give the UUID that oplog_record returned",
            other.sql_name()
        )),
    }
}

impl Table for LogQueryTable {
    type Bound = BoundQuery;
    type Scan = Scan;

    fn name(&self) -> &'static str {
        self.log_query.name
    }

    fn positional(&self) -> Vec<TypeId> {
        self.log_query
            .positional
            .iter()
            .map(|parameter| parameter.type_id)
            .collect()
    }

    fn named(&self) -> Vec<(&'static str, TypeId)> {
        self.log_query
            .parameters()
            .iter()
            .map(|parameter| (parameter.name, parameter.type_id))
            .collect()
    }

    fn bind(&self, bind: &mut TableBind<'_>) -> Result<BoundQuery, String> {
        let log_query = self.log_query;
        let failed = |error: String| format!("{}: {error}", log_query.name);
        let zone = self.session.zone(bind.context());
        let mut arguments = Arguments::read(
            |parameter| from_call(bind, parameter, &zone),
            &log_query.parameters(),
            log_query.default_period,
            log_query.default_by,
            zone.clone(),
        )
        .map_err(failed)?;
        for (index, parameter) in log_query.positional.iter().enumerate() {
            let text = match bind.positional(index) {
                Some(value) => given_id(parameter.name, &value).map_err(failed)?,
                // NULL equals no id, and no id is all zeros.
                None => "0".repeat(32),
            };
            arguments.bound.push((parameter.name, Bound::Text(text)));
        }
        let query = Query {
            log_query,
            arguments,
        };
        let shared = self.shared();
        let statement = shared
            .begin(|| query.prepare(shared))
            .map_err(|error| failed(error.into()))?;
        let mut columns = Vec::new();
        for (name, logical) in statement.columns() {
            if name == JSON_COLUMN {
                bind.add_column(&name, &LogicalType::json());
            } else {
                bind.add_column(&name, &logical);
            }
            columns.push(name);
        }
        Ok(BoundQuery { query, columns })
    }

    fn start(&self, bound: &BoundQuery, columns: &[usize], _: &Context) -> Result<Scan, String> {
        let failed = |error: Failed| format!("{}: {error}", self.log_query.name);
        // Only what the host asks for is computed. For count(*) it asks for a row number, which is no column of ours.
        let mut wanted: Vec<usize> = columns
            .iter()
            .copied()
            .filter(|column| *column < bound.columns.len())
            .collect();
        wanted.dedup();
        let listed = if wanted.is_empty() {
            "count(*)".to_owned()
        } else {
            wanted
                .iter()
                .map(|column| format!("\"{}\"", bound.columns[*column]))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let begin = || -> Result<Scan, Failed> {
            let statement = bound.query.ask(self.shared(), &listed)?;
            let interrupter = statement.interrupter();
            let watched = self.shared().callers.watch(move || interrupter.interrupt());
            let mut rows = watched.run(|| executed(statement.execute()))?;
            if wanted.is_empty() {
                return Ok(Scan::Count(watched.run(|| executed(rows.count()))?));
            }
            Ok(Scan::Rows {
                watched,
                rows,
                columns: (0..wanted.len()).collect(),
            })
        };
        let ask = || self.shared().begin(begin);
        // It may be the log that is damaged, and not the query.
        ask().or_else(|error| match self.may_mend(&error) {
            true => ask().map_err(failed),
            false => Err(failed(error)),
        })
    }

    fn next(&self, scan: &mut Scan, output: &mut TableOutput) -> Result<usize, String> {
        match scan {
            Scan::Rows {
                watched,
                rows,
                columns,
            } => watched
                .run(|| executed(rows.next_into(output, columns)))
                .map_err(|error| {
                    let error = Failed::from(error);
                    // Rows have been given out: whoever asks again has what can be saved.
                    self.may_mend(&error);
                    format!("{}: {error}", self.log_query.name)
                }),
            Scan::Count(left) => {
                let rows = (*left).min(VECTOR_SIZE);
                *left -= rows;
                Ok(rows)
            }
        }
    }
}

impl Effects for LogQueryTable {
    fn effects(&self) -> &'static [Effect] {
        &[]
    }
}
