//! The end of an engine.

use super::engine::Engine;
use super::registry;
use super::shared::Shared;
use crate::locks::{lock, write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

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
            self.shared.note(error.to_string());
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
pub(super) fn let_go(shared: &Shared, registered: &Mutex<Vec<PathBuf>>) {
    // A reader keeps the file open.
    write(&shared.log).reader = None;
    for path in lock(registered).drain(..) {
        registry::release(&path);
    }
}
