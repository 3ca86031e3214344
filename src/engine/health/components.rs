//! From an engine's figures to what is well and what is not.
//!
//! Pure. The words are those of the health check format for HTTP APIs (draft-inadarei-api-health-check).

use crate::engine::log::{Role, SpoolFigures};
use crate::engine::sampler::RetentionRun;
use crate::journal::JOURNAL_BYTES_MAX;
use crate::queue::{QueueFigures, QueueHealth, QUEUE_BYTES_MAX};
use crate::spans::{SpanFigures, SPANS_MAX};
use crate::system::Disk;
use std::path::PathBuf;
use std::time::Duration;

/// A disk that is fuller than this is worth a word: the default alert's threshold too.
const DISK_PERCENT_MAX: f64 = 90.0;
/// With less than this, a journal cannot be written for long.
const DISK_BYTES_MIN: u64 = 64 << 20;
/// Share of a limit from which on it is said that it is near.
const NEAR: f64 = 0.8;
/// A batch that waits this many flush intervals waits for something else.
const INTERVALS_MAX: u32 = 10;
/// A commit may take a while, whatever the interval.
const WAITING_MIN: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Pass,
    /// It works, and something needs attention.
    Warn,
    /// What is recorded does not get into the log.
    Fail,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    pub name: &'static str,
    pub status: Status,
    pub detail: String,
}

/// What an engine knows of itself.
pub struct Facts {
    pub now_us: i64,
    pub role: Role,
    /// None for a log in memory.
    pub path: Option<PathBuf>,
    /// Where a guest keeps its records for the log's owner.
    pub spool: Option<PathBuf>,
    pub flush_interval: Duration,
    pub queue: QueueFigures,
    pub queue_health: QueueHealth,
    /// Operations that cannot be read any more, in this process and on recovery.
    pub lost: u64,
    pub spans: SpanFigures,
    pub spools: SpoolFigures,
    pub spool_error: Option<String>,
    /// The databases' files and the log's, and their file systems where they can be asked.
    pub disks: Vec<(PathBuf, Option<Disk>)>,
    pub retention: Option<RetentionRun>,
    /// What happened to the log; "" for nothing.
    pub trouble: String,
    /// Of which operations the log has none, and never will; "" for none.
    pub set_aside: String,
    /// Names of the alerts that fire, or why they cannot be told; none where nobody asked for them.
    pub firing: Option<Result<Vec<String>, String>>,
}

type Finding = (Status, String);

fn pass(detail: impl Into<String>) -> Finding {
    (Status::Pass, detail.into())
}

fn warn(detail: impl Into<String>) -> Finding {
    (Status::Warn, detail.into())
}

fn fail(detail: impl Into<String>) -> Finding {
    (Status::Fail, detail.into())
}

/// Every component, led by `overall`: the worst of them.
pub fn components(facts: &Facts) -> Vec<Component> {
    let mut findings = vec![
        ("log", log(facts)),
        ("writer", writer(facts)),
        ("queue", queue(facts)),
        ("journal", journal(facts)),
        ("disk", disk(facts)),
        ("retention", retention(facts)),
        ("spools", spools(facts)),
        ("spans", spans(facts)),
    ];
    let firing = facts.firing.as_ref();
    findings.extend(firing.map(|firing| ("alerts", alerts(firing))));
    let worst = findings.iter().map(|(_, (status, _))| *status).max();
    let status = worst.unwrap_or(Status::Pass);
    let to_blame: Vec<&str> = findings
        .iter()
        .filter(|(_, (found, _))| *found == status && status != Status::Pass)
        .map(|(name, _)| *name)
        .collect();
    let overall = Component {
        name: "overall",
        status,
        detail: to_blame.join(", "),
    };
    let components = findings
        .into_iter()
        .map(|(name, (status, detail))| Component {
            name,
            status,
            detail,
        });
    std::iter::once(overall).chain(components).collect()
}

fn log(facts: &Facts) -> Finding {
    if !facts.set_aside.is_empty() {
        return fail(facts.set_aside.clone());
    }
    if !facts.trouble.is_empty() {
        return warn(facts.trouble.clone());
    }
    let path = facts.path.as_ref().map(|path| path.display().to_string());
    match (facts.role, path, &facts.spool) {
        (Role::Owner, Some(path), _) => pass(path),
        (Role::Owner, None, _) => pass("in memory: it ends with the process"),
        (Role::Guest, _, Some(spool)) => pass(format!(
            "another process has it; what is recorded here waits for that in {}",
            spool.display()
        )),
        (Role::Guest, _, None) => {
            warn("another process has it, and nothing can be kept for that; what is recorded here ends with this process")
        }
        (Role::Fallback, _, _) => {
            warn("it cannot be opened where it should be, and is kept in memory; FROM oplog_status() says why")
        }
    }
}

