//! What the metrics of alert rules were: from rows where they are all there, and from rollups and rows before that.

use super::error::Error;
use super::matching::matches;
use super::read::{watched, Moment, Parameter, Reader};
use super::rolled::{quantile_bins, quantiles_ns, Parts};
use crate::alerts::{Rule, Source, Times};
use crate::calendar::HOUR_US;
use crate::caller::Watcher;
use crate::duckdb::Cell;
use crate::pattern::is_plain;
use crate::rollup::{table, Known, Level, Scope};

const PERIOD: &str = include_str!("../../sql/alerts/period.sql");
const PERIOD_ROLLED: &str = include_str!("../../sql/alerts/period_rolled.sql");
const CONSECUTIVE_ERRORS: &str = include_str!("../../sql/alerts/consecutive_errors.sql");
const CONSECUTIVE_ERRORS_ROLLED: &str =
    include_str!("../../sql/alerts/consecutive_errors_rolled.sql");
const SINCE_LAST: &str = include_str!("../../sql/alerts/seconds_since_last_operation.sql");
const SINCE_LAST_ROLLED: &str =
    include_str!("../../sql/alerts/seconds_since_last_operation_rolled.sql");

/// A time that nothing is before.
const NEVER_US: i64 = i64::MIN + 1;

/// Times at which rollups are asked at most: each is a query.
const ROLLED_TIMES_MAX: usize = 30;

/// Values of a metric, the oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    pub values: Vec<(i64, Option<f64>)>,
    /// From when on all is known that the newest value is about; none where that is all of its period.
    pub complete_since_us: Option<i64>,
}

impl Reader {
    /// What a rule's metric was at these times. The log was opened at `opened_us`. Of times at which rollups have to be asked,
    /// those before one at which the condition does not hold are left out.
    pub fn measure(
        &self,
        rule: &Rule,
        times: Times,
        opened_us: i64,
        callers: &Watcher,
    ) -> Result<Measured, Error> {
        let question = Question {
            rule,
            moment: self.moment()?,
            callers,
        };
        match rule.metric.source {
            Source::Period => question.period(times),
            Source::Errors => question.consecutive_errors(times),
            Source::Last => question.since_last(times, opened_us),
            // Samples are not in the log.
            Source::Process => Ok(Measured::default()),
        }
    }
}

struct Question<'a> {
    rule: &'a Rule,
    moment: Moment,
    callers: &'a Watcher,
}

