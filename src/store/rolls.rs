//! When what several rolls have counted of the same hours is added up.

/// Rolls after which what they have counted of the same hours is added up.
const ROLLS_MAX: u32 = 4;

/// Hours that rolls have counted and that are worth adding up: those of late operations are spread too widely.
const MERGED_HOURS: i64 = 24;

/// The rolls since hours were last added up, the hour that the first of them began in, and the last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rolls {
    count: u32,
    hours: Option<(i64, i64)>,
}

impl Rolls {
    pub fn note(&mut self, (earliest, latest): (i64, i64)) {
        self.count += 1;
        self.hours = Some(match self.hours {
            None => (earliest, latest),
            Some((from, until)) => (from.min(earliest), until.max(latest)),
        });
    }

    /// From which hour on rows are to be added up, where it is time.
    pub fn due(&self) -> Option<i64> {
        let (from, until) = self.hours.filter(|_| self.count >= ROLLS_MAX)?;
        Some(from.max(until - MERGED_HOURS))
    }
}
