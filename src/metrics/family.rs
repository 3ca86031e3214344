//! One metric: its name, kind and labels, and its series, of which there are only so many.

use super::number;
use super::series::{Counted, Series};
use crate::excerpt::excerpt;
use crate::locks::{lock, read, write};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock, RwLockReadGuard};

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only rises.
    Counter,
    Gauge,
    /// Counts observations by size.
    Histogram,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Counter, Self::Gauge, Self::Histogram]
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

/// Whose a metric is, which decides what its totals are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A service publishes it through SQL.
    Service,
    /// oplog counts it from operations: its totals agree with the log.
    Operations,
    /// oplog measures it when it is asked.
    Engine,
}

/// The label value that stands for all that found no room.
pub const OTHER: &str = "other";

/// Longer label values are cut.
pub const LABEL_BYTES_MAX: usize = 1024;

/// What the series of one registry may take, and what a rendering of them may take in turn. Beyond it label sets fold
/// as they do beyond `oplog_max_series`.
pub const REGISTRY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a series takes beside its labels and buckets, about.
const SERIES_BYTES: usize = 256;

/// Series and what finds them.
#[derive(Default)]
pub struct SeriesSet {
    index: foldhash::HashMap<Arc<[u8]>, u32>,
    /// In the order in which they came; a series stays.
    pub ordered: Vec<Arc<Series>>,
}

pub struct Family {
    /// Tells it from another one of the same name that it replaced.
    pub id: u64,
    pub name: String,
    pub kind: Kind,
    pub owner: Owner,
    help: Mutex<String>,
    /// The upper bounds of a histogram's buckets, rising, without the infinite one.
    pub bounds: Vec<f64>,
    /// The end of each bucket's line up to its number: `le="0.5"} `.
    pub(super) bound_texts: Vec<String>,
    /// In the order of their names; fixed by the first use.
    labels: OnceLock<Vec<String>>,
    series: RwLock<SeriesSet>,
    /// Whether somebody used it since LOAD: what was only restored gives way to what a new version of a service wants.
    used: AtomicBool,
    /// Whether it has changed since that was last asked.
    touched: AtomicBool,
    registry_bytes: Arc<AtomicUsize>,
}

/// Where the values of a label set went.
pub struct Lookup {
    pub series: Arc<Series>,
    /// There was no room for them: the series is that of `other`.
    pub overflowed: bool,
}

