//! Moving a log, as whoever asks for it sees it; `relocate` has the steps.

use super::command::Command;
use super::engine::Engine;
use super::notes::stopped;
use super::registry;
use crate::locks::lock;
use crate::store::{OpenError, Place};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

impl Engine {
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
}
