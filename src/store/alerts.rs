//! Alert rules in the log.

use super::error::Error;
use super::read::{Parameter, Reader};
use super::store::Store;
use crate::alerts::{unknown, Comparison, Metric, Rule, RuleChange, RULES_MAX};
use crate::duckdb::{Cell, Connection, Rows};

/// A column of `alert_rules`.
struct RuleColumn {
    name: &'static str,
    /// What a rule has there.
    get: fn(&Rule) -> Parameter,
    /// How it gets it; none for what cannot stand there, such as a metric that a newer oplog has brought.
    set: fn(&mut Rule, &Cell<'static>) -> Option<()>,
}

fn text(cell: &Cell<'static>) -> Option<String> {
    match cell {
        Cell::Text(text) => Some(text.to_string()),
        _ => None,
    }
}

fn integer(cell: &Cell<'static>) -> Option<i64> {
    match cell {
        Cell::Integer(number) => i64::try_from(*number).ok(),
        _ => None,
    }
}

/// Patterns are NULL where they are empty.
fn pattern(pattern: &str) -> Parameter {
    match pattern {
        "" => Parameter::Null,
        pattern => Parameter::Text(pattern.to_owned()),
    }
}

macro_rules! columns {
    ($($name:ident: |$rule:ident| $get:expr, |$cell:ident| $set:expr;)*) => {
        &[$(RuleColumn {
            name: stringify!($name),
            get: |$rule| $get,
            set: |rule, $cell| {
                rule.$name = $set?;
                Some(())
            },
        },)*]
    };
}

const COLUMNS: &[RuleColumn] = columns! {
    name: |rule| Parameter::Text(rule.name.clone()), |cell| text(cell);
    enabled: |rule| Parameter::Integer(rule.enabled.into()), |cell| match cell {
        Cell::Boolean(enabled) => Some(*enabled),
        _ => None,
    };
    metric: |rule| Parameter::Text(rule.metric.name.into()), |cell| Metric::by_name(&text(cell)?);
    comparison: |rule| Parameter::Text(rule.comparison.symbol().into()),
        |cell| Comparison::parse(&text(cell)?).ok();
    threshold: |rule| Parameter::Double(rule.threshold), |cell| match cell {
        Cell::Double(threshold) => Some(*threshold),
        _ => None,
    };
    period_us: |rule| Parameter::Integer(rule.period_us), |cell| integer(cell);
    hold_for_us: |rule| Parameter::Integer(rule.hold_for_us), |cell| integer(cell);
    min_operations: |rule| Parameter::Integer(rule.min_operations), |cell| integer(cell);
    severity: |rule| Parameter::Text(rule.severity.clone()), |cell| text(cell);
    summary: |rule| Parameter::Text(rule.summary.clone()), |cell| text(cell);
    command: |rule| pattern(&rule.command), |cell| Some(text(cell).unwrap_or_default());
    project_id: |rule| pattern(&rule.project_id), |cell| Some(text(cell).unwrap_or_default());
    table_name: |rule| pattern(&rule.table_name), |cell| Some(text(cell).unwrap_or_default());
};

fn names() -> Vec<&'static str> {
    COLUMNS.iter().map(|column| column.name).collect()
}

/// Which rules there are.
fn select() -> String {
    format!(
        "SELECT {} FROM alert_rules ORDER BY name",
        names().join(", ")
    )
}

fn rule(row: &[Cell<'static>]) -> Option<Rule> {
    let mut rule = Rule::new("", &Metric::ALL[0], 0.0);
    for (column, cell) in COLUMNS.iter().zip(row) {
        (column.set)(&mut rule, cell)?;
    }
    Some(rule)
}

fn rules(mut rows: Rows) -> Result<Vec<Rule>, Error> {
    Ok(rows.collect()?.iter().filter_map(|row| rule(row)).collect())
}

impl Store {
    /// Adds or changes a rule; the rule as it is then.
    pub fn change_rule(&mut self, name: &str, change: RuleChange) -> Result<Rule, Error> {
        self.connection.transaction(|connection| {
            let known = rules(connection.prepare(&select())?.execute()?)?;
            let count = known.len();
            let known = known.into_iter().find(|rule| rule.name == name);
            if known.is_none() && count >= RULES_MAX {
                return Err(Error::TooManyRules {
                    rules: count,
                    max: RULES_MAX,
                });
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
            let known = rules(connection.prepare(&select())?.execute()?)?;
            let names = known.iter().map(|rule| rule.name.as_str());
            Err(Error::Rule(unknown(name, names)))
        })
    }
}

/// Says whether there was one.
fn drop_named(connection: &Connection, name: &str) -> Result<bool, Error> {
    let statement = connection.prepare("DELETE FROM alert_rules WHERE name = $name")?;
    statement.bind_text("name", name)?;
    Ok(statement.execute()?.count()? > 0)
}

/// Keeps a rule in the place of the one of that name, if there is one.
fn put(connection: &Connection, rule: &Rule) -> Result<(), Error> {
    drop_named(connection, &rule.name)?;
    let names = names();
    let statement = connection.prepare(&format!(
        "INSERT INTO alert_rules ({}) VALUES (${})",
        names.join(", "),
        names.join(", $")
    ))?;
    for column in COLUMNS {
        (column.get)(rule).bind(&statement, column.name)?;
    }
    statement.execute()?;
    Ok(())
}

impl Reader {
    pub fn rules(&self) -> Result<Vec<Rule>, Error> {
        rules(self.bind(&select(), &[])?.execute()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_those_of_the_schema() {
        let schema = include_str!("../../sql/schema/0006_no_keys.sql");
        let (_, table) = schema
            .split_once("CREATE TABLE alert_rules_without_key (\n")
            .unwrap();
        let (table, _) = table.split_once("\n);").unwrap();
        let columns: Vec<&str> = table
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert_eq!(columns, names());
    }
}
