//! `oplog_describe`.

use super::{Documentation, Session};
use crate::host::{Cell, Chunk, ColumnMut, Context, Overload, Scalar, ScalarBind, TypeId};
use crate::metrics::Kind;

/// What the reference says of it.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "only the reference reads them, and tests make it")
)]
pub const DOCUMENTATION: Documentation = Documentation {
    signatures: &[
        "oplog_describe(name VARCHAR, type VARCHAR, help VARCHAR) -> VARCHAR",
        "oplog_describe(name VARCHAR, type VARCHAR, help VARCHAR, buckets LIST) -> VARCHAR",
    ],
    summary: "Names a metric's type (`counter`, `gauge`, `histogram`), its help and, for a histogram, the upper bounds of its \
    buckets, before the first use; returns the name. To repeat it is fine, so a service may call it each time it starts.",
    example: "SELECT oplog_describe('import_duration_seconds', 'histogram', 'How long imports take.', [0.1, 1, 10]);",
};

pub struct Describe {
    session: Session,
}

impl Describe {
    pub fn new(session: &Session) -> Self {
        Self {
            session: session.clone(),
        }
    }

    fn describe(&self, arguments: &Chunk<'_>, has_buckets: bool, row: usize) -> Result<(), String> {
        let text = |index: usize| arguments.column(index).text(row);
        let name = text(0).ok_or("metric name is NULL: name the metric")?;
        let given = text(1).unwrap_or("NULL");
        let kind = Kind::by_name(given).ok_or_else(|| {
            format!("type of '{name}' is '{given}': give counter, gauge or histogram")
        })?;
        let buckets = has_buckets
            .then(|| buckets(arguments, row))
            .transpose()?
            .flatten();
        let registry = self.session.engine().registry();
        let help = text(2).unwrap_or_default();
        registry.describe(name, kind, help, buckets.as_deref())
    }
}

fn buckets(arguments: &Chunk<'_>, row: usize) -> Result<Option<Vec<f64>>, String> {
    let Some((elements, range)) = arguments.column(3).list_elements(row) else {
        return Ok(None);
    };
    let bound = |at: usize| match elements.cell(at) {
        Cell::Double(bound) => Ok(bound),
        Cell::Integer(bound) => Ok(bound as f64),
        _ => Err(
            "buckets has a bound that is no number: give numbers such as [0.01, 0.1, 1, 10]"
                .to_owned(),
        ),
    };
    range.map(bound).collect::<Result<_, _>>().map(Some)
}

impl Scalar for Describe {
    /// Whether buckets are given.
    type Bound = bool;
    type Local = ();

    const NAME: &'static str = "oplog_describe";
    const OVERLOADS: &'static [Overload] = &[
        Overload {
            parameters: &[TypeId::Varchar, TypeId::Varchar, TypeId::Varchar],
            returns: TypeId::Varchar,
        },
        Overload {
            parameters: &[
                TypeId::Varchar,
                TypeId::Varchar,
                TypeId::Varchar,
                TypeId::Any,
            ],
            returns: TypeId::Varchar,
        },
    ];

    fn bind(&self, arguments: &ScalarBind<'_>) -> Result<bool, String> {
        let buckets = arguments.types().get(3).map(|logical| logical.id());
        match buckets {
            None | Some(TypeId::List | TypeId::Array | TypeId::SqlNull | TypeId::Invalid) => {
                Ok(buckets.is_some())
            }
            Some(other) => Err(format!(
                "{}: buckets are a LIST of numbers such as [0.01, 0.1, 1, 10]; this is {}",
                Self::NAME,
                other.sql_name()
            )),
        }
    }

    fn start(&self, _: &bool, context: &Context) -> Result<(), String> {
        self.session.apply_settings(context)
    }

    fn call(
        &self,
        has_buckets: &bool,
        (): &mut (),
        arguments: &Chunk<'_>,
        output: &mut ColumnMut<'_>,
    ) -> Result<(), String> {
        let engine = self.session.engine();
        for row in 0..arguments.rows() {
            match self.describe(arguments, *has_buckets, row) {
                Ok(()) => {
                    let name = arguments.column(0).text(row).unwrap_or_default();
                    output.set_text(row, name);
                }
                Err(problem) if engine.strict() => {
                    return Err(format!("{}: {problem}", Self::NAME));
                }
                Err(_) => {
                    engine.count_rejected_updates(1);
                    output.set_null(row);
                }
            }
        }
        Ok(())
    }
}