impl Family {
    pub(super) fn new(
        name: &str,
        kind: Kind,
        owner: Owner,
        help: &str,
        bounds: Vec<f64>,
        registry_bytes: Arc<AtomicUsize>,
    ) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        let bound_texts = bounds
            .iter()
            .chain([&f64::INFINITY])
            .map(|bound| format!("le=\"{}\"}} ", number::bound(*bound)))
            .collect();
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            name: name.to_owned(),
            kind,
            owner,
            help: Mutex::new(help.to_owned()),
            bounds,
            bound_texts,
            labels: OnceLock::new(),
            series: RwLock::default(),
            used: AtomicBool::new(owner != Owner::Service),
            touched: AtomicBool::new(true),
            registry_bytes,
        }
    }

    pub fn help(&self) -> String {
        lock(&self.help).clone()
    }

    pub(super) fn set_help(&self, help: &str) {
        *lock(&self.help) = help.to_owned();
        self.touch();
    }

    pub fn labels(&self) -> Option<&[String]> {
        self.labels.get().map(Vec::as_slice)
    }

    /// Whether it has these labels, which it takes on if it has none yet.
    pub(super) fn has_labels(&self, labels: &[&str]) -> bool {
        let have = self
            .labels
            .get_or_init(|| labels.iter().map(|label| (*label).to_owned()).collect());
        have.iter().map(String::as_str).eq(labels.iter().copied())
    }

    pub fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn set_used(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// Marks it as changed; whether it was not so marked yet.
    pub fn touch(&self) -> bool {
        !self.touched.load(Ordering::Relaxed) && !self.touched.swap(true, Ordering::Relaxed)
    }

    pub(super) fn take_touched(&self) -> bool {
        self.touched.swap(false, Ordering::Relaxed)
    }

    pub fn series(&self) -> RwLockReadGuard<'_, SeriesSet> {
        read(&self.series)
    }

    /// The series with these label values, in the order of the labels' names. Beyond `max_series` of them it is that of
    /// `other`.
    pub fn find<'a>(
        &self,
        values: impl Iterator<Item = &'a str> + Clone,
        max_series: usize,
    ) -> Lookup {
        let mut key = Vec::with_capacity(64);
        pack(&mut key, values);
        self.find_packed(&key, max_series)
    }

    /// The same for values that are packed already.
    pub fn find_packed(&self, key: &[u8], max_series: usize) -> Lookup {
        self.find_or_fold(key, max_series, || {
            let mut other = Vec::new();
            pack(&mut other, unpack(key).map(|_| OTHER));
            other
        })
    }

    /// The same, where the caller says what the label set folds into.
    pub fn find_or_fold(
        &self,
        key: &[u8],
        max_series: usize,
        fold: impl FnOnce() -> Vec<u8>,
    ) -> Lookup {
        {
            let set = self.series();
            if let Some(index) = set.index.get(key) {
                return Lookup {
                    series: Arc::clone(&set.ordered[*index as usize]),
                    overflowed: false,
                };
            }
        }
        let mut set = write(&self.series);
        let full = set.ordered.len() >= max_series
            || self.registry_bytes.load(Ordering::Relaxed) >= REGISTRY_BYTES_MAX;
        // The series without labels has nothing to fold into.
        if !full || key.is_empty() {
            return Lookup {
                series: self.get_or_insert(&mut set, key),
                overflowed: false,
            };
        }
        let other = fold();
        Lookup {
            overflowed: other != key,
            series: self.get_or_insert(&mut set, &other),
        }
    }

    fn get_or_insert(&self, set: &mut SeriesSet, key: &[u8]) -> Arc<Series> {
        if let Some(index) = set.index.get(key) {
            return Arc::clone(&set.ordered[*index as usize]);
        }
        let names = self.labels().unwrap_or_default().iter();
        let labels = render_labels(names.map(String::as_str).zip(unpack(key)));
        let bounds = (self.kind == Kind::Histogram).then_some(self.bounds.len());
        let key: Arc<[u8]> = key.into();
        let series = Arc::new(Series::new(
            Arc::clone(&key),
            labels,
            bounds,
            self.owner == Owner::Operations,
        ));
        self.registry_bytes
            .fetch_add(self.series_bytes(&series), Ordering::Relaxed);
        set.index.insert(key, set.ordered.len() as u32);
        set.ordered.push(Arc::clone(&series));
        series
    }

    /// Adds what was stored of a series.
    pub(super) fn restore(&self, values: &[String], counted: &Counted) {
        let mut key = Vec::new();
        pack(&mut key, values.iter().map(String::as_str));
        let mut set = write(&self.series);
        // What was there before has its place, whatever the limit is now.
        self.get_or_insert(&mut set, &key).restore(counted);
    }

    /// What a series takes, and what its lines take when they are rendered: a histogram writes its labels once a bucket,
    /// and for its sum and count.
    fn series_bytes(&self, series: &Series) -> usize {
        let lines = match self.kind {
            Kind::Histogram => self.bounds.len() + 3,
            Kind::Counter | Kind::Gauge => 1,
        };
        SERIES_BYTES + series.key.len() + lines * (series.labels.len() + self.name.len() + 16)
    }

    /// Gives its memory back to the registry, when it goes out of it.
    pub(super) fn released(&self) {
        let set = self.series();
        let bytes = set
            .ordered
            .iter()
            .map(|series| self.series_bytes(series))
            .sum();
        self.registry_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Labels as both formats write them: `a="x",b="y"`.
pub(super) fn render_labels<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(name);
        text.push_str("=\"");
        escape_label(&mut text, value);
        text.push('"');
    }
    text
}

fn escape_label(out: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

/// Packs label values into one key: each after its length, so that no two sets look alike.
pub fn pack<'a>(key: &mut Vec<u8>, values: impl Iterator<Item = &'a str>) {
    for value in values {
        let value = cut(value);
        key.extend_from_slice(&(value.len() as u32).to_le_bytes());
        key.extend_from_slice(value.as_bytes());
    }
}

/// The values of a packed key.
pub fn unpack(mut key: &[u8]) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (length, rest) = key.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        key = rest;
        // Packed from text.
        Some(std::str::from_utf8(value).unwrap_or_default())
    })
}

fn cut(value: &str) -> &str {
    if value.len() <= LABEL_BYTES_MAX {
        return value;
    }
    let end = (0..=LABEL_BYTES_MAX)
        .rev()
        .find(|end| value.is_char_boundary(*end));
    &value[..end.unwrap_or(0)]
}

/// The bounds of buckets as given: finite ones in rising order, without the infinite one, which is always there.
pub fn check_bounds(given: &[f64]) -> Result<Vec<f64>, String> {
    const BUCKETS_MAX: usize = 200;
    let bounds = match given {
        [bounds @ .., last] if *last == f64::INFINITY => bounds,
        bounds => bounds,
    };
    if bounds.is_empty() || bounds.len() > BUCKETS_MAX {
        return Err(format!(
            "buckets has {} bounds: give 1 to {BUCKETS_MAX}, such as [0.01, 0.1, 1, 10]",
            bounds.len()
        ));
    }
    let rise = bounds.windows(2).all(|pair| pair[0] < pair[1]);
    match bounds.iter().find(|bound| !bound.is_finite()) {
        Some(bound) => Err(format!(
            "buckets has the bound {bound}: bounds are finite numbers, the infinite one is added"
        )),
        None if !rise => Err(format!(
            "buckets is {}: each bound is larger than the one before it",
            excerpt(&format!("{bounds:?}"))
        )),
        None => Ok(bounds.to_vec()),
    }
}
