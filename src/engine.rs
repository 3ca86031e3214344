//! One engine per log: it owns the queue, the writer, the metrics and the way to the store, wires them and shuts them
//! down.
//!
//! Its life: the functions that `LOAD` registers share one engine; when DuckDB destroys them with the host instance,
//! the last one drops it, and everything accepted is committed and the file closed before that returns.

mod alerts;
pub mod health;
mod observed;
mod server;
mod spans;

pub use observed::{Observed, RetentionRun};

use crate::journal::{self, Durability, Journal, Limits, Queue, QueueFigures, Recovery};
use crate::metrics::{assemble, Family, Metrics, Registry, Rules};
use crate::record::{Batch, Stamp};
use crate::settings::{Setting, Settings, Value};
use crate::spans::{SpanFigures, Spans};
use crate::store::{self, OpenError, Opened, Place, Purged, Reader, RetentionPolicy, Store};
use crate::writer::{self, Command};
use server::Serving;
use spans::open_spans;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{mpsc, Arc, Condvar, Mutex, MutexGuard, OnceLock, RwLock, Weak};
use std::thread::JoinHandle;

/// Names the file that the log is kept in, whatever the host's is.
pub const PATH_VARIABLE: &str = "OPLOG_PATH";

/// What the engine, the functions and the writer thread share.
pub struct Shared {
    pub queue: Queue,
    pub spans: Spans,
    pub metrics: Metrics,
    pub observed: Observed,
    settings: RwLock<Settings>,
    log: RwLock<Log>,
    spools: Mutex<SpoolFigures>,
}

/// Where the log is now.
struct Log {
    /// None once the engine is shutting down: a reader keeps the file open.
    reader: Option<Reader>,
    place: Place,
    role: Role,
    /// What happened when it was opened, and what did not work since.
    notes: Vec<String>,
    /// What the journal gave back when it was opened.
    recovery: Recovery,
    /// Where a guest keeps its records for the log's owner.
    spool: Option<PathBuf>,
}

/// What an owner knows of the spools beside its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolFigures {
    pub spools: u64,
    pub taken_operations: u64,
}

