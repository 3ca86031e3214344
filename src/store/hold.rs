//! Holding the log's file while it is attached.
//!
//! DuckDB's own lock is a POSIX record lock: it falls when any handle of this process on the file is closed, that of a
//! backup or of another DuckDB instance that has looked into it, and it keeps nobody in this process out. So once DuckDB
//! has the file open, its lock is exchanged for one of the open file description: nothing but the end of this handle
//! takes that away, and every other instance, in this process too, is refused by it.

use crate::files::{self, open_regular, Lock, Mode};
use std::io;
use std::path::Path;

/// The file as it was attached. Let it go after DuckDB has closed the file.
pub struct Hold(Lock);

impl Hold {
    /// Takes hold of a file that DuckDB has open and locked; none if somebody else got in between.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = open_regular(path, Mode::Write)?;
        // What takes DuckDB's lock away, which would stand against ours. Elsewhere it has to do.
        #[cfg(target_os = "linux")]
        drop(open_regular(path, Mode::Read)?);
        Ok(Lock::take(file)?.map(Self))
    }

    /// Whether the file is still the one of that name.
    pub fn is_at(&self, path: &Path) -> bool {
        files::is_at(self.0.file(), path)
    }
}

/// Whether somebody else, in this process or another, has a lock on the file.
pub fn is_locked(path: &Path) -> bool {
    open_regular(path, Mode::Write)
        .and_then(|file| files::is_locked(&file))
        .unwrap_or(false)
}
