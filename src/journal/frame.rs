//! A batch as it stands in a segment, and the way through the frames of one.
//!
//! All numbers are little endian:
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 4 | crc32c of the other 56 bytes of the head |
//! | 4 | 4 | bytes of the body |
//! | 8 | 4 | crc32c of the body |
//! | 12 | 48 | the head of the encoded batch, see [`crate::record::codec`] |
//! | 60 | | the body: its columns |
//!
//! There are two checksums for two reasons. The body's can be made before the batch has its place in the log, so that
//! the lock that hands out places is held for 60 bytes of work, whatever the batch's size. And where a body is damaged
//! but its head is not, it is known how many operations are lost and where the next frame begins.
//!
//! Frames are found from the header on, one behind the other, and never by searching for what looks like one: a log can
//! hold a text that does.

use super::segment::HEADER_BYTES;
use crate::files::{read_up_to, LogFile};
use crate::record::{codec, Batch, Pending, Stamp};
use std::io;
use std::ops::Range;
use std::sync::Arc;

const PREFIX_BYTES: usize = 12;
pub const HEAD_BYTES: usize = PREFIX_BYTES + codec::HEAD_BYTES;

/// An encoded batch, ready to be stamped and appended.
pub struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    /// Encodes the batch into `buffer`, whose contents are dropped. Nothing of this needs a lock.
    pub fn new(batch: &Batch, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        buffer.resize(PREFIX_BYTES, 0);
        codec::encode(&codec::UNSTAMPED, batch, &mut buffer);
        let (head, body) = buffer.split_at_mut(HEAD_BYTES);
        // A body that is too long is refused by its size when it is appended.
        head[4..8].copy_from_slice(&(body.len() as u32).to_le_bytes());
        head[8..12].copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
        Self { bytes: buffer }
    }

    /// The buffer, for the next frame.
    pub fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes in the file.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn rows(&self) -> u32 {
        four(&self.bytes, PREFIX_BYTES)
    }

    /// The frame with its place in the log.
    pub(super) fn stamped(&mut self, stamp: &Stamp) -> &[u8] {
        codec::restamp(stamp, &mut self.bytes[PREFIX_BYTES..]);
        let checksum = crc32c::crc32c(&self.bytes[4..HEAD_BYTES]);
        self.bytes[..4].copy_from_slice(&checksum.to_le_bytes());
        &self.bytes
    }
}

fn four(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([0, 1, 2, 3].map(|byte| bytes[at + byte]))
}

/// Numbers beyond are no `seq`: the log has them as signed ones.
pub const SEQ_MAX: u64 = 1 << 62;

/// Frames are no longer than that, see [`super::durable`].
const FRAME_BYTES_MAX: u64 = super::JOURNAL_BYTES_MAX / 2;

/// A body larger than this is checked before it is read as a whole: whoever has planted a length takes no memory.
const BODY_UNCHECKED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What the scanner found.
pub enum Step {
    Batch(Pending),
    /// A frame below the `seq` that is asked for: nobody looked into it.
    Below(Range<u64>),
    /// A frame whose body is damaged, and the operations that it had.
    Damaged(Range<u64>),
    /// No whole frame follows before the limit.
    End,
}

/// Goes through the frames of one segment. Bytes of any kind do no harm.
pub struct Scanner {
    file: Arc<dyn LogFile>,
    /// Where the next frame begins.
    offset: u64,
    /// Frames end here at the latest.
    limit: u64,
    /// A part of the file, and where it begins.
    window: Vec<u8>,
    window_at: u64,
}

impl Scanner {
    /// Bytes that are read at a time, where a frame does not need more.
    const WINDOW_BYTES: u64 = 256 * 1024;

    pub fn new(file: Arc<dyn LogFile>, limit: u64) -> Self {
        Self {
            file,
            offset: HEADER_BYTES as u64,
            limit,
            window: Vec::new(),
            window_at: 0,
        }
    }

    /// Where the next frame begins; behind the last whole frame when the end is reached.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// The file has grown.
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// The beginning of the file.
    pub fn header(&mut self) -> io::Result<&[u8]> {
        let bytes = self.limit.min(HEADER_BYTES as u64);
        let whole = self.load(0, bytes)?;
        Ok(if whole {
            &self.window[..bytes as usize]
        } else {
            &[]
        })
    }

