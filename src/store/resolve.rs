//! Which file a path means.

use super::attach::peek;
use super::error::OpenError;
use super::place::absolute;
use std::path::{Path, PathBuf};

/// The file that a path leads to: links are resolved as far as it exists. A link in the file's own place is followed to
/// a log of oplog's only; nothing is created behind one.
pub fn resolve(path: &Path) -> Result<PathBuf, OpenError> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let is_link = std::fs::symlink_metadata(&path).is_ok_and(|file| file.is_symlink());
    if !is_link {
        return Ok(absolute(&path));
    }
    let refused = |reason: String| {
        OpenError::unusable(format!(
            "{} is a symbolic link, which is followed to a log of oplog's only: {reason}",
            path.display()
        ))
    };
    let target = path
        .canonicalize()
        .map_err(|error| refused(error.to_string()))?;
    match peek(&target) {
        // Another process, or another database of this one, uses it as a log or as something else: opening it tells.
        Ok(_) | Err(OpenError::Locked(_)) => Ok(target),
        Err(error) => Err(refused(error.to_string())),
    }
}
