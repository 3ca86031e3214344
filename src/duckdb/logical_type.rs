//! DuckDB's logical types.

use super::{ffi, DEPTH_MAX};
use crate::excerpt::{excerpt, excerpt_bytes};
use std::fmt;

macro_rules! type_ids {
    ($($name:ident = $constant:ident, $sql:literal;)*) => {
        /// The id of a logical type, as the C API numbers them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum TypeId {
            $($name,)*
            /// A type that this version of oplog has no name for.
            Other(u32),
        }

        impl TypeId {
            pub(super) fn from_raw(raw: ffi::DUCKDB_TYPE) -> Self {
                match raw {
                    $(ffi::$constant => Self::$name,)*
                    other => Self::Other(other),
                }
            }

            fn to_raw(self) -> ffi::DUCKDB_TYPE {
                match self {
                    $(Self::$name => ffi::$constant,)*
                    Self::Other(other) => other,
                }
            }

            /// The name that SQL has for the type.
            pub fn sql_name(self) -> &'static str {
                match self {
                    $(Self::$name => $sql,)*
                    Self::Other(_) => "a type unknown to oplog",
                }
            }
        }
    };
}

type_ids! {
    Invalid = DUCKDB_TYPE_DUCKDB_TYPE_INVALID, "UNKNOWN";
    Boolean = DUCKDB_TYPE_DUCKDB_TYPE_BOOLEAN, "BOOLEAN";
    TinyInt = DUCKDB_TYPE_DUCKDB_TYPE_TINYINT, "TINYINT";
    SmallInt = DUCKDB_TYPE_DUCKDB_TYPE_SMALLINT, "SMALLINT";
    Integer = DUCKDB_TYPE_DUCKDB_TYPE_INTEGER, "INTEGER";
    BigInt = DUCKDB_TYPE_DUCKDB_TYPE_BIGINT, "BIGINT";
    UTinyInt = DUCKDB_TYPE_DUCKDB_TYPE_UTINYINT, "UTINYINT";
    USmallInt = DUCKDB_TYPE_DUCKDB_TYPE_USMALLINT, "USMALLINT";
    UInteger = DUCKDB_TYPE_DUCKDB_TYPE_UINTEGER, "UINTEGER";
    UBigInt = DUCKDB_TYPE_DUCKDB_TYPE_UBIGINT, "UBIGINT";
    HugeInt = DUCKDB_TYPE_DUCKDB_TYPE_HUGEINT, "HUGEINT";
    UHugeInt = DUCKDB_TYPE_DUCKDB_TYPE_UHUGEINT, "UHUGEINT";
    Float = DUCKDB_TYPE_DUCKDB_TYPE_FLOAT, "FLOAT";
    Double = DUCKDB_TYPE_DUCKDB_TYPE_DOUBLE, "DOUBLE";
    Decimal = DUCKDB_TYPE_DUCKDB_TYPE_DECIMAL, "DECIMAL";
    Varchar = DUCKDB_TYPE_DUCKDB_TYPE_VARCHAR, "VARCHAR";
    Blob = DUCKDB_TYPE_DUCKDB_TYPE_BLOB, "BLOB";
    Bit = DUCKDB_TYPE_DUCKDB_TYPE_BIT, "BIT";
    Uuid = DUCKDB_TYPE_DUCKDB_TYPE_UUID, "UUID";
    Enum = DUCKDB_TYPE_DUCKDB_TYPE_ENUM, "ENUM";
    Date = DUCKDB_TYPE_DUCKDB_TYPE_DATE, "DATE";
    Time = DUCKDB_TYPE_DUCKDB_TYPE_TIME, "TIME";
    TimeNs = DUCKDB_TYPE_DUCKDB_TYPE_TIME_NS, "TIME_NS";
    TimeTz = DUCKDB_TYPE_DUCKDB_TYPE_TIME_TZ, "TIME WITH TIME ZONE";
    Timestamp = DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP, "TIMESTAMP";
    TimestampS = DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_S, "TIMESTAMP_S";
    TimestampMs = DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_MS, "TIMESTAMP_MS";
    TimestampNs = DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_NS, "TIMESTAMP_NS";
    TimestampTz = DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_TZ, "TIMESTAMP WITH TIME ZONE";
    TimestampTzNs = DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_TZ_NS, "TIMESTAMPTZ_NS";
    Interval = DUCKDB_TYPE_DUCKDB_TYPE_INTERVAL, "INTERVAL";
    Struct = DUCKDB_TYPE_DUCKDB_TYPE_STRUCT, "STRUCT";
    List = DUCKDB_TYPE_DUCKDB_TYPE_LIST, "LIST";
    Array = DUCKDB_TYPE_DUCKDB_TYPE_ARRAY, "ARRAY";
    Map = DUCKDB_TYPE_DUCKDB_TYPE_MAP, "MAP";
    Union = DUCKDB_TYPE_DUCKDB_TYPE_UNION, "UNION";
    Bignum = DUCKDB_TYPE_DUCKDB_TYPE_BIGNUM, "BIGNUM";
    Geometry = DUCKDB_TYPE_DUCKDB_TYPE_GEOMETRY, "GEOMETRY";
    Variant = DUCKDB_TYPE_DUCKDB_TYPE_VARIANT, "VARIANT";
    Any = DUCKDB_TYPE_DUCKDB_TYPE_ANY, "ANY";
    SqlNull = DUCKDB_TYPE_DUCKDB_TYPE_SQLNULL, "NULL";
}

