//! Spools: journals of processes that may not write the log, because another one has it.
//!
//! A guest journals into a spool of its own beside the log and never deletes from it. The log's owner takes the
//! operations in, those of guests that are gone and those of guests that still write, and deletes the segments that it
//! has committed. So a segment that has gone has been taken over, and that is all the two need to tell each other.
//!
//! A guest's running spans stand in a file beside its spool. When the guest is gone, the owner records what is left in it
//! as interrupted.
//!
//! The log remembers how far each spool has been taken in. That is stored just after the commit, and a crash in between
//! shows by the ids, which operations keep: what the log has is passed by.

mod apart;
mod error;
mod one;
mod spools;
mod taken;
#[cfg(test)]
mod tests;

pub use apart::set_apart;
pub use error::Error;
pub use spools::Spools;

use crate::files::SPOOL;
use crate::journal::Limits;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A guest's journal: small segments, since the one in use stays until the guest goes on to the next.
pub const SPOOL_LIMITS: Limits = Limits {
    segment_bytes: 4 * 1024 * 1024,
    total_bytes: 256 * 1024 * 1024,
};

/// A path for a new spool beside a log: what its journal is named after.
pub fn spool_beside(log: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    PathBuf::from(format!(
        "{}{SPOOL}{}-{}-{}",
        log.display(),
        crate::system::clock::now_us() / 1000,
        crate::system::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    ))
}
