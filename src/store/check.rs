//! Checks of a log: whether its blocks have their checksums, and whether what it says in several places is the same.

use super::attach::attach_to_check;
use super::blocks::is_used;
use super::checking::{Check, Checking, Verdict};
use super::damage::{self, Finding};
use super::error::{Error, OpenError};
use super::hold;
use super::place::{check_path, There};
use super::read::Reader;
use super::rollup_checks;
use super::schema;
use crate::caller::Watcher;
use std::path::Path;
use std::time::Duration;

const DUPLICATES: &str = include_str!("../../sql/check/duplicates.sql");
const SEQ: &str = include_str!("../../sql/check/seq.sql");
const KEYS: &str = include_str!("../../sql/check/keys.sql");
const TOTALS: &str = include_str!("../../sql/check/totals.sql");

/// Columns of which no two rows have the same: no table has a key (see sql/schema).
const UNIQUE: &[(&str, &str)] = &[
    ("meta", "key"),
    ("settings", "name"),
    ("spools", "name"),
    ("metric_families", "name"),
    ("metric_values", "slot"),
    ("alert_rules", "name"),
    ("retention_rules", "name"),
    ("history_metrics", "name"),
    ("archive_files", "file"),
    ("rollup_keys", "key"),
];

/// Operations that are looked through for duplicates at a time.
const PART_ROWS: u64 = 1_000_000;

/// A block that is being written looks damaged: a log that is in use is looked at so often,
const LOOKS_MAX: usize = 4;
/// and so far apart.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Damaged blocks that are looked for in the tables: one is enough to know.
const BLOCKS_MAX: usize = 100;

impl Reader {
    /// Checks the log while it is in use; `path` is its file, if it is in one.
    pub fn check(&self, path: Option<&Path>, callers: &Watcher) -> Result<Vec<Check>, Error> {
        let connection = self.connect()?;
        let mut checking = Checking::new(&connection, callers);
        match path {
            Some(path) => checking.checksums(path, LOOKS_MAX)?,
            None => checking.skip("checksums", "memory", "the log is in memory"),
        }
        checking.all()
    }
}

/// Checks a log that nobody has open: a backup, say. It is left as it is.
pub fn check_file(path: &Path, callers: &Watcher) -> Result<Vec<Check>, Error> {
    let name = path.display();
    let failed = |detail: String| {
        Ok(vec![Check {
            name: "checksums",
            subject: name.to_string(),
            verdict: Verdict::Fail,
            detail,
        }])
    };
    let refused = |text: String| Err(OpenError::unusable(text).into());
    match check_path(path) {
        Ok(There::Database) => {}
        Ok(There::Nothing) => {
            return refused(format!("{name} is not there: give the path of a log"))
        }
        Ok(There::Empty) => return refused(format!("{name} is empty: give the path of a log")),
        Err(OpenError::Damaged(error)) => return failed(error.to_string()),
        Err(error) => return Err(error.into()),
    }
    if hold::is_locked(path) {
        let text = format!("{name} is open in another process: check it there, or a backup of it");
        return Err(OpenError::locked(text).into());
    }
    let found = damage::look(path).map_err(|error| Error::File {
        path: path.to_path_buf(),
        error,
    })?;
    if found == Finding::NoHeaders {
        return failed("its headers are damaged: it cannot be opened".into());
    }
    let connection = match attach_to_check(path) {
        Ok(connection) => connection,
        Err(error) => return failed(format!("it cannot be opened: {error}")),
    };
    match schema::is_log(&connection) {
        Ok(Some(true)) => {}
        Ok(_) => {
            return refused(format!(
                "{name} is a database, but no log of oplog: give another path"
            ))
        }
        Err(error) => return failed(format!("it cannot be read: {error}")),
    }
    let mut checking = Checking::new(&connection, callers);
    checking.checksums(path, 1)?;
    checking.all()
}

