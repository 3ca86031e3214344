//! The blocks of a period and of the one before it, whose differences say how much an answer varies.

use super::parameters::Arguments;
use crate::calendar::{Interval, DAY_US, HOUR_US};
use crate::rollup::Known;

/// Blocks that a period is divided into, about.
const BLOCKS: i64 = 24;
/// Blocks that the period before may have, where it is longer.
const BLOCKS_MAX: i64 = 240;
/// Periods from which on blocks are days.
const DAYS_FROM_US: i64 = 14 * DAY_US;

/// Blocks of the period are numbered from here on, those of the one before from 0.
pub const FIRST_OF_PERIOD: i64 = 1_000_000;

/// One of the two periods. Blocks of whole hours or days are those of the clock, in UTC, so that rollups know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Side {
    from_us: i64,
    until_us: i64,
    width_us: i64,
}

impl Side {
    /// The beginning of the first block.
    fn first_us(&self) -> i64 {
        let step_us = match self.width_us {
            width if width % DAY_US == 0 => DAY_US,
            width if width % HOUR_US == 0 => HOUR_US,
            _ => return self.from_us,
        };
        self.from_us.div_euclid(step_us) * step_us
    }

    fn count(&self) -> i64 {
        parts((self.until_us - self.first_us()).max(1), self.width_us)
    }

    /// The block of a time, as SQL.
    fn block(&self, time: &str, first: i64) -> String {
        format!(
            "{first} + ({time} - ({})) // {}",
            self.first_us(),
            self.width_us
        )
    }

    fn widen(&mut self, known: &Known) {
        if self.from_us < known.hours_since.saturating_mul(HOUR_US) {
            self.width_us = up(self.width_us, DAY_US);
        } else if self.from_us < known.rows_since_us {
            self.width_us = up(self.width_us, HOUR_US);
        }
    }
}

/// How many parts of a length there are, the last one perhaps shorter.
fn parts(length_us: i64, part_us: i64) -> i64 {
    (length_us + part_us - 1).div_euclid(part_us)
}

fn up(width_us: i64, step_us: i64) -> i64 {
    parts(width_us.max(1), step_us) * step_us
}

/// How wide the blocks of a period are.
fn width_us(length_us: i64) -> i64 {
    let width_us = (length_us / BLOCKS).max(1);
    let nearest = |step_us: i64| ((width_us + step_us / 2) / step_us).max(1) * step_us;
    if length_us >= DAYS_FROM_US {
        nearest(DAY_US)
    } else if width_us >= HOUR_US / 2 {
        nearest(HOUR_US)
    } else {
        width_us
    }
}

/// The blocks of one answer.
#[derive(Debug)]
pub struct Blocks {
    before: Side,
    now: Side,
    are_as_long: bool,
}

impl Blocks {
    /// Divides the period of a question and the one before it, which is as long if nothing else is asked for. The arguments come to
    /// have the range of both.
    pub fn of(arguments: &mut Arguments, now_us: i64) -> Result<Self, String> {
        let range = &arguments.range;
        let (from_us, until_us) = range.bounds(now_us)?;
        let from_us = from_us.ok_or(
            "since is -infinity: give a time, so that there is one before that to compare with",
        )?;
        let until_us = until_us.unwrap_or(now_us);
        // A month before a month has its own length.
        let before = arguments
            .baseline
            .or(range.period.filter(|_| range.since_us.is_none()));
        let before = before.unwrap_or(Interval::of_length((until_us - from_us).max(1)));
        if before.needs_calendar() {
            range.zone.check()?;
        }
        let since_us = before.before(from_us, &range.zone);
        let width = width_us(until_us - from_us);
        // As wide, or so much wider that they are not too many.
        let times = parts(from_us - since_us, width * BLOCKS_MAX).max(1);
        arguments.range.period = None;
        arguments.range.since_us = Some(since_us);
        Ok(Self {
            before: Side {
                from_us: since_us,
                until_us: from_us,
                width_us: width * times,
            },
            now: Side {
                from_us,
                until_us,
                width_us: width,
            },
            are_as_long: until_us - from_us == from_us - since_us,
        })
    }

    pub fn shortest_us(&self) -> i64 {
        self.before.width_us.min(self.now.width_us)
    }

    pub fn widen(&mut self, known: &Known) {
        self.before.widen(known);
        self.now.widen(known);
    }

    /// Whether each block has one at its place in the period before: periods that are as long as a rule, such as months, need
    /// not have the same length.
    pub fn are_paired(&self) -> bool {
        self.before.width_us == self.now.width_us && self.are_as_long
    }

