//! What may become full, as the metrics and their history have it.

use super::error::Error;
use super::metrics::{HOST, LOG};
use super::shared::Shared;
use crate::calendar::HOUR_US;
use crate::capacity::{Measure, Resource};
use crate::history::{DATABASE_FILE, DATABASE_WAL, DISK_AVAILABLE, DISK_SIZE, MEMORY, OPERATIONS};
use crate::metrics::MACHINE_MEMORY;
use crate::store::HourOfMetric;
use crate::system::Disk;
use std::collections::{BTreeMap, HashMap};

/// What is measured, in a log's history and now.
const METRICS: [&str; 6] = [
    DATABASE_FILE,
    DATABASE_WAL,
    DISK_AVAILABLE,
    DISK_SIZE,
    MEMORY,
    OPERATIONS,
];

impl Shared {
    /// What may become full, with what was used since that time.
    pub fn resources(&self, since_us: i64, now_us: i64) -> Result<Vec<Resource>, Error> {
        let from_hour = since_us.div_euclid(HOUR_US);
        let hours = self.begin(|| -> Result<_, Error> {
            let reader = self.reader()?;
            Ok(reader.history_hours(&METRICS, from_hour, &self.callers)?)
        })?;
        let known = Known::of(self.measured(), hours);
        let place = self.status().place;
        let host = self.sampler.hosts().into_iter().next();
        let mut resources = Vec::new();
        let shared_disk = match (&host, place.path()) {
            (Some(host), Some(log)) => Disk::is_shared(host, log),
            _ => false,
        };
        match (&host, place.path()) {
            (None, Some(_)) => resources.push(known.disk("disk", LOG)),
            (Some(_), Some(_)) if !shared_disk => {
                resources.push(known.disk("disk", HOST));
                resources.push(known.disk("log_disk", LOG));
            }
            _ => resources.push(known.disk("disk", HOST)),
        }
        resources.push(known.database());
        resources.push(known.log(self.settings().max_size_bytes()));
        resources.push(known.memory());
        resources.push(known.operations(now_us));
        Ok(resources)
    }

    /// What these metrics are now, by metric and database.
    fn measured(&self) -> HashMap<(String, String), f64> {
        let registry = &self.metrics().registry;
        let rows = registry.rows_of(|name| METRICS.contains(&name) || name == MACHINE_MEMORY);
        rows.into_iter()
            .map(|row| {
                let database = row.labels.into_iter().find(|(name, _)| name == "database");
                let database = database.map_or(String::new(), |(_, value)| value);
                ((row.name, database), row.value)
            })
            .collect()
    }
}

type Hours = BTreeMap<i64, f64>;

/// What metrics are and were.
struct Known {
    now: HashMap<(String, String), f64>,
    hours: HashMap<(String, String), Hours>,
}

impl Known {
    fn of(now: HashMap<(String, String), f64>, of_metrics: Vec<HourOfMetric>) -> Self {
        let mut hours: HashMap<(String, String), Hours> = HashMap::new();
        for known in of_metrics {
            let key = (known.metric, known.database);
            hours
                .entry(key)
                .or_default()
                .insert(known.hour, known.value);
        }
        Self { now, hours }
    }

    fn now(&self, metric: &str, database: &str) -> Option<f64> {
        let key = (metric.to_owned(), database.to_owned());
        self.now.get(&key).copied()
    }

    fn hours(&self, metric: &str, database: &str) -> Hours {
        let key = (metric.to_owned(), database.to_owned());
        self.hours.get(&key).cloned().unwrap_or_default()
    }

    /// Two metrics as one, where both are known.
    fn both(
        &self,
        (one, other): (&str, &str),
        database: &str,
        joined: impl Fn(f64, f64) -> f64,
    ) -> (Option<f64>, Hours) {
        let now = self.now(one, database).zip(self.now(other, database));
        let others = self.hours(other, database);
        let hours = self.hours(one, database).into_iter();
        let hours =
            hours.filter_map(|(hour, value)| Some((hour, joined(value, *others.get(&hour)?))));
        (now.map(|(one, other)| joined(one, other)), hours.collect())
    }

    fn disk(&self, name: &'static str, database: &str) -> Resource {
        let used = |size: f64, available: f64| size - available;
        let (used, hours) = self.both((DISK_SIZE, DISK_AVAILABLE), database, used);
        let size = self.now(DISK_SIZE, database);
        Resource {
            name,
            unit: "bytes",
            measure: Measure::Level,
            used,
            capacity: size.ok_or("database and log are in memory"),
            hours,
        }
    }

    /// A database file with its write-ahead log.
    fn file(&self, database: &str) -> (Option<f64>, Hours) {
        self.both((DATABASE_FILE, DATABASE_WAL), database, |file, wal| {
            file + wal
        })
    }

    fn database(&self) -> Resource {
        let (used, hours) = self.file(HOST);
        let available = self.now(DISK_AVAILABLE, HOST);
        Resource {
            name: "database",
            unit: "bytes",
            measure: Measure::Level,
            used,
            // As large as it can become if nothing else grows.
            capacity: used
                .zip(available)
                .map(|(used, available)| used + available)
                .ok_or("the database is in memory"),
            hours,
        }
    }

    fn log(&self, max_bytes: u64) -> Resource {
        let (used, hours) = self.file(LOG);
        Resource {
            name: "log",
            unit: "bytes",
            measure: Measure::Level,
            used,
            capacity: match used {
                Some(_) => Ok(max_bytes as f64),
                None => Err("the log is in memory"),
            },
            hours,
        }
    }

    fn memory(&self) -> Resource {
        let size = self.now(MACHINE_MEMORY, "");
        Resource {
            name: "memory",
            unit: "bytes",
            measure: Measure::Level,
            used: self.now(MEMORY, ""),
            capacity: size.ok_or("it is not known how much there is"),
            hours: self.hours(MEMORY, ""),
        }
    }

    fn operations(&self, now_us: i64) -> Resource {
        let hours = self.hours(OPERATIONS, "");
        let this_hour = now_us.div_euclid(HOUR_US);
        let last_day = hours.range(this_hour - 23..).map(|(_, rise)| rise);
        let sampled = !hours.is_empty();
        Resource {
            name: "operations_per_day",
            unit: "operations",
            measure: Measure::Daily,
            used: sampled.then(|| last_day.sum()),
            capacity: Err(match sampled {
                true => "it has no limit",
                false => "it has no history yet",
            }),
            hours,
        }
    }
}
