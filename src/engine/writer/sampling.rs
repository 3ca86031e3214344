//! How often metrics are sampled for their history, and from where on.

use crate::engine::shared::Shared;
use crate::history::{Recorder, SAMPLE_INTERVAL_US};
use crate::store::Store;
use std::time::Duration;

pub const HISTORY_INTERVAL: Duration = Duration::from_micros(SAMPLE_INTERVAL_US as u64);

/// Knows what the log's metrics are now: what comes is counted from here.
pub fn recorder(store: &Store, shared: &Shared) -> Recorder {
    let mut recorder = Recorder::default();
    let names = store.history_names().unwrap_or_default();
    let at_us = crate::system::clock::now_us();
    recorder.look(&shared.metrics().registry, &names, at_us);
    recorder
}
