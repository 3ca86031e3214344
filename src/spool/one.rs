//! Reading one spool: what the log has not, and what is wrong with the rest.

use super::taken::{set_aside, Failed, Finished, InLog, Progress, Taken, TAKE_BYTES_MAX};
use crate::files::{open_regular, FileError, LogFile, Mode, Names};
use crate::journal::{behind, Header, Scanner, Step, HEADER_BYTES};
use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A spool that is being read.
pub(super) struct Spool<'a> {
    names: &'a Names,
    log: &'a Path,
    /// Its guest is gone: nothing more is written.
    is_gone: bool,
    progress: &'a mut Progress,
    /// The `seq` that comes next, once that is known: a spool that nobody has looked into begins where its first segment
    /// does.
    expected: Option<u64>,
}

/// How a segment was read.
enum Read {
    /// There is more than is taken at a time.
    Part,
    /// All that is in it now.
    Whole {
        /// Behind the last whole frame something stands that is none.
        torn: bool,
        damage: Option<String>,
    },
    /// It is not there any more, or is to be left alone.
    Nothing,
}

impl<'a> Spool<'a> {
    pub fn new(names: &'a Names, log: &'a Path, is_gone: bool, progress: &'a mut Progress) -> Self {
        Self {
            names,
            log,
            is_gone,
            expected: Some(progress.next_seq).filter(|seq| *seq > 0),
            progress,
        }
    }

    /// Reads the segments of these numbers, and says whether that was to their end.
    pub fn read(
        &mut self,
        numbers: &BTreeSet<u64>,
        in_log: &mut InLog,
        taken: &mut Taken,
        bytes: &mut usize,
    ) -> Result<bool, Failed> {
        let last = numbers.last().copied();
        for number in numbers.iter().copied() {
            let is_live = !self.is_gone && last == Some(number);
            let path = self.names.segment(number);
            let (torn, damage) = match self.read_segment(number, is_live, in_log, taken, bytes)? {
                Read::Part => return Ok(false),
                Read::Nothing => continue,
                Read::Whole { torn, damage } => (torn, damage),
            };
            if is_live {
                // What is torn may be in the middle of being written.
                if let Some(damage) = damage {
                    let note = format!("{} is damaged ({damage})", path.display());
                    self.progress.note(note, taken);
                }
                continue;
            }
            // A guest ends a segment that it could not write to, and goes on in the next one: nobody was told that what is
            // torn is recorded, unless a number is missing, and that shows in the next frame.
            let damage = damage.or_else(|| {
                let is_followed = torn && last != Some(number);
                is_followed
                    .then(|| self.is_gap_behind(number, numbers))
                    .flatten()
            });
            let finished = match damage {
                None => Finished::Delete(path),
                Some(damage) => {
                    let aside = set_aside(self.log, number, &taken.finished);
                    let note = format!(
                        "{} was damaged and will be {} ({damage})",
                        path.display(),
                        aside.display()
                    );
                    self.progress.note(note, taken);
                    Finished::SetAside(path, aside)
                }
            };
            taken.finished.push(finished);
        }
        Ok(true)
    }

    /// Why a segment with a torn end is damaged, if operations are missing between it and the next one.
    fn is_gap_behind(&self, number: u64, numbers: &BTreeSet<u64>) -> Option<String> {
        let next = numbers.range(number + 1..).next()?;
        let file = open_regular(&self.names.segment(*next), Mode::Read).ok()?;
        let limit = file.bytes().ok()?;
        let mut scanner = Scanner::new(Arc::new(file), limit);
        match Header::parse(scanner.header().ok()?) {
            Header::Known { follows_seq, .. } if follows_seq > self.progress.next_seq => {
                Some("it cannot be read to its end".into())
            }
            _ => None,
        }
    }

