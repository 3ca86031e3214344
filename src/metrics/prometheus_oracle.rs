//! The `prometheus` crate as an oracle: the same random metrics, rendered by both, say the same sample by sample.

use super::family::{pack, Kind};
use super::registry::Registry;
use super::render::{Exposition, Format};
use super::updates::Updates;
use prometheus::{CounterVec, Encoder, GaugeVec, HistogramOpts, HistogramVec, Opts, TextEncoder};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A metric and what is done to it: label values, and a value.
#[derive(Clone, Debug)]
struct Metric {
    name: String,
    kind: Kind,
    help: String,
    labels: Vec<String>,
    buckets: Vec<f64>,
    updates: Vec<(Vec<String>, f64)>,
}

/// What an exposition says.
#[derive(Debug, Default, PartialEq)]
struct Said {
    types: BTreeMap<String, String>,
    helps: BTreeMap<String, String>,
    /// Bits of the values by name and labels; `le` as the bits of its number.
    samples: BTreeMap<(String, BTreeMap<String, String>), u64>,
}

/// Takes a quoted value from the front of a text, without its escapes.
fn take_quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.strip_prefix('"').unwrap().char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 2..]),
            '\\' => match characters.next().unwrap().1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    panic!("no end: {text}");
}

fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let mut labels = BTreeMap::new();
    let named = line.find([' ', '{']).unwrap();
    let (name, mut rest) = line.split_at(named);
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, value) = rest.trim_start_matches(',').split_once('=').unwrap();
            let (value, after) = take_quoted(value);
            let value = match label {
                // A bound is a number, however it is written.
                "le" => format!("{:?}", value.parse::<f64>().unwrap()),
                _ => value,
            };
            assert_eq!(labels.insert(label.to_owned(), value), None, "{line}");
            rest = after;
        }
        rest = &rest[1..];
    }
    (
        name.to_owned(),
        labels,
        rest.trim().parse().unwrap_or_else(|_| panic!("{line}")),
    )
}

fn said(text: &str) -> Said {
    let mut said = Said::default();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            said.types.insert(name.to_owned(), kind.to_owned());
        } else if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            said.helps.insert(name.to_owned(), help.to_owned());
        } else {
            let (name, labels, value) = sample(line);
            // All that is no number is alike, and so are both zeros.
            let value = if value.is_nan() {
                f64::NAN
            } else {
                value + 0.0
            };
            let bits = value.to_bits();
            let twice = said.samples.insert((name, labels), bits);
            assert_eq!(twice, None, "{line}");
        }
    }
    said
}

fn ours(metrics: &[Metric]) -> String {
    let registry = Registry::default();
    for metric in metrics {
        let buckets = (metric.kind == Kind::Histogram).then_some(metric.buckets.as_slice());
        registry
            .describe(&metric.name, metric.kind, &metric.help, buckets)
            .unwrap();
        for (values, value) in &metric.updates {
            let mut updates = Updates::of(metric.kind);
            let mut key = Vec::new();
            pack(&mut key, std::iter::once(metric.name.as_str()));
            let labels_at = key.len();
            pack(&mut key, values.iter().map(String::as_str));
            let names = || metric.labels.iter().map(String::as_str).collect();
            updates
                .add(&registry, &metric.name, names, &key, labels_at, *value)
                .unwrap();
            assert_eq!(updates.apply(usize::MAX), 0);
        }
    }
    let mut exposition = Exposition::new(Format::Text);
    exposition.registry(&registry);
    exposition.finish()
}

fn theirs(metrics: &[Metric]) -> String {
    let registry = prometheus::Registry::new();
    for metric in metrics {
        let opts = Opts::new(&metric.name, &metric.help);
        let names: Vec<&str> = metric.labels.iter().map(String::as_str).collect();
        let update = |each: &dyn Fn(&[&str], f64)| {
            for (values, value) in &metric.updates {
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                each(&values, *value);
            }
        };
        match metric.kind {
            Kind::Counter => {
                let counter = CounterVec::new(opts, &names).unwrap();
                update(&|values, value| counter.with_label_values(values).inc_by(value));
                registry.register(Box::new(counter)).unwrap();
            }
            Kind::Gauge => {
                let gauge = GaugeVec::new(opts, &names).unwrap();
                update(&|values, value| gauge.with_label_values(values).set(value));
                registry.register(Box::new(gauge)).unwrap();
            }
            Kind::Histogram => {
                let opts = HistogramOpts::from(opts).buckets(metric.buckets.clone());
                let histogram = HistogramVec::new(opts, &names).unwrap();
                update(&|values, value| histogram.with_label_values(values).observe(value));
                registry.register(Box::new(histogram)).unwrap();
            }
        }
    }
    let mut text = Vec::new();
    TextEncoder::new()
        .encode(&registry.gather(), &mut text)
        .unwrap();
    String::from_utf8(text).unwrap()
}

/// Without what the crate takes for one series: it tells label values apart by their text in a row, so that `ab`, `c` are `a`, `bc`.
fn told_apart(mut updates: Vec<(Vec<String>, f64)>) -> Vec<(Vec<String>, f64)> {
    let mut first: BTreeMap<String, Vec<String>> = BTreeMap::new();
    updates.retain(|(values, _)| {
        let known = first.entry(values.concat());
        known.or_insert_with(|| values.clone()) == values
    });
    updates
}

fn metric() -> impl Strategy<Value = Metric> {
    let kind = prop_oneof![
        Just(Kind::Counter),
        Just(Kind::Gauge),
        Just(Kind::Histogram)
    ];
    let labels = prop::collection::btree_set("[a-z_][a-z0-9_]{0,5}", 0..4);
    let buckets = prop::collection::btree_set(-1_000_000i64..1_000_000, 1..8);
    (kind, "[a-z][a-z0-9]{0,8}", ".{1,40}", labels, buckets).prop_flat_map(
        |(kind, stem, help, labels, buckets)| {
            let labels: Vec<String> = labels
                .into_iter()
                .filter(|label| label != "le" && !label.starts_with("__"))
                .collect();
            let value = match kind {
                Kind::Counter => (0.0..1e12).boxed(),
                Kind::Gauge => any::<f64>().boxed(),
                Kind::Histogram => prop_oneof![-2e6..2e6, (-8i32..8).prop_map(f64::from)].boxed(),
            };
            let texts = prop::collection::vec(".{0,6}", labels.len());
            let name = match kind {
                Kind::Counter => format!("service_{stem}_total"),
                Kind::Gauge | Kind::Histogram => format!("service_{stem}_size"),
            };
            prop::collection::vec((texts, value), 1..12).prop_map(move |updates| Metric {
                name: name.clone(),
                kind,
                help: help.clone(),
                labels: labels.clone(),
                buckets: buckets.iter().map(|bound| *bound as f64 / 64.0).collect(),
                updates: told_apart(updates),
            })
        },
    )
}

proptest! {
    #[test]
    fn both_say_the_same(metrics in prop::collection::vec(metric(), 1..6)) {
        let mut names = BTreeSet::new();
        let metrics: Vec<Metric> =
            metrics.into_iter().filter(|metric| names.insert(metric.name.clone())).collect();
        let (ours, theirs) = (said(&ours(&metrics)), said(&theirs(&metrics)));
        prop_assert_eq!(ours, theirs);
    }
}
