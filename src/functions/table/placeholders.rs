//! What stands in the .sql files for what a question asks for.

use super::comparison::BY_LISTS;
use super::parameters::{Arguments, HOUR, WEEKDAY};

/// Which cells of time are in which bucket.
const CELL: &str = include_str!("../../../sql/parts/cell.sql");

/// The SQL with what stands in several files, and with what is made of `by`.
pub fn filled(sql: &str, arguments: &Arguments) -> String {
    let by = &arguments.by;
    let listed = |columns: &[&str], write: fn(&str) -> String| {
        columns
            .iter()
            .map(|column| write(column))
            .collect::<String>()
    };
    let columns = arguments.columns();
    let times: Vec<&str> = by
        .iter()
        .copied()
        .filter(|column| [WEEKDAY, HOUR].contains(column))
        .collect();
    let groups = if columns.is_empty() {
        // One group, also where nothing ran.
        "SELECT 1 AS present".to_owned()
    } else {
        format!("SELECT DISTINCT {} FROM operation", columns.join(", "))
    };
    let unnested = by.iter().enumerate().map(|(index, column)| {
        format!(
            "decode(unhex(unnest(CAST(${}::VARCHAR AS VARCHAR[]))[2:])) AS {column}, ",
            BY_LISTS[index]
        )
    });
    sql.replace("{cell}", CELL.trim())
        .replace("{by}", &by.join(", "))
        .replace("{by_listed}", &listed(by, |column| format!("{column}, ")))
        .replace(
            "{columns_listed}",
            &listed(&columns, |column| format!("{column}, ")),
        )
        .replace(
            "{time_listed}",
            &listed(&times, |column| format!("{column}, ")),
        )
        .replace(
            "{by_grouped}",
            &listed(&columns, |column| format!("grouped.{column}, ")),
        )
        .replace(
            "{by_matched}",
            &listed(&columns, |column| {
                format!(" AND grouped.{column} IS NOT DISTINCT FROM counted.{column}")
            }),
        )
        .replace("{by_unnested}", &unnested.collect::<String>())
        .replace("{groups}", &groups)
}

/// The SQL that selects these columns of an answer.
pub fn selected(listed: &str, sql: &str) -> String {
    format!(
        "SELECT {listed} FROM (\n{}\n)",
        sql.trim().trim_end_matches(';')
    )
}
