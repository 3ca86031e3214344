//! Alert rules in the log, and what their metrics were.

use super::error::Error;
use super::read::{Parameter, Reader};
use super::store::Store;
use crate::alerts::{
    pattern, unknown, Comparison, Metric, Rule, RuleChange, Source, Times, RULES_MAX,
};
use crate::caller::Watcher;
use crate::duckdb::{Cell, Connection, Rows};

const RULES: &str = include_str!("../../sql/alerts/rules.sql");
const PUT_RULE: &str = include_str!("../../sql/alerts/put_rule.sql");
const DROP_RULE: &str = include_str!("../../sql/alerts/drop_rule.sql");
const PERIOD: &str = include_str!("../../sql/alerts/period.sql");
const CONSECUTIVE_ERRORS: &str = include_str!("../../sql/alerts/consecutive_errors.sql");
const SINCE_LAST: &str = include_str!("../../sql/alerts/seconds_since_last_operation.sql");

/// A rule as the table has it, in the order of rules.sql. None for a metric that a newer oplog has brought.
fn rule(row: Vec<Cell<'static>>) -> Option<Rule> {
    let mut cells = row.into_iter();
    let text = |cell: Option<Cell<'static>>| match cell {
        Some(Cell::Text(text)) => text.into_owned(),
        _ => String::new(),
    };
    let integer = |cell: Option<Cell<'static>>| match cell {
        Some(Cell::Integer(number)) => number as i64,
        _ => 0,
    };
    Some(Rule {
        name: text(cells.next()),
        enabled: matches!(cells.next(), Some(Cell::Boolean(true))),
        metric: Metric::by_name(&text(cells.next()))?,
        comparison: Comparison::parse(&text(cells.next())).ok()?,
        threshold: match cells.next() {
            Some(Cell::Double(threshold)) => threshold,
            _ => return None,
        },
        period_us: integer(cells.next()),
        hold_for_us: integer(cells.next()),
        min_operations: integer(cells.next()),
        severity: text(cells.next()),
        summary: text(cells.next()),
        command: text(cells.next()),
        project_id: text(cells.next()),
        table_name: text(cells.next()),
    })
}

fn rules(mut rows: Rows) -> Result<Vec<Rule>, Error> {
    Ok(rows.collect()?.into_iter().filter_map(rule).collect())
}

impl Store {
    /// Adds or changes a rule; the rule as it is then.
    pub fn change_rule(&mut self, name: &str, change: RuleChange) -> Result<Rule, Error> {
        self.connection.transaction(|connection| {
            let known = rules(connection.prepare(RULES)?.execute()?)?;
            let count = known.len();
            let known = known.into_iter().find(|rule| rule.name == name);
            if known.is_none() && count >= RULES_MAX {
                return Err(Error::TooManyRules { rules: count });
            }
            let rule = change.apply(name, known).map_err(Error::Rule)?;
            put(connection, &rule)?;
            Ok(rule)
        })
    }

    pub fn drop_rule(&mut self, name: &str) -> Result<(), Error> {
        self.connection.transaction(|connection| {
            if drop_named(connection, name)? {
                return Ok(());
            }
            let known = rules(connection.prepare(RULES)?.execute()?)?;
            let names = known.iter().map(|rule| rule.name.as_str());
            Err(Error::Rule(unknown(name, names)))
        })
    }
}

/// Says whether there was one.
fn drop_named(connection: &Connection, name: &str) -> Result<bool, Error> {
    let statement = connection.prepare(DROP_RULE)?;
    statement.bind_text("name", name)?;
    Ok(statement.execute()?.count()? > 0)
}

fn put(connection: &Connection, rule: &Rule) -> Result<(), Error> {
    drop_named(connection, &rule.name)?;
    let statement = connection.prepare(PUT_RULE)?;
    for (name, text) in [
        ("name", rule.name.as_str()),
        ("metric", rule.metric.name),
        ("comparison", rule.comparison.symbol()),
        ("severity", &rule.severity),
        ("summary", &rule.summary),
        ("command", &rule.command),
        ("project_id", &rule.project_id),
        ("table_name", &rule.table_name),
    ] {
        statement.bind_text(name, text)?;
    }
    for (name, number) in [
        ("enabled", i64::from(rule.enabled)),
        ("period_us", rule.period_us),
        ("hold_for_us", rule.hold_for_us),
        ("min_operations", rule.min_operations),
    ] {
        statement.bind_i64(name, number)?;
    }
    statement.bind_f64("threshold", rule.threshold)?;
    statement.execute()?;
    Ok(())
}

impl Reader {
    pub fn rules(&self) -> Result<Vec<Rule>, Error> {
        rules(self.bind(RULES, &[])?.execute()?)
    }

    /// What a rule's metric was at these times, the oldest first. The log was opened at `opened_us`.
    pub fn measure(
        &self,
        rule: &Rule,
        times: Times,
        opened_us: i64,
        callers: &Watcher,
    ) -> Result<Vec<(i64, Option<f64>)>, Error> {
        let sql = match rule.metric.source {
            Source::Period => PERIOD,
            Source::Errors => CONSECUTIVE_ERRORS,
            Source::Last => SINCE_LAST,
            // Samples are not in the log.
            Source::Process => return Ok(Vec::new()),
        };
        let mut conditions = vec!["true".to_owned()];
        let mut parameters = vec![
            ("after", Parameter::Time(times.from_us - rule.period_us)),
            ("until", Parameter::Time(times.until_us)),
            ("from_us", Parameter::Integer(times.from_us)),
            ("until_us", Parameter::Integer(times.until_us)),
            ("step_us", Parameter::Integer(times.step_us)),
            ("period_us", Parameter::Integer(rule.period_us)),
            ("min_operations", Parameter::Integer(rule.min_operations)),
            ("opened_us", Parameter::Integer(opened_us)),
        ];
        for (name, pattern) in rule.filters() {
            if pattern::is_plain(pattern) {
                conditions.push(format!("{name} = ${name}"));
                parameters.push((name, Parameter::Text(pattern.to_owned())));
                continue;
            }
            conditions.push(match pattern::regular_expression(pattern) {
                // Hexadecimal digits and signs, so no quote is in it. As a parameter it would be compiled for each row.
                Some(expression) => format!("regexp_full_match({name}, '{expression}')"),
                None => "false".to_owned(),
            });
        }
        let sql = sql
            .replace("{filters}", &conditions.join(" AND "))
            .replace("{metric}", rule.metric.name);
        let statement = self.bind(&sql, &parameters)?;
        let interrupter = statement.interrupter();
        let watched = callers.watch(move || interrupter.interrupt());
        let rows = watched.run(|| -> Result<_, Error> { Ok(statement.execute()?.collect()?) })?;
        Ok(rows
            .into_iter()
            .filter_map(|row| match row.as_slice() {
                [Cell::Integer(at_us), Cell::Double(value)] => Some((*at_us as i64, Some(*value))),
                [Cell::Integer(at_us), _] => Some((*at_us as i64, None)),
                _ => None,
            })
            .collect())
    }
}
