//! When something is full: what is used, how it has grown, and what follows.
//!
//! Pure. What is used is known by the hour.

use crate::calendar::{format_interval, DAY_US, HOUR_US};
use crate::statistics::{trend, Trend};
use std::collections::BTreeMap;

/// From so many days of history on, growth is told by the day: what comes and goes with the time of day is in each of them.
const BY_DAY_FROM: i64 = 7;

/// With less history nothing is said.
const HISTORY_HOURS_MIN: i64 = 24;

/// Nobody can see further ahead.
const HORIZON_DAYS: f64 = 3_652.0;

/// How what is used adds up over a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// It is there, more or less of it: a day has the mean of its hours.
    Level,
    /// It comes in each hour: a day has their sum.
    Daily,
}

/// Something that may become full.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    pub name: &'static str,
    pub unit: &'static str,
    pub measure: Measure,
    /// What is used now.
    pub used: Option<f64>,
    /// How much of it there is; or why that is not known.
    pub capacity: Result<f64, &'static str>,
    /// What was used, by the hours since 1970; of what comes in each hour, those without any are left out.
    pub hours: BTreeMap<i64, f64>,
}

/// What is to be expected of a resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outlook {
    /// Since when it has a history, in the time that was looked at.
    pub since_us: Option<i64>,
    /// By the day.
    pub growth: Option<Trend>,
    pub full_at_us: Option<i64>,
    pub earliest_us: Option<i64>,
    pub latest_us: Option<i64>,
    /// Why any of these is not known.
    pub reason: String,
}

impl Resource {
    pub fn outlook(&self, now_us: i64) -> Outlook {
        let mut outlook = Outlook {
            since_us: self.hours.keys().next().map(|hour| hour * HOUR_US),
            ..Outlook::default()
        };
        let Some(used) = self.used else {
            outlook.reason = self.capacity.err().unwrap_or("it is not known").to_owned();
            return outlook;
        };
        match self.growth(now_us) {
            Ok(growth) => outlook.growth = Some(growth),
            Err(reason) => outlook.reason = reason,
        }
        match self.capacity {
            Err(reason) if outlook.reason.is_empty() => outlook.reason = reason.to_owned(),
            Err(_) => {}
            Ok(capacity) if used >= capacity => {
                outlook.full_at_us = Some(now_us);
                outlook.earliest_us = Some(now_us);
                outlook.latest_us = Some(now_us);
                outlook.reason = String::new();
            }
            Ok(capacity) => outlook.look_ahead(capacity - used, now_us),
        }
        outlook
    }

    fn growth(&self, now_us: i64) -> Result<Trend, String> {
        let this_hour = now_us.div_euclid(HOUR_US);
        let last = match self.measure {
            Measure::Level => this_hour,
            // There is more to come in this one.
            Measure::Daily => this_hour - 1,
        };
        let hours = self.hours.range(..=last);
        let first = hours.clone().next().map_or(last, |(hour, _)| *hour);
        let known = this_hour - first;
        let needed = match self.measure {
            Measure::Level => HISTORY_HOURS_MIN,
            Measure::Daily => BY_DAY_FROM * 24,
        };
        if known < needed {
            let needed = format_interval(needed * HOUR_US);
            return Err(match known {
                0 => format!("it has no history yet: its growth can be told from {needed} on"),
                _ => format!(
                    "its history is of {}: its growth can be told from {needed} on",
                    format_interval(known * HOUR_US)
                ),
            });
        }
        let by_day = known >= BY_DAY_FROM * 24;
        let found = match (by_day, self.measure) {
            (false, _) => {
                let points: Vec<(i64, f64)> = hours.map(|(hour, used)| (*hour, *used)).collect();
                trend(&points).map(|by_hour| by_hour.times(24.0))
            }
            (true, measure) => trend(&days(hours, last, measure)),
        };
        found.ok_or_else(|| "its history has too many gaps".to_owned())
    }
}

/// The days of which the latest ends with the hour `last`, by their numbers. Where nothing is known of a day, nothing came in it.
fn days<'a>(
    hours: impl Iterator<Item = (&'a i64, &'a f64)>,
    last: i64,
    measure: Measure,
) -> Vec<(i64, f64)> {
    let mut sums: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    let mut first = 0;
    for (hour, used) in hours {
        let day = -((last - hour) / 24);
        if sums.is_empty() {
            let is_whole = (last - hour) % 24 == 23;
            first = if is_whole { day } else { day + 1 };
        }
        let (sum, count) = sums.entry(day).or_default();
        *sum += used;
        *count += 1.0;
    }
    match measure {
        Measure::Level => sums
            .into_iter()
            .map(|(day, (sum, count))| (day, sum / count))
            .collect(),
        Measure::Daily => (first..=0)
            .map(|day| (day, sums.get(&day).map_or(0.0, |(sum, _)| *sum)))
            .collect(),
    }
}

