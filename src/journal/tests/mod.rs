//! The journal against files that fail, lose power and are damaged: see `files::simulated`. `disk` has the real ones.

mod behaviour;
mod corruption;
mod crashes;
mod disk;
mod faults;
mod groups;

use super::error::AppendError;
use super::frame::Frame;
use super::recover::Recovery;
use super::{Journal, Limits};
use crate::files::simulated::Files;
use crate::files::{FileLayer, FileSystem};
use crate::record::{
    codec, Batch, BatchBuilder, Field, IdGenerator, Pending, Source, Stamp, Value,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SIDECAR: &str = "dir/app.oplog";

/// A directory of its own, removed at the end.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new(name: &str) -> Self {
        let name = format!("oplog-journal-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn names(&self) -> Vec<String> {
        let names = FileSystem::beside(&self.0).list(&self.0).unwrap();
        let mut names: Vec<_> = names
            .into_iter()
            .map(|n| n.into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A batch that is told from every other by its tag.
pub fn batch(tag: u64, rows: usize) -> Batch {
    let mut builder = BatchBuilder::new(rows);
    for row in 0..rows {
        builder.seek(row);
        let command = Value::Text(format!("operation {tag}").into());
        builder.push(Field::Command, &command).unwrap();
        let number = Value::Integer(row as i128);
        builder.push(Field::RowsAffected, &number).unwrap();
    }
    let mut batch = builder.finish(Source::Record, rows).0.unwrap();
    batch.connection_id = tag;
    batch
}

fn stamp(first_seq: u64) -> Stamp {
    Stamp {
        first_seq,
        ids: IdGenerator::new().take(1_000_000, 1),
        recorded_at_us: 1_000_000,
    }
}

/// A batch on its way, with its frame made as the queue makes it: encoded first, stamped when its place is known.
pub fn append(journal: &Journal, tag: u64, rows: usize) -> Result<u64, AppendError> {
    let first_seq = journal.figures().next_seq;
    journal.append(
        &mut Frame::new(&batch(tag, rows), Vec::new()),
        &stamp(first_seq),
    )
}

fn small() -> Limits {
    Limits {
        segment_bytes: 400,
        total_bytes: 4000,
    }
}

fn open(files: &Arc<Files>, next_seq: u64) -> (Journal, Recovery) {
    open_with(files, next_seq, small())
}

fn open_with(files: &Arc<Files>, next_seq: u64, limits: Limits) -> (Journal, Recovery) {
    let layer = Arc::clone(files);
    Journal::open_in(layer, Path::new(SIDECAR), next_seq, limits).unwrap()
}

/// All frames from `from_seq` on, as (first `seq`, tag, rows); checks that each is whole.
fn frames(journal: &Journal, from_seq: u64) -> Vec<(u64, u64, usize)> {
    let mut reader = journal.reader(from_seq);
    let mut frames = Vec::new();
    while let Some(pending) = reader.read().unwrap() {
        frames.push(checked(&pending));
    }
    frames
}

fn checked((stamp, read): &Pending) -> (u64, u64, usize) {
    let tag = read.connection_id;
    assert_eq!(**read, batch(tag, read.rows()), "tag {tag}");
    (stamp.first_seq, tag, read.rows())
}

/// Bytes of a frame that [`append`] makes.
fn frame_bytes(tag: u64, rows: usize) -> usize {
    let mut bytes = Vec::new();
    codec::encode(&codec::UNSTAMPED, &batch(tag, rows), &mut bytes);
    bytes.len() + 12
}
