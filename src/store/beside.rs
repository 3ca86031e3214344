//! The files that DuckDB has beside a log, and names that are free.

use super::error::Error;
use crate::files;
use std::path::{Path, PathBuf};

/// A path as a text in SQL.
pub(super) fn quoted(path: &Path) -> Result<String, Error> {
    let text = path
        .to_str()
        .ok_or_else(|| Error::NotUtf8(path.to_path_buf()))?;
    Ok(format!("'{}'", text.replace('\'', "''")))
}

/// Makes a log, and what stands beside it, no more open than the file of a host that it is for.
pub fn restrict(log: &Path, host: &Path) -> std::io::Result<()> {
    for path in [log.to_path_buf(), wal(log)] {
        match files::restrict(&path, host) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    crate::files::restrict_beside(log)
}

/// DuckDB makes a write-ahead log as the umask says, and takes one that is there as it is.
pub(super) fn begin_wal(path: &Path) {
    let wal = wal(path);
    if std::fs::symlink_metadata(&wal).is_err() {
        // Where it cannot be made, DuckDB says why.
        let _ = files::create_like(&wal, path);
    }
}

pub(super) fn wal(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.wal", path.display()))
}

/// A name beside the log that nothing has.
pub(super) fn free_name(path: &Path, what: &str) -> PathBuf {
    let now_s = crate::system::clock::now_us() / 1_000_000;
    (0..)
        .map(|count| PathBuf::from(format!("{}.{what}-{now_s}-{count}", path.display())))
        .find(|candidate| !candidate.exists() && !wal(candidate).exists())
        .unwrap_or_else(|| PathBuf::from(format!("{}.{what}", path.display())))
}

/// Renames a log, with its write-ahead log, so that a fresh one can take its place.
pub(super) fn rename_with_wal(path: &Path, what: &str) -> std::io::Result<PathBuf> {
    let aside = free_name(path, what);
    std::fs::rename(path, &aside)?;
    if wal(path).exists() {
        std::fs::rename(wal(path), wal(&aside))?;
    }
    Ok(aside)
}

/// Renames a damaged log.
pub(super) fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    rename_with_wal(path, "damaged")
}
