//! How long something is kept.

use crate::calendar::{Interval, Zone, FIRST_US};
use crate::excerpt::excerpt;
use std::fmt;

const FOREVER: &str = "forever";

/// How long a rule keeps what it applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Forever,
    For(Interval),
}

impl Keep {
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().eq_ignore_ascii_case(FOREVER) {
            return Ok(Self::Forever);
        }
        match Interval::parse(text) {
            Some(interval) if interval.length_us() >= 0 => Ok(Self::For(interval)),
            Some(_) => Err(format!(
                "keep is '{}': a retention is 0 or longer",
                excerpt(text)
            )),
            None => Err(format!(
                "keep is '{}': give an interval such as '90 days' or '1 year', or 'forever'",
                excerpt(text)
            )),
        }
    }

    /// What ended before this is too old; none where nothing ever is. The calendar, in UTC, tells how long months are.
    pub fn before_us(self, now_us: i64) -> Option<i64> {
        let Self::For(interval) = self else {
            return None;
        };
        let before_us = interval.before(now_us, &Zone::utc());
        (before_us > FIRST_US).then(|| before_us.min(now_us))
    }
}

impl fmt::Display for Keep {
    /// [`Keep::parse`] reads it back.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => formatter.write_str(FOREVER),
            Self::For(interval) => interval.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_US: i64 = 86_400_000_000;

    #[test]
    fn months_and_years_are_those_of_the_calendar() {
        // 1 March 2028, behind the last day of February.
        let now_us = 21_244 * DAY_US;
        for (text, days) in [("1 year", 366), ("1 month", 29), ("90d", 90), ("0 s", 0)] {
            let keep = Keep::parse(text).unwrap();
            assert_eq!(
                keep.before_us(now_us),
                Some(now_us - days * DAY_US),
                "{text}"
            );
        }
    }

    #[test]
    fn what_has_no_end_expires_nothing() {
        for text in ["forever", " Forever ", "100000 years"] {
            assert_eq!(Keep::parse(text).unwrap().before_us(0), None, "{text}");
        }
    }

    #[test]
    fn it_reads_back_as_it_is_shown() {
        for (given, shown) in [("FOREVER", "forever"), ("12 months", "1 year")] {
            let keep = Keep::parse(given).unwrap();
            assert_eq!(keep.to_string(), shown);
            assert_eq!(Keep::parse(shown), Ok(keep));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_value_and_the_remedy() {
        for (text, error) in [
            (
                "banana",
                "keep is 'banana': give an interval such as '90 days' or '1 year', or 'forever'",
            ),
            ("", "keep is '': give an interval"),
            ("-1 day", "keep is '-1 day': a retention is 0 or longer"),
        ] {
            assert!(Keep::parse(text).unwrap_err().starts_with(error), "{text}");
        }
    }
}