    /// The next frame. Frames that end at or below `from_seq` are passed by.
    pub fn step(&mut self, from_seq: u64) -> io::Result<Step> {
        if !self.load(self.offset, HEAD_BYTES as u64)? {
            return Ok(Step::End);
        }
        let head = self.loaded(HEAD_BYTES);
        if four(head, 0) != crc32c::crc32c(&head[4..]) {
            return Ok(Step::End);
        }
        let checksum = four(head, 8);
        let rows = four(head, PREFIX_BYTES);
        let first_seq = u64::from(four(head, 16)) | u64::from(four(head, 20)) << 32;
        if first_seq > SEQ_MAX {
            return Ok(Step::End);
        }
        let seqs = first_seq..first_seq.saturating_add(u64::from(rows));
        let bytes = HEAD_BYTES as u64 + u64::from(four(head, 4));
        if bytes > FRAME_BYTES_MAX || bytes > self.limit - self.offset {
            return Ok(Step::End);
        }
        if seqs.end <= from_seq {
            self.offset += bytes;
            return Ok(Step::Below(seqs));
        }
        let is_large = bytes > BODY_UNCHECKED_BYTES_MAX;
        if is_large {
            match self.checksum(self.offset + HEAD_BYTES as u64..self.offset + bytes)? {
                Some(found) if found == checksum => {}
                Some(_) => {
                    self.offset += bytes;
                    return Ok(Step::Damaged(seqs));
                }
                None => return Ok(Step::End),
            }
        }
        if !self.load(self.offset, bytes)? {
            return Ok(Step::End);
        }
        let frame = self.loaded(bytes as usize);
        let step = if !is_large && crc32c::crc32c(&frame[HEAD_BYTES..]) != checksum {
            Step::Damaged(seqs)
        } else {
            // A checksum that fits and a batch that does not is a mistake of the writer's; it is no less lost.
            match codec::decode(&frame[PREFIX_BYTES..]) {
                Ok(pending) => Step::Batch(pending),
                Err(_) => Step::Damaged(seqs),
            }
        };
        self.offset += bytes;
        Ok(step)
    }

    fn loaded(&self, bytes: usize) -> &[u8] {
        &self.window[(self.offset - self.window_at) as usize..][..bytes]
    }

    /// Has a part of the file in the window; false if it goes beyond the limit or the file's end.
    fn load(&mut self, offset: u64, bytes: u64) -> io::Result<bool> {
        let end = offset.saturating_add(bytes);
        if end > self.limit {
            return Ok(false);
        }
        let window_end = self.window_at + self.window.len() as u64;
        if offset >= self.window_at && end <= window_end {
            return Ok(true);
        }
        let wanted = bytes.max(Self::WINDOW_BYTES).min(self.limit - offset) as usize;
        self.window_at = offset;
        // Zeroed again only where it grows: the reading below overwrites what it keeps.
        self.window.resize(wanted, 0);
        let filled = read_up_to(&*self.file, &mut self.window, offset);
        let filled = match filled {
            Ok(filled) => filled,
            // What is needed is there: the error comes when it is needed.
            Err((filled, _)) if filled as u64 >= bytes => filled,
            Err((_, error)) => {
                self.window.clear();
                return Err(error);
            }
        };
        self.window.truncate(filled);
        Ok(filled as u64 >= bytes)
    }

    /// The checksum of a part of the file; none if it ends before.
    fn checksum(&self, part: Range<u64>) -> io::Result<Option<u32>> {
        let mut buffer = vec![0; Self::WINDOW_BYTES as usize];
        let mut checksum = 0;
        let mut at = part.start;
        while at < part.end {
            let wanted = (part.end - at).min(Self::WINDOW_BYTES) as usize;
            let filled = read_up_to(&*self.file, &mut buffer[..wanted], at);
            if filled.map_err(|(_, error)| error)? < wanted {
                return Ok(None);
            }
            checksum = crc32c::crc32c_append(checksum, &buffer[..wanted]);
            at += wanted as u64;
        }
        Ok(Some(checksum))
    }
}
