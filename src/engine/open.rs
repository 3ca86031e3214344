//! Opening an engine: the log where it should be, or what stands in for it, with what the last process left behind.

use super::close::let_go;
use super::command::Command;
use super::engine::{Engine, WriterThread};
use super::error::Error;
use super::journals::{open_journal, open_spool, take_lock};
use super::log::{Log, Role};
use super::notes::{describe, keep_private};
use super::pulse::Pulse;
use super::registry;
use super::relocate;
use super::restore;
use super::sampler::Sampler;
use super::serving::Serving;
use super::shared::Shared;
use super::spans::open_spans;
use super::writer;
use crate::caller::Watcher;
use crate::journal::{Journal, Limits, Recovery};
use crate::metrics::{assemble, Metrics};
use crate::queue::Queue;
use crate::settings::Settings;
use crate::spans::Spans;
use crate::spool;
use crate::store::{self, absolute, OpenError, Opened, Place, Store};
use crate::system::{TrustedClock, Uptime};
use std::path::{Path, PathBuf};
use std::sync::{mpsc, Arc, Mutex, OnceLock, RwLock};
use std::time::Instant;

/// Names the file that the log is kept in, whatever the host's is.
pub const PATH_VARIABLE: &str = "OPLOG_PATH";

impl Engine {
    /// The engine for a host whose database file is `host_path`, none for one in memory. Hosts in one process whose log
    /// is the same file share one engine.
    pub fn open(host_path: Option<&Path>) -> Result<Arc<Self>, Error> {
        let wanted = match std::env::var_os(PATH_VARIABLE).filter(|path| !path.is_empty()) {
            Some(path) => place_named(PathBuf::from(path)),
            None => host_path.map_or(Ok(Place::Memory), place_beside),
        };
        let engine = match wanted {
            Ok(Place::Memory) => Self::start(Ok(&Place::Memory), host_path).map(Self::shared),
            Ok(Place::File(path)) => {
                let place = Place::File(path.clone());
                let opened = registry::get_or_open(&path, || Self::start(Ok(&place), host_path))?;
                opened.map_or_else(
                    || {
                        let hangs = "it is still being closed here, by a writer that hangs";
                        let error = OpenError::unusable(hangs);
                        Self::start(Err(Unwanted { path, error }), host_path).map(Self::shared)
                    },
                    Ok,
                )
            }
            Err(unwanted) => Self::start(Err(unwanted), host_path).map(Self::shared),
        }?;
        if let Some(path) = host_path {
            engine.add_host(&absolute(path));
        }
        Ok(engine)
    }

    fn add_host(&self, path: &Path) {
        let shared = &self.shared;
        // An engine is opened for its first host.
        let joins = !shared.sampler.hosts().is_empty();
        shared.sampler.add_host(path);
        if !joins {
            return;
        }
        let status = shared.status();
        if let (Role::Owner, Place::File(log)) = (status.role, status.place) {
            shared.keep_private(&log);
        }
    }

    /// The engine as its hosts share it.
    pub(super) fn shared(self) -> Arc<Self> {
        let engine = Arc::new(self);
        // Set once, here.
        let _ = engine.this.set(Arc::downgrade(&engine));
        engine
    }

    fn start(wanted: Result<&Place, Unwanted>, host: Option<&Path>) -> Result<Self, Error> {
        let wanted_place = wanted.as_ref().ok().copied();
        let (opened, role, journaled) = match wanted {
            Ok(place) => match open_with_journal(place, host) {
                Ok((opened, journaled)) => (opened, Role::Owner, journaled),
                Err(error) => {
                    let path = place.path().unwrap_or(Path::new(""));
                    let (opened, role) = fall_back(error, path)?;
                    (opened, role, None)
                }
            },
            Err(Unwanted { path, error }) => {
                let (opened, role) = fall_back(error, &path)?;
                (opened, role, None)
            }
        };
        let Opened {
            store,
            mut notes,
            damage,
        } = opened;
        let mut settings = Settings::default();
        notes.extend(settings.adopt(&store.settings()?));
        let next_seq = store.next_seq()?;
        let (spool, journaled) = guest_spool(role, wanted_place, next_seq, journaled, &mut notes);
        let (journal, recovery) = match journaled {
            Some((journal, recovery)) => (Some((journal, recovery.next_seq)), recovery),
            None => (None, Recovery::default()),
        };
        notes.extend(describe(&recovery));
        let journal_open = journal.as_ref().map(|(journal, _)| journal);
        let beside = spool.as_deref().or(store.place().path());
        let spans = match open_spans(&store, beside, journal_open, next_seq) {
            Ok((file, found)) => {
                notes.extend(found.note);
                Spans::new(file, found.interrupted)
            }
            Err(error) => {
                notes.push(error.to_string());
                Spans::default()
            }
        };
        let metrics = Metrics::default();
        match store.totals() {
            Ok((families, values)) => metrics.restore(&assemble(&families, &values)),
            Err(error) => notes.push(format!("the totals of metrics cannot be read: {error}")),
        }
        let queue = Queue::new(next_seq, journal);
        queue.be_lenient(!settings.strict());
        let sampler = Sampler::new();
        let known = store.clock().ok().flatten();
        let clock = TrustedClock::resume(
            sampler.opened_us,
            Uptime::now().as_ref(),
            known.as_ref(),
            Instant::now(),
        );
        let (sender, receiver) = mpsc::channel();
        let shared = Arc::new(Shared {
            commands: Mutex::new(sender),
            queue: if spool.is_some() {
                queue.spool()
            } else {
                queue
            },
            spans,
            spools: Mutex::default(),
            metrics,
            sampler,
            callers: Watcher::default(),
            clock: Mutex::new(clock),
            pulse: Pulse::default(),
            settings: RwLock::new(settings),
            log: RwLock::new(Log {
                reader: Some(store.reader()),
                exchanged: 0,
                closed: String::new(),
                trouble: damage.unwrap_or_default(),
                set_aside: String::new(),
                place: store.place().clone(),
                role,
                notes,
                recovery,
                spool,
            }),
        });
        let registered = Arc::<Mutex<Vec<PathBuf>>>::default();
        let writer = start_writer(store, &shared, receiver, &registered)?;
        let engine = Self {
            process: crate::system::process::id(),
            shared,
            writer: Mutex::new(Some(writer)),
            registered,
            serving: Serving::default(),
            backup: Mutex::default(),
            this: OnceLock::new(),
        };
        engine.interrupt_spans(false);
        Ok(engine)
    }
}

