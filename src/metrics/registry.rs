//! All metrics of a log, by name.

use super::family::{check_bounds, Family, Kind, Owner};
use super::names;
use super::series::Counted;
use crate::excerpt::excerpt;
use crate::locks::{read, write};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Metrics that a registry may have.
pub const METRICS_MAX: usize = 1_000;

/// Longer help is cut.
const HELP_BYTES_MAX: usize = 4096;

/// The buckets of a histogram that nobody described, in seconds: those that Prometheus clients use by default.
const DEFAULT_BOUNDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

#[derive(Default)]
struct Families {
    /// In the order in which they are rendered.
    by_name: BTreeMap<String, Arc<Family>>,
    /// Names of samples, and the metric that has them.
    taken: HashMap<String, String>,
}

#[derive(Default)]
pub struct Registry {
    families: RwLock<Families>,
    bytes: Arc<AtomicUsize>,
    /// Whether something of a service's has changed since it was last stored.
    unsaved: AtomicBool,
}

/// A metric as it is stored: what it is, and its totals.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredFamily {
    pub name: String,
    pub kind: Kind,
    pub help: String,
    /// None before the first use.
    pub labels: Option<Vec<String>>,
    /// The bounds of a histogram's buckets.
    pub bounds: Vec<f64>,
    /// Label values, and what was counted under them.
    pub series: Vec<(Vec<String>, Counted)>,
}

impl Registry {
    fn read(&self) -> RwLockReadGuard<'_, Families> {
        read(&self.families)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Families> {
        write(&self.families)
    }

    /// All metrics in the order of their names.
    pub fn families(&self) -> Vec<Arc<Family>> {
        self.read().by_name.values().cloned().collect()
    }

    /// The metric that has one of these sample names.
    pub fn taken(&self, names: &[String]) -> Option<String> {
        let families = self.read();
        names
            .iter()
            .find_map(|name| families.taken.get(name).cloned())
    }

    /// How many metrics there are.
    pub fn len(&self) -> usize {
        self.read().by_name.len()
    }

    /// What their series take, about.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// A metric of oplog's own, with its labels in the order of their names.
    pub fn own(
        &self,
        owner: Owner,
        kind: Kind,
        name: &str,
        help: &str,
        labels: &[&str],
        bounds: &[f64],
    ) -> Arc<Family> {
        debug_assert!(labels.is_sorted());
        let family = Arc::new(Family::new(
            name,
            kind,
            owner,
            help,
            bounds.to_vec(),
            Arc::clone(&self.bytes),
        ));
        family.has_labels(labels);
        insert(&mut self.write(), Arc::clone(&family));
        family
    }

    /// The metric that a service uses, made by its first use. The labels are in the order of their names.
    pub fn used(&self, name: &str, kind: Kind, labels: &[&str]) -> Result<Arc<Family>, String> {
        if let Some(family) = self.read().by_name.get(name) {
            if family.is_used() && family.kind == kind && family.has_labels(labels) {
                return belongs_to_service(family).map(|()| Arc::clone(family));
            }
        }
        names::check(name, kind, labels)?;
        let mut families = self.write();
        let family = match families.by_name.get(name).cloned() {
            None => self.add(&mut families, name, kind, "", bounds(kind, &[]))?,
            Some(family) => {
                belongs_to_service(&family)?;
                let fits = family.kind == kind && family.has_labels(labels);
                match (fits, family.is_used()) {
                    (true, _) => family,
                    (false, true) => return Err(conflict(&family, kind, labels)),
                    // It is what an earlier version of the service counted.
                    (false, false) => {
                        remove(&mut families, &family);
                        let kept = if family.kind == kind {
                            family.bounds.clone()
                        } else {
                            bounds(kind, &[])
                        };
                        self.add(&mut families, name, kind, &family.help(), kept)?
                    }
                }
            }
        };
        family.has_labels(labels);
        family.set_used();
        Ok(family)
    }

    /// Names a metric's kind, help and, for a histogram, its buckets.
    pub fn describe(
        &self,
        name: &str,
        kind: Kind,
        help: &str,
        buckets: Option<&[f64]>,
    ) -> Result<(), String> {
        names::check_service(name, kind)?;
        let wanted = match (kind, buckets) {
            (Kind::Histogram, Some(buckets)) => Some(check_bounds(buckets)?),
            (_, Some(_)) => {
                return Err(format!(
                    "buckets are given for '{name}', a {}: only a histogram has them",
                    kind.name()
                ))
            }
            (_, None) => None,
        };
        let help = cut(help);
        let mut families = self.write();
        let Some(family) = families.by_name.get(name).cloned() else {
            let bounds = bounds(kind, &wanted.unwrap_or_default());
            self.add(&mut families, name, kind, help, bounds)?;
            return Ok(());
        };
        belongs_to_service(&family)?;
        let same_buckets = wanted
            .as_ref()
            .is_none_or(|wanted| *wanted == family.bounds);
        if family.kind == kind && same_buckets {
            family.set_help(help);
            self.unsaved.store(true, Ordering::Relaxed);
            return Ok(());
        }
        if family.is_used() {
            return Err(if family.kind == kind {
                format!(
                    "'{name}' has the buckets {} since its first use: describe a histogram before it is used",
                    excerpt(&format!("{:?}", family.bounds))
                )
            } else {
                conflict(&family, kind, &[])
            });
        }
        remove(&mut families, &family);
        let bounds = bounds(kind, &wanted.unwrap_or_default());
        self.add(&mut families, name, kind, help, bounds)?;
        Ok(())
    }

