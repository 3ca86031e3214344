use super::*;
use crate::metrics::{assemble, Totals};

fn add(registry: &Registry, name: &str, labels: &[&str], values: &[&str], delta: f64) {
    let family = registry.used(name, Kind::Counter, labels).unwrap();
    let series = family.find(values.iter().copied(), 10).series;
    series.add(crate::metrics::Stage::Live, delta);
    registry.touched(&family);
}

/// What a commit would store, read back into a registry of a new process.
fn restarted(registry: &Registry) -> Registry {
    let changes = Totals::default().changes(registry);
    let restored = Registry::default();
    restored.restore(&assemble(&changes.families, &changes.added));
    restored
}

fn value(registry: &Registry, name: &str) -> Option<f64> {
    let rows = registry.rows();
    rows.iter()
        .find(|row| row.name == name)
        .map(|row| row.value)
}

#[test]
fn what_is_stored_and_read_back_goes_on_from_there() {
    let registry = Registry::default();
    add(&registry, "a_total", &["x"], &["1"], 5.0);
    let restored = restarted(&registry);
    assert_eq!(value(&restored, "a_total"), Some(5.0));
    add(&restored, "a_total", &["x"], &["1"], 2.0);
    assert_eq!(value(&restarted(&restored), "a_total"), Some(7.0));
}

#[test]
fn only_what_has_changed_is_stored_again() {
    let registry = Registry::default();
    let mut totals = Totals::default();
    add(&registry, "a_total", &["x"], &["1"], 5.0);
    let first = totals.changes(&registry);
    assert!(first.rewrite && first.added.len() == 2, "{first:?}");
    let nothing = totals.changes(&registry);
    assert_eq!(nothing, Default::default());
    add(&registry, "a_total", &["x"], &["1"], 1.0);
    let second = totals.changes(&registry);
    assert_eq!(second.changed, [(1, 6.0)]);
    assert!(!second.rewrite && second.added.is_empty() && second.families.is_empty());
    // What could not be stored is stored whole by the next.
    totals.failed();
    let third = totals.changes(&registry);
    assert!(third.rewrite && third.added.len() == 2, "{third:?}");
}

#[test]
fn a_restored_metric_gives_way_to_what_a_new_version_wants() {
    let registry = Registry::default();
    add(&registry, "a_total", &["x"], &["1"], 5.0);
    let restored = restarted(&registry);
    add(&restored, "a_total", &["x", "y"], &["1", "2"], 1.0);
    assert_eq!(value(&restored, "a_total"), Some(1.0));
    let used = restored.used("a_total", Kind::Counter, &["x"]);
    assert!(used.is_err_and(|error| error.contains("has the labels (x, y)")));
}

#[test]
fn metrics_are_limited_and_unused_ones_make_room() {
    let registry = Registry::default();
    for number in 0..METRICS_MAX {
        add(&registry, &format!("m{number}_total"), &[], &[], 1.0);
    }
    let full = registry.used("one_more_total", Kind::Counter, &[]);
    assert!(full.is_err_and(|error| error.contains("one more than 1000 metrics")));
    let restored = restarted(&registry);
    add(&restored, "one_more_total", &[], &[], 1.0);
    assert_eq!(restored.len(), METRICS_MAX);
    assert_eq!(value(&restored, "one_more_total"), Some(1.0));
}

#[test]
fn memory_is_limited_and_given_back() {
    let registry = Registry::default();
    let family = registry.used("h", Kind::Histogram, &["text"]).unwrap();
    let mut overflowed = 0;
    for number in 0..20_000 {
        let text = format!("{number}{}", "x".repeat(1000));
        let found = family.find([text.as_str()].into_iter(), usize::MAX);
        overflowed += usize::from(found.overflowed);
    }
    assert!(overflowed > 0);
    let bytes = registry.bytes();
    let limit = crate::metrics::REGISTRY_BYTES_MAX;
    assert!(bytes >= limit && bytes < limit + 100_000, "{bytes}");
    remove(&mut registry.write(), &family);
    assert_eq!(registry.bytes(), 0);
}
