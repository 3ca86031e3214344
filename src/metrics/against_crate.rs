//! The speed of rendering against the `prometheus` crate, side by side; `make bench` runs it.

use super::family::Kind;
use super::{Format, Metrics, Samples, Stage};
use prometheus::{IntCounterVec, Opts, Registry, TextEncoder};
use std::time::{Duration, Instant};

const ROUNDS: usize = 21;

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

#[test]
#[ignore = "a measurement: make bench"]
fn rendering_against_the_prometheus_crate() {
    for size in [10, 1_000, 10_000, 100_000] {
        let metrics = Metrics::default();
        let labels = ["kind", "page"];
        let family = metrics
            .registry
            .used("requests_total", Kind::Counter, &labels)
            .unwrap();
        let registry = Registry::new();
        let counter =
            IntCounterVec::new(Opts::new("requests_total", "Requests."), &labels).unwrap();
        registry.register(Box::new(counter.clone())).unwrap();
        for number in 0..size {
            let page = format!("value {number}");
            let series = family.find(["x", &page].into_iter(), usize::MAX).series;
            series.add(Stage::Live, number as f64);
            counter.with_label_values(&["x", &page]).inc_by(number);
        }
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let mut text = String::new();
        for _ in 0..ROUNDS {
            let start = Instant::now();
            text = metrics.render(Format::Text, &Samples::default());
            ours.push(start.elapsed());
            let start = Instant::now();
            let encoded = TextEncoder::new().encode_to_string(&registry.gather());
            theirs.push(start.elapsed());
            let lines = encoded.unwrap().lines().count();
            assert_eq!(lines as u64, size + 2);
        }
        let lines = text
            .lines()
            .filter(|line| line.starts_with("requests_total{"));
        assert_eq!(lines.count() as u64, size);
        println!("rendered {size} {} {}", median(ours), median(theirs));
    }
}
