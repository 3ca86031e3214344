//! What a log remembers of the time, so that the next process need not begin without it.

use super::error::Error;
use super::schema::{forget_meta, meta, set_meta};
use super::store::Store;
use crate::system::{Leap, Remembered, Uptime};

const TRUSTED_US: &str = "clock_trusted_us";
const SEEN_US: &str = "clock_seen_us";
const BOOT_ID: &str = "clock_boot_id";
const UP_US: &str = "clock_up_us";
const AHEAD_US: &str = "clock_ahead_us";
const AHEAD_SINCE_US: &str = "clock_ahead_since_us";
const KEPT_US: &str = "clock_ahead_kept_us";
const DELETED: &str = "clock_ahead_deleted";

impl Store {
    /// What was stored with [`Store::put_clock`], if it was.
    pub fn clock(&self) -> Result<Option<Remembered>, Error> {
        let micros = |key| -> Result<Option<i64>, Error> {
            Ok(meta(&self.connection, key)?.and_then(|text| text.parse().ok()))
        };
        let (Some(trusted_us), Some(seen_us)) = (micros(TRUSTED_US)?, micros(SEEN_US)?) else {
            return Ok(None);
        };
        let uptime = match (meta(&self.connection, BOOT_ID)?, micros(UP_US)?) {
            (Some(boot_id), Some(up_us)) => Some(Uptime { boot_id, up_us }),
            _ => None,
        };
        let leap = match (micros(AHEAD_US)?, micros(AHEAD_SINCE_US)?, micros(KEPT_US)?) {
            (Some(ahead_us), Some(since_us), Some(kept_us)) => Some(Leap {
                ahead_us,
                since_us,
                kept_us,
                deleted: micros(DELETED)?.unwrap_or(0).max(0) as u64,
            }),
            _ => None,
        };
        Ok(Some(Remembered {
            trusted_us,
            seen_us,
            uptime,
            leap,
        }))
    }

    pub fn put_clock(&mut self, clock: &Remembered) -> Result<(), Error> {
        let leap = |of: fn(&Leap) -> i64| clock.leap.as_ref().map(|leap| of(leap).to_string());
        let uptime = clock.uptime.as_ref();
        let values = [
            (TRUSTED_US, Some(clock.trusted_us.to_string())),
            (SEEN_US, Some(clock.seen_us.to_string())),
            (BOOT_ID, uptime.map(|uptime| uptime.boot_id.clone())),
            (UP_US, uptime.map(|uptime| uptime.up_us.to_string())),
            (AHEAD_US, leap(|leap| leap.ahead_us)),
            (AHEAD_SINCE_US, leap(|leap| leap.since_us)),
            (KEPT_US, leap(|leap| leap.kept_us)),
            (DELETED, leap(|leap| leap.deleted as i64)),
        ];
        self.connection.transaction(|connection| {
            for (key, value) in values {
                match value {
                    Some(value) => set_meta(connection, key, &value)?,
                    None => forget_meta(connection, key)?,
                }
            }
            Ok(())
        })
    }
}
