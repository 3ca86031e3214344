//! `prometheus_text()`.

use super::{Documentation, Session};
use crate::host::{Chunk, ColumnMut, Context, Overload, Scalar, ScalarBind, TypeId};

/// What the reference says of it.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "only the reference reads them, and tests make it")
)]
pub const DOCUMENTATION: Documentation = Documentation {
    signatures: &["prometheus_text() -> VARCHAR"],
    summary: "All metrics in Prometheus text format 0.0.4, ready to be served under `/metrics`.",
    example: "SELECT prometheus_text();",
};

pub struct PrometheusText {
    session: Session,
}

impl PrometheusText {
    pub fn new(session: &Session) -> Self {
        Self {
            session: session.clone(),
        }
    }
}

impl Scalar for PrometheusText {
    type Bound = ();
    type Local = ();

    const NAME: &'static str = "prometheus_text";
    const OVERLOADS: &'static [Overload] = &[Overload {
        parameters: &[],
        returns: TypeId::Varchar,
    }];

    fn bind(&self, _: &ScalarBind<'_>) -> Result<(), String> {
        Ok(())
    }

    fn start(&self, (): &(), context: &Context) -> Result<(), String> {
        self.session.apply_settings(context)?;
        Ok(())
    }

    fn call(
        &self,
        (): &(),
        (): &mut (),
        arguments: &Chunk<'_>,
        output: &mut ColumnMut<'_>,
    ) -> Result<(), String> {
        let text = self.session.engine().metrics().render()?;
        for row in 0..arguments.rows() {
            output.set_text(row, &text);
        }
        Ok(())
    }
}
