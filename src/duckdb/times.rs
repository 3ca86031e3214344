//! Times of DuckDB's types, in microseconds.

use super::cell::Cell;
use super::{ffi, TypeId, Value};

const INFINITY: i64 = i64::MAX;

fn is_infinite(count: i64) -> bool {
    count == INFINITY || count <= -INFINITY
}

/// Microseconds of a time that counts a coarser unit. The infinities stay what they are; what is too far away for microseconds
/// becomes the last finite time before them, which is hundreds of thousands of years away too.
pub(super) fn coarser(count: i64, unit_us: i64) -> i64 {
    if is_infinite(count) {
        return count;
    }
    let last = INFINITY - 1;
    count
        .checked_mul(unit_us)
        .unwrap_or(if count < 0 { -last } else { last })
}

/// Microseconds of a time in nanoseconds, cut off towards 1970 as DuckDB's cast does.
pub(super) fn from_nanos(count: i64) -> i64 {
    if is_infinite(count) {
        return count;
    }
    count / 1_000
}

/// Microseconds at the beginning of a day.
pub(super) fn from_days(days: i32) -> i64 {
    match days {
        i32::MAX => INFINITY,
        i32::MIN..=-2_147_483_647 => -INFINITY,
        days => coarser(days.into(), 86_400_000_000),
    }
}

impl Value {
    /// A time or text of any of their types; anything else only says which type it is of.
    pub fn time_cell(&self) -> Cell<'static> {
        let raw = self.raw();
        // SAFETY: the value is live; each arm asks for what the value is.
        unsafe {
            match self.type_id() {
                // 1.5.6 has no getter for times of 2.x with a zone and nanoseconds. Their text names its offset.
                text @ (TypeId::Varchar | TypeId::TimestampTzNs) => self
                    .text()
                    .map_or(Cell::Other(text), |text| Cell::Text(text.into())),
                TypeId::TimestampTz => Cell::Timestamp(ffi::duckdb_get_timestamp_tz(raw).micros),
                TypeId::Timestamp => Cell::LocalTimestamp(ffi::duckdb_get_timestamp(raw).micros),
                TypeId::TimestampS => Cell::LocalTimestamp(coarser(
                    ffi::duckdb_get_timestamp_s(raw).seconds,
                    1_000_000,
                )),
                TypeId::TimestampMs => {
                    Cell::LocalTimestamp(coarser(ffi::duckdb_get_timestamp_ms(raw).millis, 1_000))
                }
                TypeId::TimestampNs => {
                    Cell::LocalTimestamp(from_nanos(ffi::duckdb_get_timestamp_ns(raw).nanos))
                }
                TypeId::Date => Cell::LocalTimestamp(from_days(ffi::duckdb_get_date(raw).days)),
                other => Cell::Other(other),
            }
        }
    }
}
