//! Single values: parameters of functions, defaults and settings.

use super::string::{checked, string_bytes};
use super::{ffi, LogicalType, TypeId};

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

    pub(super) fn varchar(text: &str) -> Self {
        // SAFETY: makes a new value that we own from text that is copied and, being a `str`, UTF-8.
        Self {
            raw: unsafe {
                ffi::duckdb_create_varchar_length(text.as_ptr().cast(), text.len() as u64)
            },
        }
    }

    pub(super) fn raw(&self) -> ffi::duckdb_value {
        self.raw
    }

    pub fn type_id(&self) -> TypeId {
        // SAFETY: the value is live; the type belongs to it and is only looked at.
        TypeId::from_raw(unsafe { ffi::duckdb_get_type_id(ffi::duckdb_get_value_type(self.raw)) })
    }

    /// The value as text, as a cast to VARCHAR would give it. The error is what to say of the value, behind "… is".
    pub fn text(&self) -> Result<String, String> {
        let bytes = match self.type_id() {
            // It may hold a NUL, where a C string would end.
            TypeId::Varchar => self.varchar_bytes(),
            // SAFETY: the value is live; the text is allocated for us.
            _ => unsafe { super::take_bytes(ffi::duckdb_get_varchar(self.raw)) },
        };
        match checked(&bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(bytes) => Err(bytes.to_string()),
        }
    }

    /// The bytes of a VARCHAR. Only a vector says how many there are.
    fn varchar_bytes(&self) -> Vec<u8> {
        let varchar = LogicalType::new(TypeId::Varchar);
        // SAFETY: the value is live and a VARCHAR, which is what the vector holds; both outlive the copy of the bytes.
        unsafe {
            let mut vector = ffi::duckdb_create_vector(varchar.raw(), 1);
            ffi::duckdb_vector_reference_value(vector, self.raw);
            let string = ffi::duckdb_vector_get_data(vector).cast::<ffi::duckdb_string_t>();
            let bytes = string_bytes(&*string).to_vec();
            ffi::duckdb_destroy_vector(&mut vector);
            bytes
        }
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
