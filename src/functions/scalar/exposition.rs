//! `prometheus_text()` and `openmetrics_text()`.

use super::labels_argument::Labels;
use super::ScalarFunction;
use crate::duckdb::{
    Cell, Chunk, Column, ColumnMut, Context, LogicalType, Overload, Scalar, TypeId,
};
use crate::excerpt::excerpt;
use crate::functions::Session;
use crate::metrics::{Format, Registry, Sample, Samples};
use std::borrow::Cow;
use std::marker::PhantomData;

/// One of the formats, as a function.
pub trait Exposed: Send + Sync + 'static {
    const NAME: &'static str;
    const FORMAT: Format;
}

pub struct Text;
pub struct OpenMetrics;

impl Exposed for Text {
    const NAME: &'static str = "prometheus_text";
    const FORMAT: Format = Format::Text;
}

impl Exposed for OpenMetrics {
    const NAME: &'static str = "openmetrics_text";
    const FORMAT: Format = Format::OpenMetrics;
}

pub const PROMETHEUS_TEXT: ScalarFunction = ScalarFunction {
    name: Text::NAME,
    signatures: &[
        ("", "VARCHAR"),
        ("samples LIST", "VARCHAR"),
    ],
    summary: "All metrics in Prometheus text format 0.0.4, ready to be served under `/metrics`. `samples` are rendered with \
    them: a LIST of STRUCTs with `name` and `value`, and as you like `type` (`gauge` or `counter`), `help` and `labels` \
    (MAP or STRUCT).",
    example: "SELECT prometheus_text(list({name: 'app_up', value: 1, labels: {region: r}})) FROM (VALUES ('eu'), ('us')) t(r);",
    register: |host, session| host.register_scalar(Exposition::<Text>::new(session)),
};

pub const OPENMETRICS_TEXT: ScalarFunction = ScalarFunction {
    name: OpenMetrics::NAME,
    signatures: &[
        ("", "VARCHAR"),
        ("samples LIST", "VARCHAR"),
    ],
    summary: "The same in OpenMetrics 1.0: with units, with `_created` for what counts, and with the trace of one operation \
    as an exemplar of each bucket of durations.",
    example: "SELECT openmetrics_text();",
    register: |host, session| host.register_scalar(Exposition::<OpenMetrics>::new(session)),
};

/// How samples are read, worked out from their type.
pub struct Plan {
    name: usize,
    value: usize,
    kind: Option<usize>,
    help: Option<usize>,
    labels: Option<usize>,
    read_labels: Labels,
}

/// What the argument is.
pub enum Given {
    Nothing,
    /// A list that has a type like this only where it is empty.
    Empty,
    Samples(Plan),
}

/// What a LIST of samples looks like, for errors.
const SHAPE: &str =
    "samples are a LIST of STRUCTs such as [{name: 'app_up', value: 1, labels: {region: 'eu'}}]";

impl Plan {
    fn of(samples: &LogicalType) -> Result<Given, String> {
        match samples.id() {
            TypeId::List => {}
            TypeId::SqlNull => return Ok(Given::Nothing),
            other => return Err(format!("{SHAPE}; this is {}", other.sql_name())),
        }
        let element = samples.list_child();
        match element.id() {
            TypeId::Struct => {}
            // What DuckDB says of an empty list.
            TypeId::SqlNull | TypeId::Integer => return Ok(Given::Empty),
            other => return Err(format!("{SHAPE}; this is a LIST of {}", other.sql_name())),
        }
        let fields = element.struct_fields();
        let at = |wanted: &str| {
            fields
                .iter()
                .position(|(name, _)| name.eq_ignore_ascii_case(wanted))
        };
        let known = ["name", "value", "type", "help", "labels"];
        let unknown = fields
            .iter()
            .find(|(name, _)| !known.iter().any(|known| name.eq_ignore_ascii_case(known)));
        if let Some((unknown, _)) = unknown {
            return Err(format!(
                "a sample has the field '{}': its fields are {}",
                excerpt(unknown),
                known.join(", ")
            ));
        }
        for (name, logical) in &fields {
            if name.eq_ignore_ascii_case("labels") {
                continue;
            }
            if let Some(unreadable) = logical.unreadable() {
                return Err(format!("{name}{unreadable}"));
            }
            let id = logical.id();
            let is_text = matches!(id, TypeId::Varchar | TypeId::Enum | TypeId::SqlNull);
            if !is_text && !name.eq_ignore_ascii_case("value") {
                return Err(format!(
                    "{name} is of type {}, and should be VARCHAR",
                    id.sql_name()
                ));
            }
        }
        let missing = |field: &str| format!("a sample has no {field}: {SHAPE}");
        let labels = at("labels");
        Ok(Given::Samples(Self {
            name: at("name").ok_or_else(|| missing("name"))?,
            value: at("value").ok_or_else(|| missing("value"))?,
            kind: at("type"),
            help: at("help"),
            labels,
            read_labels: labels.map_or(Ok(Labels::None), |at| Labels::of(&fields[at].1))?,
        }))
    }

