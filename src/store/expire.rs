//! What is too old: by which rule or setting, how much of that there is, and its end.

use super::archive::Archiving;
use super::deciders::{DecidedBy, Decider, Deciders, RetentionPolicy};
use super::error::Error;
use super::place::Place;
use super::read::{watched, Moment, Parameter};
use super::rollup::note_missing_rows;
use super::runs::{note_run, Runs, BY_SIZE, RUNS};
use super::store::Store;
use crate::caller::Watcher;
use crate::duckdb::{Cell, Connection, Statement};
use crate::retention::waits_for_clock;

const EXPIRING: &str = include_str!("../../sql/retention/expiring.sql");
const COUNT_EXPIRED: &str = include_str!("../../sql/retention/count_expired.sql");
const EXPIRED: &str = include_str!("../../sql/retention/expired.sql");
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
    /// More that are too old, and wait until it is known that the clock is right.
    pub held_back: u64,
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
                held_back: 0,
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

impl Retained {
    /// The same where the clock has leapt: `leapt` is how it stands by what the clock says, and so many operations were `deleted`
    /// by leaps already.
    pub fn after_leap(mut self, leapt: Self, deleted: u64) -> Self {
        let sum = |of: fn(&Standing) -> u64, all: &Self| all.standings.iter().map(of).sum::<u64>();
        let expired = sum(|standing| standing.expired, &self);
        let by_leap = sum(|standing| standing.expired, &leapt).saturating_sub(expired);
        let stored = sum(|standing| standing.operations, &self).saturating_sub(expired);
        if !waits_for_clock(by_leap, stored, deleted) {
            return leapt;
        }
        for standing in &mut self.standings {
            // Their order may be another one then.
            let then = leapt.standings.iter().find(|then| then.by == standing.by);
            let expired = then.map_or(0, |then| then.expired);
            standing.held_back = expired.saturating_sub(standing.expired);
        }
        self
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
    pub(super) fn expire(
        &mut self,
        policy: &RetentionPolicy,
        now_us: i64,
        believed_us: i64,
    ) -> Result<u64, Error> {
        let times = (now_us, believed_us);
        let deciders = Deciders::of(&self.connection, policy, now_us)?;
        // What goes is counted before.
        self.roll_before_purge(deciders.before_us(), 0)?;
        let tables = self.tables();
        if self.place == Place::Memory {
            // Its tables stand in several databases, and a transaction changes one.
            return expire(&self.connection, &tables, &deciders, times, None);
        }
        let archiving = self.archiving(&deciders)?;
        let archiving = archiving.as_ref();
        let expired = self
            .connection
            .transaction(|connection| expire(connection, &tables, &deciders, times, archiving));
        if expired.is_err() && archiving.is_some() {
            // What is left of it goes now, or before the next one.
            let _ = self.end_unfinished();
        }
        expired
    }

    /// A run that archives what goes, if it is archived and anything goes.
    fn archiving(&mut self, deciders: &Deciders) -> Result<Option<Archiving>, Error> {
        if self.archive()?.is_none() || self.count_decided(deciders)? == 0 {
            return Ok(None);
        }
        self.begin_archiving()
    }

    /// How many operations would go at that time.
    pub fn count_expired(&self, policy: &RetentionPolicy, now_us: i64) -> Result<u64, Error> {
        self.count_decided(&Deciders::of(&self.connection, policy, now_us)?)
    }

    fn count_decided(&self, deciders: &Deciders) -> Result<u64, Error> {
        let mut operations = 0;
        for table in self.tables() {
            let expired = Expired::find(&self.connection, &table, deciders)?;
            let counted = expired.into_iter().flat_map(|expired| expired.counted);
            operations += counted.map(|(_, operations, _)| operations).sum::<u64>();
            self.connection.execute(FORGET)?;
        }
        Ok(operations)
    }
}

fn expire(
    connection: &Connection,
    tables: &[String],
    deciders: &Deciders,
    (now_us, believed_us): (i64, i64),
    archiving: Option<&Archiving>,
) -> Result<u64, Error> {
    let mut deleted = vec![(0, i64::MIN); deciders.0.len()];
    for table in tables {
        if let Some(expired) = Expired::find(connection, table, deciders)? {
            for (position, operations, newest_us) in expired.counted {
                let (all, newest) = &mut deleted[position];
                *all += operations;
                *newest = newest_us.max(*newest);
            }
            if let Some(archiving) = archiving {
                let rows = deciders.fill(EXPIRED).replace("{table}", table);
                let rows = rows.replace("{latest_us}", &expired.before_us.to_string());
                archiving.write(connection, rows.trim(), now_us)?;
            }
            bound(connection, EXPIRE, (table, deciders), expired.before_us)?.execute()?;
        }
        connection.execute(FORGET)?;
    }
    for (decider, (deleted, newest_us)) in deciders.0.iter().zip(&deleted) {
        if let (Some(before_us), 1..) = (decider.before_us, *deleted) {
            // Where the clock has leapt, what ends before that time may be yet to come.
            let missing_us = match before_us > believed_us {
                true => newest_us.saturating_add(1),
                false => before_us,
            };
            note_missing_rows(connection, missing_us)?;
            note_run(connection, now_us, decider.by.reason(), *deleted)?;
        }
    }
    Ok(deleted.iter().map(|(deleted, _)| deleted).sum())
}

/// What of it is found stands in a table meanwhile.
const FORGET: &str = "DROP TABLE expiring";

/// What is too old in one of the log's tables. The rows that may be are read once where none is, and twice where some are.
struct Expired {
    /// Nothing of it ended later.
    before_us: i64,
    /// How many these are, and when the newest of them ended, by the position of who decides on them.
    counted: Vec<(usize, u64, i64)>,
}

impl Expired {
    /// Its kinds are in the table `expiring` then.
    fn find(
        connection: &Connection,
        table: &str,
        deciders: &Deciders,
    ) -> Result<Option<Self>, Error> {
        let of = (table, deciders);
        bound(connection, EXPIRING, of, deciders.before_us())?.execute()?;
        let latest = connection.query("SELECT max(before_us) FROM expiring")?;
        let Some([Cell::Integer(before_us)]) = latest.first().map(Vec::as_slice) else {
            return Ok(None);
        };
        let before_us = *before_us as i64;
        let counted = bound(connection, COUNT_EXPIRED, of, before_us)?
            .execute()?
            .collect()?;
        let counted = counted.iter().filter_map(|row| match row.as_slice() {
            [Cell::Integer(position), Cell::Integer(operations), Cell::Integer(newest_us)] => {
                Some((*position as usize, *operations as u64, *newest_us as i64))
            }
            _ => None,
        });
        Ok(Some(Self {
            before_us,
            counted: counted.collect(),
        }))
    }
}

/// One of the .sql files about one of the log's tables, for what ended before a time.
fn bound(
    connection: &Connection,
    sql: &str,
    (table, deciders): (&str, &Deciders),
    before_us: i64,
) -> Result<Statement, Error> {
    let statement = connection.prepare(&deciders.fill(sql).replace("{table}", table))?;
    statement.bind_timestamp("before", before_us)?;
    Ok(statement)
}