impl TypeId {
    /// Whether values of the type, or of its parts, can be read here. DuckDB's C API gives no text of the others.
    fn is_readable(self) -> bool {
        match self {
            // What the C API has no number for is INVALID, whatever an extension or a later engine brings.
            Self::Invalid | Self::Any | Self::Other(_) => false,
            Self::Bignum | Self::Geometry | Self::Variant => false,
            _ => true,
        }
    }

    pub fn is_integer(self) -> bool {
        matches!(
            self,
            Self::TinyInt
                | Self::SmallInt
                | Self::Integer
                | Self::BigInt
                | Self::UTinyInt
                | Self::USmallInt
                | Self::UInteger
                | Self::UBigInt
                | Self::HugeInt
                | Self::UHugeInt
        )
    }
}

/// Why values of a type cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What is to blame within the type, such as `.v` or `[].v`; empty for the type itself.
    part: String,
    problem: String,
}

impl fmt::Display for Unreadable {
    /// What follows the name of the value.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.part, self.problem)
    }
}

/// An owned logical type.
pub struct LogicalType {
    raw: ffi::duckdb_logical_type,
}

// SAFETY: a logical type is immutable once made and has no thread affinity.
unsafe impl Send for LogicalType {}
// SAFETY: as above; every use through `&self` only reads.
unsafe impl Sync for LogicalType {}

impl LogicalType {
    pub fn new(id: TypeId) -> Self {
        // SAFETY: the function accepts every id; ids of nested types give an INVALID type.
        Self::from_raw(unsafe { ffi::duckdb_create_logical_type(id.to_raw()) })
    }

    /// MAP(VARCHAR, VARCHAR).
    pub fn text_map() -> Self {
        let varchar = Self::new(TypeId::Varchar);
        // SAFETY: both types are live for the call, which copies them.
        Self::from_raw(unsafe { ffi::duckdb_create_map_type(varchar.raw, varchar.raw) })
    }

    /// A LIST of STRUCTs of these fields, all VARCHAR.
    pub fn text_structs(fields: &[&str]) -> Self {
        let varchar = Self::new(TypeId::Varchar);
        let names: Vec<_> = fields.iter().map(|field| super::c_text(field)).collect();
        let mut names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        let mut types = vec![varchar.raw; names.len()];
        // SAFETY: names and types are live for the calls, which copy them, and are as many as is said.
        unsafe {
            let fields = names.len() as u64;
            let entry = Self::from_raw(ffi::duckdb_create_struct_type(
                types.as_mut_ptr(),
                names.as_mut_ptr(),
                fields,
            ));
            Self::from_raw(ffi::duckdb_create_list_type(entry.raw))
        }
    }

