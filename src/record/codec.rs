//! A batch as bytes: what the journal keeps of it.
//!
//! All numbers are little endian. A batch is a head of [`HEAD_BYTES`] and, behind it, the columns that it has, in the
//! order of their fields:
//!
//! | offset | bytes | head |
//! |---|---|---|
//! | 0 | 4 | rows, 1 or more |
//! | 4 | 8 | `seq` of the first row |
//! | 12 | 8 | `recorded_at_us`, signed |
//! | 20 | 8 | connection id |
//! | 28 | 6 | milliseconds of the ids |
//! | 34 | 10 | counter of the first id (74 bits) |
//! | 44 | 1 | source: 1 is `record`, 2 `span` |
//! | 45 | 1 | columns |
//! | 46 | 2 | zero |
//!
//! | bytes | column |
//! |---|---|
//! | 1 | number of the field, rising from column to column |
//! | 1 | form: bit 0 says that there is a bitmap; bits 1 and 2 are the width of a length (0: 1 byte, 1: 2, 2: 4) |
//! | rows / 8, rounded up | the bitmap: a bit for each row, set where there is a value; without one every row has a value |
//! | 8 × rows | numbers: integers, or the bits of doubles |
//! | width × rows, and their sum | texts: their lengths, and their bytes in UTF-8 |
//!
//! A field that no row has costs nothing, one operation that is a command costs 48 + 3 bytes and its name. The stamp is
//! all in the head, at fixed offsets, so that a batch can be encoded before its place in the log is known.
//!
//! The numbers of fields and sources are part of the format: see the tests.

use super::batch::{BatchColumn, Data, TextColumn, COLUMNS};
use super::{Batch, Field, IdRange, Kind, Pending, Source, Stamp};
use std::fmt;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// The fixed part of an encoded batch.
pub const HEAD_BYTES: usize = 48;

const HAS_BITMAP: u8 = 1;
const WIDTH_SHIFT: u8 = 1;
/// Widths of a length by their code.
const WIDTHS: [usize; 3] = [1, 2, 4];

const ID_MILLIS_BITS: u32 = 48;
const ID_COUNTER_BITS: u32 = 74;

/// Stands in a batch that is encoded before its place in the log is known.
pub const UNSTAMPED: Stamp = Stamp {
    first_seq: 0,
    ids: IdRange {
        millis: 0,
        counter: 0,
    },
    recorded_at_us: 0,
};

/// Why bytes are no batch. It names what does not hold; there is nothing that a caller could do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt(pub &'static str);

impl fmt::Display for Corrupt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

fn source_number(source: Source) -> u8 {
    match source {
        Source::Record => 1,
        Source::Span => 2,
    }
}

fn source_of(number: u8) -> Option<Source> {
    match number {
        1 => Some(Source::Record),
        2 => Some(Source::Span),
        _ => None,
    }
}

fn is_text(field: Field) -> bool {
    match field.kind() {
        Kind::Text | Kind::Status | Kind::Json | Kind::TraceParent => true,
        Kind::Milliseconds | Kind::Count | Kind::Time => false,
    }
}

/// Appends the batch to `out`.
pub fn encode(stamp: &Stamp, batch: &Batch, out: &mut Vec<u8>) {
    let start = out.len();
    // The lengths take at most what `ends` takes in memory.
    out.reserve(HEAD_BYTES + 2 * COLUMNS + batch.bytes());
    out.resize(start + HEAD_BYTES, 0);
    let columns = batch.columns.iter().flatten().count();
    let head = &mut out[start..];
    head[..4].copy_from_slice(&(batch.rows as u32).to_le_bytes());
    head[20..28].copy_from_slice(&batch.connection_id.to_le_bytes());
    head[44] = source_number(batch.source);
    head[45] = columns as u8;
    restamp(stamp, head);
    for (field, column) in Field::stored().iter().zip(&batch.columns) {
        if let Some(column) = column {
            debug_assert_eq!(column.rows, batch.rows);
            encode_column(*field, column, out);
        }
    }
}

