//! How a scalar function is declared.

use crate::duckdb::Host;
use crate::functions::Session;

pub struct ScalarFunction {
    pub name: &'static str,
    /// Parameters and return type of each signature.
    pub signatures: &'static [(&'static str, &'static str)],
    pub summary: &'static str,
    pub example: &'static str,
    pub register: fn(&Host<'_>, &Session) -> Result<(), String>,
}
