//! The files beside a log: named, opened without following a link or waiting for anybody, locked so that nothing but the end of the
//! holder takes the lock away, and no more open to others than the database that they belong to.

mod access;
mod beside;
mod error;
mod layer;
mod lock;
mod names;
mod open;
mod owner_lock;
#[cfg(test)]
pub mod simulated;

pub use access::{create_like, restrict};
#[cfg(test)]
pub use beside::SET_ASIDE_MAX;
pub use beside::{has_spans, limit_set_aside, restrict_beside, stands_beside};
pub use error::FileError;
pub use layer::{read_up_to, sync_directory, write_whole, FileLayer, FileSystem, LogFile};
pub use lock::{is_at, is_locked, Lock};
pub use names::{log_of_spool, Names, JOURNAL_MAGIC, SPANS_MAGIC, SPOOL};
pub use open::{open_regular, Mode};
pub use owner_lock::OwnerLock;

#[cfg(test)]
pub mod tests {
    use std::path::Path;

    pub fn in_directory(test: impl FnOnce(&Path)) {
        let directory = std::env::temp_dir().join(format!("oplog-files-{:x}", fastrand::u64(..)));
        std::fs::create_dir_all(&directory).unwrap();
        test(&directory);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
