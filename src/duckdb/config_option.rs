//! Settings that `SET name = value` and `PRAGMA name = value` reach.

use super::{c_text, ffi, Host, LogicalType, TypeId, Value};

/// A setting. DuckDB casts what is given to the type and refuses what cannot be cast.
pub struct OptionDeclaration {
    pub name: &'static str,
    pub type_id: TypeId,
    pub description: &'static str,
    /// Its value until somebody sets it, of a VARCHAR; none for NULL.
    pub default: Option<String>,
}

impl Host<'_> {
    /// Registers a setting for the whole instance.
    pub fn register_option(&self, declaration: &OptionDeclaration) -> Result<(), String> {
        let name = c_text(declaration.name);
        let description = c_text(declaration.description);
        let logical = LogicalType::new(declaration.type_id);
        let default = declaration
            .default
            .as_deref()
            .map_or_else(Value::null, Value::varchar);
        // SAFETY: every handle is live for the calls, which copy what they are given.
        let state = unsafe {
            let mut option = ffi::duckdb_create_config_option();
            ffi::duckdb_config_option_set_name(option, name.as_ptr());
            ffi::duckdb_config_option_set_type(option, logical.raw());
            ffi::duckdb_config_option_set_default_value(option, default.raw());
            ffi::duckdb_config_option_set_default_scope(
                option,
                ffi::duckdb_config_option_scope_DUCKDB_CONFIG_OPTION_SCOPE_GLOBAL,
            );
            ffi::duckdb_config_option_set_description(option, description.as_ptr());
            let state = ffi::duckdb_register_config_option(self.connection(), option);
            ffi::duckdb_destroy_config_option(&mut option);
            state
        };
        self.registered("setting", declaration.name, state)
    }
}