    /// Opens a segment, where there is one.
    fn open(
        &mut self,
        path: &Path,
        taken: &mut Taken,
    ) -> Result<Option<impl LogFile + 'static>, Failed> {
        match open_regular(path, Mode::Read) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(_) if std::fs::symlink_metadata(path).is_ok_and(|file| !file.is_file()) => {
                let note = format!(
                    "{} has the name of a spool's file and is no regular file; it is left alone",
                    path.display()
                );
                self.progress.note(note, taken);
                Ok(None)
            }
            Err(error) => Err(failed("open", path, error)),
        }
    }

    fn read_segment(
        &mut self,
        number: u64,
        is_live: bool,
        in_log: &mut InLog,
        taken: &mut Taken,
        bytes: &mut usize,
    ) -> Result<Read, Failed> {
        let path = self.names.segment(number);
        let Some(file) = self.open(&path, taken)? else {
            return Ok(Read::Nothing);
        };
        let limit = file.bytes().map_err(|error| failed("read", &path, error))?;
        let mut scanner = Scanner::new(Arc::new(file), limit);
        let header = scanner
            .header()
            .map_err(|error| failed("read", &path, error))?;
        let header = Header::parse(header);
        let (mut damage, skipped) = judge(header, number, limit).map_err(|version| {
            Failed::Spool(format!(
                "{} has format version {version}, written by a newer oplog: its owner has to be as new",
                path.display()
            ))
        })?;
        let begins = matches!(header, Header::Known { .. }) && damage.is_none();
        let mut expected = self.expected.or(begins.then_some(skipped.end));
        let mut bad_frames = 0_u64;
        // Of the frames that are damaged, those behind which no good one was seen yet.
        let mut unread: Option<Range<u64>> = None;
        let mut unread_frames = 0_u64;
        while *bytes < TAKE_BYTES_MAX {
            let step = scanner
                .step(self.progress.next_seq)
                .map_err(|error| failed("read", &path, error))?;
            match step {
                Step::End => {
                    let torn = limit > scanner.offset() && limit >= HEADER_BYTES as u64;
                    // What stands at the end of a segment that is in use may not be written yet.
                    if !is_live {
                        bad_frames += unread_frames;
                    }
                    if let Some(unread) = unread.filter(|_| !is_live) {
                        let from = expected.unwrap_or(unread.start);
                        taken.lost_operations += unread.end.saturating_sub(from);
                        expected = Some(unread.end.max(from));
                        self.progress.next_seq = self.progress.next_seq.max(unread.end);
                    }
                    self.expected = expected;
                    if bad_frames > 0 && damage.is_none() {
                        damage = Some(format!("{bad_frames} of its frames are damaged"));
                    }
                    return Ok(Read::Whole { torn, damage });
                }
                Step::Damaged(seqs) => {
                    unread_frames += 1;
                    unread = Some(seqs);
                }
                Step::Below(seqs) => {
                    // What was damaged before was told when what follows it was taken in.
                    bad_frames += std::mem::take(&mut unread_frames);
                    unread = None;
                    expected = expected.max(Some(seqs.end));
                }
                Step::Batch(pending) => {
                    bad_frames += std::mem::take(&mut unread_frames);
                    unread = None;
                    // The log commits a large batch in parts, so it can have some of one.
                    let Some((stamp, batch)) = behind(pending, self.progress.next_seq) else {
                        continue;
                    };
                    let from = match expected {
                        Some(seq) if skipped.contains(&seq) => skipped.end,
                        Some(seq) => seq,
                        None => stamp.first_seq,
                    };
                    taken.lost_operations += stamp.first_seq.saturating_sub(from);
                    self.progress.next_seq = stamp.first_seq + batch.rows() as u64;
                    expected = Some(self.progress.next_seq);
                    if !self.progress.beyond_log {
                        let first = stamp.ids.id(0);
                        if !in_log(&[first]).map_err(Failed::Log)?.is_empty() {
                            continue;
                        }
                        self.progress.beyond_log = true;
                    }
                    *bytes += batch.bytes();
                    taken.batches.push((stamp, batch));
                }
            }
        }
        Ok(Read::Part)
    }
}

fn failed(doing: &'static str, path: &Path, error: io::Error) -> Failed {
    let error = FileError::of(doing, path)(error);
    Failed::Spool(format!("a spool cannot be taken in: {error}"))
}

/// What a header says of a segment of this number and size: why it is damaged, if it is, and the numbers that are missing
/// before it and that nobody was given. The error is the version of a format that is not known here.
fn judge(header: Header, number: u64, limit: u64) -> Result<(Option<String>, Range<u64>), u32> {
    let damaged = |what: &str| Ok((Some(what.to_owned()), 0..0));
    match header {
        Header::Newer(version) => Err(version),
        // Its guest has died while it began it.
        Header::Damaged if limit < HEADER_BYTES as u64 => Ok((None, 0..0)),
        Header::Damaged => damaged("its header is damaged"),
        Header::Known { number: other, .. } if other != number => {
            damaged("its header is that of another segment")
        }
        Header::Known {
            first_seq,
            follows_seq,
            ..
        } => Ok((None, follows_seq..first_seq.max(follows_seq))),
    }
}
