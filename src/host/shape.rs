//! Types resolved for reading: what is asked of DuckDB once, when a query is bound, so that reading a row makes no call.

use super::{ffi, LogicalType, TypeId};

/// A type resolved for reading.
#[derive(Clone, Debug)]
pub(super) enum Shape {
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
        values: Vec<String>,
    },
    Struct(Vec<(String, Shape)>),
    List(Box<Shape>),
    Array(Box<Shape>, usize),
    Map(Box<(Shape, Shape)>),
    Union(Vec<(String, Shape)>),
}

impl Shape {
    pub(super) fn of(logical: &LogicalType) -> Self {
        let named = |fields: Vec<(String, LogicalType)>| {
            fields
                .iter()
                .map(|(name, field)| (name.clone(), Self::of(field)))
                .collect()
        };
        // SAFETY (all calls): the handle is live, and each is asked only of the type it is documented for.
        unsafe {
            match logical.id() {
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
                TypeId::List => Self::List(Box::new(Self::of(&LogicalType::from_raw(
                    ffi::duckdb_list_type_child_type(logical.raw()),
                )))),
                TypeId::Array => Self::Array(
                    Box::new(Self::of(&LogicalType::from_raw(
                        ffi::duckdb_array_type_child_type(logical.raw()),
                    ))),
                    logical.array_size(),
                ),
                TypeId::Map => Self::Map(Box::new((
                    Self::of(&LogicalType::from_raw(ffi::duckdb_map_type_key_type(
                        logical.raw(),
                    ))),
                    Self::of(&LogicalType::from_raw(ffi::duckdb_map_type_value_type(
                        logical.raw(),
                    ))),
                ))),
                plain => Self::Plain(plain),
            }
        }
    }
}
