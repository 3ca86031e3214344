//! Blocks that a kill has left half written.
//!
//! A checkpoint writes the blocks that metadata stand in anew where they are (`MetadataManager::Flush` in `src/storage` of
//! DuckDB's source): parts that the last checkpoint uses keep what they have, and parts that are free get what is new. A
//! process that is killed in between leaves some pages of the new block and some of the old one under the checksum of the
//! new one. What the file's header leads to is the same in both, so the block is whole for it, once its checksum is that of
//! what is there.

use super::attach::open_unchecked;
use super::damage::{self, Finding, BLOCK_BYTES, HEADERS_BYTES};
use super::place::Place;
use super::schema;
use super::store::Store;
use crate::files::{open_regular, Mode};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The parts of a block of metadata. Each begins with the place of the next one.
const PARTS: usize = 64;
const PART_BYTES: usize = (BLOCK_BYTES - 8) / PARTS / 8 * 8;

/// A block whose checksum was exchanged.
struct Sealed {
    at: u64,
    before: [u8; 8],
}

/// A kill tears one. A machine that stops may tear all that were written last.
const BLOCKS_MAX: usize = 8;

/// Opens a log anew in which nothing is wrong but blocks that were half written; and says what was done.
pub(super) fn completed(path: &Path) -> Option<(Store, String)> {
    let Ok(Finding::Whole { bad_blocks }) = damage::look(path) else {
        return None;
    };
    let torn = present(path, bad_blocks).ok()?;
    if torn.is_empty() || torn.len() > BLOCKS_MAX {
        return None;
    }
    let mut sealed = Vec::new();
    for block in torn {
        match seal(path, block) {
            Ok(Some(block)) => sealed.push(block),
            _ => {
                undo(path, &sealed);
                return None;
            }
        }
    }
    match open_unchecked(&Place::File(path.to_path_buf())) {
        Ok(store) if reads_whole(&store) => {
            let note = format!(
                "a kill had left {} of the blocks of {} half written; nothing is missing",
                sealed.len(),
                path.display()
            );
            Some((store, note))
        }
        _ => {
            undo(path, &sealed);
            None
        }
    }
}

/// Those of the blocks that are in the file. Free ones at its end are cut off when a checkpoint is over, and its header counts them
/// all the same; whether one is missing that is in use shows when the tables are read.
fn present(path: &Path, mut blocks: Vec<u64>) -> io::Result<Vec<u64>> {
    let bytes = std::fs::metadata(path)?.len();
    blocks.retain(|block| HEADERS_BYTES as u64 + (block + 1) * BLOCK_BYTES as u64 <= bytes);
    Ok(blocks)
}

/// What was damaged is damaged as it was.
fn undo(path: &Path, sealed: &[Sealed]) {
    let Ok(file) = open_regular(path, Mode::Write) else {
        return;
    };
    for block in sealed {
        let _ = file.write_all_at(&block.before, block.at);
    }
}

/// Gives a block the checksum of what is in it, if it can be one of metadata.
fn seal(path: &Path, block: u64) -> io::Result<Option<Sealed>> {
    let file = open_regular(path, Mode::Write)?;
    let blocks = (file.metadata()?.len() - HEADERS_BYTES as u64) / BLOCK_BYTES as u64;
    let at = HEADERS_BYTES as u64 + block * BLOCK_BYTES as u64;
    let mut bytes = vec![0; BLOCK_BYTES];
    file.read_exact_at(&mut bytes, at)?;
    if !is_metadata(&bytes, blocks) {
        return Ok(None);
    }
    let checksum = damage::checksum(&bytes[8..]).to_le_bytes();
    file.write_all_at(&checksum, at)?;
    file.sync_all()?;
    let mut before = [0; 8];
    before.copy_from_slice(&bytes[..8]);
    Ok(Some(Sealed { at, before }))
}

/// Whether every part of a block leads on to a block that there is, or to none.
fn is_metadata(block: &[u8], blocks: u64) -> bool {
    block[8..].chunks_exact(PART_BYTES).take(PARTS).all(|part| {
        let next = damage::eight(part);
        let (number, index) = (next & ((1 << 56) - 1), next >> 56);
        next == u64::MAX || (number < blocks && index < PARTS as u64)
    })
}

/// Whether all rows of all tables can be read.
fn reads_whole(store: &Store) -> bool {
    let read = |table: &str| {
        let rows = format!("SELECT max(hash(read)) FROM \"{table}\" AS read");
        store.connection.query(&rows).is_ok()
    };
    schema::tables(&store.connection).is_ok_and(|tables| tables.iter().all(|table| read(table)))
}
