//! Moving a log, as whoever asks for it sees it; `relocate` has the steps.

use super::command::Command;
use super::engine::Engine;
use super::error::Error;
use super::registry;
use crate::locks::lock;
use crate::store::Place;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

impl Engine {
    /// Moves the log to another file; returns how many rows moved. A move goes on where the caller gives up.
    pub fn move_to(&self, path: &Path) -> Result<u64, Error> {
        crate::store::check_given(path)?;
        let path = crate::store::resolve(path)?;
        self.flush()?;
        if self.status().place == Place::File(path.clone()) {
            return Err(Error::AlreadyThere { path });
        }
        let claimed = !lock(&self.registered).contains(&path);
        if claimed {
            registry::claim(&path, self.this.get())?;
            lock(&self.registered).push(path.clone());
        }
        let (reply, answer) = mpsc::channel();
        self.send(Command::Move(path.clone(), reply));
        let moved = match self.shared.await_answer(&answer) {
            Ok(moved) => moved,
            Err(error) if self.shared.gives_up().is_some() => {
                let engine = self.this.get().cloned().unwrap_or_default();
                let _ = std::thread::Builder::new()
                    .name("oplog-move".into())
                    .spawn(move || {
                        let moved = answer.recv().unwrap_or(Err(Error::Stopped));
                        if let Some(engine) = engine.upgrade() {
                            engine.arrived(path, claimed, &moved);
                        }
                    });
                return Err(Error::MovesOn {
                    error: error.into(),
                });
            }
            Err(error) => Err(error),
        };
        self.arrived(path, claimed, &moved);
        moved
    }

    fn arrived(&self, path: PathBuf, claimed: bool, moved: &Result<u64, Error>) {
        // A process that is gone may have left some there.
        self.interrupt_spans(false);
        if claimed && moved.is_err() {
            lock(&self.registered).retain(|registered| *registered != path);
            registry::release(&path);
        }
    }
}
