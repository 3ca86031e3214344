//! One engine per log: it owns the queue, the writer, the metrics and the way to the store, wires them and shuts them
//! down.
//!
//! Its life: the functions that `LOAD` registers share one engine; when DuckDB destroys them with the host instance,
//! the last one drops it, and everything accepted is committed and the file closed before that returns.

mod alerts;
pub mod health;
mod metrics;
mod observed;
mod open;
mod pulse;
mod recorded;
mod registry;
mod relocate;
mod server;
mod shared;
mod spans;

use crate::locks::{lock, read, write};
pub use observed::{Observed, RetentionRun};
pub use open::open_journal;
use recorded::Recorded;
pub use relocate::{leave, spool_places, Arrived, Doubt, Transfer};

use crate::caller::Watcher;
use crate::journal::Recovery;
use crate::metrics::Metrics;
use crate::queue::{Queue, QueueFigures};
use crate::record::{Batch, PART_BYTES_MAX};
use crate::settings::Durability;
use crate::settings::{Setting, Settings, Value};
use crate::spans::{SpanFigures, Spans};
use crate::store::{OpenError, Place, Purged, Reader};
use crate::writer::Command;
use pulse::Pulse;
use server::Serving;
use std::path::{Path, PathBuf};
use std::sync::{mpsc, Arc, Mutex, OnceLock, RwLock, Weak};
use std::thread::JoinHandle;

/// Names the file that the log is kept in, whatever the host's is.
pub const PATH_VARIABLE: &str = "OPLOG_PATH";

/// What the engine, the functions and the writer thread share.
pub struct Shared {
    pub queue: Queue,
    pub spans: Spans,
    pub metrics: Metrics,
    pub observed: Observed,
    /// Interrupts questions whose callers have given up.
    pub callers: Watcher,
    pulse: Pulse,
    settings: RwLock<Settings>,
    log: RwLock<Log>,
    spools: Mutex<SpoolFigures>,
    commands: Mutex<mpsc::Sender<Command>>,
}

/// Where the log is now.
struct Log {
    /// None once the engine is shutting down, since a reader keeps the file open, and while the store does not work.
    reader: Option<Reader>,
    /// How often it has been exchanged for another one.
    exchanged: u64,
    /// Why it does not work; "" where it does.
    closed: String,
    /// What happened to the log, and of which operations it has none; "" for nothing.
    trouble: String,
    set_aside: String,
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
    /// Operations that a guest has recorded and that cannot be read.
    pub lost_operations: u64,
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

impl Log {
    fn exchange(&mut self, reader: Reader) {
        self.reader = Some(reader);
        self.exchanged += 1;
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
    pub trouble: String,
    pub set_aside: String,
    /// Operations that were accepted, here or by a guest, and cannot be read.
    pub lost_operations: u64,
}

struct WriterThread {
    handle: JoinHandle<()>,
    /// Its other end is gone when the thread is about to end.
    ended: mpsc::Receiver<()>,
}

pub struct Engine {
    /// The process that opened it. A child that is forked from it has a copy without the writer thread, and must leave
    /// the files alone.
    process: u32,
    shared: Arc<Shared>,
    writer: Mutex<Option<WriterThread>>,
    /// The registry's keys of this engine, given free when its writer is gone: the path that was asked for, and those that
    /// the log was moved to.
    registered: Arc<Mutex<Vec<PathBuf>>>,
    serving: Serving,
    /// Itself, for the registry.
    this: OnceLock<Weak<Engine>>,
}

impl Engine {
    /// Refuses in a forked child, and is asked before anything else: there, locks may be held for good by threads that
    /// the child does not have.
    pub fn check_process(&self) -> Result<(), String> {
        if self.process == crate::system::process::id() {
            return Ok(());
        }
        Err(format!(
            "this process was forked from process {}, which the log belongs to; open the database anew here",
            self.process
        ))
    }

