//! The client context that DuckDB lends during a bind or init callback.

use super::{c_text, ffi, Value};

/// What can be asked of the session that runs a query. Lives no longer than the callback.
pub struct Context {
    raw: ffi::duckdb_client_context,
}

impl Context {
    /// # Safety
    /// `raw` was made for us by one of the `…get_client_context` functions of the running callback.
    pub(super) unsafe fn take(raw: ffi::duckdb_client_context) -> Option<Self> {
        (!raw.is_null()).then_some(Self { raw })
    }

    /// The number that DuckDB gives the connection, unique within its instance.
    pub fn connection_id(&self) -> u64 {
        // SAFETY: the context is live until drop.
        unsafe { ffi::duckdb_client_context_get_connection_id(self.raw) }
    }

    /// The value of a setting, none where it is NULL or unknown.
    pub fn option(&self, name: &str) -> Option<Value> {
        let name = c_text(name);
        // SAFETY: the context is live, the name NUL-terminated, and the scope may be left out.
        Value::take(unsafe {
            ffi::duckdb_client_context_get_config_option(
                self.raw,
                name.as_ptr(),
                std::ptr::null_mut(),
            )
        })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { ffi::duckdb_destroy_client_context(&mut self.raw) };
    }
}
