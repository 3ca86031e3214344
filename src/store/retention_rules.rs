//! Retention rules in the log.

use super::error::Error;
use super::read::Parameter;
use super::runs::forget_rule;
use super::store::Store;
use crate::duckdb::{Cell, Connection};
use crate::retention::{unknown, RetentionChange, RetentionRule, RULES_MAX};

/// A column of `retention_rules`, what a rule has there, and whether that can be NULL.
type RuleColumn = (&'static str, fn(&RetentionRule) -> String, bool);

const COLUMNS: &[RuleColumn] = &[
    ("name", |rule| rule.name.clone(), false),
    ("command", |rule| rule.command.clone(), true),
    ("project_id", |rule| rule.project_id.clone(), true),
    ("status", RetentionRule::status, true),
    ("keep", |rule| rule.keep.to_string(), false),
];

fn names() -> Vec<&'static str> {
    COLUMNS.iter().map(|(name, ..)| *name).collect()
}

/// The rules of a log. One that cannot be read is an error, and no rule less: what it keeps would be deleted.
pub(super) fn rules(connection: &Connection) -> Result<Vec<RetentionRule>, Error> {
    let select = format!(
        "SELECT {} FROM retention_rules ORDER BY name",
        names().join(", ")
    );
    let rows = connection.query(&select)?;
    rows.iter().map(|row| rule(row)).collect()
}

fn rule(row: &[Cell<'static>]) -> Result<RetentionRule, Error> {
    let mut texts = row.iter().map(|cell| match cell {
        Cell::Text(text) => Some(text.to_string()),
        _ => None,
    });
    let name = texts.next().flatten().unwrap_or_default();
    let stored = RetentionChange {
        command: texts.next().flatten(),
        project_id: texts.next().flatten(),
        status: texts.next().flatten(),
        keep: texts.next().flatten(),
    };
    stored
        .apply(&name, None)
        .map_err(|problem| Error::StoredRule { name, problem })
}

impl Store {
    /// Adds or changes a retention rule; the rule as it is then.
    pub fn change_retention_rule(
        &mut self,
        name: &str,
        change: RetentionChange,
    ) -> Result<RetentionRule, Error> {
        self.connection.transaction(|connection| {
            let known = rules(connection)?;
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

    pub fn drop_retention_rule(&mut self, name: &str) -> Result<(), Error> {
        self.connection.transaction(|connection| {
            if drop_named(connection, name)? {
                return forget_rule(connection, name);
            }
            let known = connection.query("SELECT name FROM retention_rules ORDER BY name")?;
            let names = known.iter().filter_map(|row| match row.as_slice() {
                [Cell::Text(name)] => Some(name.as_ref()),
                _ => None,
            });
            Err(Error::Rule(unknown(name, names)))
        })
    }
}

/// Says whether there was one.
fn drop_named(connection: &Connection, name: &str) -> Result<bool, Error> {
    let statement = connection.prepare("DELETE FROM retention_rules WHERE name = $name")?;
    statement.bind_text("name", name)?;
    Ok(statement.execute()?.count()? > 0)
}

/// Keeps a rule in the place of the one of that name, if there is one.
fn put(connection: &Connection, rule: &RetentionRule) -> Result<(), Error> {
    drop_named(connection, &rule.name)?;
    let names = names();
    let statement = connection.prepare(&format!(
        "INSERT INTO retention_rules ({}) VALUES (${})",
        names.join(", "),
        names.join(", $")
    ))?;
    for (name, get, is_nullable) in COLUMNS {
        let value = match get(rule) {
            text if text.is_empty() && *is_nullable => Parameter::Null,
            text => Parameter::Text(text),
        };
        value.bind(&statement, name)?;
    }
    statement.execute()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_those_of_the_schema() {
        let schema = include_str!("../../sql/schema/0008_retention_rules.sql");
        let (_, table) = schema
            .split_once("CREATE TABLE retention_rules (\n")
            .unwrap();
        let (table, _) = table.split_once("\n);").unwrap();
        let columns: Vec<(&str, bool)> = table
            .lines()
            .filter_map(|line| Some((line.split_whitespace().next()?, !line.contains("NOT NULL"))))
            .collect();
        let known = COLUMNS
            .iter()
            .map(|(name, _, is_nullable)| (*name, *is_nullable));
        assert_eq!(columns, known.collect::<Vec<_>>());
    }
}
