//! The text that all statements share which differ in their literals only, and its fingerprint.

use super::comments::tags;
use super::kind::{kind, kind_of_text};
use super::secrets::{hidden, is_address};
use super::tokens::{is_any, is_literal, is_word, tokens};
use sqlparser::tokenizer::Token;

/// What stands for a literal.
const LITERAL: &str = "?";

/// Words behind which a parenthesis does not open the arguments of a function.
const KEYWORDS: &[&str] = &[
    "ALL",
    "AND",
    "ANY",
    "AS",
    "BETWEEN",
    "BY",
    "CASE",
    "COPY",
    "DISTINCT",
    "ELSE",
    "EXCEPT",
    "EXISTS",
    "FILTER",
    "FROM",
    "GROUP",
    "HAVING",
    "IN",
    "INTERSECT",
    "INTO",
    "JOIN",
    "LATERAL",
    "LIKE",
    "LIMIT",
    "NOT",
    "OFFSET",
    "ON",
    "OR",
    "OVER",
    "QUALIFY",
    "RECURSIVE",
    "RETURNING",
    "SECRET",
    "SELECT",
    "SET",
    "SOME",
    "TABLE",
    "THEN",
    "TO",
    "UNION",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WITH",
    "WITHIN",
];

/// Types whose numbers in parentheses say what they are.
const SIZED_TYPES: &[&str] = &["DECIMAL", "NUMERIC", "DEC"];

/// A statement without what makes it special.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Normalized {
    /// SELECT, INSERT, COPY and so on, or OTHER.
    pub kind: &'static str,
    /// None where the text cannot be read.
    pub text: Option<String>,
    /// The same for all statements with this text, whatever the case of their words.
    pub fingerprint: u64,
    /// What its comments say of it, as sqlcommenter writes them.
    pub tags: Vec<(String, String)>,
}

/// Takes the literals, comments and secrets out of a statement.
pub fn normalize(statement: &str) -> Normalized {
    let Some((tokens, comments)) = tokens(statement) else {
        let kind = kind_of_text(statement);
        return Normalized {
            kind,
            text: None,
            fingerprint: fingerprint(kind),
            tags: Vec::new(),
        };
    };
    let mut pieces = without_literals(&tokens);
    while fold(&mut pieces) {}
    let text = joined(&pieces);
    Normalized {
        kind: kind(&tokens),
        fingerprint: fingerprint(&text),
        text: Some(text),
        tags: comments.iter().flat_map(|comment| tags(comment)).collect(),
    }
}

/// FNV-1a, mixed as in MurmurHash3, so that every bit hangs on every character; over lower case, since DuckDB's names have none.
fn fingerprint(text: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for character in text.chars().flat_map(char::to_lowercase) {
        for byte in character.encode_utf8(&mut [0; 4]).bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    for factor in [0xff51_afd7_ed55_8ccd_u64, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    hash ^ (hash >> 33)
}

/// A token as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    text: String,
    /// Whether a parenthesis behind it opens arguments.
    is_function: bool,
}

impl Piece {
    fn of(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_function: false,
        }
    }
}

fn without_literals(tokens: &[Token]) -> Vec<Piece> {
    let hidden = hidden(tokens);
    let ordinals = ordinals(tokens);
    let mut pieces: Vec<Piece> = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| &tokens[before]);
        if hidden[at] || (is_literal(token) && !ordinals[at]) {
            // Signs belong to the number, as long as they are none between two.
            let mut first = at;
            while !hidden[at]
                && first >= 1
                && is_sign(&tokens[first - 1])
                && begins_value(first.checked_sub(2).map(|before| &tokens[before]))
            {
                pieces.pop();
                first -= 1;
            }
            // What is hidden is one value, of however many words.
            let goes_on = hidden[at] && at > 0 && hidden[at - 1];
            if !goes_on {
                pieces.push(Piece::of(LITERAL));
            }
            continue;
        }
        let mut piece = Piece::of(token.to_string());
        match token {
            Token::Word(word) if word.quote_style.is_some() && is_address(&word.value) => {
                piece.text = "\"?\"".into();
            }
            Token::DoubleQuotedString(text) if is_address(text) => piece.text = "\"?\"".into(),
            Token::Word(_) => {
                piece.is_function =
                    !is_any(Some(token), KEYWORDS) || before == Some(&Token::Period);
            }
            _ => {}
        }
        pieces.push(piece);
    }
    pieces
}

fn is_sign(token: &Token) -> bool {
    matches!(token, Token::Minus | Token::Plus)
}

/// Whether a value begins behind this token.
fn begins_value(before: Option<&Token>) -> bool {
    match before {
        None => true,
        Some(Token::RParen | Token::RBracket | Token::RBrace) => false,
        Some(Token::Word(word)) if word.quote_style.is_some() => false,
        Some(word @ Token::Word(_)) => is_any(Some(word), KEYWORDS),
        Some(token) => !is_literal(token),
    }
}

