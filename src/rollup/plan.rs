//! From what a period is put together: rows where they are there, rollups before that.

use super::Level;
use crate::calendar::{DAY_US, HOUR_US};

/// What a log has. Hours are counted from 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Operations below are in the rollups.
    pub rolled_seq: u64,
    /// Of the operations that ended from then on, all rows are there.
    pub rows_since_us: i64,
    /// Of those that ended from then on, all are in the rollups or in the rows.
    pub rollups_since_us: i64,
    /// Rollups of single hours before are gone.
    pub hours_since: i64,
    /// Up to which hour there are rollups of one, eight and sixty-four days.
    pub until: [i64; 3],
    /// Some operations stand under a name that is not theirs.
    pub overflowed: bool,
}

/// A part of a period in the rollups of a level: hours, the last one not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub level: Level,
    pub from: i64,
    pub until: i64,
}

/// A period as it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// From when it is in fact, and until when; none for an open end.
    pub since_us: Option<i64>,
    pub until_us: Option<i64>,
    /// The whole hours that rollups answer; operations below the watermark that ended in them are not read again.
    pub hours: (i64, i64),
    pub pieces: Vec<Piece>,
    /// From when on the answer is complete; none where it is all of the period.
    pub complete_since_us: Option<i64>,
}

impl Plan {
    /// How many hours are read one by one.
    pub fn single_hours(&self) -> i64 {
        // Those of today, where the period has an open end, are few.
        let is_counted = |piece: &&Piece| piece.level == Level::Hour && piece.until != LAST_HOUR;
        let hours = self.pieces.iter().filter(is_counted);
        hours.map(|piece| piece.until - piece.from).sum()
    }
}

/// Open ends of hours: beyond all that a time can be.
const FIRST_HOUR: i64 = i32::MIN as i64;
const LAST_HOUR: i64 = i32::MAX as i64;

impl Known {
    /// Up to which hour there are rollups of a level.
    pub fn until(&self, level: Level) -> i64 {
        match level {
            Level::Hour => LAST_HOUR,
            Level::Day => self.until[0],
            Level::EightDays => self.until[1],
            Level::SixtyFourDays => self.until[2],
        }
    }

    /// Whether all rows of a period are there.
    pub fn has_rows(&self, since_us: Option<i64>) -> bool {
        since_us.is_some_and(|since| since >= self.rows_since_us)
            || self.rows_since_us <= i64::MIN + 1
    }

    /// From when on an answer from rows alone is complete; none where it is all of the period.
    pub fn complete_since_us(&self, since_us: Option<i64>) -> Option<i64> {
        (!self.has_rows(since_us)).then_some(self.rows_since_us)
    }

    /// How a period is answered from rollups and rows. Where the rows of a part of an hour are gone, that hour is all
    /// in the period, and where its hours are gone the day.
    pub fn plan(&self, since_us: Option<i64>, until_us: Option<i64>) -> Plan {
        let hour_of = |us: i64| us.div_euclid(HOUR_US);
        let (from, since_us) = match since_us {
            None => (FIRST_HOUR, None),
            Some(us) => {
                let hour = hour_of(us);
                let is_whole = us.rem_euclid(HOUR_US) == 0;
                if hour < self.hours_since {
                    let day = hour.div_euclid(24) * 24;
                    (day, Some(day * HOUR_US))
                } else if is_whole || us < self.rows_since_us {
                    (hour, Some(hour * HOUR_US))
                } else {
                    (hour + 1, Some(us))
                }
            }
        };
        let begins_us = since_us.unwrap_or(i64::MIN);
        let (until, until_us) = match until_us {
            None => (LAST_HOUR, None),
            Some(us) => {
                let hour = hour_of(us);
                let is_whole = us.rem_euclid(HOUR_US) == 0;
                if hour < self.hours_since {
                    let day = (us + DAY_US - 1).div_euclid(DAY_US) * 24;
                    (day, Some(day * HOUR_US))
                } else if is_whole || begins_us.max(hour * HOUR_US) >= self.rows_since_us {
                    (hour, Some(us))
                } else {
                    (hour + 1, Some((hour + 1) * HOUR_US))
                }
            }
        };
        let mut pieces = Vec::new();
        if from < until {
            self.cut(Level::SixtyFourDays, from, until, &mut pieces);
        }
        let incomplete = self.rollups_since_us > since_us.unwrap_or(i64::MIN + 1);
        Plan {
            since_us,
            until_us,
            hours: (from, until.max(from)),
            pieces,
            complete_since_us: incomplete.then_some(self.rollups_since_us),
        }
    }

