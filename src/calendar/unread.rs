//! Why a text is no time.

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It does not look like one.
    NoTime,
    /// It does, and this is wrong with its zone.
    Zone(String),
}
