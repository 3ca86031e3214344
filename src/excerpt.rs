//! A given value as an error repeats it: cut, since it can be megabytes long.

use std::fmt::{self, Write};

/// More characters of a text than these are no help to whoever reads the error.
const CHARACTERS_MAX: usize = 60;

/// The beginning of a text, with `…` where there is more.
pub fn excerpt(text: &str) -> Excerpt<'_> {
    Excerpt(text.as_bytes())
}

/// The same for bytes that should have been UTF-8: those that are not are shown as `\xE9`.
pub fn excerpt_bytes(bytes: &[u8]) -> Excerpt<'_> {
    Excerpt(bytes)
}

/// Shows the beginning of a text.
#[derive(Clone, Copy)]
pub struct Excerpt<'a>(&'a [u8]);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = CHARACTERS_MAX;
        // No character takes more than four bytes; the rest need not be looked at.
        let looked_at = self.0.len().min(4 * CHARACTERS_MAX + 4);
        for chunk in self.0[..looked_at].utf8_chunks() {
            for character in chunk.valid().chars() {
                if left == 0 {
                    return formatter.write_char('…');
                }
                left -= 1;
                formatter.write_char(character)?;
            }
            for byte in chunk.invalid() {
                if left == 0 {
                    return formatter.write_char('…');
                }
                left -= 1;
                write!(formatter, "\\x{byte:02X}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_shown_whole() {
        assert_eq!(excerpt("").to_string(), "");
        assert_eq!(excerpt("größe").to_string(), "größe");
        let most = "é".repeat(CHARACTERS_MAX);
        assert_eq!(excerpt(&most).to_string(), most);
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        for character in ["x", "é", "€", "𝄞"] {
            let shown = excerpt(&character.repeat(1_000_000)).to_string();
            assert_eq!(shown, format!("{}…", character.repeat(CHARACTERS_MAX)));
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_such() {
        assert_eq!(
            excerpt_bytes(b"caf\xe9 au lait").to_string(),
            "caf\\xE9 au lait"
        );
        assert_eq!(excerpt_bytes(b"\xff\xfe").to_string(), "\\xFF\\xFE");
        let shown = excerpt_bytes(&[0xff; 1_000]).to_string();
        assert_eq!(shown, format!("{}…", "\\xFF".repeat(CHARACTERS_MAX)));
    }
}
