//! What stands in the file of spans.
//!
//! Behind a header follow frames without a gap. All numbers are little endian:
//!
//! | offset | bytes | header |
//! |---|---|---|
//! | 0 | 8 | `oplogspn` |
//! | 8 | 4 | format version: 1 |
//! | 12 | 4 | crc32c of the 12 bytes before |
//!
//! | offset | bytes | frame |
//! |---|---|---|
//! | 0 | 4 | crc32c of all that follows |
//! | 4 | 4 | bytes of the body |
//! | 8 | 1 | kind: 1 is a span that started, 2 are spans that ended |
//! | 9 | | the body: the span as a batch of one row, see [`crate::record::codec`]; or the ids, 16 bytes each |
//!
//! One checksum is enough here: the file is small, and read as a whole.

use crate::files::SPANS_MAGIC;
use crate::record::{codec, Batch, IdRange, Stamp};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const HEADER_BYTES: usize = 16;
const FORMAT_VERSION: u32 = 1;

const PREFIX_BYTES: usize = 9;
const KIND_AT: usize = 8;
const STARTED: u8 = 1;
const ENDED: u8 = 2;
const ID_BYTES: usize = 16;

/// A span as the file has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    pub id: u128,
    pub started_at_us: i64,
    pub batch: Arc<Batch>,
}

pub fn header() -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(SPANS_MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    let checksum = crc32c::crc32c(&bytes[..12]);
    bytes[12..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The frame of a span that starts.
pub fn started(span: &Started) -> Vec<u8> {
    let stamp = Stamp {
        ids: IdRange::starting_at(span.id),
        recorded_at_us: span.started_at_us,
        ..codec::UNSTAMPED
    };
    let mut frame = vec![0; PREFIX_BYTES];
    codec::encode(&stamp, &span.batch, &mut frame);
    sealed(frame, STARTED)
}

/// The span of a frame that [`started`] made.
pub fn read_started(frame: &[u8]) -> Option<Started> {
    let (stamp, batch) = codec::decode(frame.get(PREFIX_BYTES..)?).ok()?;
    (batch.rows() == 1).then_some(Started {
        id: stamp.ids.id(0),
        started_at_us: stamp.recorded_at_us,
        batch,
    })
}

/// The frame of spans that end.
pub fn ended(ids: &[u128]) -> Vec<u8> {
    let mut frame = vec![0; PREFIX_BYTES];
    frame.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
    sealed(frame, ENDED)
}

fn sealed(mut frame: Vec<u8>, kind: u8) -> Vec<u8> {
    let bytes = (frame.len() - PREFIX_BYTES) as u32;
    frame[4..8].copy_from_slice(&bytes.to_le_bytes());
    frame[KIND_AT] = kind;
    let checksum = crc32c::crc32c(&frame[4..]);
    frame[..4].copy_from_slice(&checksum.to_le_bytes());
    frame
}

/// What a file was found to hold.
#[derive(Debug, Default)]
pub struct Contents {
    /// Spans that started and did not end, by their ids.
    pub running: BTreeMap<u128, Started>,
    /// Where the last whole frame ends.
    pub end: usize,
    /// Why it is damaged, beyond a torn end.
    pub damage: Option<String>,
    /// The version of a newer oplog's file, of which nothing was read.
    pub newer: Option<u32>,
}

fn four(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([0, 1, 2, 3].map(|byte| bytes[at + byte]))
}

/// Reads a file. Bytes of any kind do no harm: what is no whole frame is passed by, and reading goes on with the next one
/// that is, wherever it begins. So damage costs the frames that it hits and no other, and it shows by what follows it:
/// where nothing does, it looks like the torn end that a write leaves which was not finished.
pub fn read(bytes: &[u8]) -> Contents {
    let mut contents = Contents::default();
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
        // Somebody died while beginning it.
        return contents;
    };
    if !header.starts_with(SPANS_MAGIC) || four(header, 12) != crc32c::crc32c(&header[..12]) {
        contents.damage = Some("its header is damaged".into());
        return contents;
    }
    if four(header, 8) != FORMAT_VERSION {
        contents.newer = Some(four(header, 8));
        return contents;
    }
    contents.end = HEADER_BYTES;
    let mut search = Search::over(bytes);
    while let Some((at, frame)) = search.next(contents.end) {
        if at != contents.end {
            contents.damage = Some("some of its frames are damaged".into());
        }
        contents.end = at + PREFIX_BYTES + frame.body_bytes;
        match frame.what {
            What::Started(span) => {
                contents.running.insert(span.id, span);
            }
            What::Ended(ids) => ids.iter().for_each(|id| {
                contents.running.remove(id);
            }),
        }
    }
    contents
}

enum What {
    Started(Started),
    Ended(Vec<u128>),
}

struct Frame {
    what: What,
    body_bytes: usize,
}

/// The way through a file that may be damaged.
struct Search<'a> {
    bytes: &'a [u8],
    /// What may still be checksummed in search of a frame that does not stand where one should: bytes that look like
    /// frames everywhere would take the square of their number otherwise.
    budget: usize,
}

/// Bytes that are checksummed in search of frames, for each byte of the file.
const SEARCH_FACTOR: usize = 16;

impl<'a> Search<'a> {
    fn over(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            budget: bytes.len().saturating_mul(SEARCH_FACTOR),
        }
    }

    /// The next whole frame from `at` on, and where it begins.
    fn next(&mut self, at: usize) -> Option<(usize, Frame)> {
        // Where only a body is damaged, the length tells where the next frame begins. A text may look like a frame, so the
        // bytes between are looked into only if that leads nowhere.
        let behind = frame_at(self.bytes, at).map(|frame| at + frame.len());
        let expected = [Some(at), behind].into_iter().flatten();
        for at in expected {
            if let Some(frame) = frame_at(self.bytes, at).and_then(whole) {
                return Some((at, frame));
            }
        }
        let kinds = self.bytes.get(at + 1 + KIND_AT..).unwrap_or_default();
        for behind in memchr::memchr2_iter(STARTED, ENDED, kinds) {
            let at = at + 1 + behind;
            let Some(frame) = frame_at(self.bytes, at).filter(|frame| may_be(frame)) else {
                continue;
            };
            self.budget = self.budget.checked_sub(frame.len())?;
            if let Some(frame) = whole(frame) {
                return Some((at, frame));
            }
        }
        None
    }
}

/// What would be a frame, by its length alone.
fn frame_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..).filter(|rest| rest.len() >= PREFIX_BYTES)?;
    let body_bytes = usize::try_from(four(rest, 4)).ok()?;
    rest.get(..PREFIX_BYTES.checked_add(body_bytes)?)
}

/// Whether it is worth a checksum: cheap to tell, and seldom so by chance.
fn may_be(frame: &[u8]) -> bool {
    let body = &frame[PREFIX_BYTES..];
    match frame[KIND_AT] {
        STARTED => body.starts_with(&1_u32.to_le_bytes()),
        ENDED => body.len().is_multiple_of(ID_BYTES),
        _ => false,
    }
}

fn whole(frame: &[u8]) -> Option<Frame> {
    if !may_be(frame) || four(frame, 0) != crc32c::crc32c(&frame[4..]) {
        return None;
    }
    let body = &frame[PREFIX_BYTES..];
    let what = match frame[KIND_AT] {
        STARTED => What::Started(read_started(frame)?),
        _ => {
            let ids = body.as_chunks::<ID_BYTES>().0.iter();
            What::Ended(ids.map(|id| u128::from_le_bytes(*id)).collect())
        }
    };
    Some(Frame {
        what,
        body_bytes: body.len(),
    })
}
