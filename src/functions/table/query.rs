//! A reading function with its arguments: what is asked of the sidecar, by SQL and over HTTP alike.

use super::log_query::{LogQuery, Rolled};
use super::parameters::{Arguments, Named};
use super::rolled::{quantile_bins, quantiles_ns, Parts};
use crate::calendar::{format_time, Width, Zone, DAY_US, HOUR_US};
use crate::duckdb::{self, Statement};
use crate::engine::{self, Shared};
use crate::rollup::{Known, Level, Plan, Scope};
use crate::store::{self, Moment, Parameter as Bound};
use std::fmt;

/// The column that is text in the log, and JSON for whoever asks.
pub const JSON_COLUMN: &str = "metadata";

/// Why a query has no answer.
pub enum Failed {
    /// What was asked cannot be.
    Question(String),
    /// The log does not answer.
    Log(engine::Error),
}

impl Failed {
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Log(error) if error.is_out_of_memory())
    }

    /// Whether it may be the log that is damaged.
    pub fn may_be_damage(&self) -> bool {
        matches!(self, Self::Log(error) if !error.is_out_of_memory())
    }
}

impl<E: Into<engine::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Log(error.into())
    }
}

/// Errors for whoever has asked: one about memory names the limit that is meant, which is not the host's.
impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Question(text) => formatter.write_str(text),
            Self::Log(_) if self.is_out_of_memory() => write!(
                formatter,
                "the answer needs more memory than the {} that the log's own DuckDB has: ask about a shorter period, for fewer \
                 rows or columns, or with fewer groups",
                store::MEMORY_LIMIT
            ),
            Self::Log(error) => error.fmt(formatter),
        }
    }
}

impl From<Failed> for String {
    fn from(failed: Failed) -> Self {
        failed.to_string()
    }
}

/// What the log's DuckDB says is the log's error.
pub fn executed<T>(outcome: Result<T, duckdb::Error>) -> Result<T, store::Error> {
    Ok(outcome?)
}

/// Operations up to which an answer is worked out from rows, where they are there: its quantiles are exact.
const ROWS_READ_MAX: u64 = 100_000;

/// Single hours up to which rollups are quicker than rows that are there.
const SINGLE_HOURS_MAX: i64 = 100;

/// One query. It can be asked more than once, and each time is about the log as it is then.
pub struct Query {
    pub log_query: &'static LogQuery,
    pub arguments: Arguments,
}

impl Query {
    /// What is asked where nothing is given.
    pub fn default_of(log_query: &'static LogQuery) -> Result<Self, String> {
        let arguments = Arguments::read(
            |_| Ok(None),
            &log_query.parameters(),
            log_query.default_period,
            log_query.default_by,
            Zone::utc(),
        )?;
        Ok(Self {
            log_query,
            arguments,
        })
    }

    /// Names and SQL types of the columns. What the log keeps as text and hands out as JSON is JSON.
    pub fn columns(&self, shared: &Shared) -> Result<Vec<(String, String)>, Failed> {
        let statement = shared.begin(|| self.prepare(shared))?;
        let columns = statement.columns().into_iter();
        Ok(columns
            .map(|(name, logical)| {
                let type_name = match name.as_str() {
                    JSON_COLUMN => "JSON",
                    _ => logical.id().sql_name(),
                };
                (name, type_name.to_owned())
            })
            .collect())
    }

    /// Checks what only the time of asking decides, and prepares the answer for the sake of its columns.
    pub fn prepare(&self, shared: &Shared) -> Result<Statement, Failed> {
        if self.has_buckets() {
            // A width that cannot work fails here already.
            self.arguments
                .buckets(crate::system::clock::now_us())
                .map_err(Failed::Question)?;
        }
        let (filters, _) = self.arguments.filters(0).map_err(Failed::Question)?;
        let sql = self.sql(&self.arguments, &filters, true);
        Ok(shared.reader()?.prepare(&sql)?)
    }

    /// The statement that answers now; `listed` is what it selects. It sees everything recorded so far.
    pub fn ask(&self, shared: &Shared, listed: &str) -> Result<Statement, Failed> {
        let now_us = crate::system::clock::now_us();
        let mut arguments = self.arguments.clone();
        if self.has_buckets() {
            // Buckets end somewhere, and so do the operations that they count.
            arguments.range.until_us.get_or_insert(now_us);
        }
        let reader = shared.read(arguments.range.until_us)?;
        let Some(rolled) = &self.log_query.rolled else {
            let (sql, parameters) = self.read_rows(&arguments, now_us)?;
            return Ok(reader.bind(&selected(listed, &sql), &parameters)?);
        };
        let moment = reader.moment()?;
        let (since_us, until_us) = arguments.range.bounds(now_us).map_err(Failed::Question)?;
        let (sql, mut parameters, complete_since_us, used) = match self.plan(
            rolled,
            &mut arguments,
            &moment,
            (since_us, until_us),
            now_us,
        )? {
            Some((plan, scope)) => {
                let (sql, parameters) =
                    self.read_rollups(rolled, &arguments, &plan, scope, &moment.known, now_us)?;
                let used = (plan.since_us, plan.until_us);
                (sql, parameters, plan.complete_since_us, used)
            }
            None => {
                let (sql, parameters) = self.read_rows(&arguments, now_us)?;
                let complete_since_us = moment.known.complete_since_us(since_us);
                (sql, parameters, complete_since_us, (since_us, until_us))
            }
        };
        let time = |us: Option<i64>| us.map_or(Bound::Null, Bound::Time);
        parameters.push(("complete_since", time(complete_since_us)));
        parameters.push(("since_used", time(used.0)));
        parameters.push(("until_used", time(used.1)));
        Ok(moment.bind(&selected(listed, &sql), &parameters)?)
    }

