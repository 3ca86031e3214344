//! One given value, and what each kind of field makes of it.

use super::{Field, Kind, TEXT_BYTES_MAX};
use crate::calendar::{
    format_local_time, format_time, parse_time, Unread, Zone, FIRST_US, LAST_US,
};
use crate::excerpt::excerpt;
use crate::json;
use std::borrow::Cow;
use std::fmt;

/// The status of a span that nobody finished. Only oplog writes it.
pub const INTERRUPTED: &str = "interrupted";

/// What may stand in the log, as OpenTelemetry and job schedulers would say it. `success` is the default.
pub const LOGGED_STATUSES: [&str; 5] = ["success", "error", "timeout", "cancelled", INTERRUPTED];

/// What a caller may give as `status`: all but the last.
pub const STATUSES: [&str; LOGGED_STATUSES.len() - 1] = {
    let [given @ .., _] = LOGGED_STATUSES;
    given
};

/// A value as the caller gave it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Null,
    Boolean(bool),
    Integer(i128),
    Double(f64),
    Text(Cow<'a, str>),
    /// Microseconds since 1970, UTC.
    Time(i64),
    /// What the clocks of the session's zone show, in microseconds since 1970.
    LocalTime(i64),
    /// Microseconds.
    Interval(i64),
    /// JSON that DuckDB's own JSON is known to read: a nested value, or a part of a JSON document.
    Json(Cow<'a, str>),
}

/// Why a row is not recorded: what failed, the value, the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(pub String);

impl Problem {
    pub(super) fn of(field: Field, value: &Value<'_>, remedy: &str) -> Self {
        Self(format!("{} is {value}: {remedy}", field.name()))
    }
}

impl std::error::Error for Problem {}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for Value<'_> {
    /// The value as an error shows it: short, quoted if it is text.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => formatter.write_str("NULL"),
            Self::Boolean(value) => write!(formatter, "{value}"),
            Self::Integer(value) => write!(formatter, "{value}"),
            Self::Double(value) if value.abs() >= 1e15 => write!(formatter, "{value:e}"),
            Self::Double(value) => write!(formatter, "{value}"),
            Self::Time(value) => formatter.write_str(&format_time(*value)),
            Self::LocalTime(value) => formatter.write_str(&format_local_time(*value)),
            Self::Interval(value) => write!(formatter, "an INTERVAL of {} s", *value as f64 / 1e6),
            Self::Text(text) | Self::Json(text) => write!(formatter, "'{}'", excerpt(text)),
        }
    }
}

/// The value of a text field. Longer text is cut at a character's end, and says so in its last words.
pub(super) fn text<'a>(field: Field, value: &'a Value<'_>) -> Result<Cow<'a, str>, Problem> {
    Ok(match value {
        Value::Text(text) if text.len() <= TEXT_BYTES_MAX => Cow::Borrowed(text),
        Value::Text(text) => {
            let mark = format!("… [cut, {} bytes in all]", text.len());
            let kept = floor_char_boundary(text, TEXT_BYTES_MAX - mark.len());
            Cow::Owned(format!("{}{mark}", &text[..kept]))
        }
        Value::Boolean(value) => Cow::Owned(value.to_string()),
        Value::Integer(value) => Cow::Owned(value.to_string()),
        Value::Double(value) => Cow::Owned(value.to_string()),
        Value::Time(value) => Cow::Owned(format_time(*value)),
        Value::LocalTime(value) => Cow::Owned(format_local_time(*value)),
        Value::Null | Value::Interval(_) | Value::Json(_) => {
            return Err(Problem::of(field, value, "give text"))
        }
    })
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0)
}

