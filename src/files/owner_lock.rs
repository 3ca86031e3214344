//! The lock that makes one journal of one process the owner of its files.

use super::access::create_like;
use super::lock::{is_at, Lock};
use super::open::{open_regular, Mode};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Held until it is dropped. The lock file goes with it.
pub struct OwnerLock {
    _lock: Lock,
    path: PathBuf,
    process: u32,
}

impl OwnerLock {
    /// Takes the lock; none if it is held, by this process or by another. The file is as open to others as `like`.
    pub fn take(path: &Path, like: &Path) -> io::Result<Option<Self>> {
        // Its owner may have removed the file between the opening and the locking here: then the lock is on a file
        // that nobody else will find.
        for _ in 0..REMOVED_MEANWHILE_MAX {
            let Some(lock) = Lock::take(open_or_create(path, like)?)? else {
                return Ok(None);
            };
            if is_at(lock.file(), path) {
                return Ok(Some(Self {
                    _lock: lock,
                    path: path.to_path_buf(),
                    process: crate::system::process::id(),
                }));
            }
        }
        Ok(None)
    }
}

fn open_or_create(path: &Path, like: &Path) -> io::Result<File> {
    match open_regular(path, Mode::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    match create_like(path, like) {
        // Somebody was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            open_regular(path, Mode::Write)
        }
        created => created,
    }
}

/// Tries at a lock file that is removed again and again: others are busy with it, so it counts as held.
const REMOVED_MEANWHILE_MAX: usize = 100;

impl Drop for OwnerLock {
    fn drop(&mut self) {
        // In a forked child the lock is not held, and the file is the parent's.
        if self.process == crate::system::process::id() {
            // Removed while locked: whoever has opened it meanwhile sees that it is no longer at its path. If it cannot
            // be removed it stays, an empty file that the next owner uses.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
