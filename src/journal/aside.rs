//! A file of records that the store does not take: it has the form of a journal's segment, so that it can be read like one.

use super::frame::Frame;
use super::segment;
use crate::files::{write_whole, FileError, FileLayer, FileSystem, Names};
use crate::record::Pending;
use std::path::{Path, PathBuf};

/// Writes records into a file beside their log, and returns its name. When this returns they survive a power loss.
pub fn write_aside(log: &Path, records: &[Pending]) -> Result<PathBuf, FileError> {
    let names = Names::beside(log);
    let first_seq = records.first().map_or(0, |(stamp, _)| stamp.first_seq);
    let path = names.rejected(first_seq);
    let mut bytes = segment::header(1, first_seq, first_seq).to_vec();
    for (stamp, batch) in records {
        bytes.extend_from_slice(Frame::new(batch, Vec::new()).stamped(stamp));
    }
    let disk = FileSystem::beside(log);
    let written = disk.create(&path).and_then(|file| {
        write_whole(&*file, &bytes)?;
        file.sync()?;
        disk.sync_directory(&names.directory)
    });
    written.map_err(|error| {
        let _ = disk.remove(&path);
        FileError::of("write", &path)(error)
    })?;
    Ok(path)
}
