//! Samples of the last hour, for questions about what was some time ago.

use super::usage::Usage;
use std::collections::VecDeque;

/// How far back samples are kept.
pub const HISTORY_US: i64 = 3_600_000_000;

/// How often a sample is taken.
pub const SAMPLE_INTERVAL_US: i64 = 5_000_000;

/// Those of an hour, and one at its start: some 150 KB.
const SAMPLES_MAX: usize = (HISTORY_US / SAMPLE_INTERVAL_US) as usize + 1;

/// A sample says nothing about times later than this: the thread that takes them was busy with something else.
const STALE_US: i64 = 60_000_000;

/// CPU time over less than this is made of a few clock ticks.
const CPU_PERIOD_US_MIN: i64 = 500_000;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub at_us: i64,
    pub usage: Usage,
    /// How full the fuller one of the disks is that the log and its database are on.
    pub disk_percent: Option<f64>,
}

#[derive(Clone, Debug, Default)]
pub struct History {
    samples: VecDeque<Sample>,
}

impl History {
    pub fn push(&mut self, sample: Sample) {
        // A clock that was set back begins a new history.
        if self
            .samples
            .back()
            .is_some_and(|last| last.at_us >= sample.at_us)
        {
            self.samples.clear();
        }
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// The times of the samples, the oldest first.
    pub fn times(&self) -> impl Iterator<Item = i64> + '_ {
        self.samples.iter().map(|sample| sample.at_us)
    }

    fn at(&self, at_us: i64) -> Option<&Sample> {
        let behind = self.samples.partition_point(|sample| sample.at_us <= at_us);
        let sample = self.samples.get(behind.checked_sub(1)?)?;
        (at_us - sample.at_us <= STALE_US).then_some(sample)
    }

    /// CPU time over the period that ends at this time, or the part of it that there are samples of, as a percentage of
    /// all CPUs.
    pub fn cpu_percent(&self, at_us: i64, period_us: i64) -> Option<f64> {
        let end = self.at(at_us)?;
        let first = self
            .samples
            .partition_point(|sample| sample.at_us < at_us - period_us);
        let start = self.samples.get(first)?;
        let elapsed_us = end.at_us - start.at_us;
        if elapsed_us < CPU_PERIOD_US_MIN {
            return None;
        }
        let seconds = end.usage.cpu_seconds? - start.usage.cpu_seconds?;
        let cpus = end.usage.machine_cpus?;
        Some(seconds / (elapsed_us as f64 / 1e6) / cpus * 100.0)
    }

    /// Resident memory as a percentage of what there is.
    pub fn memory_percent(&self, at_us: i64) -> Option<f64> {
        let usage = self.at(at_us)?.usage;
        let memory = usage.machine_memory_bytes?.max(1);
        Some(usage.resident_bytes? as f64 / memory as f64 * 100.0)
    }

    pub fn disk_percent(&self, at_us: i64) -> Option<f64> {
        self.at(at_us)?.disk_percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn history(samples: &[(i64, f64, u64)]) -> History {
        let mut history = History::default();
        for (second, cpu_seconds, resident) in samples {
            history.push(Sample {
                at_us: second * SECOND,
                usage: Usage {
                    cpu_seconds: Some(*cpu_seconds),
                    resident_bytes: Some(*resident),
                    machine_cpus: Some(2.0),
                    machine_memory_bytes: Some(1000),
                    ..Usage::default()
                },
                disk_percent: Some(50.0),
            });
        }
        history
    }

    #[test]
    fn cpu_is_a_rate_over_the_period() {
        let history = history(&[
            (100, 10.0, 0),
            (105, 10.0, 0),
            (110, 20.0, 0),
            (115, 30.0, 0),
        ]);
        let at = |second, period| history.cpu_percent(second * SECOND, period * SECOND);
        assert_eq!(at(115, 10), Some(100.0));
        assert_eq!(at(110, 5), Some(100.0));
        assert_eq!(at(105, 5), Some(0.0));
        // As far as there are samples.
        assert_eq!(at(110, 60), Some(50.0));
        assert_eq!(at(100, 60), None, "one sample is no rate");
        assert_eq!(at(99, 60), None);
        assert_eq!(at(115 + 61, 120), None, "the last sample is too old");
    }

    #[test]
    fn the_sample_before_a_time_holds_at_it() {
        let history = history(&[(100, 0.0, 100), (105, 0.0, 900)]);
        let at = |second| history.memory_percent(second * SECOND);
        assert_eq!(at(104), Some(10.0));
        assert_eq!(at(105), Some(90.0));
        assert_eq!(at(165), Some(90.0));
        assert_eq!(at(166), None);
        assert_eq!(history.disk_percent(100 * SECOND), Some(50.0));
    }

    #[test]
    fn an_hour_is_kept_and_a_clock_set_back_begins_anew() {
        let samples: Vec<(i64, f64, u64)> = (0..2000).map(|n| (n * 5, 0.0, 1)).collect();
        let mut history = history(&samples);
        assert_eq!(history.times().count(), SAMPLES_MAX);
        assert_eq!(
            history.times().next(),
            Some((2000 - SAMPLES_MAX as i64) * 5 * SECOND)
        );
        history.push(Sample {
            at_us: 7,
            usage: Usage::default(),
            disk_percent: None,
        });
        assert_eq!(history.times().collect::<Vec<_>>(), [7]);
        assert_eq!(history.memory_percent(7), None);
    }
}
