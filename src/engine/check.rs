//! Checks of the log, and of logs that nobody has open.

use super::engine::Engine;
use super::error::Error;
use crate::store::{self, Check, Place};
use std::path::Path;

impl Engine {
    /// Checks the log with all that has been recorded so far, or the one in a file.
    pub fn check(&self, path: Option<&Path>) -> Result<Vec<Check>, Error> {
        let callers = &self.shared.callers;
        if let Some(path) = path {
            store::check_given(path)?;
            let path = store::absolute(path);
            if self.status().place != Place::File(path.clone()) {
                return Ok(store::check_file(&path, callers)?);
            }
        }
        self.flush()?;
        self.shared.begin(|| {
            let reader = self.shared.read(None)?;
            let place = self.status().place;
            Ok(reader.check(place.path(), callers)?)
        })
    }
}
