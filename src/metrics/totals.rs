//! Totals as they are stored with the log: what changed since the last commit, and what was read back.
//!
//! Gauges are not stored: what they said of a process that is gone is not true of the next one.

use super::family::{unpack, Kind, Owner};
use super::registry::StoredFamily;
use super::series::Counted;
use super::Registry;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A row of `metric_families`.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilyRow {
    pub name: String,
    pub kind: String,
    pub help: String,
    /// Names as a JSON list; none before the first use.
    pub labels: Option<String>,
    /// A JSON list of a histogram's bounds.
    pub buckets: Option<String>,
}

/// A row of `metric_values`.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueRow {
    /// What the row is updated by.
    pub slot: u64,
    pub family: String,
    /// Values as a JSON list, in the order of the family's labels.
    pub labels: String,
    /// `value`, `sum`, `bucket` or `created`.
    pub part: &'static str,
    /// The bound of a bucket, none for the one above all bounds.
    pub bound: Option<f64>,
    pub value: f64,
}

const VALUE: &str = "value";
const SUM: &str = "sum";
const BUCKET: &str = "bucket";
const CREATED: &str = "created";

/// The part that a stored name stands for.
pub fn part(name: &str) -> Option<&'static str> {
    [VALUE, SUM, BUCKET, CREATED]
        .into_iter()
        .find(|part| *part == name)
}

/// What a commit has to store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Everything that is stored gives way to `added`.
    pub rewrite: bool,
    /// All metrics, if there is anything new about any of them.
    pub families: Vec<FamilyRow>,
    pub added: Vec<ValueRow>,
    pub changed: Vec<(u64, f64)>,
}

struct SavedFamily {
    help: String,
    labels: Option<usize>,
    /// In the order of the family's series: its first row, and what was stored.
    series: Vec<(u64, Counted)>,
}

/// What of the totals is stored, and in which rows. Owned by whoever commits.
#[derive(Default)]
pub struct Totals {
    /// By the id of the family. Empty before the first commit, and after one that failed: then all is written anew.
    saved: HashMap<u64, SavedFamily>,
    next_slot: u64,
}

impl Totals {
    /// What has changed since the last call. Ask [`Totals::failed`] to forget it, where it could not be stored.
    pub fn changes(&mut self, registry: &Registry) -> Changes {
        let families: Vec<_> = registry
            .families()
            .into_iter()
            .filter(|family| family.owner != Owner::Engine)
            .collect();
        let live: HashSet<u64> = families.iter().map(|family| family.id).collect();
        if self.saved.keys().any(|id| !live.contains(id)) {
            // One was replaced: its rows go.
            self.failed();
        }
        let mut changes = Changes {
            rewrite: self.saved.is_empty(),
            ..Changes::default()
        };
        let mut any_news = false;
        for family in &families {
            let help = family.help();
            let labels = family.labels().map(<[String]>::len);
            let known = self.saved.contains_key(&family.id);
            let touched = family.take_touched();
            if known && !touched && family.owner == Owner::Service {
                continue;
            }
            let saved = self.saved.entry(family.id).or_insert_with(|| SavedFamily {
                help: help.clone(),
                labels,
                series: Vec::new(),
            });
            any_news |= !known || saved.help != help || saved.labels != labels;
            saved.help = help;
            saved.labels = labels;
            if family.kind == Kind::Gauge {
                continue;
            }
            for (index, series) in family.series().ordered.iter().enumerate() {
                let counted = series.counted();
                match saved.series.get_mut(index) {
                    Some((slot, before)) => {
                        let rows = parts(before).zip(parts(&counted));
                        for (at, ((.., before), (.., now))) in rows.enumerate() {
                            if before.to_bits() != now.to_bits() {
                                changes.changed.push((*slot + at as u64, now));
                            }
                        }
                        *before = counted;
                    }
                    None => {
                        let slot = self.next_slot;
                        let values: Vec<&str> = unpack(&series.key).collect();
                        let labels = json(&values);
                        for (part, bucket, value) in parts(&counted) {
                            changes.added.push(ValueRow {
                                slot: self.next_slot,
                                family: family.name.clone(),
                                labels: labels.clone(),
                                part,
                                bound: bucket.and_then(|bucket| family.bounds.get(bucket).copied()),
                                value,
                            });
                            self.next_slot += 1;
                        }
                        saved.series.push((slot, counted));
                    }
                }
            }
        }
        if any_news || changes.rewrite {
            changes.families = families
                .iter()
                .map(|family| FamilyRow {
                    name: family.name.clone(),
                    kind: family.kind.name().to_owned(),
                    help: family.help(),
                    labels: family.labels().map(json),
                    buckets: (family.kind == Kind::Histogram).then(|| json(&family.bounds)),
                })
                .collect();
        }
        changes
    }

