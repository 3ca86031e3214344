//! Columns and chunks to write: those that DuckDB lends for an answer, and those of our own to append.

use super::{ffi, LogicalType, TypeId, VECTOR_SIZE};
use std::marker::PhantomData;

/// A column to write to, flat and with room for [`VECTOR_SIZE`] rows.
pub struct ColumnMut<'a> {
    raw: ffi::duckdb_vector,
    data: *mut u8,
    validity: *mut u64,
    lent: PhantomData<&'a mut ()>,
}

impl ColumnMut<'_> {
    /// # Safety
    /// `raw` is a flat, writable vector with room for [`VECTOR_SIZE`] rows, not written through anything else for `'a`.
    pub(super) unsafe fn new(raw: ffi::duckdb_vector) -> Self {
        // SAFETY: the caller's promise.
        Self {
            raw,
            data: unsafe { ffi::duckdb_vector_get_data(raw) }.cast(),
            validity: std::ptr::null_mut(),
            lent: PhantomData,
        }
    }

    pub fn set_null(&mut self, row: usize) {
        assert!(row < VECTOR_SIZE);
        // SAFETY: once made writable, the mask has a bit for each row of a full vector.
        unsafe {
            if self.validity.is_null() {
                ffi::duckdb_vector_ensure_validity_writable(self.raw);
                self.validity = ffi::duckdb_vector_get_validity(self.raw);
            }
            *self.validity.add(row / 64) &= !(1 << (row % 64));
        }
    }

    /// # Safety
    /// `T` is what the vector stores.
    unsafe fn put<T>(&mut self, row: usize, value: T) {
        assert!(row < VECTOR_SIZE);
        // SAFETY: in range by the assertion, of the right type by the caller's promise.
        unsafe { self.data.cast::<T>().add(row).write(value) };
    }

    /// Writes to a column of BIGINT, TIMESTAMP or TIMESTAMP WITH TIME ZONE.
    pub fn set_i64(&mut self, row: usize, value: i64) {
        // SAFETY: those types are stored as 64-bit integers.
        unsafe { self.put(row, value) };
    }

    /// Writes to a column of UBIGINT, or the bits of another 64-bit type: BIGINT, DOUBLE.
    pub fn set_u64(&mut self, row: usize, value: u64) {
        // SAFETY: all of them are stored in 64 bits.
        unsafe { self.put(row, value) };
    }

    /// Writes to a column of DOUBLE.
    pub fn set_f64(&mut self, row: usize, value: f64) {
        // SAFETY: stored as a 64-bit float.
        unsafe { self.put(row, value) };
    }

    /// Writes to a column of BOOLEAN.
    pub fn set_bool(&mut self, row: usize, value: bool) {
        // SAFETY: stored as a byte of 0 or 1.
        unsafe { self.put(row, u8::from(value)) };
    }

    /// Writes to a column of UUID.
    pub fn set_uuid(&mut self, row: usize, value: u128) {
        // SAFETY: stored as a signed 128-bit integer whose highest bit is flipped, so that it sorts like the text.
        unsafe { self.put(row, value as i128 ^ i128::MIN) };
    }

    /// Writes to a column of VARCHAR.
    pub fn set_text(&mut self, row: usize, value: &str) {
        let bytes = value.as_bytes();
        if bytes.len() <= 12 {
            let mut inlined = [0 as std::ffi::c_char; 12];
            for (to, from) in inlined.iter_mut().zip(bytes) {
                *to = *from as std::ffi::c_char;
            }
            let string = ffi::duckdb_string_t {
                value: ffi::duckdb_string_t__bindgen_ty_1 {
                    inlined: ffi::duckdb_string_t__bindgen_ty_1__bindgen_ty_2 {
                        length: bytes.len() as u32,
                        inlined,
                    },
                },
            };
            // SAFETY: a VARCHAR vector stores `duckdb_string_t`; up to 12 bytes stand inline, the rest zero.
            unsafe { self.put(row, string) };
            return;
        }
        assert!(row < VECTOR_SIZE);
        // SAFETY: in range; the bytes are valid UTF-8, which the `unsafe_` variant leaves unchecked, and are copied.
        unsafe {
            ffi::duckdb_unsafe_vector_assign_string_element_len(
                self.raw,
                row as u64,
                bytes.as_ptr().cast(),
                bytes.len() as u64,
            )
        };
    }
}

