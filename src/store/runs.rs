//! What retention has deleted, as the log remembers it.

use super::error::Error;
use super::read::{count, Parameter};
use crate::duckdb::{Cell, Connection};

pub(super) const RUNS: &str = include_str!("../../sql/retention/runs.sql");
const CONDENSE: &str = include_str!("../../sql/retention/condense_runs.sql");

/// Runs that are remembered one by one; earlier ones are added up.
const RUNS_MAX: u64 = 5_000;

/// Why operations were deleted.
pub(super) const BY_SIZE: &str = "size";
/// By a rule that is no more.
const BY_DROPPED: &str = "dropped rule";

/// What came of all runs for one reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// When something was deleted last, and how much.
    pub last: Option<(i64, u64)>,
    pub deleted: u64,
}

impl Runs {
    /// Those for a reason, among the rows of [`RUNS`].
    pub(super) fn of(rows: &[Vec<Cell<'static>>], (reason, rule): (&str, Option<&str>)) -> Self {
        let found = rows.iter().find_map(|row| match row.as_slice() {
            [Cell::Text(why), name, Cell::Integer(at_us), Cell::Integer(last), Cell::Integer(all)] => {
                let name = match name {
                    Cell::Text(name) => Some(name.as_ref()),
                    _ => None,
                };
                (why.as_ref() == reason && name == rule).then_some(Self {
                    last: Some((*at_us as i64, *last as u64)),
                    deleted: *all as u64,
                })
            }
            _ => None,
        });
        found.unwrap_or_default()
    }
}

/// Remembers a run that deleted something.
pub(super) fn note_run(
    connection: &Connection,
    now_us: i64,
    (reason, rule): (&str, Option<&str>),
    deleted: u64,
) -> Result<(), Error> {
    if deleted == 0 {
        return Ok(());
    }
    let statement = connection.prepare(
        "INSERT INTO retention_runs (started_at, reason, deleted, rule) VALUES ($started_at, $reason, $deleted, $rule)",
    )?;
    statement.bind_timestamp("started_at", now_us)?;
    statement.bind_text("reason", reason)?;
    statement.bind_i64("deleted", deleted as i64)?;
    let rule = rule.map_or(Parameter::Null, |rule| Parameter::Text(rule.to_owned()));
    rule.bind(&statement, "rule")?;
    statement.execute()?;
    if count(connection, "SELECT count(*) FROM retention_runs")? > RUNS_MAX {
        connection.execute(CONDENSE)?;
    }
    Ok(())
}

/// What a rule that is dropped has deleted is remembered without its name: there may be any number of those.
pub(super) fn forget_rule(connection: &Connection, name: &str) -> Result<(), Error> {
    let statement = connection.prepare(&format!(
        "UPDATE retention_runs SET reason = '{BY_DROPPED}', rule = NULL WHERE rule = $name"
    ))?;
    statement.bind_text("name", name)?;
    statement.execute()?;
    Ok(())
}