impl Checking<'_> {
    fn checksums(&mut self, path: &Path, looks_max: usize) -> Result<(), Error> {
        let mut found = self.damage(path);
        for _ in 1..looks_max {
            if !matches!(found, Ok((Verdict::Fail, _))) {
                break;
            }
            std::thread::sleep(LOOK_INTERVAL);
            found = self.damage(path);
        }
        self.note("checksums", &path.display().to_string(), found)
    }

    fn damage(&self, path: &Path) -> Result<(Verdict, String), Error> {
        let found = damage::look(path).map_err(|error| Error::File {
            path: path.to_path_buf(),
            error,
        })?;
        let bad_blocks = match found {
            Finding::Whole { bad_blocks } => bad_blocks,
            Finding::NoHeaders => return Ok((Verdict::Fail, "its headers are damaged".into())),
            Finding::OtherFormat(format) => {
                let text =
                    format!("it has DuckDB's format {format}, whose blocks are not known here");
                return Ok((Verdict::Skip, text));
            }
        };
        let mut used = bad_blocks.iter().take(BLOCKS_MAX);
        Ok(match used.find(|block| is_used(self.connection, **block)) {
            Some(block) => (
                Verdict::Fail,
                format!(
                    "block {block} of the file does not have its checksum (such blocks: {}): what can be read is saved when the \
                     log is opened, or put a backup in its place",
                    bad_blocks.len()
                ),
            ),
            None => (Verdict::Pass, "every block in use has its checksum".into()),
        })
    }

    fn all(mut self) -> Result<Vec<Check>, Error> {
        let is_newest = self.schema()?;
        self.tables()?;
        self.operations()?;
        if is_newest {
            self.keys()?;
            self.totals()?;
            rollup_checks::add(&mut self)?;
        } else {
            for name in ["keys", "totals", "rollups"] {
                let why =
                    "another version of oplog wrote the log: one that it opens has this version";
                self.skip(name, "schema", why);
            }
        }
        Ok(self.made())
    }

    /// Checks the version, and says whether it is that of this oplog.
    fn schema(&mut self) -> Result<bool, Error> {
        let version = schema::meta(self.connection, "schema_version");
        let newest = schema::newest_version();
        let mut is_newest = false;
        let found = version.map(|version| {
            let number = version
                .as_deref()
                .and_then(|text| text.parse::<usize>().ok());
            is_newest = number == Some(newest);
            match number {
                Some(number) if number <= newest => (Verdict::Pass, format!("version {number}")),
                Some(number) => (
                    Verdict::Skip,
                    format!(
                        "version {number} is that of a newer oplog; this one knows up to {newest}"
                    ),
                ),
                None => (Verdict::Fail, "meta.schema_version is no number".into()),
            }
        });
        self.note("schema", "meta", found)?;
        Ok(is_newest)
    }

    /// Reads every value of every table.
    fn tables(&mut self) -> Result<(), Error> {
        let mut tables = schema::tables(self.connection)?;
        // In memory it is several tables, under a view.
        tables.retain(|table| !table.starts_with("operation_log"));
        tables.push("operation_log".into());
        tables.sort();
        for table in tables {
            let found = self.read(&table);
            self.note("tables", &table, found)?;
        }
        Ok(())
    }

    fn read(&self, table: &str) -> Result<(Verdict, String), Error> {
        let columns = schema::columns(self.connection, table)?;
        let [rows] = self.numbers(&format!(
            "SELECT count(*), max(hash({columns}))::VARCHAR FROM {table}"
        ))?;
        Ok((Verdict::Pass, format!("{rows} rows")))
    }

    fn operations(&mut self) -> Result<(), Error> {
        let given = self.numbers(SEQ).and_then(|[rows, strange]| {
            let twice = self.duplicates("seq", rows)?;
            Ok(match (strange, twice) {
                (0, 0) => (
                    Verdict::Pass,
                    format!("each of {rows} operations has its own"),
                ),
                (0, twice) => (
                    Verdict::Fail,
                    format!("{twice} operations have one that another has"),
                ),
                (strange, _) => (
                    Verdict::Fail,
                    format!(
                        "{strange} operations have one that has not been given out (meta.next_seq)"
                    ),
                ),
            })
        });
        self.note("seq", "operation_log", given)?;
        let ids = self.numbers(SEQ).and_then(|[rows, _]| {
            Ok(match self.duplicates("id", rows)? {
                0 => (
                    Verdict::Pass,
                    format!("each of {rows} operations has its own"),
                ),
                twice => (
                    Verdict::Fail,
                    format!("{twice} operations have one that another has"),
                ),
            })
        });
        self.note("ids", "operation_log", ids)
    }

    fn duplicates(&self, column: &str, rows: i128) -> Result<i128, Error> {
        let parts = 1 + rows as u64 / PART_ROWS;
        let mut twice = 0;
        for part in 0..parts {
            let sql = DUPLICATES
                .replace("{column}", column)
                .replace("{parts}", &parts.to_string())
                .replace("{part}", &part.to_string());
            let [found] = self.numbers(&sql)?;
            twice += found;
        }
        Ok(twice)
    }

    fn keys(&mut self) -> Result<(), Error> {
        for (table, column) in UNIQUE {
            let sql = KEYS.replace("{table}", table).replace("{column}", column);
            let found = self.numbers(&sql).map(|[twice]| match twice {
                0 => (Verdict::Pass, format!("every {column} is there once")),
                twice => (
                    Verdict::Fail,
                    format!("{twice} rows have a {column} that another has"),
                ),
            });
            self.note("keys", table, found)?;
        }
        Ok(())
    }

    fn totals(&mut self) -> Result<(), Error> {
        let found = self.numbers(TOTALS).map(|[counted, rows, deleted]| {
            if counted == rows + deleted {
                return (
                    Verdict::Pass,
                    format!("{counted} operations counted: {rows} in the log, {deleted} deleted by retention"),
                );
            }
            let detail = format!(
                "duckdb_operations_total counts {counted} operations, and there are {}: {rows} in the log, {deleted} deleted by \
                 retention",
                rows + deleted
            );
            (Verdict::Fail, detail)
        });
        self.note("totals", "metric_values", found)
    }
}
