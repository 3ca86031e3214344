use super::*;
use crate::engine::held_back::HeldBack;
use crate::store::Purged;
use crate::system::Leap;

const GIB: u64 = 1 << 30;

fn healthy() -> Facts {
    let roomy = Disk {
        size_bytes: 100 * GIB,
        available_bytes: 50 * GIB,
    };
    Facts {
        now_us: 100_000_000,
        role: Role::Owner,
        path: Some("/data/app.duckdb.oplog".into()),
        spool: None,
        flush_interval: Duration::from_secs(1),
        queue: QueueFigures::default(),
        queue_health: QueueHealth {
            has_journal: true,
            ..QueueHealth::default()
        },
        lost: 0,
        spans: SpanFigures::default(),
        spools: SpoolFigures::default(),
        spool_error: None,
        disks: vec![("/data/app.duckdb".into(), Some(roomy))],
        retention: Some(RetentionRun {
            at_us: 88_000_000,
            outcome: Ok(Purged {
                by_age: 3,
                by_size: 4,
            }),
            held_back: None,
        }),
        trouble: String::new(),
        set_aside: String::new(),
        firing: Some(Ok(Vec::new())),
    }
}

/// The one component that a change of the facts is about.
fn found(name: &str, edit: impl FnOnce(&mut Facts)) -> (Status, String) {
    let mut facts = healthy();
    edit(&mut facts);
    let components = components(&facts);
    let component = components
        .iter()
        .find(|component| component.name == name)
        .unwrap();
    let overall = &components[0];
    assert_eq!(overall.status, component.status, "{components:?}");
    if component.status != Status::Pass {
        assert_eq!(overall.detail, name);
    }
    (component.status, component.detail.clone())
}

#[test]
fn all_is_well() {
    let components = components(&healthy());
    let names: Vec<&str> = components.iter().map(|component| component.name).collect();
    assert_eq!(
        names,
        [
            "overall",
            "log",
            "writer",
            "queue",
            "journal",
            "disk",
            "retention",
            "spools",
            "spans",
            "alerts"
        ]
    );
    for component in &components {
        assert_eq!(component.status, Status::Pass, "{component:?}");
    }
    let detail = |name: &str| {
        let found = components.iter().find(|component| component.name == name);
        found.unwrap().detail.clone()
    };
    assert_eq!(detail("log"), "/data/app.duckdb.oplog");
    assert_eq!(
        detail("retention"),
        "12 seconds ago it deleted 7 operations"
    );
    assert_eq!(
        detail("disk"),
        "/data/app.duckdb: 53687091200 bytes available, 50.0 % used"
    );
}

#[test]
fn a_log_in_memory_is_well_where_that_was_wanted() {
    let memory = |facts: &mut Facts| {
        facts.path = None;
        facts.disks.clear();
        facts.queue_health.has_journal = false;
    };
    assert_eq!(found("log", memory).0, Status::Pass);
    assert_eq!(found("journal", memory).1, "none, as the log is in memory");
    assert_eq!(found("disk", memory).1, "no file is kept");
    let (status, detail) = found("log", |facts| {
        memory(facts);
        facts.role = Role::Fallback;
    });
    assert_eq!(status, Status::Warn);
    assert!(detail.contains("is kept in memory"));
}

#[test]
fn a_guest_is_well_as_long_as_its_records_wait_for_the_owner() {
    let (status, detail) = found("log", |facts| {
        facts.role = Role::Guest;
        facts.spool = Some("/data/spool".into());
    });
    assert_eq!(status, Status::Pass);
    assert!(detail.ends_with("waits for that in /data/spool"));
    let (status, _) = found("log", |facts| {
        facts.role = Role::Guest;
        facts.queue_health.has_journal = false;
    });
    assert_eq!(status, Status::Warn);
}

#[test]
fn a_writer_that_cannot_commit_fails() {
    let (status, detail) = found("writer", |facts| {
        facts.queue_health.last_error = "no space left".into();
    });
    assert_eq!(
        (status, detail.as_str()),
        (Status::Fail, "the last commit failed: no space left")
    );
    let (status, detail) = found("writer", |facts| {
        facts.queue_health.stopped = true;
        facts.queue_health.last_error = "the writer panicked".into();
    });
    assert_eq!(
        (status, detail.as_str()),
        (Status::Fail, "it has stopped: the writer panicked")
    );
    let late = |seconds| {
        found("writer", |facts| {
            facts.queue.operations = 5;
            facts.queue_health.waiting = Some(Duration::from_secs(seconds));
        })
    };
    assert_eq!(late(9).0, Status::Pass);
    assert_eq!(
        late(11),
        (
            Status::Warn,
            "5 operations wait to be committed, for 11 seconds".into()
        )
    );
}

#[test]
fn a_journal_that_takes_no_records_fails() {
    let (status, detail) = found("journal", |facts| {
        facts.queue_health.refused = "cannot write x: no space".into();
    });
    assert_eq!(status, Status::Fail);
    assert_eq!(detail, "it takes no records: cannot write x: no space");
}

