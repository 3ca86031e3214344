//! The spans that run: operations that have started and not ended.
//!
//! Memory has all of them, and the file beside the journal those that shall survive their process. A span stands in both
//! as the same bytes, so that writing the file anew is copying.

use super::error::Error;
use super::file::SpanFile;
use super::frame::{ended, read_started, started, Started};
use crate::locks::lock;
use crate::record::{Batch, Field};
use crate::settings::Durability;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

/// Spans that may run at the same time. More cannot be started until some are finished.
pub const SPANS_MAX: usize = 10_000;

/// Memory that they may take, their texts first of all.
pub const SPANS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A file without a running span that is smaller goes on being used.
const IDLE_FILE_BYTES_MAX: u64 = 64 * 1024;

/// One span.
struct Span {
    /// What the file has of it, or would have.
    frame: Vec<u8>,
    /// None if it is one of a process that is gone, and its operation is not recorded yet.
    started: Option<Instant>,
    in_file: bool,
    /// Somebody is finishing it.
    claimed: bool,
}

#[derive(Default)]
struct State {
    /// By their ids, which is the order in which they started.
    spans: BTreeMap<u128, Span>,
    /// Those that were started here.
    running: usize,
    bytes: usize,
    /// What the spans in the file take of it.
    file_bytes: u64,
    file: Option<SpanFile>,
    /// Somebody has asked for spans that survive a power loss.
    synced: bool,
}

/// What there is to say of the spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanFigures {
    pub running: usize,
    pub bytes: usize,
}

/// A span as `oplog_active()` shows it.
pub struct Running {
    pub id: u128,
    pub started_at_us: i64,
    pub age_ms: f64,
    pub batch: Arc<Batch>,
}

/// A span that its caller is finishing: nobody else can meanwhile.
pub struct Claimed {
    pub span: Started,
    /// None if its process is gone.
    pub started: Option<Instant>,
}

/// All methods may be called from any thread. No other lock is taken while the one inside is held.
#[derive(Default)]
pub struct Spans {
    state: Mutex<State>,
}

impl Spans {
    /// Spans with a file, in which those of a process that is gone may be.
    pub fn new(file: Option<SpanFile>, interrupted: Vec<Started>) -> Self {
        let spans = Self::default();
        let mut state = spans.lock();
        state.file = file;
        state.add_interrupted(interrupted);
        drop(state);
        spans
    }

    /// Changes under this lock are complete before anything that could panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Starts spans, all or none: when this returns, they survive what `durability` says.
    pub fn start(&self, spans: &[Started], durability: Durability) -> Result<(), Error> {
        let frames: Vec<Vec<u8>> = spans.iter().map(started).collect();
        let bytes: usize = frames.iter().map(Vec::len).sum();
        let mut state = self.lock();
        if state.running + spans.len() > SPANS_MAX {
            return Err(Error::TooMany {
                running: state.running,
                max: SPANS_MAX,
            });
        }
        if state.bytes + bytes > SPANS_BYTES_MAX {
            return Err(Error::TooLarge {
                bytes: state.bytes,
                max: SPANS_BYTES_MAX,
            });
        }
        state.synced |= durability == Durability::Os;
        let in_file = durability != Durability::Memory && state.file.is_some();
        let mut unsynced = None;
        if in_file {
            state.rewrite_if_due()?;
            let sync = durability == Durability::Os;
            if let Some(file) = &mut state.file {
                unsynced = file.append(&frames.concat(), sync)?;
            }
            state.file_bytes += bytes as u64;
        }
        let now = Instant::now();
        state.running += spans.len();
        state.bytes += bytes;
        for (span, frame) in spans.iter().zip(frames) {
            let span = (
                span.id,
                Span {
                    frame,
                    started: Some(now),
                    in_file,
                    // Nobody knows its id yet, but that can be guessed.
                    claimed: unsynced.is_some(),
                },
            );
            state.spans.insert(span.0, span.1);
        }
        drop(state);
        let Some(unsynced) = unsynced else {
            return Ok(());
        };
        let ids: Vec<u128> = spans.iter().map(|span| span.id).collect();
        match unsynced.wait() {
            Ok(()) => {
                let now = Instant::now();
                let mut state = self.lock();
                for id in ids {
                    if let Some(span) = state.spans.get_mut(&id) {
                        span.started = Some(now);
                        span.claimed = false;
                    }
                }
                Ok(())
            }
            Err(error) => {
                let mut state = self.lock();
                if let Some(file) = &mut state.file {
                    file.distrust();
                }
                // The caller never learns their ids. If they are found in the file nevertheless, they were interrupted.
                let _ = state.forget(&ids);
                Err(Error::NotSynced(error))
            }
        }
    }

    /// Takes a running span to finish it; none if there is none of that id, or somebody else is finishing it.
    pub fn claim(&self, id: u128) -> Option<Claimed> {
        let mut state = self.lock();
        let span = state.spans.get_mut(&id)?;
        if span.claimed || span.started.is_none() {
            return None;
        }
        span.claim()
    }

    /// The same for every span that there is: they are to be interrupted. The oldest comes first.
    pub fn claim_all(&self, started_here: bool) -> Vec<Claimed> {
        let mut state = self.lock();
        state
            .spans
            .values_mut()
            .filter(|span| !span.claimed && (started_here || span.started.is_none()))
            .filter_map(Span::claim)
            .collect()
    }

    /// Gives claimed spans back: they run on.
    pub fn release(&self, ids: &[u128]) {
        let mut state = self.lock();
        for id in ids {
            if let Some(span) = state.spans.get_mut(id) {
                span.claimed = false;
            }
        }
    }

