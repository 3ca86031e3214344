//! The wall clock, as the log stores it.

use crate::calendar::LAST_US;
use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970, UTC. A clock set before 1970 gives 0, and one after the year 9999 its end.
pub fn now_us() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| {
            i64::try_from(elapsed.as_micros()).map_or(LAST_US, |micros| micros.min(LAST_US))
        })
}
