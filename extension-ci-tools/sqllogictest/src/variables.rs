//! Replaces `$NAME` in statements by the value that the runner or a `let` record gave it.
//!
//! The crate's own substitution takes every `$` and every backslash for its syntax, so that neither `$1`, nor
//! `$$`, nor a regular expression could stand in a test. This one replaces only the names that it knows.

use std::collections::BTreeMap;

#[derive(Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    pub fn substitute(&self, sql: &str) -> String {
        let mut result = String::with_capacity(sql.len());
        let mut rest = sql;
        while let Some(at) = rest.find('$') {
            let (before, after) = (&rest[..at], &rest[at + 1..]);
            let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
            let name = &after[..after
                .find(|character| !is_name(character))
                .unwrap_or(after.len())];
            result.push_str(before);
            match self.0.get(name) {
                Some(value) => result.push_str(value),
                None => result.extend(["$", name]),
            }
            rest = &after[name.len()..];
        }
        result + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_replaced_and_all_else_is_left_alone() {
        let mut variables = Variables::default();
        variables.set("id", "42");
        variables.set("identity", "x$id");
        for (sql, expected) in [
            ("", ""),
            ("SELECT $id, '$id'", "SELECT 42, '42'"),
            // The whole name counts, and a value is not looked at again.
            ("$identity $idle", "x$id $idle"),
            ("EXECUTE p($1)", "EXECUTE p($1)"),
            (r"$$a\d$$ $id$", r"$$a\d$$ 42$"),
        ] {
            assert_eq!(variables.substitute(sql), expected, "{sql}");
        }
    }
}
