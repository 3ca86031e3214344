//! A question whose answer is put together from rollups and rows: the SQL of its parts.

use super::parameters::Named;
use crate::rollup::{bin, middle, table, Plan, Scope, HOUR_US};
use crate::store::Parameter as Bound;

/// The bucket of a time in microseconds, given as SQL, and what has to be joined for it.
pub type BucketOf<'a> = &'a dyn Fn(&str) -> (String, String);

/// The parts of an answer. All operations of the period are in them once.
pub struct Parts<'a> {
    pub plan: &'a Plan,
    pub scope: Scope,
    /// Operations below are in the rollups.
    pub rolled_seq: u64,
    /// What the answer is grouped by; the status is always there.
    pub dimensions: Vec<&'static str>,
    /// What keys and rows have to be.
    pub conditions: &'a str,
    pub bucket: Option<BucketOf<'a>>,
}

/// What is added up of a group.
const SUMS: &str = "sum(operations) AS operations,
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

/// The same of rows.
const COUNTS: &str = "count(*) AS operations,
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

impl Parts<'_> {
    /// The dimensions with a comma behind each, and the bucket among them.
    fn listed(&self) -> String {
        let bucket = self.bucket.map(|_| "start_us, ").unwrap_or_default();
        let dimensions: String = self
            .dimensions
            .iter()
            .map(|name| format!("{name}, "))
            .collect();
        format!("{bucket}{dimensions}")
    }

    /// How many operations there were and what they came to.
    pub fn sums(&self) -> String {
        let mut parts = vec![self.rollups("", "", SUMS)];
        parts.extend(self.rows("", COUNTS));
        parts.join("\n    UNION ALL\n")
    }

    /// How many operations have durations of which bin.
    pub fn bins(&self) -> String {
        let mut parts = vec![self.rollups("_durations", "bin, ", "sum(operations) AS operations")];
        let bin = format!("{} AS bin, ", bin("duration_ms"));
        parts.extend(
            self.rows(&bin, "count(*) AS operations")
                .into_iter()
                .map(|part| {
                    // Those without a duration are in no bin.
                    part.replace(" GROUP BY ALL", " AND duration_ms IS NOT NULL GROUP BY ALL")
                }),
        );
        parts.join("\n    UNION ALL\n")
    }

    fn rollups(&self, suffix: &str, bin: &str, sums: &str) -> String {
        let (bucket, join) = match self.bucket {
            Some(bucket) => bucket(&format!("(hour::BIGINT * {HOUR_US})")),
            None => (String::new(), String::new()),
        };
        let (start, start_listed) = match self.bucket {
            Some(_) => (format!("{bucket} AS start_us, "), "start_us, "),
            None => (String::new(), ""),
        };
        let columns = match suffix {
            "" => "*",
            _ => "hour, key, bin, operations",
        };
        let mut pieces: Vec<String> = self
            .plan
            .pieces
            .iter()
            .map(|piece| {
                format!(
                    "SELECT {columns} FROM {}{suffix} WHERE hour >= {} AND hour < {}",
                    table(self.scope, piece.level),
                    piece.from,
                    piece.until
                )
            })
            .collect();
        if pieces.is_empty() {
            let none = table(self.scope, crate::rollup::Level::Hour);
            pieces.push(format!("SELECT {columns} FROM {none}{suffix} LIMIT 0"));
        }
        let sums_again = self.columns_of(sums);
        format!(
            "    SELECT {listed}{bin}{sums_again}
    FROM (
        SELECT {start}key, {bin}{sums}
        FROM (
            {pieces}
        ){join}
        WHERE key IN (SELECT key FROM rollup_keys WHERE {conditions})
        GROUP BY {start_listed}{bin}key
    )
    JOIN rollup_keys USING (key)",
            listed = self.listed(),
            pieces = pieces.join("\n            UNION ALL "),
            conditions = self.conditions,
        )
    }

    /// The names in a list of sums.
    fn columns_of(&self, sums: &str) -> String {
        let names = sums.split(',').filter_map(|sum| sum.rsplit(' ').next());
        names.collect::<Vec<_>>().join(", ")
    }

    /// What is in rows only: above the watermark, and in the parts of hours at both ends of the period.
    fn rows(&self, bin: &str, counts: &str) -> Vec<String> {
        self.ranges()
            .into_iter()
            .map(|range| {
                let (bucket, join) = match self.bucket {
                    Some(bucket) => bucket("epoch_us(timestamp)"),
                    None => (String::new(), String::new()),
                };
                let start = match self.bucket {
                    Some(_) => format!("{bucket} AS start_us, "),
                    None => String::new(),
                };
                let dimensions: String = self
                    .dimensions
                    .iter()
                    .map(|name| format!("{name}, "))
                    .collect();
                format!(
                    "    SELECT {start}{dimensions}{bin}{counts}
    FROM operation_log{join}
    WHERE {range} AND {} GROUP BY ALL",
                    self.conditions
                )
            })
            .collect()
    }

    /// The ranges of rows, as conditions on parameters.
    fn ranges(&self) -> Vec<String> {
        let Plan {
            since_us,
            until_us,
            hours: (from, until),
            ..
        } = *self.plan;
        let since = since_us.map_or("", |_| " AND timestamp >= $since");
        let before = until_us.map_or("", |_| " AND timestamp < $until");
        let seq = self.rolled_seq;
        let mut ranges = vec![format!("seq >= {seq}{since}{before}")];
        if since_us.is_some_and(|us| us < from.saturating_mul(HOUR_US)) {
            ranges.push(format!(
                "seq < {seq}{since}{before} AND timestamp < $hours_from"
            ));
        }
        if until_us.is_some_and(|us| us > until.saturating_mul(HOUR_US)) {
            ranges.push(format!(
                "seq < {seq}{since}{before} AND timestamp >= $hours_until"
            ));
        }
        ranges
    }

    /// The failures by code: rollups of them are hours.
    pub fn errors(&self) -> String {
        let (from, until) = self.plan.hours;
        let conditions = self.conditions;
        let mut parts = vec![format!(
            "    SELECT error_code, command, operations, first_at, last_at, last_message, last_seq
    FROM rollup_errors
    WHERE hour >= {from} AND hour < {until} AND {conditions}"
        )];
        parts.extend(self.ranges().into_iter().map(|range| {
            format!(
                "    SELECT
        error_code, command, count(*) AS operations, min(timestamp) AS first_at, max(timestamp) AS last_at,
        arg_max(error_message, seq) AS last_message, max(seq) AS last_seq
    FROM operation_log
    WHERE {range} AND status <> 'success' AND {conditions}
    GROUP BY error_code, command"
            )
        }));
        parts.join("\n    UNION ALL\n")
    }

    /// The values that the SQL uses.
    pub fn parameters(&self) -> Named {
        let Plan {
            since_us,
            until_us,
            hours: (from, until),
            ..
        } = *self.plan;
        let time = |us: Option<i64>| us.map_or(Bound::Null, Bound::Time);
        vec![
            ("since", time(since_us)),
            ("until", time(until_us)),
            ("hours_from", Bound::Time(from.saturating_mul(HOUR_US))),
            ("hours_until", Bound::Time(until.saturating_mul(HOUR_US))),
        ]
    }
}

/// Where a quantile lies between two bins, as aggregates over rows with `bin`, `below` (how many operations are in bins up to
/// that one) and `n` (how many there are).
pub fn quantile_bins(name: &str, q: f64) -> String {
    format!(
        "min(bin) FILTER (below > floor({q:?} * (n - 1))) AS {name}_low,
        min(bin) FILTER (below > ceil({q:?} * (n - 1))) AS {name}_high"
    )
}

/// The quantile between these bins in milliseconds, interpolated as quantile_cont does; no more than the maximum.
pub fn quantile(name: &str, q: f64) -> String {
    let (low, high) = (
        middle(&format!("{name}_low")),
        middle(&format!("{name}_high")),
    );
    format!(
        "round(least({low} + ({q:?} * (n - 1) - floor({q:?} * (n - 1))) * ({high} - ({low})), max_ms) * 1e6) / 1e6"
    )
}
