//! When an operation is told of: as a whole when it has ended, or as a span, at its start and at its end.

use super::Field;

/// What a call tells of an operation, and so which fields it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It has ended, and everything is known.
    Whole,
    /// It starts: how it will end is not known.
    Start,
    /// It ends: what it is was said when it started.
    End,
}

impl Moment {
    /// Why the field is not taken at this moment, and what to do instead; none if it is.
    pub fn refuses(self, field: Field) -> Option<&'static str> {
        match (self, field) {
            (Self::Start | Self::End, Field::DurationMs) => {
                Some("oplog measures how long a span takes; leave it out")
            }
            (Self::Start | Self::End, Field::Timestamp) => {
                Some("oplog takes the time of a span itself; leave it out")
            }
            (Self::Start, Field::Status) => {
                Some("a span has its status when it ends; give it to oplog_finish")
            }
            (Self::End, Field::TraceParent) => {
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
        self != Self::End
    }
}
