//! What an alert can be about.

/// Where a metric's values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The operations of a period.
    Period,
    /// The operations that failed one after the other.
    Errors,
    /// The last operation.
    Last,
    /// Samples of what the process uses.
    Process,
}

/// What an alert rule measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    pub name: &'static str,
    pub unit: &'static str,
    pub source: Source,
    /// The period where none is given; none for a metric that has no period.
    pub default_period_us: Option<i64>,
    pub meaning: &'static str,
}

const MINUTE_US: i64 = 60_000_000;

const fn of_period(name: &'static str, unit: &'static str, meaning: &'static str) -> Metric {
    Metric {
        name,
        unit,
        source: Source::Period,
        default_period_us: Some(5 * MINUTE_US),
        meaning,
    }
}

const fn of_process(
    name: &'static str,
    default_period_us: Option<i64>,
    meaning: &'static str,
) -> Metric {
    Metric {
        name,
        unit: "percent",
        source: Source::Process,
        default_period_us,
        meaning,
    }
}

pub const CPU: Metric = of_process(
    "cpu_percent",
    Some(MINUTE_US),
    "CPU time of the process, of all that its affinity and control group let it use",
);
pub const MEMORY: Metric = of_process(
    "memory_percent",
    None,
    "resident memory of the process, of the machine's or of its control group's limit",
);
pub const DISK: Metric = of_process(
    "disk_percent",
    None,
    "what is used of the file system of the database, or of the log, whichever is fuller",
);

impl Metric {
    pub const ALL: &'static [Metric] = &[
        of_period("operations", "operations", "operations in the period"),
        of_period("errors", "operations", "operations that did not succeed"),
        of_period(
            "success_rate",
            "ratio",
            "share of operations that succeeded, 0 to 1",
        ),
        of_period("avg_duration_ms", "ms", "mean duration"),
        of_period("p50_duration_ms", "ms", "median duration"),
        of_period("p95_duration_ms", "ms", "95th percentile of the durations"),
        of_period("p99_duration_ms", "ms", "99th percentile of the durations"),
        of_period("max_duration_ms", "ms", "longest duration"),
        Metric {
            name: "consecutive_errors",
            unit: "operations",
            source: Source::Errors,
            default_period_us: Some(24 * 60 * MINUTE_US),
            meaning: "operations of one command that failed one after the other, up to now; the period is how far back that is looked for",
        },
        Metric {
            name: "seconds_since_last_operation",
            unit: "seconds",
            source: Source::Last,
            default_period_us: None,
            meaning: "time since the last operation, or since the log was opened where that is later",
        },
        CPU,
        MEMORY,
        DISK,
    ];

    pub fn by_name(name: &str) -> Option<&'static Metric> {
        Self::ALL.iter().find(|metric| metric.name == name)
    }
}
