//! The windows over which a burn rate is taken: all end with the period.

use super::parameters::{Arguments, Named};
use crate::calendar::{DAY_US, HOUR_US};
use crate::store::Parameter as Bound;

const MINUTE_US: i64 = HOUR_US / 60;

/// Their lengths, those of Google's SRE workbook.
const LENGTHS_US: [i64; 6] = [
    3 * DAY_US,
    DAY_US,
    6 * HOUR_US,
    HOUR_US,
    30 * MINUTE_US,
    5 * MINUTE_US,
];

/// A window that is longer by more than this part, since its own beginning is not known any more, is not given.
const LONGER_MOST: i64 = 4;

/// The windows of one answer.
pub struct Windows {
    /// Where they begin, in order; none begins before the period.
    pub starts_us: Vec<i64>,
    until_us: i64,
    length_us: i64,
    /// Whether what happened in each is known.
    known: [bool; LENGTHS_US.len()],
}

impl Windows {
    pub fn of(arguments: &Arguments, now_us: i64) -> Result<Self, String> {
        let (since_us, until_us) = arguments.range.bounds(now_us)?;
        let since_us = since_us.ok_or(
            "since is -infinity: give a time, so that there is a period for which the target holds",
        )?;
        Ok(Self::between(since_us, until_us.unwrap_or(now_us)))
    }

    /// The windows of the period as it is in fact.
    pub fn between(since_us: i64, until_us: i64) -> Self {
        let length_us = until_us - since_us;
        Self {
            starts_us: LENGTHS_US
                .iter()
                .map(|length| (until_us - length).max(since_us))
                .collect(),
            until_us,
            length_us,
            known: LENGTHS_US.map(|length| length <= length_us),
        }
    }

    /// A window begins in fact where these say.
    pub fn divided_at(&mut self, edges_us: &[i64]) {
        self.starts_us = edges_us.to_vec();
        let windows = self.known.iter_mut().zip(LENGTHS_US);
        for ((known, length_us), start_us) in windows.zip(edges_us) {
            let longer_us = self.until_us - start_us - length_us;
            *known &= longer_us <= length_us / LONGER_MOST;
        }
    }

    /// The number of the shortest window in which a time is; 0 for one that is in none.
    pub fn part(&self, time: &str) -> String {
        let numbered = self.starts_us.iter().enumerate().rev();
        let cases = numbered
            .map(|(index, start_us)| format!(" WHEN {time} >= {start_us} THEN {}", index + 1));
        format!("CASE{} ELSE 0 END", cases.collect::<String>())
    }

    pub fn parameters(&self) -> Named {
        vec![
            ("until_us", Bound::Integer(self.until_us)),
            ("length_us", Bound::Integer(self.length_us)),
            ("windows_known", Bound::Text(format!("{:?}", self.known))),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Interval;

    fn windows(period: &str) -> Windows {
        let mut arguments = Arguments::default();
        arguments.range.period = Interval::parse(period);
        Windows::of(&arguments, 1000 * DAY_US).unwrap()
    }

    #[test]
    fn windows_end_with_the_period_and_are_no_longer_than_it() {
        let month = windows("30 days");
        assert_eq!(month.starts_us[0], 997 * DAY_US);
        assert!(month.known.iter().all(|known| *known));
        let day = windows("24 hours");
        assert_eq!(day.known, [false, true, true, true, true, true]);
        assert_eq!(day.starts_us[0], 999 * DAY_US);
    }

    #[test]
    fn a_window_that_would_be_much_longer_is_not_known() {
        let mut month = windows("30 days");
        // Rows are gone, so that windows begin with an hour.
        let hour = |us: &i64| us.div_euclid(HOUR_US) * HOUR_US;
        let edges: Vec<i64> = month.starts_us.iter().map(hour).collect();
        month.divided_at(&edges);
        assert_eq!(month.known, [true, true, true, true, false, false]);
        // And where hours are gone, with a day.
        let day = |us: &i64| us.div_euclid(DAY_US) * DAY_US;
        let edges: Vec<i64> = month.starts_us.iter().map(day).collect();
        month.divided_at(&edges);
        assert_eq!(month.known, [true, true, false, false, false, false]);
    }

    #[test]
    fn the_shortest_window_comes_first() {
        let sql = windows("30 days").part("t");
        let five = 1000 * DAY_US - 5 * MINUTE_US;
        assert!(
            sql.starts_with(&format!("CASE WHEN t >= {five} THEN 6 WHEN")),
            "{sql}"
        );
        assert!(sql.ends_with(" THEN 1 ELSE 0 END"), "{sql}");
    }
}
