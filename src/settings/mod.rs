//! The settings: what `SET oplog_… = …` accepts, their defaults, and the values in force.
//!
//! Pure. A value that somebody sets is kept with the log, so that it survives a restart; the host's own option stays
//! NULL until then.

mod durability;
mod parse;

pub use durability::Durability;

use crate::calendar::{Interval, Zone, FIRST_US};
use crate::excerpt::excerpt;
use std::fmt;
use std::time::Duration;

/// What a setting holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    Interval(Interval),
    Bytes(u64),
    Boolean(bool),
    Count(u64),
    /// One of the words that the setting knows.
    Word(&'static str),
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interval(interval) => write!(formatter, "{interval}"),
            Self::Bytes(bytes) => formatter.write_str(&parse::format_bytes(*bytes)),
            Self::Boolean(value) => write!(formatter, "{value}"),
            Self::Count(count) => write!(formatter, "{count}"),
            Self::Word(word) => formatter.write_str(word),
        }
    }
}

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Interval,
    /// A size as text, such as `500MB`.
    Bytes,
    /// One of these words.
    Word(&'static [&'static str]),
    Boolean,
    UBigInt,
}

macro_rules! settings {
    ($($variant:ident, $name:literal, $type:expr, $default:expr, $unit:literal, $meaning:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Setting {
            $($variant,)*
        }

        impl Setting {
            pub const ALL: &'static [Setting] = &[$(Setting::$variant,)*];

            pub fn name(self) -> &'static str {
                match self {
                    $(Setting::$variant => $name,)*
                }
            }

            pub fn takes(self) -> Type {
                match self {
                    $(Setting::$variant => $type,)*
                }
            }

            pub fn default(self) -> Value {
                match self {
                    $(Setting::$variant => $default,)*
                }
            }

            pub fn unit(self) -> &'static str {
                match self {
                    $(Setting::$variant => $unit,)*
                }
            }

            pub fn meaning(self) -> &'static str {
                match self {
                    $(Setting::$variant => $meaning,)*
                }
            }
        }
    };
}

/// Space is taken and given back in row groups of 122,880 rows: below this, the limit could not tell one from none.
const MAX_SIZE_BYTES_MIN: u64 = 16_000_000;

const DAY_US: i64 = 86_400_000_000;

const SECOND: Interval = Interval::of_micros(1_000_000);

settings! {
    Retention, "oplog_retention", Type::Interval, Value::Interval(Interval::of_days(7)), "interval",
        "How long successful operations are kept";
    ErrorRetention, "oplog_error_retention", Type::Interval, Value::Interval(Interval::of_days(30)), "interval",
        "How long all other operations are kept";
    RollupRetention, "oplog_rollup_retention", Type::Interval,
        Value::Interval(Interval { months: 13, days: 0, micros: 0 }), "interval",
        "How long it is known how many operations there were and how long they took, when their rows are gone";
    MaxSize, "oplog_max_size", Type::Bytes, Value::Bytes(1_000_000_000), "bytes",
        "How large the log may become; the oldest operations go first";
    FlushInterval, "oplog_flush_interval", Type::Interval, Value::Interval(SECOND), "interval",
        "How long an operation may wait before it is committed to the log";
    Durability, "oplog_durability", Type::Word(durability::WORDS), Value::Word("process"), "",
        "What a record survives: process (a kill), os (a power loss too) or memory (an orderly close only)";
    Strict, "oplog_strict", Type::Boolean, Value::Boolean(true), "",
        "Whether a bad operation is an error; if not, it is NULL and counted";
    SlowThreshold, "oplog_slow_threshold", Type::Interval, Value::Interval(SECOND), "interval",
        "From which duration on an operation counts as slow";
    MaxSeries, "oplog_max_series", Type::UBigInt, Value::Count(10_000), "series",
        "How many label sets a metric may have; further ones count under the label value other";
}