pub(super) fn status(value: &Value<'_>) -> Result<&'static str, Problem> {
    let Value::Text(text) = value else {
        return Err(Problem::of(Field::Status, value, "give text"));
    };
    STATUSES
        .into_iter()
        .find(|status| text == status)
        .ok_or_else(|| {
            let [first @ .., last] = STATUSES;
            let any = format!("{} or {last}", first.join(", "));
            let remedy = if text == INTERRUPTED {
                format!("only oplog writes it, for spans that nobody finished; give {any}")
            } else {
                format!("a status is {any}; details go into error_code")
            };
            Problem::of(Field::Status, value, &remedy)
        })
}

/// Up to 31 years: enough for any operation, little enough for nanoseconds in a BIGINT, and a guard against other units.
pub(super) const DURATION_MS_RANGE: std::ops::Range<f64> = 0.0..1e12;

pub(super) fn milliseconds(field: Field, value: &Value<'_>) -> Result<f64, Problem> {
    let number = match value {
        Value::Double(number) => *number,
        Value::Integer(number) => *number as f64,
        Value::Interval(micros) => *micros as f64 / 1000.0,
        Value::Text(text) => text
            .trim()
            .parse()
            .map_err(|_| Problem::of(field, value, "give a number of milliseconds"))?,
        _ => {
            return Err(Problem::of(
                field,
                value,
                "give a number of milliseconds, or an INTERVAL",
            ))
        }
    };
    // NaN is in no range. Adding zero turns -0 into 0.
    if DURATION_MS_RANGE.contains(&number) {
        return Ok(number + 0.0);
    }
    Err(Problem::of(
        field,
        value,
        if number >= DURATION_MS_RANGE.end {
            "that is 31 years or more; give milliseconds, or leave it out if it is unknown"
        } else {
            "a duration is 0 or more; leave it out if it is unknown"
        },
    ))
}

pub(super) fn count(field: Field, value: &Value<'_>) -> Result<i64, Problem> {
    let number = match value {
        Value::Integer(number) => Some(*number),
        // Above 2^53 a double is no longer the number that was meant.
        Value::Double(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
            Some(*number as i128)
        }
        Value::Double(number) if number.fract() == 0.0 && (9e15..9.2e18).contains(number) => {
            return Err(Problem::of(
                field,
                value,
                "a DOUBLE of that size is not exact; give a BIGINT",
            ));
        }
        // What is too large, and what is below zero.
        Value::Double(number) if number.fract() == 0.0 => Some(*number as i128),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number {
        Some(number) if number >= 0 => i64::try_from(number)
            .map_err(|_| Problem::of(field, value, "it is larger than a BIGINT holds")),
        Some(_) => Err(Problem::of(
            field,
            value,
            "a count is 0 or more; leave it out if it is unknown",
        )),
        None => Err(Problem::of(field, value, "give a whole number")),
    }
}

/// The instant of a time; one that names no zone is what the clocks of `zone` show.
pub(super) fn time(field: Field, value: &Value<'_>, zone: &Zone) -> Result<i64, Problem> {
    let instant = match value {
        Value::Time(micros) => Ok(*micros),
        Value::LocalTime(micros) => zone.resolve(*micros),
        Value::Text(text) => parse_time(text, zone),
        _ => Err(Unread::NoTime),
    };
    let remedy = match &instant {
        Ok(micros) if (FIRST_US..=LAST_US).contains(micros) => return Ok(*micros),
        Ok(_) => "give a time in the years 1 to 9999",
        Err(Unread::Zone(problem)) => problem,
        Err(Unread::NoTime) => "give a TIMESTAMP, or ISO 8601 text such as 2026-01-31T12:00:00Z; for seconds since 1970 use to_timestamp()",
    };
    Err(Problem::of(field, value, remedy))
}

/// JSON text. What is longer than a field may be is kept as the beginning of its text, inside an object that says so.
pub(super) fn json<'a>(field: Field, value: &'a Value<'_>) -> Result<Cow<'a, str>, Problem> {
    let text = match value {
        Value::Json(text) => Cow::Borrowed(text.as_ref()),
        Value::Text(text) => {
            if let Err(error) = json::check(text) {
                return Err(Problem::of(
                    field,
                    value,
                    &format!(
                        "it is no valid JSON ({error}); give JSON text, a STRUCT, a MAP or a LIST"
                    ),
                ));
            }
            Cow::Borrowed(text.as_ref())
        }
        Value::Boolean(value) => Cow::Owned(value.to_string()),
        Value::Integer(value) => Cow::Owned(value.to_string()),
        Value::Double(value) if value.is_finite() => Cow::Owned(value.to_string()),
        _ => {
            return Err(Problem::of(
                field,
                value,
                "give JSON text, a STRUCT, a MAP or a LIST",
            ))
        }
    };
    if text.len() <= TEXT_BYTES_MAX {
        return Ok(text);
    }
    // Escaping can double what is kept.
    let kept = &text[..floor_char_boundary(&text, TEXT_BYTES_MAX / 2 - 64)];
    let cut = serde_json::json!({"oplog_cut": true, "bytes": text.len(), "beginning": kept});
    Ok(Cow::Owned(cut.to_string()))
}

/// Whether a type can suit a field at all: asked when a query is bound, so that a wrong type fails before any row.
pub fn accepts(kind: Kind, value: &Value<'_>) -> bool {
    match kind {
        Kind::Text => !matches!(value, Value::Json(_)),
        Kind::Status | Kind::TraceParent => matches!(value, Value::Null | Value::Text(_)),
        Kind::Milliseconds => !matches!(
            value,
            Value::Boolean(_) | Value::Time(_) | Value::LocalTime(_) | Value::Json(_)
        ),
        Kind::Count => matches!(
            value,
            Value::Null | Value::Integer(_) | Value::Double(_) | Value::Text(_)
        ),
        Kind::Time => matches!(
            value,
            Value::Null | Value::Time(_) | Value::LocalTime(_) | Value::Text(_)
        ),
        Kind::Json => !matches!(
            value,
            Value::Time(_) | Value::LocalTime(_) | Value::Interval(_)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Value<'_> {
        Value::Text(text.into())
    }

    #[test]
    fn numbers_and_booleans_become_text_where_text_is_asked_for() {
        assert_eq!(text(Field::ProjectId, &Value::Integer(42)).unwrap(), "42");
        assert_eq!(
            text(Field::ProjectId, &Value::Boolean(true)).unwrap(),
            "true"
        );
    }

    #[test]
    fn long_text_is_cut_at_a_character_and_marked() {
        let long = "é".repeat(TEXT_BYTES_MAX);
        let value = said(&long);
        let cut = text(Field::ErrorMessage, &value).unwrap();
        assert!(cut.len() <= TEXT_BYTES_MAX);
        assert!(cut.ends_with("… [cut, 131072 bytes in all]"));
        let exact = "x".repeat(TEXT_BYTES_MAX);
        assert_eq!(text(Field::ErrorMessage, &said(&exact)).unwrap(), exact);
    }

    #[test]
    fn an_unknown_status_is_told_the_known_ones() {
        assert_eq!(status(&said("timeout")), Ok("timeout"));
        assert_eq!(
            status(&said("failed")).unwrap_err().0,
            "status is 'failed': a status is success, error, timeout or cancelled; details go into error_code"
        );
        assert_eq!(
            status(&said(INTERRUPTED)).unwrap_err().0,
            "status is 'interrupted': only oplog writes it, for spans that nobody finished; give success, error, \
             timeout or cancelled"
        );
    }

    #[test]
    fn durations_are_finite_and_not_negative() {
        let duration = |value| milliseconds(Field::DurationMs, &value);
        assert_eq!(duration(Value::Integer(5)), Ok(5.0));
        assert_eq!(duration(said(" 1.5 ")), Ok(1.5));
        assert_eq!(duration(Value::Interval(2_500_000)), Ok(2500.0));
        assert!(duration(Value::Double(-0.0)).unwrap().is_sign_positive());
        for bad in [
            Value::Double(-1.0),
            Value::Double(f64::NAN),
            Value::Double(f64::INFINITY),
            said("fast"),
            Value::Boolean(true),
        ] {
            assert!(
                duration(bad.clone())
                    .unwrap_err()
                    .0
                    .starts_with(&format!("duration_ms is {bad}: ")),
                "{bad}"
            );
        }
    }

    #[test]
    fn counts_are_whole_and_fit() {
        let rows = |value| count(Field::RowsAffected, &value);
        assert_eq!(rows(Value::Double(3.0)), Ok(3));
        assert_eq!(rows(said("12")), Ok(12));
        assert_eq!(
            rows(Value::Integer(-1)).unwrap_err().0,
            "rows_affected is -1: a count is 0 or more; leave it out if it is unknown"
        );
        assert!(rows(Value::Double(0.5)).is_err());
        assert!(rows(Value::Integer(1 << 70)).is_err());
    }

    #[test]
    fn times_are_read_with_and_without_an_offset() {
        let at = |text| time(Field::Timestamp, &said(text), &Zone::utc());
        assert_eq!(at("1970-01-01T00:00:01Z"), Ok(1_000_000));
        assert_eq!(at("1970-01-01 00:00:01.5"), Ok(1_500_000));
        assert_eq!(at("1970-01-01T01:00:00+01:00"), Ok(0));
        assert!(at("yesterday").is_err());
        let of = |value| time(Field::Timestamp, &value, &Zone::utc());
        assert!(of(Value::Time(i64::MAX)).is_err());
        assert!(of(Value::Integer(0)).is_err());
    }

    #[test]
    fn the_years_1_to_9999_are_taken_in_every_form() {
        let of = |value: Value<'_>| time(Field::Timestamp, &value, &Zone::utc());
        for (micros, text) in [
            (FIRST_US, "0001-01-01"),
            (LAST_US, "9999-12-31 23:59:59.999999"),
        ] {
            for value in [Value::Time(micros), Value::LocalTime(micros), said(text)] {
                assert_eq!(of(value), Ok(micros));
            }
        }
        for (micros, text) in [
            (FIRST_US - 1, "0000-12-31T23:59:59.999999Z"),
            (LAST_US + 1, "10000-01-01"),
            (i64::MAX, "infinity"),
            (-i64::MAX, "-infinity"),
        ] {
            for value in [Value::Time(micros), Value::LocalTime(micros), said(text)] {
                let problem = of(value).unwrap_err().0;
                assert!(
                    problem.ends_with(": give a time in the years 1 to 9999"),
                    "{problem}"
                );
            }
        }
    }

    #[test]
    fn a_time_without_a_zone_is_that_of_the_session() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        for value in [Value::LocalTime(7_200_000_000), said("1970-01-01 02:00:00")] {
            assert_eq!(time(Field::Timestamp, &value, &berlin), Ok(3_600_000_000));
        }
        let unknown = Zone::of_session("Mars/Crater".into());
        let problem = time(Field::Timestamp, &Value::LocalTime(0), &unknown).unwrap_err();
        assert!(problem
            .0
            .starts_with("timestamp is 1970-01-01T00:00:00: TimeZone is 'Mars/Crater'"));
    }

    #[test]
    fn metadata_is_valid_json_and_stays_so_when_cut() {
        let meta = |value: Value<'_>| json(Field::Metadata, &value).map(Cow::into_owned);
        assert_eq!(meta(said("{\"a\": 1}")).unwrap(), "{\"a\": 1}");
        assert!(meta(said("{a: 1}"))
            .unwrap_err()
            .0
            .starts_with("metadata is '{a: 1}': it is no valid JSON"));
        let long = format!("[\"{}\"]", "\\\"".repeat(TEXT_BYTES_MAX));
        let cut = meta(said(&long)).unwrap();
        assert!(cut.len() <= TEXT_BYTES_MAX);
        let parsed: serde_json::Value = serde_json::from_str(&cut).unwrap();
        assert_eq!(parsed["bytes"], long.len());
    }
}
