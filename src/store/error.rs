//! Why a log does not open.

/// Why a log cannot be opened where it should be.
#[derive(Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Another process has it.
    Locked(String),
    /// The file is not a sound DuckDB database.
    Damaged(String),
    /// Anything else: no permission, no space, a newer version. The file is left as it is.
    Unusable(String),
}

impl OpenError {
    pub fn into_text(self) -> String {
        match self {
            Self::Locked(text) | Self::Damaged(text) | Self::Unusable(text) => text,
        }
    }
}
