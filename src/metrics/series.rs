//! One series: a number or a distribution, under one set of label values.

use crate::locks::lock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What a series counts up to.
///
/// What is recorded counts at once; what is committed is counted a second time, in the order of the log, so that a total
/// that is stored with a commit agrees with the rows of that commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Live,
    Committed,
}

/// An observation that stands for its bucket, with the trace that it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    pub trace_id: Box<str>,
    pub value: f64,
    pub at_us: i64,
}

/// How observations are distributed over buckets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    /// Observations in each bucket alone, the one above all bounds last.
    pub counts: Box<[u64]>,
    pub sum: f64,
    /// By bucket; empty before the first.
    pub exemplars: Vec<Option<Exemplar>>,
}

impl Distribution {
    pub fn new(bounds: usize) -> Self {
        Self {
            counts: vec![0; bounds + 1].into(),
            ..Self::default()
        }
    }

    fn observe(&mut self, bounds: &[f64], value: f64) {
        self.counts[bucket_of(bounds, value)] += 1;
        self.sum += value;
    }

    /// Observations up to the bound of each bucket; the last one has them all.
    pub fn cumulative(&self) -> impl Iterator<Item = u64> + '_ {
        self.counts.iter().scan(0, |below, count| {
            *below += count;
            Some(*below)
        })
    }
}

/// The first bucket that a value is within the bound of.
fn bucket_of(bounds: &[f64], value: f64) -> usize {
    bounds.partition_point(|bound| *bound < value)
}

enum Cell {
    /// The bits of a double.
    Number(AtomicU64),
    Distribution(Mutex<Distribution>),
}

impl Cell {
    fn new(bounds: Option<usize>) -> Self {
        match bounds {
            None => Self::Number(AtomicU64::new(0f64.to_bits())),
            Some(bounds) => Self::Distribution(Mutex::new(Distribution::new(bounds))),
        }
    }
}

pub struct Series {
    /// The label values, packed: what the family finds the series by.
    pub(super) key: Arc<[u8]>,
    /// The labels as both formats write them: `a="x",b="y"`.
    pub(super) labels: Box<str>,
    created_at_us: AtomicU64,
    live: Cell,
    /// Only for what is counted from operations.
    committed: Option<Box<Cell>>,
}

impl Series {
    pub(super) fn new(
        key: Arc<[u8]>,
        labels: String,
        bounds: Option<usize>,
        from_operations: bool,
    ) -> Self {
        Self {
            key,
            labels: labels.into(),
            created_at_us: AtomicU64::new(crate::system::clock::now_us() as u64),
            live: Cell::new(bounds),
            committed: from_operations.then(|| Box::new(Cell::new(bounds))),
        }
    }

    /// What the series is at a stage. One that nothing is committed to apart has one figure for both.
    fn at(&self, stage: Stage) -> &Cell {
        match (&self.committed, stage) {
            (Some(committed), Stage::Committed) => committed,
            _ => &self.live,
        }
    }

    pub fn created_at_us(&self) -> i64 {
        self.created_at_us.load(Ordering::Relaxed) as i64
    }

    /// Adds to a counter; returns what it was before.
    pub fn add(&self, stage: Stage, delta: f64) -> f64 {
        let Cell::Number(bits) = self.at(stage) else {
            debug_assert!(false, "a distribution is observed, not added to");
            return 0.0;
        };
        let add = |bits| Some((f64::from_bits(bits) + delta).to_bits());
        // The closure never refuses.
        let before = bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        f64::from_bits(before.unwrap_or_else(|bits| bits))
    }

    /// Sets a gauge, or a counter that somebody else keeps.
    pub fn set(&self, value: f64) {
        let Cell::Number(bits) = &self.live else {
            debug_assert!(false, "a distribution is observed, not set");
            return;
        };
        bits.store(value.to_bits(), Ordering::Relaxed);
    }

    pub fn value(&self, stage: Stage) -> f64 {
        match self.at(stage) {
            Cell::Number(bits) => f64::from_bits(bits.load(Ordering::Relaxed)),
            Cell::Distribution(_) => 0.0,
        }
    }

    /// Observes values, all at once. The exemplar is one of them.
    pub fn observe(
        &self,
        stage: Stage,
        bounds: &[f64],
        values: &[f64],
        exemplar: Option<Exemplar>,
    ) {
        let Cell::Distribution(distribution) = self.at(stage) else {
            debug_assert!(false, "a number is set or added to, not observed");
            return;
        };
        let mut distribution = lock(distribution);
        for value in values {
            distribution.observe(bounds, *value);
        }
        if let Some(exemplar) = exemplar {
            let buckets = distribution.counts.len();
            let bucket = bucket_of(bounds, exemplar.value);
            distribution.exemplars.resize(buckets, None);
            distribution.exemplars[bucket] = Some(exemplar);
        }
    }

    /// Reads a histogram, with nobody observing meanwhile.
    pub fn with_distribution<T>(
        &self,
        stage: Stage,
        read: impl FnOnce(&Distribution) -> T,
    ) -> Option<T> {
        match self.at(stage) {
            Cell::Number(_) => None,
            Cell::Distribution(distribution) => Some(read(&lock(distribution))),
        }
    }

    /// Adds what another process, or another log, had counted.
    pub(super) fn restore(&self, counted: &Counted) {
        let earlier =
            (counted.created_at_us as u64).min(self.created_at_us.load(Ordering::Relaxed));
        self.created_at_us.store(earlier, Ordering::Relaxed);
        let committed = self.committed.as_deref();
        for cell in [Some(&self.live), committed].into_iter().flatten() {
            match cell {
                Cell::Number(bits) => {
                    let value = f64::from_bits(bits.load(Ordering::Relaxed)) + counted.value;
                    bits.store(value.to_bits(), Ordering::Relaxed);
                }
                Cell::Distribution(distribution) => {
                    let mut distribution = lock(distribution);
                    distribution.sum += counted.value;
                    for (count, more) in distribution.counts.iter_mut().zip(&counted.buckets) {
                        *count += more;
                    }
                }
            }
        }
    }

    /// What is to be stored of it.
    pub(super) fn counted(&self) -> Counted {
        let created_at_us = self.created_at_us();
        let stage = Stage::Committed;
        match self.with_distribution(stage, |distribution| {
            (distribution.sum, distribution.counts.to_vec())
        }) {
            Some((value, buckets)) => Counted {
                created_at_us,
                value,
                buckets,
            },
            None => Counted {
                created_at_us,
                value: self.value(stage),
                buckets: Vec::new(),
            },
        }
    }
}

/// A series' figures as they are stored: a counter's value, or a histogram's sum and the count of each bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    pub created_at_us: i64,
    pub value: f64,
    pub buckets: Vec<u64>,
}
