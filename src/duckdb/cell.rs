//! A single value, as whoever reads one meets it.

use super::string::NotUtf8;
use super::TypeId;
use std::borrow::Cow;

/// One value of a column, in the few kinds that matter to whoever reads it.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    Null,
    Boolean(bool),
    Integer(i128),
    Double(f64),
    Text(Cow<'a, str>),
    NotUtf8(NotUtf8<'a>),
    /// Microseconds since 1970, UTC: of a TIMESTAMP WITH TIME ZONE.
    Timestamp(i64),
    /// What the clocks show in no zone in particular, in microseconds since 1970: of the other timestamps, and of dates.
    LocalTimestamp(i64),
    /// Microseconds; a month counts 30 days.
    Interval(i64),
    /// A nested value, or one of a type that has no kind of its own here.
    Other(TypeId),
}
