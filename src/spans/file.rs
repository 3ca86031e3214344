//! The file of the spans that run: what is left in it when its process is gone are spans that were interrupted.
//!
//! It stands beside the journal's segments and belongs to whoever holds the journal's lock. A span that starts is
//! appended before its caller learns its id, one that ends after its operation is in the journal: a crash between the
//! two leaves a span in the file whose operation is recorded, and whoever recovers tells by the id.
//!
//! Its size is bounded by the spans that run: where most of it is about spans that have ended it is written anew, under
//! another name first.

use super::frame::{self, Started, HEADER_BYTES};
use crate::files::{
    limit_set_aside, read_up_to, write_whole, FileError, FileLayer, FileSystem, LogFile, Names,
};
use crate::journal::OpenError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Smaller files are not worth writing anew.
const REWRITE_BYTES_MIN: u64 = 1024 * 1024;

/// The file's limit. It is reached only where it cannot be written anew: then no span can start.
pub const SPAN_FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The file, for one thread at a time.
pub struct SpanFile {
    layer: Arc<dyn FileLayer>,
    names: Names,
    path: PathBuf,
    /// Where a damaged file goes.
    aside: PathBuf,
    file: Option<Arc<dyn LogFile>>,
    /// Its name may not survive a power loss yet.
    unnamed: bool,
    /// Where its last whole frame ends.
    end: u64,
    /// Nothing more may be put behind what is there.
    garbled: bool,
    /// It is damaged: it is kept when another takes its place.
    damaged: bool,
}

/// What was found when the file was opened.
#[derive(Debug, Default)]
pub struct Orphans {
    /// Spans whose process is gone, the oldest first.
    pub interrupted: Vec<Started>,
    /// What there is to say about it.
    pub note: Option<String>,
}

impl SpanFile {
    /// Opens what is there. The journal's lock must be held, as long as this lives.
    pub fn open(sidecar: &Path) -> Result<(Self, Orphans), OpenError> {
        Self::open_in(Arc::new(FileSystem::beside(sidecar)), sidecar)
    }

    /// The same with files of another kind.
    pub fn open_in(
        layer: Arc<dyn FileLayer>,
        sidecar: &Path,
    ) -> Result<(Self, Orphans), OpenError> {
        let names = Names::beside(sidecar);
        Self::open_at(layer, names.spans(), names)
    }

    /// Opens what a process that is gone has left beside its spool, whose lock must be held. A damaged file is set aside
    /// as the log's own would be: there are as many spools as there have been guests.
    pub fn open_left(spool: &Path, log: &Path) -> Result<(Self, Orphans), OpenError> {
        let path = Names::beside(spool).spans();
        Self::open_at(Arc::new(FileSystem::beside(log)), path, Names::beside(log))
    }

    /// `names` are those that a damaged file gets one of; they are in the same directory.
    fn open_at(
        layer: Arc<dyn FileLayer>,
        path: PathBuf,
        names: Names,
    ) -> Result<(Self, Orphans), OpenError> {
        let now_s = crate::system::clock::now_us() as u64 / 1_000_000;
        let mut file = Self {
            layer,
            aside: names.spans_set_aside(now_s),
            names,
            path,
            file: None,
            unnamed: false,
            end: 0,
            garbled: false,
            damaged: false,
        };
        let found = file.read()?;
        Ok((file, found))
    }

