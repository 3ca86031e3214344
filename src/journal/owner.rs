//! The lock that makes one journal of one process the owner of its files.
//!
//! It is a POSIX record lock, the kind that DuckDB itself takes, because it ends with the process that took it. What
//! `File::try_lock` takes (flock(2)) belongs to the open file, which forked children inherit: a worker that outlives
//! its killed parent would keep the next process from its own journal. The price is that such a lock does not keep two
//! holders in one process apart, so those are told apart by a table.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard};

/// The locks of this process, with the id of the process that took them: a child inherits the table, not the locks.
///
/// It spans host instances because it has to, as the engine's table of open logs does.
static HELD: LazyLock<Mutex<HashMap<PathBuf, u32>>> = LazyLock::new(Mutex::default);

fn held() -> MutexGuard<'static, HashMap<PathBuf, u32>> {
    HELD.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Held until it is dropped. The lock file goes with it.
pub struct OwnerLock {
    /// Closing it gives the lock back, so it is never opened twice in one process.
    file: Option<File>,
    path: PathBuf,
    process: u32,
}

impl OwnerLock {
    /// Takes the lock; none if it is held, by this process or by another.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let path = resolved(path);
        let process = crate::process::id();
        let mut held = held();
        if held.get(&path) == Some(&process) {
            return Ok(None);
        }
        // Its owner may have removed the file between the opening and the locking here: then the lock is on a file
        // that nobody else will find.
        for _ in 0..REMOVED_MEANWHILE_MAX {
            let mut options = OpenOptions::new();
            let options = options.create(true).truncate(false);
            let file = options.read(true).write(true).open(&path)?;
            if !system::lock(&file)? {
                return Ok(None);
            }
            if system::is_at(&file, &path) {
                held.insert(path.clone(), process);
                return Ok(Some(Self {
                    file: Some(file),
                    path,
                    process,
                }));
            }
        }
        Ok(None)
    }
}

/// Tries at a lock file that is removed again and again: others are busy with it, so it counts as held.
const REMOVED_MEANWHILE_MAX: usize = 100;

impl Drop for OwnerLock {
    fn drop(&mut self) {
        // In a forked child the lock is not held, and its file is the parent's.
        if self.process != crate::process::id() {
            return;
        }
        let mut held = held();
        // Removed while locked: whoever has opened it meanwhile sees that it is no longer at its path. If it cannot be
        // removed it stays, an empty file that the next owner uses.
        let _ = std::fs::remove_file(&self.path);
        self.file = None;
        held.remove(&self.path);
    }
}

/// One name for one file, so that two paths to it are seen as the same.
fn resolved(path: &Path) -> PathBuf {
    let directory = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return path.to_path_buf(),
    };
    match (directory.canonicalize(), path.file_name()) {
        (Ok(directory), Some(name)) => directory.join(name),
        _ => path.to_path_buf(),
    }
}

#[cfg(unix)]
mod system {
    use super::*;
    use rustix::fs::{fcntl_lock, FlockOperation};
    use rustix::io::Errno;
    use std::os::unix::fs::MetadataExt;

    pub fn lock(file: &File) -> io::Result<bool> {
        match fcntl_lock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            // POSIX leaves open which of the two says that another process has it.
            Err(Errno::AGAIN | Errno::ACCESS) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub fn is_at(file: &File, path: &Path) -> bool {
        let (Ok(open), Ok(named)) = (file.metadata(), std::fs::metadata(path)) else {
            return false;
        };
        (open.dev(), open.ino()) == (named.dev(), named.ino())
    }
}

#[cfg(not(unix))]
mod system {
    use super::*;
    use std::fs::TryLockError;

    pub fn lock(file: &File) -> io::Result<bool> {
        match file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// An open file cannot be removed there.
    pub fn is_at(_file: &File, _path: &Path) -> bool {
        true
    }
}
