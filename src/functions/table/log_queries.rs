//! The functions that read the log: each is a .sql file and its declaration here.

use super::analyses;
use super::division::Division;
use super::log_query::{Columns, LogQuery, Rolled, BASE};
use super::parameters::{
    Parameter, Role, ARCHIVE, BUCKET, BY, METRIC, PERIOD, SINCE, TIMEZONE, UNTIL,
};
use crate::duckdb::TypeId;
use crate::record::Field;

const fn rows(name: &'static str, default: i64, meaning: &'static str) -> Parameter {
    Parameter {
        name,
        type_id: TypeId::BigInt,
        role: Role::Rows { default },
        meaning,
    }
}

const COMPLETE_SINCE: &str =
    "from when on the answer has all operations; NULL where that is the whole period";

pub const ALL: &[LogQuery] = &[
    LogQuery {
        name: "operation_log",
        summary: "Every operation, in no particular order: what the relations `operation_log` and `oplog.operation_log` stand for.",
        example: "SELECT count(*) FROM operation_log;",
        filters: false,
        sql: include_str!("../../../sql/functions/operation_log.sql"),
        ..BASE
    },
    LogQuery {
        name: "operation_archive",
        summary: "Every operation of log and archive, in no particular order: what the relation `oplog.archive` stands for. Each is there \
            once.",
        example: "SELECT count(*) FROM operation_archive();",
        filters: false,
        archive: true,
        sql: include_str!("../../../sql/functions/operation_archive.sql"),
        ..BASE
    },
    LogQuery {
        name: "oplog_operations",
        summary: "Operations, newest first.",
        example: "FROM oplog_operations(command := 'import', period := '24h', max_rows := 20);",
        named: &[
            SINCE,
            UNTIL,
            PERIOD,
            rows("max_rows", i64::MAX, "rows to give at most"),
            rows("skip_rows", 0, "rows to skip first"),
            ARCHIVE,
        ],
        sql: include_str!("../../../sql/functions/oplog_operations.sql"),
        ..BASE
    },
    LogQuery {
        name: "oplog_operation",
        summary: "The one operation with this id; no row if there is none.",
        example: "FROM oplog_operation('019a5f6e-0000-7000-8000-000000000000');",
        positional: &[Parameter {
            name: "id",
            type_id: TypeId::Any,
            role: Role::Id,
            meaning: "what `oplog_record` returned",
        }],
        filters: false,
        sql: include_str!("../../../sql/functions/oplog_operation.sql"),
        ..BASE
    },
    LogQuery {
        name: "oplog_stats",
        summary: "Counts, errors, durations and volumes, one row a group.",
        example: "FROM oplog_stats(period := '24h', by := 'project_id,command');",
        named: &[PERIOD, SINCE, UNTIL, BY],
        default_period: Some("1h"),
        default_by: &["command"],
        columns: Columns::Grouped(&[
            ("operations", "BIGINT", "how many"),
            ("errors", "BIGINT", "those that were no `success`"),
            ("success_rate", "DOUBLE", "share of successes, 0 to 1"),
            ("avg_ms", "DOUBLE", "mean duration; operations without one are left out of all durations"),
            ("p50_ms", "DOUBLE", "median duration (`quantile_cont`)"),
            ("p95_ms", "DOUBLE", "95th percentile"),
            ("p99_ms", "DOUBLE", "99th percentile"),
            ("max_ms", "DOUBLE", "longest duration"),
            ("total_ms", "DOUBLE", "sum of the durations"),
            ("avg_queue_wait_ms", "DOUBLE", "mean queue wait of those that have one"),
            ("max_queue_wait_ms", "DOUBLE", "longest queue wait"),
            ("rows_affected", "BIGINT", "sum, 9223372036854775807 at most, which is BIGINT's limit; the same holds for the other sums"),
            ("bytes_in", "BIGINT", "sum"),
            ("bytes_out", "BIGINT", "sum"),
            ("first_at", "TIMESTAMP WITH TIME ZONE", "when the first ended"),
            ("last_at", "TIMESTAMP WITH TIME ZONE", "when the last ended"),
            ("complete_since", "TIMESTAMP WITH TIME ZONE", COMPLETE_SINCE),
        ]),
        sql: include_str!("../../../sql/functions/oplog_stats.sql"),
        rolled: Some(Rolled {
            sql: include_str!("../../../sql/functions/oplog_stats_rolled.sql"),
            dimensions: &["status"],
        }),
        ..BASE
    },
    LogQuery {
        name: "oplog_summary",
        summary: "The whole period in one row.",
        example: "FROM oplog_summary(period := '24h');",
        named: &[PERIOD, SINCE, UNTIL],
        default_period: Some("1h"),
        columns: Columns::Listed(&[
            ("period", "VARCHAR", "the length of the period; NULL where it has no beginning"),
            ("since", "TIMESTAMP WITH TIME ZONE", "where the period begins in fact: with the hour or day, where the rows of a part of it are gone"),
            ("until", "TIMESTAMP WITH TIME ZONE", "where it ends; NULL for an open end"),
            ("total_operations", "BIGINT", "how many"),
            ("success_rate", "DOUBLE", "share of successes, 0 to 1; NULL where nothing ran"),
            ("avg_duration_ms", "DOUBLE", "mean duration"),
            ("p50_duration_ms", "DOUBLE", "median duration (`quantile_cont`)"),
            ("p95_duration_ms", "DOUBLE", "95th percentile"),
            ("p99_duration_ms", "DOUBLE", "99th percentile"),
            ("avg_queue_wait_ms", "DOUBLE", "mean queue wait of those that have one"),
            (
                "by_command",
                "MAP(VARCHAR, STRUCT(count BIGINT, avg_ms DOUBLE))",
                "each command, the most frequent first",
            ),
            (
                "errors",
                "STRUCT(code VARCHAR, count BIGINT)[]",
                "each error code, the most frequent first",
            ),
            ("complete_since", "TIMESTAMP WITH TIME ZONE", COMPLETE_SINCE),
        ]),
        sql: include_str!("../../../sql/functions/oplog_summary.sql"),
        rolled: Some(Rolled {
            sql: include_str!("../../../sql/functions/oplog_summary_rolled.sql"),
            dimensions: &["command", "status"],
        }),
        ..BASE
    },
    LogQuery {
        name: "oplog_slowest",
        summary: "The operations that took longest, slowest first.",
        example: "FROM oplog_slowest(n := 5, command := 'import');",
        named: &[rows("n", 10, "rows to give"), PERIOD, SINCE, UNTIL],
        default_period: Some("1h"),
        sql: include_str!("../../../sql/functions/oplog_slowest.sql"),
        ..BASE
    },
    LogQuery {
        name: "oplog_errors",
        summary: "What failed and how often, by error code and command.",
        example: "FROM oplog_errors(period := '7d');",
        named: &[PERIOD, SINCE, UNTIL],
        default_period: Some("1h"),
        columns: Columns::Listed(&[
            ("error_code", "VARCHAR", "as recorded; NULL where none was given"),
            ("command", "VARCHAR", "what failed"),
            ("count", "BIGINT", "how often"),
            ("first_at", "TIMESTAMP WITH TIME ZONE", "first time in the period"),
            ("last_at", "TIMESTAMP WITH TIME ZONE", "last time"),
            ("last_message", "VARCHAR", "the newest message that was given; its first 1,000 characters where its row is gone"),
            ("complete_since", "TIMESTAMP WITH TIME ZONE", COMPLETE_SINCE),
        ]),
        sql: include_str!("../../../sql/functions/oplog_errors.sql"),
        rolled: Some(Rolled {
            sql: include_str!("../../../sql/functions/oplog_errors_rolled.sql"),
            dimensions: &["command", "status"],
        }),
        ..BASE
    },
    LogQuery {
        name: "oplog_timeline",
        summary: "Operations, errors and durations over time, one row a bucket; empty buckets are rows too.",
        example: "FROM oplog_timeline(period := '24h', bucket := '1h');",
        named: &[PERIOD, SINCE, UNTIL, BUCKET, TIMEZONE, BY],
        default_period: Some("1h"),
        division: Division::Buckets,
        columns: Columns::Grouped(&[
            ("bucket", "TIMESTAMP WITH TIME ZONE", "start of the bucket; the columns of `by` follow it"),
            ("operations", "BIGINT", "how many"),
            ("errors", "BIGINT", "those that were no `success`"),
            ("success_rate", "DOUBLE", "share of successes, 0 to 1; NULL where nothing ran"),
            ("avg_ms", "DOUBLE", "mean duration"),
            ("p50_ms", "DOUBLE", "median duration"),
            ("p95_ms", "DOUBLE", "95th percentile"),
            ("max_ms", "DOUBLE", "longest duration"),
            ("rows_affected", "BIGINT", "sum"),
            ("bytes_in", "BIGINT", "sum"),
            ("bytes_out", "BIGINT", "sum"),
            ("complete_since", "TIMESTAMP WITH TIME ZONE", COMPLETE_SINCE),
        ]),
        sql: include_str!("../../../sql/functions/oplog_timeline.sql"),
        rolled: Some(Rolled {
            sql: include_str!("../../../sql/functions/oplog_timeline_rolled.sql"),
            dimensions: &["status"],
        }),
        ..BASE
    },
    analyses::SLO,
    analyses::USAGE,
    analyses::COMPARE,
    LogQuery {
        name: "oplog_history",
        summary: "What metrics were over time, one row a series and bucket that has samples.",
        example: "FROM oplog_history(metric := 'process_*', period := '7d', bucket := '1h');",
        named: &[METRIC, PERIOD, SINCE, UNTIL, BUCKET, TIMEZONE],
        filters: false,
        division: Division::Buckets,
        default_period: Some("24h"),
        columns: Columns::Listed(&[
            ("bucket", "TIMESTAMP WITH TIME ZONE", "start of the bucket"),
            ("metric", "VARCHAR", "the metric"),
            ("labels", "MAP(VARCHAR, VARCHAR)", "names and values"),
            ("samples", "BIGINT", "how many the bucket has: one a minute while a process runs"),
            ("avg", "DOUBLE", "their mean; of a counter, a sample is its rise a second"),
            ("min", "DOUBLE", "the least of them"),
            ("max", "DOUBLE", "the greatest"),
            ("last", "DOUBLE", "the last"),
            ("increase", "DOUBLE", "how far a counter rose; NULL for a gauge"),
        ]),
        sql: include_str!("../../../sql/functions/oplog_history.sql"),
        ..BASE
    },
    LogQuery {
        name: "oplog_history_metrics",
        summary: "The metrics that have a history.",
        example: "FROM oplog_history_metrics();",
        filters: false,
        columns: Columns::Listed(&[
            ("metric", "VARCHAR", "the metric"),
            ("type", "VARCHAR", "`counter` or `gauge`; NULL where there is no sample yet"),
            ("is_set", "BOOLEAN", "whether it was named with `oplog_history_set`; the others always have one"),
            ("series", "BIGINT", "its label sets"),
            ("first_at", "TIMESTAMP WITH TIME ZONE", "the first sample or hour"),
            ("last_at", "TIMESTAMP WITH TIME ZONE", "the last"),
        ]),
        sql: include_str!("../../../sql/functions/oplog_history_metrics.sql"),
        ..BASE
    },
];

/// What columns say that are no field of an operation.
const OWN_COLUMNS: &[(&str, &str)] = &[
    ("id", "what `oplog_record` or `oplog_start` returned"),
    (
        "source",
        "`record`, or `span` for what `oplog_start` and `oplog_finish` have timed",
    ),
    (
        "host_connection_id",
        "the connection that recorded it, within its process",
    ),
    (
        "seq",
        "its number in the order in which operations were accepted",
    ),
    (
        "weekday",
        "the day of the week as ISO 8601 counts it: 1 is Monday, 7 is Sunday",
    ),
    ("day", "its name"),
    ("hour", "the hour of the day, 0 to 23"),
];

/// What a column of the log says.
pub fn meaning_of(column: &str) -> &'static str {
    if let Some(field) = Field::by_name(column) {
        return field.meaning();
    }
    let own = OWN_COLUMNS.iter().find(|(name, _)| *name == column);
    own.map_or("", |(_, meaning)| meaning)
}

/// The function of this name, which has to be one of [`ALL`].
pub fn named(name: &str) -> Option<&'static LogQuery> {
    ALL.iter().find(|log_query| log_query.name == name)
}