    /// How the period is put together of rollups and rows; none where rows are to answer: where they are all there and not
    /// too many, and where rollups do not know what is asked for.
    fn plan(
        &self,
        rolled: &Rolled,
        arguments: &mut Arguments,
        moment: &Moment,
        (since_us, until_us): (Option<i64>, Option<i64>),
        now_us: i64,
    ) -> Result<Option<(Plan, Scope)>, Failed> {
        let known = &moment.known;
        let filters = arguments.bound.iter().map(|(name, _)| *name);
        let mut columns: Vec<&str> = arguments.by.iter().copied().chain(filters).collect();
        columns.extend(rolled.dimensions);
        let scope = Scope::of(columns.iter().copied()).filter(|_| known.rolled_seq > 0);
        let Some(scope) = scope else {
            return Ok(None);
        };
        let has_rows = known.has_rows(since_us);
        let are_named = columns.iter().any(|column| *column != "status");
        let is_inexact = known.overflowed && are_named;
        let mut plan = known.plan(since_us, until_us);
        if has_rows && (is_inexact || moment.operations(plan.hours)? <= ROWS_READ_MAX) {
            return Ok(None);
        }
        if self.has_buckets() {
            let mut buckets = arguments.buckets(now_us).map_err(Failed::Question)?;
            if has_rows && buckets.gap_us < HOUR_US {
                return Ok(None);
            }
            if let Some(width) = wider(arguments, buckets.gap_us, known, since_us)? {
                arguments.bucket = Some(width);
                buckets = arguments.buckets(now_us).map_err(Failed::Question)?;
            }
            let edges = buckets.starts_us.iter().chain([&buckets.end_us]);
            let are_days = edges.clone().all(|us| us % DAY_US == 0);
            let widest = if are_days { Level::Day } else { Level::Hour };
            plan = known.plan_within(widest, since_us, until_us);
        }
        // Rollups of hours and of pairs have nearly as many rows as there are operations.
        if has_rows && (scope == Scope::Pair || plan.single_hours() > SINGLE_HOURS_MAX) {
            return Ok(None);
        }
        if is_inexact {
            plan.complete_since_us.get_or_insert(known.rows_since_us);
        }
        Ok(Some((plan, scope)))
    }

    /// The SQL that answers from rows, and its parameters.
    fn read_rows(&self, arguments: &Arguments, now_us: i64) -> Result<(String, Named), Failed> {
        let (filters, mut parameters) = arguments.filters(now_us).map_err(Failed::Question)?;
        let are_alike = self.add_buckets(arguments, now_us, &mut parameters)?;
        self.add_period(arguments, now_us, &mut parameters)?;
        Ok((self.sql(arguments, &filters, are_alike), parameters))
    }

    /// The same from rollups and rows.
    fn read_rollups(
        &self,
        rolled: &Rolled,
        arguments: &Arguments,
        plan: &Plan,
        scope: Scope,
        known: &Known,
        now_us: i64,
    ) -> Result<(String, Named), Failed> {
        let mut parameters = arguments.bound.clone();
        let are_alike = self.add_buckets(arguments, now_us, &mut parameters)?;
        self.add_period(arguments, now_us, &mut parameters)?;
        let mut dimensions = arguments.by.clone();
        for column in rolled.dimensions {
            if !dimensions.contains(column) {
                dimensions.push(column);
            }
        }
        let conditions = match arguments.conditions.as_slice() {
            [] => "true".to_owned(),
            conditions => conditions.join(" AND "),
        };
        let bucket = |time: &str| bucket_of(time, are_alike);
        let parts = Parts {
            plan,
            scope,
            rolled_seq: known.rolled_seq,
            dimensions,
            conditions: &conditions,
            bucket: self.has_buckets().then_some(&bucket),
        };
        parameters.extend(parts.parameters());
        let sql = self
            .log_query
            .with_operations(rolled)
            .replace("{parts}", &parts.sums())
            .replace("{bins}", &parts.bins())
            .replace("{errors}", &parts.errors())
            .replace("{quantile_bins}", &quantile_bins())
            .replace("{quantiles_ns}", &quantiles_ns());
        Ok((filled(&sql, &arguments.by), parameters))
    }

