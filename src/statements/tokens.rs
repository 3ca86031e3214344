//! The tokens of a statement.

use sqlparser::dialect::{Dialect, DuckDbDialect};
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace};
use std::any::TypeId;

/// What DuckDB reads, as far as the tokenizer's dialect for it does not.
#[derive(Debug)]
struct DuckDb(DuckDbDialect);

impl Dialect for DuckDb {
    fn dialect(&self) -> TypeId {
        self.0.dialect()
    }

    fn is_identifier_start(&self, character: char) -> bool {
        self.0.is_identifier_start(character) || !character.is_ascii()
    }

    fn is_identifier_part(&self, character: char) -> bool {
        self.0.is_identifier_part(character) || !character.is_ascii()
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }

    fn supports_string_escape_constant(&self) -> bool {
        true
    }

    fn supports_dollar_placeholder(&self) -> bool {
        false
    }

    fn supports_nested_comments(&self) -> bool {
        true
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }
}

/// Its tokens and its comments; none where it cannot be read.
pub fn tokens(text: &str) -> Option<(Vec<Token>, Vec<String>)> {
    let dialect = DuckDb(DuckDbDialect {});
    let all = Tokenizer::new(&dialect, text).tokenize().ok()?;
    let mut tokens = Vec::with_capacity(all.len());
    let mut comments = Vec::new();
    for token in all {
        match token {
            Token::Whitespace(Whitespace::MultiLineComment(comment)) => comments.push(comment),
            Token::Whitespace(_) => {}
            token => tokens.push(token),
        }
    }
    while tokens.last() == Some(&Token::SemiColon) {
        tokens.pop();
    }
    Some((tokens, comments))
}

/// The word that a token is, if it stands without quotes.
pub fn word(token: &Token) -> Option<&str> {
    match token {
        Token::Word(word) if word.quote_style.is_none() => Some(&word.value),
        _ => None,
    }
}

/// Whether a token is this word, in whatever letters.
pub fn is_word(token: Option<&Token>, name: &str) -> bool {
    token
        .and_then(word)
        .is_some_and(|word| word.eq_ignore_ascii_case(name))
}

/// Whether a token is one of these words.
pub fn is_any(token: Option<&Token>, names: &[&str]) -> bool {
    names.iter().any(|name| is_word(token, name))
}

/// Whether a token is a value that was written down, or stands for one that is given later.
pub fn is_literal(token: &Token) -> bool {
    matches!(
        token,
        Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::TripleSingleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::SingleQuotedByteStringLiteral(_)
            | Token::SingleQuotedRawStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::Placeholder(_)
            | Token::Question
    )
}