    /// The type of a LIST's elements.
    pub fn list_child(&self) -> Self {
        // SAFETY: the handle is live; of a type that is no list DuckDB gives none, which is INVALID here.
        Self::from_raw(unsafe { ffi::duckdb_list_type_child_type(self.raw) })
    }

    /// The types of a MAP's keys and values.
    pub fn map_parts(&self) -> (Self, Self) {
        // SAFETY: the handle is live; of a type that is no map DuckDB gives none, which is INVALID here.
        unsafe {
            (
                Self::from_raw(ffi::duckdb_map_type_key_type(self.raw)),
                Self::from_raw(ffi::duckdb_map_type_value_type(self.raw)),
            )
        }
    }

    /// VARCHAR under the alias `JSON`, which is what DuckDB's JSON type is.
    pub fn json() -> Self {
        let varchar = Self::new(TypeId::Varchar);
        // SAFETY: the type is ours and the alias is copied.
        unsafe { ffi::duckdb_logical_type_set_alias(varchar.raw, c"JSON".as_ptr()) };
        varchar
    }

    pub(super) fn from_raw(raw: ffi::duckdb_logical_type) -> Self {
        Self { raw }
    }

    pub(super) fn raw(&self) -> ffi::duckdb_logical_type {
        self.raw
    }

    pub fn id(&self) -> TypeId {
        if self.raw.is_null() {
            return TypeId::Invalid;
        }
        // SAFETY: the handle is live until drop.
        TypeId::from_raw(unsafe { ffi::duckdb_get_type_id(self.raw) })
    }

    /// The alias, "" for none.
    pub(super) fn alias(&self) -> String {
        // SAFETY: the handle is live; the text is allocated for us.
        unsafe { super::take_text(ffi::duckdb_logical_type_get_alias(self.raw)) }
    }

    /// The first part of the type whose values cannot be read.
    pub fn unreadable(&self) -> Option<Unreadable> {
        self.unreadable_at(&mut String::new(), 0)
    }

    fn unreadable_at(&self, part: &mut String, depth: usize) -> Option<Unreadable> {
        let because = |part: &str, problem: String| {
            Some(Unreadable {
                part: excerpt(part).to_string(),
                problem,
            })
        };
        let id = self.id();
        if !id.is_readable() {
            let problem = format!("is of type {}: cast it to VARCHAR", id.sql_name());
            return because(part, problem);
        }
        if depth == DEPTH_MAX {
            let problem = format!("is nested deeper than {DEPTH_MAX} levels: flatten it");
            return because(part, problem);
        }
        for (name, child) in self.parts() {
            let outer = part.len();
            match std::str::from_utf8(&name) {
                Ok(name) => part.push_str(name),
                Err(_) => {
                    let name = excerpt_bytes(&name);
                    let problem =
                        format!("has a field whose name is no UTF-8 ('{name}'): rename it");
                    return because(part, problem);
                }
            }
            let found = child.unreadable_at(part, depth + 1);
            if found.is_some() {
                return found;
            }
            part.truncate(outer);
        }
        None
    }

    /// The types of a nested type's parts, and how an error names them.
    fn parts(&self) -> Vec<(Vec<u8>, LogicalType)> {
        let dotted = |fields: Vec<(Vec<u8>, LogicalType)>| {
            let dotted = |(name, logical): (Vec<u8>, _)| ([b".", &name[..]].concat(), logical);
            fields.into_iter().map(dotted).collect()
        };
        // SAFETY: the handle is live, and each function is asked for the type that it is documented for.
        unsafe {
            match self.id() {
                TypeId::Struct => dotted(self.struct_fields_raw()),
                TypeId::Union => dotted(self.union_members_raw()),
                TypeId::List => vec![(b"[]".to_vec(), self.list_child())],
                TypeId::Array => {
                    let child = Self::from_raw(ffi::duckdb_array_type_child_type(self.raw));
                    vec![(b"[]".to_vec(), child)]
                }
                TypeId::Map => {
                    let (key, value) = self.map_parts();
                    vec![(b"[key]".to_vec(), key), (b"[value]".to_vec(), value)]
                }
                _ => Vec::new(),
            }
        }
    }

