//! JSON text as DuckDB reads it: RFC 8259, and besides NaN, infinities in any case, and a comma behind the last element.
//!
//! `json_object('x', 'nan'::DOUBLE)` makes such text, and a column of DuckDB's type JSON may hold it. What DuckDB's JSON does
//! not read must never get into such a column: a lone surrogate there makes every function of JSON fail.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::ops::Range;

/// Deeper nesting is refused: most readers of JSON have a limit, and end where there is none.
pub const DEPTH_MAX: usize = 128;

/// Why a text is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    byte: usize,
    what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "at byte {}: {}", self.byte, self.what)
    }
}

/// Checks that DuckDB reads a text as JSON.
pub fn check(text: &str) -> Result<(), Malformed> {
    Scanner::new(text).document(&mut Nothing)
}

/// The text as RFC 8259 has it: null for NaN and the infinities, no comma behind a last element.
pub fn strict(text: &str) -> Result<Cow<'_, str>, Malformed> {
    let mut edits = Edits(Vec::new());
    Scanner::new(text).document(&mut edits)?;
    if edits.0.is_empty() {
        return Ok(Cow::Borrowed(text));
    }
    let mut strict = String::with_capacity(text.len());
    let mut copied = 0;
    for (range, instead) in edits.0 {
        strict.push_str(&text[copied..range.start]);
        strict.push_str(instead);
        copied = range.end;
    }
    strict.push_str(&text[copied..]);
    Ok(Cow::Owned(strict))
}

/// Appends a text as a string of JSON.
pub fn write_text(text: &str, out: &mut String) {
    struct Appended<'a>(&'a mut String);
    impl io::Write for Appended<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // serde_json cuts at characters.
            self.0
                .push_str(std::str::from_utf8(bytes).map_err(io::Error::other)?);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    // Memory refuses nothing.
    let _ = serde_json::to_writer(Appended(out), text);
}

/// JSON with U+FFFD in the place of each lone surrogate; none if it has no such. Version 0.1.0 recorded it, and functions of
/// DuckDB's JSON that read it end the query, in DuckDB 2 the process.
pub fn without_lone_surrogates(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut repaired = String::new();
    let (mut at, mut copied) = (0, 0);
    while let Some(found) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'\\'))
    {
        at += found;
        match surrogate(bytes, at) {
            Some(Surrogate::High)
                if surrogate(bytes, at + ESCAPE_BYTES) == Some(Surrogate::Low) =>
            {
                at += 2 * ESCAPE_BYTES;
            }
            Some(_) => {
                repaired.push_str(&text[copied..at]);
                repaired.push_str(r"\ufffd");
                at += ESCAPE_BYTES;
                copied = at;
            }
            // What follows is what it escapes.
            None => at += 2,
        }
    }
    if copied == 0 {
        return None;
    }
    repaired.push_str(&text[copied..]);
    Some(repaired)
}

/// Bytes of an escape such as `\ufffd`.
const ESCAPE_BYTES: usize = 6;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Surrogate {
    High,
    Low,
}

/// The half of a pair that the escape at a place stands for, if it does.
fn surrogate(bytes: &[u8], at: usize) -> Option<Surrogate> {
    let digits = bytes.get(at..at + ESCAPE_BYTES)?.strip_prefix(br"\u")?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let digits = std::str::from_utf8(digits).ok()?;
    match u32::from_str_radix(digits, 16).ok()? {
        0xD800..=0xDBFF => Some(Surrogate::High),
        0xDC00..=0xDFFF => Some(Surrogate::Low),
        _ => None,
    }
}

/// The members of an object: the texts of its keys, quotes included, and of its values.
pub fn members(text: &str) -> Result<Vec<(&str, &str)>, Malformed> {
    let mut members = Members(Vec::new());
    let mut scanner = Scanner::new(text);
    scanner.space();
    if scanner.next() != Some(b'{') {
        return Err(scanner.malformed("no object"));
    }
    scanner.document(&mut members)?;
    let of = |range: &Range<usize>| &text[range.clone()];
    let pairs = members.0.chunks_exact(2);
    Ok(pairs.map(|pair| (of(&pair[0]), of(&pair[1]))).collect())
}

/// What is told of a text while it is read.
trait Listener {
    /// A number that RFC 8259 does not have.
    fn not_finite(&mut self, _: Range<usize>) {}
    /// A comma behind a last element.
    fn last_comma(&mut self, _: usize) {}
    /// A key or a value within the outermost array or object.
    fn part(&mut self, _: Range<usize>) {}
}

struct Nothing;
impl Listener for Nothing {}

