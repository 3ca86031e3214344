//! Holding the log's file while it is attached.
//!
//! DuckDB's own lock is a POSIX record lock: it falls when any handle of this process on the file is closed, that of a
//! backup or of another DuckDB instance that has looked into it, and it keeps nobody in this process out. So once DuckDB
//! has the file open, its lock is exchanged for one of the open file description: nothing but the end of this handle
//! takes that away, and every other instance, in this process too, is refused by it.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// The file as it was attached. Let it go after DuckDB has closed the file.
pub struct Hold {
    file: File,
    #[cfg(target_os = "linux")]
    _closed_in_child: crate::host::ClosedInChild,
}

impl Hold {
    /// Takes hold of a file that DuckDB has open and locked; none if somebody else got in between.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let open = || {
            let mut options = OpenOptions::new();
            options.read(true).write(true);
            #[cfg(unix)]
            {
                use std::os::unix::fs::OpenOptionsExt;
                options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
            }
            options.open(path)
        };
        let file = open()?;
        // What takes DuckDB's lock away, which would stand against ours.
        drop(open()?);
        if !system::lock(&file)? {
            return Ok(None);
        }
        Ok(Some(Self {
            #[cfg(target_os = "linux")]
            _closed_in_child: crate::host::ClosedInChild::new(&file),
            file,
        }))
    }

    /// Whether the file is still the one of that name.
    pub fn is_at(&self, path: &Path) -> bool {
        system::is_at(&self.file, path)
    }
}

/// Whether somebody else, in this process or another, has a lock on the file.
pub fn is_locked(path: &Path) -> bool {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .open(path)
        .and_then(|file| system::is_locked(&file))
        .unwrap_or(false)
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

    pub fn is_at(file: &File, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let (Ok(open), Ok(named)) = (file.metadata(), std::fs::metadata(path)) else {
            return false;
        };
        (open.dev(), open.ino()) == (named.dev(), named.ino())
    }
}

/// Elsewhere DuckDB's own lock has to do.
#[cfg(not(target_os = "linux"))]
mod system {
    use super::*;

    pub fn lock(_file: &File) -> io::Result<bool> {
        Ok(true)
    }

    pub fn is_locked(_file: &File) -> io::Result<bool> {
        Ok(false)
    }

    pub fn is_at(_file: &File, path: &Path) -> bool {
        path.exists()
    }
}