    fn add(
        &self,
        families: &mut Families,
        name: &str,
        kind: Kind,
        help: &str,
        bounds: Vec<f64>,
    ) -> Result<Arc<Family>, String> {
        if families.by_name.len() >= METRICS_MAX && !give_way(families) {
            return Err(format!(
                "'{}' would be one more than {METRICS_MAX} metrics: use labels, not names, to tell things apart",
                excerpt(name)
            ));
        }
        if let Some(other) = names::taken(name, kind)
            .iter()
            .find_map(|name| families.taken.get(name))
        {
            return Err(format!(
                "'{name}' would have samples of the same name as the metric '{other}': choose another name"
            ));
        }
        let family = Arc::new(Family::new(
            name,
            kind,
            Owner::Service,
            help,
            bounds,
            Arc::clone(&self.bytes),
        ));
        insert(families, Arc::clone(&family));
        self.unsaved.store(true, Ordering::Relaxed);
        Ok(family)
    }

    /// Marks a service's metric as changed. True for the first change since they were stored.
    pub fn touched(&self, family: &Family) -> bool {
        family.touch() && !self.unsaved.swap(true, Ordering::Relaxed)
    }

    /// Whether something of a service's has changed since this was last asked.
    pub fn take_unsaved(&self) -> bool {
        self.unsaved.swap(false, Ordering::Relaxed)
    }

    pub fn set_unsaved(&self) {
        self.unsaved.store(true, Ordering::Relaxed);
    }

    pub fn is_unsaved(&self) -> bool {
        self.unsaved.load(Ordering::Relaxed)
    }

    /// Adds what was stored to what is counted. A metric that is another one by now is left out.
    pub fn restore(&self, stored: &[StoredFamily]) {
        for stored in stored {
            let known = self.read().by_name.get(&stored.name).cloned();
            let family = match known {
                Some(family) => family,
                // Named by a version of oplog that allowed it, or by hand.
                None if names::check_service(&stored.name, stored.kind).is_err() => continue,
                None => {
                    let mut families = self.write();
                    let bounds = stored.bounds.clone();
                    match self.add(
                        &mut families,
                        &stored.name,
                        stored.kind,
                        &stored.help,
                        bounds,
                    ) {
                        Ok(family) => family,
                        Err(_) => continue,
                    }
                }
            };
            let labels: Option<Vec<&str>> = stored
                .labels
                .as_ref()
                .map(|labels| labels.iter().map(String::as_str).collect());
            let fits = family.kind == stored.kind
                && family.bounds == stored.bounds
                && labels.is_none_or(|labels| family.has_labels(&labels));
            if !fits {
                continue;
            }
            for (values, counted) in &stored.series {
                if values.len() == family.labels().unwrap_or_default().len() {
                    family.restore(values, counted);
                }
            }
        }
    }
}

fn insert(families: &mut Families, family: Arc<Family>) {
    for name in names::taken(&family.name, family.kind) {
        families.taken.insert(name, family.name.clone());
    }
    families.by_name.insert(family.name.clone(), family);
}

fn remove(families: &mut Families, family: &Family) {
    for name in names::taken(&family.name, family.kind) {
        families.taken.remove(&name);
    }
    families.by_name.remove(&family.name);
    family.released();
}

/// Makes room for a metric: one that was restored and that nobody has used since LOAD is no longer published.
fn give_way(families: &mut Families) -> bool {
    let unused = families
        .by_name
        .values()
        .find(|family| !family.is_used())
        .cloned();
    if let Some(family) = &unused {
        remove(families, family);
    }
    unused.is_some()
}

fn bounds(kind: Kind, wanted: &[f64]) -> Vec<f64> {
    match (kind, wanted) {
        (Kind::Histogram, []) => DEFAULT_BOUNDS.to_vec(),
        (Kind::Histogram, wanted) => wanted.to_vec(),
        (Kind::Counter | Kind::Gauge, _) => Vec::new(),
    }
}

fn belongs_to_service(family: &Family) -> Result<(), String> {
    if family.owner == Owner::Service {
        return Ok(());
    }
    Err(format!(
        "'{}' is published by oplog itself: choose another name",
        family.name
    ))
}

fn conflict(family: &Family, kind: Kind, labels: &[&str]) -> String {
    let name = &family.name;
    if family.kind != kind {
        return format!(
            "'{name}' is a {} since its first use, not a {}: choose another name",
            family.kind.name(),
            kind.name()
        );
    }
    let listed = |labels: &[&str]| match labels {
        [] => "no labels".to_owned(),
        labels => labels.join(", "),
    };
    let have: Vec<&str> = family
        .labels()
        .unwrap_or_default()
        .iter()
        .map(String::as_str)
        .collect();
    format!(
        "'{name}' has the labels ({}) since its first use, these are ({}): give the same names each time",
        excerpt(&listed(&have)),
        excerpt(&listed(labels))
    )
}

fn cut(help: &str) -> &str {
    let end = (0..=HELP_BYTES_MAX.min(help.len()))
        .rev()
        .find(|end| help.is_char_boundary(*end));
    &help[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests;