/// How an engine came to its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The log is where it should be.
    Owner,
    /// Another process has the log; this one keeps its records in memory.
    Guest,
    /// The log cannot be opened where it should be; records are kept in memory.
    Fallback,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Guest => "guest",
            Self::Fallback => "fallback",
        }
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Shared {
    pub fn settings(&self) -> Settings {
        read(&self.settings).clone()
    }

    /// A reader that sees everything recorded so far. If that cannot be committed, the reader sees what is there, and
    /// `oplog_status()` says what is wrong: an answer that lacks the newest rows beats none.
    pub fn read(&self) -> Result<Reader, String> {
        if let Err(error) = self.queue.flush() {
            self.note(error);
        }
        self.reader()
    }

    /// A reader for questions about the log's form, which need no commit.
    pub fn reader(&self) -> Result<Reader, String> {
        read(&self.log).reader.clone().ok_or_else(stopped)
    }

    pub fn status(&self) -> Status {
        let log = read(&self.log);
        Status {
            place: log.place.clone(),
            role: log.role,
            notes: log.notes.clone(),
            queue: self.queue.figures(),
            spans: self.spans.figures(),
            recovery: log.recovery.clone(),
            spool: log.spool.clone(),
            spools: *lock(&self.spools),
        }
    }

    /// All metrics, with the figures that are measured when they are asked for.
    pub fn metrics(&self) -> &Metrics {
        let queue = self.queue.figures();
        let figures = &self.metrics.figures;
        figures.pending_operations.set(queue.operations as f64);
        figures.pending_bytes.set(queue.bytes as f64);
        figures.journal_bytes.set(queue.journal_bytes as f64);
        figures
            .commit_lag_seconds
            .set(queue.oldest_age.as_secs_f64());
        let recovery = read(&self.log).recovery.lost_operations();
        figures.lost.set((queue.lost + recovery) as f64);
        let bytes = self.metrics.registry.bytes();
        figures.metrics_bytes.set(bytes as f64);
        let spans = self.spans.figures();
        figures.active_spans.set(spans.running as f64);
        let place = read(&self.log).place.clone();
        // Hosts that share a log share its metrics; the first one stands for them.
        let hosts = self.observed.hosts();
        let host = hosts.first().map(|path| ("host", path.as_path()));
        let log = place.path().map(|path| ("log", path));
        let databases: Vec<(&str, &Path)> = host.into_iter().chain(log).collect();
        self.metrics.measure(&databases);
        &self.metrics
    }

    /// Remembers what went wrong in the background. Only the newest notes are kept.
    pub fn note(&self, note: String) {
        const NOTES_MAX: usize = 20;
        let mut log = write(&self.log);
        if log.notes.last() == Some(&note) {
            return;
        }
        if log.notes.len() == NOTES_MAX {
            log.notes.remove(0);
        }
        log.notes.push(note);
    }

    /// What another journal gave back, on top of what there was.
    pub fn recovered(&self, recovery: Recovery) {
        describe(&recovery)
            .into_iter()
            .for_each(|note| self.note(note));
        let mut log = write(&self.log);
        log.recovery.rows += recovery.rows;
        log.recovery.torn_bytes += recovery.torn_bytes;
        log.recovery.lost.extend(recovery.lost);
    }

    /// Called by the writer when the log has moved.
    pub fn moved(&self, store: &Store) {
        let mut log = write(&self.log);
        if log.place != *store.place() {
            log.reader = Some(store.reader());
            log.place = store.place().clone();
            log.role = Role::Owner;
            log.spool = None;
        }
        drop(log);
        match store.settings() {
            Ok(stored) => {
                let problems = write(&self.settings).adopt(&stored);
                problems.into_iter().for_each(|problem| self.note(problem));
            }
            Err(error) => self.note(format!("the log's settings cannot be read: {error}")),
        }
    }

    /// Called by the writer with the operations that it has taken in.
    pub fn note_spools(&self, spools: usize, taken_operations: u64) {
        let mut figures = lock(&self.spools);
        figures.spools = spools as u64;
        figures.taken_operations += taken_operations;
    }

    /// Counts operations that come from a spool.
    pub fn count(&self, batch: &Batch, stamp: &Stamp) {
        self.metrics.count(batch, stamp, &self.rules());
    }

    /// How operations are counted.
    pub fn rules(&self) -> Rules {
        rules(&read(&self.settings))
    }

    pub fn policy(&self) -> RetentionPolicy {
        let settings = read(&self.settings);
        RetentionPolicy {
            retention_us: settings.retention_us(),
            error_retention_us: settings.error_retention_us(),
            max_bytes: settings.max_size_bytes(),
        }
    }
}

/// What `oplog_status()` shows.
pub struct Status {
    pub place: Place,
    pub role: Role,
    pub notes: Vec<String>,
    pub queue: QueueFigures,
    pub spans: SpanFigures,
    pub recovery: Recovery,
    pub spool: Option<PathBuf>,
    pub spools: SpoolFigures,
}

pub struct Engine {
    /// The process that opened it. A child that is forked from it has a copy without the writer thread, and must leave
    /// the files alone.
    process: u32,
    shared: Arc<Shared>,
    commands: Mutex<mpsc::Sender<Command>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// The registry's keys of this engine, given free when it is gone: the path that was asked for, and those that the log
    /// was moved to.
    registered: Mutex<Vec<PathBuf>>,
    serving: Serving,
    /// Itself, for the registry.
    this: OnceLock<Weak<Engine>>,
}

impl Engine {
    /// The engine for a host whose database file is `host_path`, none for one in memory. Hosts in one process whose log
    /// is the same file share one engine.
    pub fn open(host_path: Option<&Path>) -> Result<Arc<Self>, String> {
        let wanted = match std::env::var_os(PATH_VARIABLE).filter(|path| !path.is_empty()) {
            Some(path) => Place::File(PathBuf::from(path)),
            None => host_path.map_or(Place::Memory, |path| {
                Place::File(PathBuf::from(format!("{}.oplog", path.display())))
            }),
        };
        let engine = match wanted.path().map(absolute) {
            None => Self::start(&Place::Memory).map(Self::shared),
            Some(path) => registry::get_or_open(&path, || Self::start(&Place::File(path.clone()))),
        }?;
        if let Some(path) = host_path {
            engine.shared.observed.add_host(&absolute(path));
        }
        Ok(engine)
    }

