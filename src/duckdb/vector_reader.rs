//! Chunks and their columns: typed, NULL-safe reading of any type, and writing of the types that oplog writes.
//!
//! A column is read through a [`ResolvedType`], its type resolved once at a query's first chunk, so that reading a row makes no
//! call into DuckDB. DuckDB flattens a scalar function's arguments, nested ones too, before it calls.

use super::cell::Cell;
use super::resolved_type::ResolvedType;
use super::string::{checked, is_ascii, string_bytes, NotUtf8};
use super::{ffi, times, LogicalType, TypeId, Value};
use std::borrow::Cow;
use std::marker::PhantomData;
use uuid::Uuid;

/// Rows in a full vector (`STANDARD_VECTOR_SIZE` of every DuckDB release; the engine reports the same).
pub const VECTOR_SIZE: usize = 2048;

/// A column that DuckDB lends for the length of a callback.
pub struct Column<'a> {
    raw: ffi::duckdb_vector,
    data: *const u8,
    validity: *const u64,
    resolved_type: &'a ResolvedType,
    rows: usize,
    lent: PhantomData<&'a ()>,
}

impl<'a> Column<'a> {
    /// # Safety
    /// `raw` is a flat vector of the type that `resolved_type` was made from, holds `rows` rows, and outlives `'a`.
    pub(super) unsafe fn new(
        raw: ffi::duckdb_vector,
        resolved_type: &'a ResolvedType,
        rows: usize,
    ) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            Self {
                raw,
                data: ffi::duckdb_vector_get_data(raw).cast(),
                validity: ffi::duckdb_vector_get_validity(raw),
                resolved_type,
                rows,
                lent: PhantomData,
            }
        }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    #[inline]
    pub fn is_valid(&self, row: usize) -> bool {
        assert!(row < self.rows);
        // SAFETY: the mask, if there is one, has a bit for each row, and `row` is below the count.
        self.validity.is_null() || unsafe { *self.validity.add(row / 64) } >> (row % 64) & 1 == 1
    }

    /// # Safety
    /// `T` is the type that the vector stores, and the column's `row` is in range.
    unsafe fn at<T: Copy>(&self, row: usize) -> T {
        // SAFETY: the caller's promise; DuckDB aligns vectors for their type.
        unsafe { *self.data.cast::<T>().add(row) }
    }

    #[inline]
    fn text_at(&self, row: usize) -> Result<&'a str, NotUtf8<'a>> {
        // SAFETY: only called for VARCHAR, in range; the strings live as long as the vector.
        let string: &'a ffi::duckdb_string_t =
            unsafe { &*self.data.cast::<ffi::duckdb_string_t>().add(row) };
        // SAFETY: as above.
        let bytes = unsafe { string_bytes(string) };
        if is_ascii(string, bytes) {
            // SAFETY: ASCII is UTF-8.
            return Ok(unsafe { std::str::from_utf8_unchecked(bytes) });
        }
        checked(bytes)
    }

    /// The bytes of a VARCHAR, BLOB or BIT.
    #[inline]
    fn bytes_at(&self, row: usize) -> &'a [u8] {
        // SAFETY: only called for those types, in range; the strings live as long as the vector.
        unsafe { string_bytes(&*self.data.cast::<ffi::duckdb_string_t>().add(row)) }
    }

    fn integer_at(&self, stored: TypeId, row: usize) -> i128 {
        // SAFETY: `stored` is what the vector stores, and `row` was checked by the caller.
        unsafe {
            match stored {
                TypeId::TinyInt => self.at::<i8>(row).into(),
                TypeId::SmallInt => self.at::<i16>(row).into(),
                TypeId::Integer | TypeId::Date => self.at::<i32>(row).into(),
                TypeId::UTinyInt => self.at::<u8>(row).into(),
                TypeId::USmallInt => self.at::<u16>(row).into(),
                TypeId::UInteger => self.at::<u32>(row).into(),
                TypeId::UBigInt => self.at::<u64>(row).into(),
                TypeId::HugeInt => self.at::<i128>(row),
                _ => self.at::<i64>(row).into(),
            }
        }
    }

    /// A number of UHUGEINT. Half of them are larger than an `i128`.
    fn huge_at(&self, row: usize) -> Cell<'a> {
        // SAFETY: only called for that type, in range.
        let number: u128 = unsafe { self.at(row) };
        i128::try_from(number).map_or(Cell::Double(number as f64), Cell::Integer)
    }

    /// The value of a row.
    pub fn cell(&self, row: usize) -> Cell<'a> {
        if !self.is_valid(row) {
            return Cell::Null;
        }
        let id = match self.resolved_type {
            ResolvedType::Plain(id) => *id,
            ResolvedType::Json => TypeId::Varchar,
            ResolvedType::Decimal { stored, scale, .. } => {
                let unscaled = self.integer_at(*stored, row);
                let unit = 10i128.pow((*scale).into());
                // A whole number stays exact.
                return if unscaled % unit == 0 {
                    Cell::Integer(unscaled / unit)
                } else {
                    Cell::Double(divided(unscaled, *scale))
                };
            }
            ResolvedType::Enum { stored, values } => {
                let index = self.integer_at(*stored, row) as usize;
                return match values.get(index).map(|value| checked(value)) {
                    Some(Ok(text)) => Cell::Text(text.into()),
                    Some(Err(bytes)) => Cell::NotUtf8(bytes),
                    None => Cell::Null,
                };
            }
            ResolvedType::Struct(_) => TypeId::Struct,
            ResolvedType::List(_) => TypeId::List,
            ResolvedType::Array(..) => TypeId::Array,
            ResolvedType::Map(_) => TypeId::Map,
            ResolvedType::Union(_) => TypeId::Union,
        };
        // SAFETY: each arm reads what DuckDB documents as the storage of the type; `is_valid` checked the row.
        unsafe {
            match id {
                TypeId::Varchar => match self.text_at(row) {
                    Ok(text) => Cell::Text(Cow::Borrowed(text)),
                    Err(bytes) => Cell::NotUtf8(bytes),
                },
                TypeId::Double => Cell::Double(self.at::<f64>(row)),
                TypeId::Float => Cell::Double(self.at::<f32>(row).into()),
                TypeId::Boolean => Cell::Boolean(self.at::<u8>(row) != 0),
                TypeId::Uuid => {
                    let id = Uuid::from_u128((self.at::<i128>(row) ^ i128::MIN) as u128);
                    Cell::Text(Cow::Owned(id.hyphenated().to_string()))
                }
                TypeId::UHugeInt => self.huge_at(row),
                id if id.is_integer() => Cell::Integer(self.integer_at(id, row)),
                TypeId::TimestampTz => Cell::Timestamp(self.at::<i64>(row)),
                TypeId::TimestampTzNs => Cell::Timestamp(times::from_nanos(self.at::<i64>(row))),
                TypeId::Timestamp => Cell::LocalTimestamp(self.at::<i64>(row)),
                TypeId::TimestampS => {
                    Cell::LocalTimestamp(times::coarser(self.at::<i64>(row), 1_000_000))
                }
                TypeId::TimestampMs => {
                    Cell::LocalTimestamp(times::coarser(self.at::<i64>(row), 1_000))
                }
                TypeId::TimestampNs => Cell::LocalTimestamp(times::from_nanos(self.at::<i64>(row))),
                TypeId::Date => Cell::LocalTimestamp(times::from_days(self.at::<i32>(row))),
                TypeId::Interval => {
                    let interval = self.at::<ffi::duckdb_interval>(row);
                    let days = i128::from(interval.months) * 30 + i128::from(interval.days);
                    let micros = days * 86_400_000_000 + i128::from(interval.micros);
                    Cell::Interval(micros.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
                }
                TypeId::SqlNull => Cell::Null,
                other => Cell::Other(other),
            }
        }
    }

    /// The type, where it is none with parts or parameters. JSON counts as VARCHAR.
    #[inline]
    pub fn plain_type(&self) -> Option<TypeId> {
        match self.resolved_type {
            ResolvedType::Plain(id) => Some(*id),
            ResolvedType::Json => Some(TypeId::Varchar),
            _ => None,
        }
    }

    /// The text of a row, none for NULL. The column is a VARCHAR by [`Column::plain_type`].
    #[inline]
    pub fn text(&self, row: usize) -> Result<Option<&'a str>, NotUtf8<'a>> {
        debug_assert_eq!(self.plain_type(), Some(TypeId::Varchar));
        if self.is_valid(row) {
            self.text_at(row).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The number of a row, none for NULL. The column is a DOUBLE by [`Column::plain_type`].
    #[inline]
    pub fn double(&self, row: usize) -> Option<f64> {
        debug_assert_eq!(self.plain_type(), Some(TypeId::Double));
        // SAFETY: stored as a double; `is_valid` checks the row.
        self.is_valid(row).then(|| unsafe { self.at(row) })
    }

    /// The number of a row, none for NULL. The column is a BIGINT by [`Column::plain_type`].
    #[inline]
    pub fn bigint(&self, row: usize) -> Option<i64> {
        debug_assert_eq!(self.plain_type(), Some(TypeId::BigInt));
        // SAFETY: stored as a 64-bit integer; `is_valid` checks the row.
        self.is_valid(row).then(|| unsafe { self.at(row) })
    }

    /// A valid row's value as a cast to VARCHAR gives it. For types that have a [`Cell`] of their own this is the slow
    /// way. The error is what to say of the value, behind "… is".
    pub fn rendered(&self, row: usize) -> Result<String, String> {
        match self.cell(row) {
            Cell::Text(text) => return Ok(text.into_owned()),
            Cell::NotUtf8(bytes) => return Err(bytes.to_string()),
            _ => {}
        }
        // SAFETY: each arm reads what DuckDB documents as the storage of the type; `cell` checked the row. The value is
        // made for us, and DuckDB copies what it is made of.
        let value = unsafe {
            match self.resolved_type {
                ResolvedType::Decimal {
                    stored,
                    width,
                    scale,
                } => {
                    let unscaled = self.integer_at(*stored, row);
                    ffi::duckdb_create_decimal(ffi::duckdb_decimal {
                        width: *width,
                        scale: *scale,
                        value: ffi::duckdb_hugeint {
                            lower: unscaled as u64,
                            upper: (unscaled >> 64) as i64,
                        },
                    })
                }
                ResolvedType::Plain(id) => match id {
                    TypeId::Boolean => ffi::duckdb_create_bool(self.at::<u8>(row) != 0),
                    TypeId::Float => ffi::duckdb_create_float(self.at(row)),
                    TypeId::Double => ffi::duckdb_create_double(self.at(row)),
                    TypeId::UHugeInt => ffi::duckdb_create_uhugeint(self.at(row)),
                    TypeId::Date => ffi::duckdb_create_date(self.at(row)),
                    TypeId::Time => ffi::duckdb_create_time(self.at(row)),
                    TypeId::TimeNs => ffi::duckdb_create_time_ns(self.at(row)),
                    TypeId::TimeTz => ffi::duckdb_create_time_tz_value(self.at(row)),
                    TypeId::Timestamp => ffi::duckdb_create_timestamp(self.at(row)),
                    TypeId::TimestampTz => ffi::duckdb_create_timestamp_tz(self.at(row)),
                    TypeId::TimestampS => ffi::duckdb_create_timestamp_s(self.at(row)),
                    TypeId::TimestampMs => ffi::duckdb_create_timestamp_ms(self.at(row)),
                    TypeId::TimestampNs => ffi::duckdb_create_timestamp_ns(self.at(row)),
                    TypeId::Interval => ffi::duckdb_create_interval(self.at(row)),
                    TypeId::Blob => {
                        let bytes = self.bytes_at(row);
                        ffi::duckdb_create_blob(bytes.as_ptr(), bytes.len() as u64)
                    }
                    TypeId::Bit => {
                        let bytes = self.bytes_at(row);
                        ffi::duckdb_create_bit(ffi::duckdb_bit {
                            data: bytes.as_ptr().cast_mut(),
                            size: bytes.len() as u64,
                        })
                    }
                    id if id.is_integer() => return Ok(self.integer_at(*id, row).to_string()),
                    _ => std::ptr::null_mut(),
                },
                _ => std::ptr::null_mut(),
            }
        };
        match Value::take(value) {
            Some(value) => value.text(),
            None => Err(format!(
                "of type {}: cast it to VARCHAR",
                self.resolved_type.sql_name()
            )),
        }
    }

    /// A field of a STRUCT by its position.
    pub fn field(&self, index: usize) -> Option<Column<'a>> {
        let ResolvedType::Struct(fields) = self.resolved_type else {
            return None;
        };
        let (_, resolved_type) = fields.get(index)?;
        Some(self.child(index as u64, resolved_type))
    }

    fn child(&self, index: u64, resolved_type: &'a ResolvedType) -> Column<'a> {
        // SAFETY: the vector is a STRUCT (or UNION, which is stored as one) with more than `index` children, each with
        // as many rows as the parent.
        unsafe {
            Column::new(
                ffi::duckdb_struct_vector_get_child(self.raw, index),
                resolved_type,
                self.rows,
            )
        }
    }

    pub(super) fn resolved_type(&self) -> &'a ResolvedType {
        self.resolved_type
    }

    /// The fields of a STRUCT with their names; those of an unnamed one are empty.
    pub(super) fn fields(
        &self,
        resolved_types: &'a [(String, ResolvedType)],
    ) -> Vec<(&'a str, Column<'a>)> {
        resolved_types
            .iter()
            .enumerate()
            .map(|(index, (name, resolved_type))| {
                (name.as_str(), self.child(index as u64, resolved_type))
            })
            .collect()
    }

    /// The tag and the members of a UNION: it is stored as a STRUCT whose first field is the tag.
    pub(super) fn union_member(
        &self,
        row: usize,
        resolved_types: &'a [(String, ResolvedType)],
    ) -> Option<(&'a str, Column<'a>)> {
        static TAG: ResolvedType = ResolvedType::Plain(TypeId::UTinyInt);
        let Cell::Integer(tag) = self.child(0, &TAG).cell(row) else {
            return None;
        };
        let (name, resolved_type) = resolved_types.get(tag as usize)?;
        Some((name, self.child(tag as u64 + 1, resolved_type)))
    }

    /// The elements of a LIST or MAP, and the range of them that a row has.
    pub(super) fn elements(
        &self,
        row: usize,
        resolved_type: &'a ResolvedType,
    ) -> (Column<'a>, std::ops::Range<usize>) {
        // SAFETY: the vector is a LIST or MAP; its rows are entries of offset and length into the child.
        unsafe {
            let entry = self.at::<ffi::duckdb_list_entry>(row);
            let child = ffi::duckdb_list_vector_get_child(self.raw);
            let total = ffi::duckdb_list_vector_get_size(self.raw) as usize;
            let start = (entry.offset as usize).min(total);
            let end = start.saturating_add(entry.length as usize).min(total);
            (Column::new(child, resolved_type, total), start..end)
        }
    }

    /// The key and value columns of a MAP, and the range of entries that a row has.
    pub(super) fn entries(
        &self,
        row: usize,
        resolved_types: &'a (ResolvedType, ResolvedType),
    ) -> (Column<'a>, Column<'a>, std::ops::Range<usize>) {
        static ENTRY: ResolvedType = ResolvedType::Plain(TypeId::Struct);
        let (entries, range) = self.elements(row, &ENTRY);
        (
            entries.child(0, &resolved_types.0),
            entries.child(1, &resolved_types.1),
            range,
        )
    }

    /// The keys and values of a MAP and the range of them that a row has; none for NULL, and for any other type.
    pub fn map_entries(
        &self,
        row: usize,
    ) -> Option<(Column<'a>, Column<'a>, std::ops::Range<usize>)> {
        match self.resolved_type {
            ResolvedType::Map(resolved_types) if self.is_valid(row) => {
                Some(self.entries(row, resolved_types))
            }
            _ => None,
        }
    }

    /// The elements of a LIST or ARRAY and the range of them that a row has; none for NULL, and for any other type.
    pub fn list_elements(&self, row: usize) -> Option<(Column<'a>, std::ops::Range<usize>)> {
        match self.resolved_type {
            ResolvedType::List(resolved_type) if self.is_valid(row) => {
                Some(self.elements(row, resolved_type))
            }
            ResolvedType::Array(resolved_type, size) if self.is_valid(row) => {
                Some(self.array_elements(row, resolved_type, *size))
            }
            _ => None,
        }
    }

    /// The elements of an ARRAY, and the range of them that a row has.
    pub(super) fn array_elements(
        &self,
        row: usize,
        resolved_type: &'a ResolvedType,
        size: usize,
    ) -> (Column<'a>, std::ops::Range<usize>) {
        // SAFETY: the vector is an ARRAY whose child holds `size` elements for each row.
        let child = unsafe {
            Column::new(
                ffi::duckdb_array_vector_get_child(self.raw),
                resolved_type,
                self.rows * size,
            )
        };
        (child, row * size..(row + 1) * size)
    }
}

