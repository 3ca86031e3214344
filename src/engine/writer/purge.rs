//! Runs of retention, and the time by which they delete.

use super::Writer;
use super::RETENTION_INTERVAL;
use crate::engine::error::Error;
use crate::engine::held_back::HeldBack;
use crate::locks::lock;
use crate::retention::waits_for_clock;
use crate::store::{self, Purged};
use crate::system::{Leap, Uptime};
use std::time::Instant;

impl Writer<'_> {
    /// Deletes what is too old and too much. Where the wall clock has leapt, what only that makes too old may wait; `force`
    /// believes the wall clock.
    pub(super) fn purge(&mut self, force: bool) -> Result<Purged, Error> {
        self.retention_at = Instant::now() + RETENTION_INTERVAL;
        let wall_us = crate::system::clock::now_us();
        let (believed_us, leap) = {
            let (now, mut clock) = (Instant::now(), lock(&self.shared.clock));
            if force {
                clock.trust(wall_us, now);
            }
            let believed_us = clock.now_us(wall_us, now);
            (believed_us, clock.leap())
        };
        let outcome = self
            .is_open()
            .and_then(|()| Ok(self.make_periods(believed_us)?))
            .and_then(|()| Ok(self.delete(believed_us, wall_us, leap)?));
        self.note_run(wall_us, leap, outcome.as_ref());
        if let Some(error) = self.store.take_unarchived() {
            self.shared.note(format!(
                "operations were deleted without being archived, since the log was too large: {error}"
            ));
        }
        // A checkpoint that failed may be the end of the engine, whatever came of the rest.
        self.look_after_store(&"a purge");
        let (purged, _) = outcome?;
        self.remember_clock();
        let own = &self.shared.metrics.own.engine;
        own.purged.inc_by(purged.by_age + purged.by_size);
        Ok(purged)
    }

    /// What was deleted, and what waits for the clock.
    fn delete(
        &mut self,
        believed_us: i64,
        wall_us: i64,
        leap: Option<Leap>,
    ) -> Result<(Purged, Option<HeldBack>), store::Error> {
        let policy = self.shared.policy(believed_us);
        let mut purged = self.store.purge(&policy, believed_us, believed_us)?;
        let Some(leap) = leap else {
            return Ok((purged, None));
        };
        let policy = self.shared.policy(wall_us);
        let operations = self.store.count_expired(&policy, wall_us)?;
        let stored = self.store.operations()?;
        if waits_for_clock(operations, stored, leap.deleted) {
            let held_back = HeldBack {
                operations,
                stored,
                leap,
            };
            return Ok((purged, Some(held_back)));
        }
        let leapt = self.store.purge(&policy, wall_us, believed_us)?;
        lock(&self.shared.clock).count_deleted(leapt.by_age);
        purged.by_age += leapt.by_age;
        purged.by_size += leapt.by_size;
        Ok((purged, None))
    }

    fn note_run(
        &self,
        wall_us: i64,
        leap: Option<Leap>,
        outcome: Result<&(Purged, Option<HeldBack>), &Error>,
    ) {
        let own = &self.shared.metrics.own.engine;
        own.retention_at_seconds.set(wall_us as f64 / 1e6);
        own.clock_ahead_seconds
            .set(leap.map_or(0.0, |leap| leap.ahead_us as f64 / 1e6));
        let before = self.shared.sampler.held_back();
        let (said, held_back) = match outcome {
            Ok((purged, held_back)) => (Ok(*purged), *held_back),
            // It deleted nothing of that.
            Err(error) => (Err(error.to_string()), before),
        };
        own.held_back
            .set(held_back.map_or(0.0, |held| held.operations as f64));
        // Once a leap, since the last notes only are kept.
        match (before, held_back) {
            (None, Some(held_back)) => self.shared.note(held_back.to_string()),
            (Some(_), None) => self
                .shared
                .note("retention holds back nothing any more".into()),
            _ => {}
        }
        self.shared.sampler.note_retention(said, held_back);
    }

    /// A time that is not remembered makes the next process wait a little longer, no more.
    pub(super) fn remember_clock(&mut self) {
        let wall_us = crate::system::clock::now_us();
        let clock = lock(&self.shared.clock).remembered(wall_us, Uptime::now(), Instant::now());
        let _ = self.store.put_clock(&clock);
    }
}