    /// The engine as its hosts share it.
    fn shared(self) -> Arc<Self> {
        let engine = Arc::new(self);
        // Set once, here.
        let _ = engine.this.set(Arc::downgrade(&engine));
        engine
    }

    fn start(wanted: &Place) -> Result<Self, String> {
        let (opened, role, journaled) = match open_with_journal(wanted) {
            Ok((opened, journaled)) => (opened, Role::Owner, journaled),
            Err(error) => {
                let (opened, role) = fall_back(error, wanted)?;
                (opened, role, None)
            }
        };
        let Opened { store, mut notes } = opened;
        let mut settings = Settings::default();
        notes.extend(settings.adopt(&store.settings()?));
        let next_seq = store.next_seq()?;
        let spool = match (role, wanted) {
            (Role::Guest, Place::File(path)) => Some(journal::spool_beside(path)),
            _ => None,
        };
        let journaled = match &spool {
            None => journaled,
            Some(spool) => open_spool(spool, next_seq).unwrap_or_else(|note| {
                notes.push(note);
                None
            }),
        };
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
            Err(note) => {
                notes.push(note);
                Spans::default()
            }
        };
        let metrics = Metrics::default();
        match store.totals() {
            Ok((families, values)) => metrics.restore(&assemble(&families, &values)),
            Err(error) => notes.push(format!("the totals of metrics cannot be read: {error}")),
        }
        let queue = Queue::new(next_seq, journal);
        let shared = Arc::new(Shared {
            queue: if spool.is_some() {
                queue.spool()
            } else {
                queue
            },
            spans,
            spools: Mutex::default(),
            metrics,
            observed: Observed::new(),
            settings: RwLock::new(settings),
            log: RwLock::new(Log {
                reader: Some(store.reader()),
                place: store.place().clone(),
                role,
                notes,
                recovery,
                spool,
            }),
        });
        let (sender, receiver) = mpsc::channel();
        let for_writer = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("oplog-writer".into())
            .spawn(move || writer::run(store, &for_writer, &receiver))
            .map_err(|error| format!("oplog: cannot start the writer thread: {error}"))?;
        let engine = Self {
            process: crate::process::id(),
            shared,
            commands: Mutex::new(sender),
            writer: Mutex::new(Some(writer)),
            registered: Mutex::default(),
            serving: Serving::default(),
            this: OnceLock::new(),
        };
        engine.interrupt_spans(false);
        Ok(engine)
    }

    /// Refuses in a forked child, and is asked before anything else: there, locks may be held for good by threads that
    /// the child does not have.
    pub fn check_process(&self) -> Result<(), String> {
        if self.process == crate::process::id() {
            return Ok(());
        }
        Err(format!(
            "this process was forked from process {}, which the log belongs to; open the database anew here",
            self.process
        ))
    }

    /// Accepts operations: once this returns they are in the log's order.
    pub fn record(&self, batch: Batch) -> Result<Stamp, String> {
        let batch = Arc::new(batch);
        let (rules, durability) = {
            let settings = read(&self.shared.settings);
            (rules(&settings), durability(&settings))
        };
        let stamp = self
            .shared
            .queue
            .push(Arc::clone(&batch), durability, None)?;
        self.shared.metrics.count(&batch, &stamp, &rules);
        Ok(stamp)
    }

    /// Memory for a new batch, if there is some.
    pub fn spare_batch(&self, rows: usize) -> Option<Batch> {
        self.shared.queue.spare(rows)
    }

    /// Counts operations that were refused.
    pub fn count_rejected(&self, operations: u64) {
        self.shared.metrics.figures.rejected.inc_by(operations);
    }

    /// What answers questions, for whoever may outlive the engine's last host by a moment: it keeps nothing running.
    pub fn answering(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Commits what waits; returns how many operations that were.
    pub fn flush(&self) -> Result<u64, String> {
        self.shared.queue.flush()
    }

    pub fn settings(&self) -> Settings {
        self.shared.settings()
    }

    pub fn strict(&self) -> bool {
        read(&self.shared.settings).strict()
    }

    /// Puts a setting in force and has it stored.
    pub fn set(&self, setting: Setting, value: Value) {
        write(&self.shared.settings).put(setting, value);
        self.send(Command::Store(setting, Some(value)));
    }

    /// Puts a setting's default in force and has the stored value forgotten.
    pub fn reset(&self, setting: Setting) {
        write(&self.shared.settings).reset(setting);
        self.send(Command::Store(setting, None));
    }

    pub fn note(&self, note: String) {
        self.shared.note(note);
    }

    pub fn purge(&self) -> Result<Purged, String> {
        let (reply, answer) = mpsc::channel();
        self.flush()?;
        self.send(Command::Purge(reply));
        answer.recv().map_err(|_| stopped())?
    }

    /// Moves the log to another file; returns how many rows moved.
    pub fn move_to(&self, path: &Path) -> Result<u64, String> {
        let path = absolute(path);
        self.flush()?;
        let mut registered = lock(&self.registered);
        if self.status().place == Place::File(path.clone()) {
            return Err(format!("the log is already in {}", path.display()));
        }
        let known = registered.contains(&path);
        if !known {
            registry::claim(&path, self.this.get())?;
        }
        let (reply, answer) = mpsc::channel();
        self.send(Command::Move(path.clone(), reply));
        let moved = answer.recv().map_err(|_| stopped()).and_then(|moved| moved);
        // A process that is gone may have left some there.
        self.interrupt_spans(false);
        if !known {
            match moved {
                Ok(_) => registered.push(path),
                Err(_) => registry::release(&path),
            }
        }
        moved
    }

    fn send(&self, command: Command) {
        // A writer that is gone has marked the queue; whoever waits for an answer learns it from the closed channel.
        let _ = lock(&self.commands).send(command);
        self.shared.queue.nudge();
    }

    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// Counts values of a service's metrics that were refused.
    pub fn count_rejected_updates(&self, updates: u64) {
        self.shared.metrics.figures.rejected_updates.inc_by(updates);
    }

    pub fn registry(&self) -> &Registry {
        &self.shared.metrics.registry
    }

    /// Has a service's metrics changed: `update` is given how many label sets a metric may have, and says how many values
    /// it folded and what it has changed.
    pub fn publish<'a, F>(&self, update: impl FnOnce(usize) -> (u64, F))
    where
        F: Iterator<Item = &'a Family>,
    {
        let max_series = read(&self.shared.settings).max_series();
        let metrics = &self.shared.metrics;
        let (folded, changed) = update(max_series);
        metrics.figures.folded_updates.inc_by(folded);
        let mut unsaved = false;
        for family in changed {
            unsaved |= metrics.registry.touched(family);
        }
        if unsaved {
            self.shared.queue.nudge();
        }
    }

    pub fn metrics(&self) -> &Metrics {
        self.shared.metrics()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.check_process().is_err() {
            // To close the parent's files here would checkpoint them, or delete their write-ahead log, under its feet.
            std::mem::forget(Arc::clone(&self.shared));
            self.serving.forget();
            return;
        }
        // First, since what it answers needs all the rest.
        self.stop_serving();
        self.interrupt_spans(true);
        if let Err(error) = self.shared.spans.close() {
            self.shared.note(error);
        }
        self.shared.queue.shut_down();
        if let Some(writer) = lock(&self.writer).take() {
            // The writer contains its own panics.
            let _ = writer.join();
        }
        write(&self.shared.log).reader = None;
        for path in lock(&self.registered).drain(..) {
            registry::release(&path);
        }
    }
}

