//! Files in memory, as an operating system keeps them: what is written is there at once, what is synced survives a
//! power loss, and what is neither may be kept in part, as zeros, or not at all.

use super::layer::{FileLayer, LogFile};
use crate::locks::lock;
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Content {
    bytes: Vec<u8>,
    /// How many of the bytes survive a power loss.
    synced: usize,
    /// What the system forgot to write when a sync failed: never on disk, whatever is synced later.
    forgotten: Vec<Range<usize>>,
    /// Whether the file's name survives a power loss.
    named: bool,
}

/// What goes wrong from now on.
#[derive(Default)]
pub struct Faults {
    /// Bytes that the disk still takes; writes beyond are cut short, then refused.
    pub space: Mutex<Option<usize>>,
    /// Each write takes one byte less than it is given, if that leaves any.
    pub short_writes: AtomicBool,
    pub no_truncate: AtomicBool,
    pub no_sync: AtomicBool,
    pub no_remove: AtomicBool,
    pub no_create: AtomicBool,
}

#[derive(Default)]
pub struct Files {
    contents: Mutex<BTreeMap<PathBuf, Arc<Mutex<Content>>>>,
    /// Deleted since the directory was synced: a power loss may bring them back.
    deleted: Mutex<Vec<(PathBuf, Arc<Mutex<Content>>)>>,
    locks: Arc<Mutex<HashSet<PathBuf>>>,
    pub faults: Arc<Faults>,
    pub writes: Arc<AtomicU64>,
    pub syncs: Arc<AtomicU64>,
}

fn refuse(fault: &AtomicBool, error: &str) -> io::Result<()> {
    if fault.load(Ordering::SeqCst) {
        return Err(io::Error::other(error.to_owned()));
    }
    Ok(())
}

impl Files {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    fn of(contents: impl IntoIterator<Item = (PathBuf, Content)>) -> Arc<Self> {
        let files = Self::new();
        for (path, content) in contents {
            lock(&files.contents).insert(path, Arc::new(Mutex::new(content)));
        }
        files
    }

    /// What the next process finds when this one is killed.
    pub fn after_kill(&self) -> Arc<Self> {
        let contents = lock(&self.contents);
        Self::of(
            contents
                .iter()
                .map(|(path, content)| (path.clone(), lock(content).clone())),
        )
    }

    /// What is found when the power comes back.
    pub fn after_power_loss(&self, random: &mut fastrand::Rng) -> Arc<Self> {
        let mut kept = BTreeMap::new();
        for (path, content) in lock(&self.deleted).iter() {
            if random.bool() {
                kept.insert(path.clone(), lock(content).clone());
            }
        }
        for (path, content) in lock(&self.contents).iter() {
            let content = lock(content).clone();
            if content.named || random.bool() {
                kept.insert(path.clone(), content);
            }
        }
        Self::of(kept.into_iter().map(|(path, mut content)| {
            let unsynced = content.bytes.len() - content.synced;
            content
                .bytes
                .truncate(content.synced + random.usize(..=unsynced));
            // The length may have been written, and the data not.
            let holes = content.synced + random.usize(..=unsynced)..content.bytes.len();
            if random.bool() {
                content.forgotten.push(holes);
            }
            for range in std::mem::take(&mut content.forgotten) {
                for at in range {
                    if let Some(byte) = content.bytes.get_mut(at) {
                        *byte = 0;
                    }
                }
            }
            content.synced = content.bytes.len();
            content.named = true;
            (path, content)
        }))
    }

    pub fn names(&self) -> Vec<String> {
        let contents = lock(&self.contents);
        let names = contents
            .keys()
            .filter_map(|path| path.file_name()?.to_str());
        names.map(str::to_owned).collect()
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        lock(&lock(&self.contents)[&Path::new("dir").join(name)])
            .bytes
            .clone()
    }

    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let content = Content {
            synced: bytes.len(),
            bytes,
            ..Content::default()
        };
        let path = Path::new("dir").join(name);
        lock(&self.contents).insert(path, Arc::new(Mutex::new(content)));
    }
}

impl FileLayer for Files {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        refuse(&self.faults.no_create, "no file can be made")?;
        let mut contents = lock(&self.contents);
        if contents.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        contents.insert(path.to_path_buf(), Arc::default());
        drop(contents);
        self.open(path)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        let contents = lock(&self.contents);
        let content = contents.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(Handle {
            content: Arc::clone(content),
            faults: Arc::clone(&self.faults),
            writes: Arc::clone(&self.writes),
            syncs: Arc::clone(&self.syncs),
        }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        refuse(&self.faults.no_remove, "no file can be removed")?;
        let content = lock(&self.contents).remove(path);
        let content = content.ok_or(io::ErrorKind::NotFound)?;
        lock(&self.deleted).push((path.to_path_buf(), content));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut contents = lock(&self.contents);
        let content = contents.remove(from).ok_or(io::ErrorKind::NotFound)?;
        contents.insert(to.to_path_buf(), content);
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let contents = lock(&self.contents);
        let inside = contents
            .keys()
            .filter(|path| path.parent() == Some(directory));
        Ok(inside
            .filter_map(|path| path.file_name())
            .map(OsString::from)
            .collect())
    }

    fn sync_directory(&self, _directory: &Path) -> io::Result<()> {
        refuse(&self.faults.no_sync, "the directory cannot be synced")?;
        for content in lock(&self.contents).values() {
            lock(content).named = true;
        }
        lock(&self.deleted).clear();
        Ok(())
    }

    fn is_strange(&self, _path: &Path) -> bool {
        false
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        struct Held(Arc<Mutex<HashSet<PathBuf>>>, PathBuf);
        impl Drop for Held {
            fn drop(&mut self) {
                lock(&self.0).remove(&self.1);
            }
        }
        if !lock(&self.locks).insert(path.to_path_buf()) {
            return Ok(None);
        }
        Ok(Some(Box::new(Held(Arc::clone(&self.locks), path.into()))))
    }
}

struct Handle {
    content: Arc<Mutex<Content>>,
    faults: Arc<Faults>,
    writes: Arc<AtomicU64>,
    syncs: Arc<AtomicU64>,
}

impl LogFile for Handle {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        let mut taken = bytes.len();
        if self.faults.short_writes.load(Ordering::SeqCst) {
            taken = taken.saturating_sub(1).max(1);
        }
        if let Some(space) = &mut *lock(&self.faults.space) {
            if *space == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            taken = taken.min(*space);
            *space -= taken;
        }
        lock(&self.content).bytes.extend(&bytes[..taken]);
        Ok(taken)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = lock(&self.content);
        let rest = content.bytes.get(offset as usize..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(lock(&self.content).bytes.len() as u64)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        refuse(&self.faults.no_truncate, "nothing can be cut")?;
        let mut content = lock(&self.content);
        let freed = content.bytes.len().saturating_sub(bytes as usize);
        content.bytes.truncate(bytes as usize);
        content.synced = content.synced.min(bytes as usize);
        if let Some(space) = &mut *lock(&self.faults.space) {
            *space += freed;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        // Others get a chance to append meanwhile.
        let until = lock(&self.content).bytes.len();
        std::thread::yield_now();
        let mut content = lock(&self.content);
        let until = until.min(content.bytes.len());
        let from = content.synced.min(until);
        // Also after a failure the system has nothing more to write: the next sync will say that all is well.
        content.synced = until;
        if refuse(&self.faults.no_sync, "the disk is gone").is_err() {
            content.forgotten.push(from..until);
            return Err(io::Error::other("the disk is gone"));
        }
        Ok(())
    }
}