    /// Adds what there is to know of the buckets, and says whether all of them have one length.
    fn add_buckets(
        &self,
        arguments: &Arguments,
        now_us: i64,
        parameters: &mut Named,
    ) -> Result<bool, Failed> {
        if !self.has_buckets() {
            return Ok(true);
        }
        let buckets = arguments.buckets(now_us).map_err(Failed::Question)?;
        parameters.push(("from_us", Bound::Integer(buckets.starts_us[0])));
        parameters.push(("until_us", Bound::Integer(buckets.end_us)));
        parameters.push(("gap_us", Bound::Integer(buckets.gap_us)));
        parameters.push(("starts_us", Bound::Text(format!("{:?}", buckets.starts_us))));
        Ok(buckets.are_alike())
    }

    fn add_period(
        &self,
        arguments: &Arguments,
        now_us: i64,
        parameters: &mut Named,
    ) -> Result<(), Failed> {
        if self.log_query.sql.contains("$period") {
            let length = arguments.range.length(now_us).map_err(Failed::Question)?;
            parameters.push(("period", length.map_or(Bound::Null, Bound::Text)));
        }
        Ok(())
    }

    fn has_buckets(&self) -> bool {
        self.log_query.sql.contains("$starts_us")
    }

    /// The .sql file with its placeholders filled: `{filters}` is a condition, two are about buckets that have one length or
    /// not, the others are made of `by`.
    fn sql(&self, arguments: &Arguments, filters: &str, are_alike: bool) -> String {
        let (bucket, join) = bucket_of("epoch_us(timestamp)", are_alike);
        let sql = self
            .log_query
            .sql
            .replace("{filters}", filters)
            .replace("{bucket_of_operation}", &bucket)
            .replace("{join_cells}", &join);
        filled(&sql, &arguments.by)
    }
}

/// The width of buckets where that of the question is narrower than what there is: hours where rows are gone, days where hours
/// are. Where a narrower one was given, that is an error.
fn wider(
    arguments: &Arguments,
    gap_us: i64,
    known: &Known,
    since_us: Option<i64>,
) -> Result<Option<Width>, Failed> {
    let hours_since_us = known.hours_since.saturating_mul(HOUR_US);
    let (least, unit, width, kept_us) = if since_us.is_some_and(|us| us < hours_since_us) {
        (DAY_US, "a day", Width::Days(1), hours_since_us)
    } else {
        (
            HOUR_US,
            "an hour",
            Width::PartOfDay(HOUR_US),
            known.rows_since_us,
        )
    };
    // A day of 23 hours is one.
    if gap_us >= least.min(23 * HOUR_US) {
        return Ok(None);
    }
    if arguments.bucket.is_some() {
        return Err(Failed::Question(format!(
            "bucket is narrower than {unit}, and what was before {since} is known by no less: give a wider one, or since := \
             '{since}'",
            since = format_time(kept_us)
        )));
    }
    Ok(Some(width))
}

/// The bucket of a time in microseconds, and what has to be joined for it.
fn bucket_of(time: &str, are_alike: bool) -> (String, String) {
    let time = format!("greatest({time}, $from_us::BIGINT)");
    if are_alike {
        let bucket = format!(
            "$from_us::BIGINT + ({time} - $from_us::BIGINT) // $gap_us::BIGINT * $gap_us::BIGINT"
        );
        return (bucket, String::new());
    }
    (
        format!("CASE WHEN {time} < end_us THEN start_us ELSE end_us END"),
        format!("\n    JOIN cell ON number = ({time} - $from_us::BIGINT) // $gap_us::BIGINT"),
    )
}

/// The SQL with what is made of `by`.
fn filled(sql: &str, by: &[&str]) -> String {
    let each =
        |write: fn(&str) -> String| by.iter().map(|column| write(column)).collect::<String>();
    let groups = if by.is_empty() {
        // One group, also where nothing ran.
        "SELECT 1 AS present".to_owned()
    } else {
        format!("SELECT DISTINCT {} FROM operation", by.join(", "))
    };
    sql.replace("{by}", &by.join(", "))
        .replace("{by_listed}", &each(|column| format!("{column}, ")))
        .replace(
            "{by_grouped}",
            &each(|column| format!("grouped.{column}, ")),
        )
        .replace(
            "{by_matched}",
            &each(|column| format!(" AND grouped.{column} IS NOT DISTINCT FROM counted.{column}")),
        )
        .replace("{groups}", &groups)
}

fn selected(listed: &str, sql: &str) -> String {
    format!(
        "SELECT {listed} FROM (\n{}\n)",
        sql.trim().trim_end_matches(';')
    )
}
