//! A clock that deletes nothing by mistake.
//!
//! Retention deletes what is old by the wall clock, and a wall clock can be wrong for a moment: a bad answer of a time
//! server, a virtual machine that wakes up, a battery that was empty. So a time that is far ahead of what the monotonic
//! clock lets one expect counts only after the wall clock has kept it for a while.

use std::time::{Duration, Instant};

/// A step that is smaller is taken as it is: clocks are put right all the time.
pub const STEP_US_MAX: i64 = 5 * 60 * 1_000_000;

/// How long the wall clock has to keep a time that is further ahead.
pub const PROOF: Duration = Duration::from_secs(60 * 60);

/// What the time is believed to be.
pub struct TrustedClock {
    /// A time that is trusted, and when that was.
    trusted_us: i64,
    at: Instant,
    /// The wall clock is ahead, and since when it has been: by how much, in microseconds.
    ahead: Option<(i64, Instant)>,
}

impl TrustedClock {
    /// `known_us` is the last time that is known from before, if there is one: the wall clock may be wrong already.
    pub fn new(wall_us: i64, known_us: Option<i64>, now: Instant) -> Self {
        Self {
            trusted_us: known_us.map_or(wall_us, |known| known.min(wall_us)),
            at: now,
            ahead: None,
        }
    }

    /// The time by which to delete, where the wall clock says `wall_us`: never later than that.
    pub fn now_us(&mut self, wall_us: i64, now: Instant) -> i64 {
        let elapsed = now.saturating_duration_since(self.at).as_micros() as i64;
        let expected = self.trusted_us.saturating_add(elapsed);
        let ahead_us = wall_us.saturating_sub(expected);
        if ahead_us > STEP_US_MAX {
            let since = match self.ahead {
                // It is another jump if it is not about as far ahead as before.
                Some((before, since)) if before.abs_diff(ahead_us) <= STEP_US_MAX as u64 => since,
                _ => now,
            };
            self.ahead = Some((ahead_us, since));
            if now.saturating_duration_since(since) < PROOF {
                return expected;
            }
        }
        self.ahead = None;
        self.trusted_us = wall_us;
        self.at = now;
        wall_us
    }

    /// How far the wall clock is ahead of what is believed; none where it is believed.
    pub fn ahead_us(&self) -> Option<i64> {
        self.ahead.map(|(ahead_us, _)| ahead_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;
    const YEAR: i64 = 365 * 24 * HOUR;

    struct Watch {
        clock: TrustedClock,
        began: Instant,
    }

    impl Watch {
        fn new(known_us: Option<i64>) -> Self {
            let began = Instant::now();
            Self {
                clock: TrustedClock::new(100 * YEAR, known_us, began),
                began,
            }
        }

        /// What is believed after some time, where the wall clock is off by so much.
        fn after(&mut self, elapsed_us: i64, off_us: i64) -> i64 {
            let now = self.began + Duration::from_micros(elapsed_us as u64);
            let wall_us = 100 * YEAR + elapsed_us + off_us;
            self.clock.now_us(wall_us, now) - 100 * YEAR
        }
    }

    #[test]
    fn time_passes_and_small_steps_are_taken() {
        let mut watch = Watch::new(None);
        assert_eq!(watch.after(HOUR, 0), HOUR);
        assert_eq!(watch.after(2 * HOUR, STEP_US_MAX), 2 * HOUR + STEP_US_MAX);
        assert_eq!(watch.clock.ahead_us(), None);
    }

    #[test]
    fn a_jump_counts_only_after_it_has_lasted() {
        let mut watch = Watch::new(None);
        assert_eq!(watch.after(HOUR, YEAR), HOUR);
        assert_eq!(watch.clock.ahead_us(), Some(YEAR));
        assert_eq!(
            watch.after(HOUR + 59 * 60_000_000, YEAR),
            HOUR + 59 * 60_000_000
        );
        assert_eq!(watch.after(2 * HOUR, YEAR), 2 * HOUR + YEAR);
        assert_eq!(watch.clock.ahead_us(), None);
    }

    #[test]
    fn a_clock_that_is_put_right_again_begins_anew() {
        let mut watch = Watch::new(None);
        assert_eq!(watch.after(HOUR, YEAR), HOUR);
        assert_eq!(watch.after(HOUR + 1, 0), HOUR + 1);
        assert_eq!(watch.after(2 * HOUR, YEAR), 2 * HOUR);
        assert_eq!(watch.after(2 * HOUR + 1, 2 * YEAR), 2 * HOUR + 1);
        assert_eq!(watch.after(3 * HOUR, YEAR), 3 * HOUR);
    }

    #[test]
    fn a_step_back_is_taken_at_once() {
        let mut watch = Watch::new(None);
        assert_eq!(watch.after(HOUR, -YEAR), HOUR - YEAR);
        assert_eq!(watch.after(HOUR + 1, -YEAR), HOUR + 1 - YEAR);
        // To come back is a jump like any other.
        assert_eq!(watch.after(HOUR + 2, 0), HOUR + 2 - YEAR);
    }

    #[test]
    fn what_was_known_before_the_start_counts_too() {
        let mut watch = Watch::new(Some(99 * YEAR));
        assert_eq!(watch.after(1, 0), 1 - YEAR);
        assert_eq!(watch.after(HOUR + 1, 0), HOUR + 1);
        // One that is ahead of the wall clock is no reason to wait.
        let mut watch = Watch::new(Some(101 * YEAR));
        assert_eq!(watch.after(1, 0), 1);
    }
}
