//! A question whose answer is put together from rollups and rows: the SQL of its parts.

use super::read::Parameter;
use crate::calendar::{format_time, HOUR_US};
use crate::rollup::{bin, middle, names, table, Level, Plan, Scope, COUNTS, SUMS};

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

impl Parts<'_> {
    /// The dimensions with a comma behind each.
    fn dimensions_listed(&self) -> String {
        let listed = self.dimensions.iter().map(|name| format!("{name}, "));
        listed.collect()
    }

    /// The same with the bucket before them.
    fn listed(&self) -> String {
        let bucket = self.bucket.map(|_| "start_us, ").unwrap_or_default();
        format!("{bucket}{}", self.dimensions_listed())
    }

    /// How many operations there were and what they came to.
    pub fn sums(&self) -> String {
        let mut parts = vec![self.rollups("", "", SUMS)];
        parts.extend(self.rows("", COUNTS, ""));
        parts.join("\n    UNION ALL\n")
    }

    /// How many operations have durations of which bin.
    pub fn bins(&self) -> String {
        let mut parts = vec![self.rollups("_durations", "bin, ", "sum(operations) AS operations")];
        let bin = format!("{} AS bin, ", bin("duration_ms"));
        // Those without a duration are in no bin.
        parts.extend(self.rows(
            &bin,
            "count(*) AS operations",
            " AND duration_ms IS NOT NULL",
        ));
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
            let none = table(self.scope, Level::Hour);
            pieces.push(format!("SELECT {columns} FROM {none}{suffix} LIMIT 0"));
        }
        let sums_again = names(sums).join(", ");
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

    /// What is in rows only: above the watermark, and in the parts of hours at both ends of the period.
    fn rows(&self, bin: &str, counts: &str, and: &str) -> Vec<String> {
        let (bucket, join) = match self.bucket {
            Some(bucket) => bucket("epoch_us(timestamp)"),
            None => (String::new(), String::new()),
        };
        let start = match self.bucket {
            Some(_) => format!("{bucket} AS start_us, "),
            None => String::new(),
        };
        let dimensions = self.dimensions_listed();
        self.ranges()
            .into_iter()
            .map(|range| {
                format!(
                    "    SELECT {start}{dimensions}{bin}{counts}
    FROM operation_log{join}
    WHERE {range} AND {}{and} GROUP BY ALL",
                    self.conditions
                )
            })
            .collect()
    }

    /// The ranges of rows, as conditions.
    fn ranges(&self) -> Vec<String> {
        let seq = self.rolled_seq;
        let since = self
            .plan
            .since_us
            .map_or("", |_| " AND timestamp >= $since");
        let before = self.plan.until_us.map_or("", |_| " AND timestamp < $until");
        let mut ranges = vec![format!("seq >= {seq}{since}{before}")];
        ranges.extend(self.plan.read_us.iter().map(|(from_us, until_us)| {
            format!(
                "seq < {seq} AND timestamp >= {} AND timestamp < {}",
                instant(*from_us),
                instant(*until_us)
            )
        }));
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
    pub fn parameters(&self) -> Vec<(&'static str, Parameter)> {
        let time = |us: Option<i64>| us.map_or(Parameter::Null, Parameter::Time);
        vec![
            ("since", time(self.plan.since_us)),
            ("until", time(self.plan.until_us)),
        ]
    }
}

/// A time as SQL. One with its offset is read without ICU.
fn instant(us: i64) -> String {
    format!("TIMESTAMPTZ '{}'", format_time(us))
}

/// The quantiles of an answer.
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];

/// Where each quantile lies between two bins, as aggregates over rows with `bin`, `below` (how many operations are in bins up
/// to that one) and `n` (how many there are).
pub fn quantile_bins() -> String {
    let bins = QUANTILES.map(|(name, q)| {
        format!(
            "min(bin) FILTER (below > floor({q:?} * (n - 1))) AS {name}_low,
        min(bin) FILTER (below > ceil({q:?} * (n - 1))) AS {name}_high"
        )
    });
    bins.join(",\n        ")
}

/// The quantiles between these bins, a list of nanoseconds as rows give it: interpolated as quantile_cont does, and no more
/// than the maximum.
pub fn quantiles_ns() -> String {
    let quantiles = QUANTILES.map(|(name, q)| {
        let (low, high) = (
            middle(&format!("{name}_low")),
            middle(&format!("{name}_high")),
        );
        format!(
            "least({low} + ({q:?} * (n - 1) - floor({q:?} * (n - 1))) * ({high} - ({low})), max_ms) * 1e6"
        )
    });
    format!("[{}]", quantiles.join(", "))
}
