//! What metrics and labels may be called, and the names of the samples that a metric has.
//!
//! Sources: the Prometheus data model (names and labels), OpenMetrics 1.0 (suffixes, reserved label names).

use super::Kind;
use crate::excerpt::excerpt;

/// The longest name of a metric or a label.
const NAME_BYTES_MAX: usize = 255;

/// Prefixes of what oplog publishes by itself.
const OWN_PREFIXES: [&str; 2] = ["oplog_", "process_"];

/// What `oplog.engine` gives: these stand beside a service's metrics in `oplog.prometheus`.
const ENGINE_NAMES: [&str; 9] = [
    "duckdb_memory_bytes",
    "duckdb_temporary_storage_bytes",
    "duckdb_memory_limit_bytes",
    "duckdb_threads",
    "duckdb_connections",
    "duckdb_database_used_bytes",
    "duckdb_database_free_bytes",
    "duckdb_table_estimated_rows",
    "duckdb_table_indexes",
];

/// Suffixes that samples of other kinds have: a scraper would take such a metric for a part of another one.
const SAMPLE_SUFFIXES: [&str; 4] = ["_total", "_created", "_bucket", "_info"];

/// Units whose name a metric may end in, for `# UNIT`.
const UNITS: [&str; 10] = [
    "seconds", "bytes", "ratio", "celsius", "meters", "grams", "joules", "volts", "amperes",
    "kelvin",
];

/// Whether a metric of any kind may be called so.
pub fn is_metric_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX && is_name(name, |byte| byte == b':')
}

/// Refuses a name that no metric of this kind can have.
pub fn check_metric(name: &str, kind: Kind) -> Result<(), String> {
    let remedy = if name.is_empty() {
        "name the metric"
    } else if name.len() > NAME_BYTES_MAX {
        "a name has 255 characters at most"
    } else if !is_name(name, |byte| byte == b':') {
        "a name has letters, digits, _ and :, and does not begin with a digit"
    } else if OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        "names that begin with oplog_ or process_ are oplog's own; choose another prefix"
    } else if kind == Kind::Counter && !name.ends_with("_total") {
        "a counter's name ends in _total"
    } else if kind != Kind::Counter && SAMPLE_SUFFIXES.iter().any(|end| name.ends_with(end)) {
        "names that end in _total, _created, _bucket or _info are those of counters and of parts of a metric"
    } else if kind == Kind::Histogram && (name.ends_with("_sum") || name.ends_with("_count")) {
        "a histogram's parts are called _sum and _count; leave the suffix out"
    } else {
        return Ok(());
    };
    Err(format!("metric name is '{}': {remedy}", excerpt(name)))
}

/// Refuses a name that no metric of a service can have. A sample may have it: the rows of `oplog.engine` are samples.
pub fn check_service(name: &str, kind: Kind) -> Result<(), String> {
    check_metric(name, kind)?;
    let taken = taken(name, kind);
    match ENGINE_NAMES.iter().find(|own| taken.iter().any(|name| name == *own)) {
        Some(own) => Err(format!(
            "metric name is '{name}': oplog.engine gives {own}, and oplog.prometheus has both; choose another name"
        )),
        None => Ok(()),
    }
}

/// Refuses a name that no label of such a metric can have.
pub fn check_label(name: &str, kind: Kind) -> Result<(), String> {
    let remedy = if name.is_empty() {
        "name the label"
    } else if name.len() > NAME_BYTES_MAX {
        "a name has 255 characters at most"
    } else if !is_name(name, |_| false) {
        "a label's name has letters, digits and _, and does not begin with a digit"
    } else if name.starts_with("__") {
        "names that begin with __ are Prometheus's own"
    } else if kind == Kind::Histogram && name == "le" {
        "le is the label of a histogram's buckets; call yours another name"
    } else {
        return Ok(());
    };
    Err(format!("label name is '{}': {remedy}", excerpt(name)))
}