fn rules(settings: &Settings) -> Rules {
    Rules {
        max_series: settings.max_series(),
        slow_us: settings.slow_threshold_us(),
    }
}

fn durability(settings: &Settings) -> Durability {
    match settings.durability() {
        "memory" => Durability::Memory,
        "os" => Durability::Os,
        _ => Durability::Process,
    }
}

/// A log and its journal. A journal that cannot be read makes the log unusable too: its records are acknowledged, and
/// would be taken for committed ones if new records got their numbers.
fn open_with_journal(wanted: &Place) -> Result<(Opened, Option<(Journal, Recovery)>), OpenError> {
    let opened = store::open(wanted)?;
    let next_seq = opened.store.next_seq().map_err(OpenError::Unusable)?;
    let journaled = open_journal(opened.store.place(), next_seq).map_err(OpenError::Unusable)?;
    Ok((opened, journaled))
}

/// The journal beside a log in a file, with what the store has not committed of it.
pub fn open_journal(place: &Place, next_seq: u64) -> Result<Option<(Journal, Recovery)>, String> {
    let Some(path) = place.path() else {
        return Ok(None);
    };
    Journal::open(path, next_seq, Limits::default())
        .map(Some)
        .map_err(|error: journal::OpenError| format!("its journal cannot be used: {error}"))
}