/// Which numbers are none that could as well be others: columns by their position in ORDER BY and GROUP BY, sizes of types.
fn ordinals(tokens: &[Token]) -> Vec<bool> {
    let mut ordinals = vec![false; tokens.len()];
    // For each open parenthesis, whether its list is one of positions, and whether it has a type's sizes.
    let mut lists = vec![(false, false)];
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        let Some((by_position, has_sizes)) = lists.last_mut() else {
            break;
        };
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                let sizes = *token == Token::LParen && is_any(before, SIZED_TYPES);
                lists.push((false, sizes));
            }
            // The list of the statement itself stays.
            Token::RParen | Token::RBracket | Token::RBrace => {
                lists.truncate((lists.len() - 1).max(1))
            }
            Token::Word(_) if is_word(Some(token), "BY") => {
                *by_position = is_any(before, &["ORDER", "GROUP"]);
            }
            Token::Word(_)
                if is_any(
                    Some(token),
                    &[
                        "HAVING", "LIMIT", "QUALIFY", "WINDOW", "UNION", "ROWS", "RANGE", "USING",
                    ],
                ) =>
            {
                *by_position = false;
            }
            Token::Number(..) => {
                let alone = is_word(before, "BY") || before == Some(&Token::Comma);
                let ends = !matches!(
                    tokens.get(at + 1),
                    Some(
                        Token::Plus
                            | Token::Minus
                            | Token::Mul
                            | Token::Div
                            | Token::DoubleColon
                            | Token::Eq
                            | Token::Lt
                            | Token::Gt
                    )
                );
                ordinals[at] = *has_sizes || (*by_position && alone && ends);
            }
            _ => {}
        }
    }
    ordinals
}

/// Lists of literals become one of them: behind IN, in brackets, and rows of VALUES that are alike. Whether anything did.
fn fold(pieces: &mut Vec<Piece>) -> bool {
    let is = |piece: Option<&Piece>, text: &str| {
        piece.is_some_and(|piece| piece.text.eq_ignore_ascii_case(text))
    };
    let mut kept: Vec<Piece> = Vec::with_capacity(pieces.len());
    // For each open one: where it began, and whether it is a list whose length says nothing.
    let mut open: Vec<(usize, bool)> = Vec::new();
    let mut folded = false;
    for piece in std::mem::take(pieces) {
        let closes = matches!(piece.text.as_str(), ")" | "]" | "}");
        match piece.text.as_str() {
            "(" | "[" | "{" => {
                let before = kept.last();
                let is_list = match piece.text.as_str() {
                    "(" => is(before, "IN"),
                    "[" => !before.is_some_and(|before| {
                        before.is_function || before.text == ")" || before.text == "]"
                    }),
                    _ => false,
                };
                open.push((kept.len(), is_list));
                kept.push(piece);
            }
            _ => kept.push(piece),
        }
        if !closes {
            continue;
        }
        let Some((from, is_list)) = open.pop() else {
            continue;
        };
        if is_list {
            folded |= fold_items(&mut kept, from + 1);
        }
        // A row like the one before it.
        let length = kept.len() - from;
        if from > length && kept[from].text == "(" && kept[from - 1].text == "," {
            let before = from - 1 - length;
            if kept[before..from - 1] == kept[from..] && follows_values(&kept, before) {
                kept.truncate(from - 1);
                folded = true;
            }
        }
    }
    *pieces = kept;
    folded
}

/// Whether a row in parentheses is the first behind VALUES, or of a list of rows behind IN.
fn follows_values(pieces: &[Piece], row: usize) -> bool {
    let before = row
        .checked_sub(1)
        .map(|before| pieces[before].text.as_str());
    before.is_some_and(|before| {
        before.eq_ignore_ascii_case("VALUES") || before == "(" || before == "["
    })
}

/// `?, ?, ?` up to the end of a list becomes `?`; items that are alike become one.
fn fold_items(pieces: &mut Vec<Piece>, from: usize) -> bool {
    let end = pieces.len() - 1;
    let items: Vec<&[Piece]> = pieces[from..end].split(|piece| piece.text == ",").collect();
    let alike = items.len() > 1
        && items
            .iter()
            .all(|item| matches!(item, [only] if only.text == LITERAL));
    // Lists of lists, whose own have been folded by now.
    let lists = items.len() > 1
        && items
            .iter()
            .all(|item| *item == items[0] && item.first().is_some_and(|first| first.text == "["));
    if !alike && !lists {
        return false;
    }
    let kept = items[0].len();
    pieces.drain(from + kept..end);
    true
}

