//! What a path may be. Looked at with lstat(2) and stat(2) before anything is opened, created, renamed or waited for.
//!
//! | what is there | what becomes of it |
//! |---|---|
//! | nothing | a log is made there |
//! | an empty file | it becomes a log, in place |
//! | a DuckDB database | it is opened; one that is no log of oplog's is refused |
//! | a damaged file with a mark of oplog's | it may be set aside, see [`may_set_aside`] |
//! | a link to a log of oplog's | the log that it leads to |
//! | anything else | refused, and left alone |

use super::error::OpenError;
use crate::excerpt::excerpt;
use crate::files::stands_beside;
use crate::files::{open_regular, Mode};
use std::fs::{FileType, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What a log's file begins with, behind the checksum of its first block.
const MAGIC: &[u8] = b"DUCK";
const MAGIC_AT: usize = 8;
const HEAD_BYTES: usize = MAGIC_AT + MAGIC.len();

/// Names have 255 bytes at most, and the longest that oplog makes of a log's is that of a spool's file.
const NAME_BYTES_MAX: usize = 200;

/// Columns of the log that no other database is likely to have both of. DuckDB writes names as they are.
const MARKS: [&[u8]; 2] = [b"host_connection_id", b"connection_run_id"];

/// Where a log is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Memory,
    File(PathBuf),
}

impl Place {
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Memory => None,
            Self::File(path) => Some(path),
        }
    }
}

/// What stands where a log is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum There {
    Nothing,
    Empty,
    Database,
}

/// Checks a path as somebody has given it, for what would not be the file that was meant.
pub fn check_given(path: &Path) -> Result<(), OpenError> {
    let refused = |text: String| Err(OpenError::unusable(text));
    let text = path.to_string_lossy();
    let first = text.split('/').next().unwrap_or_default();
    if text.contains('\0') {
        return refused(format!(
            "{} contains a NUL character: give the path of a file",
            text.replace('\0', "\\0")
        ));
    }
    if first.starts_with('~') {
        return refused(format!(
            "{text} begins with ~, which only a shell replaces: give the whole path"
        ));
    }
    if let Some((scheme, _)) = first.split_once(':') {
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
        if scheme.chars().all(is_scheme) {
            return refused(format!(
                "{text} is an address and no path: a log is a file of this machine (for a file of that name, write ./{text})"
            ));
        }
    }
    Ok(())
}

/// One path for one file, however it is spelled: links resolved as far as the file exists.
pub fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    if let Ok(canonical) = path.canonicalize() {
        return canonical;
    }
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => path,
    }
}

/// Whether there can be a log at a path, as far as that can be said before it is opened.
pub fn check(path: &Path) -> Result<(), OpenError> {
    match check_path(path) {
        // That is seen to when it is opened.
        Err(OpenError::Damaged(_)) => Ok(()),
        other => other.map(drop),
    }
}

/// What can be said of a path before it is opened.
pub(super) fn check_path(path: &Path) -> Result<There, OpenError> {
    let unusable = |text: String| Err(OpenError::unusable(text));
    check_name(path)?;
    let file = match std::fs::symlink_metadata(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(There::Nothing),
        Err(error) => return unusable(format!("{}: {error}", path.display())),
    };
    if let Some(kind) = kind(file.file_type()) {
        return unusable(format!(
            "{} is {kind} and no log: give the path of a file",
            path.display()
        ));
    }
    if is_open_here(&file) {
        return unusable(format!(
            "{} is open in this process already, as a database: give another path",
            path.display()
        ));
    }
    let head = match read_head(path) {
        Ok(head) => head,
        Err(error) => return unusable(format!("{} cannot be read: {error}", path.display())),
    };
    if head.is_empty() {
        return Ok(There::Empty);
    }
    if is_database(&head) {
        return Ok(There::Database);
    }
    let text = format!(
        "{} is not a DuckDB database{}",
        path.display(),
        guess(&head)
    );
    if may_set_aside(path) {
        return Err(OpenError::damaged(text));
    }
    unusable(format!("{text}; it is left alone: give another path"))
}

