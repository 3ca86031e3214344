//! Values that a query brings along, rendered with the rest for one exposition.

use super::family::{render_labels, Kind};
use super::names;
use super::render::Exposition;
use super::Registry;
use crate::excerpt::excerpt;
use std::collections::{HashMap, HashSet};

/// More samples than this are refused: a scraper would not take them.
const SAMPLES_MAX: usize = 1_000_000;

/// One value, as a row says it.
#[derive(Clone, Debug, Default)]
pub struct Sample<'a> {
    pub name: &'a str,
    /// `counter` or `gauge`; "" for a gauge.
    pub kind: &'a str,
    pub help: &'a str,
    pub labels: Vec<(String, String)>,
    pub value: f64,
}

struct Group {
    name: String,
    kind: Kind,
    help: String,
    /// Rendered labels, and the value.
    lines: Vec<(String, f64)>,
    seen: HashSet<String>,
}

/// Samples by their metric, in the order in which those came.
#[derive(Default)]
pub struct Samples {
    groups: Vec<Group>,
    index: HashMap<String, usize>,
    taken: HashMap<String, String>,
    count: usize,
}

impl Samples {
    /// Adds a sample. What the registry has, no sample may be called.
    pub fn add(&mut self, registry: &Registry, sample: Sample<'_>) -> Result<(), String> {
        let name = sample.name;
        let kind = match sample.kind {
            "" => Kind::Gauge,
            given => match Kind::by_name(given) {
                Some(kind @ (Kind::Counter | Kind::Gauge)) => kind,
                _ => {
                    return Err(format!(
                        "type of '{}' is '{}': a sample is a counter or a gauge",
                        excerpt(name),
                        excerpt(given)
                    ))
                }
            },
        };
        if self.count >= SAMPLES_MAX {
            return Err(format!(
                "there are more than {SAMPLES_MAX} samples: give fewer"
            ));
        }
        let at = match self.index.get(name) {
            Some(at) => *at,
            None => self.add_group(registry, name, kind, sample.help)?,
        };
        let group = &mut self.groups[at];
        if group.kind != kind {
            return Err(format!(
                "'{name}' is a {} in one sample and a {} in another: give it one type",
                group.kind.name(),
                kind.name()
            ));
        }
        let labels = rendered(sample.labels, kind)?;
        if !group.seen.insert(labels.clone()) {
            return Err(format!(
                "'{name}' has two values for the labels {{{}}}: give one for each label set",
                excerpt(&labels)
            ));
        }
        group.lines.push((labels, sample.value));
        self.count += 1;
        Ok(())
    }

    fn add_group(
        &mut self,
        registry: &Registry,
        name: &str,
        kind: Kind,
        help: &str,
    ) -> Result<usize, String> {
        names::check_metric(name, kind)?;
        let taken = names::taken(name, kind);
        let other = taken
            .iter()
            .find_map(|taken| self.taken.get(taken).cloned())
            .or_else(|| registry.taken(&taken));
        if let Some(other) = other {
            return Err(format!(
                "'{name}' would have samples of the same name as the metric '{other}': choose another name"
            ));
        }
        for taken in taken {
            self.taken.insert(taken, name.to_owned());
        }
        self.index.insert(name.to_owned(), self.groups.len());
        self.groups.push(Group {
            name: name.to_owned(),
            kind,
            help: help.to_owned(),
            lines: Vec::new(),
            seen: HashSet::new(),
        });
        Ok(self.groups.len() - 1)
    }

    pub fn render(&self, exposition: &mut Exposition) {
        for group in &self.groups {
            exposition.head(&group.name, group.kind, &group.help);
            for (labels, value) in &group.lines {
                exposition.sample(&group.name, labels, *value);
            }
        }
    }
}

/// The labels in the order of their names.
fn rendered(mut labels: Vec<(String, String)>, kind: Kind) -> Result<String, String> {
    labels.sort();
    for (at, (name, _)) in labels.iter().enumerate() {
        names::check_label(name, kind)?;
        if at > 0 && labels[at - 1].0 == *name {
            return Err(format!("label '{name}' is given twice: give it once"));
        }
    }
    let pairs = labels.iter();
    Ok(render_labels(
        pairs.map(|(name, value)| (name.as_str(), value.as_str())),
    ))
}