    /// Cuts hours into periods of a level, as many as there are whole ones, and leaves the rest to the level below.
    fn cut(&self, level: Level, from: i64, until: i64, pieces: &mut Vec<Piece>) {
        if from >= until {
            return;
        }
        let Some(below) = level.below() else {
            pieces.push(Piece { level, from, until });
            return;
        };
        let hours = level.hours();
        let up = |at: i64| match at {
            FIRST_HOUR => FIRST_HOUR,
            at => (at + hours - 1).div_euclid(hours) * hours,
        };
        let end = until.min(self.until(level)).div_euclid(hours) * hours;
        let begin = up(from);
        if begin >= end {
            return self.cut(below, from, until, pieces);
        }
        self.cut(below, from, begin, pieces);
        pieces.push(Piece {
            level,
            from: begin,
            until: end,
        });
        self.cut(below, end, until, pieces);
    }

    /// The same for buckets, none of which may share a period of rollups with another: `widest` is the longest one that is
    /// within a bucket.
    pub fn plan_within(&self, widest: Level, since_us: Option<i64>, until_us: Option<i64>) -> Plan {
        let mut plan = self.plan(since_us, until_us);
        let (from, until) = plan.hours;
        plan.pieces.clear();
        // Where hours are gone there is the day.
        let days_until = self.hours_since.clamp(from, until);
        if from < days_until {
            self.cut(Level::Day.max(widest), from, days_until, &mut plan.pieces);
        }
        self.cut(widest, days_until, until, &mut plan.pieces);
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KNOWN: Known = Known {
        rolled_seq: 100,
        rows_since_us: 1000 * HOUR_US,
        rollups_since_us: i64::MIN + 1,
        hours_since: i32::MIN as i64,
        until: [1176, 1152, 0],
        overflowed: false,
    };

    fn piece(level: Level, from: i64, until: i64) -> Piece {
        Piece { level, from, until }
    }

    #[test]
    fn a_period_is_whole_days_and_hours() {
        let plan = KNOWN.plan(Some(100 * HOUR_US), Some(1180 * HOUR_US));
        assert_eq!(
            plan.pieces,
            [
                piece(Level::Hour, 100, 120),
                piece(Level::Day, 120, 192),
                piece(Level::EightDays, 192, 1152),
                piece(Level::Day, 1152, 1176),
                piece(Level::Hour, 1176, 1180),
            ]
        );
        assert_eq!(plan.complete_since_us, None);
    }

    #[test]
    fn the_part_of_an_hour_is_read_from_rows_or_the_hour_is_all_in_it() {
        let minute = HOUR_US / 60;
        let plan = KNOWN.plan(Some(1100 * HOUR_US + minute), Some(1110 * HOUR_US + minute));
        assert_eq!(plan.since_us, Some(1100 * HOUR_US + minute));
        assert_eq!(plan.until_us, Some(1110 * HOUR_US + minute));
        assert_eq!(plan.hours, (1101, 1110));
        let plan = KNOWN.plan(Some(900 * HOUR_US + minute), Some(910 * HOUR_US + minute));
        assert_eq!(plan.since_us, Some(900 * HOUR_US));
        assert_eq!(plan.until_us, Some(911 * HOUR_US));
        assert_eq!(plan.hours, (900, 911));
    }

    #[test]
    fn where_hours_are_gone_the_day_is_all_in_the_period() {
        let known = Known {
            hours_since: 480,
            ..KNOWN
        };
        let plan = known.plan(Some(30 * HOUR_US), Some(50 * HOUR_US));
        assert_eq!(
            (plan.since_us, plan.until_us),
            (Some(24 * HOUR_US), Some(72 * HOUR_US))
        );
        assert_eq!(plan.pieces, [piece(Level::Day, 24, 72)]);
    }

    #[test]
    fn what_nobody_has_counted_is_said() {
        let known = Known {
            rollups_since_us: 500 * HOUR_US,
            ..KNOWN
        };
        let complete = |since| known.plan(since, None).complete_since_us;
        assert_eq!(complete(Some(400 * HOUR_US)), Some(500 * HOUR_US));
        assert_eq!(complete(Some(500 * HOUR_US)), None);
        assert_eq!(complete(None), Some(500 * HOUR_US));
    }

    proptest! {
        /// Each hour of the period is in one piece, and no piece has more.
        #[test]
        fn the_pieces_are_the_hours(
            from in -3000i64..3000, length in 0i64..6000, days in 0i64..200, open in any::<bool>(),
        ) {
            let known = Known { until: [days * 24, days / 8 * 192, days / 64 * 1536], ..KNOWN };
            let until = from + length;
            let since = (!open).then_some(from * HOUR_US);
            let plan = known.plan(since, Some(until * HOUR_US));
            let mut at = if open { i32::MIN as i64 } else { from };
            for piece in &plan.pieces {
                prop_assert_eq!(piece.from, at);
                prop_assert!(piece.from < piece.until);
                if piece.level != Level::Hour {
                    prop_assert!(piece.until <= known.until(piece.level));
                    prop_assert_eq!(piece.until.rem_euclid(piece.level.hours()), 0);
                    prop_assert!(open || piece.from.rem_euclid(piece.level.hours()) == 0);
                }
                at = piece.until;
            }
            if open || length > 0 {
                prop_assert_eq!(at, until);
            }
        }
    }
}
