//! The fields of an operation, declared once: the record path, the sidecar and the reference all read this table.

use crate::excerpt::excerpt;
use crate::nearest::nearest;

/// What a field accepts and how it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// One of [`super::STATUSES`].
    Status,
    /// Milliseconds, 0 or more.
    Milliseconds,
    /// A count, 0 or more.
    Count,
    /// A point in time, microseconds since 1970.
    Time,
    Json,
    /// W3C trace context, which stands for the three ids.
    TraceParent,
}

macro_rules! fields {
    ($($variant:ident, $name:literal, $kind:ident, $default:literal, $meaning:literal, $filter:literal;)*) => {
        /// A field that a caller may give.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Field {
            $($variant,)*
        }

        impl Field {
            pub const ALL: &'static [Field] = &[$(Field::$variant,)*];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Field::$variant => $name,)*
                }
            }

            pub const fn kind(self) -> Kind {
                match self {
                    $(Field::$variant => Kind::$kind,)*
                }
            }

            /// What stands in the log where the field is left out or NULL; "" for NULL.
            pub fn default(self) -> &'static str {
                match self {
                    $(Field::$variant => $default,)*
                }
            }

            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Field::$variant => $meaning,)*
                }
            }

            /// What a reading function keeps that is given this field; "" where it is no filter.
            pub const fn filter(self) -> &'static str {
                match self {
                    $(Field::$variant => $filter,)*
                }
            }

            /// The condition of that filter, in SQL.
            pub const fn condition(self) -> &'static str {
                match self {
                    $(Field::$variant => concat!($name, " = $", $name),)*
                }
            }
        }
    };
}

fields! {
    Command, "command", Text, "", "what ran, such as `import` or `GET /tables`; required", "this command only";
    Status, "status", Status, "success", "`success`, `error`, `timeout` or `cancelled`", "this status only";
    DurationMs, "duration_ms", Milliseconds, "", "how long it took, in milliseconds; an INTERVAL will do", "";
    Timestamp, "timestamp", Time, "now", "when it ended; text without an offset is UTC", "";
    ProjectId, "project_id", Text, "default", "the tenant that it is for", "this project only";
    BranchId, "branch_id", Text, "default", "the branch of the project", "this branch only";
    BucketName, "bucket_name", Text, "", "the bucket, or schema, of the table", "this bucket only";
    TableName, "table_name", Text, "", "the table that it works on", "this table only";
    QueueWaitMs, "queue_wait_ms", Milliseconds, "", "how long it waited before it started, in milliseconds", "";
    RowsAffected, "rows_affected", Count, "", "rows read or written", "";
    BytesIn, "bytes_in", Count, "", "bytes taken in", "";
    BytesOut, "bytes_out", Count, "", "bytes given out", "";
    ErrorCode, "error_code", Text, "", "a short, stable name of the failure; groups `oplog_errors()`", "";
    ErrorMessage, "error_message", Text, "", "the failure in full", "";
    RequestId, "request_id", Text, "", "the request that caused it", "this request only";
    ConnectionJobId, "connection_job_id", Text, "", "the job that it belongs to", "this job only";
    ConnectionRunId, "connection_run_id", Text, "", "the run of the job", "this run of a job only";
    TraceId, "trace_id", Text, "", "W3C trace id", "this trace only";
    SpanId, "span_id", Text, "", "W3C span id of this operation", "";
    ParentSpanId, "parent_span_id", Text, "", "W3C span id of its caller", "";
    Metadata, "metadata", Json, "", "anything else: JSON text, STRUCT, MAP or LIST", "";
    TraceParent, "traceparent", TraceParent, "", "a W3C `traceparent` header, in place of the three ids", "";
}

impl Field {
    /// The fields that are columns of the log, in its order: all but `traceparent`.
    pub fn stored() -> &'static [Field] {
        &Self::ALL[..Self::ALL.len() - 1]
    }

    /// The field of that name, in any case, as SQL compares names.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|field| field.name().eq_ignore_ascii_case(name))
    }

    /// What to say of a name that is no field.
    pub fn unknown(name: &str) -> String {
        let nearest = nearest(name, Self::ALL.iter().map(|field| field.name()));
        let name = excerpt(name);
        match nearest {
            Some(field) => format!("unknown field \"{name}\"; did you mean \"{field}\"?"),
            None => format!(
                "unknown field \"{name}\"; what has no field of its own goes into \"metadata\""
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        assert_eq!(Field::by_name("Duration_MS"), Some(Field::DurationMs));
        assert_eq!(Field::by_name("duration"), None);
    }

    #[test]
    fn an_unknown_name_is_told_its_nearest_field() {
        assert_eq!(
            Field::unknown("comand"),
            "unknown field \"comand\"; did you mean \"command\"?"
        );
        assert_eq!(
            Field::unknown("Duration"),
            "unknown field \"Duration\"; did you mean \"duration_ms\"?"
        );
        assert_eq!(
            Field::unknown("zzz"),
            "unknown field \"zzz\"; what has no field of its own goes into \"metadata\""
        );
    }

    #[test]
    fn traceparent_is_the_only_field_without_a_column() {
        assert_eq!(Field::stored().len() + 1, Field::ALL.len());
        assert!(!Field::stored().contains(&Field::TraceParent));
    }
}
