//! What is too old: by which rule or setting, how much of that there is, and its end.

use super::deciders::{DecidedBy, Decider, Deciders, RetentionPolicy};
use super::error::Error;
use super::place::Place;
use super::read::{watched, Moment, Parameter};
use super::rollup::note_missing_rows;
use super::runs::{note_run, Runs, BY_SIZE, RUNS};
use super::store::Store;
use crate::caller::Watcher;
use crate::duckdb::{Cell, Connection};

const EXPIRING: &str = include_str!("../../sql/retention/expiring.sql");
const COUNT_EXPIRED: &str = include_str!("../../sql/retention/count_expired.sql");
const EXPIRE: &str = include_str!("../../sql/retention/expire.sql");
const STANDINGS: &str = include_str!("../../sql/retention/standings.sql");

/// How a rule or a setting stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub by: DecidedBy,
    /// What ended before this is too old; none where nothing is.
    pub before_us: Option<i64>,
    /// Operations in the log on which it decides, and those of them that are too old.
    pub operations: u64,
    pub expired: u64,
    pub runs: Runs,
}

/// How retention stands: all that decide, in their order, and what was deleted to save space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retained {
    pub standings: Vec<Standing>,
    pub by_size: Runs,
}

impl Moment {
    pub fn retained(
        &self,
        policy: &RetentionPolicy,
        now_us: i64,
        callers: &Watcher,
    ) -> Result<Retained, Error> {
        let deciders = Deciders::of(&self.connection, policy, now_us)?;
        let before = Parameter::Time(deciders.before_us());
        let counted = self.bind(&deciders.fill(STANDINGS), &[("before", before)])?;
        let counted = by_position(&watched(counted, callers)?);
        let runs = watched(self.bind(RUNS, &[])?, callers)?;
        let standing = |(position, decider): (usize, Decider)| {
            let found = counted.iter().find(|(at, _)| *at == position);
            let counts = found.map(|(_, counts)| counts.as_slice());
            let count = |index: usize| counts.and_then(|counts| counts.get(index)).copied();
            Standing {
                operations: count(0).unwrap_or(0),
                expired: count(1).unwrap_or(0),
                runs: Runs::of(&runs, decider.by.reason()),
                by: decider.by,
                before_us: decider.before_us,
            }
        };
        Ok(Retained {
            standings: deciders.0.into_iter().enumerate().map(standing).collect(),
            by_size: Runs::of(&runs, (BY_SIZE, None)),
        })
    }
}

/// Rows of a position and of counts.
fn by_position(rows: &[Vec<Cell<'static>>]) -> Vec<(usize, Vec<u64>)> {
    let number = |cell: &Cell<'static>| match cell {
        Cell::Integer(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    rows.iter()
        .filter_map(|row| {
            let (position, counts) = row.split_first()?;
            let counts = counts.iter().map(number).collect::<Option<_>>()?;
            Some((number(position)? as usize, counts))
        })
        .collect()
}

impl Store {
    /// Deletes what is too old; returns how many rows that were.
    pub(super) fn expire(&mut self, policy: &RetentionPolicy, now_us: i64) -> Result<u64, Error> {
        let deciders = Deciders::of(&self.connection, policy, now_us)?;
        // What goes is counted before.
        self.roll_before_purge(deciders.before_us(), 0)?;
        let tables = self.tables();
        match self.place {
            Place::File(_) => self
                .connection
                .transaction(|connection| expire(connection, &tables, &deciders, now_us)),
            // Its tables stand in several databases, and a transaction changes one.
            Place::Memory => expire(&self.connection, &tables, &deciders, now_us),
        }
    }
}

fn expire(
    connection: &Connection,
    tables: &[String],
    deciders: &Deciders,
    now_us: i64,
) -> Result<u64, Error> {
    let mut deleted = vec![0; deciders.0.len()];
    for table in tables {
        for (position, counts) in expire_table(connection, table, deciders)? {
            deleted[position] += counts.iter().sum::<u64>();
        }
    }
    for (decider, deleted) in deciders.0.iter().zip(&deleted) {
        if let (Some(before_us), 1..) = (decider.before_us, *deleted) {
            note_missing_rows(connection, before_us)?;
            note_run(connection, now_us, decider.by.reason(), *deleted)?;
        }
    }
    Ok(deleted.iter().sum())
}

/// Deletes what is too old in one of the log's tables; returns how many rows that were, by who decided on them. The rows that
/// may be too old are read once where none is, and three times where some are.
fn expire_table(
    connection: &Connection,
    table: &str,
    deciders: &Deciders,
) -> Result<Vec<(usize, Vec<u64>)>, Error> {
    let run = |sql: &str, before_us: i64| -> Result<_, Error> {
        let statement = connection.prepare(&deciders.fill(sql).replace("{table}", table))?;
        statement.bind_timestamp("before", before_us)?;
        Ok(statement.execute()?.collect()?)
    };
    run(EXPIRING, deciders.before_us())?;
    let latest = connection.query("SELECT max(before_us) FROM expiring")?;
    let deleted = match latest.first().map(Vec::as_slice) {
        Some([Cell::Integer(before_us)]) => {
            let before_us = *before_us as i64;
            let counted = by_position(&run(COUNT_EXPIRED, before_us)?);
            run(EXPIRE, before_us)?;
            counted
        }
        _ => Vec::new(),
    };
    connection.execute("DROP TABLE expiring")?;
    Ok(deleted)
}