    /// Nothing is known to be stored: the next commit writes everything.
    pub fn failed(&mut self) {
        *self = Self::default();
    }
}

/// The rows of a series: what each is, the bucket that it counts, its value.
fn parts(counted: &Counted) -> impl Iterator<Item = (&'static str, Option<usize>, f64)> + '_ {
    let first = if counted.buckets.is_empty() {
        VALUE
    } else {
        SUM
    };
    let buckets = counted.buckets.iter().enumerate();
    [
        (CREATED, None, counted.created_at_us as f64 / 1e6),
        (first, None, counted.value),
    ]
    .into_iter()
    .chain(buckets.map(|(bucket, count)| (BUCKET, Some(bucket), *count as f64)))
}

fn json<T: serde::Serialize>(list: &[T]) -> String {
    // A list of texts or finite numbers has no reason to fail.
    serde_json::to_string(list).unwrap_or_default()
}

/// Metrics from the rows that were stored. What makes no sense is left out: a total that is wrong is worse than none.
pub fn assemble(families: &[FamilyRow], values: &[ValueRow]) -> Vec<StoredFamily> {
    let mut assembled: BTreeMap<&str, (StoredFamily, HashMap<&str, usize>)> = families
        .iter()
        .filter_map(|row| {
            let stored = StoredFamily {
                name: row.name.clone(),
                kind: Kind::by_name(&row.kind)?,
                help: row.help.clone(),
                labels: row
                    .labels
                    .as_ref()
                    .and_then(|labels| serde_json::from_str(labels).ok()),
                bounds: row
                    .buckets
                    .as_ref()
                    .and_then(|buckets| serde_json::from_str(buckets).ok())
                    .unwrap_or_default(),
                series: Vec::new(),
            };
            Some((row.name.as_str(), (stored, HashMap::new())))
        })
        .collect();
    for row in values {
        let Some((stored, index)) = assembled.get_mut(row.family.as_str()) else {
            continue;
        };
        let buckets = if stored.kind == Kind::Histogram {
            stored.bounds.len() + 1
        } else {
            0
        };
        let at = *index.entry(&row.labels).or_insert_with(|| {
            let labels = serde_json::from_str(&row.labels).unwrap_or_default();
            let counted = Counted {
                created_at_us: i64::MAX,
                value: 0.0,
                buckets: vec![0; buckets],
            };
            stored.series.push((labels, counted));
            stored.series.len() - 1
        });
        // Logs that were joined have a series twice: their totals add up.
        let counted = &mut stored.series[at].1;
        match row.part {
            CREATED => {
                let at_us = (row.value * 1e6) as i64;
                counted.created_at_us = counted.created_at_us.min(at_us);
            }
            BUCKET => {
                let bucket = row.bound.map_or(Some(stored.bounds.len()), |bound| {
                    stored.bounds.iter().position(|have| *have == bound)
                });
                if let Some(count) = bucket.and_then(|bucket| counted.buckets.get_mut(bucket)) {
                    *count += row.value as u64;
                }
            }
            _ => counted.value += row.value,
        }
    }
    assembled.into_values().map(|(stored, _)| stored).collect()
}
