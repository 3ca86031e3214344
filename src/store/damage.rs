//! Whether a DuckDB file is whole, told by what is in it.
//!
//! DuckDB's errors carry no code in the v1 C API, and their words change. Its files carry checksums: of each of the three
//! headers of 4 KiB that a file begins with, and of each block behind them (`MainHeader`, `DatabaseHeader` and
//! `SingleFileBlockManager` in `src/storage` of DuckDB's source).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

const HEADER_BYTES: usize = 4096;
const HEADERS: usize = 3;
pub(super) const HEADERS_BYTES: usize = HEADERS * HEADER_BYTES;
const MAGIC: &[u8; 4] = b"DUCK";

/// The size of a block of every log: DuckDB's default.
pub(super) const BLOCK_BYTES: usize = 262_144;

/// Blocks beyond the end of a file are named up to this number: one is enough to know.
const BLOCKS_MISSING_MAX: u64 = 10_000;

/// The format of every log: what DuckDB writes where storage version v1.5.0 is asked for.
const FORMAT: u64 = 68;

/// What a file was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Its headers are whole. The numbers of blocks whose checksums do not fit: some of them may be in no use.
    Whole { bad_blocks: Vec<u64> },
    /// Its headers are whole, and say that it has a format that logs do not have: this number.
    OtherFormat(u64),
    /// One of its headers is damaged, or the file ends in the middle of them.
    NoHeaders,
}

/// Reads a file from its beginning to its end.
pub fn look(path: &Path) -> io::Result<Finding> {
    let mut file = File::open(path)?;
    let mut headers = vec![0; HEADERS_BYTES];
    if read_up_to(&mut file, &mut headers)? < headers.len() {
        return Ok(Finding::NoHeaders);
    }
    let main = &headers[..HEADER_BYTES];
    if !fits(main) || !main[8..].starts_with(MAGIC) {
        return Ok(Finding::NoHeaders);
    }
    let format = eight(&main[12..]);
    if format != FORMAT {
        return Ok(Finding::OtherFormat(format));
    }
    // The two database headers are written in turn: a kill in the middle leaves the one before, which counts then.
    let database = headers[HEADER_BYTES..].chunks(HEADER_BYTES);
    let Some(newest) = database
        .filter(|header| fits(header))
        .max_by_key(|header| eight(&header[8..]))
    else {
        return Ok(Finding::NoHeaders);
    };
    // Behind the checksum stand the iteration, the places of metadata and free list, and the number of blocks.
    let blocks = eight(&newest[32..]);
    let mut bad_blocks = Vec::new();
    let mut block = vec![0; BLOCK_BYTES];
    for number in 0.. {
        match read_up_to(&mut file, &mut block)? {
            0 => {
                bad_blocks.extend(number..blocks.min(number + BLOCKS_MISSING_MAX));
                break;
            }
            BLOCK_BYTES if fits(&block) => {}
            _ => bad_blocks.push(number),
        }
    }
    Ok(Finding::Whole { bad_blocks })
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

pub(super) fn eight(bytes: &[u8]) -> u64 {
    bytes
        .first_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Whether the checksum that leads the bytes is theirs.
fn fits(bytes: &[u8]) -> bool {
    eight(bytes) == checksum(&bytes[8..])
}

pub(super) fn checksum(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().fold(5381, |sum, word| {
        sum ^ u64::from_le_bytes(*word).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
        let checksum = checksum(&bytes[8..]);
        bytes[..8].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn file(format: u64, blocks: usize) -> Vec<u8> {
        let mut main = vec![0; HEADER_BYTES];
        main[8..12].copy_from_slice(MAGIC);
        main[12..20].copy_from_slice(&format.to_le_bytes());
        let mut bytes = sealed(main);
        for iteration in 1..=2_u64 {
            let mut database = vec![0; HEADER_BYTES];
            database[8..16].copy_from_slice(&iteration.to_le_bytes());
            database[32..40].copy_from_slice(&(blocks as u64).to_le_bytes());
            bytes.extend(sealed(database));
        }
        for number in 0..blocks {
            bytes.extend(sealed(vec![number as u8; BLOCK_BYTES]));
        }
        bytes
    }

    fn found(bytes: &[u8]) -> Finding {
        let path = std::env::temp_dir().join(format!("oplog-damage-{}", fastrand::u64(..)));
        std::fs::write(&path, bytes).unwrap();
        let finding = look(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        finding
    }

    fn whole(bad_blocks: &[u64]) -> Finding {
        Finding::Whole {
            bad_blocks: bad_blocks.to_vec(),
        }
    }

    #[test]
    fn a_whole_file_is_whole_and_a_changed_block_is_named() {
        let good = file(FORMAT, 3);
        assert_eq!(found(&good), whole(&[]));
        let mut bad = good.clone();
        bad[HEADERS * HEADER_BYTES + BLOCK_BYTES + 5000] ^= 1;
        assert_eq!(found(&bad), whole(&[1]));
        assert_eq!(found(&good[..good.len() - 1]), whole(&[2]));
        assert_eq!(found(&good[..good.len() - 2 * BLOCK_BYTES]), whole(&[1, 2]));
    }

    #[test]
    fn headers_are_told_apart_from_another_format() {
        assert_eq!(found(&[]), Finding::NoHeaders);
        assert_eq!(found(&file(FORMAT, 0)[..12_287]), Finding::NoHeaders);
        assert_eq!(found(&file(99, 0)), Finding::OtherFormat(99));
        let mut bad = file(FORMAT, 0);
        bad[12] ^= 1;
        assert_eq!(found(&bad), Finding::NoHeaders);
        let mut one_header = file(FORMAT, 0);
        one_header[HEADER_BYTES + 9] ^= 1;
        assert_eq!(found(&one_header), whole(&[]));
        one_header[2 * HEADER_BYTES + 9] ^= 1;
        assert_eq!(found(&one_header), Finding::NoHeaders);
    }
}
