//! Checks as they are made, and what came of them.
//!
//! Each is made of statements of its own, so that one that meets damage does not keep the others from their answer.

use super::attach::MEMORY_LIMIT;
use super::error::Error;
use super::read::watched;
use crate::caller::{self, Watcher};
use crate::duckdb::{Cell, Connection};

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Fail,
    /// It was not made.
    Skip,
}

/// A check that was made, or left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: &'static str,
    /// What was looked at.
    pub subject: String,
    pub verdict: Verdict,
    pub detail: String,
}

/// Checks that are being made on a connection whose default database is a log.
pub(super) struct Checking<'a> {
    pub connection: &'a Connection,
    callers: &'a Watcher,
    checks: Vec<Check>,
}

impl<'a> Checking<'a> {
    pub fn new(connection: &'a Connection, callers: &'a Watcher) -> Self {
        Self {
            connection,
            callers,
            checks: Vec::new(),
        }
    }

    pub fn rows(&self, sql: &str) -> Result<Vec<Vec<Cell<'static>>>, Error> {
        if caller::has_given_up() {
            return Err(caller::Interrupted.into());
        }
        watched(self.connection.prepare(sql)?, self.callers)
    }

    /// The numbers in the first row.
    pub fn numbers<const N: usize>(&self, sql: &str) -> Result<[i128; N], Error> {
        let rows = self.rows(sql)?;
        let mut numbers = [0; N];
        for (number, cell) in numbers.iter_mut().zip(rows.first().into_iter().flatten()) {
            if let Cell::Integer(found) = cell {
                *number = *found;
            }
        }
        Ok(numbers)
    }

    /// Notes what came of a check. An error is what it has found, unless the caller has given up.
    pub fn note(
        &mut self,
        name: &'static str,
        subject: &str,
        outcome: Result<(Verdict, String), Error>,
    ) -> Result<(), Error> {
        let (verdict, detail) = match outcome {
            Err(error @ Error::Interrupted(_)) => return Err(error),
            Err(error) if error.is_out_of_memory() => (
                Verdict::Skip,
                format!(
                    "it needs more memory than the {MEMORY_LIMIT} that the log's own DuckDB has"
                ),
            ),
            Err(error) => (Verdict::Fail, error.to_string()),
            Ok(found) => found,
        };
        self.checks.push(Check {
            name,
            subject: subject.to_owned(),
            verdict,
            detail,
        });
        Ok(())
    }

    pub fn skip(&mut self, name: &'static str, subject: &str, why: &str) {
        self.checks.push(Check {
            name,
            subject: subject.to_owned(),
            verdict: Verdict::Skip,
            detail: why.to_owned(),
        });
    }

    /// What came of all that were made.
    pub fn made(self) -> Vec<Check> {
        self.checks
    }
}
