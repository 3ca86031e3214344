//! What `oplog_durability` can say.

/// What a record survives once it is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// An orderly close.
    Memory,
    /// The end of the process in any form.
    Process,
    /// A power loss too.
    Os,
}

/// How they are written.
pub const WORDS: &[&str] = &["process", "os", "memory"];

impl Durability {
    pub fn named(word: &str) -> Self {
        match word {
            "memory" => Self::Memory,
            "os" => Self::Os,
            _ => Self::Process,
        }
    }
}