    fn read(
        &self,
        registry: &Registry,
        lists: &Column<'_>,
        row: usize,
        samples: &mut Samples,
    ) -> Result<(), String> {
        let Some((elements, range)) = lists.list_elements(row) else {
            return Ok(());
        };
        let column = |at: usize| elements.field(at);
        let (Some(names), Some(values)) = (column(self.name), column(self.value)) else {
            return Ok(());
        };
        let kinds = self.kind.and_then(column);
        let helps = self.help.and_then(column);
        let mut labels = self.read_labels.read(self.labels.and_then(column));
        for at in range {
            if !elements.is_valid(at) {
                continue;
            }
            let name =
                text("name", &names, at)?.ok_or("a sample's name is NULL: name the metric")?;
            let value = match values.cell(at) {
                // There is nothing to say: to a scraper the series has ended.
                Cell::Null => continue,
                Cell::Double(value) => value,
                Cell::Integer(value) => value as f64,
                Cell::Boolean(value) => f64::from(u8::from(value)),
                Cell::Text(text) => {
                    return Err(format!(
                        "the value of '{}' is '{}': give a number",
                        excerpt(&name),
                        excerpt(&text)
                    ))
                }
                _ => {
                    return Err(format!(
                        "the value of '{}' is no number: give one",
                        excerpt(&name)
                    ))
                }
            };
            let kind = optional("type", kinds.as_ref(), at)?;
            let help = optional("help", helps.as_ref(), at)?;
            samples.add(
                registry,
                Sample {
                    name: &name,
                    kind: kind.as_deref().unwrap_or_default(),
                    help: help.as_deref().unwrap_or_default(),
                    labels: labels.pairs(at)?,
                    value,
                },
            )?;
        }
        Ok(())
    }
}

/// The same where the field may be left out.
fn optional<'a>(
    what: &str,
    column: Option<&Column<'a>>,
    row: usize,
) -> Result<Option<Cow<'a, str>>, String> {
    column.map_or(Ok(None), |column| text(what, column, row))
}

/// A text of a sample, none for NULL.
fn text<'a>(what: &str, column: &Column<'a>, row: usize) -> Result<Option<Cow<'a, str>>, String> {
    match column.cell(row) {
        Cell::Text(text) => Ok(Some(text)),
        Cell::NotUtf8(bytes) => Err(format!("the {what} of a sample is {bytes}")),
        _ => Ok(None),
    }
}

pub struct Exposition<E> {
    session: Session,
    exposed: PhantomData<E>,
}

impl<E> Exposition<E> {
    pub fn new(session: &Session) -> Self {
        Self {
            session: session.clone(),
            exposed: PhantomData,
        }
    }
}

impl<E: Exposed> Scalar for Exposition<E> {
    type Plan = Given;
    type Local = ();

    const NAME: &'static str = E::NAME;
    const OVERLOADS: &'static [Overload] = &[
        Overload {
            parameters: &[],
            returns: TypeId::Varchar,
        },
        Overload {
            parameters: &[TypeId::Any],
            returns: TypeId::Varchar,
        },
    ];

    fn start(&self, context: &Context) -> Result<(), String> {
        self.session.apply_settings(context)
    }

    fn plan(&self, arguments: &[LogicalType]) -> Result<Given, String> {
        match arguments {
            [samples] => Plan::of(samples).map_err(|problem| format!("{}: {problem}", Self::NAME)),
            _ => Ok(Given::Nothing),
        }
    }

    fn call(
        &self,
        given: &Given,
        (): &mut (),
        arguments: &Chunk<'_>,
        output: &mut ColumnMut<'_>,
    ) -> Result<(), String> {
        let metrics = self.session.engine().metrics();
        for row in 0..arguments.rows() {
            let mut samples = Samples::default();
            let read = match given {
                Given::Nothing => Ok(()),
                Given::Empty => match arguments.column(0).list_elements(row) {
                    Some((_, range)) if !range.is_empty() => Err(SHAPE.to_owned()),
                    _ => Ok(()),
                },
                Given::Samples(plan) => {
                    plan.read(&metrics.registry, &arguments.column(0), row, &mut samples)
                }
            };
            read.map_err(|problem| format!("{}: {problem}", Self::NAME))?;
            output.set_text(row, &metrics.render(E::FORMAT, &samples));
        }
        Ok(())
    }
}
