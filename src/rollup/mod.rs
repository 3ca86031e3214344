//! Rollups: what is known of operations whose rows are gone, and from which of them a period is put together.
//!
//! Pure: the tables are the store's matter.

mod plan;

use crate::calendar::HOUR_US;

pub use plan::{Known, Plan};

/// Durations within a bin differ from its middle by this share at most.
pub const RELATIVE_ERROR: f64 = 0.01;

/// How long the periods of a level are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Hour,
    Day,
    EightDays,
    SixtyFourDays,
}

impl Level {
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::EightDays, Self::SixtyFourDays];

    /// Those that are made of others, each with the one that it is made of.
    pub const MADE: [(Self, Self); 3] = [
        (Self::Day, Self::Hour),
        (Self::EightDays, Self::Day),
        (Self::SixtyFourDays, Self::EightDays),
    ];

    pub fn hours(self) -> i64 {
        match self {
            Self::Hour => 1,
            Self::Day => 24,
            Self::EightDays => 8 * 24,
            Self::SixtyFourDays => 64 * 24,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "1d",
            Self::EightDays => "8d",
            Self::SixtyFourDays => "64d",
        }
    }

    /// The level that it is made of.
    pub fn below(self) -> Option<Self> {
        let made = Self::MADE.into_iter().find(|(level, _)| *level == self);
        made.map(|(_, below)| below)
    }
}

/// What operations are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Command,
    Project,
    Pair,
}

impl Scope {
    pub const ALL: [Self; 3] = [Self::Command, Self::Project, Self::Pair];

    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Project => "project",
            Self::Pair => "pair",
        }
    }

    /// The scope that knows these columns; none if no one does. All know the status.
    pub fn of<'a>(columns: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let (mut command, mut project) = (false, false);
        for column in columns {
            match column {
                "command" => command = true,
                "project_id" => project = true,
                "status" => {}
                _ => return None,
            }
        }
        Some(match (command, project) {
            (true, true) => Self::Pair,
            (false, true) => Self::Project,
            _ => Self::Command,
        })
    }
}

/// The table in which a scope's operations are counted by periods of a level. Hours are those of all scopes.
pub fn table(scope: Scope, level: Level) -> String {
    let scope = match level {
        Level::Hour => Scope::Pair,
        _ => scope,
    };
    format!("rollup_{}_{}", scope.name(), level.name())
}

/// The scopes that have tables of a level.
pub fn scopes(level: Level) -> &'static [Scope] {
    match level {
        Level::Hour => &[Scope::Pair],
        _ => &Scope::ALL,
    }
}

/// The bin of a duration, as SQL.
pub fn bin(duration_ms: &str) -> String {
    format!(
        "CASE WHEN {duration_ms} < 1e-9 THEN -32768 ELSE ceil(ln({duration_ms}) / {:?}) END::SMALLINT",
        gamma().ln()
    )
}

/// The hour in which the period of a level begins that has a time in microseconds, as SQL.
pub fn hour(time_us: &str, level: Level) -> String {
    let begins_us = floor(time_us, level.hours() * HOUR_US);
    format!("({begins_us} // {HOUR_US})::INTEGER")
}

/// The hour in which the period of a level begins that has an hour, as SQL.
pub fn period(hour: &str, level: Level) -> String {
    floor(hour, level.hours())
}

/// The multiple of a step that is not above a number, as SQL. `%` goes towards zero, also before 1970.
fn floor(number: &str, step: i64) -> String {
    format!("({number} - (({number} % {step}) + {step}) % {step})")
}

/// What rows of rollups come to together, by the names of their columns.
pub const SUMS: &str = "sum(operations) AS operations,
    sum(timed) AS timed,
    sum(total_ms) AS total_ms,
    max(max_ms) AS max_ms,
    sum(queued) AS queued,
    sum(queue_wait_ms) AS queue_wait_ms,
    max(max_queue_wait_ms) AS max_queue_wait_ms,
    sum(rows_affected) AS rows_affected,
    sum(bytes_in) AS bytes_in,
    sum(bytes_out) AS bytes_out,
    min(first_at) AS first_at,
    max(last_at) AS last_at";

/// What operations come to, as a row of rollups has it.
pub const COUNTS: &str = "count(*) AS operations,
    count(duration_ms) AS timed,
    sum(duration_ms) AS total_ms,
    max(duration_ms) AS max_ms,
    count(queue_wait_ms) AS queued,
    sum(queue_wait_ms) AS queue_wait_ms,
    max(queue_wait_ms) AS max_queue_wait_ms,
    sum(rows_affected) AS rows_affected,
    sum(bytes_in) AS bytes_in,
    sum(bytes_out) AS bytes_out,
    min(timestamp) AS first_at,
    max(timestamp) AS last_at";

/// The names of such columns.
pub fn names(columns: &str) -> Vec<&str> {
    let columns = columns.split(',');
    columns
        .filter_map(|column| column.rsplit(' ').next())
        .collect()
}

/// The duration that stands for a bin, as SQL.
pub fn middle(bin: &str) -> String {
    format!(
        "CASE WHEN {bin} = -32768 THEN 0 ELSE {:?} * exp({bin} * {:?}) END",
        2.0 / (gamma() + 1.0),
        gamma().ln()
    )
}

/// The same of a number.
pub fn middle_ms(bin: i16) -> f64 {
    match bin {
        i16::MIN => 0.0,
        bin => 2.0 / (gamma() + 1.0) * gamma().powi(bin.into()),
    }
}

/// How far the bounds of a bin are apart, as logarithms.
pub fn bin_width() -> f64 {
    gamma().ln()
}

/// What the bounds of a bin have to each other.
fn gamma() -> f64 {
    (1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_bin_is_within_a_percent_of_all_that_is_in_it() {
        for bin in [-300, -1, 0, 1, 77, 1200_i16] {
            let upper = gamma().powi(bin.into());
            let middle = middle_ms(bin);
            for within in [upper, upper / gamma() * (1.0 + 1e-12)] {
                let off = (middle - within).abs() / within;
                assert!(off <= RELATIVE_ERROR * (1.0 + 1e-9), "{bin}: {off}");
            }
        }
    }

    #[test]
    fn the_columns_are_those_of_the_schema() {
        let schema = include_str!("../../sql/schema/0007_rollups.sql");
        let (_, table) = schema
            .split_once("CREATE TABLE rollup_pair_1h (\n")
            .unwrap();
        let (table, _) = table.split_once("\n);").unwrap();
        let columns: Vec<&str> = table
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert_eq!(columns, [vec!["hour", "key"], names(SUMS)].concat());
        assert_eq!(names(COUNTS), names(SUMS));
    }

    #[test]
    fn a_scope_knows_what_is_asked_by_it() {
        assert_eq!(Scope::of([]), Some(Scope::Command));
        assert_eq!(Scope::of(["status"]), Some(Scope::Command));
        assert_eq!(Scope::of(["project_id", "status"]), Some(Scope::Project));
        assert_eq!(Scope::of(["project_id", "command"]), Some(Scope::Pair));
        assert_eq!(Scope::of(["command", "table_name"]), None);
    }
}
