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
