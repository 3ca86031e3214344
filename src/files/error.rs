//! A file operation that failed.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A file operation that failed: what was done, to what, and why not.
#[derive(Debug)]
pub struct FileError {
    pub doing: &'static str,
    pub path: PathBuf,
    pub error: io::Error,
}

impl FileError {
    pub fn of(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self { doing, path, error }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { doing, path, error } = self;
        write!(formatter, "cannot {doing} {}: {error}", path.display())
    }
}
