//! The wall clock, as the log stores it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970, UTC. A clock set before 1970 gives 0.
pub fn now_us() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_micros() as i64)
}
