//! Where the buckets of a timeline begin.

use super::{Interval, Zone, DAY_US, FIRST_US, HOUR_US, SECOND_US};
use chrono::{DateTime, Datelike, NaiveDate};

/// Buckets that a timeline may have.
pub const BUCKETS_MAX: i64 = 10_000;

/// A change of clocks can make a bucket short. One that is shorter than this part of the width is left to the one before.
const SHORTEST_PART: i64 = 16;

/// The mean of the months of 400 years.
const MONTH_US: i64 = 2_629_746 * SECOND_US;

/// How wide a bucket is, and what it is aligned to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Months of the calendar, counted from January 2000, as in DuckDB's time_bucket().
    Months(i32),
    /// Days of the calendar, counted from Monday, 3 January 2000, as there.
    Days(i32),
    /// A part of a day, which whole parts fill: aligned to midnight.
    PartOfDay(i64),
    /// Any other length, counted from 1970 in UTC.
    Exact(i64),
}

impl Width {
    pub fn of(interval: Interval) -> Result<Self, &'static str> {
        let Interval {
            months,
            days,
            micros,
        } = interval;
        if months < 0 || days < 0 || interval.length_us() <= 0 {
            return Err("give a positive interval such as '1m', '15m', '1h', '1d', '1w', '1 month' or '1 year'");
        }
        match (months, days, micros) {
            (0, 0, micros) if DAY_US % micros == 0 => Ok(Self::PartOfDay(micros)),
            (0, _, micros) if micros != 0 => Ok(Self::Exact(interval.length_us())),
            (0, days, _) => Ok(Self::Days(days)),
            (months, 0, 0) => Ok(Self::Months(months)),
            _ => Err("months and shorter units make no bucket together: give one of them"),
        }
    }

    /// About how long a bucket is.
    fn length_us(self) -> i64 {
        match self {
            Self::Months(months) => i64::from(months) * MONTH_US,
            Self::Days(days) => Interval::of_days(days).length_us(),
            Self::PartOfDay(micros) | Self::Exact(micros) => micros,
        }
    }

    /// The narrowest of the widths that people read easily and that gives a period about 60 buckets.
    pub fn for_length(length_us: i64) -> Self {
        const BUCKETS: i64 = 60;
        const SECONDS: [i64; 16] = [
            1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200,
        ];
        let parts = SECONDS.map(|seconds| Self::PartOfDay(seconds * 1_000_000));
        let days = [1, 7].map(Self::Days);
        let months = [1, 3, 12, 24, 60, 120, 240, 600, 1_200].map(Self::Months);
        parts
            .into_iter()
            .chain(days)
            .chain(months)
            .find(|width| length_us / width.length_us() <= BUCKETS)
            .unwrap_or(Self::Months(2_400))
    }
}

/// The buckets of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets {
    /// Where each begins, in order; one at least.
    pub starts_us: Vec<i64>,
    /// Where the last one ends.
    pub end_us: i64,
    /// No two begin nearer to one another than this.
    pub gap_us: i64,
}

impl Buckets {
    /// The buckets that hold the times from `since_us` on and before `until_us`, at least one.
    pub fn between(
        since_us: i64,
        until_us: i64,
        width: Width,
        zone: &Zone,
    ) -> Result<Self, String> {
        let until_us = until_us.max(since_us + 1);
        let count = (until_us - since_us) / width.length_us();
        if count >= BUCKETS_MAX {
            return Err(too_many(count + 1));
        }
        if !matches!(width, Width::Exact(_)) {
            zone.check()?;
        }
        let mut starts_us = match width {
            Width::Exact(micros) => lengths(since_us, until_us, micros),
            Width::PartOfDay(micros) if micros <= HOUR_US => {
                parts_of_hours(since_us, until_us, micros, zone)
            }
            Width::PartOfDay(micros) => walls_between(
                since_us,
                until_us,
                zone,
                |local_us| local_us.div_euclid(micros),
                |number| Some(number * micros),
            ),
            Width::Days(days) => {
                // 3 January 2000 was day 10,959.
                let (anchor, days) = (10_959, i64::from(days));
                walls_between(
                    since_us,
                    until_us,
                    zone,
                    |local_us| (local_us.div_euclid(DAY_US) - anchor).div_euclid(days),
                    |number| Some((number * days + anchor) * DAY_US),
                )
            }
            Width::Months(months) => {
                let months = i64::from(months);
                walls_between(
                    since_us,
                    until_us,
                    zone,
                    |local_us| month_number(local_us).div_euclid(months),
                    |number| month_start(number * months),
                )
            }
        };
        // There is no time before the year 1.
        starts_us[0] = starts_us[0].max(FIRST_US.min(since_us));
        let gap_min_us = (width.length_us() / SHORTEST_PART).max(1);
        starts_us.dedup_by(|start, before| *start - *before < gap_min_us);
        if starts_us.len() as i64 > BUCKETS_MAX {
            return Err(too_many(starts_us.len() as i64));
        }
        let gap_us = starts_us
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .min()
            .unwrap_or(until_us - starts_us[0]);
        Ok(Self {
            starts_us,
            end_us: until_us,
            gap_us,
        })
    }

