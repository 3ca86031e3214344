//! What became of a batch: the ids of the operations that are recorded, and why others are not.

use super::error::Error;
use crate::record::IdRange;

#[derive(Default)]
pub struct Recorded {
    /// Each part's first row behind it, and its ids. One part is the rule.
    parts: Vec<(usize, IdRange)>,
    /// Why the rest was refused.
    pub refused: Option<Error>,
}

impl Recorded {
    pub(super) fn add(&mut self, rows: usize, accepted: Result<IdRange, Error>) {
        match accepted {
            Ok(ids) => self.parts.push((self.rows() + rows, ids)),
            Err(error) => self.refused = Some(error),
        }
    }

    /// How many rows are recorded, the first ones.
    pub fn rows(&self) -> usize {
        self.parts.last().map_or(0, |(end, _)| *end)
    }

    /// The id of a row that is recorded.
    pub fn id(&self, row: usize) -> Option<u128> {
        let at = self.parts.partition_point(|(end, _)| *end <= row);
        let (_, ids) = self.parts.get(at)?;
        let start = at.checked_sub(1).map_or(0, |before| self.parts[before].0);
        Some(ids.id(row - start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_id_of_its_part_and_what_was_refused_has_none() {
        let mut recorded = Recorded::default();
        recorded.add(2, Ok(IdRange::starting_at(100)));
        recorded.add(3, Ok(IdRange::starting_at(200)));
        recorded.add(4, Err(Error::Stopped));
        let first = |start, row| Some(IdRange::starting_at(start).id(row));
        assert_eq!(recorded.rows(), 5);
        assert_eq!(recorded.id(0), first(100, 0));
        assert_eq!(recorded.id(1), first(100, 1));
        assert_eq!(recorded.id(2), first(200, 0));
        assert_eq!(recorded.id(4), first(200, 2));
        assert_eq!(recorded.id(5), None);
        assert!(matches!(recorded.refused, Some(Error::Stopped)));
    }
}
