//! How an actual result is compared with the one that a file expects.

use sqllogictest::DefaultColumnType;

/// The letters of a `query` line hold one for one: `I` whole number, `R` other number, `T` all else. A `?` takes
/// any type. So a column that changes its type, or one too many, does not pass for equal text.
// `Vec` is what the crate asks a validator to take.
#[allow(clippy::ptr_arg)]
pub fn types_match(actual: &Vec<DefaultColumnType>, expected: &Vec<DefaultColumnType>) -> bool {
    actual.len() == expected.len()
        && expected
            .iter()
            .zip(actual)
            .all(|(expected, actual)| *expected == DefaultColumnType::Any || expected == actual)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqllogictest::ColumnType;

    fn types(letters: &str) -> Vec<DefaultColumnType> {
        letters
            .chars()
            .filter_map(DefaultColumnType::from_char)
            .collect()
    }

    #[test]
    fn number_and_kind_of_columns_must_match() {
        assert!(types_match(&types("TIR"), &types("TIR")));
        assert!(types_match(&types("TIR"), &types("???")));
        assert!(!types_match(&types("TI"), &types("TIR")));
        assert!(!types_match(&types("TIR"), &types("TI")));
        assert!(!types_match(&types("T"), &types("I")));
    }
}
