//! The registry as rows: a sample each.

use super::family::{unpack, Kind};
use super::number;
use super::series::Stage;
use super::Registry;

/// A sample as a scraper sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub name: String,
    /// The type of the metric that it belongs to.
    pub kind: Kind,
    pub labels: Vec<(String, String)>,
    pub value: f64,
    pub help: String,
}

impl Registry {
    pub fn rows(&self) -> Vec<Row> {
        self.rows_of(|_| true)
    }

    /// The rows of the metrics with these names.
    pub fn rows_of(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<Row> {
        let mut rows = Vec::new();
        for family in self.families() {
            if !is_wanted(&family.name) {
                continue;
            }
            let help = family.help();
            let names = family.labels().unwrap_or_default();
            let row = |suffix: &str, labels: &[(String, String)], value| Row {
                name: format!("{}{suffix}", family.name),
                kind: family.kind,
                labels: labels.to_vec(),
                value,
                help: help.clone(),
            };
            for series in &family.series().ordered {
                let labels: Vec<(String, String)> = names
                    .iter()
                    .zip(unpack(&series.key))
                    .map(|(name, value)| (name.clone(), value.to_owned()))
                    .collect();
                let distribution = series.with_distribution(Stage::Live, Clone::clone);
                let Some(distribution) = distribution else {
                    rows.push(row("", &labels, series.value(Stage::Live)));
                    continue;
                };
                let bounds = family.bounds.iter().chain([&f64::INFINITY]);
                for (bound, below) in bounds.zip(distribution.cumulative()) {
                    let mut labels = labels.clone();
                    labels.push(("le".to_owned(), number::bound(*bound)));
                    rows.push(row("_bucket", &labels, below as f64));
                }
                rows.push(row("_sum", &labels, distribution.sum));
                let count: u64 = distribution.counts.iter().sum();
                rows.push(row("_count", &labels, count as f64));
            }
        }
        rows
    }
}
