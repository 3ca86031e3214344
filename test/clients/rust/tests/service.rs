//! The service through the `duckdb` crate: records in transactions, what is read back, and what outlives a restart.

use order_service::{OrderService, Stats};
use std::path::PathBuf;

/// A directory that goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("oplog-rust-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn open(&self) -> OrderService {
        let oplog = std::env::var("OPLOG_EXTENSION").expect("OPLOG_EXTENSION names the extension");
        OrderService::open(&self.0.join("orders.duckdb"), &oplog).unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_rolls_back_is_recorded_and_both_outlive_a_restart() {
    let directory = Directory::new("restart");
    let mut service = directory.open();
    let recorded: Vec<String> = [(1, 9.5), (2, -1.0), (3, 20.0)]
        .into_iter()
        .map(|(id, amount)| service.place(id, amount).unwrap())
        .collect();
    let expected = Stats {
        operations: 3,
        errors: 1,
    };
    assert_eq!(service.orders().unwrap(), 2);
    assert_eq!(service.stats().unwrap(), expected);
    drop(service);
    let service = directory.open();
    assert_eq!(service.orders().unwrap(), 2);
    assert_eq!(service.stats().unwrap(), expected);
    let mut query = service
        .connection()
        .prepare(
            "SELECT id::VARCHAR, error_code, metadata->>'order_id' FROM operation_log ORDER BY seq",
        )
        .unwrap();
    let rows = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    let rows: Vec<(String, Option<String>, String)> = rows.map(Result::unwrap).collect();
    let read: Vec<(&str, Option<&str>, &str)> = rows
        .iter()
        .map(|(id, code, order)| (id.as_str(), code.as_deref(), order.as_str()))
        .collect();
    assert_eq!(
        read,
        [
            (recorded[0].as_str(), None, "1"),
            (recorded[1].as_str(), Some("bad_amount"), "2"),
            (recorded[2].as_str(), None, "3"),
        ]
    );
}

#[test]
fn sessions_on_threads_record_into_one_log() {
    let directory = Directory::new("threads");
    let service = directory.open();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let mut session = service.session().unwrap();
            std::thread::spawn(move || {
                for order in 0..25 {
                    session.place(thread * 25 + order, 1.0).unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let expected = Stats {
        operations: 100,
        errors: 0,
    };
    assert_eq!(service.stats().unwrap(), expected);
    let metrics = service.metrics().unwrap();
    let counted = "duckdb_operations_total{command=\"orders.place\",status=\"success\"} 100";
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
}

#[test]
fn a_wrong_field_is_an_error_of_the_crate_and_records_nothing() {
    let directory = Directory::new("wrong");
    let service = directory.open();
    let refused = service
        .connection()
        .execute_batch("SELECT oplog_record({comand: 'orders.place'})");
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("did you mean \"command\""), "{text}");
    let recorded: i64 = service
        .connection()
        .query_row("SELECT count(*) FROM operation_log", [], |row| row.get(0))
        .unwrap();
    assert_eq!(recorded, 0);
}
