//! What kind of statement a text is.

use super::tokens::{is_any, is_word, word};
use sqlparser::tokenizer::Token;

/// First words, and the kind that statements which begin with them are of.
const KINDS: &[(&str, &str)] = &[
    ("SELECT", "SELECT"),
    ("FROM", "SELECT"),
    ("VALUES", "SELECT"),
    ("TABLE", "SELECT"),
    ("PIVOT", "SELECT"),
    ("UNPIVOT", "SELECT"),
    ("SHOW", "SHOW"),
    ("DESCRIBE", "SHOW"),
    ("DESC", "SHOW"),
    ("SUMMARIZE", "SHOW"),
    ("INSERT", "INSERT"),
    ("UPDATE", "UPDATE"),
    ("DELETE", "DELETE"),
    ("TRUNCATE", "DELETE"),
    ("MERGE", "MERGE"),
    ("COPY", "COPY"),
    ("EXPORT", "EXPORT"),
    ("IMPORT", "IMPORT"),
    ("CREATE", "CREATE"),
    ("ALTER", "ALTER"),
    ("DROP", "DROP"),
    ("COMMENT", "ALTER"),
    ("ATTACH", "ATTACH"),
    ("DETACH", "DETACH"),
    ("USE", "USE"),
    ("SET", "SET"),
    ("RESET", "SET"),
    ("PRAGMA", "PRAGMA"),
    ("CALL", "CALL"),
    ("BEGIN", "BEGIN"),
    ("START", "BEGIN"),
    ("COMMIT", "COMMIT"),
    ("END", "COMMIT"),
    ("ROLLBACK", "ROLLBACK"),
    ("ABORT", "ROLLBACK"),
    ("CHECKPOINT", "CHECKPOINT"),
    ("FORCE", "CHECKPOINT"),
    ("VACUUM", "VACUUM"),
    ("ANALYZE", "ANALYZE"),
    ("EXPLAIN", "EXPLAIN"),
    ("INSTALL", "INSTALL"),
    ("LOAD", "LOAD"),
    ("PREPARE", "PREPARE"),
    ("EXECUTE", "EXECUTE"),
    ("DEALLOCATE", "DEALLOCATE"),
];

/// What is none of these.
pub const OTHER: &str = "OTHER";

fn of_word(word: &str) -> Option<&'static str> {
    let mut kinds = KINDS.iter();
    kinds
        .find(|(first, _)| first.eq_ignore_ascii_case(word))
        .map(|(_, kind)| *kind)
}

/// The kind of a statement by its tokens.
pub fn kind(tokens: &[Token]) -> &'static str {
    let mut at = 0;
    while tokens.get(at) == Some(&Token::LParen) {
        at += 1;
    }
    if is_word(tokens.get(at), "WITH") {
        return behind_with(&tokens[at..]);
    }
    let first = tokens.get(at).and_then(word);
    first.and_then(of_word).unwrap_or(OTHER)
}

/// The kind of what stands behind common table expressions.
fn behind_with(tokens: &[Token]) -> &'static str {
    let mut depth = 0;
    for token in tokens {
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            token
                if depth == 0 && is_any(Some(token), &["INSERT", "UPDATE", "DELETE", "MERGE"]) =>
            {
                return word(token).and_then(of_word).unwrap_or(OTHER);
            }
            token if depth == 0 && is_any(Some(token), &["SELECT", "FROM", "VALUES"]) => {
                return "SELECT";
            }
            _ => {}
        }
    }
    "SELECT"
}

/// The kind of a text that cannot be read: by its first word, behind comments.
pub fn kind_of_text(text: &str) -> &'static str {
    let mut rest = text.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
    loop {
        let behind = if let Some(line) = rest.strip_prefix("--") {
            line.split_once('\n').map(|(_, behind)| behind)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map(|(_, behind)| behind)
        } else {
            break;
        };
        rest = behind.unwrap_or_default().trim_start();
    }
    let end = rest.find(|c: char| !c.is_ascii_alphabetic());
    of_word(&rest[..end.unwrap_or(rest.len())]).unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    #[test]
    fn kinds_are_those_of_the_statement_that_does_something() {
        for (text, wanted) in [
            ("select 1", "SELECT"),
            ("((SELECT 1) UNION SELECT 2)", "SELECT"),
            ("FROM t", "SELECT"),
            (
                "with a as (select 1), b(x) as (delete from t) insert into u from a",
                "INSERT",
            ),
            ("WITH RECURSIVE a AS (SELECT 1) FROM a", "SELECT"),
            ("WITH a AS (SELECT 1) UPDATE t SET x = 1", "UPDATE"),
            ("-- first\n /* second */ INSERT INTO t VALUES (1)", "INSERT"),
            ("START TRANSACTION", "BEGIN"),
            ("end", "COMMIT"),
            ("force checkpoint", "CHECKPOINT"),
            ("", OTHER),
            ("frobnicate", OTHER),
            ("1", OTHER),
        ] {
            let (read, _) = tokens(text).unwrap();
            assert_eq!(kind(&read), wanted, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_has_the_kind_of_its_first_word() {
        for (text, wanted) in [
            ("SELECT 'no end", "SELECT"),
            ("  ( select $$no end", "SELECT"),
            ("-- a\n/* b */ delete 'x", "DELETE"),
            ("/* no end", OTHER),
            ("é'", OTHER),
        ] {
            assert_eq!(kind_of_text(text), wanted, "{text}");
        }
    }
}