impl Setting {
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|setting| setting.name() == name)
    }

    /// Reads what was given or stored as text, and checks that it makes sense.
    pub fn parse(self, text: &str) -> Result<Value, String> {
        let value = match self.takes() {
            Type::Interval => match text.trim().strip_suffix(" us").map(str::parse) {
                // As version 0.1.0 stored it.
                Some(Ok(micros)) => Some(Interval::of_length(micros)),
                _ => Interval::parse(text),
            }
            .map(Value::Interval),
            Type::Word(words) => words
                .iter()
                .find(|word| text.trim().eq_ignore_ascii_case(word))
                .map(|word| Value::Word(word)),
            Type::Bytes => parse::bytes(text).map(Value::Bytes),
            Type::Boolean => text.parse().ok().map(Value::Boolean),
            Type::UBigInt => text.parse().ok().map(Value::Count),
        };
        let remedy = match self.takes() {
            Type::Interval => "give an interval such as '7 days' or '500 ms'".into(),
            Type::Word(words) => format!("give {}", any_of(words)),
            Type::Bytes => "give a size such as '500MB' or '2GiB'".into(),
            Type::Boolean => "give true or false".into(),
            Type::UBigInt => "give a whole number".to_owned(),
        };
        let value =
            value.ok_or_else(|| format!("{} is '{}': {remedy}", self.name(), excerpt(text)))?;
        self.check(value)
    }

    /// Refuses values that would make the log useless.
    pub fn check(self, value: Value) -> Result<Value, String> {
        let problem = match (self, value) {
            (
                Self::Retention | Self::ErrorRetention | Self::RollupRetention,
                Value::Interval(interval),
            ) if interval.length_us() < 0 => "a retention is 0 or longer",
            (Self::SlowThreshold, Value::Interval(interval)) if interval.length_us() < 0 => {
                "a threshold is 0 or longer"
            }
            (Self::FlushInterval, Value::Interval(interval)) if interval.length_us() < 1_000 => {
                "a flush interval is 1 ms or longer"
            }
            (Self::FlushInterval, Value::Interval(interval)) if interval.length_us() > DAY_US => {
                "a flush interval is a day or shorter"
            }
            (Self::MaxSize, Value::Bytes(bytes)) if bytes < MAX_SIZE_BYTES_MIN => {
                "a log needs 16MB or more"
            }
            (Self::MaxSeries, Value::Count(0)) => "a metric needs 1 series or more",
            _ => return Ok(value),
        };
        Err(format!("{} is '{value}': {problem}", self.name()))
    }

    /// The value as SQL takes it: as people write it, where that says all of it.
    pub fn shown(self, value: Value) -> String {
        let text = value.to_string();
        match self.parse(&text) {
            Ok(read) if read == value => text,
            _ => Self::stored(value),
        }
    }

    /// The value as the log stores it: exact, and read back by [`Setting::parse`].
    pub fn stored(value: Value) -> String {
        match value {
            Value::Bytes(bytes) => format!("{bytes}B"),
            Value::Interval(_) | Value::Boolean(_) | Value::Count(_) | Value::Word(_) => {
                value.to_string()
            }
        }
    }
}

/// The values in force, and which of them somebody has set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    values: [Value; Setting::ALL.len()],
    set: [bool; Setting::ALL.len()],
}

impl Default for Settings {
    fn default() -> Self {
        let mut values = [Value::Boolean(false); Setting::ALL.len()];
        for (slot, setting) in values.iter_mut().zip(Setting::ALL) {
            *slot = setting.default();
        }
        Self {
            values,
            set: [false; Setting::ALL.len()],
        }
    }
}

impl Settings {
    pub fn get(&self, setting: Setting) -> Value {
        self.values[setting as usize]
    }

    pub fn put(&mut self, setting: Setting, value: Value) {
        self.values[setting as usize] = value;
        self.set[setting as usize] = true;
    }

    /// Puts stored values in force, where nobody has set another. Returns what is wrong with those that are not.
    pub fn adopt(&mut self, stored: &[(String, String)]) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, text) in stored {
            // What another version wrote means nothing here, and is kept.
            let Some(setting) = Setting::by_name(name) else {
                continue;
            };
            match setting.parse(text) {
                Ok(value) if !self.is_set(setting) => self.put(setting, value),
                Ok(_) => {}
                Err(problem) => problems.push(format!("a stored setting is ignored: {problem}")),
            }
        }
        problems
    }

    /// Those that somebody has set, as a log stores them.
    pub fn stored(&self) -> Vec<(&'static str, String)> {
        let set = Setting::ALL.iter().filter(|setting| self.is_set(**setting));
        set.map(|setting| (setting.name(), Setting::stored(self.get(*setting))))
            .collect()
    }

    /// Back to the default.
    pub fn reset(&mut self, setting: Setting) {
        self.values[setting as usize] = setting.default();
        self.set[setting as usize] = false;
    }

    pub fn is_set(&self, setting: Setting) -> bool {
        self.set[setting as usize]
    }

    fn interval(&self, setting: Setting) -> Interval {
        match self.get(setting) {
            Value::Interval(interval) => interval,
            _ => Interval::default(),
        }
    }

    fn micros(&self, setting: Setting) -> i64 {
        self.interval(setting).length_us()
    }

    /// How long a retention is when it is applied: the calendar, in UTC, tells how long its months are. None keeps
    /// everything.
    fn retention(&self, setting: Setting, now_us: i64) -> Option<i64> {
        let before_us = self.interval(setting).before(now_us, &Zone::utc());
        (before_us > FIRST_US).then(|| (now_us - before_us).max(0))
    }

    fn number(&self, setting: Setting) -> u64 {
        match self.get(setting) {
            Value::Bytes(number) | Value::Count(number) => number,
            _ => 0,
        }
    }

    pub fn retention_us(&self, now_us: i64) -> Option<i64> {
        self.retention(Setting::Retention, now_us)
    }

    pub fn error_retention_us(&self, now_us: i64) -> Option<i64> {
        self.retention(Setting::ErrorRetention, now_us)
    }

    pub fn rollup_retention_us(&self, now_us: i64) -> Option<i64> {
        self.retention(Setting::RollupRetention, now_us)
    }

    pub fn max_size_bytes(&self) -> u64 {
        self.number(Setting::MaxSize)
    }

    pub fn max_series(&self) -> usize {
        self.number(Setting::MaxSeries) as usize
    }

    pub fn slow_threshold_us(&self) -> i64 {
        self.micros(Setting::SlowThreshold)
    }

    pub fn flush_interval(&self) -> Duration {
        Duration::from_micros(self.micros(Setting::FlushInterval).unsigned_abs())
    }

    pub fn durability(&self) -> Durability {
        match self.get(Setting::Durability) {
            Value::Word(word) => Durability::named(word),
            _ => Durability::Process,
        }
    }

    pub fn strict(&self) -> bool {
        self.get(Setting::Strict) == Value::Boolean(true)
    }
}

