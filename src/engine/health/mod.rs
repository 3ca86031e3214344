//! The facts that `oplog_health()` is made of.

mod components;

pub use components::{Component, Status};

use super::shared::Shared;
use crate::alerts::State;
use crate::system::Disk;
use components::{components, Facts};

impl Shared {
    /// Every component, led by `overall`.
    pub fn health(&self) -> Vec<Component> {
        // First, as it commits what waits: the figures are those after that.
        let firing = self.alerts().map_err(String::from).map(|alerts| {
            alerts
                .into_iter()
                .filter(|alert| alert.evaluation.state == State::Firing)
                .map(|alert| alert.rule.name)
                .collect()
        });
        self.components(Some(firing))
    }

    /// The same without alerts: it waits for nothing, a commit that hangs included.
    pub fn vitals(&self) -> Vec<Component> {
        self.components(None)
    }

    fn components(&self, firing: Option<Result<Vec<String>, String>>) -> Vec<Component> {
        let status = self.status();
        let sampler = &self.sampler;
        let path = status.place.path().map(std::path::Path::to_path_buf);
        let mut files = sampler.hosts();
        files.extend(path.clone());
        components(&Facts {
            now_us: crate::system::clock::now_us(),
            role: status.role,
            path,
            spool: status.spool,
            flush_interval: self.settings().flush_interval(),
            queue: status.queue,
            queue_health: self.queue.health(),
            lost: status.lost_operations,
            spans: status.spans,
            spools: status.spools,
            spool_error: sampler.spool_error(),
            disks: files
                .into_iter()
                .map(|file| {
                    let disk = Disk::of(&file);
                    (file, disk)
                })
                .collect(),
            retention: sampler.retention(),
            trouble: status.trouble,
            set_aside: status.set_aside,
            firing,
        })
    }
}
