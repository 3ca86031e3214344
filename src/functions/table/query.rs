//! A reading function with its arguments: what is asked of the sidecar, by SQL and over HTTP alike.

use super::log_query::LogQuery;
use super::parameters::Arguments;
use crate::calendar::Zone;
use crate::duckdb::{self, Statement};
use crate::engine::{self, Shared};
use crate::store::{self, Parameter as Bound};
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
        let (filters, mut parameters) = arguments.filters(now_us).map_err(Failed::Question)?;
        let mut are_alike = true;
        if self.has_buckets() {
            let buckets = arguments.buckets(now_us).map_err(Failed::Question)?;
            are_alike = buckets.are_alike();
            parameters.push(("from_us", Bound::Integer(buckets.starts_us[0])));
            parameters.push(("until_us", Bound::Integer(buckets.end_us)));
            parameters.push(("gap_us", Bound::Integer(buckets.gap_us)));
            parameters.push(("starts_us", Bound::Text(format!("{:?}", buckets.starts_us))));
        }
        if self.log_query.sql.contains("$period") {
            let length = arguments.range.length(now_us).map_err(Failed::Question)?;
            parameters.push(("period", length.map_or(Bound::Null, Bound::Text)));
        }
        if let Some(figures) = self.log_query.figures {
            parameters.extend(figures(shared));
        }
        let sql = format!(
            "SELECT {listed} FROM (\n{}\n)",
            self.sql(&arguments, &filters, are_alike)
                .trim()
                .trim_end_matches(';')
        );
        let reader = shared.read(arguments.range.until_us)?;
        Ok(reader.bind(&sql, &parameters)?)
    }

    fn has_buckets(&self) -> bool {
        self.log_query.sql.contains("$starts_us")
    }

    /// The .sql file with its placeholders filled: `{filters}` is a condition, two are about buckets that have one length or
    /// not, the others are made of `by`.
    fn sql(&self, arguments: &Arguments, filters: &str, are_alike: bool) -> String {
        let (bucket, join) = if are_alike {
            (
                "$from_us::BIGINT + (epoch_us(timestamp) - $from_us::BIGINT) // $gap_us::BIGINT * $gap_us::BIGINT",
                "",
            )
        } else {
            (
                "CASE WHEN epoch_us(timestamp) < end_us THEN start_us ELSE end_us END",
                "\n    JOIN cell ON number = (epoch_us(timestamp) - $from_us::BIGINT) // $gap_us::BIGINT",
            )
        };
        let by = &arguments.by;
        let each =
            |write: fn(&str) -> String| by.iter().map(|column| write(column)).collect::<String>();
        let groups = if by.is_empty() {
            // One group, also where nothing ran.
            "SELECT 1 AS present".to_owned()
        } else {
            format!("SELECT DISTINCT {} FROM operation", by.join(", "))
        };
        self.log_query
            .sql
            .replace("{filters}", filters)
            .replace("{bucket_of_operation}", bucket)
            .replace("{join_cells}", join)
            .replace("{by}", &by.join(", "))
            .replace("{by_listed}", &each(|column| format!("{column}, ")))
            .replace(
                "{by_grouped}",
                &each(|column| format!("grouped.{column}, ")),
            )
            .replace(
                "{by_matched}",
                &each(|column| {
                    format!(" AND grouped.{column} IS NOT DISTINCT FROM counted.{column}")
                }),
            )
            .replace("{groups}", &groups)
    }
}
