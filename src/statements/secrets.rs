//! Which parts of a statement may be secrets though they are no literals: what stands without quotes as a secret's value, and
//! names in double quotes that are addresses.

use super::tokens::{is_any, is_word, word};
use sqlparser::tokenizer::Token;

/// Parts of names of options and settings whose values nobody may see.
const NAMES: &[&str] = &[
    "key",
    "secret",
    "token",
    "passw",
    "passphrase",
    "pwd",
    "credential",
    "auth",
    "sas",
    "private",
    "signature",
    "cookie",
    "bearer",
    "connection",
    "headers",
];

/// Options of CREATE SECRET whose values are no secrets.
const OPEN: &[&str] = &["type", "provider", "persistent"];

fn hides(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|part| name.contains(part))
}

/// Whether a name in double quotes is more than a name: an address, or one with a password in it.
pub fn is_address(name: &str) -> bool {
    name.contains("://") || name.contains('@') || name.contains('=') || name.contains('?')
}

/// For each token, whether it is to be hidden.
pub fn hidden(tokens: &[Token]) -> Vec<bool> {
    let mut hidden = vec![false; tokens.len()];
    let secret_from = of_secret(tokens);
    if let Some(from) = secret_from {
        options(tokens, from, |name| !is_open(name), &mut hidden);
        return hidden;
    }
    if is_any(tokens.first(), &["SET", "PRAGMA"]) {
        setting(tokens, &mut hidden);
    }
    // Options of any statement: ATTACH, COPY, CREATE INDEX, table functions.
    options(tokens, 0, hides, &mut hidden);
    hidden
}

fn is_open(name: &str) -> bool {
    OPEN.iter().any(|open| open.eq_ignore_ascii_case(name))
}

/// Where the options of CREATE SECRET begin, where it is one.
fn of_secret(tokens: &[Token]) -> Option<usize> {
    if !is_any(tokens.first(), &["CREATE", "ALTER"]) {
        return None;
    }
    let mut before = tokens.iter().take_while(|token| **token != Token::LParen);
    if !before.any(|token| is_word(Some(token), "SECRET")) {
        return None;
    }
    tokens.iter().position(|token| *token == Token::LParen)
}

/// SET name = value: the value where the name says that it is secret.
fn setting(tokens: &[Token], hidden: &mut [bool]) {
    let assigned = tokens
        .iter()
        .position(|token| matches!(token, Token::Eq) || is_word(Some(token), "TO"));
    let Some(assigned) = assigned else { return };
    let name = tokens[..assigned].iter().rev().find_map(word);
    if name.is_some_and(hides) {
        hidden[assigned + 1..].fill(true);
    }
}

/// Within parentheses and braces: what follows a name for which `hides` says so, up to the next comma or their end.
fn options(tokens: &[Token], from: usize, hides: impl Fn(&str) -> bool, hidden: &mut [bool]) {
    let mut depth: usize = 0;
    // The depth at which a value is hidden.
    let mut hiding: Option<usize> = None;
    let mut begins = false;
    for at in from..tokens.len() {
        let token = &tokens[at];
        match token {
            Token::LParen | Token::LBrace | Token::LBracket => {
                hidden[at] |= hiding.is_some();
                depth += 1;
                begins = hiding.is_none();
                continue;
            }
            Token::RParen | Token::RBrace | Token::RBracket => {
                depth = depth.saturating_sub(1);
                if hiding.is_some_and(|at_depth| depth < at_depth) {
                    hiding = None;
                }
                hidden[at] |= hiding.is_some();
                continue;
            }
            Token::Comma if hiding.is_none_or(|at_depth| depth <= at_depth) => {
                hiding = None;
                begins = depth > 0;
                continue;
            }
            _ => {}
        }
        if let Some(of_option) = hiding {
            // What ties name and value may stay.
            let ties = matches!(token, Token::Eq | Token::Colon | Token::Assignment);
            hidden[at] |= !ties || depth > of_option;
        } else if begins {
            if let Some(name) = option_name(token) {
                // A name alone, or one of a column that is asked for, has no value.
                let has_value = !matches!(
                    tokens.get(at + 1),
                    None | Some(
                        Token::Comma
                            | Token::RParen
                            | Token::RBrace
                            | Token::RBracket
                            | Token::Period
                    )
                );
                if has_value && hides(&name) && is_value(tokens, at + 1) {
                    hiding = Some(depth);
                }
            }
        }
        begins = false;
    }
}

fn option_name(token: &Token) -> Option<String> {
    match token {
        Token::Word(word) => Some(word.value.clone()),
        Token::SingleQuotedString(text) => Some(text.clone()),
        _ => None,
    }
}

/// Whether what stands behind a name is its value, and no comparison or the rest of an expression.
fn is_value(tokens: &[Token], at: usize) -> bool {
    match &tokens[at] {
        Token::Eq | Token::Colon | Token::Assignment => true,
        Token::Word(word) => {
            let operators = [
                "AS",
                "IS",
                "IN",
                "LIKE",
                "ILIKE",
                "NOT",
                "AND",
                "OR",
                "BETWEEN",
                "ASC",
                "DESC",
                "NULLS",
                "ORDER",
                "FROM",
                "COLLATE",
                "PRIMARY",
                "UNIQUE",
                "DEFAULT",
                "CHECK",
                "REFERENCES",
                "FILTER",
                "OVER",
            ];
            // The type of a column that is called so is no value; it cannot be told from one, and is hidden.
            !operators
                .iter()
                .any(|operator| operator.eq_ignore_ascii_case(&word.value))
        }
        _ => false,
    }
}
