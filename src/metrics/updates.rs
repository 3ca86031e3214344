//! What a chunk of rows does to a service's metrics: by series, each looked up once.

use super::family::{Family, Kind};
use super::registry::Registry;
use super::series::Stage;
use std::sync::Arc;

/// Nothing counts before [`Updates::apply`], so that all of it does or none.
pub struct Updates {
    kind: Kind,
    targets: Vec<Target>,
    /// By name and label values.
    index: foldhash::HashMap<Vec<u8>, usize>,
    last_key: Vec<u8>,
    last: usize,
}

/// The updates of one series.
struct Target {
    family: Arc<Family>,
    /// The label values, packed.
    labels: Vec<u8>,
    values: Vec<f64>,
    /// What the series is, as the updates are answered.
    running: f64,
}

impl Updates {
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            targets: Vec::new(),
            index: foldhash::HashMap::default(),
            last_key: Vec::new(),
            last: 0,
        }
    }

    /// What is wrong with a value that a metric of this kind cannot take.
    pub fn problem(&self, value: f64) -> Option<&'static str> {
        match self.kind {
            Kind::Counter if !value.is_finite() => Some("a counter is raised by a finite number"),
            Kind::Counter if value < 0.0 => {
                Some("a counter only rises; use oplog_gauge for what falls")
            }
            Kind::Histogram if !value.is_finite() => {
                Some("an observation is a finite number, or its sum is lost for good")
            }
            Kind::Counter | Kind::Gauge | Kind::Histogram => None,
        }
    }

    /// Adds a value; returns the number of its series. The labels' names are
    /// asked for once a series; `key` is the name and the label values, packed, the latter from
    /// `labels_at` on.
    pub fn add<'a>(
        &mut self,
        registry: &Registry,
        name: &str,
        label_names: impl FnOnce() -> Vec<&'a str>,
        key: &[u8],
        labels_at: usize,
        value: f64,
    ) -> Result<usize, String> {
        // Neighbours are often alike.
        if key != self.last_key {
            self.last = match self.index.get(key) {
                Some(target) => *target,
                None => {
                    let family = registry.used(name, self.kind, &label_names())?;
                    self.index.insert(key.to_vec(), self.targets.len());
                    self.targets.push(Target {
                        family,
                        labels: key[labels_at..].to_vec(),
                        values: Vec::new(),
                        running: 0.0,
                    });
                    self.targets.len() - 1
                }
            };
            self.last_key.clear();
            self.last_key.extend_from_slice(key);
        }
        self.targets[self.last].values.push(value);
        Ok(self.last)
    }

    /// Puts the values in their series; returns how many found no room and count under `other`.
    pub fn apply(&mut self, max_series: usize) -> u64 {
        let mut overflowed = 0;
        for target in &mut self.targets {
            let found = target.family.find_packed(&target.labels, max_series);
            overflowed += u64::from(found.overflowed) * target.values.len() as u64;
            match self.kind {
                Kind::Counter => {
                    let sum = target.values.iter().sum();
                    target.running = found.series.add(Stage::Live, sum);
                }
                Kind::Gauge => {
                    if let Some(value) = target.values.last() {
                        found.series.set(*value);
                    }
                }
                Kind::Histogram => {
                    let bounds = &target.family.bounds;
                    found
                        .series
                        .observe(Stage::Live, bounds, &target.values, None);
                }
            }
        }
        overflowed
    }

    /// The metrics that are updated.
    pub fn families(&self) -> impl Iterator<Item = &Family> {
        self.targets.iter().map(|target| &*target.family)
    }

    /// What to answer for a value of a series, called once for each in the order in which they were added: a counter's
    /// new total, else the value.
    pub fn answer(&mut self, target: usize, value: f64) -> f64 {
        if self.kind != Kind::Counter {
            return value;
        }
        let target = &mut self.targets[target];
        target.running += value;
        target.running
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::pack;

    fn add(
        updates: &mut Updates,
        registry: &Registry,
        state: &str,
        value: f64,
    ) -> Result<usize, String> {
        let mut key = Vec::new();
        pack(&mut key, std::iter::once("jobs_total"));
        let labels_at = key.len();
        pack(&mut key, std::iter::once(state));
        updates.add(
            registry,
            "jobs_total",
            || vec!["state"],
            &key,
            labels_at,
            value,
        )
    }

    #[test]
    fn rows_are_answered_with_the_totals_in_their_order() {
        let registry = Registry::default();
        let mut first = Updates::of(Kind::Counter);
        add(&mut first, &registry, "done", 5.0).unwrap();
        first.apply(10);
        let mut updates = Updates::of(Kind::Counter);
        let rows = [("done", 1.0), ("failed", 2.0), ("done", 3.0)];
        let targets: Vec<usize> = rows
            .iter()
            .map(|(state, value)| add(&mut updates, &registry, state, *value).unwrap())
            .collect();
        assert_eq!(targets, [0, 1, 0]);
        assert_eq!(updates.apply(10), 0);
        let answers: Vec<f64> = targets
            .iter()
            .zip(rows)
            .map(|(target, (_, value))| updates.answer(*target, value))
            .collect();
        assert_eq!(answers, [6.0, 2.0, 9.0]);
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let registry = Registry::default();
        let mut updates = Updates::of(Kind::Counter);
        for state in ["a", "b", "c", "c"] {
            add(&mut updates, &registry, state, 1.0).unwrap();
        }
        assert_eq!(updates.apply(2), 2);
    }

    #[test]
    fn each_kind_says_what_it_cannot_take() {
        let takes = |kind, value| Updates::of(kind).problem(value).is_none();
        assert!(takes(Kind::Counter, 0.0) && !takes(Kind::Counter, -1.0));
        assert!(!takes(Kind::Counter, f64::INFINITY) && !takes(Kind::Histogram, f64::NAN));
        assert!(takes(Kind::Histogram, -1.0) && takes(Kind::Gauge, f64::NAN));
    }
}
