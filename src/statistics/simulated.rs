//! How often the tests find what is not there, and what is there: simulated services, the same in every run.

use super::{judge, merged, ranks, Block, Group, Outcome};
use fastrand::Rng;

/// A service whose durations and failures come and go: what a block is off its mean hangs on the block before it.
#[derive(Clone, Copy, Debug)]
struct Service {
    /// Operations in a block, about.
    operations: f64,
    /// How much a block's durations are off, as standard deviation of their logarithm; the same for the odds of a failure.
    wander: f64,
    /// How much of that a block has from the one before.
    memory: f64,
    error_rate: f64,
}

const CALM: Service = Service {
    operations: 50.0,
    wander: 0.0,
    memory: 0.0,
    error_rate: 0.04,
};
const BURSTY: Service = Service {
    wander: 0.2,
    ..CALM
};
const DRIFTING: Service = Service {
    memory: 0.5,
    ..BURSTY
};

const BLOCKS: usize = 24;
const BIN_WIDTH: f64 = 0.02;

pub(super) fn normal(random: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.f64()).cos()
}

impl Service {
    /// Blocks of one period. Durations are log-normal, `slower` times as long; failures are `failing` times as many.
    fn period(&self, random: &mut Rng, slower: f64, failing: f64) -> Vec<Block> {
        let mut off = self.wander * normal(random);
        let mut blocks = Vec::new();
        for hour in 0..BLOCKS {
            let fresh = (1.0 - self.memory * self.memory).sqrt();
            off = self.memory * off + fresh * self.wander * normal(random);
            // The load has a cycle, as that of a day has, and bursts.
            let cycle = 1.0 + 0.8 * (hour as f64 / BLOCKS as f64 * std::f64::consts::TAU).sin();
            let load = self.operations * cycle * (self.wander * normal(random)).exp();
            let operations = load.round().max(1.0) as u64;
            let rate = self.error_rate * failing * (2.0 * off).exp();
            let mut bins = Vec::new();
            let mut errors = 0;
            for _ in 0..operations {
                let log = 3.0 + slower.ln() + off + 0.8 * normal(random);
                bins.push(((log / BIN_WIDTH).ceil() as i16, 1));
                errors += u64::from(random.f64() < rate);
            }
            bins.sort_unstable();
            let unsorted = [Block {
                bins,
                ..Block::default()
            }];
            blocks.push(Block {
                operations,
                errors,
                bins: merged(&unsorted),
            });
        }
        blocks
    }
}

/// Groups of an answer.
const GROUPS: usize = 10;

/// How many of 100 answers give a verdict of these to some group, how many of 100 groups get one, and of how many groups the test of
/// Mann and Whitney says that they differ if each operation stands for itself.
fn per_cent(
    service: Service,
    slower: f64,
    failing: f64,
    verdicts: &[&str],
    answers: usize,
) -> [f64; 3] {
    let mut random = Rng::with_seed(7);
    let mut counts = [0; 3];
    for _ in 0..answers {
        let group = |_| Group {
            before: service.period(&mut random, 1.0, 1.0),
            now: service.period(&mut random, slower, failing),
        };
        let compared: Vec<Group> = (0..GROUPS).map(group).collect();
        let outcomes = judge(&compared, 0.1, BIN_WIDTH);
        let is_given = |outcome: &&Outcome| {
            verdicts
                .iter()
                .any(|verdict| outcome.verdict.contains(verdict))
        };
        let given = outcomes.iter().filter(is_given).count();
        counts[0] += usize::from(given > 0) * GROUPS;
        counts[1] += given;
        counts[2] += compared.iter().filter(|group| differ_alone(group)).count();
    }
    counts.map(|count| 100.0 * count as f64 / (answers * GROUPS) as f64)
}

/// Whether the durations of a group differ at the same level, where only operations are looked at.
fn differ_alone(group: &Group) -> bool {
    let found = ranks::compare(&group.before, &group.now);
    let variance = ranks::variance_of_independent(&merged(&group.before), &merged(&group.now));
    found.is_some_and(|found| found.value.abs() > 1.96 * variance.sqrt())
}

const ANY: &[&str] = &["slower", "faster", "fails more", "fails less"];

#[test]
fn where_nothing_has_changed_there_are_few_verdicts() {
    for (service, answers_most) in [(CALM, 5.0), (BURSTY, 12.0), (DRIFTING, 30.0)] {
        let [answers, groups, _] = per_cent(service, 1.0, 1.0, ANY, 60);
        assert!(
            answers <= answers_most && groups <= 4.0,
            "{service:?}: {answers}, {groups}"
        );
    }
    // This is what makes it necessary.
    let [_, _, alone] = per_cent(DRIFTING, 1.0, 1.0, ANY, 10);
    assert!(alone > 50.0, "{alone}");
}

#[test]
fn what_has_changed_much_is_found() {
    for (service, slower, failing, least) in [
        (CALM, 1.3, 1.0, 90.0),
        (CALM, 1.0, 3.0, 80.0),
        (BURSTY, 2.0, 1.0, 90.0),
        (BURSTY, 1.0, 5.0, 70.0),
        (DRIFTING, 3.0, 1.0, 80.0),
    ] {
        let verdict = if slower > 1.0 { "slower" } else { "fails more" };
        let [_, groups, _] = per_cent(service, slower, failing, &[verdict], 10);
        assert!(
            groups >= least,
            "{service:?}, {slower}, {failing}: {groups}"
        );
    }
}

/// Prints the figures of docs/analyses.md: `cargo test --release figures_of_the_documentation -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes, and fails never"]
fn figures_of_the_documentation() {
    for service in [CALM, BURSTY, DRIFTING] {
        println!(
            "{service:?}: nothing {:?}",
            per_cent(service, 1.0, 1.0, ANY, 500)
        );
        for slower in [1.1, 1.2, 1.5, 2.0] {
            println!(
                "slower {slower}: {:?}",
                per_cent(service, slower, 1.0, &["slower"], 50)
            );
        }
        for failing in [1.5, 2.0, 3.0, 5.0] {
            println!(
                "fails {failing}: {:?}",
                per_cent(service, 1.0, failing, &["fails more"], 50)
            );
        }
    }
}
