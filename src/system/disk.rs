//! The file system that a path is on.

use std::path::Path;

/// Size and free space of a file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    pub size_bytes: u64,
    /// What is free for this user; a file system may keep some back for root.
    pub available_bytes: u64,
}

impl Disk {
    /// The file system of a file or, while there is none, of the directory that it will be in.
    pub fn of(path: &Path) -> Option<Self> {
        Self::at(path).or_else(|| {
            let parent = path.parent()?;
            Self::at(if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            })
        })
    }

    /// Whether two files are on one file system, as far as that can be told.
    pub fn is_shared(one: &Path, other: &Path) -> bool {
        match (device(one), device(other)) {
            (Some(one), Some(other)) => one == other,
            _ => {
                Self::of(one).map(|disk| disk.size_bytes)
                    == Self::of(other).map(|disk| disk.size_bytes)
            }
        }
    }

    #[cfg(unix)]
    fn at(path: &Path) -> Option<Self> {
        let disk = rustix::fs::statvfs(path).ok()?;
        // Some virtual file systems have no size.
        (disk.f_blocks > 0).then(|| Self {
            size_bytes: disk.f_blocks.saturating_mul(disk.f_frsize),
            available_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
        })
    }

    #[cfg(not(unix))]
    fn at(_: &Path) -> Option<Self> {
        None
    }

    /// How full it is, 0 to 100, for this user.
    pub fn used_percent(&self) -> f64 {
        let used = self.size_bytes.saturating_sub(self.available_bytes);
        used as f64 / self.size_bytes.max(1) as f64 * 100.0
    }
}

/// Which file system a file is on.
#[cfg(unix)]
fn device(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    Some(std::fs::metadata(path).ok()?.dev())
}

#[cfg(not(unix))]
fn device(_: &Path) -> Option<u64> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_yet_has_the_disk_of_its_directory() {
        let directory = std::env::temp_dir();
        let disk = Disk::of(&directory).unwrap();
        assert!(disk.size_bytes >= disk.available_bytes && disk.size_bytes > 0);
        let file = Disk::of(&directory.join("no such file")).unwrap();
        assert_eq!(file.size_bytes, disk.size_bytes);
        assert!(Disk::of(Path::new("no such file")).is_some());
        assert_eq!(Disk::of(&directory.join("no such/directory")), None);
        assert!(Disk::is_shared(&directory, &directory.join("no such file")));
        #[cfg(target_os = "linux")]
        assert!(!Disk::is_shared(Path::new("/proc/self"), Path::new("/")));
    }

    #[test]
    fn use_is_what_is_not_available() {
        let disk = Disk {
            size_bytes: 1000,
            available_bytes: 50,
        };
        assert_eq!(disk.used_percent(), 95.0);
    }
}
