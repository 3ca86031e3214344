//! Single values: parameters of functions, defaults and settings.

use super::ffi;

/// An owned value of any type.
pub struct Value {
    raw: ffi::duckdb_value,
}

// SAFETY: a value is immutable once made and has no thread affinity.
unsafe impl Send for Value {}
// SAFETY: as above.
unsafe impl Sync for Value {}

impl Value {
    /// Takes over a value that DuckDB made for us; none where the pointer is NULL or the value is SQL's NULL.
    pub(super) fn take(raw: ffi::duckdb_value) -> Option<Self> {
        if raw.is_null() {
            return None;
        }
        let value = Self { raw };
        // SAFETY: the handle is live.
        (!unsafe { ffi::duckdb_is_null_value(value.raw) }).then_some(value)
    }

    pub(super) fn null() -> Self {
        // SAFETY: makes a new value that we own.
        Self {
            raw: unsafe { ffi::duckdb_create_null_value() },
        }
    }

    pub(super) fn raw(&self) -> ffi::duckdb_value {
        self.raw
    }

    /// The value as text, as a cast to VARCHAR would give it.
    pub fn text(&self) -> String {
        // SAFETY: the value is live; the text is allocated for us.
        unsafe { super::take_text(ffi::duckdb_get_varchar(self.raw)) }
    }

    pub fn boolean(&self) -> bool {
        // SAFETY: the value is live.
        unsafe { ffi::duckdb_get_bool(self.raw) }
    }

    pub fn int64(&self) -> i64 {
        // SAFETY: the value is live.
        unsafe { ffi::duckdb_get_int64(self.raw) }
    }

    pub fn uint64(&self) -> u64 {
        // SAFETY: the value is live.
        unsafe { ffi::duckdb_get_uint64(self.raw) }
    }

    pub fn double(&self) -> f64 {
        // SAFETY: the value is live.
        unsafe { ffi::duckdb_get_double(self.raw) }
    }

    /// The months, days and microseconds of an INTERVAL.
    pub fn interval(&self) -> (i32, i32, i64) {
        // SAFETY: the value is live.
        let interval = unsafe { ffi::duckdb_get_interval(self.raw) };
        (interval.months, interval.days, interval.micros)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { ffi::duckdb_destroy_value(&mut self.raw) };
    }
}
