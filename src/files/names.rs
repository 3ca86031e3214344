//! What the files beside a log are called, and which of them are ours.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Segments are never numbered higher: a thousand of them in each second take thirty years to get there.
const NUMBER_MAX: u64 = 999_999_999_999;

/// What every segment of a journal begins with.
pub const JOURNAL_MAGIC: &[u8; 8] = b"oplogjnl";

/// What every file of spans begins with.
pub const SPANS_MAGIC: &[u8; 8] = b"oplogspn";

/// The log whose spool has this name, without what stands behind: none if it is no spool's.
pub fn log_of_spool(name: &str) -> Option<&str> {
    let (log, numbers) = name.rsplit_once(SPOOL)?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (!log.is_empty() && numbers.split('-').all(is_number)).then_some(log)
}

/// What the name of a spool has behind that of its log; numbers follow.
pub const SPOOL: &str = ".spool-";

/// The names of a journal's files.
#[derive(Clone, Debug)]
pub struct Names {
    pub directory: PathBuf,
    /// What all names begin with: `app.duckdb.oplog.journal`.
    prefix: std::ffi::OsString,
}

impl Names {
    /// The names beside a sidecar.
    pub fn beside(sidecar: &Path) -> Self {
        let directory = match sidecar.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let mut prefix = sidecar.file_name().unwrap_or_default().to_os_string();
        prefix.push(".journal");
        Self { directory, prefix }
    }

    /// The log that they belong to: for a spool, the one that it is beside.
    pub fn log(&self) -> PathBuf {
        let name = self.prefix.as_encoded_bytes();
        let name = name.strip_suffix(b".journal").unwrap_or(name);
        // Names that cannot be read are no spool's.
        let log = std::str::from_utf8(name).ok().and_then(log_of_spool);
        match log {
            Some(log) => self.directory.join(log),
            None => self
                .directory
                .join(Path::new(&self.prefix).with_extension("")),
        }
    }

    fn with(&self, suffix: &str) -> PathBuf {
        let mut name = self.prefix.clone();
        name.push(suffix);
        self.directory.join(name)
    }

    pub fn lock(&self) -> PathBuf {
        self.with(".lock")
    }

    pub fn segment(&self, number: u64) -> PathBuf {
        self.with(&format!(".{number:06}"))
    }

    /// The file of the spans that run.
    pub fn spans(&self) -> PathBuf {
        self.with(".spans")
    }

    pub fn spans_set_aside(&self, now_s: u64) -> PathBuf {
        self.with(&format!(".spans.damaged-{now_s}"))
    }

    /// Where records go that the store does not take.
    pub fn rejected(&self, first_seq: u64) -> PathBuf {
        self.with(&format!(".rejected-{first_seq}"))
    }

    /// Where a damaged segment is set aside; `attempt` makes the name one that is free.
    pub fn set_aside(&self, number: u64, now_s: u64, attempt: u64) -> PathBuf {
        self.with(&format!(".{number:06}.damaged-{now_s}-{attempt}"))
    }

    /// The number of the segment of that name; none if it is no segment of this journal.
    pub fn number(&self, name: &OsStr) -> Option<u64> {
        let digits = self.suffix(name)?;
        // What `segment` gives, and nothing else: `+1` and `1` are numbers too.
        let number = digits.parse().ok().filter(|number| *number <= NUMBER_MAX)?;
        (format!("{number:06}") == digits).then_some(number)
    }

    /// Whether the name is one that [`Names::set_aside`] gives.
    pub fn is_set_aside(&self, name: &OsStr) -> bool {
        self.suffix(name)
            .is_some_and(|suffix| suffix.contains(".damaged-"))
    }

    fn suffix<'a>(&self, name: &'a OsStr) -> Option<&'a str> {
        let name = name.as_encoded_bytes();
        let suffix = name.strip_prefix(self.prefix.as_encoded_bytes())?;
        std::str::from_utf8(suffix.strip_prefix(b".")?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_that_it_gives_are_its_own() {
        let names = Names::beside(Path::new("dir/app.oplog"));
        let path = names.segment(12);
        assert_eq!(path, Path::new("dir/app.oplog.journal.000012"));
        assert_eq!(names.number(path.file_name().unwrap()), Some(12));
        let long = names.segment(12_345_678);
        assert_eq!(names.number(long.file_name().unwrap()), Some(12_345_678));
        for other in [
            "app.oplog.journal.lock",
            "app.oplog.journal.12",
            "app.oplog.journal.+00012",
            "app.oplog.journal.000012.damaged-1-0",
            "app.oplog.journal",
            "app.oplog.spool-7.journal.000012",
            "app.oplog.journal.18446744073709551615",
            "other.journal.000012",
        ] {
            assert_eq!(names.number(OsStr::new(other)), None, "{other}");
        }
        let aside = names.set_aside(12, 1_700_000_000, 0);
        assert!(names.is_set_aside(aside.file_name().unwrap()));
    }

    #[test]
    fn a_spool_belongs_to_the_log_that_it_is_beside() {
        for (path, log) in [
            ("dir/app.oplog", "dir/app.oplog"),
            ("dir/app.oplog.spool-17-12-0", "dir/app.oplog"),
            ("app.oplog.spool-1", "./app.oplog"),
            ("dir/app.spool-x.oplog", "dir/app.spool-x.oplog"),
            ("dir/a.journal.oplog", "dir/a.journal.oplog"),
        ] {
            assert_eq!(
                Names::beside(Path::new(path)).log(),
                Path::new(log),
                "{path}"
            );
        }
    }
}
