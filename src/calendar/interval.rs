//! Intervals as people and DuckDB write them: months and days are units of the calendar, the rest has a length.

use super::{Zone, DAY_US, FIRST_US, HOUR_US, LAST_US, SECOND_US};
use chrono::{DateTime, Days, Months, NaiveDateTime};
use std::fmt;

const DAYS_PER_MONTH: i64 = 30;

/// An interval, with the parts that DuckDB's INTERVAL has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}

impl Interval {
    pub const fn of_days(days: i32) -> Self {
        Self {
            months: 0,
            days,
            micros: 0,
        }
    }

    pub const fn of_micros(micros: i64) -> Self {
        Self {
            months: 0,
            days: 0,
            micros,
        }
    }

    /// A length with its whole days as days, which is how version 0.1.0 stored intervals.
    pub fn of_length(micros: i64) -> Self {
        match i32::try_from(micros / DAY_US) {
            Ok(days) if micros % DAY_US == 0 => Self::of_days(days),
            _ => Self::of_micros(micros),
        }
    }

    /// Reads `15m`, `1 year 6 months`, `1 day 12 hours`, or DuckDB's own `1 day 02:00:00.5`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut total = Self::default();
        let mut rest = text.trim();
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            if let Some(clock) = clock_us(rest) {
                return total.plus(Self::of_micros(clock));
            }
            let number_end = rest
                .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
                .unwrap_or(rest.len());
            let number: f64 = rest[..number_end].parse().ok()?;
            let tail = rest[number_end..].trim_start();
            let unit_end = tail
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(tail.len());
            total = total.plus(Unit::of(&tail[..unit_end])?.times(number)?)?;
            rest = tail[unit_end..].trim_start();
        }
        Some(total)
    }

    fn plus(self, other: Self) -> Option<Self> {
        Some(Self {
            months: self.months.checked_add(other.months)?,
            days: self.days.checked_add(other.days)?,
            micros: self.micros.checked_add(other.micros)?,
        })
    }

    /// Its length where no date says more: a month counts 30 days, as where DuckDB compares intervals.
    pub fn length_us(self) -> i64 {
        let days = i64::from(self.months) * DAYS_PER_MONTH + i64::from(self.days);
        days.saturating_mul(DAY_US).saturating_add(self.micros)
    }

    /// Whether only a calendar tells how long it is.
    pub fn needs_calendar(self) -> bool {
        self.months != 0 || self.days != 0
    }

    /// The instant that lies so far back from another, by the clocks of a zone: what SQL's `-` gives. Never before the
    /// year 1.
    pub fn before(self, instant_us: i64, zone: &Zone) -> i64 {
        // The order of DuckDB's own subtraction.
        let instant_us = instant_us.saturating_sub(self.micros);
        if !self.needs_calendar() || !(FIRST_US..=LAST_US).contains(&instant_us) {
            return instant_us.clamp(FIRST_US, LAST_US);
        }
        let local = DateTime::from_timestamp_micros(zone.local_us(instant_us));
        local
            .and_then(|local| back(local.naive_utc(), self))
            .map(|local| zone.instant_us(local.and_utc().timestamp_micros()))
            .map_or(
                if self.length_us() < 0 {
                    LAST_US
                } else {
                    FIRST_US
                },
                |instant| instant.clamp(FIRST_US, LAST_US),
            )
    }
}

/// Months first: a day that the month does not have is its last.
fn back(local: NaiveDateTime, interval: Interval) -> Option<NaiveDateTime> {
    let months = Months::new(interval.months.unsigned_abs());
    let days = Days::new(interval.days.unsigned_abs().into());
    let local = if interval.months < 0 {
        local.checked_add_months(months)?
    } else {
        local.checked_sub_months(months)?
    };
    if interval.days < 0 {
        local.checked_add_days(days)
    } else {
        local.checked_sub_days(days)
    }
}

/// What a number in an interval counts.
enum Unit {
    Months(f64),
    Days(f64),
    Micros(i64),
}

