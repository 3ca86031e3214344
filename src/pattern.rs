//! GLOB patterns as regular expressions. DuckDB's own GLOB tries every way to share out a text among several `*`, which can
//! take longer than anybody lives; its regular expressions take a time that is linear in the text.

/// Whether the pattern is a text like any other.
pub fn is_plain(pattern: &str) -> bool {
    !pattern.contains(['*', '?', '[', '\\'])
}

/// The regular expression (RE2) that matches the same whole texts, none where the pattern can match none: `*` is any text,
/// `?` any character, `[a-z]` one of them, `[!a-z]` none of them, and `\` takes the meaning off what follows.
pub fn regular_expression(pattern: &str) -> Option<String> {
    // A dot stands for a line break too.
    let mut expression = "(?s)".to_owned();
    let mut rest = pattern.chars();
    while let Some(next) = rest.next() {
        match next {
            '*' if expression.ends_with(".*") => {}
            '*' => expression += ".*",
            '?' => expression.push('.'),
            '\\' => literal(rest.next()?, &mut expression),
            '[' => {
                let (set, behind) = set(rest.as_str())?;
                expression += &set;
                rest = behind.chars();
            }
            character => literal(character, &mut expression),
        }
    }
    Some(expression)
}

fn literal(character: char, expression: &mut String) {
    *expression += &format!("\\x{{{:x}}}", u32::from(character));
}

/// The set that begins behind a `[`, and what follows the `]`. A `]` in front is one of the set.
fn set(text: &str) -> Option<(String, &str)> {
    let (is_inverted, members) = match text.strip_prefix('!') {
        Some(members) => (true, members),
        None => (false, text),
    };
    let mut set = if is_inverted { "[^" } else { "[" }.to_owned();
    let mut has_members = false;
    let mut rest = members.chars();
    loop {
        let from = match rest.next()? {
            ']' if rest.as_str().len() + 1 < members.len() => break,
            character => character,
        };
        let mut behind = rest.clone();
        let to = match (behind.next(), behind.next()) {
            (Some('-'), Some(to)) => {
                rest = behind;
                to
            }
            // Neither is a range without an end one.
            (Some('-'), None) => return None,
            _ => from,
        };
        // A range that runs backwards has nothing in it.
        if from <= to {
            literal(from, &mut set);
            set.push('-');
            literal(to, &mut set);
            has_members = true;
        }
    }
    let set = match (has_members, is_inverted) {
        (true, _) => set + "]",
        (false, true) => ".".to_owned(),
        // Nothing matches, and RE2 knows no empty set.
        (false, false) => "[^\\x{0}-\\x{10ffff}]".to_owned(),
    };
    Some((set, rest.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_becomes_an_expression() {
        for (pattern, expression) in [
            ("a*", "\\x{61}.*"),
            ("**a**", ".*\\x{61}.*"),
            ("?.", ".\\x{2e}"),
            ("[ab-d]", "[\\x{61}-\\x{61}\\x{62}-\\x{64}]"),
            ("[!a]b", "[^\\x{61}-\\x{61}]\\x{62}"),
            ("[]]", "[\\x{5d}-\\x{5d}]"),
            ("[[]", "[\\x{5b}-\\x{5b}]"),
            ("[!]a]", "[^\\x{5d}-\\x{5d}\\x{61}-\\x{61}]"),
            ("[z-a]", "[^\\x{0}-\\x{10ffff}]"),
            ("[!z-a]", "."),
            ("\\*", "\\x{2a}"),
            ("ž\n", "\\x{17e}\\x{a}"),
        ] {
            let expected = format!("(?s){expression}");
            assert_eq!(regular_expression(pattern), Some(expected), "{pattern}");
        }
    }

    #[test]
    fn what_matches_nothing_has_no_expression() {
        for pattern in ["[", "[a", "[!", "[]", "[a-", "[a-b", "a\\"] {
            assert_eq!(regular_expression(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn a_text_without_signs_is_plain() {
        assert!(is_plain("import.Table (x) + ž"));
        for pattern in ["a*", "?", "[a]", "\\a"] {
            assert!(!is_plain(pattern), "{pattern}");
        }
    }
}