/// Puts another stamp into an encoded batch: everything that is known only when the batch gets its place in the log.
pub fn restamp(stamp: &Stamp, encoded: &mut [u8]) {
    encoded[4..12].copy_from_slice(&stamp.first_seq.to_le_bytes());
    encoded[12..20].copy_from_slice(&stamp.recorded_at_us.to_le_bytes());
    encoded[28..34].copy_from_slice(&stamp.ids.millis.to_le_bytes()[..6]);
    encoded[34..44].copy_from_slice(&stamp.ids.counter.to_le_bytes()[..10]);
}

fn encode_column(field: Field, column: &BatchColumn, out: &mut Vec<u8>) {
    let valid: usize = column.valid.iter().map(|w| w.count_ones() as usize).sum();
    let bitmap = valid < column.rows;
    let width = match &column.data {
        Data::Numbers(_) => 0,
        Data::Text(texts) => width_code(texts),
    };
    out.push(field as u8);
    out.push((u8::from(bitmap) * HAS_BITMAP) | ((width as u8) << WIDTH_SHIFT));
    if bitmap {
        let bytes = column.valid.iter().flat_map(|word| word.to_le_bytes());
        out.extend(bytes.take(column.rows.div_ceil(8)));
    }
    match &column.data {
        Data::Numbers(numbers) => {
            let cells = grow::<8>(out, numbers.len());
            for (cell, number) in cells.iter_mut().zip(numbers) {
                *cell = number.to_le_bytes();
            }
        }
        Data::Text(texts) => {
            match WIDTHS[width] {
                1 => out.extend(lengths(texts).map(|length| length as u8)),
                2 => {
                    let cells = grow::<2>(out, texts.ends.len());
                    for (cell, length) in cells.iter_mut().zip(lengths(texts)) {
                        *cell = (length as u16).to_le_bytes();
                    }
                }
                _ => {
                    let cells = grow::<4>(out, texts.ends.len());
                    for (cell, length) in cells.iter_mut().zip(lengths(texts)) {
                        *cell = length.to_le_bytes();
                    }
                }
            }
            out.extend_from_slice(texts.bytes.as_bytes());
        }
    }
}

/// `cells` more cells at the end of `out`: filled one by one, they compile to a copy.
fn grow<const BYTES: usize>(out: &mut Vec<u8>, cells: usize) -> &mut [[u8; BYTES]] {
    let start = out.len();
    out.resize(start + BYTES * cells, 0);
    out[start..].as_chunks_mut().0
}

fn lengths(texts: &TextColumn) -> impl Iterator<Item = u32> + '_ {
    let first = texts.ends.first().copied();
    let others = texts.ends.windows(2).map(|pair| pair[1] - pair[0]);
    first.into_iter().chain(others)
}

/// The code of the width that holds every length of the column.
fn width_code(texts: &TextColumn) -> usize {
    match lengths(texts).fold(0, |bits, length| bits | length) {
        0..=0xFF => 0,
        0x100..=0xFFFF => 1,
        _ => 2,
    }
}

/// Reads a batch back. Whatever the bytes are, this does not panic, and it allocates in proportion to them.
pub fn decode(bytes: &[u8]) -> Result<Pending, Corrupt> {
    let mut rest = Bytes(bytes);
    let rows = rest.u32()? as usize;
    let first_seq = rest.u64()?;
    let recorded_at_us = rest.u64()? as i64;
    let connection_id = rest.u64()?;
    let ids = IdRange {
        millis: rest.number(6)? as u64,
        counter: rest.number(10)?,
    };
    let source = source_of(rest.u8()?).ok_or(Corrupt("its source is unknown"))?;
    let columns = rest.u8()?;
    if rest.number(2)? != 0 {
        return Err(Corrupt("a reserved byte is not zero"));
    }
    // Each row takes a byte of the command's lengths at least, so the input bounds what is allocated for it.
    if rows == 0 || rows > rest.0.len() {
        return Err(Corrupt("its number of rows is out of range"));
    }
    if first_seq.checked_add(rows as u64).is_none() {
        return Err(Corrupt("its seq is out of range"));
    }
    if ids.millis >> ID_MILLIS_BITS != 0 || ids.counter >> ID_COUNTER_BITS != 0 {
        return Err(Corrupt("its ids are out of range"));
    }
    let mut batch = Batch {
        columns: [const { None }; COLUMNS],
        rows,
        source,
        connection_id,
    };
    let mut fields = Field::stored().iter();
    for _ in 0..columns {
        let number = rest.u8()?;
        // Taking from one iterator, so that numbers can only rise.
        let field = fields
            .find(|field| **field as u8 == number)
            .ok_or(Corrupt("a field is unknown or out of order"))?;
        batch.columns[*field as usize] = Some(decode_column(*field, rows, &mut rest)?);
    }
    if !rest.0.is_empty() {
        return Err(Corrupt("there is more behind its last column"));
    }
    let commands = batch.columns[Field::Command as usize].as_ref();
    if commands.is_none_or(|column| column.valid != all_valid(rows)) {
        return Err(Corrupt("a row has no command"));
    }
    batch.repair_metadata();
    let stamp = Stamp {
        first_seq,
        ids,
        recorded_at_us,
    };
    Ok((stamp, Arc::new(batch)))
}

