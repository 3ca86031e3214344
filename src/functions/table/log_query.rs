//! How a function is declared that reads the log: a .sql file, run in the sidecar, and what there is to say of it.

use super::division::{Cut, Division};
use super::parameters::{Arguments, Named, Parameter, Role, FILTERS};
use crate::duckdb::Cell;

/// The columns of an answer, for the reference; the types are those of the SQL, and a test holds the two together.
pub enum Columns {
    /// Those of the log.
    Log,
    /// Name, SQL type and meaning of each.
    Listed(&'static [Column]),
    /// The columns of `by`, first or behind the first of these.
    Grouped(&'static [Column]),
}

pub type Column = (&'static str, &'static str, &'static str);

/// A reading function.
pub struct LogQuery {
    pub name: &'static str,
    pub summary: &'static str,
    pub example: &'static str,
    /// Parameters before the filters; positional ones must be given.
    pub positional: &'static [Parameter],
    pub named: &'static [Parameter],
    pub filters: bool,
    /// Whether it always reads the archive too.
    pub archive: bool,
    /// The time range where none is given; none for everything.
    pub default_period: Option<&'static str>,
    pub default_by: &'static [&'static str],
    pub division: Division,
    pub columns: Columns,
    pub sql: &'static str,
    /// How it is answered where rows are gone or are many.
    pub rolled: Option<Rolled>,
    /// What works the answer out from what `sql` reads.
    pub judged: Option<Judged>,
}

/// An answer that is worked out from what is read.
pub struct Judged {
    /// Gives the rows that were worked out, from lists that are its parameters.
    pub sql: &'static str,
    /// Makes these lists of what was read, a row for each group and part of the period.
    pub judge: fn(&Arguments, &Cut, Vec<Vec<Cell<'static>>>) -> Named,
}

/// Where the SQL of a function begins to read operations, and where it has what it answers with.
const OPERATIONS: &str = "-- Of the operations:\n";
const ANSWER: &str = "-- The answer:\n";

/// How a function is answered from rollups and rows.
pub struct Rolled {
    /// What stands in the function's SQL for the part that reads operations.
    pub sql: &'static str,
    /// What the SQL groups by, besides what is asked for.
    pub dimensions: &'static [&'static str],
}

impl LogQuery {
    /// What holds where a parameter is left out, as the documentation shows it.
    pub fn default_of(&self, parameter: &Parameter) -> String {
        match (parameter.name, parameter.role) {
            ("period", _) => self
                .default_period
                .map_or("everything".into(), |period| format!("'{period}'")),
            (_, Role::Rows { default: i64::MAX }) => "all".into(),
            (_, Role::Rows { default }) => default.to_string(),
            (
                _,
                Role::Number {
                    default: Some(default),
                    ..
                },
            ) => default.to_string(),
            ("by", _) if !self.default_by.is_empty() => format!("'{}'", self.default_by.join(",")),
            (_, Role::Id) => "required".into(),
            (_, Role::Archive) => "false".into(),
            _ => String::new(),
        }
    }

    /// The SQL with what stands for the part that reads operations.
    pub fn with_operations(&self, rolled: &Rolled) -> String {
        let parts = self.sql.split_once(OPERATIONS);
        let parts = parts.and_then(|(before, rest)| Some((before, rest.split_once(ANSWER)?.1)));
        let (before, answer) = parts.unwrap_or_default();
        format!("{before}{}{answer}", rolled.sql)
    }

    pub fn parameters(&self) -> Vec<&'static Parameter> {
        let filters = if self.filters { FILTERS } else { &[] };
        self.named.iter().chain(filters).collect()
    }
}

/// What a declaration leaves out.
pub const BASE: LogQuery = LogQuery {
    name: "",
    summary: "",
    example: "",
    positional: &[],
    named: &[],
    filters: true,
    archive: false,
    default_period: None,
    default_by: &[],
    division: Division::Whole,
    columns: Columns::Log,
    sql: "",
    rolled: None,
    judged: None,
};

#[cfg(test)]
mod tests {
    use super::super::log_queries;
    use super::*;

    #[test]
    fn what_is_answered_from_rollups_says_which_part_reads_operations() {
        let mut count = 0;
        for query in log_queries::ALL.iter() {
            let Some(rolled) = &query.rolled else {
                continue;
            };
            count += 1;
            for marker in [OPERATIONS, ANSWER] {
                assert_eq!(query.sql.matches(marker).count(), 1, "{}", query.name);
            }
            let sql = query.with_operations(rolled);
            assert!(sql.contains(rolled.sql) && !sql.contains("{filters}"));
        }
        assert!(count > 0);
    }
}
