//! The client context that DuckDB lends during a bind or init callback.

use super::{c_text, ffi, text_from, Value};

/// What can be asked of the session that runs a query, as long as that runs.
pub struct Context {
    raw: ffi::duckdb_client_context,
}

// SAFETY: the handle is a reference to the session, which the callbacks of its query may use from any thread.
unsafe impl Send for Context {}
// SAFETY: as above; what is read through it is locked inside.
unsafe impl Sync for Context {}

/// A setting as a session sees it.
pub struct Setting {
    pub value: Value,
    /// Whether it was set for this session alone.
    pub of_session: bool,
}

impl Context {
    /// The context of a connection.
    ///
    /// # Safety
    /// The connection is live, and outlives what is asked of the context.
    pub(super) unsafe fn of(connection: ffi::duckdb_connection) -> Option<Self> {
        // SAFETY: the caller's promise; the context is made for us.
        unsafe {
            let mut raw = std::ptr::null_mut();
            ffi::duckdb_connection_get_client_context(connection, &mut raw);
            Self::take(raw)
        }
    }

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

    pub(super) fn raw(&self) -> ffi::duckdb_client_context {
        self.raw
    }

    /// A setting, none where it is NULL or unknown.
    pub fn option(&self, name: &str) -> Option<Setting> {
        let name = c_text(name);
        let mut scope = ffi::duckdb_config_option_scope_DUCKDB_CONFIG_OPTION_SCOPE_INVALID;
        // SAFETY: the context is live, the name NUL-terminated, and the scope ours.
        let value = Value::take(unsafe {
            ffi::duckdb_client_context_get_config_option(self.raw, name.as_ptr(), &mut scope)
        })?;
        Some(Setting {
            value,
            of_session: scope == ffi::duckdb_config_option_scope_DUCKDB_CONFIG_OPTION_SCOPE_SESSION,
        })
    }

    /// Whether a setting of DuckDB's own is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.option(name)
            .is_some_and(|setting| setting.value.boolean())
    }

    /// Refuses a path where DuckDB would refuse the session to open the file, to write it too. The file is not touched,
    /// whatever it is: DuckDB looks at the path first, and then finds that it is to be opened for neither reading nor
    /// writing.
    pub fn check_file(&self, path: &str) -> Result<(), String> {
        let path = c_text(path);
        // SAFETY: the context is live; everything else is made here and destroyed after its last use.
        let (kind, message) = unsafe {
            let mut files = ffi::duckdb_client_context_get_file_system(self.raw);
            let mut neither = ffi::duckdb_create_file_open_options();
            let mut file = std::ptr::null_mut();
            ffi::duckdb_file_system_open(files, path.as_ptr(), neither, &mut file);
            ffi::duckdb_destroy_file_handle(&mut file);
            ffi::duckdb_destroy_file_open_options(&mut neither);
            let mut error = ffi::duckdb_file_system_error_data(files);
            let kind = ffi::duckdb_error_data_error_type(error);
            let message = text_from(ffi::duckdb_error_data_message(error));
            ffi::duckdb_destroy_error_data(&mut error);
            ffi::duckdb_destroy_file_system(&mut files);
            (kind, message)
        };
        // What is none of the two is taken for a refusal too.
        if kind == ffi::duckdb_error_type_DUCKDB_ERROR_INTERNAL {
            return Ok(());
        }
        Err(message)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { ffi::duckdb_destroy_client_context(&mut self.raw) };
    }
}
