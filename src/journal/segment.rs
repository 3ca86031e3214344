//! One file of the journal: its header.
//!
//! Segments lie beside the sidecar and are numbered without end: `app.duckdb.oplog.journal.000001` and on. All numbers
//! in them are little endian. The header, behind which frames follow without a gap:
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 8 | `oplogjnl` |
//! | 8 | 4 | format version: 1 |
//! | 12 | 4 | crc32c of the other 36 bytes of the header |
//! | 16 | 8 | number of the segment |
//! | 24 | 8 | `seq` that its first frame begins with |
//! | 32 | 8 | `seq` behind the last frame before it: less if operations in between were not to be journaled |
//!
//! Every later version keeps the magic, the version and the checksum of 40 bytes where they are, so that a newer
//! journal is told from a damaged one.

use crate::files::JOURNAL_MAGIC as MAGIC;

pub const HEADER_BYTES: usize = 40;
pub const FORMAT_VERSION: u32 = 1;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    Known {
        number: u64,
        first_seq: u64,
        follows_seq: u64,
    },
    /// Written by a newer oplog.
    Newer(u32),
    Damaged,
}

pub fn header(number: u64, first_seq: u64, follows_seq: u64) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes[16..24].copy_from_slice(&number.to_le_bytes());
    bytes[24..32].copy_from_slice(&first_seq.to_le_bytes());
    bytes[32..].copy_from_slice(&follows_seq.to_le_bytes());
    let checksum = checksum(&bytes);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn checksum(header: &[u8; HEADER_BYTES]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header[..12]), &header[16..])
}

impl Header {
    pub fn parse(bytes: &[u8]) -> Self {
        let Some(bytes) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Self::Damaged;
        };
        let four = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| bytes[at + byte]));
        let eight = |at: usize| u64::from(four(at)) | u64::from(four(at + 4)) << 32;
        if !bytes.starts_with(MAGIC) || four(12) != checksum(bytes) {
            return Self::Damaged;
        }
        match four(8) {
            FORMAT_VERSION => Self::Known {
                number: eight(16),
                first_seq: eight(24),
                follows_seq: eight(32),
            },
            0 => Self::Damaged,
            newer => Self::Newer(newer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_back() {
        assert_eq!(
            Header::parse(&header(3, 77, 70)),
            Header::Known {
                number: 3,
                first_seq: 77,
                follows_seq: 70,
            }
        );
    }

    #[test]
    fn a_changed_bit_is_damage_and_not_a_newer_version() {
        let good = header(3, 77, 70);
        for bit in 0..8 * HEADER_BYTES {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::parse(&bad), Header::Damaged, "bit {bit}");
        }
        assert_eq!(Header::parse(&good[..39]), Header::Damaged);
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut newer = header(3, 77, 70);
        newer[8] = 2;
        let checksum = checksum(&newer);
        newer[12..16].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(Header::parse(&newer), Header::Newer(2));
    }
}