impl Outlook {
    /// When what is left is used up.
    fn look_ahead(&mut self, left: f64, now_us: i64) {
        let Some(growth) = self.growth else {
            return;
        };
        let at = |rate: f64| {
            let days = left / rate;
            (rate > 0.0 && days <= HORIZON_DAYS)
                .then(|| now_us.saturating_add((days * DAY_US as f64) as i64))
        };
        self.earliest_us = at(growth.high);
        self.full_at_us = at(growth.slope);
        self.latest_us = self.full_at_us.and_then(|_| at(growth.low));
        self.reason = match (self.full_at_us, self.latest_us) {
            (None, _) if growth.slope <= 0.0 => "it does not grow".to_owned(),
            (None, _) => "at this rate it takes more than 10 years".to_owned(),
            (Some(_), None) if growth.low <= 0.0 => "it may as well not grow".to_owned(),
            (Some(_), None) => "it may as well take more than 10 years".to_owned(),
            (Some(_), Some(_)) => String::new(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: i64 = 500_000 * HOUR_US + 1_800_000_000;

    /// A disk of 1,000 bytes of which `used` says what was used so many hours ago.
    fn disk(hours: i64, used: impl Fn(f64) -> f64) -> Resource {
        let by_hour = (0..=hours).map(|ago| (500_000 - ago, used(ago as f64)));
        Resource {
            name: "disk",
            unit: "bytes",
            measure: Measure::Level,
            used: Some(used(0.0)),
            capacity: Ok(1_000.0),
            hours: by_hour.collect(),
        }
    }

    fn days_ahead(us: Option<i64>) -> f64 {
        us.map_or(f64::NAN, |us| (us - NOW_US) as f64 / DAY_US as f64)
    }

    #[test]
    fn a_disk_that_fills_up_is_full_when_it_is() {
        for hours in [30, 24 * 40] {
            // 5 a day, with a day's cycle where there are days enough to see that it is one.
            let cycle = if hours > 100 { 20.0 } else { 0.0 };
            let disk = disk(hours, |ago| {
                let wave = (ago / 24.0 * std::f64::consts::TAU).sin();
                400.0 - ago / 24.0 * 5.0 + cycle * wave
            });
            let outlook = disk.outlook(NOW_US);
            let growth = outlook.growth.unwrap();
            assert!((growth.slope - 5.0).abs() < 1e-9, "{outlook:?}");
            assert!((days_ahead(outlook.full_at_us) - 120.0).abs() < 0.01);
            assert!(outlook.earliest_us <= outlook.full_at_us, "{outlook:?}");
            assert!(outlook.latest_us >= outlook.full_at_us, "{outlook:?}");
            assert_eq!(outlook.reason, "");
            assert_eq!(outlook.since_us, Some((500_000 - hours) * HOUR_US));
        }
    }

    #[test]
    fn what_cannot_be_told_says_why() {
        let reason = |resource: &Resource| {
            let outlook = resource.outlook(NOW_US);
            assert_eq!(outlook.full_at_us, None, "{outlook:?}");
            outlook.reason
        };
        assert_eq!(
            reason(&disk(5, |ago| 500.0 - ago)),
            "its history is of 5 hours: its growth can be told from 1 day on"
        );
        assert_eq!(
            reason(&disk(0, |_| 500.0)),
            "it has no history yet: its growth can be told from 1 day on"
        );
        assert_eq!(reason(&disk(200, |_| 500.0)), "it does not grow");
        assert_eq!(reason(&disk(200, |ago| 500.0 + ago)), "it does not grow");
        assert_eq!(
            reason(&disk(200, |ago| 500.0 - ago * 1e-5)),
            "at this rate it takes more than 10 years"
        );
        let mut gaps = disk(200, |ago| 500.0 - ago);
        gaps.hours.retain(|hour, _| hour % 100 == 0);
        assert_eq!(reason(&gaps), "its history has too many gaps");
        let unknown = Resource {
            used: None,
            capacity: Err("the database is in memory"),
            ..disk(200, |ago| 500.0 - ago)
        };
        assert_eq!(reason(&unknown), "the database is in memory");
        let endless = Resource {
            capacity: Err("there is no limit"),
            ..disk(200, |ago| 500.0 - ago)
        };
        assert_eq!(reason(&endless), "there is no limit");
        assert!(endless.outlook(NOW_US).growth.is_some());
    }

    #[test]
    fn what_is_full_is_full_now_whatever_its_history() {
        let outlook = disk(0, |_| 1_000.0).outlook(NOW_US);
        assert_eq!(outlook.full_at_us, Some(NOW_US));
        assert_eq!((outlook.growth, outlook.reason.as_str()), (None, ""));
    }

    #[test]
    fn growth_that_is_not_sure_has_no_latest_time() {
        // Up and down by far more than it grows.
        let outlook = disk(24 * 20, |ago| {
            let day = (ago / 24.0) as i64;
            500.0 - ago / 24.0 * 0.3 + (day * 7_919 % 101) as f64
        })
        .outlook(NOW_US);
        let growth = outlook.growth.unwrap();
        assert!(growth.low < 0.0 && growth.high > 0.0, "{growth:?}");
        assert!(outlook.earliest_us.is_some(), "{outlook:?}");
        assert_eq!(outlook.latest_us, None);
        assert!(!outlook.reason.is_empty());
    }

    #[test]
    fn what_comes_each_day_is_a_sum_and_nothing_where_nothing_came() {
        let mut operations = disk(24 * 10, |ago| 100.0 - ((ago - 1.0) / 24.0).floor());
        operations.measure = Measure::Daily;
        let growth = operations.outlook(NOW_US).growth.unwrap();
        assert!((growth.slope - 24.0).abs() < 1e-9, "{growth:?}");
        // A service that stands still at the weekend.
        operations
            .hours
            .retain(|hour, _| (499_999 - hour) / 24 % 7 > 1);
        let all: Vec<(i64, f64)> = days(operations.hours.iter(), 499_999, Measure::Daily);
        assert_eq!(all.len(), 10);
        assert_eq!((all[9], all[8]), ((0, 0.0), (-1, 0.0)));
        assert_eq!(all[7], (-2, 24.0 * 98.0));
        operations.hours.retain(|hour, _| 500_000 - hour < 24 * 6);
        let reason = operations.outlook(NOW_US).reason;
        assert!(reason.ends_with("can be told from 7 days on"), "{reason}");
    }
}
