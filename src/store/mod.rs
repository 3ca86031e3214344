//! The sidecar: a private DuckDB instance with the log attached to it.
//!
//! The writer thread owns the [`Store`] and is the only one that changes it. Readers take a [`Reader`] and run their
//! queries on connections of their own, in parallel with the writer.

mod alert_metrics;
mod alerts;
mod append;
mod archive;
mod attach;
mod backup;
mod beside;
mod blocks;
mod check;
mod checking;
mod clock;
mod columns;
mod damage;
mod deciders;
mod error;
mod expire;
mod grow;
mod history;
mod hold;
mod mark;
mod matching;
mod open;
mod place;
mod read;
mod relocate;
mod resolve;
mod retain;
mod retention_rules;
mod rolled;
mod rolls;
mod rollup;
mod rollup_checks;
mod rows;
mod runs;
mod salvage;
mod schema;
mod segments;
mod space;
#[allow(clippy::module_inception)]
mod store;
mod torn;
mod totals;

pub use alert_metrics::Measured;
pub use archive::{Archive, ArchiveFile};
pub use attach::{peek, MEMORY_LIMIT};
pub use backup::Backup;
pub use beside::restrict;
pub use check::check_file;
pub use checking::{Check, Verdict};
pub use deciders::{DecidedBy, RetentionPolicy};
pub use error::{Error, OpenError};
pub use expire::{Retained, Standing};
pub use history::HourOfMetric;
pub use mark::Mark;
pub use open::{make_way, mend, open, reopen, reopen_marked, Opened};
pub use place::{absolute, check, check_given, Place};
pub use read::{Moment, Parameter, Reader};
pub use relocate::Copying;
pub use resolve::resolve;
pub use retain::Purged;
pub use rolled::{quantile_bins, quantiles_ns, Parts};
pub use runs::Runs;
pub use store::{SettingChange, Store};
