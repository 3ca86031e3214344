//! A reading function with its arguments: what is asked of the sidecar, by SQL and over HTTP alike.

use super::division::{Cut, Division};
use super::log_query::{LogQuery, Rolled};
use super::parameters::{Arguments, Named};
use super::placeholders::{filled, selected};
use crate::calendar::{format_time, Width, Zone, DAY_US, HOUR_US};
use crate::duckdb::{self, Statement};
use crate::engine::{self, Shared};
use crate::rollup::{bin, Known, Plan, Scope};
use crate::store::{self, quantile_bins, quantiles_ns, Moment, Parameter as Bound, Parts};
use std::fmt;

/// What operations are read from, save where the archive is asked for.
const LOG: &str = "operation_log";

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
        let now_us = crate::system::clock::now_us();
        let mut arguments = self.arguments.clone();
        // A period that cannot be divided fails here already.
        let cut = self.cut(&mut arguments, now_us)?;
        let (filters, _) = arguments.filters(now_us).map_err(Failed::Question)?;
        let sql = match &self.log_query.judged {
            Some(judged) => filled(judged.sql, &arguments),
            None => self.sql(&arguments, &filters, &cut, LOG),
        };
        Ok(shared.reader()?.prepare(&sql)?)
    }

    /// The period divided; the arguments come to have the range that is read.
    fn cut(&self, arguments: &mut Arguments, now_us: i64) -> Result<Cut, Failed> {
        Cut::of(self.log_query.division, arguments, now_us).map_err(Failed::Question)
    }

    /// The statement that answers now; `listed` is what it selects. It sees everything recorded so far.
    pub fn ask(&self, shared: &Shared, listed: &str) -> Result<Statement, Failed> {
        let now_us = crate::system::clock::now_us();
        let mut arguments = self.arguments.clone();
        let mut cut = self.cut(&mut arguments, now_us)?;
        let reader = shared.read(arguments.range.until_us)?;
        if self.log_query.archive || arguments.archive {
            // The files and the log are those of one moment: what goes from one to the other meanwhile is in either once.
            let moment = reader.moment()?;
            let range = arguments.range.bounds(now_us).map_err(Failed::Question)?;
            let operations = moment.operations_with_archive(range, &shared.callers)?;
            let (sql, parameters) = self.read_rows(&arguments, &cut, now_us, &operations)?;
            return Ok(moment.bind(&selected(listed, &sql), &parameters)?);
        }
        let Some(rolled) = &self.log_query.rolled else {
            let (sql, parameters) = self.read_rows(&arguments, &cut, now_us, LOG)?;
            return Ok(reader.bind(&selected(listed, &sql), &parameters)?);
        };
        let moment = reader.moment()?;
        let known = &moment.known;
        let mut complete_since_us = None;
        if self.log_query.division == Division::Hours {
            // Means are those of the time of which all is known by the hour.
            complete_since_us = self.restrict(rolled, &mut arguments, known, now_us)?;
            cut = self.cut(&mut arguments, now_us)?;
        }
        let bounds = arguments.range.bounds(now_us).map_err(Failed::Question)?;
        let planned = self.plan(rolled, &mut arguments, &mut cut, &moment, bounds, now_us)?;
        let (sql, mut parameters, incomplete_before_us, used) = match planned {
            Some(planned) => {
                let (sql, parameters) =
                    self.read_rollups(rolled, &arguments, &cut, &planned, known, now_us)?;
                let (plan, _) = planned;
                let used = (plan.since_us, plan.until_us);
                (sql, parameters, plan.complete_since_us, used)
            }
            None => {
                let (sql, parameters) = self.read_rows(&arguments, &cut, now_us, LOG)?;
                (sql, parameters, known.complete_since_us(bounds.0), bounds)
            }
        };
        let time = |us: Option<i64>| us.map_or(Bound::Null, Bound::Time);
        let complete_since_us = complete_since_us.or(incomplete_before_us);
        let about = [
            ("complete_since", time(complete_since_us)),
            ("since_used", time(used.0)),
            ("until_used", time(used.1)),
        ];
        parameters.extend(about.clone());
        let Some(judged) = &self.log_query.judged else {
            return Ok(moment.bind(&selected(listed, &sql), &parameters)?);
        };
        let statement = moment.bind(&sql, &parameters)?;
        let interrupter = statement.interrupter();
        let watched = shared.callers.watch(move || interrupter.interrupt());
        let read =
            watched.run(|| executed(statement.execute().and_then(|mut rows| rows.collect())))?;
        let mut parameters = (judged.judge)(&arguments, &cut, read);
        parameters.extend(about);
        let sql = filled(judged.sql, &arguments);
        Ok(moment.bind(&selected(listed, &sql), &parameters)?)
    }

    /// Has the period begin where all is known by the hour, and says when that is where it is later.
    fn restrict(
        &self,
        rolled: &Rolled,
        arguments: &mut Arguments,
        known: &Known,
        now_us: i64,
    ) -> Result<Option<i64>, Failed> {
        let (since_us, until_us) = arguments.range.bounds(now_us).map_err(Failed::Question)?;
        let known_since_us = match self.scope(rolled, arguments, known) {
            Some(_) => known
                .rollups_since_us
                .max(known.hours_since.saturating_mul(HOUR_US)),
            None => known.rows_since_us,
        };
        if known.has_rows(since_us) || since_us.is_none_or(|us| us >= known_since_us) {
            return Ok(None);
        }
        arguments.range.period = None;
        arguments.range.since_us = Some(known_since_us.min(until_us.unwrap_or(now_us)));
        Ok(Some(known_since_us))
    }

    /// The scope of rollups that knows all that is asked for; none where only rows do.
    fn scope(&self, rolled: &Rolled, arguments: &Arguments, known: &Known) -> Option<Scope> {
        let columns = self.columns_asked(rolled, arguments);
        Scope::of(columns).filter(|_| known.rolled_seq > 0)
    }

    fn columns_asked(&self, rolled: &Rolled, arguments: &Arguments) -> Vec<&'static str> {
        let mut columns = arguments.columns();
        columns.extend(&arguments.filtered);
        columns.extend(rolled.dimensions);
        columns
    }

    /// How the period is put together of rollups and rows; none where rows are to answer: where they are all there and not
    /// too many, and where rollups do not know what is asked for.
    fn plan(
        &self,
        rolled: &Rolled,
        arguments: &mut Arguments,
        cut: &mut Cut,
        moment: &Moment,
        (since_us, until_us): (Option<i64>, Option<i64>),
        now_us: i64,
    ) -> Result<Option<(Plan, Scope)>, Failed> {
        let known = &moment.known;
        let Some(scope) = self.scope(rolled, arguments, known) else {
            return Ok(None);
        };
        let has_rows = known.has_rows(since_us);
        let columns = self.columns_asked(rolled, arguments);
        let are_named = columns.iter().any(|column| *column != "status");
        let is_inexact = known.overflowed && are_named;
        let whole = known.plan(since_us, until_us);
        if has_rows && (is_inexact || moment.operations(whole.hours)? <= ROWS_READ_MAX) {
            return Ok(None);
        }
        if has_rows && cut.needs_rows() {
            return Ok(None);
        }
        if let Some(gap_us) = cut.gap_us() {
            if let Some(width) = wider(arguments, gap_us, known, since_us)? {
                arguments.bucket = Some(width);
                *cut = self.cut(arguments, now_us)?;
            }
        }
        cut.fit(known, &whole);
        let mut plan = known.plan_divided(since_us, until_us, &cut.edges_us(), cut.widest());
        cut.divided_at(&plan.edges_us);
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
    fn read_rows(
        &self,
        arguments: &Arguments,
        cut: &Cut,
        now_us: i64,
        operations: &str,
    ) -> Result<(String, Named), Failed> {
        let (filters, mut parameters) = arguments.filters(now_us).map_err(Failed::Question)?;
        parameters.extend(cut.parameters());
        self.add_period(arguments, now_us, &mut parameters)?;
        Ok((self.sql(arguments, &filters, cut, operations), parameters))
    }

    /// The same from rollups and rows.
    fn read_rollups(
        &self,
        rolled: &Rolled,
        arguments: &Arguments,
        cut: &Cut,
        (plan, scope): &(Plan, Scope),
        known: &Known,
        now_us: i64,
    ) -> Result<(String, Named), Failed> {
        let mut parameters = arguments.bound.clone();
        parameters.extend(cut.parameters());
        self.add_period(arguments, now_us, &mut parameters)?;
        let mut dimensions = arguments.columns();
        for column in rolled.dimensions {
            if !dimensions.contains(column) {
                dimensions.push(column);
            }
        }
        let conditions = match arguments.conditions.as_slice() {
            [] => "true".to_owned(),
            conditions => conditions.join(" AND "),
        };
        let part = |time: &str| cut.part(time).unwrap_or_default();
        let parts = Parts {
            plan,
            scope: *scope,
            rolled_seq: known.rolled_seq,
            dimensions,
            conditions: &conditions,
            bucket: (self.log_query.division != Division::Whole).then_some(&part),
        };
        parameters.extend(parts.parameters());
        let sql = self
            .log_query
            .with_operations(rolled)
            .replace("{parts}", &parts.sums())
            .replace("{bins}", &parts.bins())
            .replace("{errors}", &parts.errors())
            .replace("{quantile_bins}", &quantile_bins())
            .replace("{quantiles_ns}", &quantiles_ns())
            .replace("{bin_of_max_duration}", &bin("$max_duration_ms::DOUBLE"));
        Ok((filled(&sql, arguments), parameters))
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

    /// The .sql file with its placeholders filled: `{operations}` is what operations are read from, `{filters}` a condition; some
    /// are about the part of the period in which an operation is, the others are made of `by`.
    fn sql(&self, arguments: &Arguments, filters: &str, cut: &Cut, operations: &str) -> String {
        let (part, join) = cut.part("epoch_us(timestamp)").unwrap_or_default();
        let sql = self
            .log_query
            .sql
            .replace("{operations}", operations)
            .replace("{filters}", filters)
            .replace("{bucket_of_operation}", &part)
            .replace("{join_cells}", &join)
            .replace("{bin_of_operation}", &bin("duration_ms"));
        filled(&sql, arguments)
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
