//! A file operation that failed.

use std::io;
use std::path::PathBuf;

/// A file operation that failed: what was done, to what, and why not.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {error}", path.display())]
pub struct FileError {
    pub doing: &'static str,
    pub path: PathBuf,
    #[source]
    pub error: io::Error,
}

impl FileError {
    pub fn of(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self { doing, path, error }
    }
}
