//! Finding out, when a journal is opened, what is in it and what has happened to it.
//!
//! Every segment is read from its header on, frame by frame. What the store has is passed by; of the rest every frame
//! is checked and decoded once, and the next `seq` follows from the last one.
//!
//! - **A torn end** is what follows the last whole frame of a segment when nothing is missing behind it: the process or
//!   the power went away in the middle of a write that nobody had acknowledged, or a failed write could not be taken
//!   back. It is cut off and counted in bytes.
//! - **Damage** is everything else that cannot be read. Every frame before it is kept; so is every frame behind it that
//!   is whole and has a later `seq`: those are acknowledged operations, and that others are lost is no reason to lose
//!   them too. The `seq` of the lost ones stay unused and are reported; nothing takes their place. If only a body is
//!   damaged, the frames behind it are found; if a head is, the rest of its segment is lost, and the next segment goes
//!   on. The file is renamed, not deleted, once the store has committed what was good in it.
//! - **A missing segment** leaves a gap, reported in the same way.
//! - **A newer format** is an error, and nothing is touched.
//! - **What is no regular file** is left alone, whatever its name.
//!
//! A frame at the very end whose bytes were damaged after it had been acknowledged looks like a torn one. No format can
//! tell them apart.

use super::error::OpenError;
use super::frame::{Scanner, Step};
use super::reader::behind;
use super::segment::{Header, HEADER_BYTES};
use super::state::Segment;
use crate::files::{FileError, FileLayer, LogFile, Names};
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Where numbering goes on.
    pub next_seq: u64,
    /// What the store has not: frames, and operations in them.
    pub frames: u64,
    pub rows: u64,
    /// What was cut off behind the last whole frames.
    pub torn_bytes: u64,
    /// `seq` of operations that were journaled and cannot be read.
    pub lost: Vec<Range<u64>>,
    pub damaged: Vec<DamagedSegment>,
    /// What has a segment's name and is none.
    pub strange: Vec<PathBuf>,
}

impl Recovery {
    pub fn lost_operations(&self) -> u64 {
        self.lost.iter().map(|lost| lost.end - lost.start).sum()
    }
}

/// A segment that is damaged. What is good in it is read like any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedSegment {
    pub path: PathBuf,
    /// Its name from the moment that its good frames are released.
    pub set_aside: PathBuf,
    pub reason: String,
}

/// Operations that can be missing between two frames: a thousand years of a million in a second. A `seq` that is further
/// off is none of this log's.
const GAP_MAX: u64 = 1 << 55;

/// Segments that can have been begun, and given back, behind the last one that has a frame.
const NUMBERS_AHEAD_MAX: u64 = 1_000_000;

/// One segment, read.
struct Scan {
    number: u64,
    path: PathBuf,
    file: Arc<dyn LogFile>,
    bytes: u64,
    header: Header,
    /// Where the last good frame ends.
    good_end: u64,
    /// `seq` that its first good frame begins and its last one ends with.
    seqs: Option<Range<u64>>,
    /// Frames with a damaged body, or out of order, that good ones follow.
    bad_frames: u64,
    read_error: Option<io::Error>,
    /// The `seq` that was expected when its end was reached.
    expected_behind: u64,
}

impl Scan {
    fn open(
        layer: &dyn FileLayer,
        names: &Names,
        number: u64,
    ) -> Result<(Self, Scanner), FileError> {
        let path = names.segment(number);
        let file = layer.open(&path).map_err(FileError::of("open", &path))?;
        let bytes = file.bytes().map_err(FileError::of("read", &path))?;
        let mut scanner = Scanner::new(Arc::clone(&file), bytes);
        let header = scanner.header().map_or(Header::Damaged, Header::parse);
        let scan = Self {
            number,
            path,
            file,
            bytes,
            header,
            good_end: HEADER_BYTES as u64,
            seqs: None,
            bad_frames: 0,
            read_error: None,
            expected_behind: 0,
        };
        Ok((scan, scanner))
    }

    /// Reads all frames, and adds what the store has not to `recovery`.
    fn read(&mut self, mut scanner: Scanner, recovery: &mut Recovery) {
        let mut bad_frames = 0;
        loop {
            let seqs = match scanner.step(recovery.next_seq) {
                Ok(Step::Below(seqs)) => seqs,
                Ok(Step::Batch(pending)) => {
                    let first_seq = pending.0.first_seq;
                    // Only the first one can have been committed in part.
                    let rest = if recovery.frames == 0 {
                        behind(pending, recovery.next_seq)
                    } else {
                        Some(pending).filter(|_| first_seq >= recovery.next_seq)
                    };
                    let rest = rest.filter(|(stamp, _)| {
                        stamp.first_seq - recovery.next_seq.min(stamp.first_seq) <= GAP_MAX
                    });
                    let Some((stamp, batch)) = rest else {
                        bad_frames += 1;
                        continue;
                    };
                    let seqs = stamp.first_seq..stamp.first_seq + batch.rows() as u64;
                    // The frames that its header stands before are found; so is what it says of those between.
                    let skipped = self.skipped(recovery.next_seq);
                    if recovery.next_seq < skipped.start {
                        recovery.lost.push(recovery.next_seq..skipped.start);
                    }
                    let expected = recovery.next_seq.max(skipped.end);
                    if seqs.start > expected {
                        recovery.lost.push(expected..seqs.start);
                    }
                    recovery.next_seq = seqs.end;
                    recovery.frames += 1;
                    recovery.rows += batch.rows() as u64;
                    seqs
                }
                Ok(Step::Damaged(_)) => {
                    bad_frames += 1;
                    continue;
                }
                Ok(Step::End) => break,
                Err(error) => {
                    self.read_error = Some(error);
                    break;
                }
            };
            self.bad_frames += std::mem::take(&mut bad_frames);
            self.good_end = scanner.offset();
            match &mut self.seqs {
                Some(known) => known.end = seqs.end,
                none => *none = Some(seqs),
            }
        }
        self.expected_behind = recovery.next_seq;
    }

