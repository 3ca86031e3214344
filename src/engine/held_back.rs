//! What retention holds back because the clock has leapt.

use crate::calendar::format_time;
use crate::system::{Leap, PROOF};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// Operations that only the leap makes too old, of those in the log.
    pub operations: u64,
    pub stored: u64,
    pub leap: Leap,
}

impl fmt::Display for HeldBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operations,
            stored,
            leap,
        } = self;
        write!(
            f,
            "the clock has been {} seconds ahead of the time that passed since {}: only that makes {operations} of {stored} \
             operations too old, and retention holds them back until the clock has been steady for {} minutes (it has been for {}). \
             If the clock is right, CALL oplog_purge(force := true) deletes them now",
            leap.ahead_us / 1_000_000,
            format_time(leap.since_us),
            PROOF.as_secs() / 60,
            leap.kept_us / 60_000_000,
        )
    }
}