/// `a, b or c`.
fn any_of(words: &[&str]) -> String {
    match words {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        words => words.join(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_valid_and_survives_being_stored() {
        for setting in Setting::ALL {
            let value = setting.default();
            assert_eq!(setting.check(value), Ok(value));
            assert_eq!(setting.parse(&Setting::stored(value)), Ok(value));
            assert_eq!(setting.parse(&setting.shown(value)), Ok(value));
        }
    }

    #[test]
    fn a_value_is_shown_as_people_write_it_or_else_exactly() {
        let shown = |setting: Setting, value| setting.shown(value);
        let week = Value::Interval(Interval::of_days(7));
        assert_eq!(shown(Setting::Retention, week), "7 days");
        for (setting, value) in [
            (
                Setting::Retention,
                Value::Interval(Interval::of_micros(90_061_000_001)),
            ),
            (Setting::MaxSize, Value::Bytes(16_000_001)),
            (Setting::MaxSize, Value::Bytes(1_234_567_890)),
        ] {
            assert_eq!(setting.parse(&shown(setting, value)), Ok(value));
        }
    }

    #[test]
    fn intervals_are_stored_as_given_and_read_as_version_0_1_0_stored_them() {
        for (stored, shown) in [
            ("1 year", "1 year"),
            ("2 days 12 hours", "2 days 12 hours"),
            ("604800000000 us", "7 days"),
            ("216000000000 us", "60 hours"),
            ("1500 us", "1500 us"),
        ] {
            let value = Setting::Retention.parse(stored).unwrap();
            assert_eq!(value.to_string(), shown);
            assert_eq!(Setting::Retention.parse(&Setting::stored(value)), Ok(value));
        }
    }

    #[test]
    fn a_year_is_kept_for_a_year_of_the_calendar() {
        const DAY: i64 = 86_400_000_000;
        let mut settings = Settings::default();
        // 1 March 2028, behind the last day of February.
        let now_us = 21_244 * DAY;
        for (text, days) in [
            ("1 year", 366),
            ("1 month", 29),
            ("14 days", 14),
            ("0 s", 0),
        ] {
            let value = Setting::Retention.parse(text).unwrap();
            settings.put(Setting::Retention, value);
            assert_eq!(settings.retention_us(now_us), Some(days * DAY), "{text}");
        }
        assert_eq!(settings.error_retention_us(now_us), Some(30 * DAY));
        let value = Setting::Retention.parse("100000 years").unwrap();
        settings.put(Setting::Retention, value);
        assert_eq!(settings.retention_us(now_us), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_value_and_the_remedy() {
        for (setting, text, error) in [
            (
                Setting::MaxSize,
                "banana",
                "oplog_max_size is 'banana': give a size such as '500MB' or '2GiB'",
            ),
            (
                Setting::MaxSize,
                "1KB",
                "oplog_max_size is '1KB': a log needs 16MB or more",
            ),
            (
                Setting::Retention,
                "-1 us",
                "oplog_retention is '-1 us': a retention is 0 or longer",
            ),
            (
                Setting::FlushInterval,
                "0 us",
                "oplog_flush_interval is '0 seconds': a flush interval is 1 ms or longer",
            ),
            (
                Setting::MaxSeries,
                "0",
                "oplog_max_series is '0': a metric needs 1 series or more",
            ),
        ] {
            assert_eq!(setting.parse(text), Err(error.to_owned()));
        }
    }
}