/// One text, with a blank between what is not written together.
fn joined(pieces: &[Piece]) -> String {
    let mut text = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        if let Some(before) = at.checked_sub(1).map(|before| &pieces[before]) {
            if !is_together(before, piece) {
                text.push(' ');
            }
        }
        text += &piece.text;
    }
    text
}

fn is_together(before: &Piece, piece: &Piece) -> bool {
    match (before.text.as_str(), piece.text.as_str()) {
        (":", ":") => false,
        ("(" | "[" | "{" | "." | "::", _) => true,
        (_, ")" | "]" | "}" | "," | "." | "::" | ";" | ":") => true,
        (_, "(") => before.is_function,
        (_, "[") => before.is_function || matches!(before.text.as_str(), ")" | "]"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_taken(text in ".{0,200}") {
            normalize(&text);
        }

        #[test]
        fn any_heap_of_tokens_is_taken(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "SELECT", "IN", "VALUES", "(", ")", "[", "]", "{", "}", ",", "1", "'a'", "-", "ORDER BY", "=", "SECRET", "CREATE", "key",
                    ":", "\"x\"", "SET", "DECIMAL", ";", "$1", "/*a='b'*/",
                ]),
                0..40,
            )
        ) {
            let statement = words.join(" ");
            let found = normalize(&statement);
            prop_assert_eq!(found.fingerprint, normalize(&statement.to_lowercase()).fingerprint);
            prop_assert!(found.text.is_none_or(|text| !text.contains("'a'")));
        }

        #[test]
        fn no_literal_is_left(secret in "[a-z]{12}", before in "[a-z ]{0,10}", quote in 0..3) {
            let literal = match quote {
                0 => format!("'{before}{secret}'"),
                1 => format!("$${before}{secret}$$"),
                _ => format!("E'{before}\\'{secret}'"),
            };
            for statement in [
                format!("SELECT {literal}"),
                format!("COPY t TO {literal} (HEADER)"),
                format!("ATTACH {literal} AS x"),
                format!("SELECT * FROM f({literal}, a := {literal}) -- {secret}"),
            ] {
                let text = normalize(&statement).text.unwrap();
                prop_assert!(!text.contains(&secret), "{statement}: {text}");
            }
        }
    }

    fn text(statement: &str) -> String {
        normalize(statement).text.unwrap()
    }

    #[test]
    fn literals_and_comments_are_out() {
        for (statement, wanted) in [
            ("select  1", "select ?"),
            (
                "SELECT 'a''b', 1e-3, 0xFF, 1_000, x'00', E'\\n', $$a $ b$$, $t$x$t$ -- why\n",
                "SELECT ?, ?, ?, ?, ?, ?, ?, ?",
            ),
            (
                "SELECT * FROM t WHERE a = -1 AND b - 1 > +2 /* c */;",
                "SELECT * FROM t WHERE a = ? AND b - ? > ?",
            ),
            (
                "SELECT a FROM t WHERE b=$1 AND c=? AND d=$name",
                "SELECT a FROM t WHERE b = ? AND c = ? AND d = ?",
            ),
            (
                "SELECT count( * ),max(x) FROM s . t",
                "SELECT count(*), max(x) FROM s.t",
            ),
            (
                "SELECT x::DECIMAL(10,2), y[1], [1,2,3], {'a': 1}",
                "SELECT x::DECIMAL(10, 2), y[?], [?], {?: ?}",
            ),
            (
                "SELECT true, NULL WHERE a IS NOT NULL",
                "SELECT true, NULL WHERE a IS NOT NULL",
            ),
            ("FROM 'data/2026-*.parquet' LIMIT 10", "FROM ? LIMIT ?"),
            (
                "SELECT a, sum(b) FROM t GROUP BY 1, 2 ORDER BY 2 DESC, 1 LIMIT 5",
                "SELECT a, sum(b) FROM t GROUP BY 1, 2 ORDER BY 2 DESC, 1 LIMIT ?",
            ),
            (
                "SELECT DATE '2026-01-01' + INTERVAL 3 DAY",
                "SELECT DATE ? + INTERVAL ? DAY",
            ),
            (
                "SELECT \"größe\" FROM \"T x\"",
                "SELECT \"größe\" FROM \"T x\"",
            ),
            (
                "SELECT list_transform(l, x -> x + 1)",
                "SELECT list_transform(l, x -> x + ?)",
            ),
        ] {
            assert_eq!(text(statement), wanted);
        }
    }

    #[test]
    fn lists_and_rows_are_folded() {
        for (statement, wanted) in [
            (
                "SELECT * FROM t WHERE a IN (1, 2, 3)",
                "SELECT * FROM t WHERE a IN (?)",
            ),
            (
                "SELECT * FROM t WHERE a IN ('x')",
                "SELECT * FROM t WHERE a IN (?)",
            ),
            (
                "SELECT * FROM t WHERE a IN (1, b, 3)",
                "SELECT * FROM t WHERE a IN (?, b, ?)",
            ),
            (
                "SELECT * FROM t WHERE (a, b) IN ((1, 2), (3, 4))",
                "SELECT * FROM t WHERE (a, b) IN ((?, ?))",
            ),
            (
                "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')",
                "INSERT INTO t VALUES (?, ?)",
            ),
            (
                "INSERT INTO t VALUES (1, now()), (2, now())",
                "INSERT INTO t VALUES (?, now())",
            ),
            (
                "INSERT INTO t VALUES (1, a), (2, now())",
                "INSERT INTO t VALUES (?, a), (?, now())",
            ),
            ("SELECT [[1, 2], [3]], []", "SELECT [[?]], []"),
            ("SELECT f(1, 2), f(1, 2, 3)", "SELECT f(?, ?), f(?, ?, ?)"),
        ] {
            assert_eq!(text(statement), wanted);
        }
    }

    #[test]
    fn secrets_are_out_also_without_quotes() {
        for (statement, wanted) in [
            (
                "CREATE SECRET s (TYPE s3, KEY_ID AKIA1, SECRET hunter2, REGION us, EXTRA_HTTP_HEADERS MAP {'a': b})",
                "CREATE SECRET s(TYPE s3, KEY_ID ?, SECRET ?, REGION ?, EXTRA_HTTP_HEADERS ?)",
            ),
            (
                "CREATE OR REPLACE PERSISTENT SECRET IF NOT EXISTS s IN local (TYPE http, BEARER_TOKEN hunter2)",
                "CREATE OR REPLACE PERSISTENT SECRET IF NOT EXISTS s IN local(TYPE http, BEARER_TOKEN ?)",
            ),
            ("SET s3_secret_access_key = hunter2", "SET s3_secret_access_key = ?"),
            ("SET s3_secret_access_key = f(hunter2)", "SET s3_secret_access_key = ?"),
            ("set global s3_session_token to hunter2", "set global s3_session_token to ?"),
            ("PRAGMA add_parquet_key('k', 'hunter2')", "PRAGMA add_parquet_key(?, ?)"),
            ("ATTACH 'postgres://u:hunter2@h/d' AS d (TYPE postgres, ENCRYPTION_KEY hunter2)", "ATTACH ? AS d(TYPE postgres, ENCRYPTION_KEY ?)"),
            ("SELECT * FROM \"s3://b/x?s3_secret_access_key=hunter2\"", "SELECT * FROM \"?\""),
            ("COPY t TO 'x' (FORMAT parquet, ENCRYPTION_CONFIG {footer_key: hunter2})", "COPY t TO ? (FORMAT parquet, ENCRYPTION_CONFIG {footer_key: ?})"),
        ] {
            assert_eq!(text(statement), wanted);
        }
    }

    #[test]
    fn what_is_not_secret_stays() {
        for statement in [
            "SELECT key, secret_id FROM tokens WHERE key = author",
            "CREATE TABLE t(a INTEGER PRIMARY KEY, b VARCHAR)",
            "SELECT max(key), min(token) FILTER (WHERE auth)",
            "SET threads = four",
        ] {
            assert_eq!(text(statement), statement);
        }
    }

    #[test]
    fn a_fingerprint_is_that_of_the_text_in_whatever_case() {
        let same =
            |one: &str, other: &str| normalize(one).fingerprint == normalize(other).fingerprint;
        assert!(same(
            "SELECT A FROM t WHERE b=1;",
            " select a\nfrom T -- x\n where B = 'c'"
        ));
        assert!(!same("SELECT a FROM t", "SELECT b FROM t"));
        assert!(!same(
            "SELECT a FROM t ORDER BY 1",
            "SELECT a FROM t ORDER BY 2"
        ));
        // It is stored, and compared with others: it must not change.
        assert_eq!(
            format!("{:016x}", normalize("SELECT 1").fingerprint),
            "1cab9ada31915ed1"
        );
    }

    #[test]
    fn what_cannot_be_read_is_known_by_its_kind_only() {
        let found = normalize("SELECT 'hunter2");
        assert_eq!((found.kind, found.text.clone()), ("SELECT", None));
        assert_eq!(found.fingerprint, normalize("SELECT 'other").fingerprint);
    }

    #[test]
    fn tags_come_from_comments() {
        let found = normalize("/* report */ SELECT 1 /*route='%2Fa',traceparent='00-1-2-01'*/");
        let tags: Vec<(&str, &str)> = found
            .tags
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(tags, [("route", "/a"), ("traceparent", "00-1-2-01")]);
    }
}