fn decode_column(field: Field, rows: usize, rest: &mut Bytes<'_>) -> Result<BatchColumn, Corrupt> {
    let form = rest.u8()?;
    let code = (form >> WIDTH_SHIFT) as usize;
    let valid = if form & HAS_BITMAP == 0 {
        all_valid(rows)
    } else {
        let words = rest.take(rows.div_ceil(8))?.chunks(8);
        let valid: Vec<u64> = words.map(|word| little_endian(word) as u64).collect();
        if valid
            .iter()
            .zip(all_valid(rows))
            .any(|(v, all)| v & !all != 0)
        {
            return Err(Corrupt("a bitmap has more bits than rows"));
        }
        valid
    };
    let data = if is_text(field) {
        let width = *WIDTHS
            .get(code)
            .ok_or(Corrupt("a column's form is unknown"))?;
        Data::Text(decode_texts(rest.cells(rows, width)?, width, rest)?)
    } else if code == 0 {
        let cells = rest.cells(rows, 8)?.as_chunks().0;
        Data::Numbers(cells.iter().map(|cell| u64::from_le_bytes(*cell)).collect())
    } else {
        return Err(Corrupt("a column's form is unknown"));
    };
    Ok(BatchColumn { data, valid, rows })
}

fn decode_texts(lengths: &[u8], width: usize, rest: &mut Bytes<'_>) -> Result<TextColumn, Corrupt> {
    let mut end = 0_u64;
    let ends: Vec<u32> = lengths
        .chunks_exact(width)
        .map(|length| {
            // 2^32 rows of 2^32 bytes: the sum cannot overflow.
            end += little_endian(length) as u64;
            end as u32
        })
        .collect();
    let total = u32::try_from(end).map_err(|_| Corrupt("a column is longer than 4 GiB"))?;
    let bytes = rest.take(total as usize)?;
    let text = std::str::from_utf8(bytes).map_err(|_| Corrupt("a text is not UTF-8"))?;
    if !ends.iter().all(|end| text.is_char_boundary(*end as usize)) {
        return Err(Corrupt("a text ends within a character"));
    }
    Ok(TextColumn {
        bytes: text.to_owned(),
        ends,
    })
}

fn all_valid(rows: usize) -> Vec<u64> {
    let mut valid = vec![u64::MAX; rows.div_ceil(64)];
    if let (Some(last), used @ 1..) = (valid.last_mut(), rows % 64) {
        *last = (1 << used) - 1;
    }
    valid
}

/// Up to 16 bytes as a number.
fn little_endian(bytes: &[u8]) -> u128 {
    let mut number = [0; 16];
    number[..bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(number)
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], Corrupt> {
        let (taken, rest) = self
            .0
            .split_at_checked(bytes)
            .ok_or(Corrupt("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn cells(&mut self, cells: usize, bytes: usize) -> Result<&'a [u8], Corrupt> {
        self.take(
            cells
                .checked_mul(bytes)
                .ok_or(Corrupt("it ends too early"))?,
        )
    }

    fn number(&mut self, bytes: usize) -> Result<u128, Corrupt> {
        self.take(bytes).map(little_endian)
    }

    fn u8(&mut self) -> Result<u8, Corrupt> {
        self.number(1).map(|number| number as u8)
    }

    fn u32(&mut self) -> Result<u32, Corrupt> {
        self.number(4).map(|number| number as u32)
    }

    fn u64(&mut self) -> Result<u64, Corrupt> {
        self.number(8).map(|number| number as u64)
    }
}