    /// When the period begins.
    pub fn period_begins_us(&self) -> i64 {
        self.now.from_us
    }

    /// How many blocks there are before, and in the period.
    pub fn counts(&self) -> (usize, usize) {
        (self.before.count() as usize, self.now.count() as usize)
    }

    /// Where blocks begin, in order; the first may begin before its period.
    pub fn starts_us(&self) -> Vec<i64> {
        let of = |side: &Side| {
            let (first_us, width_us) = (side.first_us(), side.width_us);
            let inner = (1..side.count()).map(move |number| first_us + number * width_us);
            [side.from_us].into_iter().chain(inner)
        };
        of(&self.before).chain(of(&self.now)).collect()
    }

    /// The periods begin in fact where these say; blocks of the clock stay what they are.
    pub fn divided_at(&mut self, starts_us: &[i64]) {
        let first_of_now = self.counts().0;
        if let (Some(before_us), Some(now_us)) = (starts_us.first(), starts_us.get(first_of_now)) {
            self.before.from_us = *before_us;
            self.before.until_us = *now_us;
            self.now.from_us = *now_us;
        }
    }

    /// The number of a time's block, as SQL.
    pub fn part(&self, time: &str) -> String {
        format!(
            "CASE WHEN {time} < {} THEN {} ELSE {} END",
            self.now.from_us,
            self.before.block(time, 0),
            self.now.block(time, FIRST_OF_PERIOD),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 20_000 * DAY_US + 10 * HOUR_US + HOUR_US / 4;

    fn blocks(period: &str, baseline: Option<&str>) -> (Blocks, Arguments) {
        let mut arguments = Arguments::default();
        arguments.range.period = Interval::parse(period);
        arguments.baseline = baseline.and_then(Interval::parse);
        let blocks = Blocks::of(&mut arguments, NOW).unwrap();
        (blocks, arguments)
    }

    #[test]
    fn the_period_before_is_as_long_and_has_as_many_blocks() {
        for (period, count, width_us) in [
            ("1h", 24, HOUR_US / 24),
            ("24h", 25, HOUR_US),
            ("30 days", 31, DAY_US),
            ("1 year", 25, 15 * DAY_US),
        ] {
            let (blocks, arguments) = blocks(period, None);
            assert_eq!(blocks.counts(), (count, count), "{period}");
            assert_eq!(blocks.shortest_us(), width_us, "{period}");
            assert_eq!(arguments.range.since_us, Some(blocks.before.from_us));
            let starts = blocks.starts_us();
            assert_eq!(starts.len(), 2 * count);
            assert!(starts.windows(2).all(|pair| pair[0] < pair[1]));
            assert_eq!(starts[count], blocks.period_begins_us());
        }
    }

    #[test]
    fn a_longer_time_before_has_more_blocks_but_not_too_many() {
        let (week, _) = blocks("24h", Some("7d"));
        assert!(!week.are_paired() && blocks("24h", None).0.are_paired());
        assert_eq!(week.counts(), (169, 25));
        let (year, _) = blocks("1h", Some("1 year"));
        assert!(year.counts().0 <= BLOCKS_MAX as usize + 1, "{year:?}");
    }

    #[test]
    fn blocks_are_as_wide_as_what_is_known() {
        let (mut hour, _) = blocks("1h", Some("7d"));
        let hours = NOW.div_euclid(HOUR_US);
        let known = Known {
            rolled_seq: 1,
            rows_since_us: NOW - 2 * HOUR_US,
            rollups_since_us: i64::MIN + 1,
            hours_since: i32::MIN as i64,
            until: [hours, 0, 0],
            overflowed: false,
        };
        hour.widen(&known);
        assert_eq!(hour.before.width_us % HOUR_US, 0);
        assert_eq!(hour.now.width_us, HOUR_US / 24);
        // The hour in which the period begins is not divided.
        let mut starts = hour.starts_us();
        let first_of_now = hour.counts().0;
        starts[first_of_now] -= HOUR_US / 4;
        hour.divided_at(&starts);
        assert_eq!(hour.now.from_us, NOW - HOUR_US - HOUR_US / 4);
        assert_eq!(hour.before.until_us, hour.now.from_us);
    }

    #[test]
    fn what_has_no_beginning_has_nothing_before() {
        let error = Blocks::of(&mut Arguments::default(), NOW).unwrap_err();
        assert!(error.starts_with("since is -infinity"), "{error}");
    }
}