    /// Whether all of them have one length, save that the last one may end early.
    pub fn are_alike(&self) -> bool {
        let mut pairs = self.starts_us.windows(2);
        let last = self.starts_us.last().copied().unwrap_or(self.end_us);
        pairs.all(|pair| pair[1] - pair[0] == self.gap_us) && self.end_us - last <= self.gap_us
    }
}

fn too_many(count: i64) -> String {
    format!("bucket gives {count} buckets: {BUCKETS_MAX} are the limit, give a wider one or a shorter period")
}

/// Starts at whole multiples of a length since 1970.
fn lengths(since_us: i64, until_us: i64, width_us: i64) -> Vec<i64> {
    let first = since_us.div_euclid(width_us) * width_us;
    std::iter::successors(Some(first), |start| Some(start + width_us))
        .take_while(|start| *start < until_us)
        .collect()
}

/// Parts of an hour, or whole ones: they have their length on every day, and an hour that comes twice has its buckets twice.
/// Where a change of clocks is no whole number of them, a bucket ends there.
fn parts_of_hours(since_us: i64, until_us: i64, width_us: i64, zone: &Zone) -> Vec<i64> {
    let grid = |instant_us: i64| {
        let local_us = zone.local_us(instant_us);
        let start_us = instant_us - local_us.rem_euclid(width_us);
        if zone.same_offset(start_us, instant_us) {
            start_us
        } else {
            zone.change_us(start_us, instant_us)
        }
    };
    let mut starts_us = Vec::new();
    let mut start_us = grid(since_us);
    while start_us < until_us {
        starts_us.push(start_us);
        let next_us = start_us + width_us;
        let changes = !zone.same_offset(start_us, next_us - 1);
        start_us = if changes {
            zone.change_us(start_us, next_us - 1)
        } else {
            // The first bucket may have begun at a change.
            grid(next_us).max(start_us + 1)
        };
    }
    starts_us
}

/// Starts at the first instants of local times: `number` says which one was the last up to a local time, and `wall` what
/// the clocks show then.
fn walls_between(
    since_us: i64,
    until_us: i64,
    zone: &Zone,
    number: impl Fn(i64) -> i64,
    wall: impl Fn(i64) -> Option<i64>,
) -> Vec<i64> {
    // Clocks that are put back can show an earlier number than that of the bucket.
    let first = number(zone.local_us(since_us)) - 1;
    let mut starts_us: Vec<i64> = (first..)
        .map_while(wall)
        .map(|local_us| zone.first_instant_us(local_us))
        .take_while(|start_us| *start_us < until_us)
        .collect();
    let begun = starts_us.partition_point(|start_us| *start_us <= since_us);
    starts_us.drain(..begun.saturating_sub(1));
    if starts_us.is_empty() {
        starts_us.push(since_us);
    }
    starts_us
}

/// Months since January 2000.
fn month_number(local_us: i64) -> i64 {
    DateTime::from_timestamp_micros(local_us).map_or(0, |local| {
        (i64::from(local.year()) - 2000) * 12 + i64::from(local.month0())
    })
}