    fn read(&mut self) -> Result<Orphans, OpenError> {
        let open = match self.layer.open(&self.path) {
            Ok(open) => open,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Orphans::default()),
            Err(error) => return Err(FileError::of("open", &self.path)(error).into()),
        };
        let bytes = read_all(&*open).map_err(FileError::of("read", &self.path))?;
        let contents = frame::read(&bytes);
        if let Some(version) = contents.newer {
            return Err(OpenError::Newer {
                path: self.path.clone(),
                version,
            });
        }
        self.file = Some(open);
        self.end = contents.end as u64;
        self.damaged = contents.damage.is_some();
        let whole = contents.end == bytes.len() && contents.end >= HEADER_BYTES;
        self.garbled = self.damaged || !whole;
        self.unnamed = true;
        let note = contents.damage.map(|damage| {
            format!(
                "{} was damaged and will be {}; spans that were interrupted may be missing ({damage})",
                self.path.display(),
                self.aside.display()
            )
        });
        Ok(Orphans {
            interrupted: contents.running.into_values().collect(),
            note,
        })
    }

    pub fn bytes(&self) -> u64 {
        self.end
    }

    /// Appends frames with one write(2). If they shall survive a power loss, what is returned must be waited for.
    ///
    /// An error leaves the file as it was before.
    pub fn append(&mut self, frames: &[u8], sync: bool) -> Result<Option<Unsynced>, FileError> {
        if self.end + frames.len() as u64 > SPAN_FILE_BYTES_MAX {
            let error = io::ErrorKind::FileTooLarge.into();
            return Err(FileError::of("extend", &self.path)(error));
        }
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => {
                let begun = begin(&*self.layer, &self.path);
                let file = begun.map_err(FileError::of("begin", &self.path))?;
                self.end = HEADER_BYTES as u64;
                self.unnamed = true;
                self.file = Some(Arc::clone(&file));
                file
            }
        };
        if sync {
            self.sync_name()?;
        }
        if let Err(error) = write_whole(&*file, frames) {
            self.garbled = file.truncate(self.end).is_err();
            return Err(FileError::of("write", &self.path)(error));
        }
        self.end += frames.len() as u64;
        Ok(sync.then(|| Unsynced {
            file,
            path: self.path.clone(),
        }))
    }

    fn sync_name(&mut self) -> Result<(), FileError> {
        if self.unnamed {
            let directory = &self.names.directory;
            let synced = self.layer.sync_directory(directory);
            synced.map_err(FileError::of("sync", directory))?;
            self.unnamed = false;
        }
        Ok(())
    }

    /// Whether it has to be written anew before more is appended.
    pub fn is_garbled(&self) -> bool {
        self.garbled
    }

    /// Whether it is worth writing anew, where the spans that run take `live_bytes` of it.
    pub fn is_large_for(&self, live_bytes: u64) -> bool {
        self.end > REWRITE_BYTES_MIN && self.end / 2 > live_bytes
    }

    /// A sync has failed: what the file holds may never be on disk, so it is written anew before more is appended.
    pub fn distrust(&mut self) {
        self.garbled = true;
    }

    /// Puts a file with these frames in the place of the one that is there. A crash leaves the one or the other.
    pub fn rewrite(&mut self, frames: &[u8], sync: bool) -> Result<(), FileError> {
        if frames.is_empty() {
            return self.remove();
        }
        let mut new = self.path.clone().into_os_string();
        new.push(".new");
        let new = PathBuf::from(new);
        // One that a crash has left.
        let _ = self.layer.remove(&new);
        let written = begin(&*self.layer, &new).and_then(|file| {
            write_whole(&*file, frames)?;
            if sync {
                file.sync()?;
            }
            Ok(file)
        });
        let placed = written.and_then(|file| {
            self.set_aside()?;
            self.layer.rename(&new, &self.path)?;
            Ok(file)
        });
        match placed {
            Ok(file) => self.file = Some(file),
            Err(error) => {
                let _ = self.layer.remove(&new);
                return Err(FileError::of("rewrite", &self.path)(error));
            }
        }
        self.end = (HEADER_BYTES + frames.len()) as u64;
        self.garbled = false;
        self.unnamed = true;
        if sync {
            self.sync_name()?;
        }
        Ok(())
    }

    /// Removes the file: no span runs. A damaged one is kept under another name.
    pub fn remove(&mut self) -> Result<(), FileError> {
        self.set_aside()
            .map_err(FileError::of("set aside", &self.path))?;
        match self.layer.remove(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(FileError::of("delete", &self.path)(error))
            }
            _ => {
                self.file = None;
                self.end = 0;
                self.garbled = false;
                Ok(())
            }
        }
    }

    fn set_aside(&mut self) -> io::Result<()> {
        if self.damaged {
            self.layer.rename(&self.path, &self.aside)?;
            self.damaged = false;
            limit_set_aside(&*self.layer, &self.names);
        }
        Ok(())
    }
}

/// Frames that shall survive a power loss: to be waited for without keeping others from the file.
pub struct Unsynced {
    file: Arc<dyn LogFile>,
    path: PathBuf,
}

impl Unsynced {
    pub fn wait(self) -> Result<(), FileError> {
        self.file.sync().map_err(FileError::of("sync", self.path))
    }
}

fn begin(layer: &dyn FileLayer, path: &Path) -> io::Result<Arc<dyn LogFile>> {
    let file = layer.create(path)?;
    write_whole(&*file, &frame::header()).inspect_err(|_| {
        // If it stays, it is found without a frame.
        let _ = layer.remove(path);
    })?;
    Ok(file)
}

fn read_all(file: &dyn LogFile) -> io::Result<Vec<u8>> {
    // What is larger than we ever make it is not read to its end.
    let mut bytes = vec![0; file.bytes()?.min(SPAN_FILE_BYTES_MAX) as usize];
    let filled = read_up_to(file, &mut bytes, 0).map_err(|(_, error)| error)?;
    bytes.truncate(filled);
    Ok(bytes)
}