/// What a name must not be.
fn check_name(path: &Path) -> Result<(), OpenError> {
    let refused = |text: String| Err(OpenError::unusable(text));
    let Some(name) = path.file_name() else {
        return refused(format!("{} names no file", path.display()));
    };
    let lower = name.to_string_lossy().to_ascii_lowercase();
    if lower.ends_with(".wal") {
        return refused(format!(
            "{} would be taken for a write-ahead log: give a path that does not end in .wal",
            path.display()
        ));
    }
    if is_companion(&lower) {
        return refused(format!(
            "{} has the name of a journal or spool of oplog's: give another path",
            path.display()
        ));
    }
    if name.len() > NAME_BYTES_MAX {
        return refused(format!(
            "the file's name has {} bytes, and {NAME_BYTES_MAX} are the most, since the journal's names are longer: \
             {}",
            name.len(),
            excerpt(&lower)
        ));
    }
    Ok(())
}

/// Whether a name is one that files beside a log get.
fn is_companion(name: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let of_journal = name.rsplit_once(".journal.").is_some_and(|(_, rest)| {
        let first = rest.split('.').next().unwrap_or_default();
        first == "lock" || first == "spans" || digits(first)
    });
    let of_spool = name.rsplit_once(".spool-").is_some_and(|(_, rest)| {
        let parts: Vec<&str> = rest.split('-').collect();
        parts.len() == 3 && parts.into_iter().all(digits)
    });
    of_journal || of_spool
}

/// What a file is, if it is none.
#[cfg(unix)]
fn kind(file: FileType) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt;
    if file.is_dir() {
        Some("a directory")
    } else if file.is_symlink() {
        Some("a symbolic link")
    } else if file.is_fifo() {
        Some("a FIFO")
    } else if file.is_socket() {
        Some("a socket")
    } else if file.is_block_device() || file.is_char_device() {
        Some("a device")
    } else {
        None
    }
}

#[cfg(not(unix))]
fn kind(file: FileType) -> Option<&'static str> {
    if file.is_dir() {
        Some("a directory")
    } else if file.is_symlink() {
        Some("a symbolic link")
    } else {
        None
    }
}

/// Whether this process has the file open. Then it is somebody's database: a second instance would destroy it, and even
/// to open and close it would drop the locks that the first one holds (fcntl locks belong to the process).
#[cfg(unix)]
fn is_open_here(wanted: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") else {
        return false;
    };
    descriptors
        .flatten()
        .filter_map(|descriptor| std::fs::metadata(descriptor.path()).ok())
        .any(|open| (open.dev(), open.ino()) == (wanted.dev(), wanted.ino()))
}

#[cfg(not(unix))]
fn is_open_here(_wanted: &Metadata) -> bool {
    false
}

/// Whether this process has the file at a path open.
pub(super) fn is_path_open_here(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| is_open_here(&file))
}

fn read_head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    open_regular(path, Mode::Read)?
        .take(16)
        .read_to_end(&mut head)?;
    Ok(head)
}

fn is_database(head: &[u8]) -> bool {
    head.get(MAGIC_AT..HEAD_BYTES) == Some(MAGIC)
}

/// What else a file is, for the message.
fn guess(head: &[u8]) -> &'static str {
    let is_text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    if head.starts_with(b"SQLite format 3") {
        " but one of SQLite"
    } else if head.starts_with(b"PAR1") {
        " but a Parquet file"
    } else if head.iter().all(is_text) {
        " but text"
    } else {
        ""
    }
}

/// Whether a damaged file is oplog's to set aside. What DuckDB makes, others make too; so a mark of oplog's is needed:
///
/// - a journal of oplog's beside it,
/// - names of the log's columns in it,
/// - or the name of a host's sidecar, with the host's file beside it, and nothing in it that would be somebody else's:
///   a DuckDB database, nothing but zeros, or less than what tells a file's kind.
pub(super) fn may_set_aside(path: &Path) -> bool {
    let is_file = std::fs::symlink_metadata(path).is_ok_and(|file| file.is_file());
    is_file && (stands_beside(path) || is_sidecar(path) && has_no_owner(path) || is_marked(path))
}

