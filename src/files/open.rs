//! Opening a file that somebody may have exchanged since it was looked at.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Read,
    Write,
    /// Reading, cutting, and writing at the end.
    Append,
}

impl Mode {
    fn options(self) -> OpenOptions {
        let mut options = File::options();
        match self {
            Self::Read => options.read(true),
            Self::Write => options.read(true).write(true),
            Self::Append => options.read(true).append(true),
        };
        options
    }
}

/// Opens a regular file. No link, FIFO or device is followed or waited for: they are an error.
pub fn open_regular(path: &Path, mode: Mode) -> io::Result<File> {
    open_with(path, mode.options())
}

pub(super) fn open_with(path: &Path, mut options: OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::other("it is no regular file"))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::files::tests::in_directory;
    use std::io::{Seek, Write};

    #[test]
    fn what_is_no_regular_file_is_an_error_at_once() {
        in_directory(|directory| {
            let fifo = directory.join("fifo");
            nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
            let file = directory.join("file");
            std::fs::write(&file, b"text").unwrap();
            let link = directory.join("link");
            std::os::unix::fs::symlink(&file, &link).unwrap();
            for mode in [Mode::Read, Mode::Write, Mode::Append] {
                for path in [&fifo, &link, directory, Path::new("/dev/null")] {
                    assert!(open_regular(path, mode).is_err(), "{path:?} {mode:?}");
                }
                assert!(open_regular(&file, mode).is_ok(), "{mode:?}");
            }
        });
    }

    #[test]
    fn what_is_appended_follows_what_is_there() {
        in_directory(|directory| {
            let path = directory.join("file");
            std::fs::write(&path, b"one").unwrap();
            let mut file = open_regular(&path, Mode::Append).unwrap();
            file.rewind().unwrap();
            file.write_all(b" two").unwrap();
            file.set_len(5).unwrap();
            file.write_all(b"!").unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"one t!");
        });
    }
}
