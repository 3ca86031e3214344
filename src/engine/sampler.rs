//! What is sampled and noted in the background, for alerts and health.

use super::held_back::HeldBack;
use crate::locks::lock;
use crate::store::Purged;
use crate::system::{Disk, History, Sample, Usage};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// How a run of retention went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRun {
    pub at_us: i64,
    pub outcome: Result<Purged, String>,
    pub held_back: Option<HeldBack>,
}

pub struct Sampler {
    pub opened_us: i64,
    history: Mutex<History>,
    /// The files of the databases that share this log.
    hosts: Mutex<Vec<PathBuf>>,
    retention: Mutex<Option<RetentionRun>>,
    /// Why spools could not be taken in when they were last looked at.
    spool_error: Mutex<Option<String>>,
}

impl Sampler {
    pub fn new() -> Self {
        Self {
            opened_us: crate::system::clock::now_us(),
            history: Mutex::default(),
            hosts: Mutex::default(),
            retention: Mutex::default(),
            spool_error: Mutex::default(),
        }
    }

    pub fn add_host(&self, path: &Path) {
        let mut hosts = lock(&self.hosts);
        if !hosts.iter().any(|host| host == path) {
            hosts.push(path.to_path_buf());
        }
    }

    pub fn hosts(&self) -> Vec<PathBuf> {
        lock(&self.hosts).clone()
    }

    /// What there is to see now. `log` is the log's file, if it is in one.
    fn look(&self, log: Option<&Path>) -> Sample {
        let hosts = self.hosts();
        let disk_percent = hosts
            .iter()
            .map(PathBuf::as_path)
            .chain(log)
            .filter_map(Disk::of)
            .map(|disk| disk.used_percent())
            .reduce(f64::max);
        Sample {
            at_us: crate::system::clock::now_us(),
            usage: Usage::sample(),
            disk_percent,
        }
    }

    /// Called by the writer.
    pub fn sample(&self, log: Option<&Path>) {
        let sample = self.look(log);
        lock(&self.history).push(sample);
    }

    /// The samples so far, and one of now.
    pub fn history(&self, log: Option<&Path>) -> History {
        let mut history = lock(&self.history).clone();
        history.push(self.look(log));
        history
    }

    pub fn note_retention(&self, outcome: Result<Purged, String>, held_back: Option<HeldBack>) {
        *lock(&self.retention) = Some(RetentionRun {
            at_us: crate::system::clock::now_us(),
            outcome,
            held_back,
        });
    }

    pub fn retention(&self) -> Option<RetentionRun> {
        lock(&self.retention).clone()
    }

    /// What the last run of retention held back.
    pub fn held_back(&self) -> Option<HeldBack> {
        lock(&self.retention).as_ref()?.held_back
    }

    pub fn note_spools(&self, error: Option<String>) {
        *lock(&self.spool_error) = error;
    }

    pub fn spool_error(&self) -> Option<String> {
        lock(&self.spool_error).clone()
    }
}
