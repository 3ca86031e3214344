//! The strings in DuckDB's vectors and values: bytes that are mostly, but not surely, text.

use super::ffi;
use crate::excerpt::excerpt_bytes;
use std::fmt;

/// The bytes of a VARCHAR that are no text: DuckDB does not check what Arrow brings in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUtf8<'a>(&'a [u8]);

impl fmt::Display for NotUtf8<'_> {
    /// What an error says of them, behind "… is".
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "no UTF-8 ('{}'): decode the text before it gets to DuckDB",
            excerpt_bytes(self.0)
        )
    }
}

/// The bytes of a string: up to 12 stand inline, more behind a pointer.
///
/// # Safety
/// DuckDB made the string, and its vector outlives the borrow.
#[inline]
pub(super) unsafe fn string_bytes(string: &ffi::duckdb_string_t) -> &[u8] {
    // SAFETY: the length stands at the same place in both forms, and says which one it is; the rest is the caller's
    // promise.
    unsafe {
        let length = string.value.inlined.length as usize;
        let start = if length <= 12 {
            string.value.inlined.inlined.as_ptr()
        } else {
            string.value.pointer.ptr
        };
        std::slice::from_raw_parts(start.cast(), length)
    }
}

/// Whether a string is ASCII, as most are, in a few instructions: each value that is recorded goes through this. What
/// stands behind a short string may make it say no.
#[inline]
pub(super) fn is_ascii(string: &ffi::duckdb_string_t, bytes: &[u8]) -> bool {
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
    let any = if let Some(last) = bytes.last_chunk().filter(|_| bytes.len() > 12) {
        let words = bytes.as_chunks().0.iter().map(word);
        words.fold(word(last), |any, word| any | word)
    } else {
        // SAFETY: both forms of a string have 12 bytes there, all of them set.
        let inlined = unsafe { string.value.inlined.inlined };
        let [a, b, c, d, e, f, g, h, i, j, k, l] = inlined.map(|byte| byte as u8);
        word(&[a, b, c, d, e, f, g, h]) | word(&[i, j, k, l, 0, 0, 0, 0])
    };
    any & HIGH_BITS == 0
}

/// Checks that bytes are text.
#[inline]
pub(super) fn checked(bytes: &[u8]) -> Result<&str, NotUtf8<'_>> {
    std::str::from_utf8(bytes).map_err(|_| NotUtf8(bytes))
}
