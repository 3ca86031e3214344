//! The functions that work something out of the log: whether a target is met, who uses how much, and what has changed.

use super::comparison::compare;
use super::division::Division;
use super::log_query::{Columns, Judged, LogQuery, Rolled, BASE};
use super::parameters::{Parameter, Role, BY, PERIOD, SINCE, TIMEZONE, UNTIL};
use crate::duckdb::TypeId;
use std::ops::Bound::{Excluded, Included, Unbounded};

const COMPLETE_SINCE: &str =
    "from when on the answer has all operations; NULL where that is the whole period";
const SINCE_USED: &str =
    "where the period begins in fact: with the hour or day, where the rows of a part of it are gone";
const UNTIL_USED: &str = "where it ends";

const TARGET: Parameter = Parameter {
    name: "target",
    type_id: TypeId::Double,
    role: Role::Number {
        default: Some(0.999),
        range: (Excluded(0.0), Excluded(1.0)),
        remedy: "give a fraction between 0 and 1, such as 0.999 for 99.9 %",
    },
    meaning: "the share of operations that is to be good, between 0 and 1",
};
const MAX_DURATION: Parameter = Parameter {
    name: "max_duration_ms",
    type_id: TypeId::Double,
    role: Role::Number {
        default: None,
        range: (Excluded(0.0), Unbounded),
        remedy: "give a number of milliseconds above 0",
    },
    meaning: "the latency target: an operation that took longer, in milliseconds, is bad too",
};
const BASELINE: Parameter = Parameter {
    name: "baseline",
    type_id: TypeId::Varchar,
    role: Role::Baseline,
    meaning: "how long the time right before the period is that the period is compared with, such as '7d'; by default as long as the period",
};
const MIN_CHANGE: Parameter = Parameter {
    name: "min_change",
    type_id: TypeId::Double,
    role: Role::Number {
        default: Some(0.1),
        range: (Included(0.0), Unbounded),
        remedy: "give a share of 0 or more, such as 0.1 for 10 %",
    },
    meaning: "the least change that counts, as a share: 0.1 for durations, or an error rate, 1.1 times as large or as small",
};
const BY_TIME: Parameter = Parameter {
    name: "by",
    type_id: TypeId::Varchar,
    role: Role::ByTime,
    meaning: "what to group by, separated by commas: weekday, hour, and the columns command, status, project_id, branch_id, bucket_name, table_name, error_code, source",
};
const HOURS_OF_ZONE: Parameter = Parameter {
    meaning: "zone whose weekdays and hours these are, such as 'Europe/Berlin'; by default that of the session",
    ..TIMEZONE
};

pub const SLO: LogQuery = LogQuery {
    name: "oplog_slo",
    summary: "Whether a target is met, what is left of the error budget, and how fast it burns; those with least left first.",
    example: "FROM oplog_slo(target := 0.999, max_duration_ms := 500, period := '30d', by := 'command');",
    named: &[TARGET, MAX_DURATION, PERIOD, SINCE, UNTIL, BY],
    default_period: Some("30d"),
    division: Division::Windows,
    columns: Columns::Grouped(&[
        ("operations", "BIGINT", "how many"),
        ("bad", "BIGINT", "those that were no `success`, or took longer than `max_duration_ms`"),
        ("success_rate", "DOUBLE", "share of the others, 0 to 1; NULL where nothing ran"),
        ("target", "DOUBLE", "the target that was given"),
        ("met", "BOOLEAN", "whether the success rate is the target or better; NULL where nothing ran"),
        ("error_budget", "DOUBLE", "how many of the operations may be bad"),
        ("budget_remaining", "DOUBLE", "share of the error budget that is left: 1 for all, below 0 where the target is missed"),
        ("burn_rate_5m", "DOUBLE", "share of bad operations in the last 5 minutes of the period, in parts of the share that may be bad; NULL where nothing ran or where that is not known"),
        ("burn_rate_30m", "DOUBLE", "the same for the last 30 minutes"),
        ("burn_rate_1h", "DOUBLE", "for the last hour"),
        ("burn_rate_6h", "DOUBLE", "for the last 6 hours"),
        ("burn_rate_1d", "DOUBLE", "for the last 24 hours"),
        ("burn_rate_3d", "DOUBLE", "for the last 72 hours"),
        ("burns_fast", "BOOLEAN", "burn rate of 14.4 or more over 1 hour and over 5 minutes: page somebody"),
        ("burns_medium", "BOOLEAN", "burn rate of 6 or more over 6 hours and over 30 minutes: page somebody"),
        ("burns_slowly", "BOOLEAN", "burn rate of 1 or more over 3 days and over 6 hours: open a ticket"),
        ("exhausted_at", "TIMESTAMP WITH TIME ZONE", "when the error budget is used up at the rate of the last hour, `until` where it already is; NULL where nothing burns"),
        ("since", "TIMESTAMP WITH TIME ZONE", SINCE_USED),
        ("until", "TIMESTAMP WITH TIME ZONE", UNTIL_USED),
        ("complete_since", "TIMESTAMP WITH TIME ZONE", COMPLETE_SINCE),
    ]),
    sql: include_str!("../../../sql/functions/oplog_slo.sql"),
    rolled: Some(Rolled {
        sql: include_str!("../../../sql/functions/oplog_slo_rolled.sql"),
        dimensions: &["status"],
    }),
    ..BASE
};