    /// Accepts operations: what is recorded when this returns is in the log's order. Large batches are accepted in parts;
    /// where one of these is refused, those before it are recorded.
    pub fn record(&self, batch: Batch) -> Recorded {
        let (rules, durability) = {
            let settings = read(&self.shared.settings);
            (metrics::rules(&settings), durability(&settings))
        };
        let accept = |part: Batch| {
            let part = Arc::new(part);
            let stamp = self
                .shared
                .queue
                .push(Arc::clone(&part), durability, None)?;
            self.shared.metrics.count(&part, &stamp, &rules);
            Ok(stamp.ids)
        };
        let mut recorded = Recorded::default();
        if batch.bytes() <= PART_BYTES_MAX {
            recorded.add(batch.rows(), accept(batch));
            return recorded;
        }
        for rows in batch.parts() {
            recorded.add(rows.len(), accept(batch.range(rows)));
            if recorded.refused.is_some() {
                break;
            }
        }
        recorded
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

    /// Commits what waits, with the settings and the metrics that have changed; returns how many operations that were.
    pub fn flush(&self) -> Result<u64, String> {
        let operations = self.shared.flush()?;
        self.ask(Command::Flush)??;
        Ok(operations)
    }

    pub fn settings(&self) -> Settings {
        self.shared.settings()
    }

    pub fn strict(&self) -> bool {
        read(&self.shared.settings).strict()
    }

    /// Puts a setting in force and has it stored.
    pub fn set(&self, setting: Setting, value: Value) {
        self.shared
            .change_settings(|settings| settings.put(setting, value));
        self.send(Command::Store(setting, Some(value)));
    }

    /// Puts a setting's default in force and has the stored value forgotten.
    pub fn reset(&self, setting: Setting) {
        self.shared
            .change_settings(|settings| settings.reset(setting));
        self.send(Command::Store(setting, None));
    }

    pub fn note(&self, note: String) {
        self.shared.note(note);
    }

    pub fn purge(&self) -> Result<Purged, String> {
        self.shared.flush()?;
        self.ask(Command::Purge)?
    }

    /// Moves the log to another file; returns how many rows moved. A move goes on where the caller gives up.
    pub fn move_to(&self, path: &Path) -> Result<u64, String> {
        crate::store::check_given(path)?;
        let path = crate::store::resolve(path).map_err(OpenError::into_text)?;
        self.flush()?;
        if self.status().place == Place::File(path.clone()) {
            return Err(format!("the log is already in {}", path.display()));
        }
        let claimed = !lock(&self.registered).contains(&path);
        if claimed {
            registry::claim(&path, self.this.get())?;
            lock(&self.registered).push(path.clone());
        }
        let (reply, answer) = mpsc::channel();
        self.send(Command::Move(path.clone(), reply));
        let moved = self.shared.await_answer(&answer);
        if let (Err(reason), Some(_)) = (&moved, self.shared.gives_up()) {
            let engine = self.this.get().cloned().unwrap_or_default();
            let _ = std::thread::Builder::new()
                .name("oplog-move".into())
                .spawn(move || {
                    let moved = answer.recv().map_err(|_| stopped()).and_then(|moved| moved);
                    if let Some(engine) = engine.upgrade() {
                        engine.arrived(path, claimed, &moved);
                    }
                });
            return Err(format!(
                "{reason}; the log moves on, FROM oplog_status() shows where it is"
            ));
        }
        let moved = moved.and_then(|moved| moved);
        self.arrived(path, claimed, &moved);
        moved
    }

    fn arrived(&self, path: PathBuf, claimed: bool, moved: &Result<u64, String>) {
        // A process that is gone may have left some there.
        self.interrupt_spans(false);
        if claimed && moved.is_err() {
            lock(&self.registered).retain(|registered| *registered != path);
            registry::release(&path);
        }
    }

    fn send(&self, command: Command) {
        self.shared.send(command);
    }

    /// Has the writer do something, and waits for its answer.
    fn ask<T>(&self, command: impl FnOnce(mpsc::Sender<T>) -> Command) -> Result<T, String> {
        let (reply, answer) = mpsc::channel();
        self.send(command(reply));
        self.shared.await_answer(&answer)
    }

    pub fn status(&self) -> Status {
        self.shared.status()
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
        // A queue that is stuck must not hold up the end.
        self.shared.queue.be_lenient(true);
        self.interrupt_spans(true);
        if let Err(error) = self.shared.spans.close() {
            self.shared.note(error);
        }
        self.shared.queue.shut_down();
        if let Some(writer) = lock(&self.writer).take() {
            if self.shared.pulse.wait_for_end(&writer.ended) {
                // The writer contains its own panics.
                let _ = writer.handle.join();
                let_go(&self.shared, &self.registered);
            }
            // One that hangs is left behind. Its file stays locked, and the registry says so, until it ends after all.
        }
    }
}

/// Closes the log's file and gives its paths free, when nobody writes it any more.
fn let_go(shared: &Shared, registered: &Mutex<Vec<PathBuf>>) {
    // A reader keeps the file open.
    write(&shared.log).reader = None;
    for path in lock(registered).drain(..) {
        registry::release(&path);
    }
}

fn durability(settings: &Settings) -> Durability {
    match settings.durability() {
        "memory" => Durability::Memory,
        "os" => Durability::Os,
        _ => Durability::Process,
    }
}

fn stopped() -> String {
    "the writer has stopped; FROM oplog_status() says why".into()
}
