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
    /// The first whole hour of the period, and the one behind the last.
    pub hours: (i64, i64),
    /// What rollups answer.
    pub pieces: Vec<Piece>,
    /// The rest: hours that begin or end without the period, or in which it is divided. Operations below the watermark that ended
    /// then are read; bounds in microseconds.
    pub read_us: Vec<(i64, i64)>,
    /// Where the period is divided in fact.
    pub edges_us: Vec<i64>,
    /// From when on the answer is complete; none where it is all of the period.
    pub complete_since_us: Option<i64>,
}

impl Plan {
    /// Has the operations read that ended in this time, which follows all that is read so far.
    fn read(&mut self, from_us: i64, until_us: i64) {
        match self.read_us.last_mut() {
            Some((_, end_us)) if *end_us == from_us => *end_us = until_us,
            _ if from_us < until_us => self.read_us.push((from_us, until_us)),
            _ => {}
        }
    }

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
        self.plan_divided(since_us, until_us, &[], Level::SixtyFourDays)
    }

    /// The same for a period that is divided at these times, in order: no piece has hours on both sides of one, and none is of a
    /// level above `widest`. An hour with such a time in it is read from rows; where they are gone it is divided where the
    /// hour begins, and where its hours are gone the day.
    pub fn plan_divided(
        &self,
        since_us: Option<i64>,
        until_us: Option<i64>,
        edges_us: &[i64],
        widest: Level,
    ) -> Plan {
        let (from, since_us) = self.begin(since_us);
        let begins_us = since_us.unwrap_or(i64::MIN);
        let (until, until_us) = self.end(until_us, begins_us);
        let until = until.max(from);
        let incomplete = self.rollups_since_us > since_us.unwrap_or(i64::MIN + 1);
        let mut plan = Plan {
            since_us,
            until_us,
            hours: (from, until),
            pieces: Vec::new(),
            read_us: Vec::new(),
            edges_us: Vec::new(),
            complete_since_us: incomplete.then_some(self.rollups_since_us),
        };
        if let Some(us) = since_us.filter(|us| *us < from.saturating_mul(HOUR_US)) {
            // The period may end in the same hour.
            let end_us = until_us.map_or(i64::MAX, |until_us| until_us.max(us));
            plan.read(us, end_us.min(from * HOUR_US));
        }
        let mut at = from;
        for edge_us in edges_us.iter().copied() {
            let hour = edge_us.div_euclid(HOUR_US);
            let is_split = edge_us.rem_euclid(HOUR_US) != 0;
            let edge_us = match hour < self.hours_since {
                true => edge_us.div_euclid(DAY_US) * DAY_US,
                false if is_split && begins_us.max(hour * HOUR_US) < self.rows_since_us => {
                    hour * HOUR_US
                }
                false => edge_us,
            };
            plan.edges_us.push(edge_us);
            let hour = edge_us.div_euclid(HOUR_US);
            // What is read from rows anyway can be divided anywhere.
            if hour < at || hour >= until {
                continue;
            }
            self.cut_up_to(widest, at, hour, &mut plan.pieces);
            at = hour;
            if edge_us.rem_euclid(HOUR_US) != 0 {
                at = hour + 1;
                plan.read(hour * HOUR_US, at * HOUR_US);
            }
        }
        self.cut_up_to(widest, at, until, &mut plan.pieces);
        if let Some(us) = until_us.filter(|us| *us > until.saturating_mul(HOUR_US)) {
            plan.read(until * HOUR_US, us);
        }
        plan
    }

    /// The first whole hour of a period, and where it begins in fact.
    fn begin(&self, since_us: Option<i64>) -> (i64, Option<i64>) {
        let Some(us) = since_us else {
            return (FIRST_HOUR, None);
        };
        let hour = us.div_euclid(HOUR_US);
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

    /// The hour behind the last whole one, and where the period ends in fact.
    fn end(&self, until_us: Option<i64>, begins_us: i64) -> (i64, Option<i64>) {
        let Some(us) = until_us else {
            return (LAST_HOUR, None);
        };
        let hour = us.div_euclid(HOUR_US);
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

    /// Cuts hours into periods up to a level; where hours are gone there are days. What follows a piece of the same level is one with
    /// it.
    fn cut_up_to(&self, widest: Level, from: i64, until: i64, pieces: &mut Vec<Piece>) {
        if from >= until {
            return;
        }
        let mut cut = Vec::new();
        let days_until = match widest {
            Level::Hour => self.hours_since.clamp(from, until),
            _ => from,
        };
        if from < days_until {
            self.cut(Level::Day, from, days_until, &mut cut);
        }
        self.cut(widest, days_until, until, &mut cut);
        for piece in cut {
            match pieces.last_mut() {
                Some(last) if last.level == piece.level && last.until == piece.from => {
                    last.until = piece.until;
                }
                _ => pieces.push(piece),
            }
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

    #[test]
    fn a_divided_period_has_no_piece_on_both_sides() {
        let minute = HOUR_US / 60;
        let edges = [192 * HOUR_US, 1150 * HOUR_US + minute, 1178 * HOUR_US];
        let plan = KNOWN.plan_divided(Some(0), Some(1180 * HOUR_US), &edges, Level::SixtyFourDays);
        assert_eq!(
            plan.pieces,
            [
                piece(Level::EightDays, 0, 960),
                piece(Level::Day, 960, 1128),
                piece(Level::Hour, 1128, 1150),
                piece(Level::Hour, 1151, 1152),
                piece(Level::Day, 1152, 1176),
                piece(Level::Hour, 1176, 1180),
            ]
        );
        assert_eq!(plan.edges_us, edges);
        assert_eq!(plan.read_us, [(1150 * HOUR_US, 1151 * HOUR_US)]);
        // Where its rows are gone, it is divided where the hour begins.
        let plan = KNOWN.plan_divided(
            Some(0),
            Some(1180 * HOUR_US),
            &[50 * HOUR_US + minute],
            Level::SixtyFourDays,
        );
        assert_eq!(plan.edges_us, [50 * HOUR_US]);
        assert_eq!(plan.read_us, []);
        assert_eq!(
            plan.pieces[..2],
            [piece(Level::Day, 0, 48), piece(Level::Hour, 48, 72)]
        );
    }

    proptest! {
        /// Each moment of the period is in one piece or is read, and edges are where pieces end or within what is read.
        #[test]
        fn every_moment_is_answered_once(
            since in 0i64..180_000, length in 0i64..90_000, at in proptest::collection::vec(0.0..1.0, 0..6),
            rows_since in 0i64..3000, hours_since in 0i64..40,
        ) {
            const MINUTE_US: i64 = HOUR_US / 60;
            let known = Known {
                rows_since_us: rows_since * HOUR_US, hours_since: (hours_since * 24).min(rows_since), ..KNOWN
            };
            let known = Known { hours_since: known.hours_since.div_euclid(24) * 24, ..known };
            let mut edges: Vec<i64> = at.iter()
                .map(|share: &f64| (since + (share * length as f64) as i64) * MINUTE_US).collect();
            edges.sort_unstable();
            for widest in [Level::Hour, Level::Day, Level::SixtyFourDays] {
                let plan = known.plan_divided(
                    Some(since * MINUTE_US), Some((since + length) * MINUTE_US), &edges, widest,
                );
                let pieces = plan.pieces.iter().map(|piece| (piece.from * HOUR_US, piece.until * HOUR_US));
                let mut parts: Vec<(i64, i64)> = pieces.chain(plan.read_us.iter().copied()).collect();
                parts.sort_unstable();
                let mut at = plan.since_us.unwrap();
                for (from, until) in &parts {
                    prop_assert_eq!(*from, at);
                    at = *until;
                }
                if length > 0 {
                    prop_assert_eq!(at, plan.until_us.unwrap());
                }
                prop_assert_eq!(plan.edges_us.len(), edges.len());
                for edge in &plan.edges_us {
                    let whole = |piece: &Piece| piece.from * HOUR_US < *edge && *edge < piece.until * HOUR_US
                        && edge % (piece.level.hours() * HOUR_US) != 0;
                    prop_assert!(!plan.pieces.iter().any(whole), "{:?}", plan);
                    prop_assert!(plan.pieces.iter().all(|piece| piece.level <= widest.max(Level::Day)));
                }
            }
        }

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