    /// The fields of a STRUCT, in order; those of an unnamed one have empty names. A name that is no text is shown as
    /// well as it can be: [`LogicalType::unreadable`] refuses it.
    pub fn struct_fields(&self) -> Vec<(String, LogicalType)> {
        named(self.struct_fields_raw())
    }

    /// The members of a UNION, in the order of their tags.
    pub(super) fn union_members(&self) -> Vec<(String, LogicalType)> {
        named(self.union_members_raw())
    }

    fn struct_fields_raw(&self) -> Vec<(Vec<u8>, LogicalType)> {
        // SAFETY: the handle is live; indexes stay below the count that DuckDB gives.
        unsafe {
            (0..ffi::duckdb_struct_type_child_count(self.raw))
                .map(|index| {
                    (
                        super::take_bytes(ffi::duckdb_struct_type_child_name(self.raw, index)),
                        Self::from_raw(ffi::duckdb_struct_type_child_type(self.raw, index)),
                    )
                })
                .collect()
        }
    }

    fn union_members_raw(&self) -> Vec<(Vec<u8>, LogicalType)> {
        // SAFETY: as in `struct_fields_raw`.
        unsafe {
            (0..ffi::duckdb_union_type_member_count(self.raw))
                .map(|index| {
                    (
                        super::take_bytes(ffi::duckdb_union_type_member_name(self.raw, index)),
                        Self::from_raw(ffi::duckdb_union_type_member_type(self.raw, index)),
                    )
                })
                .collect()
        }
    }

    pub(super) fn decimal_width(&self) -> u8 {
        // SAFETY: the handle is live; the caller asks for a DECIMAL only.
        unsafe { ffi::duckdb_decimal_width(self.raw) }
    }

    pub(super) fn decimal_scale(&self) -> u8 {
        // SAFETY: the handle is live; the caller asks for a DECIMAL only.
        unsafe { ffi::duckdb_decimal_scale(self.raw) }
    }

    /// The integer that a DECIMAL or ENUM is stored as.
    pub(super) fn internal_id(&self) -> TypeId {
        // SAFETY: the handle is live.
        TypeId::from_raw(unsafe {
            match self.id() {
                TypeId::Decimal => ffi::duckdb_decimal_internal_type(self.raw),
                TypeId::Enum => ffi::duckdb_enum_internal_type(self.raw),
                other => other.to_raw(),
            }
        })
    }

    pub(super) fn enum_values(&self) -> Vec<Vec<u8>> {
        // SAFETY: the handle is live; indexes stay below the dictionary's size.
        unsafe {
            (0..u64::from(ffi::duckdb_enum_dictionary_size(self.raw)))
                .map(|index| super::take_bytes(ffi::duckdb_enum_dictionary_value(self.raw, index)))
                .collect()
        }
    }

    pub(super) fn array_size(&self) -> usize {
        // SAFETY: the handle is live; the caller asks for an ARRAY only.
        unsafe { ffi::duckdb_array_type_array_size(self.raw) as usize }
    }
}

impl Drop for LogicalType {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { ffi::duckdb_destroy_logical_type(&mut self.raw) };
    }
}

fn named(fields: Vec<(Vec<u8>, LogicalType)>) -> Vec<(String, LogicalType)> {
    fields
        .into_iter()
        .map(|(name, logical)| (String::from_utf8_lossy(&name).into_owned(), logical))
        .collect()
}