/// Whether this is the sidecar of a host whose file is there.
fn is_sidecar(path: &Path) -> bool {
    let host = path
        .extension()
        .is_some_and(|extension| extension == "oplog")
        .then(|| path.with_extension(""));
    host.is_some_and(|host| {
        // A host that is open is not opened here: that would drop its locks.
        std::fs::metadata(&host).is_ok_and(|file| file.is_file() && is_open_here(&file))
            || read_head(&host).is_ok_and(|head| is_database(&head))
    })
}

/// Whether what a file holds cannot be anybody's but a database's.
fn has_no_owner(path: &Path) -> bool {
    match read_head(path) {
        Ok(head) if head.len() < HEAD_BYTES || is_database(&head) => true,
        Ok(head) => {
            head.iter().all(|byte| *byte == 0)
                && scan(path, |part| part.iter().any(|byte| *byte != 0)).is_ok_and(|found| !found)
        }
        Err(_) => false,
    }
}

/// Whether the names of the log's columns stand in a file.
fn is_marked(path: &Path) -> bool {
    let mut seen = [false; MARKS.len()];
    scan(path, |part| {
        for (seen, mark) in seen.iter_mut().zip(MARKS) {
            *seen = *seen || part.windows(mark.len()).any(|bytes| bytes == mark);
        }
        seen.iter().all(|seen| *seen)
    })
    .unwrap_or(false)
}

/// Reads a file part by part until `found` says so. Parts overlap, so that a mark is whole in one of them.
fn scan(path: &Path, mut found: impl FnMut(&[u8]) -> bool) -> io::Result<bool> {
    const PART_BYTES: usize = 1024 * 1024;
    const OVERLAP_BYTES: usize = 32;
    let mut file = open_regular(path, Mode::Read)?;
    let mut part = vec![0; PART_BYTES];
    let mut kept = 0;
    loop {
        let read = match file.read(&mut part[kept..]) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if read == 0 {
            return Ok(false);
        }
        let end = kept + read;
        if found(&part[..end]) {
            return Ok(true);
        }
        kept = end.min(OVERLAP_BYTES);
        part.copy_within(end - kept..end, 0);
    }
}

/// Writes a new database into an empty file, which keeps its owner and its permissions.
pub(super) fn fill(path: &Path, database: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let mut file = open_regular(path, Mode::Write)?;
    if file.metadata()?.len() > 0 {
        return Err(io::Error::other("it is no longer empty"));
    }
    file.write_all(database)?;
    file.sync_all()
}

/// What the name of a log that is being made ends with, and 16 digits behind it, which nobody can foretell.
const UNFINISHED: &str = ".new-";

/// A name for a log that is being made.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    PathBuf::from(format!(
        "{}{UNFINISHED}{:016x}",
        path.display(),
        fastrand::u64(..)
    ))
}