    /// Forgets claimed spans: their operations are recorded. An error says that the file still has them; whoever
    /// recovers it tells by their ids that they are recorded.
    pub fn end(&self, ids: &[u128]) -> Result<(), Error> {
        self.lock().forget(ids)
    }

    /// The id of the span and of the trace that a span below this one belongs to; none if it does not run.
    pub fn trace(&self, id: u128) -> Option<(Option<String>, Option<String>)> {
        let state = self.lock();
        let span = state.spans.get(&id).filter(|span| span.started.is_some())?;
        let batch = read_started(&span.frame)?.batch;
        let text = |field| batch.text(field, 0).map(str::to_owned);
        Some((text(Field::SpanId), text(Field::TraceId)))
    }

    /// What runs, the oldest first.
    pub fn running(&self) -> Vec<Running> {
        let state = self.lock();
        let frames: Vec<(Instant, Vec<u8>)> = state
            .spans
            .values()
            .filter_map(|span| Some((span.started?, span.frame.clone())))
            .collect();
        drop(state);
        frames
            .into_iter()
            .filter_map(|(started, frame)| {
                let span = read_started(&frame)?;
                Some(Running {
                    id: span.id,
                    started_at_us: span.started_at_us,
                    age_ms: age_ms(started, Instant::now()),
                    batch: span.batch,
                })
            })
            .collect()
    }

    pub fn figures(&self) -> SpanFigures {
        let state = self.lock();
        SpanFigures {
            running: state.running,
            bytes: state.bytes,
        }
    }

    /// The log has moved: the spans go into the file at its new place, in which those of a process that is gone may be.
    pub fn move_to(
        &self,
        file: Option<SpanFile>,
        interrupted: Vec<Started>,
        durability: Durability,
    ) -> Result<(), Error> {
        let mut state = self.lock();
        let old = std::mem::replace(&mut state.file, file);
        let in_file = durability != Durability::Memory && state.file.is_some();
        for span in state.spans.values_mut() {
            span.in_file = in_file;
        }
        state.add_interrupted(interrupted);
        state.count_file_bytes();
        let written = if state.file_bytes > 0 {
            state.rewrite()
        } else {
            Ok(())
        };
        match (&written, &mut state.file) {
            // The next call tries again.
            (Err(_), Some(file)) => file.distrust(),
            _ => {
                if let Some(mut old) = old {
                    old.remove()?;
                }
            }
        }
        written
    }

    /// Lets the file go; it is removed if nothing is left in it.
    pub fn close(&self) -> Result<(), Error> {
        let mut state = self.lock();
        match state.file.take() {
            Some(mut file) if state.file_bytes == 0 => Ok(file.remove()?),
            _ => Ok(()),
        }
    }
}

/// The time from one to the other in milliseconds, to the nanosecond.
pub fn age_ms(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_nanos() as f64 / 1e6
}

impl Span {
    fn claim(&mut self) -> Option<Claimed> {
        let span = read_started(&self.frame)?;
        self.claimed = true;
        Some(Claimed {
            span,
            started: self.started,
        })
    }
}

impl State {
    fn add_interrupted(&mut self, interrupted: Vec<Started>) {
        for span in interrupted {
            let frame = started(&span);
            self.bytes += frame.len();
            self.file_bytes += frame.len() as u64;
            let left = Span {
                frame,
                started: None,
                in_file: true,
                claimed: false,
            };
            self.spans.insert(span.id, left);
        }
    }

    fn forget(&mut self, ids: &[u128]) -> Result<(), Error> {
        let mut in_file = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(span) = self.spans.remove(id) else {
                continue;
            };
            self.bytes -= span.frame.len();
            self.running -= usize::from(span.started.is_some());
            if span.in_file {
                self.file_bytes -= span.frame.len() as u64;
                in_file.push(*id);
            }
        }
        let file_bytes = self.file_bytes;
        let Some(file) = self.file.as_mut().filter(|_| !in_file.is_empty()) else {
            return Ok(());
        };
        if file_bytes == 0 && file.bytes() > IDLE_FILE_BYTES_MAX {
            return Ok(file.remove()?);
        }
        if self.rewrite_if_due()? {
            return Ok(());
        }
        match &mut self.file {
            Some(file) => match file.append(&ended(&in_file), false) {
                Ok(_) => Ok(()),
                Err(error) => {
                    // The next call writes it anew, without them.
                    file.distrust();
                    Err(error.into())
                }
            },
            None => Ok(()),
        }
    }

    fn count_file_bytes(&mut self) {
        let in_file = self.spans.values().filter(|span| span.in_file);
        self.file_bytes = in_file.map(|span| span.frame.len() as u64).sum();
    }

    /// Writes the file anew if it has grown beyond what runs; says whether it was. One that can be appended to may wait.
    fn rewrite_if_due(&mut self) -> Result<bool, Error> {
        match &self.file {
            Some(file) if file.is_garbled() => self.rewrite().map(|()| true),
            Some(file) if file.is_large_for(self.file_bytes) => Ok(self.rewrite().is_ok()),
            _ => Ok(false),
        }
    }

    fn rewrite(&mut self) -> Result<(), Error> {
        let in_file = self.spans.values().filter(|span| span.in_file);
        let frames: Vec<u8> = in_file.flat_map(|span| &span.frame).copied().collect();
        match &mut self.file {
            Some(file) => Ok(file.rewrite(&frames, self.synced)?),
            None => Ok(()),
        }
    }
}
