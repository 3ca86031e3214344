//! Locks on files that fall with their holder and with nothing else.
//!
//! A POSIX record lock, which DuckDB takes, falls when any handle of the process on the file is closed: that of a backup,
//! say. So on Linux these are locks of the open file description. They stand against POSIX locks of other processes and
//! of this one, and keep two holders in one process apart. Elsewhere it is what the standard library has, which is of
//! the open file too.
//!
//! A forked child would have a copy of the open file and hold the lock on: a worker that outlives its killed parent would
//! keep the next process from the log. So these files are closed in a child.

use std::fs::File;
use std::io;

/// A locked file. The lock falls when this is dropped.
pub struct Lock {
    // Dropped first: the file's number may be another one's after that.
    #[cfg(unix)]
    _closed_in_child: crate::system::ClosedInChild,
    file: File,
}

impl Lock {
    /// Locks a file; none if somebody has it, in this process or another.
    pub fn take(file: File) -> io::Result<Option<Self>> {
        if !system::lock(&file)? {
            return Ok(None);
        }
        Ok(Some(Self {
            #[cfg(unix)]
            _closed_in_child: crate::system::ClosedInChild::new(&file),
            file,
        }))
    }

    pub fn file(&self) -> &File {
        &self.file
    }
}

/// Whether somebody has a lock on the file, in this process or another. Only Linux tells without a try.
pub fn is_locked(file: &File) -> io::Result<bool> {
    system::is_locked(file)
}

/// Whether the file is still the one of that name.
pub fn is_at(file: &File, path: &std::path::Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let (Ok(open), Ok(named)) = (file.metadata(), std::fs::symlink_metadata(path)) else {
            return false;
        };
        (open.dev(), open.ino()) == (named.dev(), named.ino())
    }
    // An open file cannot be removed there.
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

#[cfg(target_os = "linux")]
mod system {
    use super::*;
    use nix::errno::Errno;
    use nix::fcntl::{fcntl, FcntlArg};

    fn whole_file() -> libc::flock {
        libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        }
    }

    pub fn lock(file: &File) -> io::Result<bool> {
        match fcntl(file, FcntlArg::F_OFD_SETLK(&whole_file())) {
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub fn is_locked(file: &File) -> io::Result<bool> {
        let mut lock = whole_file();
        fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
        Ok(lock.l_type != libc::F_UNLCK as libc::c_short)
    }
}

#[cfg(not(target_os = "linux"))]
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

    pub fn is_locked(_file: &File) -> io::Result<bool> {
        Ok(false)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::files::tests::in_directory;
    use crate::files::{open_regular, Mode};

    #[test]
    fn a_lock_outlives_other_handles_on_its_file() {
        in_directory(|directory| {
            let path = directory.join("file");
            std::fs::write(&path, b"").unwrap();
            let open = || open_regular(&path, Mode::Write).unwrap();
            let lock = Lock::take(open()).unwrap().unwrap();
            assert!(Lock::take(open()).unwrap().is_none());
            drop(open());
            assert!(is_locked(&open()).unwrap());
            assert!(Lock::take(open()).unwrap().is_none());
            assert!(is_at(lock.file(), &path));
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, b"").unwrap();
            assert!(!is_at(lock.file(), &path));
            assert!(Lock::take(open()).unwrap().is_some());
        });
    }
}
