//! Writing metrics in the two formats that Prometheus scrapes.
//!
//! Sources: Prometheus exposition format 0.0.4, OpenMetrics 1.0.

use super::family::{Family, Kind, Owner};
use super::number;
use super::series::{Distribution, Exemplar, Series, Stage};
use super::{names, Registry};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`
    Text,
    /// `application/openmetrics-text; version=1.0.0`
    OpenMetrics,
}

/// Exposition as it grows.
pub struct Exposition {
    out: Vec<u8>,
    format: Format,
}

impl Exposition {
    pub fn new(format: Format) -> Self {
        Self {
            out: Vec::with_capacity(64 * 1024),
            format,
        }
    }

    /// Writes all metrics that have a series.
    pub fn registry(&mut self, registry: &Registry) {
        for family in registry.families() {
            self.family(&family);
        }
    }

    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.out.extend_from_slice(b"# EOF\n");
        }
        // Made of text only.
        String::from_utf8(self.out).unwrap_or_default()
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, value: f64) {
        number::push(&mut self.out, value);
    }

    /// The lines that say what a metric is.
    pub fn head(&mut self, name: &str, kind: Kind, help: &str) {
        let family = match self.format {
            Format::Text => name,
            Format::OpenMetrics => names::family(name, kind),
        };
        if !help.is_empty() {
            self.text("# HELP ");
            self.text(family);
            self.text(" ");
            self.help(help);
            self.text("\n");
        }
        self.text("# TYPE ");
        self.text(family);
        self.text(" ");
        self.text(kind.name());
        self.text("\n");
        let unit = names::unit(family);
        if self.format == Format::OpenMetrics && !unit.is_empty() {
            self.text("# UNIT ");
            self.text(family);
            self.text(" ");
            self.text(unit);
            self.text("\n");
        }
    }

    fn help(&mut self, help: &str) {
        for character in help.chars() {
            match character {
                '\\' => self.text("\\\\"),
                '\n' => self.text("\\n"),
                '"' if self.format == Format::OpenMetrics => self.text("\\\""),
                other => self.text(other.encode_utf8(&mut [0; 4])),
            }
        }
    }

    fn family(&mut self, family: &Family) {
        let series = family.series();
        if series.ordered.is_empty() {
            return;
        }
        self.head(&family.name, family.kind, &family.help());
        for series in &series.ordered {
            match family.kind {
                Kind::Counter | Kind::Gauge => {
                    self.sample(&family.name, &series.labels, series.value(Stage::Live));
                }
                Kind::Histogram => self.histogram(family, series),
            }
            // What the engine measures began when it says so itself.
            if family.kind != Kind::Gauge && family.owner != Owner::Engine {
                self.created(family, series);
            }
        }
    }

    /// A line: a name, rendered labels, a number.
    pub fn sample(&mut self, name: &str, labels: &str, value: f64) {
        self.suffixed(name, "", labels);
        self.number(value);
        self.text("\n");
    }

    /// A line up to its number.
    fn suffixed(&mut self, name: &str, suffix: &str, labels: &str) {
        self.text(name);
        self.text(suffix);
        if !labels.is_empty() {
            self.text("{");
            self.text(labels);
            self.text("}");
        }
        self.text(" ");
    }

    fn histogram(&mut self, family: &Family, series: &Series) {
        series.with_distribution(Stage::Live, |distribution| {
            self.buckets(family, &series.labels, distribution);
            let count: u64 = distribution.counts.iter().sum();
            // OpenMetrics: a sum counts up, so one that falls below zero is none, and there is no count without a sum. The
            // last bucket has it.
            let negative = family.bounds.first().is_some_and(|bound| *bound < 0.0);
            if self.format == Format::OpenMetrics && (negative || distribution.sum < 0.0) {
                return;
            }
            self.suffixed(&family.name, "_sum", &series.labels);
            self.number(distribution.sum);
            self.text("\n");
            self.suffixed(&family.name, "_count", &series.labels);
            self.number(count as f64);
            self.text("\n");
        });
    }

    fn buckets(&mut self, family: &Family, labels: &str, distribution: &Distribution) {
        let cumulative = distribution.cumulative().zip(&family.bound_texts);
        for (bucket, (below, bound)) in cumulative.enumerate() {
            self.text(&family.name);
            self.text("_bucket{");
            if !labels.is_empty() {
                self.text(labels);
                self.text(",");
            }
            self.text(bound);
            self.number(below as f64);
            if self.format == Format::OpenMetrics {
                if let Some(Some(exemplar)) = distribution.exemplars.get(bucket) {
                    self.exemplar(exemplar);
                }
            }
            self.text("\n");
        }
    }

    fn exemplar(&mut self, exemplar: &Exemplar) {
        self.text(" # {trace_id=\"");
        self.text(&exemplar.trace_id);
        self.text("\"} ");
        self.number(exemplar.value);
        self.text(" ");
        self.number(exemplar.at_us as f64 / 1e6);
    }

    fn created(&mut self, family: &Family, series: &Series) {
        if self.format == Format::OpenMetrics {
            let name = names::family(&family.name, family.kind);
            self.suffixed(name, "_created", &series.labels);
            self.number(series.created_at_us() as f64 / 1e6);
            self.text("\n");
        }
    }
}
