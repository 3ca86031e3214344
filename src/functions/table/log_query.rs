//! How a function is declared that reads the log: a .sql file, run in the sidecar, and what there is to say of it.

use super::parameters::{Named, Parameter, Role, FILTERS};
use crate::engine::Shared;

/// The columns of an answer, for the reference; the types are those of the SQL, and a test holds the two together.
pub enum Columns {
    /// Those of the log.
    Log,
    /// Name, SQL type and meaning of each.
    Listed(&'static [Column]),
    /// The columns of `by`, first or behind the first of these.
    Grouped(&'static [Column]),
}

pub type Column = (&'static str, &'static str, &'static str);

/// A reading function.
pub struct LogQuery {
    pub name: &'static str,
    pub summary: &'static str,
    pub example: &'static str,
    /// Parameters before the filters; positional ones must be given.
    pub positional: &'static [Parameter],
    pub named: &'static [Parameter],
    pub filters: bool,
    /// The time range where none is given; none for everything.
    pub default_period: Option<&'static str>,
    pub default_by: &'static [&'static str],
    pub columns: Columns,
    /// Values from the engine that the SQL uses.
    pub figures: Option<fn(&Shared) -> Named>,
    pub sql: &'static str,
    /// The same where rows are gone or are many.
    pub rolled: Option<Rolled>,
}

/// How a function is answered from rollups and rows.
pub struct Rolled {
    pub sql: &'static str,
    /// What the SQL groups by, besides what is asked for.
    pub dimensions: &'static [&'static str],
}

impl LogQuery {
    /// What holds where a parameter is left out, as the documentation shows it.
    pub fn default_of(&self, parameter: &Parameter) -> String {
        match (parameter.name, parameter.role) {
            ("period", _) => self
                .default_period
                .map_or("everything".into(), |period| format!("'{period}'")),
            (_, Role::Rows { default: i64::MAX }) => "all".into(),
            (_, Role::Rows { default }) => default.to_string(),
            ("by", _) if !self.default_by.is_empty() => format!("'{}'", self.default_by.join(",")),
            (_, Role::Id) => "required".into(),
            _ => String::new(),
        }
    }

    pub fn parameters(&self) -> Vec<&'static Parameter> {
        let filters = if self.filters { FILTERS } else { &[] };
        self.named.iter().chain(filters).collect()
    }
}

/// What a declaration leaves out.
pub const BASE: LogQuery = LogQuery {
    name: "",
    summary: "",
    example: "",
    positional: &[],
    named: &[],
    filters: true,
    default_period: None,
    default_by: &[],
    columns: Columns::Log,
    figures: None,
    sql: "",
    rolled: None,
};
