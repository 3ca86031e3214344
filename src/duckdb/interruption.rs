//! Whether the query that a callback belongs to has been interrupted.
//!
//! The C API can interrupt a session, and gives a callback no way to learn that somebody did: the engine itself looks at
//! the session's mark between two callbacks, and a callback that takes a minute keeps the user waiting for a minute.
//! So the mark is read where the engine reads it. Where in the session it stands is found out at LOAD, by interrupting a
//! session of our own; where that does not work out, nothing is ever interrupted, as before.

use super::{ffi, Context};
use std::cell::Cell;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::OnceLock;

/// How much of a session is searched: the mark is among its first members, and a session is many times larger.
const SEARCHED_BYTES: usize = 128;

/// How often the search has to find the same place.
const ROUNDS: usize = 3;

/// What the mark holds while a query is interrupted.
const INTERRUPTED: u8 = 1;

/// Where in a session the mark stands, none where that is unknown. One for the process, as the engine is.
static OFFSET: OnceLock<Option<usize>> = OnceLock::new();

thread_local! {
    /// The query whose callback runs on this thread.
    static CURRENT: Cell<Option<Interruption>> = const { Cell::new(None) };
}

/// The mark of a session, which says whether its query has been interrupted.
#[derive(Clone, Copy)]
pub struct Interruption {
    mark: *const AtomicU8,
}

// SAFETY: the mark is an atomic, for the use of several threads.
unsafe impl Send for Interruption {}
// SAFETY: as above.
unsafe impl Sync for Interruption {}

impl Interruption {
    pub(super) fn of(context: &Context) -> Option<Self> {
        let offset = (*OFFSET.get()?)?;
        // SAFETY: the context is live; `learn` has seen that its handle points to the session, and that the session has
        // the mark at this place.
        let mark = unsafe { session(context).add(offset) };
        Some(Self { mark: mark.cast() })
    }

    /// To be asked while the query runs: the session that it belongs to outlives it.
    pub fn is_set(&self) -> bool {
        // SAFETY: the session lives, as its query runs.
        unsafe { &*self.mark }.load(Ordering::Relaxed) == INTERRUPTED
    }

    /// What stands for the query whose callback runs on this thread.
    pub fn current() -> Option<Self> {
        CURRENT.get()
    }

    /// Runs the body of a callback that belongs to a query.
    pub(super) fn during<T>(query: Option<Self>, body: impl FnOnce() -> T) -> T {
        struct Restored(Option<Interruption>);
        impl Drop for Restored {
            fn drop(&mut self) {
                CURRENT.set(self.0);
            }
        }
        let _restored = Restored(CURRENT.replace(query));
        body()
    }
}

/// The session behind a context's handle.
fn session(context: &Context) -> *const u8 {
    // SAFETY: the handle is live and points to a wrapper that begins with a pointer.
    unsafe { *context.raw().cast::<*const u8>() }
}

/// Finds out where the mark stands, with a connection on which nothing runs.
///
/// # Safety
/// The connection is live, and nobody else uses it.
pub(super) unsafe fn learn(connection: ffi::duckdb_connection) {
    // SAFETY: the caller's promise.
    OFFSET.get_or_init(|| unsafe { find(connection) });
}

/// # Safety
/// As for [`learn`].
unsafe fn find(connection: ffi::duckdb_connection) -> Option<usize> {
    // SAFETY: the connection is live.
    let context = unsafe { Context::of(connection)? };
    let handle = peek::<{ size_of::<usize>() }>(context.raw().cast())?;
    let session = std::ptr::with_exposed_provenance::<u8>(usize::from_ne_bytes(handle));
    let mut found = None;
    for _ in 0..ROUNDS {
        let before = peek::<SEARCHED_BYTES>(session)?;
        // SAFETY: the connection is live; nothing runs on it.
        unsafe { ffi::duckdb_interrupt(connection) };
        let interrupted = peek::<SEARCHED_BYTES>(session)?;
        // The next query begins without the mark.
        // SAFETY: the connection is live; the result is destroyed.
        let succeeded = unsafe {
            let mut result = std::mem::zeroed::<ffi::duckdb_result>();
            let state = ffi::duckdb_query(connection, c"SELECT 1".as_ptr(), &mut result);
            ffi::duckdb_destroy_result(&mut result);
            state == ffi::DuckDBSuccess
        };
        let after = peek::<SEARCHED_BYTES>(session)?;
        let mut changed = (0..SEARCHED_BYTES).filter(|at| before[*at] != interrupted[*at]);
        let (Some(offset), None) = (changed.next(), changed.next()) else {
            return None;
        };
        let marked = (before[offset], interrupted[offset], after[offset]) == (0, INTERRUPTED, 0);
        if !succeeded || !marked || found.is_some_and(|found| found != offset) {
            return None;
        }
        found = Some(offset);
    }
    found
}

/// A copy of memory that may turn out not to be there: the system copies it, and says so in place of a fault.
#[cfg(unix)]
fn peek<const BYTES: usize>(at: *const u8) -> Option<[u8; BYTES]> {
    use std::io::Read;
    use std::os::fd::AsRawFd;
    let (mut reader, writer) = std::io::pipe().ok()?;
    // SAFETY: write(2) only reads the memory, and answers EFAULT where there is none. So few bytes fit into a pipe.
    let written = unsafe { libc::write(writer.as_raw_fd(), at.cast(), BYTES) };
    if usize::try_from(written) != Ok(BYTES) {
        return None;
    }
    let mut copy = [0; BYTES];
    reader.read_exact(&mut copy).ok()?;
    Some(copy)
}

#[cfg(not(unix))]
fn peek<const BYTES: usize>(_: *const u8) -> Option<[u8; BYTES]> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn memory_that_is_not_there_is_no_fault() {
        let text = *b"operation";
        assert_eq!(peek::<9>(text.as_ptr()), Some(text));
        assert_eq!(peek::<8>(std::ptr::null()), None);
        assert_eq!(peek::<8>(std::ptr::without_provenance(16)), None);
    }

    #[test]
    fn a_callback_is_asked_about_its_own_query_only() {
        let outer = AtomicU8::new(INTERRUPTED);
        let inner = AtomicU8::new(0);
        let of = |mark: &AtomicU8| Some(Interruption { mark });
        let is_set = || Interruption::current().map(|query| query.is_set());
        assert_eq!(is_set(), None);
        Interruption::during(of(&outer), || {
            assert_eq!(is_set(), Some(true));
            Interruption::during(of(&inner), || assert_eq!(is_set(), Some(false)));
            assert_eq!(is_set(), Some(true));
        });
        assert_eq!(is_set(), None);
    }
}