/// The journal in which a guest keeps its records for the log's owner.
fn open_spool(path: &Path, next_seq: u64) -> Result<Option<(Journal, Recovery)>, String> {
    Journal::open(path, next_seq, journal::SPOOL_LIMITS)
        .map(Some)
        .map_err(|error| {
            format!(
                "records cannot be kept for the log's owner; they end with this process ({error})"
            )
        })
}

/// What a recovery has to say beyond its figures.
fn describe(recovery: &Recovery) -> Vec<String> {
    let mut notes: Vec<String> = recovery
        .damaged
        .iter()
        .map(|segment| {
            format!(
                "{} was damaged and will be {} ({})",
                segment.path.display(),
                segment.set_aside.display(),
                segment.reason
            )
        })
        .collect();
    notes.extend(recovery.lost.iter().map(|lost| {
        format!(
            "the operations with seq {} to {} were recorded and cannot be read",
            lost.start,
            lost.end - 1
        )
    }));
    notes
}

fn stopped() -> String {
    "the writer has stopped; FROM oplog_status() says why".into()
}

/// A log in memory in place of one that cannot be opened, and why.
fn fall_back(error: OpenError, wanted: &Place) -> Result<(Opened, Role), String> {
    let mut opened = store::open(&Place::Memory).map_err(OpenError::into_text)?;
    let path = wanted.path().unwrap_or(Path::new("")).display().to_string();
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

/// One path for one file, however it is spelled: links resolved as far as the file exists.
fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    if let Ok(canonical) = path.canonicalize() {
        return canonical;
    }
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => path,
    }
}

/// The logs that are open in this process.
///
/// This is the one thing that spans host instances, and it has to: file locks do not keep two instances of one process
/// apart, and two that write one file would destroy it.
mod registry {
    use super::*;

    struct Open {
        engines: Mutex<HashMap<PathBuf, Weak<Engine>>>,
        released: Condvar,
    }

    static OPEN: std::sync::LazyLock<Open> = std::sync::LazyLock::new(|| Open {
        engines: Mutex::default(),
        released: Condvar::new(),
    });

    /// The engine that has the file open, or a new one. One that is being opened or closed is waited for.
    pub fn get_or_open(
        path: &Path,
        start: impl FnOnce() -> Result<Engine, String>,
    ) -> Result<Arc<Engine>, String> {
        let mut engines = lock(&OPEN.engines);
        while let Some(engine) = engines.get(path) {
            if let Some(engine) = engine.upgrade() {
                if engine.check_process().is_ok() {
                    return Ok(engine);
                }
                // A forked child knows its parent's engines, and shares none of them.
                break;
            }
            engines = OPEN
                .released
                .wait(engines)
                .unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        engines.insert(path.to_path_buf(), Weak::new());
        drop(engines);
        match start() {
            Ok(engine) => {
                let engine = engine.shared();
                let status = engine.status();
                if status.role == Role::Owner {
                    let mut registered = lock(&engine.registered);
                    registered.push(path.to_path_buf());
                    registered.extend(
                        status
                            .place
                            .path()
                            .filter(|open| *open != path)
                            .map(absolute),
                    );
                    let mut engines = lock(&OPEN.engines);
                    for path in registered.iter() {
                        engines.insert(path.clone(), Arc::downgrade(&engine));
                    }
                    drop(engines);
                    OPEN.released.notify_all();
                } else {
                    // Its log is elsewhere: the path is as free as before.
                    release(path);
                }
                Ok(engine)
            }
            Err(error) => {
                release(path);
                Err(error)
            }
        }
    }

    /// Takes a path for an engine that moves there.
    pub fn claim(path: &Path, engine: Option<&Weak<Engine>>) -> Result<(), String> {
        let mut engines = lock(&OPEN.engines);
        if engines.contains_key(path) {
            return Err(format!(
                "{} is the log of another database in this process; give another path",
                path.display()
            ));
        }
        engines.insert(path.to_path_buf(), engine.cloned().unwrap_or_default());
        Ok(())
    }

    pub fn release(path: &Path) {
        lock(&OPEN.engines).remove(path);
        OPEN.released.notify_all();
    }
}