impl Unit {
    fn of(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "us" | "microsecond" | "microseconds" => Self::Micros(1),
            "ms" | "millisecond" | "milliseconds" => Self::Micros(1_000),
            "s" | "sec" | "secs" | "second" | "seconds" => Self::Micros(SECOND_US),
            "m" | "min" | "mins" | "minute" | "minutes" => Self::Micros(60 * SECOND_US),
            "h" | "hr" | "hrs" | "hour" | "hours" => Self::Micros(HOUR_US),
            "d" | "day" | "days" => Self::Days(1.0),
            "w" | "week" | "weeks" => Self::Days(7.0),
            "mon" | "mons" | "month" | "months" => Self::Months(1.0),
            "y" | "year" | "years" => Self::Months(12.0),
            _ => return None,
        })
    }

    /// A part of a month is days, and a part of a day has a length.
    fn times(self, number: f64) -> Option<Interval> {
        let (months, days, micros) = match self {
            Self::Months(months) => {
                let months = months * number;
                (months.trunc(), months.fract() * DAYS_PER_MONTH as f64, 0.0)
            }
            Self::Days(days) => (0.0, days * number, 0.0),
            Self::Micros(micros) => (0.0, 0.0, micros as f64 * number),
        };
        let micros = micros + days.fract() * DAY_US as f64;
        // Beyond 9e15 a double does not hold every microsecond.
        let fits = months.abs() <= i32::MAX.into()
            && days.abs() <= i32::MAX.into()
            && micros.abs() <= 9e15;
        fits.then(|| Interval {
            months: months as i32,
            days: days.trunc() as i32,
            micros: micros.round() as i64,
        })
    }
}

/// `[-]hh:mm:ss[.fraction]` to the end of the text.
fn clock_us(text: &str) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut parts = text.split(':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next()?.parse().ok()?;
    if parts.next().is_some() || !(0..60).contains(&minutes) || !(0.0..60.0).contains(&seconds) {
        return None;
    }
    let micros = hours
        .checked_mul(HOUR_US)?
        .checked_add(minutes * 60 * SECOND_US)?
        .checked_add((seconds * 1e6).round() as i64)?;
    Some(if negative { -micros } else { micros })
}

impl fmt::Display for Interval {
    /// As it was given, in the largest units that show each part exactly; [`Interval::parse`] reads it back.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let mut part = |count: i64, name: &str| {
            if count != 0 {
                parts.push(counted(count, name));
            }
        };
        part((self.months / 12).into(), "year");
        part((self.months % 12).into(), "month");
        part(self.days.into(), "day");
        if self.micros != 0 || !self.needs_calendar() {
            parts.push(exactly(self.micros));
        }
        formatter.write_str(&parts.join(" "))
    }
}

fn counted(count: i64, name: &str) -> String {
    let plural = if count == 1 || matches!(name, "ms" | "us") {
        ""
    } else {
        "s"
    };
    format!("{count} {name}{plural}")
}

fn exactly(micros: i64) -> String {
    const UNITS: [(i64, &str); 4] = [
        (HOUR_US, "hour"),
        (60 * SECOND_US, "minute"),
        (SECOND_US, "second"),
        (1_000, "ms"),
    ];
    if micros == 0 {
        return counted(0, "second");
    }
    UNITS
        .iter()
        .find(|(unit, _)| micros % unit == 0)
        .map_or_else(
            || counted(micros, "us"),
            |(unit, name)| counted(micros / unit, name),
        )
}

/// The length of an interval in microseconds, where a calendar does not matter.
pub fn parse_interval_us(text: &str) -> Option<i64> {
    Interval::parse(text).map(Interval::length_us)
}

