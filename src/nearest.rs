//! The name that was probably meant, for an error about one that is not known.

/// Longer names are like none, and comparing takes time with the square of the length.
const COMPARED_BYTES_MAX: usize = 64;

/// From this likeness on, of 0 to 1, a name is worth a question.
const LIKENESS_MIN: f64 = 0.75;

/// The known name that is most like the given one, in any case.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest_by(given, known, |name| name)
}

/// The same among things that have a name.
pub fn nearest_by<T>(
    given: &str,
    known: impl IntoIterator<Item = T>,
    name: impl Fn(&T) -> &str,
) -> Option<T> {
    let given = given.trim().to_lowercase();
    if given.len() > COMPARED_BYTES_MAX {
        return None;
    }
    let known = known.into_iter().filter_map(|known| {
        let lower = name(&known).to_lowercase();
        if lower.len() > COMPARED_BYTES_MAX {
            return None;
        }
        let likeness = strsim::jaro_winkler(&given, &lower);
        // Of many names some have the same letters, in another order.
        let is_near = strsim::damerau_levenshtein(&given, &lower) <= lower.len() / 2;
        is_near.then_some((likeness, known))
    });
    known
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > LIKENESS_MIN)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_found_in_any_case_or_none_is() {
        let known = ["command", "status", "duration_ms"];
        assert_eq!(nearest("comand", known), Some("command"));
        assert_eq!(nearest("Duration", known), Some("duration_ms"));
        assert_eq!(nearest("by", known), None);
        assert_eq!(nearest("mars/crater", ["asia/macau"]), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"command".repeat(1_000_000), known), None);
    }
}