/// Refuses what no metric of a service with such labels can be called.
pub fn check(name: &str, kind: Kind, labels: &[&str]) -> Result<(), String> {
    check_service(name, kind)?;
    labels.iter().try_for_each(|label| check_label(label, kind))
}

fn is_name(name: &str, also: impl Fn(u8) -> bool) -> bool {
    let begins = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || also(byte);
    name.bytes().next().is_some_and(begins)
        && name
            .bytes()
            .all(|byte| begins(byte) || byte.is_ascii_digit())
}

/// What OpenMetrics calls the family: a counter's name without the suffix of its sample.
pub fn family(name: &str, kind: Kind) -> &str {
    match kind {
        Kind::Counter => name.strip_suffix("_total").unwrap_or(name),
        Kind::Gauge | Kind::Histogram => name,
    }
}

/// All names that a metric takes up in either format. No other metric may have one of them.
pub fn taken(name: &str, kind: Kind) -> Vec<String> {
    let family = family(name, kind);
    let suffixes: &[&str] = match kind {
        Kind::Counter => &["", "_total", "_created"],
        Kind::Gauge => &[""],
        Kind::Histogram => &["", "_bucket", "_sum", "_count", "_created"],
    };
    suffixes
        .iter()
        .map(|suffix| format!("{family}{suffix}"))
        .collect()
}

/// The unit that a family's name ends in, "" for none.
pub fn unit(family: &str) -> &'static str {
    UNITS
        .into_iter()
        .find(|unit| {
            family
                .strip_suffix(unit)
                .is_some_and(|rest| rest.ends_with('_'))
        })
        .unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_prometheus_data_model() {
        for (name, kind) in [
            ("table_api_requests_total", Kind::Counter),
            ("job:latency_seconds", Kind::Histogram),
            ("_queue", Kind::Gauge),
            ("pool_count", Kind::Gauge),
        ] {
            assert_eq!(check_metric(name, kind), Ok(()));
        }
        for (name, kind, remedy) in [
            ("", Kind::Gauge, "name the metric"),
            ("1st", Kind::Gauge, "does not begin with a digit"),
            ("with space", Kind::Gauge, "letters, digits, _ and :"),
            ("größe", Kind::Gauge, "letters, digits, _ and :"),
            ("requests", Kind::Counter, "ends in _total"),
            ("size_total", Kind::Gauge, "those of counters"),
            ("wait_count", Kind::Histogram, "leave the suffix out"),
            ("oplog_mine", Kind::Gauge, "oplog's own"),
        ] {
            let error = check_metric(name, kind).unwrap_err();
            assert!(error.contains(remedy), "{error}");
        }
        assert!(check_label("le", Kind::Gauge).is_ok());
        assert!(check_label("le", Kind::Histogram).is_err());
        assert!(check_label("__name__", Kind::Gauge).is_err());
        assert!(check_label("a:b", Kind::Gauge).is_err());
    }

    #[test]
    fn what_oplog_engine_gives_is_reserved_for_it() {
        let sql = include_str!("../../sql/engine/engine.sql");
        let given: Vec<&str> = sql
            .split('\'')
            .filter(|quoted| quoted.starts_with("duckdb_"))
            .collect();
        assert_eq!(given, ENGINE_NAMES);
        for (name, kind) in [
            ("duckdb_connections", Kind::Gauge),
            ("duckdb_threads_total", Kind::Counter),
            ("duckdb_threads", Kind::Histogram),
        ] {
            let error = check_service(name, kind).unwrap_err();
            assert!(error.contains("oplog.engine gives duckdb_"), "{error}");
            assert_eq!(check_metric(name, kind), Ok(()));
        }
        assert_eq!(check_service("duckdb_queries_total", Kind::Counter), Ok(()));
    }

    #[test]
    fn a_unit_is_a_whole_word_at_the_end() {
        assert_eq!(unit("import_duration_seconds"), "seconds");
        assert_eq!(unit("milliseconds"), "");
        assert_eq!(unit("requests"), "");
    }
}
