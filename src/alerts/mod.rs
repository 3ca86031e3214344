//! Alert rules: what they are, what makes sense in them, and what follows from values over time.
//!
//! Pure: where values come from is the engine's matter. States are those of Prometheus.

mod evaluate;
mod metric;
mod rule;

pub use evaluate::{Evaluation, State, Times};
pub use metric::{Metric, Source, CPU, DISK, MEMORY};
pub use rule::{unknown, Comparison, Rule, RuleChange};

/// How many rules a log may have: each costs a query.
pub const RULES_MAX: usize = 200;
