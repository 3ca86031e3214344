//! GLOB patterns as conditions in SQL.

use crate::pattern::regular_expression;

/// Whether a column matches a pattern.
pub(super) fn matches(column: &str, pattern: &str) -> String {
    match regular_expression(pattern) {
        // Hexadecimal digits and signs, so no quote is in it. As a parameter it would be compiled for each row.
        Some(expression) => format!("regexp_full_match({column}, '{expression}')"),
        None => "false".to_owned(),
    }
}
