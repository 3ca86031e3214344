//! What a service says of a statement in a comment, as sqlcommenter writes it (<https://google.github.io/sqlcommenter/spec/>).

/// Tags that are kept of a statement.
const TAGS_MAX: usize = 16;

/// `key='value'` pairs, separated by commas and percent-encoded; none where a comment is of another kind.
pub fn tags(comment: &str) -> Vec<(String, String)> {
    let mut tags = Vec::new();
    for pair in comment.trim().split(',') {
        let Some((key, value)) = pair.trim().split_once('=') else {
            return Vec::new();
        };
        let value = value
            .strip_prefix('\'')
            .and_then(|value| value.strip_suffix('\''));
        match (decoded(key), value.and_then(decoded)) {
            (Some(key), Some(value)) if !key.is_empty() => tags.push((key, value)),
            _ => return Vec::new(),
        }
    }
    tags.truncate(TAGS_MAX);
    tags
}

/// Without percent signs and backslashes.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                bytes.push((high * 16 + low) as u8);
            }
            b'\\' => bytes.push(rest.next()?),
            // A quote within would have been escaped.
            b'\'' => return None,
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_they_are_specified() {
        let found = tags(
            r"action='%2Fparam*d',controller='index',db_driver='it\'s',traceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01'",
        );
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("action", "/param*d"),
                ("controller", "index"),
                ("db_driver", "it's"),
                (
                    "traceparent",
                    "00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01"
                ),
            ]
        );
    }

    #[test]
    fn other_comments_have_no_tags() {
        for comment in [
            "",
            " the daily report ",
            "a=1",
            "a='1', and more",
            "a='1' b='2'",
            "a='%zz'",
            "a='%ff'",
            "='x'",
        ] {
            assert_eq!(tags(comment), [], "{comment}");
        }
    }
}
