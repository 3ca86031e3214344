//! A clock that deletes nothing by mistake.
//!
//! Retention deletes what is old by the wall clock, and a wall clock can be wrong for a while: a bad answer of a time
//! server, a virtual machine that wakes up, a battery that was empty. So a time that is far ahead of what clocks which
//! nobody sets let one expect is a leap, and counts only when the wall clock has kept it for an hour. A service may end
//! and begin again within that hour, so the leap is remembered from one process to the next.

use super::uptime::Uptime;
use std::time::{Duration, Instant};

/// A step that is smaller is taken as it is: clocks are put right all the time.
pub const STEP_US_MAX: i64 = 5 * 60 * 1_000_000;

/// How long the wall clock has to keep a time that is further ahead.
pub const PROOF: Duration = Duration::from_secs(60 * 60);

/// What the wall clock says that two processes are apart counts as kept for so long at most, where no other clock tells: so no
/// two of them prove a leap, and a job that runs once a day proves it in some days.
const UNSEEN_US_MAX: i64 = PROOF.as_micros() as i64 / 2;

/// The wall clock is ahead of what is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leap {
    pub ahead_us: i64,
    /// When that was noticed, by the time that is believed.
    pub since_us: i64,
    /// How long the wall clock has kept it.
    pub kept_us: i64,
    /// Operations that were deleted which nothing but leaps made too old, since the wall clock was believed last.
    pub deleted: u64,
}

/// What one process leaves to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The time that was believed.
    pub trusted_us: i64,
    /// What the wall clock said then, and for how long the machine had been running.
    pub seen_us: i64,
    pub uptime: Option<Uptime>,
    pub leap: Option<Leap>,
}

/// What the time is believed to be.
pub struct TrustedClock {
    /// A time that is trusted, and when that was.
    trusted_us: i64,
    at: Instant,
    leap: Option<Leap>,
    /// When it was looked at last.
    looked_at: Instant,
}

impl TrustedClock {
    /// Goes on with what is known from before, if that is anything: the wall clock may be wrong already.
    pub fn resume(
        wall_us: i64,
        uptime: Option<&Uptime>,
        known: Option<&Remembered>,
        now: Instant,
    ) -> Self {
        let passed_us = known.and_then(|known| uptime?.since_us(known.uptime.as_ref()?));
        let trusted_us = known.map_or(wall_us, |known| {
            let trusted_us = known.trusted_us.saturating_add(passed_us.unwrap_or(0));
            trusted_us.min(wall_us)
        });
        let leap = known.and_then(|known| {
            let gap_us = wall_us.saturating_sub(known.seen_us);
            // One that was set back is put right.
            let leap = known.leap.filter(|_| gap_us >= -STEP_US_MAX)?;
            let kept_us = kept_us(gap_us, passed_us).map(|us| leap.kept_us.saturating_add(us));
            Some(Leap {
                ahead_us: wall_us.saturating_sub(trusted_us),
                kept_us: kept_us.unwrap_or(0),
                ..leap
            })
        });
        Self {
            trusted_us,
            at: now,
            leap,
            looked_at: now,
        }
    }

    /// The time by which to delete, where the wall clock says `wall_us`: never later than that.
    pub fn now_us(&mut self, wall_us: i64, now: Instant) -> i64 {
        let (believed_us, leap) = self.believed(wall_us, now);
        self.leap = leap;
        self.looked_at = now;
        if leap.is_none() {
            self.trust(wall_us, now);
        }
        believed_us
    }

    /// The same, and the leap that keeps the wall clock from being believed, for whoever just asks.
    pub fn believed(&self, wall_us: i64, now: Instant) -> (i64, Option<Leap>) {
        let elapsed_us = now.saturating_duration_since(self.at).as_micros() as i64;
        let expected_us = self.trusted_us.saturating_add(elapsed_us);
        let ahead_us = wall_us.saturating_sub(expected_us);
        if ahead_us <= STEP_US_MAX {
            return (wall_us, None);
        }
        let leap = match self.leap {
            Some(leap) if leap.ahead_us.abs_diff(ahead_us) <= STEP_US_MAX as u64 => {
                let looked = now.saturating_duration_since(self.looked_at);
                Leap {
                    ahead_us,
                    kept_us: leap.kept_us.saturating_add(looked.as_micros() as i64),
                    ..leap
                }
            }
            // It is another one if it is not about as far ahead as before.
            before => Leap {
                ahead_us,
                since_us: expected_us,
                kept_us: 0,
                deleted: before.map_or(0, |leap| leap.deleted),
            },
        };
        match leap.kept_us < PROOF.as_micros() as i64 {
            true => (expected_us, Some(leap)),
            false => (wall_us, None),
        }
    }

