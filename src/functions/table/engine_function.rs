//! How a function is declared that answers from the engine itself, or that makes it do something now and say what came of
//! it, and how DuckDB sees it.

use super::policy::{Effect, Effects};
use super::rows::{Answer, Scan};
use crate::duckdb::{Context, LogicalType, Table, TableBind, TableOutput, TypeId};
use crate::engine::Engine;
use crate::excerpt::excerpt;
use crate::functions::Session;

/// The type of a parameter or a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Varchar,
    Boolean,
    BigInt,
    UBigInt,
    Double,
    Uuid,
    TimestampTz,
    /// MAP(VARCHAR, VARCHAR).
    TextMap,
    /// A LIST of STRUCTs of these fields, all VARCHAR.
    TextStructs(&'static [&'static str]),
}

impl Type {
    fn id(self) -> TypeId {
        match self {
            Self::Varchar => TypeId::Varchar,
            Self::Boolean => TypeId::Boolean,
            Self::BigInt => TypeId::BigInt,
            Self::UBigInt => TypeId::UBigInt,
            Self::Double => TypeId::Double,
            Self::Uuid => TypeId::Uuid,
            Self::TimestampTz => TypeId::TimestampTz,
            Self::TextMap => TypeId::Map,
            Self::TextStructs(_) => TypeId::List,
        }
    }

    fn logical(self) -> LogicalType {
        match self {
            Self::TextMap => LogicalType::text_map(),
            Self::TextStructs(fields) => LogicalType::text_structs(fields),
            plain => LogicalType::new(plain.id()),
        }
    }

    pub fn sql_name(self) -> String {
        match self {
            Self::TextMap => "MAP(VARCHAR, VARCHAR)".into(),
            Self::TextStructs(fields) => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|field| format!("{field} VARCHAR"))
                    .collect();
                format!("STRUCT({})[]", fields.join(", "))
            }
            plain => plain.id().sql_name().into(),
        }
    }
}

pub struct Parameter {
    pub name: &'static str,
    pub takes: Type,
    /// As the documentation shows it: `required` for one that stands by its position, "" where there is no default.
    pub default: &'static str,
    pub meaning: &'static str,
}

/// Name, type and meaning.
pub type Column = (&'static str, Type, &'static str);

pub struct EngineFunction {
    pub name: &'static str,
    pub summary: &'static str,
    pub example: &'static str,
    /// Those that must be given, all VARCHAR.
    pub positional: &'static [Parameter],
    /// Those that are given by their names.
    pub named: &'static [Parameter],
    pub columns: &'static [Column],
    /// What it does beyond reading the log; a file is the one that the first of all parameters names.
    pub effects: &'static [Effect],
    /// Refuses arguments that can never be right, before anything is done.
    pub check: fn(&Arguments) -> Result<(), String>,
    pub answer: fn(&Engine, &Arguments) -> Answer,
}

/// What a declaration leaves out.
pub const BASE: EngineFunction = EngineFunction {
    name: "",
    summary: "",
    example: "",
    positional: &[],
    named: &[],
    columns: &[],
    effects: &[],
    check: |_| Ok(()),
    answer: |_, _| Ok(Vec::new()),
};

/// A value that was given.
#[derive(Clone, Debug)]
enum Given {
    Text(String),
    Integer(i64),
    Double(f64),
    Boolean(bool),
}

/// The arguments of a call. One that is NULL counts as left out.
#[derive(Clone, Debug, Default)]
pub struct Arguments(Vec<(&'static str, Given)>);

impl Arguments {
    fn get(&self, name: &str) -> Option<&Given> {
        let mut given = self.0.iter().filter(|(given, _)| *given == name);
        given.next().map(|(_, value)| value)
    }

    pub fn text(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Given::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// A path, "" where none is given.
    pub fn path(&self, name: &str) -> Result<String, String> {
        let path = self.text(name).unwrap_or_default();
        match path.contains('\0') {
            true => Err(format!(
                "{name} is '{}': no path has a NUL character",
                excerpt(&path)
            )),
            false => Ok(path),
        }
    }

    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Given::Integer(number) => Some(*number),
            _ => None,
        }
    }

    pub fn double(&self, name: &str) -> Option<f64> {
        match self.get(name)? {
            Given::Double(number) => Some(*number),
            _ => None,
        }
    }

    pub fn boolean(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Given::Boolean(value) => Some(*value),
            _ => None,
        }
    }
}

/// Such a function as DuckDB sees it.
pub struct EngineTable {
    session: Session,
    function: &'static EngineFunction,
}

impl EngineTable {
    pub fn new(session: &Session, function: &'static EngineFunction) -> Self {
        Self {
            session: session.clone(),
            function,
        }
    }

    fn failed(&self, error: impl std::fmt::Display) -> String {
        format!("{}: {error}", self.function.name)
    }

    fn arguments(&self, bind: &TableBind<'_>) -> Result<Arguments, String> {
        let mut given = Vec::new();
        for (index, parameter) in self.function.positional.iter().enumerate() {
            let text = bind.positional_text(index, parameter.name)?;
            given.extend(text.map(|text| (parameter.name, Given::Text(text))));
        }
        for parameter in self.function.named {
            let name = parameter.name;
            let value = match parameter.takes {
                Type::Varchar => bind.named_text(name)?.map(Given::Text),
                Type::Double => bind.named(name).map(|value| Given::Double(value.double())),
                Type::BigInt => bind.named(name).map(|value| Given::Integer(value.int64())),
                Type::Boolean => bind
                    .named(name)
                    .map(|value| Given::Boolean(value.boolean())),
                other => unreachable!("no parameter takes {other:?}"),
            };
            given.extend(value.map(|value| (name, value)));
        }
        Ok(Arguments(given))
    }
}

impl Table for EngineTable {
    type Bound = Arguments;
    type Scan = Scan;

    fn name(&self) -> &'static str {
        self.function.name
    }

    fn positional(&self) -> Vec<TypeId> {
        let types = self.function.positional.iter();
        types.map(|parameter| parameter.takes.id()).collect()
    }

    fn named(&self) -> Vec<(&'static str, TypeId)> {
        let named = self.function.named.iter();
        named
            .map(|parameter| (parameter.name, parameter.takes.id()))
            .collect()
    }

    fn bind(&self, bind: &mut TableBind<'_>) -> Result<Arguments, String> {
        for (name, column_type, _) in self.function.columns {
            bind.add_column(name, &column_type.logical());
        }
        let arguments = self.arguments(bind).map_err(|error| self.failed(error))?;
        (self.function.check)(&arguments).map_err(|error| self.failed(error))?;
        Ok(arguments)
    }

    fn start(&self, arguments: &Arguments, columns: &[usize], _: &Context) -> Result<Scan, String> {
        let rows = (self.function.answer)(self.session.engine(), arguments);
        let rows = rows.map_err(|error| self.failed(error))?;
        Ok(Scan::new(rows, columns))
    }

    fn next(&self, scan: &mut Scan, output: &mut TableOutput) -> Result<usize, String> {
        Ok(scan.next_into(output))
    }
}

impl Effects for EngineTable {
    fn effects(&self) -> &'static [Effect] {
        self.function.effects
    }

    fn file(&self, arguments: &Arguments) -> String {
        let function = self.function;
        let first = function.positional.iter().chain(function.named).next();
        first
            .and_then(|parameter| arguments.text(parameter.name))
            .unwrap_or_default()
    }
}
