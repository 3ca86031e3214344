//! What `oplog_compare` makes of the blocks that its SQL reads.

use super::blocks::{Blocks, FIRST_OF_PERIOD};
use super::division::Cut;
use super::parameters::{Arguments, Named};
use crate::duckdb::Cell;
use crate::rollup::{bin_width, middle_ms};
use crate::statistics::{judge, merged, Block, Group, Outcome};
use crate::store::Parameter as Bound;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The names of the lists that have a group's columns.
pub const BY_LISTS: [&str; 8] = [
    "by_1", "by_2", "by_3", "by_4", "by_5", "by_6", "by_7", "by_8",
];

/// One of the two periods of a group.
#[derive(Default)]
struct Side {
    blocks: Vec<Block>,
    timed: u64,
    total_ms: f64,
}

#[derive(Default)]
struct Compared {
    before: Side,
    now: Side,
}

/// The lists of an answer: one for each column of `by`, and one for each other column of the answer.
pub fn compare(arguments: &Arguments, cut: &Cut, rows: Vec<Vec<Cell<'static>>>) -> Named {
    let Cut::Blocks(blocks) = cut else {
        return Vec::new();
    };
    let by = arguments.by.len();
    let mut read: BTreeMap<Vec<Option<String>>, Compared> = BTreeMap::new();
    for row in rows {
        let (names, cells) = row.split_at(by.min(row.len()));
        let names = names.iter().map(text).collect();
        read.entry(names).or_default().add(cells);
    }
    let (names, groups): (Vec<_>, Vec<_>) = read
        .into_iter()
        .map(|(names, compared)| (names, compared.complete(blocks)))
        .unzip();
    let judged: Vec<Group> = groups
        .iter()
        .map(|group| Group {
            before: group.before.blocks.clone(),
            now: group.now.blocks.clone(),
        })
        .collect();
    let min_change = arguments.number("min_change").unwrap_or_default();
    let outcomes = judge(&judged, min_change, bin_width());
    let mut named = lists(&groups, &outcomes);
    named.push(("compared_from", Bound::Time(blocks.period_begins_us())));
    named.extend(
        BY_LISTS
            .into_iter()
            .take(by)
            .enumerate()
            .map(|(index, list)| {
                let column = names.iter().map(|names| names[index].as_deref());
                (list, listed(column.map(|name| name.map(hex))))
            }),
    );
    named
}

fn lists(groups: &[Compared], outcomes: &[Outcome]) -> Named {
    let of_groups = |value: &dyn Fn(&Compared) -> Option<String>| listed(groups.iter().map(value));
    let of_outcomes =
        |value: &dyn Fn(&Outcome) -> Option<String>| listed(outcomes.iter().map(value));
    vec![
        (
            "operations",
            of_groups(&|group| Some(group.now.operations().to_string())),
        ),
        (
            "operations_before",
            of_groups(&|group| Some(group.before.operations().to_string())),
        ),
        (
            "error_rates",
            of_groups(&|group| number(group.now.error_rate())),
        ),
        (
            "error_rates_before",
            of_groups(&|group| number(group.before.error_rate())),
        ),
        ("avgs_ms", of_groups(&|group| number(group.now.avg_ms()))),
        (
            "avgs_before_ms",
            of_groups(&|group| number(group.before.avg_ms())),
        ),
        (
            "p50s_ms",
            of_groups(&|group| number(group.now.quantile_ms(0.5))),
        ),
        (
            "p50s_before_ms",
            of_groups(&|group| number(group.before.quantile_ms(0.5))),
        ),
        (
            "p95s_ms",
            of_groups(&|group| number(group.now.quantile_ms(0.95))),
        ),
        (
            "p95s_before_ms",
            of_groups(&|group| number(group.before.quantile_ms(0.95))),
        ),
        ("ratios", of_outcomes(&|outcome| number(outcome.ratio))),
        (
            "ratios_low",
            of_outcomes(&|outcome| number(outcome.ratio_low)),
        ),
        (
            "ratios_high",
            of_outcomes(&|outcome| number(outcome.ratio_high)),
        ),
        (
            "duration_ps",
            of_outcomes(&|outcome| number(outcome.duration_p)),
        ),
        ("error_ps", of_outcomes(&|outcome| number(outcome.error_p))),
        (
            "verdicts",
            of_outcomes(&|outcome| Some(hex(&outcome.verdict))),
        ),
    ]
}

