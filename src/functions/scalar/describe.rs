//! `oplog_describe`.

use super::ScalarFunction;
use crate::duckdb::{Cell, Chunk, ColumnMut, Context, LogicalType, Overload, Scalar, TypeId};
use crate::excerpt::excerpt;
use crate::functions::Session;
use crate::metrics::Kind;

pub const DESCRIBE: ScalarFunction = ScalarFunction {
    name: Describe::NAME,
    signatures: &[
        ("name VARCHAR, type VARCHAR, help VARCHAR", "VARCHAR"),
        ("name VARCHAR, type VARCHAR, help VARCHAR, buckets LIST", "VARCHAR"),
    ],
    summary: "Names a metric's type (`counter`, `gauge`, `histogram`), its help and, for a histogram, the upper bounds of its \
    buckets, before the first use; returns the name. To repeat it is fine, so a service may call it each time it starts.",
    example: "SELECT oplog_describe('import_duration_seconds', 'histogram', 'How long imports take.', [0.1, 1, 10]);",
    register: |host, session| host.register_scalar(Describe::new(session)),
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

    /// Describes the metric of a row, and gives its name.
    fn describe<'a>(
        &self,
        arguments: &Chunk<'a>,
        has_buckets: bool,
        row: usize,
    ) -> Result<&'a str, String> {
        let text = |what: &str, index: usize| {
            let text = arguments.column(index).text(row);
            text.map_err(|bytes| format!("{what} is {bytes}"))
        };
        let name = text("metric name", 0)?.ok_or("metric name is NULL: name the metric")?;
        let given = text("type", 1)?.unwrap_or("NULL");
        let kind = Kind::by_name(given).ok_or_else(|| {
            format!(
                "type of '{}' is '{}': give counter, gauge or histogram",
                excerpt(name),
                excerpt(given)
            )
        })?;
        let buckets = has_buckets
            .then(|| buckets(arguments, row))
            .transpose()?
            .flatten();
        let registry = self.session.engine().registry();
        // NULL is a help that says nothing.
        let help = text("help", 2)?.unwrap_or_default();
        registry.describe(name, kind, help, buckets.as_deref())?;
        Ok(name)
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
    /// Whether buckets are given. None if they can't be read, and we are not strict.
    type Plan = Option<bool>;
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

    fn start(&self, context: &Context) -> Result<(), String> {
        self.session.apply_settings(context)
    }

    fn plan(&self, arguments: &[LogicalType]) -> Result<Option<bool>, String> {
        let buckets = arguments.get(3).map(|logical| logical.id());
        let has_buckets = match buckets {
            None | Some(TypeId::List | TypeId::Array | TypeId::SqlNull) => Ok(buckets.is_some()),
            Some(other) => Err(format!(
                "buckets are a LIST of numbers such as [0.01, 0.1, 1, 10]; this is {}",
                other.sql_name()
            )),
        };
        self.session.accept(Self::NAME, has_buckets)
    }

    fn call(
        &self,
        has_buckets: &Option<bool>,
        (): &mut (),
        arguments: &Chunk<'_>,
        output: &mut ColumnMut<'_>,
    ) -> Result<(), String> {
        let engine = self.session.engine();
        for row in 0..arguments.rows() {
            let described = has_buckets.map(|has| self.describe(arguments, has, row));
            match described {
                Some(Ok(name)) => output.set_text(row, name),
                Some(Err(problem)) if engine.strict() => {
                    return Err(format!("{}: {problem}", Self::NAME));
                }
                Some(Err(_)) | None => {
                    engine.count_rejected_updates(1);
                    output.set_null(row);
                }
            }
        }
        Ok(())
    }
}