fn month_start(number: i64) -> Option<i64> {
    let year = i32::try_from(2000 + number.div_euclid(12)).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number.rem_euclid(12) as u32 + 1, 1)?;
    Some(
        date.and_time(chrono::NaiveTime::MIN)
            .and_utc()
            .timestamp_micros(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::{format_local_time, parse_time, LAST_US};
    use super::*;
    use proptest::prelude::*;

    /// Where buckets begin, as the clocks show it.
    fn starts(zone: &str, since: &str, until: &str, width: &str) -> Vec<String> {
        let zone = Zone::named(zone).unwrap();
        let at = |text| parse_time(text, &zone).unwrap();
        let width = Width::of(Interval::parse(width).unwrap()).unwrap();
        Buckets::between(at(since), at(until), width, &zone)
            .unwrap()
            .starts_us
            .into_iter()
            .map(|start| {
                let text = format_local_time(zone.local_us(start));
                text.trim_end_matches(":00").replace("T00", "")
            })
            .collect()
    }

    #[test]
    fn buckets_are_alike_where_no_clock_is_changed() {
        let are_alike = |zone: &str, since: &str, until: &str, width: &str| {
            let zone = Zone::named(zone).unwrap();
            let at = |text| parse_time(text, &zone).unwrap();
            let width = Width::of(Interval::parse(width).unwrap()).unwrap();
            Buckets::between(at(since), at(until), width, &zone)
                .unwrap()
                .are_alike()
        };
        assert!(are_alike("UTC", "2026-03-28", "2026-03-31", "1d"));
        assert!(are_alike("UTC", "2026-03-28", "2026-03-28 00:30", "1h"));
        assert!(are_alike("Europe/Berlin", "2026-03-25", "2026-03-28", "1d"));
        // The day of the change stands in the middle; one that is the last may end early.
        for (since, until) in [("2026-03-28", "2026-03-31"), ("2026-10-24", "2026-10-27")] {
            assert!(!are_alike("Europe/Berlin", since, until, "1d"), "{since}");
        }
        assert!(are_alike("Europe/Berlin", "2026-03-28", "2026-03-30", "1d"));
        assert!(!are_alike("UTC", "2026-01-01", "2026-04-01", "1mon"));
    }

    #[test]
    fn days_begin_at_midnight_on_days_of_23_and_25_hours_too() {
        let berlin = starts("Europe/Berlin", "2026-03-28", "2026-03-31", "1d");
        assert_eq!(berlin, ["2026-03-28", "2026-03-29", "2026-03-30"]);
        let berlin = starts(
            "Europe/Berlin",
            "2026-10-24 12:00",
            "2026-10-26 12:00",
            "24h",
        );
        assert_eq!(berlin, ["2026-10-24", "2026-10-25", "2026-10-26"]);
        let sao_paulo = starts("America/Sao_Paulo", "2018-11-03", "2018-11-05 12:00", "1d");
        assert_eq!(sao_paulo, ["2018-11-03", "2018-11-04T01", "2018-11-05"]);
    }

    #[test]
    fn a_day_that_a_zone_left_out_has_no_bucket() {
        let apia = starts("Pacific/Apia", "2011-12-29", "2012-01-01", "1d");
        assert_eq!(apia, ["2011-12-29", "2011-12-31"]);
    }

    #[test]
    fn weeks_begin_on_monday_months_on_the_first_and_years_in_january() {
        assert_eq!(
            starts("UTC", "2026-07-08", "2026-07-21", "1w"),
            ["2026-07-06", "2026-07-13", "2026-07-20"]
        );
        assert_eq!(
            starts("Asia/Kolkata", "2026-01-15", "2026-04-01", "1 month"),
            ["2026-01-01", "2026-02-01", "2026-03-01"]
        );
        assert_eq!(
            starts("UTC", "2025-12-31", "2027-01-01", "1y"),
            ["2025-01-01", "2026-01-01"]
        );
        assert_eq!(
            starts("UTC", "2026-05-01", "2026-08-01", "3 months"),
            ["2026-04-01", "2026-07-01"]
        );
        assert_eq!(
            starts("UTC", "1999-12-30", "2000-01-06", "3 days"),
            ["1999-12-28", "1999-12-31", "2000-01-03"]
        );
    }

    #[test]
    fn hours_begin_with_the_hours_of_the_zone() {
        assert_eq!(
            starts("Asia/Kolkata", "2026-01-01 00:15", "2026-01-01 02:00", "1h"),
            ["2026-01-01", "2026-01-01T01"]
        );
        // An hour that comes twice has two buckets.
        assert_eq!(
            starts(
                "Europe/Berlin",
                "2026-10-25 01:00",
                "2026-10-25 03:30",
                "1h"
            ),
            [
                "2026-10-25T01",
                "2026-10-25T02",
                "2026-10-25T02",
                "2026-10-25T03"
            ]
        );
        assert_eq!(
            starts(
                "Europe/Berlin",
                "2026-03-29 00:00",
                "2026-03-29 05:00",
                "1h"
            ),
            [
                "2026-03-29",
                "2026-03-29T01",
                "2026-03-29T03",
                "2026-03-29T04"
            ]
        );
        assert_eq!(
            starts(
                "Europe/Berlin",
                "2026-03-28 20:00",
                "2026-03-29 13:00",
                "6h"
            ),
            [
                "2026-03-28T18",
                "2026-03-29",
                "2026-03-29T06",
                "2026-03-29T12"
            ]
        );
        // The clocks of Lord Howe change by half an hour.
        assert_eq!(
            starts(
                "Australia/Lord_Howe",
                "2026-04-05 00:00",
                "2026-04-05 03:00",
                "1h"
            ),
            [
                "2026-04-05",
                "2026-04-05T01",
                "2026-04-05T01:30",
                "2026-04-05T02"
            ]
        );
    }

    #[test]
    fn other_lengths_count_from_1970() {
        assert_eq!(
            starts("UTC", "1970-01-01 08:00", "1970-01-02", "7h"),
            ["1970-01-01T07", "1970-01-01T14", "1970-01-01T21"]
        );
        assert_eq!(
            starts(
                "Europe/Berlin",
                "1970-01-01 02:00",
                "1970-01-03",
                "1 day 12 hours"
            ),
            ["1970-01-01T01", "1970-01-02T13"]
        );
    }

    #[test]
    fn a_width_is_one_unit_and_positive() {
        let width = |text| Width::of(Interval::parse(text).unwrap());
        assert_eq!(width("15m"), Ok(Width::PartOfDay(900_000_000)));
        assert_eq!(width("2w"), Ok(Width::Days(14)));
        assert_eq!(width("1y"), Ok(Width::Months(12)));
        assert_eq!(width("1 day -1 hour"), Ok(Width::Exact(23 * HOUR_US)));
        for bad in [
            "0s",
            "-1h",
            "-1 day",
            "1 month 1 day",
            "1 month 1h",
            "2 days -1 month",
        ] {
            assert!(width(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn there_are_10000_buckets_at_most() {
        let utc = Zone::utc();
        let error = Buckets::between(0, HOUR_US, Width::PartOfDay(1), &utc).unwrap_err();
        assert_eq!(
            error,
            "bucket gives 3600000001 buckets: 10000 are the limit, give a wider one or a shorter period"
        );
        let all = Buckets::between(FIRST_US, LAST_US, Width::Months(12), &utc).unwrap();
        assert_eq!(all.starts_us.len(), 9_999);
        let error = Buckets::between(FIRST_US, LAST_US, Width::Days(1), &utc).unwrap_err();
        assert!(error.contains("10000 are the limit"), "{error}");
    }

    #[test]
    fn a_width_that_is_not_given_makes_about_60_buckets() {
        let day = |days| Width::for_length(days * DAY_US);
        assert_eq!(Width::for_length(HOUR_US), Width::PartOfDay(60_000_000));
        assert_eq!(day(1), Width::PartOfDay(1_800_000_000));
        assert_eq!(day(30), Width::PartOfDay(12 * HOUR_US));
        assert_eq!(day(60), Width::Days(1));
        assert_eq!(day(365), Width::Days(7));
        assert_eq!(day(1_000), Width::Months(1));
        assert_eq!(day(3_650), Width::Months(3));
        assert_eq!(day(3_652_058), Width::Months(2_400));
    }

    proptest! {
        #[test]
        fn buckets_cover_the_range_in_order(
            since in -4_000_000_000..253_000_000_000i64,
            count in 1..300i64,
            zone in proptest::sample::select(vec![
                "UTC", "Europe/Berlin", "America/St_Johns", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia",
                "Asia/Kathmandu", "Africa/Casablanca", "America/Havana", "Antarctica/Troll",
            ]),
            width in proptest::sample::select(vec![
                "1s", "10m", "30m", "1h", "2h", "6h", "24h", "7h", "1d", "3d", "1w", "1 month", "5 months", "1y",
            ]),
        ) {
            let zone = Zone::named(zone).unwrap();
            let width = Width::of(Interval::parse(width).unwrap()).unwrap();
            let since_us = since * 1_000_000 + 123;
            let until_us = (since_us + count * width.length_us()).min(LAST_US);
            let buckets = Buckets::between(since_us, until_us, width, &zone).unwrap();
            let starts = &buckets.starts_us;
            prop_assert!(starts[0] <= since_us);
            prop_assert!(*starts.last().unwrap() < until_us);
            prop_assert!(starts.get(1).is_none_or(|second| *second > since_us));
            prop_assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= buckets.gap_us));
            prop_assert!(buckets.gap_us >= width.length_us() / SHORTEST_PART || starts.len() == 1);
            // Where a range begins does not matter to where its buckets do.
            let middle = starts[starts.len() / 2];
            let later = Buckets::between(middle, until_us, width, &zone).unwrap();
            prop_assert_eq!(&later.starts_us[..], &starts[starts.len() / 2..]);
        }
    }
}