/// Removes what a crash has left of logs that were being made. It is tidying: a failure changes nothing.
pub(super) fn remove_unfinished(path: &Path) {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str()))
    else {
        return;
    };
    let Ok(listed) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in listed.flatten() {
        let file = entry.file_name();
        let digits = file
            .to_str()
            .and_then(|file| file.strip_prefix(name)?.strip_prefix(UNFINISHED))
            .map(|rest| rest.strip_suffix(".wal").unwrap_or(rest));
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.is_some_and(|digits| digits.len() == 16 && digits.bytes().all(is_digit)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Puts a file in a place where there is none.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{renameat_with, RenameFlags, CWD};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // Not every file system can.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            other => return other.map_err(io::Error::from),
        }
    }
    if std::fs::symlink_metadata(to).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    std::fs::rename(from, to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::in_directory;

    fn check(path: &str) -> Result<(), String> {
        check_given(Path::new(path)).map_err(|error| error.to_string())
    }

    #[test]
    fn an_address_is_no_path() {
        for address in [
            ":memory:",
            "s3://bucket/x.oplog",
            "https://example.org/x.oplog",
            "file:/tmp/x.oplog",
            "md:x",
            "sqlite:x.db",
            "C:\\x.oplog",
        ] {
            assert!(
                check(address).unwrap_err().contains("is an address"),
                "{address}"
            );
        }
        assert!(check("~/x.oplog")
            .unwrap_err()
            .contains("only a shell replaces"));
        assert!(check("a\0b").unwrap_err().contains("NUL"));
        for path in [
            "x.oplog",
            "/tmp/a:b.oplog",
            "./md:x",
            "a b: c.oplog",
            "dir/~x",
        ] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn names_of_files_beside_a_log_are_told_from_others() {
        for name in [
            "app.oplog.journal.000001",
            "app.oplog.journal.lock",
            "app.oplog.journal.spans",
            "app.oplog.journal.spans.damaged-1",
            "app.oplog.journal.000001.damaged-1-0",
            "app.oplog.spool-1700000000000-12-0",
            "app.oplog.spool-1-2-3.journal.000001",
        ] {
            assert!(is_companion(name), "{name}");
        }
        for name in [
            "app.oplog",
            "my.journal.oplog",
            "app.journal.2024-05.oplog",
            "x.spool-a-b-c",
            "app.oplog.damaged-1-0",
        ] {
            assert!(!is_companion(name), "{name}");
        }
    }

    const DATABASE: &[u8] = b"\x01\x02\x03\x04\x05\x06\x07\x08DUCK and what follows";

    #[test]
    fn only_what_bears_a_mark_is_set_aside() {
        in_directory(|directory| {
            let write = |name: &str, bytes: &[u8]| {
                let path = directory.join(name);
                std::fs::write(&path, bytes).unwrap();
                path
            };
            // Duckdb's magic alone says nothing.
            assert!(!may_set_aside(&write("other.duckdb", DATABASE)));
            assert!(!may_set_aside(&write("app.duckdb.oplog", DATABASE)));
            write("app.duckdb", DATABASE);
            let sidecar = write("app.duckdb.oplog", DATABASE);
            assert!(may_set_aside(&sidecar));
            for (bytes, ours) in [
                (&b"x"[..], true),
                (&[0; 5000], true),
                (b"these are my notes, and no database", false),
                (b"SQLite format 3\0 and more", false),
            ] {
                std::fs::write(&sidecar, bytes).unwrap();
                assert_eq!(may_set_aside(&sidecar), ours, "{bytes:?}");
            }
            // The columns' names, also where two parts meet.
            let mut marked = vec![7; 1024 * 1024 - 5];
            marked.extend(b"host_connection_id connection_run_id");
            assert!(may_set_aside(&write("elsewhere.log", &marked)));
            assert!(!may_set_aside(&directory.join("missing")));
            assert!(!may_set_aside(directory));
        });
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_refused_without_being_opened() {
        in_directory(|directory| {
            let link = directory.join("link");
            std::os::unix::fs::symlink(directory.join("nowhere"), &link).unwrap();
            let text = |path: &Path| check_path(path).unwrap_err().to_string();
            assert!(text(directory).contains("is a directory and no log"));
            assert!(text(&link).contains("is a symbolic link and no log"));
            let socket = directory.join("socket");
            let _bound = std::os::unix::net::UnixListener::bind(&socket).unwrap();
            assert!(text(&socket).contains("is a socket and no log"));
            assert!(text(Path::new("/dev/null")).contains("is a device and no log"));
            assert!(text(Path::new("/proc/version")).contains("is not a DuckDB database but text"));
            assert_eq!(check_path(&directory.join("new")).unwrap(), There::Nothing);
            let empty = directory.join("empty");
            std::fs::write(&empty, b"").unwrap();
            assert_eq!(check_path(&empty).unwrap(), There::Empty);
            fill(&empty, DATABASE).unwrap();
            assert_eq!(check_path(&empty).unwrap(), There::Database);
            assert!(fill(&empty, DATABASE).is_err());
        });
    }
}