/// A DECIMAL as the double that is nearest to it.
fn divided(unscaled: i128, scale: u8) -> f64 {
    /// Up to here integers, and powers of ten, are exact in a double; then one division rounds once.
    const EXACT_MAX: u128 = 1 << 53;
    const EXACT_SCALE_MAX: u8 = 22;
    if unscaled.unsigned_abs() <= EXACT_MAX && scale <= EXACT_SCALE_MAX {
        return unscaled as f64 / 10f64.powi(scale.into());
    }
    format!("{unscaled}e-{scale}")
        .parse()
        .unwrap_or(unscaled as f64 / 10f64.powi(scale.into()))
}

/// The arguments of a call: a chunk that DuckDB lends for the length of a callback.
pub struct Chunk<'a> {
    raw: ffi::duckdb_data_chunk,
    resolved_types: &'a [ResolvedType],
    rows: usize,
}

impl<'a> Chunk<'a> {
    /// The types of a chunk's columns.
    ///
    /// # Safety
    /// `raw` is live.
    pub(super) unsafe fn types(raw: ffi::duckdb_data_chunk) -> Vec<LogicalType> {
        // SAFETY: the caller's promise; indexes stay below the count, and the types are made for us.
        unsafe {
            (0..ffi::duckdb_data_chunk_get_column_count(raw))
                .map(|index| ffi::duckdb_data_chunk_get_vector(raw, index))
                .map(|vector| LogicalType::from_raw(ffi::duckdb_vector_get_column_type(vector)))
                .collect()
        }
    }

    /// # Safety
    /// `raw` is a flat chunk whose columns have the types that `resolved_types` were made from, and outlives `'a`.
    pub(super) unsafe fn new(
        raw: ffi::duckdb_data_chunk,
        resolved_types: &'a [ResolvedType],
    ) -> Self {
        // SAFETY: the caller's promise.
        let rows = unsafe { ffi::duckdb_data_chunk_get_size(raw) } as usize;
        Self {
            raw,
            resolved_types,
            rows,
        }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The column at `index`; panics (contained) where there is none.
    pub fn column(&self, index: usize) -> Column<'a> {
        let resolved_type = &self.resolved_types[index];
        // SAFETY: the chunk has a column for each resolved_type, by the promise given to `new`.
        unsafe {
            Column::new(
                ffi::duckdb_data_chunk_get_vector(self.raw, index as u64),
                resolved_type,
                self.rows,
            )
        }
    }
}
