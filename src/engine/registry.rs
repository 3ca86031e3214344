//! The logs that are open in this process.
//!
//! This is the one thing that spans host instances, and it has to: file locks do not keep two instances of one process
//! apart, and two that write one file would destroy it.

use super::engine::Engine;
use super::error::Error;
use super::log::Role;
use crate::caller::LOOK_INTERVAL;
use crate::locks::{lock, wait_at_most};
use crate::store::absolute;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, LazyLock, Mutex, Weak};
use std::time::{Duration, Instant};

struct Open {
    engines: Mutex<HashMap<PathBuf, Weak<Engine>>>,
    released: Condvar,
}

static OPEN: LazyLock<Open> = LazyLock::new(|| Open {
    engines: Mutex::default(),
    released: Condvar::new(),
});

/// How long a log that is being closed is waited for: longer than a writer that hangs is.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The engine that has the file open, or a new one. One that is being opened or closed is waited for; none where that
/// takes too long.
pub fn get_or_open(
    path: &Path,
    start: impl FnOnce() -> Result<Engine, Error>,
) -> Result<Option<Arc<Engine>>, Error> {
    let until = Instant::now() + WAIT_MAX;
    let mut engines = lock(&OPEN.engines);
    while let Some(engine) = engines.get(path) {
        if let Some(engine) = engine.upgrade() {
            if engine.check_process().is_ok() {
                return Ok(Some(engine));
            }
            // A forked child knows its parent's engines, and shares none of them.
            break;
        }
        // One that is being opened ends that wait itself, and stands for no engine yet.
        let is_closing = !engine.ptr_eq(&Weak::new());
        let left = until.saturating_duration_since(Instant::now());
        if is_closing && left.is_zero() {
            return Ok(None);
        }
        engines = wait_at_most(&OPEN.released, engines, left.max(LOOK_INTERVAL));
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
            Ok(Some(engine))
        }
        Err(error) => {
            release(path);
            Err(error)
        }
    }
}

/// Takes a path for an engine that moves there.
pub fn claim(path: &Path, engine: Option<&Weak<Engine>>) -> Result<(), Error> {
    let mut engines = lock(&OPEN.engines);
    if engines.contains_key(path) {
        return Err(Error::Taken {
            path: path.to_path_buf(),
        });
    }
    engines.insert(path.to_path_buf(), engine.cloned().unwrap_or_default());
    Ok(())
}

pub fn release(path: &Path) {
    lock(&OPEN.engines).remove(path);
    OPEN.released.notify_all();
}
