//! Rolling operations up: now and then while the log grows, and at the end. A purge rolls up what it deletes.

use super::Writer;
use crate::calendar::HOUR_US;
use crate::store;

impl Writer<'_> {
    /// Rolls up what is due, a part at a time.
    pub(super) fn roll_up(&mut self) {
        let committed_seq = self.shared.queue.committed_seq();
        if !self.rolling.is_due(committed_seq) || self.is_open().is_err() {
            return;
        }
        match self.roll() {
            Ok((rolled_seq, more)) => self.rolling.rolled(rolled_seq, more),
            Err(error) => {
                self.rolling.failed();
                self.shared
                    .note(format!("operations cannot be rolled up: {error}"));
                self.look_after_store(&error);
            }
        }
    }

    fn roll(&mut self) -> Result<(u64, bool), store::Error> {
        let more = self.store.roll()?;
        Ok((self.store.known()?.rolled_seq, more))
    }

    /// Makes the periods that have ended, once an hour, and lets go of those that are too old: a part of retention.
    pub(super) fn make_periods(&mut self, now_us: i64) -> Result<(), store::Error> {
        if !self.rolling.enters(now_us.div_euclid(HOUR_US)) {
            return Ok(());
        }
        self.store.roll_all()?;
        let keep_us = self.shared.rollup_retention_us(now_us);
        self.store.close_periods(now_us, keep_us)?;
        self.store.close_history(now_us, keep_us)?;
        self.rolling.rolled(self.store.known()?.rolled_seq, false);
        Ok(())
    }

    /// Rolls up what is worth it at the end: the next process reads the rows of the rest.
    pub(super) fn roll_at_end(&mut self) {
        let committed_seq = self.shared.queue.committed_seq();
        if self.rolling.is_worth_it_at_end(committed_seq) && self.is_open().is_ok() {
            if let Err(error) = self.store.roll_all() {
                self.shared
                    .note(format!("operations cannot be rolled up: {error}"));
            }
        }
    }
}
