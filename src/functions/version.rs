//! `oplog_version()`.

use super::Documentation;
use crate::duckdb::{Chunk, ColumnMut, Context, LogicalType, Overload, Scalar, TypeId};

/// What the reference says of it.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "only the reference reads them, and tests make it")
)]
pub const DOCUMENTATION: Documentation = Documentation {
    signatures: &["oplog_version() -> VARCHAR"],
    summary: "The version of the extension.",
    example: "SELECT oplog_version();",
};

pub struct Version;

impl Scalar for Version {
    type Plan = ();
    type Local = ();

    const NAME: &'static str = "oplog_version";
    const OVERLOADS: &'static [Overload] = &[Overload {
        parameters: &[],
        returns: TypeId::Varchar,
    }];

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
        for row in 0..arguments.rows() {
            output.set_text(row, env!("CARGO_PKG_VERSION"));
        }
        Ok(())
    }
}