    /// Believes the wall clock from now on.
    pub fn trust(&mut self, wall_us: i64, now: Instant) {
        *self = Self {
            trusted_us: wall_us,
            at: now,
            leap: None,
            looked_at: now,
        };
    }

    /// The leap that keeps the wall clock from being believed, as it was when it was looked at last.
    pub fn leap(&self) -> Option<Leap> {
        self.leap
    }

    /// Counts operations that only the leap has made too old.
    pub fn count_deleted(&mut self, operations: u64) {
        if let Some(leap) = &mut self.leap {
            leap.deleted += operations;
        }
    }

    /// What the next process has to know.
    pub fn remembered(&self, wall_us: i64, uptime: Option<Uptime>, now: Instant) -> Remembered {
        let (trusted_us, leap) = self.believed(wall_us, now);
        Remembered {
            trusted_us,
            seen_us: wall_us,
            uptime,
            leap,
        }
    }
}

/// For how long the wall clock has gone on as it was while no process looked, where it went on by `gap_us`; none where it did
/// not. `passed_us` is what a clock that nobody sets says, if there is one.
fn kept_us(gap_us: i64, passed_us: Option<i64>) -> Option<i64> {
    match passed_us {
        Some(passed_us) => (gap_us.abs_diff(passed_us) <= STEP_US_MAX as u64).then_some(passed_us),
        None => Some(gap_us.clamp(0, UNSEEN_US_MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000_000;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    /// When the tests begin.
    const BEGIN: i64 = 100 * YEAR;

    /// A log in a world where time passes: processes come and go, and the wall clock is off by something.
    struct World {
        began: Instant,
        passed_us: i64,
        /// The machine's run.
        boot: Option<u32>,
        clock: TrustedClock,
    }

    impl World {
        fn new(boot: Option<u32>) -> Self {
            let began = Instant::now();
            Self {
                began,
                passed_us: 0,
                boot,
                clock: TrustedClock::resume(BEGIN, None, None, began),
            }
        }

        fn now(&self) -> Instant {
            self.began + Duration::from_micros(self.passed_us as u64)
        }

        fn uptime(&self) -> Option<Uptime> {
            Some(Uptime {
                boot_id: self.boot?.to_string(),
                up_us: self.passed_us,
            })
        }

        /// What is believed when some time has passed, where the wall clock is off by so much; since BEGIN.
        fn after(&mut self, passed_us: i64, off_us: i64) -> i64 {
            self.passed_us += passed_us;
            let wall_us = BEGIN + self.passed_us + off_us;
            self.clock.now_us(wall_us, self.now()) - BEGIN
        }

        /// A process ends, where the wall clock is off by so much, and another one begins after some time.
        fn restart(&mut self, (before_us, down_us, after_us): (i64, i64, i64)) -> i64 {
            let wall_us = BEGIN + self.passed_us + before_us;
            let known = self.clock.remembered(wall_us, self.uptime(), self.now());
            self.passed_us += down_us;
            let wall_us = BEGIN + self.passed_us + after_us;
            let uptime = self.uptime();
            self.clock = TrustedClock::resume(wall_us, uptime.as_ref(), Some(&known), self.now());
            self.after(0, after_us)
        }

        fn ahead_us(&self) -> Option<i64> {
            self.clock.leap().map(|leap| leap.ahead_us)
        }
    }

    #[test]
    fn time_passes_and_small_steps_are_taken() {
        let mut world = World::new(None);
        assert_eq!(world.after(HOUR, 0), HOUR);
        assert_eq!(world.after(HOUR, STEP_US_MAX), 2 * HOUR + STEP_US_MAX);
        assert_eq!(world.ahead_us(), None);
    }

    #[test]
    fn a_leap_counts_only_after_it_has_lasted() {
        let mut world = World::new(None);
        assert_eq!(world.after(HOUR, YEAR), HOUR);
        assert_eq!(world.ahead_us(), Some(YEAR));
        assert_eq!(world.clock.leap().unwrap().since_us, BEGIN + HOUR);
        assert_eq!(world.after(59 * MINUTE, YEAR), HOUR + 59 * MINUTE);
        assert_eq!(world.clock.leap().unwrap().kept_us, 59 * MINUTE);
        assert_eq!(world.after(MINUTE, YEAR), 2 * HOUR + YEAR);
        assert_eq!(world.ahead_us(), None);
    }

    #[test]
    fn a_clock_that_is_put_right_again_begins_anew() {
        let mut world = World::new(None);
        assert_eq!(world.after(HOUR, YEAR), HOUR);
        assert_eq!(world.after(1, 0), HOUR + 1);
        assert_eq!(world.after(HOUR, YEAR), 2 * HOUR + 1);
        assert_eq!(world.after(1, 2 * YEAR), 2 * HOUR + 2);
        assert_eq!(world.after(59 * MINUTE, YEAR), 2 * HOUR + 2 + 59 * MINUTE);
    }

    #[test]
    fn a_step_back_is_taken_at_once() {
        let mut world = World::new(None);
        assert_eq!(world.after(HOUR, -YEAR), HOUR - YEAR);
        assert_eq!(world.after(1, -YEAR), HOUR + 1 - YEAR);
        // To come back is a leap like any other.
        assert_eq!(world.after(1, 0), HOUR + 2 - YEAR);
    }

    #[test]
    fn asking_changes_nothing_and_trust_is_at_once() {
        let mut world = World::new(None);
        world.after(0, YEAR);
        let later = world.now() + PROOF;
        let wall_us = BEGIN + YEAR + HOUR;
        assert_eq!(world.clock.believed(wall_us, later), (wall_us, None));
        assert_eq!(world.ahead_us(), Some(YEAR));
        world.clock.count_deleted(7);
        world.after(MINUTE, 2 * YEAR);
        assert_eq!(world.clock.leap().unwrap().deleted, 7);
        let wall_us = BEGIN + MINUTE + 2 * YEAR;
        world.clock.trust(wall_us, world.now());
        assert_eq!(world.after(MINUTE, 2 * YEAR), 2 * MINUTE + 2 * YEAR);
        assert_eq!(world.ahead_us(), None);
    }

    #[test]
    fn a_machine_that_goes_on_running_knows_how_long_no_process_ran() {
        let mut world = World::new(Some(1));
        assert_eq!(world.restart((0, 30 * DAY, 0)), 30 * DAY);
        assert_eq!(world.ahead_us(), None);
        // Wrong from the start of the process on.
        assert_eq!(world.restart((0, MINUTE, YEAR)), 30 * DAY + MINUTE);
        assert_eq!(world.ahead_us(), Some(YEAR));
    }

    #[test]
    fn a_service_that_is_restarted_every_few_minutes_believes_a_leap_after_an_hour() {
        for boot in [None, Some(1)] {
            let mut world = World::new(boot);
            world.after(MINUTE, YEAR);
            let mut restarts = 0;
            while world.ahead_us().is_some() {
                world.after(2 * MINUTE, YEAR);
                world.restart((YEAR, MINUTE, YEAR));
                restarts += 1;
            }
            assert_eq!(restarts, 20, "{boot:?}");
        }
    }

    #[test]
    fn a_log_that_was_not_opened_for_long_is_believed_in_some_time() {
        // Each time on another machine.
        let mut world = World::new(None);
        world.restart((0, 30 * DAY, 0));
        assert_eq!(world.ahead_us(), Some(30 * DAY));
        assert_eq!(world.after(HOUR, 0), 30 * DAY + HOUR);
        // A job that runs for a moment once a day.
        let mut world = World::new(None);
        let behind: Vec<i64> = (1..=7)
            .map(|day| day - world.restart((0, DAY, 0)) / DAY)
            .collect();
        assert_eq!(behind, [1, 2, 0, 1, 2, 0, 1]);
    }

    #[test]
    fn a_clock_that_leaps_between_two_processes_proves_nothing() {
        let mut world = World::new(Some(1));
        world.after(MINUTE, YEAR);
        world.after(59 * MINUTE, YEAR);
        world.restart((YEAR, MINUTE, 2 * YEAR));
        assert_eq!(world.clock.leap().unwrap().kept_us, 0);
        // On another machine it cannot be told, and is half a proof.
        let mut world = World::new(None);
        world.after(MINUTE, YEAR);
        world.restart((YEAR, MINUTE, 2 * YEAR));
        assert_eq!(world.clock.leap().unwrap().kept_us, HOUR / 2);
        // One that is put right again is no leap any more.
        world.restart((2 * YEAR, 0, 0));
        assert_eq!(world.ahead_us(), None);
    }

    proptest! {
        /// No leap of less than an hour is ever believed, however often processes begin meanwhile.
        #[test]
        fn what_is_wrong_for_less_than_an_hour_is_never_believed(
            off in DAY..10 * YEAR, parts in proptest::collection::vec((0..MINUTE, 0..MINUTE), 1..29), boot in any::<bool>(),
        ) {
            let mut world = World::new(boot.then_some(1));
            for (up, down) in parts {
                let believed = world.after(up, off);
                prop_assert!(believed <= world.passed_us);
                let believed = world.restart((off, down, off));
                prop_assert!(believed <= world.passed_us);
            }
            // Put right, it is believed but for the time in which no process ran.
            let believed = world.after(0, 0);
            prop_assert!(world.passed_us - believed <= HOUR / 2);
        }
    }
}