    /// The `seq` before its first frame that were not to be journaled; none where the log cannot have come so far.
    fn skipped(&self, next_seq: u64) -> Range<u64> {
        match self.header {
            Header::Known {
                number,
                first_seq,
                follows_seq,
            } if number == self.number && first_seq <= next_seq.saturating_add(GAP_MAX) => {
                follows_seq..first_seq.max(follows_seq)
            }
            _ => 0..0,
        }
    }

    fn torn_bytes(&self) -> u64 {
        match self.seqs {
            None if self.bytes < HEADER_BYTES as u64 => self.bytes,
            _ => self.bytes.saturating_sub(self.good_end),
        }
    }

    /// What is wrong with it beyond a torn end; `next` is the first `seq` behind it.
    fn damage(&self, next: Option<u64>) -> Option<String> {
        let nothing_missing = next.is_none_or(|next| next <= self.expected_behind);
        if let Some(error) = &self.read_error {
            return Some(format!("it cannot be read to its end: {error}"));
        }
        if self.bad_frames > 0 {
            return Some(format!("{} of its frames are damaged", self.bad_frames));
        }
        if self.header == Header::Damaged && self.bytes > HEADER_BYTES as u64 {
            return Some("its header is damaged".into());
        }
        if matches!(self.header, Header::Known { number, .. } if number != self.number) {
            return Some("its header is that of another segment".into());
        }
        if self.torn_bytes() > 0 && !nothing_missing {
            return Some(format!("it cannot be read from byte {} on", self.good_end));
        }
        None
    }
}

/// Reads the journal that is there, cuts off what is torn, and gives its segments and the number of the next one.
pub(super) fn recover(
    layer: &dyn FileLayer,
    names: &Names,
    next_seq: u64,
) -> Result<(VecDeque<Segment>, u64, Recovery), OpenError> {
    let listed = layer
        .list(&names.directory)
        .map_err(FileError::of("list", &names.directory))?;
    let mut numbers: Vec<u64> = listed
        .iter()
        .filter_map(|name| names.number(name))
        .collect();
    numbers.sort_unstable();
    let mut recovery = Recovery {
        next_seq,
        ..Recovery::default()
    };
    // All headers come before any change.
    let mut opened = Vec::with_capacity(numbers.len());
    for number in &numbers {
        match Scan::open(layer, names, *number) {
            Ok((
                Scan {
                    header: Header::Newer(version),
                    path,
                    ..
                },
                _,
            )) => return Err(OpenError::Newer { path, version }),
            Ok(scan) => opened.push(scan),
            Err(error) if layer.is_strange(&error.path) => recovery.strange.push(error.path),
            Err(error) => return Err(error.into()),
        }
    }
    let mut scans = Vec::with_capacity(opened.len());
    for (mut scan, scanner) in opened {
        scan.read(scanner, &mut recovery);
        scans.push(scan);
    }
    // Anybody can have made a file without a frame. One far ahead would have numbers run out.
    let last = scans.iter().rev().find(|scan| scan.seqs.is_some());
    let number_max = last.map_or(0, |last| last.number) + NUMBERS_AHEAD_MAX;
    let far = scans.partition_point(|scan| scan.number <= number_max);
    recovery
        .strange
        .extend(scans.drain(far..).map(|scan| scan.path));
    let mut segments = VecDeque::new();
    let now_s = crate::system::clock::now_us() as u64 / 1_000_000;
    for (index, scan) in scans.iter().enumerate() {
        let next = scans[index + 1..].iter().find_map(|scan| scan.seqs.clone());
        let mut bytes = scan.bytes;
        let set_aside = if let Some(reason) = scan.damage(next.map(|seqs| seqs.start)) {
            let set_aside = (0..)
                .map(|attempt| names.set_aside(scan.number, now_s, attempt))
                .find(|path| {
                    path.file_name()
                        .is_none_or(|name| !listed.iter().any(|l| l == name))
                });
            recovery.damaged.push(DamagedSegment {
                path: scan.path.clone(),
                set_aside: set_aside.clone().unwrap_or_default(),
                reason,
            });
            set_aside
        } else {
            recovery.torn_bytes += scan.torn_bytes();
            if scan.torn_bytes() > 0 && scan.seqs.is_some() {
                let cut = scan.file.truncate(scan.good_end);
                cut.map_err(FileError::of("cut the torn end of", &scan.path))?;
                bytes = scan.good_end;
            }
            None
        };
        segments.push_back(Segment {
            number: scan.number,
            path: scan.path.clone(),
            file: None,
            skipped: scan.skipped(scan.expected_behind),
            // One without a frame is released at once.
            next_seq: scan.seqs.as_ref().map_or(0, |seqs| seqs.end),
            end: scan.good_end,
            bytes,
            dirty: false,
            set_aside,
        });
    }
    let next_number = scans.last().map_or(1, |last| last.number + 1);
    Ok((segments, next_number, recovery))
}
