//! `oplog_version()`.

use crate::host::{Chunk, ColumnMut, Context, Overload, Scalar, ScalarBind, TypeId};

pub struct Version;

impl Scalar for Version {
    type Bound = ();
    type Local = ();

    const NAME: &'static str = "oplog_version";
    const OVERLOADS: &'static [Overload] = &[Overload {
        parameters: &[],
        returns: TypeId::Varchar,
    }];

    fn bind(&self, _: &ScalarBind<'_>) -> Result<(), String> {
        Ok(())
    }

    fn start(&self, (): &(), _: &Context) -> Result<(), String> {
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
