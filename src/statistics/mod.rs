//! Statistics: whether two samples differ, by how much, how fast something grows, and how sure that is.
//!
//! Pure. Samples are numbers of operations in the bins of rollups, block by block of time: operations that follow one another are
//! alike, so that it is the blocks that say how much an answer varies.

mod blocks;
mod correction;
mod distribution;
mod proportions;
mod ranks;
mod shift;
#[cfg(test)]
mod simulated;
mod trend;
mod verdict;

pub use correction::holm;
pub use trend::{trend, Trend};
pub use verdict::{judge, Group, Outcome};

/// What there is to know of two samples' difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// How large it is, on the test's own scale; 0 for none.
    pub value: f64,
    pub standard_error: f64,
    /// Degrees of freedom of Student's distribution.
    pub freedom: f64,
    /// How likely one so large is where there is none.
    pub p_value: f64,
}

/// Operations in a block of time: how many, how many failed, and how many durations each bin has, in the bins' order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    pub operations: u64,
    pub errors: u64,
    pub bins: Vec<(i16, u64)>,
}

/// Blocks below which nothing is said: of so few no one knows how much they vary.
pub const BLOCKS_MIN: usize = 5;
/// The same for operations in either sample.
pub const OPERATIONS_MIN: u64 = 10;

/// The bins of all blocks.
pub fn merged(blocks: &[Block]) -> Vec<(i16, u64)> {
    let mut all: Vec<(i16, u64)> = blocks.iter().flat_map(|block| block.bins.clone()).collect();
    all.sort_unstable();
    all.dedup_by(|(bin, count), (kept, sum)| {
        let same = bin == kept;
        if same {
            *sum += *count;
        }
        same
    });
    all
}
