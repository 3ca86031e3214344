//! Types resolved for reading: what is asked of DuckDB once, at a query's first chunk, so that reading a row makes no call.

use super::{ffi, LogicalType, TypeId, DEPTH_MAX};

/// A type resolved for reading.
#[derive(Clone, Debug)]
pub(super) enum ResolvedType {
    Plain(TypeId),
    /// VARCHAR under the alias JSON.
    Json,
    Decimal {
        stored: TypeId,
        width: u8,
        scale: u8,
    },
    Enum {
        stored: TypeId,
        /// In the order of their indexes. They are as little checked as any VARCHAR.
        values: Vec<Vec<u8>>,
    },
    Struct(Vec<(String, ResolvedType)>),
    List(Box<ResolvedType>),
    Array(Box<ResolvedType>, usize),
    Map(Box<(ResolvedType, ResolvedType)>),
    Union(Vec<(String, ResolvedType)>),
}

impl ResolvedType {
    /// The name that SQL has for the type.
    pub(super) fn sql_name(&self) -> &'static str {
        match self {
            Self::Plain(id) => *id,
            Self::Json => return "JSON",
            Self::Decimal { .. } => TypeId::Decimal,
            Self::Enum { .. } => TypeId::Enum,
            Self::Struct(_) => TypeId::Struct,
            Self::List(_) => TypeId::List,
            Self::Array(..) => TypeId::Array,
            Self::Map(_) => TypeId::Map,
            Self::Union(_) => TypeId::Union,
        }
        .sql_name()
    }

    pub(super) fn of(logical: &LogicalType) -> Self {
        Self::at(logical, 0)
    }

    fn at(logical: &LogicalType, depth: usize) -> Self {
        let of = |part: LogicalType| Self::at(&part, depth + 1);
        let named = |fields: Vec<(String, LogicalType)>| {
            fields
                .into_iter()
                .map(|(name, field)| (name, of(field)))
                .collect()
        };
        // SAFETY (all calls): the handle is live, and each is asked only of the type it is documented for.
        unsafe {
            match logical.id() {
                // Nobody reads it: `LogicalType::unreadable` refuses what is nested so deep.
                _ if depth > DEPTH_MAX => Self::Plain(TypeId::Invalid),
                TypeId::Varchar if logical.alias() == "JSON" => Self::Json,
                TypeId::Decimal => Self::Decimal {
                    stored: logical.internal_id(),
                    width: logical.decimal_width(),
                    scale: logical.decimal_scale(),
                },
                TypeId::Enum => Self::Enum {
                    stored: logical.internal_id(),
                    values: logical.enum_values(),
                },
                TypeId::Struct => Self::Struct(named(logical.struct_fields())),
                TypeId::Union => Self::Union(named(logical.union_members())),
                TypeId::List => Self::List(Box::new(of(logical.list_child()))),
                TypeId::Array => Self::Array(
                    Box::new(of(LogicalType::from_raw(
                        ffi::duckdb_array_type_child_type(logical.raw()),
                    ))),
                    logical.array_size(),
                ),
                TypeId::Map => {
                    let (key, value) = logical.map_parts();
                    Self::Map(Box::new((of(key), of(value))))
                }
                plain => Self::Plain(plain),
            }
        }
    }
}