/// Has the log's writer run, which gives the log's files and paths free when it ends.
fn start_writer(
    store: Store,
    shared: &Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    registered: &Arc<Mutex<Vec<PathBuf>>>,
) -> Result<WriterThread, Error> {
    let (shared, registered) = (Arc::clone(shared), Arc::clone(registered));
    let (ending, ended) = mpsc::channel();
    // Before anybody records, which the thread may begin after.
    let recorder = writer::recorder(&store, &shared);
    let handle = std::thread::Builder::new()
        .name("oplog-writer".into())
        .spawn(move || {
            shared.pulse.begin();
            writer::run(store, &shared, &commands, recorder);
            if shared.queue.is_shut_down() {
                let_go(&shared, &registered);
            }
            drop(ending);
        })
        .map_err(Error::Thread)?;
    Ok(WriterThread { handle, ended })
}

/// The journal of a log, or of a guest's spool, with what it gave back.
type Journaled = Option<(Journal, Recovery)>;

/// The spool of a guest and its journal; the log's own journal otherwise.
fn guest_spool(
    role: Role,
    wanted: Option<&Place>,
    next_seq: u64,
    journaled: Journaled,
    notes: &mut Vec<String>,
) -> (Option<PathBuf>, Journaled) {
    let (Role::Guest, Some(Place::File(path))) = (role, wanted) else {
        return (None, journaled);
    };
    let spool = spool::spool_beside(path);
    match open_spool(&spool, next_seq) {
        Ok(journaled) => (Some(spool), journaled),
        Err(error) => {
            notes.push(error.to_string());
            (None, None)
        }
    }
}

/// A path at which there can be no log, and why.
struct Unwanted {
    path: PathBuf,
    error: OpenError,
}

/// Where the log should be by a path that somebody has named.
fn place_named(path: PathBuf) -> Result<Place, Unwanted> {
    store::check_given(&path)
        .and_then(|()| store::resolve(&path))
        .map(Place::File)
        .map_err(|error| Unwanted { path, error })
}

/// Where it should be by the host's file: beside the file itself, however it is spelled and whatever links lead to it, so
/// that there is one log.
fn place_beside(host: &Path) -> Result<Place, Unwanted> {
    let mut path = absolute(host).into_os_string();
    path.push(".oplog");
    let path = PathBuf::from(path);
    store::resolve(&path)
        .map(Place::File)
        .map_err(|error| Unwanted { path, error })
}

/// A log and its journal. A journal that cannot be read makes the log unusable too: its records are acknowledged, and
/// would be taken for committed ones if new records got their numbers.
fn open_with_journal(
    wanted: &Place,
    host: Option<&Path>,
) -> Result<(Opened, Option<(Journal, Recovery)>), OpenError> {
    // Whoever has it may be about to let go of the log's file, or not have it yet.
    let mut lock = wanted.path().map(take_lock).transpose()?.flatten();
    let mut opened = relocate::open(wanted, &mut lock)?;
    if let (Some(log), Some(host)) = (opened.store.place().path(), host) {
        // Before there is anything in its journal.
        opened.notes.extend(keep_private(log, host));
    }
    let restored = restore::settle(&opened.store).map_err(OpenError::unusable)?;
    opened.notes.extend(restored);
    let next_seq = opened.store.next_seq().map_err(OpenError::unusable)?;
    let place = opened.store.place();
    let journaled = match (lock, place.path()) {
        (Some(lock), Some(path)) if place == wanted => {
            Journal::open_locked(lock, path, next_seq, Limits::default())
                .map(Some)
                .map_err(Error::Journal)
        }
        _ => open_journal(place, next_seq),
    };
    let journaled = journaled.map_err(OpenError::unusable)?;
    if let Err(error) = relocate::fetch_spans(&opened.store) {
        let note = format!("spans that ran at the log's old place are left there: {error}");
        opened.notes.push(note);
    }
    Ok((opened, journaled))
}

/// A log in memory in place of one that cannot be opened, and why.
fn fall_back(error: OpenError, wanted: &Path) -> Result<(Opened, Role), Error> {
    let mut opened = store::open(&Place::Memory)?;
    let path = wanted.display();
    let (role, note) = match error {
        OpenError::Locked(_) => (
            Role::Guest,
            format!("{path} belongs to another process, which takes over what is recorded here; what this one sees is its own records, in memory"),
        ),
        OpenError::Damaged(text) | OpenError::Unusable(text) => (
            Role::Fallback,
            format!("{path} cannot be used; records are kept in memory, CALL oplog_open('file') keeps them ({text})"),
        ),
    };
    opened.notes.push(note);
    Ok((opened, role))
}
