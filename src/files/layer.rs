//! The files of journals, spools and spans: the few operations that they need, so that tests can make each of them fail.

use super::access::create_like;
use super::names::Names;
use super::open::{open_regular, Mode};
use super::owner_lock::OwnerLock;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory with such files.
pub trait FileLayer: Send + Sync {
    /// Makes a new, empty file for appending and reading. It is an error if there is one of that name.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn LogFile>>;

    /// Opens a file for reading, cutting and appending.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>>;

    fn remove(&self, path: &Path) -> io::Result<()>;

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// The names in a directory.
    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>>;

    /// Makes what was created in a directory survive a power loss.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;

    /// Whether there is something of that name that is no regular file.
    fn is_strange(&self, path: &Path) -> bool;

    /// Takes a lock until what is returned is dropped; none if another process or another holder in this one has it.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>>;
}

/// An open file. All of its methods may be called by several threads at once; the journal appends under a lock.
pub trait LogFile: Send + Sync {
    /// One write(2) at the end of the file: the number of bytes that it took.
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Reads up to `buffer.len()` bytes; 0 at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    fn bytes(&self) -> io::Result<u64>;

    fn truncate(&self, bytes: u64) -> io::Result<()>;

    /// fdatasync(2).
    fn sync(&self) -> io::Result<()>;
}

/// The file system. Only regular files are opened, and what is made is as open to others as the log that it belongs to.
pub struct FileSystem {
    log: PathBuf,
}

impl FileSystem {
    /// For the journal or the spool of that name.
    pub fn beside(sidecar: &Path) -> Self {
        Self {
            log: Names::beside(sidecar).log(),
        }
    }
}

impl FileLayer for FileSystem {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        Ok(Arc::new(create_like(path, &self.log)?))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        Ok(Arc::new(open_regular(path, Mode::Append)?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        std::fs::read_dir(directory)?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect()
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        sync_directory(directory)
    }

    fn is_strange(&self, path: &Path) -> bool {
        std::fs::symlink_metadata(path).is_ok_and(|file| !file.is_file())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        let lock = OwnerLock::take(path, &self.log)?;
        Ok(lock.map(|lock| Box::new(lock) as Box<dyn Send + Sync>))
    }
}

impl LogFile for File {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = self;
        file.write(bytes)
    }

    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buffer, offset)
    }

    fn bytes(&self) -> io::Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Makes what was created in a directory survive a power loss.
#[cfg(unix)]
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Only Unix can, and needs to.
#[cfg(not(unix))]
pub fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}

/// A read that fails is tried so often: a fault that passes is no damage.
const READ_TRIES: usize = 3;

/// Fills a buffer as far as the file goes, and says how far; with an error too.
pub fn read_up_to(
    file: &dyn LogFile,
    buffer: &mut [u8],
    offset: u64,
) -> Result<usize, (usize, io::Error)> {
    let mut filled = 0;
    let mut tries = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                tries += 1;
                if tries == READ_TRIES {
                    return Err((filled, error));
                }
            }
        }
    }
    Ok(filled)
}

/// Writes all of it: in one call, unless the system takes less.
pub fn write_whole(file: &dyn LogFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.append(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
