//! The HTTP server of an engine, if one runs.

use crate::serve::Server;
use std::sync::{Mutex, PoisonError};

#[derive(Default)]
pub struct Serving {
    pub(super) server: Mutex<Option<Server>>,
}

impl Serving {
    /// Leaves alone what a forked child has a copy of: its thread is the parent's.
    pub(super) fn forget(&mut self) {
        let server = self
            .server
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::forget(server.take());
    }
}
