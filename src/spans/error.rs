//! Why spans do not start, or are still in their file.

use crate::files::FileError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{running} spans are running, and {max} is the limit: finish some; FROM oplog_active() lists them")]
    TooMany { running: usize, max: usize },
    #[error(
        "the spans that are running take {bytes} bytes, and {max} is the limit: finish some, or give long \
         texts to oplog_finish"
    )]
    TooLarge { bytes: usize, max: usize },
    #[error("the span would not survive a power loss: {0}")]
    NotSynced(#[source] FileError),
    #[error(transparent)]
    File(#[from] FileError),
}