impl Compared {
    /// Adds what was read of one block: its number, operations, errors, operations with a duration, the sum of durations, and the bins.
    fn add(&mut self, cells: &[Cell<'static>]) {
        let [block, operations, errors, timed, total_ms, bins] = cells else {
            return;
        };
        let number = integer(block);
        let (side, index) = match number >= FIRST_OF_PERIOD {
            true => (&mut self.now, number - FIRST_OF_PERIOD),
            false => (&mut self.before, number),
        };
        let index = index.max(0) as usize;
        if side.blocks.len() <= index {
            side.blocks.resize(index + 1, Block::default());
        }
        side.timed += integer(timed) as u64;
        if let Cell::Double(total_ms) = total_ms {
            side.total_ms += total_ms;
        }
        side.blocks[index] = Block {
            operations: integer(operations) as u64,
            errors: integer(errors) as u64,
            bins: text(bins).map(|bins| bins_of(&bins)).unwrap_or_default(),
        };
    }

    /// Adds the blocks in which nothing ran, so that those of one place stand at one index if the periods are of one length, and
    /// only then.
    fn complete(mut self, blocks: &Blocks) -> Self {
        let (before, now) = blocks.counts();
        let (before, now) = (
            before.max(self.before.blocks.len()),
            now.max(self.now.blocks.len()),
        );
        let (before, now) = match blocks.are_paired() {
            true => (before.max(now), before.max(now)),
            false if before == now => (before + 1, now),
            false => (before, now),
        };
        self.before.blocks.resize(before, Block::default());
        self.now.blocks.resize(now, Block::default());
        self
    }
}

impl Side {
    fn operations(&self) -> u64 {
        self.blocks.iter().map(|block| block.operations).sum()
    }

    fn error_rate(&self) -> Option<f64> {
        let errors: u64 = self.blocks.iter().map(|block| block.errors).sum();
        let operations = self.operations();
        (operations > 0).then(|| errors as f64 / operations as f64)
    }

    fn avg_ms(&self) -> Option<f64> {
        (self.timed > 0).then(|| self.total_ms / self.timed as f64)
    }

    /// As quantile_cont interpolates it, between the middles of bins.
    fn quantile_ms(&self, share: f64) -> Option<f64> {
        let bins = merged(&self.blocks);
        let count: u64 = bins.iter().map(|(_, count)| count).sum();
        let rank = share * count.checked_sub(1)? as f64;
        let at = |rank: f64| {
            let mut below = 0;
            let found = bins.iter().find(|(_, count)| {
                below += count;
                below as f64 > rank
            });
            found.map(|(bin, _)| middle_ms(*bin))
        };
        let (low, high) = (at(rank.floor())?, at(rank.ceil())?);
        Some(low + (high - low) * rank.fract())
    }
}

/// Bins as `bin:count`, a blank between them, in any order.
fn bins_of(text: &str) -> Vec<(i16, u64)> {
    let pair = |pair: &str| {
        let (bin, count) = pair.split_once(':')?;
        Some((bin.parse().ok()?, count.parse().ok()?))
    };
    let mut bins: Vec<(i16, u64)> = text.split(' ').filter_map(pair).collect();
    bins.sort_unstable();
    bins
}

fn text(cell: &Cell<'static>) -> Option<String> {
    match cell {
        Cell::Text(text) => Some(text.to_string()),
        _ => None,
    }
}

fn integer(cell: &Cell<'static>) -> i64 {
    match cell {
        Cell::Integer(number) => i64::try_from(*number).unwrap_or(i64::MAX),
        _ => 0,
    }
}

/// A number as a list has it; none of one that is infinite.
fn number(value: Option<f64>) -> Option<String> {
    value
        .filter(|value| value.is_finite())
        .map(|value| format!("{value:?}"))
}

/// Text as a list can have it, whatever is in it: in hexadecimal digits behind a letter, which keeps an empty one visible.
fn hex(text: &str) -> String {
    text.bytes().fold("x".to_owned(), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02X}");
        out
    })
}

/// A list as DuckDB casts it from text.
fn listed(values: impl Iterator<Item = Option<String>>) -> Bound {
    let values: Vec<String> = values
        .map(|value| value.unwrap_or_else(|| "NULL".to_owned()))
        .collect();
    Bound::Text(format!("[{}]", values.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_read_in_any_order() {
        assert_eq!(
            bins_of("5:2 -32768:1 -3:40"),
            [(i16::MIN, 1), (-3, 40), (5, 2)]
        );
        assert_eq!(bins_of(""), []);
    }

    #[test]
    fn quantiles_are_those_of_the_middles() {
        let side = Side {
            blocks: vec![
                Block {
                    bins: vec![(0, 1), (100, 2)],
                    ..Block::default()
                },
                Block {
                    bins: vec![(100, 1)],
                    ..Block::default()
                },
            ],
            ..Side::default()
        };
        assert_eq!(side.quantile_ms(0.5), Some(middle_ms(100)));
        let fifth = side.quantile_ms(0.2).unwrap();
        let expected = middle_ms(0) + (middle_ms(100) - middle_ms(0)) * 0.6;
        assert!((fifth - expected).abs() < 1e-9, "{fifth}");
        assert_eq!(Side::default().quantile_ms(0.5), None);
    }

    #[test]
    fn a_list_has_any_text() {
        let names = ["", "it's, [x]", "NULL"].map(|name| Some(hex(name)));
        let Bound::Text(list) = listed(names.into_iter().chain([None])) else {
            panic!("a list is text");
        };
        assert_eq!(list, "[x, x697427732C205B785D, x4E554C4C, NULL]");
    }
}
