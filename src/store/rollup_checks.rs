//! Checks of rollups: against the operations where these are there, and of longer periods against shorter ones.

use super::checking::{Checking, Verdict};
use super::error::Error;
use super::rollup::known;
use crate::calendar::{format_time, HOUR_US};
use crate::duckdb::Cell;
use crate::rollup::{hour, names, period, scopes, table, Level, Scope, COUNTS, SUMS};

const HOURS: &str = include_str!("../../sql/check/hours.sql");
const PERIODS: &str = include_str!("../../sql/check/periods.sql");
const DURATIONS: &str = include_str!("../../sql/check/durations.sql");
const ERRORS: &str = include_str!("../../sql/check/errors.sql");
const UNKNOWN_KEYS: &str = include_str!("../../sql/check/unknown_keys.sql");

/// Rows that are held against each other at a time.
const PART_ROWS: u64 = 100_000;

/// Sums in another order differ by less, as a share of themselves.
const ROUNDING: &str = "1e-9";

/// When the operations ended that are in rollups, in hours.
const HOURS_OF_OPERATIONS: &str = "SELECT DISTINCT {hour} AS hour FROM operation_log WHERE seq < (SELECT rolled_seq FROM rollup_state)";

/// Makes all of them.
pub(super) fn add(checking: &mut Checking<'_>) -> Result<(), Error> {
    let state = known(checking.connection);
    if matches!(&state, Ok(state) if state.rolled_seq == 0) {
        checking.skip("rollups", "rollup_state", "nothing has been rolled up");
        return Ok(());
    }
    checking.note(
        "rollups",
        "rollup_state",
        state.map(|state| {
            let rolled = state.rolled_seq.saturating_sub(1);
            (
                Verdict::Pass,
                format!("operations are rolled up to seq {rolled}"),
            )
        }),
    )?;
    for level in Level::ALL {
        for scope in scopes(level) {
            let table = table(*scope, level);
            let found = agreed(checking, *scope, level);
            checking.note("rollups", &table, found)?;
            let found = durations(checking, &table, level);
            checking.note("durations", &table, found)?;
        }
    }
    let found = errors(checking);
    checking.note("rollups", "rollup_errors", found)
}

/// How a table of rollups agrees with what it is made of.
fn agreed(checking: &Checking<'_>, scope: Scope, level: Level) -> Result<(Verdict, String), Error> {
    let made = table(scope, level);
    let [unknown] = checking.numbers(&UNKNOWN_KEYS.replace("{table}", &made))?;
    if unknown > 0 {
        let detail = format!("{unknown} rows are about a key that is not in rollup_keys");
        return Ok((Verdict::Fail, detail));
    }
    let Some(below) = level.below() else {
        let hours = HOURS_OF_OPERATIONS.replace("{hour}", &hour("epoch_us(timestamp)", level));
        let sql = HOURS
            .replace("{hour}", &hour("epoch_us(timestamp)", level))
            .replace("{hour_us}", &HOUR_US.to_string())
            .replace("{counts}", COUNTS)
            .replace("{sums}", SUMS)
            .replace("{differ}", &differ());
        return held(
            checking,
            &[&of(&made), &hours],
            Level::Day,
            &sql,
            "operation_log",
        );
    };
    let listed = match scope {
        Scope::Command => "command, status",
        Scope::Project => "project_id, status",
        Scope::Pair => "command, project_id, status",
    };
    let parts = table(scope, below);
    let since = match below {
        Level::Hour => "hours_since",
        _ => "-2147483648",
    };
    let sql = PERIODS
        .replace("{table}", &made)
        .replace("{below}", &parts)
        .replace("{names}", listed)
        .replace("{period}", &period("hour", level))
        .replace("{level}", level.name())
        .replace("{hours}", &level.hours().to_string())
        .replace("{since}", since)
        .replace("{sums}", SUMS)
        .replace("{differ}", &differ());
    held(checking, &[&of(&made), &of(&parts)], level, &sql, &parts)
}

