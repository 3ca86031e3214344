//! `oplog_version()`.

use super::ScalarFunction;
use crate::duckdb::{Chunk, ColumnMut, Context, LogicalType, Overload, Scalar, TypeId};

pub const VERSION: ScalarFunction = ScalarFunction {
    name: Version::NAME,
    signatures: &[("", "VARCHAR")],
    summary: "The version of the extension.",
    example: "SELECT oplog_version();",
    register: |host, _| host.register_scalar(Version),
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
