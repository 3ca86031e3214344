//! Ids of operations: UUID version 7 (RFC 9562, section 5.7), in the order of `seq`.
//!
//! The 74 bits after the millisecond are a counter that starts at a random value in each new millisecond (section 6.2,
//! method 1 over the whole random part), so ids of one engine only rise and those of two engines do not meet.

use uuid::Uuid;

const COUNTER_BITS: u32 = 74;

/// The ids of one batch: consecutive values of the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    pub(super) millis: u64,
    pub(super) counter: u128,
}

impl IdRange {
    /// The id of the batch's `row`.
    pub fn id(self, row: usize) -> u128 {
        let counter = self.counter + row as u128;
        let high = counter >> 62 & 0xFFF;
        let low = counter & ((1 << 62) - 1);
        u128::from(self.millis) << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low
    }

    /// The range that begins with an id that [`IdRange::id`] gave.
    pub fn starting_at(id: u128) -> Self {
        Self {
            millis: (id >> 80) as u64,
            counter: (id >> 64 & 0xFFF) << 62 | id & ((1 << 62) - 1),
        }
    }
}

/// The id that a text writes, in any of the forms of a UUID. Dashes may stand wherever, as DuckDB has it.
pub fn parse_id(text: &str) -> Option<u128> {
    /// One more than an id has, so that what is cut is none.
    const DIGITS_MAX: usize = 33;
    let without_dashes = || -> String {
        let digits = text.chars().filter(|character| *character != '-');
        digits.take(DIGITS_MAX).collect()
    };
    Uuid::try_parse(text)
        .or_else(|_| Uuid::try_parse(&without_dashes()))
        .ok()
        .map(|id| id.as_u128())
}

/// The id as SQL writes it.
pub fn format_id(id: u128) -> String {
    Uuid::from_u128(id).hyphenated().to_string()
}

/// Hands out id ranges; the engine keeps it under the lock that also hands out `seq`.
pub struct IdGenerator {
    random: fastrand::Rng,
    next: IdRange,
}

impl IdGenerator {
    pub fn new() -> Self {
        Self {
            random: fastrand::Rng::new(),
            next: IdRange {
                millis: 0,
                counter: 0,
            },
        }
    }

    /// Ids for `rows` operations recorded at `now_us`. A clock that steps back keeps the last millisecond.
    pub fn take(&mut self, now_us: i64, rows: usize) -> IdRange {
        let millis = (now_us.max(0) as u64 / 1000) & ((1 << 48) - 1);
        if millis > self.next.millis {
            // The highest bit stays clear: room to count up without reaching the next millisecond.
            let counter = self.random.u128(..) & ((1 << (COUNTER_BITS - 1)) - 1);
            self.next = IdRange { millis, counter };
        }
        let range = self.next;
        self.next.counter += rows as u128;
        range
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_the_time_the_version_and_the_variant() {
        let id = IdGenerator::new().take(1_700_000_000_123_456, 1).id(0);
        let uuid = Uuid::from_u128(id);
        assert_eq!(uuid.get_version(), Some(uuid::Version::SortRand));
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
        let time = uuid.get_timestamp().unwrap().to_unix();
        assert_eq!(time, (1_700_000_000, 123_000_000));
    }

    #[test]
    fn ids_are_what_the_builder_of_the_crate_makes() {
        for counter in [0, 1, (1 << 62) - 1, 1 << 62, (1 << COUNTER_BITS) - 1] {
            let millis = 1_700_000_000_123;
            let random: u128 = (counter >> 62 & 0xFFF) << 64 | counter & ((1 << 62) - 1);
            let random: [u8; 10] = random.to_be_bytes()[6..].try_into().unwrap();
            let built = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
            let range = IdRange { millis, counter };
            assert_eq!(range.id(0), built.as_u128(), "{counter}");
        }
    }

    #[test]
    fn an_id_is_read_with_and_without_dashes() {
        let id = 0x019a_5f6e_0000_7000_8000_0000_0000_00ff;
        for text in [
            "019a5f6e-0000-7000-8000-0000000000ff",
            "019A5F6E0000700080000000000000FF",
            "019a-5f6e00007000800000000000-00ff",
            "{019a5f6e-0000-7000-8000-0000000000ff}",
            "urn:uuid:019a5f6e-0000-7000-8000-0000000000ff",
        ] {
            assert_eq!(parse_id(text), Some(id));
        }
        assert_eq!(format_id(id), "019a5f6e-0000-7000-8000-0000000000ff");
        for text in ["", "019a5f6e", "+19a5f6e0000700080000000000000ff", "é"] {
            assert_eq!(parse_id(text), None, "{text}");
        }
        for count in [31, 33, 34, 1_000_000] {
            assert_eq!(parse_id(&"0".repeat(count)), None, "{count}");
        }
    }

    #[test]
    fn a_range_is_found_by_its_first_id() {
        let range = IdGenerator::new().take(1_700_000_000_123_456, 9);
        assert_eq!(IdRange::starting_at(range.id(0)), range);
        assert_eq!(IdRange::starting_at(range.id(7)).id(1), range.id(8));
    }

    #[test]
    fn ids_rise_within_a_batch_between_batches_and_when_the_clock_steps_back() {
        let mut generator = IdGenerator::new();
        let mut last = 0;
        for now_us in [5_000_000, 5_000_000, 5_001_000, 4_000_000, 9_000_000] {
            let range = generator.take(now_us, 3000);
            for row in 0..3000 {
                assert!(range.id(row) > last);
                last = range.id(row);
            }
        }
    }
}
