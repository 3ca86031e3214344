//! What the process uses, under the names that all Prometheus clients give it, and what the databases take on disk.

use super::family::{Family, Kind, Owner};
use super::Registry;
use crate::system::{Disk, Usage};
use std::path::Path;
use std::sync::Arc;

type Read = fn(&Usage) -> Option<f64>;

fn whole(value: Option<u64>) -> Option<f64> {
    value.map(|value| value as f64)
}

pub const MACHINE_MEMORY: &str = "oplog_machine_memory_bytes";

/// Name, kind, help and source of each.
const PROCESS: [(&str, Kind, &str, Read); 11] = [
    (
        "process_cpu_seconds_total",
        Kind::Counter,
        "CPU time that the process has used, user and system.",
        |usage| usage.cpu_seconds,
    ),
    (
        "process_resident_memory_bytes",
        Kind::Gauge,
        "Memory of the process that is resident.",
        |usage| whole(usage.resident_bytes),
    ),
    (
        "process_virtual_memory_bytes",
        Kind::Gauge,
        "Virtual memory of the process.",
        |usage| whole(usage.virtual_bytes),
    ),
    (
        "process_open_fds",
        Kind::Gauge,
        "Files that the process has open.",
        |usage| whole(usage.open_fds),
    ),
    (
        "process_max_fds",
        Kind::Gauge,
        "Files that the process may have open.",
        |usage| whole(usage.max_fds),
    ),
    (
        "process_threads",
        Kind::Gauge,
        "Threads of the process.",
        |usage| whole(usage.threads),
    ),
    (
        "process_start_time_seconds",
        Kind::Gauge,
        "When the process began, in seconds since 1970.",
        |usage| usage.start_time_seconds,
    ),
    (
        "process_disk_read_bytes_total",
        Kind::Counter,
        "Bytes that the process had read from disk.",
        |usage| whole(usage.disk_read_bytes),
    ),
    (
        "process_disk_written_bytes_total",
        Kind::Counter,
        "Bytes that the process had written to disk.",
        |usage| whole(usage.disk_written_bytes),
    ),
    (
        "oplog_machine_cpus",
        Kind::Gauge,
        "CPUs that the process may use.",
        |usage| usage.machine_cpus,
    ),
    (
        MACHINE_MEMORY,
        Kind::Gauge,
        "Memory that the process may use.",
        |usage| whole(usage.machine_memory_bytes),
    ),
];

/// What is measured when somebody asks.
pub struct ProcessMetrics {
    process: Vec<(Arc<Family>, Read)>,
    file: Arc<Family>,
    wal: Arc<Family>,
    disk_available: Arc<Family>,
    disk_size: Arc<Family>,
}

impl ProcessMetrics {
    pub fn register(registry: &Registry) -> Self {
        let own = |name: &str, kind, help: &str, labels: &[&str]| {
            registry.own(Owner::Engine, kind, name, help, labels, &[])
        };
        let database = |name: &str, help: &str| own(name, Kind::Gauge, help, &["database"]);
        Self {
            process: PROCESS
                .iter()
                .map(|(name, kind, help, read)| (own(name, *kind, help, &[]), *read))
                .collect(),
            file: database(
                "duckdb_database_file_bytes",
                "Size of the database file: the host's, and the log's.",
            ),
            wal: database(
                "duckdb_database_wal_bytes",
                "Size of the file's write-ahead log.",
            ),
            disk_available: database(
                "duckdb_database_disk_available_bytes",
                "What is free on the disk that the file is on.",
            ),
            disk_size: database(
                "duckdb_database_disk_size_bytes",
                "Size of the disk that the file is on.",
            ),
        }
    }

    /// Measures now. `databases` are label values and files.
    pub fn measure(&self, databases: &[(&str, &Path)]) {
        let usage = Usage::sample();
        for (family, read) in &self.process {
            // What is not known on a system has no series.
            if let Some(value) = read(&usage) {
                family.find(std::iter::empty(), 1).series.set(value);
            }
        }
        for (label, path) in databases {
            let set = |family: &Family, value: u64| {
                let found = family.find([*label].into_iter(), usize::MAX);
                found.series.set(value as f64);
            };
            let length = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
            set(&self.file, length(path));
            let mut wal = path.as_os_str().to_owned();
            wal.push(".wal");
            set(&self.wal, length(Path::new(&wal)));
            if let Some(disk) = Disk::of(path) {
                set(&self.disk_available, disk.available_bytes);
                set(&self.disk_size, disk.size_bytes);
            }
        }
    }
}