pub const USAGE: LogQuery = LogQuery {
    name: "oplog_usage",
    summary: "Who uses how much, and when it is busiest and quietest: by hour of the week, project, command or others. Hours in which nothing ran are rows too.",
    example: "FROM oplog_usage(period := '28d', by := 'project_id', timezone := 'Europe/Berlin');",
    named: &[PERIOD, SINCE, UNTIL, BY_TIME, HOURS_OF_ZONE],
    default_period: Some("28d"),
    default_by: &["weekday", "hour"],
    division: Division::Hours,
    columns: Columns::Grouped(&[
        ("operations", "BIGINT", "how many"),
        ("share", "DOUBLE", "their share of all operations of the answer, 0 to 1; NULL where nothing ran"),
        ("per_hour", "DOUBLE", "mean of operations in an hour; by weekday or hour in such an hour"),
        ("max_per_hour", "BIGINT", "most operations in a single hour"),
        ("busiest", "VARCHAR", "the hour of the week with the highest mean, such as `Tuesday 14:00`; the first of several"),
        ("quietest", "VARCHAR", "the one with the lowest"),
        ("errors", "BIGINT", "those that were no `success`"),
        ("total_ms", "DOUBLE", "sum of the durations"),
        ("rows_affected", "BIGINT", "sum, 9223372036854775807 at most, which is BIGINT's limit; the same holds for the other sums"),
        ("bytes_in", "BIGINT", "sum"),
        ("bytes_out", "BIGINT", "sum"),
        ("complete_since", "TIMESTAMP WITH TIME ZONE", "where the answer begins, if all is known by the hour only from then on; NULL where that is the whole period"),
    ]),
    sql: include_str!("../../../sql/functions/oplog_usage.sql"),
    rolled: Some(Rolled {
        sql: include_str!("../../../sql/functions/oplog_usage_rolled.sql"),
        dimensions: &["status"],
    }),
    ..BASE
};

pub const COMPARE: LogQuery = LogQuery {
    name: "oplog_compare",
    summary: "What has become slower or fails more than in the time before, by how much, and how sure that is; the surest first.",
    example: "FROM oplog_compare(period := '24h', baseline := '7d', by := 'command');",
    named: &[PERIOD, BASELINE, SINCE, UNTIL, BY, MIN_CHANGE],
    default_period: Some("24h"),
    default_by: &["command"],
    division: Division::Blocks,
    columns: Columns::Grouped(&[
        ("verdict", "VARCHAR", "`slower`, `faster`, `fails more`, `fails less`, two of these, `no difference`, `too few`, `only now` or `only before`"),
        ("operations", "BIGINT", "how many in the period"),
        ("operations_before", "BIGINT", "how many before"),
        ("duration_ratio", "DOUBLE", "how many times as long an operation takes now: 1.2 is 20 % longer; NULL where there are too few"),
        ("duration_ratio_low", "DOUBLE", "lower end of its confidence interval of 95 %; NULL where that is open"),
        ("duration_ratio_high", "DOUBLE", "upper end"),
        ("duration_p_value", "DOUBLE", "how likely durations that differ so much are by chance, corrected for all tests of the answer; NULL where there are too few"),
        ("p50_ms", "DOUBLE", "median duration in the period, within 1 %"),
        ("p50_before_ms", "DOUBLE", "the same before"),
        ("p95_ms", "DOUBLE", "95th percentile in the period, within 1 %"),
        ("p95_before_ms", "DOUBLE", "the same before"),
        ("avg_ms", "DOUBLE", "mean duration in the period"),
        ("avg_before_ms", "DOUBLE", "the same before"),
        ("error_rate", "DOUBLE", "share of operations that were no `success` in the period, 0 to 1"),
        ("error_rate_before", "DOUBLE", "the same before"),
        ("error_rate_change", "DOUBLE", "the difference of the two"),
        ("error_p_value", "DOUBLE", "how likely error rates that differ so much are by chance, corrected for all tests of the answer; NULL where there are too few"),
        ("since", "TIMESTAMP WITH TIME ZONE", SINCE_USED),
        ("until", "TIMESTAMP WITH TIME ZONE", UNTIL_USED),
        ("baseline_since", "TIMESTAMP WITH TIME ZONE", "where the time before begins; it ends with `since`"),
        ("complete_since", "TIMESTAMP WITH TIME ZONE", COMPLETE_SINCE),
    ]),
    sql: include_str!("../../../sql/functions/oplog_compare_read.sql"),
    rolled: Some(Rolled {
        sql: include_str!("../../../sql/functions/oplog_compare_rolled.sql"),
        dimensions: &["status"],
    }),
    judged: Some(Judged {
        sql: include_str!("../../../sql/functions/oplog_compare.sql"),
        judge: compare,
    }),
    ..BASE
};
