//! `oplog_normalize` and `oplog_fingerprint`: what stands for all statements that differ in their literals only.

use super::ScalarFunction;
use crate::duckdb::{Chunk, ColumnMut, Context, LogicalType, Overload, Scalar, TypeId};
use crate::statements::{normalize, Normalized};

pub const NORMALIZE: ScalarFunction = ScalarFunction {
    name: Normalize::NAME,
    signatures: &[("statement VARCHAR", "VARCHAR")],
    summary: "A statement without its literals (`?`), comments and secrets; lists of literals and repeated rows of VALUES are one. NULL \
    where it cannot be read.",
    example: "SELECT oplog_normalize('SELECT * FROM orders WHERE id IN (1, 2) -- why');",
    register: |host, _| host.register_scalar(Normalize),
};

pub const FINGERPRINT: ScalarFunction = ScalarFunction {
    name: Fingerprint::NAME,
    signatures: &[("statement VARCHAR", "VARCHAR")],
    summary: "16 hexadecimal digits that all statements have in common which are the same but for literals, comments, blanks and the \
    case of their words.",
    example: "SELECT oplog_fingerprint('SELECT * FROM orders WHERE id = 7');",
    register: |host, _| host.register_scalar(Fingerprint),
};

pub struct Normalize;
pub struct Fingerprint;

/// Fills the output with what is said of each statement; NULL of NULL.
fn each(
    name: &str,
    arguments: &Chunk<'_>,
    output: &mut ColumnMut<'_>,
    said: impl Fn(Normalized) -> Option<String>,
) -> Result<(), String> {
    let statements = arguments.column(0);
    for row in 0..arguments.rows() {
        let statement = statements.text(row);
        let statement = statement.map_err(|bytes| format!("{name}: statement is {bytes}"))?;
        match statement.and_then(|statement| said(normalize(statement))) {
            Some(text) => output.set_text(row, &text),
            None => output.set_null(row),
        }
    }
    Ok(())
}

const OVERLOADS: &[Overload] = &[Overload {
    parameters: &[TypeId::Varchar],
    returns: TypeId::Varchar,
}];

macro_rules! of_statement {
    ($type:ident, $name:literal, $said:expr) => {
        impl Scalar for $type {
            type Plan = ();
            type Local = ();

            const NAME: &'static str = $name;
            const OVERLOADS: &'static [Overload] = OVERLOADS;

            fn start(&self, _: &Context) -> Result<(), String> {
                Ok(())
            }

            fn plan(&self, _: &[LogicalType]) -> Result<(), String> {
                Ok(())
            }

            fn call(
                &self,
                (): &(),
                (): &mut (),
                arguments: &Chunk<'_>,
                output: &mut ColumnMut<'_>,
            ) -> Result<(), String> {
                each(Self::NAME, arguments, output, $said)
            }
        }
    };
}

of_statement!(Normalize, "oplog_normalize", |statement| statement.text);
of_statement!(Fingerprint, "oplog_fingerprint", |statement| Some(format!(
    "{:016x}",
    statement.fingerprint
)));