/// A length in the largest units that show it exactly.
pub fn format_interval(micros: i64) -> String {
    Interval::of_length(micros).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::parse_time;
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Option<(i32, i32, i64)> {
        Interval::parse(text).map(|interval| (interval.months, interval.days, interval.micros))
    }

    #[test]
    fn intervals_are_read_as_people_and_duckdb_write_them() {
        for (text, parts) in [
            ("15m", (0, 0, 900_000_000)),
            ("1h", (0, 0, 3_600_000_000)),
            ("24h", (0, 0, 86_400_000_000)),
            ("7d", (0, 7, 0)),
            ("2w", (0, 14, 0)),
            ("500 ms", (0, 0, 500_000)),
            ("1.5 s", (0, 0, 1_500_000)),
            ("1.5 days", (0, 1, 43_200_000_000)),
            ("1 day 12 hours", (0, 1, 43_200_000_000)),
            ("1 day 02:00:00.5", (0, 1, 7_200_500_000)),
            ("00:15:00", (0, 0, 900_000_000)),
            ("-01:00:00", (0, 0, -3_600_000_000)),
            ("-1 year -2 months", (-14, 0, 0)),
            ("1 month", (1, 0, 0)),
            ("1.5 months", (1, 15, 0)),
            ("1y", (12, 0, 0)),
            ("1.5 years", (18, 0, 0)),
            ("1 year 2 months 3 days 04:05:06.5", (14, 3, 14_706_500_000)),
            ("0 s", (0, 0, 0)),
        ] {
            assert_eq!(parsed(text), Some(parts), "{text}");
        }
        for bad in [
            "",
            "banana",
            "7",
            "5 parsecs",
            "1h banana",
            "1:99:00",
            "99999999999 years",
            "é",
            "1é",
        ] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    #[test]
    fn intervals_are_shown_as_they_were_given() {
        for (given, shown) in [
            ("1y", "1 year"),
            ("18 months", "1 year 6 months"),
            ("14d", "14 days"),
            ("2 weeks", "14 days"),
            ("24h", "24 hours"),
            ("36 hours", "36 hours"),
            ("90 minutes", "90 minutes"),
            ("2 days 12 hours", "2 days 12 hours"),
            ("-1 day", "-1 days"),
            ("1500 us", "1500 us"),
            ("0h", "0 seconds"),
        ] {
            let interval = Interval::parse(given).unwrap();
            assert_eq!(interval.to_string(), shown);
        }
        assert_eq!(format_interval(604_800_000_000), "7 days");
        assert_eq!(format_interval(3 * HOUR_US), "3 hours");
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(months in -100_000..100_000i32, days in -100_000..100_000i32, micros in -9_000_000_000_000_000..9_000_000_000_000_000i64) {
            for interval in [
                Interval { months, days, micros },
                Interval::of_days(days),
                Interval { months, ..Interval::default() },
                Interval::of_micros(micros / 1_000_000 * 1_000_000),
            ] {
                prop_assert_eq!(Interval::parse(&interval.to_string()), Some(interval));
            }
        }
    }

    #[test]
    fn months_and_days_are_those_of_the_calendar_and_hours_have_a_length() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        for (instant, interval, before) in [
            ("2026-03-31 12:00", "1 month 1 day", "2026-02-27 12:00"),
            ("2026-05-31 12:00", "3 months 30 days", "2026-01-29 12:00"),
            ("2026-03-31 00:30", "1 month 1 hour", "2026-02-28 23:30"),
            ("2026-03-30 02:30", "1 day", "2026-03-29 03:30"),
            ("2026-03-30 02:30", "24 hours", "2026-03-29 01:30"),
            ("2026-10-26 02:30", "1 day", "2026-10-25 02:30"),
            ("2024-02-29 02:30", "1 year", "2023-02-28 02:30"),
            ("2026-02-27 12:00", "-1 month -1 day", "2026-03-28 12:00"),
        ] {
            let at = |text| parse_time(text, &berlin).unwrap();
            let interval = Interval::parse(interval).unwrap();
            assert_eq!(
                interval.before(at(instant), &berlin),
                at(before),
                "{instant} - {interval}"
            );
        }
    }

    #[test]
    fn nothing_is_before_the_year_1_or_after_the_year_9999() {
        for text in ["9000 years", "99999999 years", "9e3d", "3000000 days"] {
            let Some(interval) = Interval::parse(text) else {
                continue;
            };
            assert_eq!(interval.before(0, &Zone::utc()), FIRST_US, "{text}");
        }
        let ahead = Interval::parse("-9000 years").unwrap();
        assert_eq!(ahead.before(0, &Zone::utc()), LAST_US);
        let all = Interval {
            months: i32::MAX,
            days: i32::MAX,
            micros: i64::MAX,
        };
        assert_eq!(all.before(0, &Zone::utc()), FIRST_US);
        let least = Interval {
            months: i32::MIN,
            days: i32::MIN,
            micros: i64::MIN,
        };
        assert_eq!(least.before(0, &Zone::utc()), LAST_US);
        assert!(all.length_us() > 0 && least.length_us() < 0);
    }
}