/// A column of LISTs of STRUCTs of texts, which a MAP of texts is too; each row is written once.
pub struct StructsMut<'a> {
    raw: ffi::duckdb_vector,
    column: ColumnMut<'a>,
    entries: usize,
}

impl<'a> StructsMut<'a> {
    /// # Safety
    /// `raw` is a flat, writable vector of such LISTs, not written through anything else for `'a`.
    pub(super) unsafe fn new(raw: ffi::duckdb_vector) -> Self {
        Self {
            raw,
            // SAFETY: the caller's promise.
            column: unsafe { ColumnMut::new(raw) },
            entries: 0,
        }
    }

    /// Each struct has as many texts as the type has fields.
    pub fn set<S: AsRef<[String]>>(
        &mut self,
        row: usize,
        structs: impl ExactSizeIterator<Item = S>,
    ) {
        let offset = self.entries;
        self.entries += structs.len();
        // SAFETY: the vector is a LIST of STRUCTs; its child has room for what is reserved, and a row is written once.
        unsafe {
            ffi::duckdb_list_vector_reserve(self.raw, self.entries as u64);
            ffi::duckdb_list_vector_set_size(self.raw, self.entries as u64);
            let entry = ffi::duckdb_list_vector_get_child(self.raw);
            for (at, texts) in (offset..).zip(structs) {
                for (field, text) in texts.as_ref().iter().enumerate() {
                    let child = ffi::duckdb_struct_vector_get_child(entry, field as u64);
                    ffi::duckdb_unsafe_vector_assign_string_element_len(
                        child,
                        at as u64,
                        text.as_ptr().cast(),
                        text.len() as u64,
                    );
                }
            }
            self.column.put(
                row,
                ffi::duckdb_list_entry {
                    offset: offset as u64,
                    length: (self.entries - offset) as u64,
                },
            );
        }
    }
}

/// A chunk that we own, to fill and append.
pub struct OwnedChunk {
    raw: ffi::duckdb_data_chunk,
}

// SAFETY: the chunk is owned and has no thread affinity; it is never used from two threads at once.
unsafe impl Send for OwnedChunk {}

impl OwnedChunk {
    pub fn new(types: &[TypeId]) -> Self {
        let types: Vec<LogicalType> = types.iter().map(|id| LogicalType::new(*id)).collect();
        Self::of(&types)
    }

    pub(super) fn of(types: &[LogicalType]) -> Self {
        let mut raw_types: Vec<_> = types.iter().map(LogicalType::raw).collect();
        // SAFETY: the types are live for the call, which copies them.
        let raw = unsafe {
            ffi::duckdb_create_data_chunk(raw_types.as_mut_ptr(), raw_types.len() as u64)
        };
        Self { raw }
    }

    pub fn column_mut(&mut self, index: usize) -> ColumnMut<'_> {
        // SAFETY: the chunk is ours and borrowed mutably; DuckDB checks the index and gives NULL beyond the last.
        unsafe {
            let vector = ffi::duckdb_data_chunk_get_vector(self.raw, index as u64);
            assert!(!vector.is_null());
            ColumnMut::new(vector)
        }
    }

    pub fn set_rows(&mut self, rows: usize) {
        assert!(rows <= VECTOR_SIZE);
        // SAFETY: the chunk is ours and has room.
        unsafe { ffi::duckdb_data_chunk_set_size(self.raw, rows as u64) };
    }

    /// Empties the chunk for reuse.
    pub fn reset(&mut self) {
        // SAFETY: the chunk is ours.
        unsafe { ffi::duckdb_data_chunk_reset(self.raw) };
    }

    pub(super) fn raw(&self) -> ffi::duckdb_data_chunk {
        self.raw
    }
}

impl Drop for OwnedChunk {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { ffi::duckdb_destroy_data_chunk(&mut self.raw) };
    }
}