fn durations(
    checking: &Checking<'_>,
    table: &str,
    level: Level,
) -> Result<(Verdict, String), Error> {
    let bins = format!("{table}_durations");
    let sql = DURATIONS.replace("{table}", table);
    held(checking, &[&of(table), &of(&bins)], level, &sql, &bins)
}

fn errors(checking: &Checking<'_>) -> Result<(Verdict, String), Error> {
    let hours = table(Scope::Pair, Level::Hour);
    let sources = [&*of("rollup_errors"), &of(&hours)];
    held(checking, &sources, Level::Day, ERRORS, &hours)
}

fn of(table: &str) -> String {
    format!("SELECT hour FROM {table}")
}

/// Holds what is `counted` against what is `rolled`, in one column after the other.
fn differ() -> String {
    let differ = names(SUMS).into_iter().map(|name| {
        let (counted, rolled) = (format!("counted.{name}"), format!("rolled.{name}"));
        let are_distinct = format!("{counted} IS DISTINCT FROM {rolled}");
        match name {
            "total_ms" | "queue_wait_ms" => format!(
                "({are_distinct} AND coalesce(abs({counted} - {rolled}) > {ROUNDING} * greatest(abs({counted}), abs({rolled})), true))"
            ),
            _ => are_distinct,
        }
    });
    differ.collect::<Vec<_>>().join("\n    OR ")
}

/// Runs a statement that holds two sides against each other, part by part of the periods that `sources` have.
fn held(
    checking: &Checking<'_>,
    sources: &[&str],
    level: Level,
    sql: &str,
    against: &str,
) -> Result<(Verdict, String), Error> {
    let (mut differing, mut first) = (0, None);
    let parts = parts(checking, sources, level)?;
    for (from, until) in &parts {
        let rows = checking.rows(
            &sql.replace("{from}", &from.to_string())
                .replace("{until}", &until.to_string())
                .replace("{from_us}", &(from * HOUR_US).to_string())
                .replace("{until_us}", &(until * HOUR_US).to_string()),
        )?;
        if let Some(
            [Cell::Integer(found @ 1..), Cell::Integer(hour), Cell::Text(what), Cell::Integer(counted), Cell::Integer(rolled)],
        ) = rows.first().map(Vec::as_slice)
        {
            differing += found;
            first.get_or_insert_with(|| {
                let begins = format_time(*hour as i64 * HOUR_US);
                format!("{begins}, {what} ({rolled} operations, {counted} there)")
            });
        }
    }
    Ok(match first {
        Some(first) => (
            Verdict::Fail,
            format!("{differing} of its sums are not those of {against}; the first: {first}"),
        ),
        None => (Verdict::Pass, format!("its sums are those of {against}")),
    })
}

/// The hours that these statements list, in ranges of whole periods with about so many rows.
fn parts(
    checking: &Checking<'_>,
    sources: &[&str],
    level: Level,
) -> Result<Vec<(i64, i64)>, Error> {
    let rows = checking.rows(&format!(
        "SELECT {} AS begins, count(*) FROM ({}) GROUP BY begins ORDER BY begins",
        period("hour", level),
        sources.join(" UNION ALL ")
    ))?;
    let mut parts: Vec<(i64, i64)> = Vec::new();
    let mut in_part = 0;
    for row in &rows {
        let [Cell::Integer(begins), Cell::Integer(rows)] = row.as_slice() else {
            continue;
        };
        let ends = *begins as i64 + level.hours();
        match parts.last_mut() {
            Some((_, until)) if in_part + *rows as u64 <= PART_ROWS => {
                *until = ends;
                in_part += *rows as u64;
            }
            _ => {
                parts.push((*begins as i64, ends));
                in_part = *rows as u64;
            }
        }
    }
    Ok(parts)
}