/// What is to be replaced, in order.
struct Edits(Vec<(Range<usize>, &'static str)>);
impl Listener for Edits {
    fn not_finite(&mut self, range: Range<usize>) {
        self.0.push((range, "null"));
    }
    fn last_comma(&mut self, at: usize) {
        self.0.push((at..at + 1, ""));
    }
}

/// Keys and values by turns.
struct Members(Vec<Range<usize>>);
impl Listener for Members {
    fn part(&mut self, range: Range<usize>) {
        self.0.push(range);
    }
}

/// Reads a text once, without recursion.
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    /// For each level, from the lowest bit on outwards, whether it is an object.
    objects: u128,
    /// Where the current part of the outermost level begins.
    part: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            bytes: text.as_bytes(),
            at: 0,
            depth: 0,
            objects: 0,
            part: 0,
        }
    }

    fn malformed(&self, what: &'static str) -> Malformed {
        let what = if self.at < self.bytes.len() {
            what
        } else {
            "the text ends too early"
        };
        Malformed {
            byte: self.at,
            what,
        }
    }

    fn next(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.next(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn document(&mut self, listener: &mut impl Listener) -> Result<(), Malformed> {
        self.space();
        loop {
            self.value(listener)?;
            // A value has ended, or one has been opened that ends here.
            loop {
                self.space();
                if self.depth == 0 {
                    break;
                }
                if self.closes() {
                    self.close(listener);
                    continue;
                }
                let comma = self.at;
                if self.next() != Some(b',') {
                    return Err(
                        self.malformed("neither a comma nor the end of the array or object")
                    );
                }
                self.at += 1;
                self.space();
                if !self.closes() {
                    self.key(listener)?;
                    break;
                }
                listener.last_comma(comma);
            }
            if self.depth == 0 {
                break;
            }
        }
        if self.at < self.bytes.len() {
            return Err(self.malformed("there is more behind the value"));
        }
        Ok(())
    }

    /// Reads a scalar, or what opens arrays and objects up to the first scalar or end in them.
    fn value(&mut self, listener: &mut impl Listener) -> Result<(), Malformed> {
        loop {
            if self.depth == 1 {
                self.part = self.at;
            }
            let Some(open @ (b'{' | b'[')) = self.next() else {
                self.scalar(listener)?;
                if self.depth == 1 {
                    listener.part(self.part..self.at);
                }
                return Ok(());
            };
            if self.depth == DEPTH_MAX {
                return Err(self.malformed("it is nested deeper than 128 levels"));
            }
            self.at += 1;
            self.depth += 1;
            self.objects = self.objects << 1 | u128::from(open == b'{');
            self.space();
            if self.closes() {
                return Ok(());
            }
            self.key(listener)?;
        }
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    /// Whether the innermost array or object ends here.
    fn closes(&self) -> bool {
        self.next() == Some(if self.in_object() { b'}' } else { b']' })
    }

    fn close(&mut self, listener: &mut impl Listener) {
        self.at += 1;
        self.depth -= 1;
        self.objects >>= 1;
        if self.depth == 1 {
            listener.part(self.part..self.at);
        }
    }

    /// Reads the key that stands before a value in an object.
    fn key(&mut self, listener: &mut impl Listener) -> Result<(), Malformed> {
        if !self.in_object() {
            return Ok(());
        }
        let start = self.at;
        if self.next() != Some(b'"') {
            return Err(self.malformed("no key in double quotes"));
        }
        self.string()?;
        if self.depth == 1 {
            listener.part(start..self.at);
        }
        self.space();
        if self.next() != Some(b':') {
            return Err(self.malformed("no colon behind the key"));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    fn scalar(&mut self, listener: &mut impl Listener) -> Result<(), Malformed> {
        let start = self.at;
        match self.next() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => {
                let negative = self.next() == Some(b'-');
                self.at += usize::from(negative);
                if negative && !matches!(self.next(), Some(b'0'..=b'9')) {
                    return self.not_finite(start, listener);
                }
                self.number()
            }
            _ => {
                let rest = &self.bytes[start..];
                let literals: [&[u8]; 3] = [b"true", b"false", b"null"];
                match literals.into_iter().find(|word| rest.starts_with(word)) {
                    Some(word) => {
                        self.at += word.len();
                        Ok(())
                    }
                    None => self.not_finite(start, listener),
                }
            }
        }
    }

    /// Reads NaN or an infinity, whose sign has been read.
    fn not_finite(&mut self, start: usize, listener: &mut impl Listener) -> Result<(), Malformed> {
        let rest = &self.bytes[self.at..];
        let words: [&[u8]; 3] = [b"infinity", b"inf", b"nan"];
        let found = words.into_iter().find(|word| {
            rest.get(..word.len())
                .is_some_and(|rest| rest.eq_ignore_ascii_case(word))
        });
        let Some(word) = found else {
            return Err(self.malformed("no value of JSON"));
        };
        self.at += word.len();
        listener.not_finite(start..self.at);
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        if !matches!(self.next(), Some(b'0'..=b'9')) {
            return Err(self.malformed("no digit"));
        }
        while matches!(self.next(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    /// Reads a number, whose sign has been read.
    fn number(&mut self) -> Result<(), Malformed> {
        let zero = self.next() == Some(b'0');
        if zero && matches!(self.bytes.get(self.at + 1), Some(b'0'..=b'9')) {
            return Err(self.malformed("a number with a leading zero"));
        }
        self.digits()?;
        if self.next() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.next(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.next(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Reads a string, its quotes included.
    fn string(&mut self) -> Result<(), Malformed> {
        self.at += 1;
        loop {
            match self.next() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(0x20..) => self.at += 1,
                _ => return Err(self.malformed("a control character, which has to be escaped")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Malformed> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let lone = self.malformed(
                    "half of a surrogate pair, which is no character: decode the text with replacement",
                );
                match self.unit()? {
                    0xD800..0xDC00 => {
                        let follows = self.bytes[self.at..].starts_with(b"\\u");
                        if !follows || !(0xDC00..0xE000).contains(&self.unit()?) {
                            return Err(lone);
                        }
                    }
                    0xDC00..0xE000 => return Err(lone),
                    _ => {}
                }
            }
            _ => return Err(self.malformed("an escape that JSON does not have")),
        }
        Ok(())
    }

    /// Reads `\u` and four hexadecimal digits.
    fn unit(&mut self) -> Result<u32, Malformed> {
        let digits = self.bytes.get(self.at + 2..self.at + 6);
        let digits = digits.and_then(|digits| {
            digits.iter().try_fold(0, |unit, digit| {
                Some(unit << 4 | char::from(*digit).to_digit(16)?)
            })
        });
        let unit =
            digits.ok_or_else(|| self.malformed("an escape without four hexadecimal digits"))?;
        self.at += 6;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What DuckDB 1.5.6 and 2.0.1 say of these texts: `SELECT $1::JSON`.
    #[test]
    fn what_duckdb_reads_is_read_and_nothing_else() {
        for read in [
            "NaN",
            "nan",
            "NAN",
            "-NaN",
            "Infinity",
            "inf",
            "-inf",
            "INF",
            "[1,]",
            "{\"a\":1,}",
            "1e999",
            "-0",
            "\"\\ud83d\\ude00\"",
            "\"\\u0000\"",
            "{\"a\":1,\"a\":2}",
            "\"a\u{7f}\"",
            " [ Infinity , -Infinity , nAn ] ",
            "{}",
            "[]",
            "[[],{}]",
            "\"\\/\\b\\f\\n\\r\\t\"",
            "1.5E+3",
            "true",
            " {\"a\" : [ 1 , { \"b\" : null } ] , \"c\" : false } ",
        ] {
            assert_eq!(check(read), Ok(()), "{read}");
        }
        for refused in [
            "",
            "  ",
            "[,]",
            "{,}",
            "01",
            "-01",
            "+1",
            ".5",
            "1.",
            "1e",
            "-",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\u0041\"",
            "\"\\ud800",
            "\"\t\"",
            "/*c*/1",
            "1 2",
            "\u{feff}1",
            "0x10",
            "'a'",
            "\"\\x41\"",
            "[1 2]",
            "nul",
            "TRUE",
            "1 \u{b}",
            "\"\0\"",
            "1\0",
            "infinit",
            "1,",
            "[1],",
            "[1}",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,,}",
            "[",
            "{\"a\":[",
            "\"",
            "\"\\",
            "\"\\u12",
            "[1,",
            "{\"a\":1,",
        ] {
            assert!(check(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn an_error_says_where_and_what() {
        for (text, said) in [
            ("{a: 1}", "at byte 1: no key in double quotes"),
            ("[1 2]", "at byte 3: neither a comma nor the end of the array or object"),
            ("[1, ", "at byte 4: the text ends too early"),
            ("\"caf\\udce9\"", "at byte 4: half of a surrogate pair, which is no character: decode the text with replacement"),
            ("1 2", "at byte 2: there is more behind the value"),
        ] {
            assert_eq!(check(text).unwrap_err().to_string(), said, "{text}");
        }
    }

    #[test]
    fn nesting_has_a_limit_and_takes_no_stack() {
        for (open, close) in [("[", "]"), ("{\"a\":[", "]}")] {
            let levels = open.len().min(2);
            let most = DEPTH_MAX / levels;
            let nested = |times: usize| open.repeat(times) + &close.repeat(times);
            assert_eq!(check(&nested(most)), Ok(()));
            assert!(check(&nested(most + 1))
                .unwrap_err()
                .to_string()
                .ends_with("nested deeper than 128 levels"));
            assert!(check(&open.repeat(1_000_000)).is_err());
        }
    }

    #[test]
    fn strict_text_has_null_for_what_rfc_8259_lacks() {
        for (text, strict_text) in [
            ("[1, 2]", "[1, 2]"),
            ("[NaN, -Infinity, 1]", "[null, null, 1]"),
            (
                "{\"a\": inf, \"b\": [1, ], }",
                "{\"a\": null, \"b\": [1 ] }",
            ),
            ("\"NaN, ]\"", "\"NaN, ]\""),
        ] {
            assert_eq!(strict(text).unwrap(), strict_text);
        }
        assert!(matches!(strict("{}"), Ok(Cow::Borrowed("{}"))));
    }

    #[test]
    fn members_are_those_of_the_outermost_object() {
        assert_eq!(
            members(" {\"a\" : {\"x\": [1, 2]}, \"b\\u0041\": NaN, \"a\": \"}\", } ").unwrap(),
            [
                ("\"a\"", "{\"x\": [1, 2]}"),
                ("\"b\\u0041\"", "NaN"),
                ("\"a\"", "\"}\"")
            ]
        );
        assert_eq!(members("{}").unwrap(), []);
        for bad in ["[]", "1", "", "{\"a\"", "{} {}"] {
            assert!(members(bad).is_err(), "{bad}");
        }
    }

    /// JSON, with values nested a few levels deep.
    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            // serde_json reads others with the last digit off.
            any::<i32>().prop_map(|number| serde_json::Value::from(f64::from(number) / 8.0)),
            ".*".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map(".*", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_serde_writes_is_read(value in any_json()) {
            let text = value.to_string();
            prop_assert_eq!(check(&text), Ok(()));
            prop_assert!(matches!(strict(&text), Ok(Cow::Borrowed(_))));
            if let serde_json::Value::Object(map) = &value {
                let read = members(&text).unwrap();
                let read: Vec<(String, serde_json::Value)> = read
                    .into_iter()
                    .map(|(key, value)| (serde_json::from_str(key).unwrap(), serde_json::from_str(value).unwrap()))
                    .collect();
                let written: Vec<(String, serde_json::Value)> =
                    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
                prop_assert_eq!(read, written);
            }
        }

        #[test]
        fn a_written_text_is_read_as_it_was(before in "[a-z]{0,3}", text in any::<String>()) {
            let mut out = before.clone();
            write_text(&text, &mut out);
            let written = out.strip_prefix(&before).unwrap();
            prop_assert_eq!(check(written), Ok(()));
            prop_assert_eq!(serde_json::from_str::<String>(written).unwrap(), text);
        }

        /// serde_json knows no lone surrogates where it does not decode strings, so strings are decoded here.
        #[test]
        fn what_strict_gives_serde_reads(text in "[\\[\\]{},:\" 0-9a-fA-FINnu.\\\\-]{0,24}") {
            match strict(&text) {
                Ok(strict) => prop_assert!(serde_json::from_str::<serde_json::Value>(&strict).is_ok()
                    // Numbers out of a double's range are JSON all the same.
                    || strict.contains(['e', 'E'])),
                Err(_) => prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_err()),
            }
        }
    }

    #[test]
    fn lone_surrogates_are_replaced_and_nothing_else_is() {
        for text in [
            r#"{"a": "\ud83d\ude00", "b": "\\ud800", "c": 1}"#,
            r#""\u00e4 \n \" \\""#,
            "{}",
            r#""\"#,
            r#""\ud8"#,
        ] {
            assert_eq!(without_lone_surrogates(text), None, "{text}");
        }
        for (text, repaired) in [
            (r#"{"a": "\ud800"}"#, r#"{"a": "\ufffd"}"#),
            (
                r#""\uDC00x\uD83D\uDE00\uD83D""#,
                r#""\ufffdx\uD83D\uDE00\ufffd""#,
            ),
            (r#""\\\ud800\ud83d\ude00""#, r#""\\\ufffd\ud83d\ude00""#),
            (r#""\ud800\ud800\udc00""#, r#""\ufffd\ud800\udc00""#),
        ] {
            assert_eq!(
                without_lone_surrogates(text).as_deref(),
                Some(repaired),
                "{text}"
            );
            assert_eq!(check(repaired), Ok(()), "{repaired}");
        }
    }
}