#[test]
fn limits_that_are_near_are_said() {
    let queue = |bytes| found("queue", |facts| facts.queue.bytes = bytes).0;
    assert_eq!(queue(QUEUE_BYTES_MAX as u64 / 2), Status::Pass);
    assert_eq!(queue(QUEUE_BYTES_MAX as u64 * 9 / 10), Status::Warn);
    let (status, _) = found("queue", |facts| facts.queue.spilled = true);
    assert_eq!(status, Status::Warn);
    let journal = |bytes| found("journal", |facts| facts.queue.journal_bytes = bytes).0;
    assert_eq!(journal(JOURNAL_BYTES_MAX / 2), Status::Pass);
    assert_eq!(journal(JOURNAL_BYTES_MAX * 9 / 10), Status::Warn);
    assert_eq!(journal(JOURNAL_BYTES_MAX), Status::Fail);
    let (status, _) = found("journal", |facts| facts.queue_health.has_journal = false);
    assert_eq!(status, Status::Warn);
    let (status, detail) = found("journal", |facts| facts.lost = 7);
    assert_eq!(status, Status::Warn);
    assert!(detail.starts_with("7 operations were recorded"));
    let spans = |running| found("spans", |facts| facts.spans.running = running).0;
    assert_eq!(spans(0), Status::Pass);
    assert_eq!(spans(SPANS_MAX), Status::Warn);
}

#[test]
fn the_worst_disk_counts() {
    let disks = |available: [u64; 2]| {
        found("disk", |facts| {
            facts.disks = available
                .iter()
                .enumerate()
                .map(|(index, available)| {
                    let disk = Disk {
                        size_bytes: 100 * GIB,
                        available_bytes: *available,
                    };
                    (format!("/disk{index}").into(), Some(disk))
                })
                .collect();
        })
    };
    assert_eq!(disks([50 * GIB, 50 * GIB]).0, Status::Pass);
    let (status, detail) = disks([50 * GIB, 5 * GIB]);
    assert_eq!(status, Status::Warn);
    assert!(detail.starts_with("/disk1: "));
    let (status, detail) = disks([1 << 20, 5 * GIB]);
    assert_eq!(status, Status::Fail);
    assert!(detail.starts_with("/disk0: "));
    let (status, _) = found("disk", |facts| facts.disks = vec![("/gone".into(), None)]);
    assert_eq!(status, Status::Warn);
}

#[test]
fn what_happened_to_the_log_is_said() {
    let (status, detail) = found("log", |facts| facts.trouble = "it was removed".into());
    assert_eq!((status, detail.as_str()), (Status::Warn, "it was removed"));
    let (status, detail) = found("log", |facts| facts.set_aside = "5 operations".into());
    assert_eq!((status, detail.as_str()), (Status::Fail, "5 operations"));
}

#[test]
fn a_clock_that_jumped_is_said() {
    let (status, detail) = found("retention", |facts| {
        facts.retention = Some(RetentionRun {
            at_us: 99_000_000,
            outcome: Ok(Purged::default()),
            held_back: Some(HeldBack {
                operations: 20,
                stored: 100,
                leap: Leap {
                    ahead_us: 3_600_000_000,
                    since_us: 1_800_000_000_000_000,
                    kept_us: 125_000_000,
                    deleted: 0,
                },
            }),
        });
    });
    assert_eq!(status, Status::Warn);
    assert!(
        detail.starts_with(
            "the clock has been 3600 seconds ahead of the time that passed since 2027-01-15T08:00:00Z: only that makes 20 of \
             100 operations too old, and retention holds them back until the clock has been steady for 60 minutes (it has been \
             for 2). If the clock is right, CALL oplog_purge(force := true) deletes them now"
        ),
        "{detail}"
    );
}

#[test]
fn what_failed_in_the_background_is_said() {
    let (status, detail) = found("retention", |facts| {
        facts.retention = Some(RetentionRun {
            at_us: 99_000_000,
            outcome: Err("out of memory".into()),
            held_back: None,
        });
    });
    assert_eq!(
        (status, detail.as_str()),
        (Status::Warn, "1 seconds ago it failed: out of memory")
    );
    assert_eq!(
        found("retention", |facts| facts.retention = None).0,
        Status::Pass
    );
    let (status, detail) = found("spools", |facts| facts.spool_error = Some("torn".into()));
    assert_eq!(
        (status, detail.as_str()),
        (Status::Warn, "one cannot be taken in: torn")
    );
    let (status, detail) = found("alerts", |facts| {
        facts.firing = Some(Ok(vec!["cpu_high".into(), "disk_full".into()]));
    });
    assert_eq!(
        (status, detail.as_str()),
        (Status::Warn, "2 firing: cpu_high, disk_full")
    );
    let (status, _) = found("alerts", |facts| facts.firing = Some(Err("gone".into())));
    assert_eq!(status, Status::Warn);
}
