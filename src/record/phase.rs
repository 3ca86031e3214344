//! When an operation is told of: as a whole when it has ended, or as a span, at its start and at its end.

use super::Field;

/// What a call tells of an operation, and so which fields it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has ended, and everything is known.
    Complete,
    /// It starts: how it will end is not known.
    SpanStart,
    /// It ends: what it is was said when it started.
    SpanEnd,
}

impl Phase {
    /// Why the field is not taken in this phase, and what to do instead; none if it is.
    pub fn refuses(self, field: Field) -> Option<&'static str> {
        match (self, field) {
            (Self::SpanStart | Self::SpanEnd, Field::DurationMs) => {
                Some("oplog measures how long a span takes; leave it out")
            }
            (Self::SpanStart | Self::SpanEnd, Field::Timestamp) => {
                Some("oplog takes the time of a span itself; leave it out")
            }
            (Self::SpanStart, Field::Status) => {
                Some("a span has its status when it ends; give it to oplog_finish")
            }
            (Self::SpanEnd, Field::TraceParent) => {
                Some("a span has its trace from its start; give it to oplog_start")
            }
            _ => None,
        }
    }

    /// Whether the field is said at the start for good: what has seen it since relies on it.
    pub(super) fn is_final(field: Field) -> bool {
        matches!(
            field,
            Field::Command | Field::TraceId | Field::SpanId | Field::ParentSpanId
        )
    }

    pub fn needs_command(self) -> bool {
        self != Self::SpanEnd
    }
}
