//! DuckDB's logical types.

use super::ffi;

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
            fn from_raw(raw: ffi::DUCKDB_TYPE) -> Self {
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
    Any = DUCKDB_TYPE_DUCKDB_TYPE_ANY, "ANY";
    SqlNull = DUCKDB_TYPE_DUCKDB_TYPE_SQLNULL, "NULL";
}

impl TypeId {
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

    /// The type of a LIST's elements.
    pub fn list_child(&self) -> Self {
        // SAFETY: the handle is live; of a type that is no list DuckDB gives none, which is INVALID here.
        Self::from_raw(unsafe { ffi::duckdb_list_type_child_type(self.raw) })
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

    /// The fields of a STRUCT, in order.
    pub fn struct_fields(&self) -> Vec<(String, LogicalType)> {
        // SAFETY: the handle is live; indexes stay below the count that DuckDB gives.
        unsafe {
            (0..ffi::duckdb_struct_type_child_count(self.raw))
                .map(|index| {
                    (
                        super::take_text(ffi::duckdb_struct_type_child_name(self.raw, index)),
                        Self::from_raw(ffi::duckdb_struct_type_child_type(self.raw, index)),
                    )
                })
                .collect()
        }
    }

    /// The members of a UNION, in the order of their tags.
    pub(super) fn union_members(&self) -> Vec<(String, LogicalType)> {
        // SAFETY: as in `struct_fields`.
        unsafe {
            (0..ffi::duckdb_union_type_member_count(self.raw))
                .map(|index| {
                    (
                        super::take_text(ffi::duckdb_union_type_member_name(self.raw, index)),
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

    pub(super) fn enum_values(&self) -> Vec<String> {
        // SAFETY: the handle is live; indexes stay below the dictionary's size.
        unsafe {
            (0..u64::from(ffi::duckdb_enum_dictionary_size(self.raw)))
                .map(|index| super::take_text(ffi::duckdb_enum_dictionary_value(self.raw, index)))
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
