//! Times: zones and their rules, times as text, intervals of the calendar, and where a timeline's buckets begin.
//!
//! Pure. An instant is a number of microseconds since 1970, UTC; a local time is what the clocks of some zone show,
//! counted in the same way.

mod buckets;
mod interval;
mod text;
mod unread;
mod zone;

pub use buckets::{Buckets, Width, BUCKETS_MAX};
pub use interval::{format_interval, parse_interval_us, Interval};
pub use text::{format_date, format_local_time, format_time, parse as parse_time};
pub use unread::Unread;
pub use zone::Zone;

/// The first instant of the year 1, in UTC.
pub const FIRST_US: i64 = -62_135_596_800_000_000;
/// The last instant of the year 9999. The years from 1 to 9999 are what the clients of DuckDB can show, and what RFC 3339
/// can say.
pub const LAST_US: i64 = 253_402_300_799_999_999;

/// DuckDB's infinities.
pub const INFINITY_US: i64 = i64::MAX;
pub const MINUS_INFINITY_US: i64 = -i64::MAX;

const SECOND_US: i64 = 1_000_000;
pub const HOUR_US: i64 = 3_600 * SECOND_US;
pub const DAY_US: i64 = 24 * HOUR_US;