fn writer(facts: &Facts) -> Finding {
    let health = &facts.queue_health;
    if health.stopped {
        return fail(format!("it has stopped: {}", health.last_error));
    }
    if !health.last_error.is_empty() {
        return fail(format!("the last commit failed: {}", health.last_error));
    }
    let waiting = health.waiting.unwrap_or_default();
    let late = waiting > WAITING_MIN && waiting > facts.flush_interval * INTERVALS_MAX;
    let detail = format!("{} operations wait to be committed", facts.queue.operations);
    if late {
        return warn(format!("{detail}, for {} seconds", waiting.as_secs()));
    }
    pass(detail)
}

fn queue(facts: &Facts) -> Finding {
    let (bytes, limit) = (facts.queue.bytes, QUEUE_BYTES_MAX as u64);
    let detail = format!("{bytes} of {limit} bytes");
    if facts.queue.spilled {
        return warn(format!("{detail}; the rest waits in the journal"));
    }
    if near(bytes, limit) {
        return warn(detail);
    }
    pass(detail)
}

fn journal(facts: &Facts) -> Finding {
    if !facts.queue_health.refused.is_empty() {
        return fail(format!(
            "it takes no records: {}",
            facts.queue_health.refused
        ));
    }
    if facts.lost > 0 {
        return warn(format!(
            "{} operations were recorded and cannot be read; FROM oplog_status() says which",
            facts.lost
        ));
    }
    if !facts.queue_health.has_journal {
        return if facts.role == Role::Owner && facts.path.is_some() {
            warn("there is none: what is recorded survives a kill only once it is committed")
        } else {
            pass("none, as the log is in memory")
        };
    }
    let (bytes, limit) = (facts.queue.journal_bytes, JOURNAL_BYTES_MAX);
    let detail = format!("{bytes} of {limit} bytes");
    if bytes >= limit {
        return fail(format!("{detail}: callers wait for the writer"));
    }
    if near(bytes, limit) {
        return warn(detail);
    }
    pass(detail)
}

fn near(value: u64, limit: u64) -> bool {
    value as f64 >= limit as f64 * NEAR
}

fn disk(facts: &Facts) -> Finding {
    let mut worst = pass("no file is kept");
    for (path, disk) in &facts.disks {
        let path = path.display();
        let Some(disk) = disk else {
            worst = worst.max(warn(format!("{path}: its file system cannot be asked")));
            continue;
        };
        let detail = format!(
            "{path}: {} bytes available, {:.1} % used",
            disk.available_bytes,
            disk.used_percent()
        );
        let found = if disk.available_bytes < DISK_BYTES_MIN {
            fail(detail)
        } else if disk.used_percent() > DISK_PERCENT_MAX {
            warn(detail)
        } else {
            pass(detail)
        };
        // The first of those that are equally well is the database's own.
        if found.0 > worst.0 || worst.1 == "no file is kept" {
            worst = found;
        }
    }
    worst
}

fn retention(facts: &Facts) -> Finding {
    let Some(run) = &facts.retention else {
        return pass("it runs every minute, and has not yet");
    };
    let ago = (facts.now_us - run.at_us).max(0) / 1_000_000;
    match (&run.outcome, &run.held_back) {
        (Err(error), _) => warn(format!("{ago} seconds ago it failed: {error}")),
        (_, Some(held_back)) => warn(held_back.to_string()),
        (Ok(purged), None) => pass(format!(
            "{ago} seconds ago it deleted {} operations",
            purged.by_age + purged.by_size
        )),
    }
}

fn spools(facts: &Facts) -> Finding {
    if let Some(error) = &facts.spool_error {
        return warn(format!("one cannot be taken in: {error}"));
    }
    pass(format!(
        "{} of other processes, {} operations taken in",
        facts.spools.spools, facts.spools.taken_operations
    ))
}

fn spans(facts: &Facts) -> Finding {
    let (running, limit) = (facts.spans.running as u64, SPANS_MAX as u64);
    let detail = format!("{running} of {limit} running");
    if running >= limit {
        return warn(format!("{detail}: none can be started"));
    }
    if near(running, limit) {
        return warn(detail);
    }
    pass(detail)
}

fn alerts(firing: &Result<Vec<String>, String>) -> Finding {
    match firing {
        Ok(firing) if firing.is_empty() => pass("none fires"),
        Ok(firing) => warn(format!("{} firing: {}", firing.len(), firing.join(", "))),
        Err(error) => warn(format!("they cannot be told: {error}")),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