/// What a .sql file takes.
type Parameters = Vec<(&'static str, Parameter)>;

impl Question<'_> {
    fn known(&self) -> &Known {
        &self.moment.known
    }

    /// The scope of rollups that knows the rule's filters; none where only rows do, and where rollups are not exact about them.
    fn scope(&self) -> Option<Scope> {
        let filters = self.rule.filters();
        let columns = || filters.iter().map(|(column, _)| *column);
        let tells_commands = self.rule.metric.source == Source::Errors;
        let is_inexact = self.known().overflowed && (tells_commands || columns().next().is_some());
        Scope::of(columns()).filter(|_| self.known().rolled_seq > 0 && !is_inexact)
    }

    /// The filters as a condition, and what it takes.
    fn filters(&self) -> (String, Parameters) {
        let mut conditions = vec!["true".to_owned()];
        let mut parameters = Vec::new();
        for (name, pattern) in self.rule.filters() {
            if is_plain(pattern) {
                conditions.push(format!("{name} = ${name}"));
                parameters.push((name, Parameter::Text(pattern.to_owned())));
                continue;
            }
            conditions.push(matches(name, pattern));
        }
        (conditions.join(" AND "), parameters)
    }

    /// Runs a .sql file, whose rows are a time and a value.
    fn ask(&self, sql: &str, parameters: &Parameters) -> Result<Vec<(i64, Option<f64>)>, Error> {
        let statement = self.moment.bind(sql, parameters)?;
        Ok(watched(statement, self.callers)?
            .into_iter()
            .filter_map(|row| match row.as_slice() {
                [Cell::Integer(at_us), Cell::Double(value)] => Some((*at_us as i64, Some(*value))),
                [Cell::Integer(at_us), _] => Some((*at_us as i64, None)),
                _ => None,
            })
            .collect())
    }

    fn period(&self, times: Times) -> Result<Measured, Error> {
        let period_us = self.rule.period_us;
        // An operation that ended just then is not in the period.
        let since_us = |at_us: i64| at_us - period_us + 1;
        let complete_since_us = self
            .known()
            .complete_since_us(Some(since_us(times.until_us)));
        let rows = |times| -> Result<_, Error> {
            Ok(Measured {
                values: self.period_of_rows(times)?,
                complete_since_us,
            })
        };
        let Some(scope) = self.scope() else {
            return rows(times);
        };
        let has_rows = |at_us: &i64| self.known().has_rows(Some(since_us(*at_us)));
        let Some(first_us) = times.all().find(has_rows) else {
            return self.period_of_rollups(scope, times.all().collect());
        };
        let of_rows = Times {
            from_us: first_us,
            ..times
        };
        let mut measured = rows(of_rows)?;
        let holds = |value: &(i64, Option<f64>)| self.rule.holds(value.1);
        if first_us > times.from_us && measured.values.first().is_some_and(holds) {
            let before: Vec<i64> = times.all().take_while(|at_us| *at_us < first_us).collect();
            let mut values = self.period_of_rollups(scope, before)?.values;
            values.append(&mut measured.values);
            measured.values = values;
        }
        Ok(measured)
    }

    /// The values at these times from rollups and rows, from the last time back.
    fn period_of_rollups(&self, scope: Scope, times: Vec<i64>) -> Result<Measured, Error> {
        let mut measured = Measured::default();
        let every = times.len().div_ceil(ROLLED_TIMES_MAX).max(1);
        for (index, at_us) in times.into_iter().rev().step_by(every).enumerate() {
            let since_us = at_us - self.rule.period_us + 1;
            let (value, complete_since_us) = self.period_rolled(scope, since_us, at_us + 1)?;
            if index == 0 {
                measured.complete_since_us = complete_since_us;
            }
            measured.values.push((at_us, value));
            if !self.rule.holds(value) {
                break;
            }
        }
        measured.values.reverse();
        Ok(measured)
    }

    fn period_rolled(
        &self,
        scope: Scope,
        since_us: i64,
        until_us: i64,
    ) -> Result<(Option<f64>, Option<i64>), Error> {
        let plan = self.known().plan(Some(since_us), Some(until_us));
        let (conditions, mut parameters) = self.filters();
        let parts = Parts {
            plan: &plan,
            scope,
            rolled_seq: self.known().rolled_seq,
            dimensions: vec!["status"],
            conditions: &conditions,
            bucket: None,
        };
        let metric = match self.rule.metric.name {
            "success_rate" => "(operations - errors) / nullif(operations, 0)",
            "p50_duration_ms" => "(SELECT round(quantiles_ns[1]) / 1e6 FROM quantiles)",
            "p95_duration_ms" => "(SELECT round(quantiles_ns[2]) / 1e6 FROM quantiles)",
            "p99_duration_ms" => "(SELECT round(quantiles_ns[3]) / 1e6 FROM quantiles)",
            "max_duration_ms" => "max_ms",
            column => column,
        };
        let sql = PERIOD_ROLLED
            .replace("{parts}", &parts.sums())
            .replace("{bins}", &parts.bins())
            .replace("{quantile_bins}", &quantile_bins())
            .replace("{quantiles_ns}", &quantiles_ns())
            .replace("{metric}", metric);
        parameters.extend(parts.parameters());
        let min_operations = Parameter::Integer(self.rule.min_operations);
        parameters.push(("min_operations", min_operations));
        let statement = self.moment.bind(&sql, &parameters)?;
        let rows = watched(statement, self.callers)?;
        let value = match rows.first().map(Vec::as_slice) {
            Some([Cell::Double(value)]) => Some(*value),
            _ => None,
        };
        Ok((value, plan.complete_since_us))
    }

    fn period_of_rows(&self, times: Times) -> Result<Vec<(i64, Option<f64>)>, Error> {
        let (mut conditions, mut parameters) = self.filters();
        let after_us = times.from_us - self.rule.period_us;
        // Where some rows are gone, the others are no sample: retention keeps errors longer than successes. Counts and maxima
        // are those of the rows that there are, and the rest is measured over the time of which all are there.
        let is_at_least = matches!(
            self.rule.metric.name,
            "operations" | "errors" | "max_duration_ms"
        );
        if !is_at_least && !self.known().has_rows(Some(after_us + 1)) {
            conditions += " AND timestamp >= $complete_since";
            let complete_since = Parameter::Time(self.known().rows_since_us);
            parameters.push(("complete_since", complete_since));
        }
        parameters.extend(grid(times));
        parameters.extend([
            ("after", Parameter::Time(after_us)),
            ("until", Parameter::Time(times.until_us)),
            ("period_us", Parameter::Integer(self.rule.period_us)),
            (
                "min_operations",
                Parameter::Integer(self.rule.min_operations),
            ),
        ]);
        let sql = PERIOD
            .replace("{filters}", &conditions)
            .replace("{metric}", self.rule.metric.name);
        self.ask(&sql, &parameters)
    }

    fn consecutive_errors(&self, times: Times) -> Result<Measured, Error> {
        let known = self.known();
        let (filters, mut parameters) = self.filters();
        let mut after_us = times.from_us - self.rule.period_us;
        let needs_rollups = !known.has_rows(Some(after_us + 1));
        let is_rolled = needs_rollups && self.scope().is_some();
        let mut complete_since_us = None;
        if needs_rollups {
            // Successes may be missing that came between the errors before.
            let first_us = match is_rolled {
                true => known
                    .rollups_since_us
                    .max(known.hours_since.saturating_mul(HOUR_US)),
                false => known.rows_since_us,
            };
            if first_us > after_us + 1 {
                after_us = first_us - 1;
                complete_since_us = Some(first_us);
            }
        }
        parameters.extend(grid(times));
        parameters.extend([
            ("after", Parameter::Time(after_us)),
            ("until", Parameter::Time(times.until_us)),
        ]);
        let (mut rows, mut before, mut and_before) = ("true", "", "");
        if is_rolled {
            rows = "(timestamp >= $border OR seq >= $rolled_seq::BIGINT)";
            before = CONSECUTIVE_ERRORS_ROLLED;
            and_before = "UNION ALL FROM ended_before";
            let border = border(known);
            let from = (after_us + 1).div_euclid(HOUR_US);
            parameters.extend([
                ("border", Parameter::Time(border * HOUR_US)),
                ("border_hour", Parameter::Integer(border)),
                ("from_hour", Parameter::Integer(from)),
                ("rolled_seq", Parameter::Integer(known.rolled_seq as i64)),
            ]);
        }
        let sql = CONSECUTIVE_ERRORS
            .replace("{before}", before)
            .replace("{and_before}", and_before)
            .replace("{rows}", rows)
            .replace("{filters}", &filters);
        Ok(Measured {
            values: self.ask(&sql, &parameters)?,
            complete_since_us,
        })
    }

    fn since_last(&self, times: Times, opened_us: i64) -> Result<Measured, Error> {
        let known = self.known();
        let (filters, mut parameters) = self.filters();
        let (mut and_before, mut unknown_us) = (String::new(), NEVER_US);
        // What ended before the log was opened does not matter.
        if !known.has_rows(Some(opened_us)) {
            unknown_us = known.rows_since_us;
            if self.scope().is_some() {
                unknown_us = known.rollups_since_us;
                and_before = SINCE_LAST_ROLLED.replace("{periods}", &periods(known, opened_us));
            }
        }
        parameters.extend(grid(times));
        parameters.extend([
            ("until", Parameter::Time(times.until_us)),
            ("opened_us", Parameter::Integer(opened_us)),
            ("unknown_us", Parameter::Integer(unknown_us)),
        ]);
        let sql = SINCE_LAST
            .replace("{and_before}", &and_before)
            .replace("{filters}", &filters);
        Ok(Measured {
            values: self.ask(&sql, &parameters)?,
            complete_since_us: (unknown_us > opened_us).then_some(unknown_us),
        })
    }
}

fn grid(times: Times) -> Parameters {
    vec![
        ("from_us", Parameter::Integer(times.from_us)),
        ("until_us", Parameter::Integer(times.until_us)),
        ("step_us", Parameter::Integer(times.step_us)),
    ]
}

/// The hour before which rollups answer, and from which on all rows are there.
fn border(known: &Known) -> i64 {
    (known.rows_since_us + HOUR_US - 1).div_euclid(HOUR_US)
}

/// The periods of rollups in which operations ended after a time, and before rows answer.
fn periods(known: &Known, after_us: i64) -> String {
    let from = after_us.div_euclid(HOUR_US);
    let select = |level: Level, from: i64, until: i64| {
        format!(
            "            SELECT hour, key, first_at, last_at FROM {} WHERE hour >= {from} AND hour < {until}",
            table(Scope::Pair, level)
        )
    };
    let (hours_since, border) = (known.hours_since, border(known));
    let days = select(Level::Day, from - 23, hours_since.min(border));
    let hours = select(Level::Hour, from.max(hours_since), border);
    format!("{days}\n            UNION ALL\n{hours}")
}
