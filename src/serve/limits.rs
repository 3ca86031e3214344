//! Every limit of the server, by name. docs/http.md lists them; `oplog_status()` counts what ran into them.

use std::time::Duration;

/// Open connections; one more is answered 503 and closed.
pub const CONNECTIONS_MAX: usize = 64;

/// How many of them may be without the token, where there is one, as long as they have not brought it; one more, and the
/// oldest is closed.
pub const STRANGERS_MAX: usize = 32;

/// Questions to the log that run at once; others wait for [`READ_WAIT`] and are then answered 503.
pub const READS_MAX: usize = 2;
pub const READ_WAIT: Duration = Duration::from_secs(2);
/// How long a question may run; it is interrupted then and answered 503.
pub const READ_TIME: Duration = Duration::from_secs(20);

/// The head of a request, request line included; hyper answers 431 to a larger one.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Path and query of a request; 414 to a longer one.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;

/// From the opening of a connection to the end of its first head, and for a client to take a refusal for want of the
/// token; then it is closed.
pub const HEAD_TIME: Duration = Duration::from_secs(5);
/// From the end of a head to the end of the answer; then the connection is closed.
pub const REQUEST_TIME: Duration = Duration::from_secs(30);
/// From the end of an answer to the end of the next head; then the connection is closed.
pub const IDLE_TIME: Duration = Duration::from_secs(30);
/// What requests under way get when the server stops.
pub const GRACE_TIME: Duration = Duration::from_millis(500);

/// Operations in an answer, where the request does not say and at most.
pub const ROWS_DEFAULT: i64 = 100;
pub const ROWS_MAX: i64 = 10_000;
/// An answer ends with the operation that reaches this size, and says where to go on.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Answers that clients have not taken yet, all together; 503 beyond.
pub const ANSWERS_BYTES_MAX: usize = 64 * 1024 * 1024;
