//! What the HTTP server is told: the answers of the SQL functions, as JSON.

use super::table::log_queries;
use super::table::log_query::LogQuery;
use super::table::parameters::{from_text, id, Arguments, Parameter};
use super::table::query::{executed, Failed, Query};
use crate::calendar::{format_time, Zone};
use crate::caller::on_behalf_of;
use crate::duckdb::{ObjectStyle, Written};
use crate::engine::health::Status;
use crate::engine::Shared;
use crate::excerpt::excerpt;
use crate::metrics::{Format, Samples};
use crate::nearest::nearest;
use crate::serve::limits::{ANSWER_BYTES_MAX, ROWS_DEFAULT, ROWS_MAX};
use crate::serve::{Cancel, Health, Parameters, Problem, Source};
use crate::store::Parameter as Bound;
use serde_json::json;
use std::sync::Arc;

/// Answers from the log, without the engine that owns it: that one stops the server before it ends.
pub struct Answers {
    shared: Arc<Shared>,
}

impl Answers {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Asks a query, and appends the rows of its answer to `out`.
    fn ask(
        &self,
        query: &Query,
        rows_max: i64,
        cancel: &Cancel,
        out: &mut String,
    ) -> Result<Written, Problem> {
        let style = ObjectStyle {
            json_column: "metadata",
            time: format_time,
            rows_max: rows_max as usize,
            bytes_max: ANSWER_BYTES_MAX,
        };
        let caller = cancel.clone();
        let answered = on_behalf_of(Arc::new(move || caller.is_cancelled()), || {
            let (watched, mut rows) = self.shared.begin(|| -> Result<_, Failed> {
                let statement = query.ask(&self.shared, "*")?;
                let interrupter = statement.interrupter();
                let watched = self.shared.callers.watch(move || interrupter.interrupt());
                let rows = watched.run(|| executed(statement.execute()))?;
                Ok((watched, rows))
            })?;
            Ok(watched.run(|| executed(rows.write_objects(&style, out)))?)
        });
        answered.map_err(|error: Failed| match error.is_out_of_memory() {
            true => Problem::TooLarge(error.to_string()),
            false => Problem::Failed(error.to_string()),
        })
    }

    /// The one row of an answer, "" where there is none.
    fn one(
        &self,
        log_query: &'static LogQuery,
        arguments: Arguments,
        cancel: &Cancel,
    ) -> Result<String, Problem> {
        let mut row = String::new();
        let query = Query {
            log_query,
            arguments,
        };
        self.ask(&query, 1, cancel, &mut row)?;
        Ok(row)
    }
}

impl Source for Answers {
    fn metrics(&self, format: Format) -> String {
        self.shared.metrics().render(format, &Samples::default())
    }

    fn health(&self) -> Health {
        let mut components = self.shared.vitals().into_iter();
        let overall = components
            .next()
            .map_or(Status::Pass, |overall| overall.status);
        let checks: serde_json::Map<_, _> = components
            .map(|component| {
                let check =
                    json!([{"status": component.status.name(), "output": component.detail}]);
                (component.name.to_owned(), check)
            })
            .collect();
        Health {
            healthy: overall != Status::Fail,
            json: json!({
                "status": overall.name(),
                "releaseId": env!("CARGO_PKG_VERSION"),
                "checks": checks,
            })
            .to_string(),
        }
    }

    fn page(&self, query: &str, filters: &Parameters, cancel: &Cancel) -> Result<String, Problem> {
        let log_query = log_query(query)?;
        let mut arguments = arguments(log_query, filters)?;
        let max_rows = rows_asked(&mut arguments)?;
        let skip_rows = bound_rows(&arguments, "skip_rows");
        let mut out = "{\"operations\":[".to_owned();
        let query = Query {
            log_query,
            arguments,
        };
        let written = self.ask(&query, max_rows, cancel, &mut out)?;
        // Whoever asks for no rows would go on for ever.
        let more = written.more && written.rows > 0;
        let next = more.then(|| skip_rows.saturating_add(written.rows as i64));
        out += &format!(
            "],\"rows\":{},\"max_rows\":{max_rows},\"skip_rows\":{skip_rows},\"next_skip_rows\":{}}}",
            written.rows,
            json!(next)
        );
        Ok(out)
    }

    fn member(
        &self,
        query: &str,
        text: &str,
        filters: &Parameters,
        cancel: &Cancel,
    ) -> Result<Option<String>, Problem> {
        let log_query = log_query(query)?;
        // Nothing but the path says which one it is.
        only_known(filters, &["project_id"])?;
        let mut arguments = arguments(log_query, filters)?;
        let id = id("id", text.to_owned()).map_err(Problem::Parameter)?;
        arguments
            .conditions
            .push("id = CAST(CAST($id AS VARCHAR) AS UUID)");
        arguments.bound.push(("id", Bound::Text(id)));
        let row = self.one(log_query, arguments, cancel)?;
        Ok((!row.is_empty()).then_some(row))
    }

    fn row(&self, query: &str, filters: &Parameters, cancel: &Cancel) -> Result<String, Problem> {
        let log_query = log_query(query)?;
        let arguments = arguments(log_query, filters)?;
        self.one(log_query, arguments, cancel)
    }
}

fn log_query(name: &str) -> Result<&'static LogQuery, Problem> {
    log_queries::named(name).ok_or_else(|| Problem::Failed(format!("there is no function {name}")))
}

/// The parameters of a reading function, given as text.
fn arguments(log_query: &LogQuery, given: &Parameters) -> Result<Arguments, Problem> {
    let parameters = log_query.parameters();
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
    only_known(given, &names)?;
    let value = |parameter: &Parameter| {
        let found = given.iter().find(|(name, _)| name == parameter.name);
        found
            .map(|(_, text)| from_text(parameter, text))
            .transpose()
    };
    Arguments::read(
        value,
        &parameters,
        log_query.default_period,
        log_query.default_by,
        Zone::utc(),
    )
    .map_err(Problem::Parameter)
}

fn only_known(given: &Parameters, names: &[&str]) -> Result<(), Problem> {
    let Some((unknown, _)) = given
        .iter()
        .find(|(name, _)| !names.contains(&name.as_str()))
    else {
        return Ok(());
    };
    let nearest = nearest(unknown, names.iter().copied());
    let unknown = excerpt(unknown);
    let text = match nearest {
        Some(name) => format!("{unknown} is no parameter; did you mean {name}?"),
        None if names == ["project_id"] => format!("{unknown} is no parameter here: leave it out"),
        None => format!(
            "{unknown} is no parameter: give any of {}",
            names.join(", ")
        ),
    };
    Err(Problem::Parameter(text))
}

/// How many rows are wanted. The query is asked for one more, which tells whether there are more.
fn rows_asked(arguments: &mut Arguments) -> Result<i64, Problem> {
    let max_rows = match bound_rows(arguments, "max_rows") {
        i64::MAX => ROWS_DEFAULT,
        rows if rows > ROWS_MAX => {
            return Err(Problem::Parameter(format!(
                "max_rows is {rows}: give {ROWS_MAX} or less, and skip_rows for what follows"
            )));
        }
        rows => rows,
    };
    for (name, bound) in &mut arguments.bound {
        if *name == "max_rows" {
            *bound = Bound::Integer(max_rows + 1);
        }
    }
    Ok(max_rows)
}

fn bound_rows(arguments: &Arguments, name: &str) -> i64 {
    arguments
        .bound
        .iter()
        .find_map(|(known, bound)| match bound {
            Bound::Integer(rows) if *known == name => Some(*rows),
            _ => None,
        })
        .unwrap_or(0)
}
