//! Why no spool can be taken in. What is wrong with one of them is a note, and the others are taken in.

use super::taken::InLogError;
use crate::files::FileError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    File(#[from] FileError),
    /// The log cannot be asked what it has.
    #[error(transparent)]
    Log(InLogError),
}
