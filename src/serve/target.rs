//! Paths and queries as text: splitting and percent-decoding.

/// The segments of a path, decoded after the split, so that an encoded slash stays in its segment.
pub fn segments(path: &str) -> Result<Vec<String>, String> {
    path.strip_prefix('/')
        .ok_or_else(|| format!("the path is '{path}': give one that begins with /"))?
        .split('/')
        .map(|segment| decode(segment, "the path"))
        .collect()
}

/// The parameters of a query. Each may be given once, and not empty: whoever means to ask for one project must not get all
/// of them because a variable was empty.
pub fn parameters(query: &str) -> Result<Vec<(String, String)>, String> {
    let mut parameters: Vec<(String, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(&name.replace('+', " "), "the query")?;
        let value = decode(&value.replace('+', " "), &name)?;
        if value.is_empty() {
            return Err(format!("{name} is '': give a value, or leave it out"));
        }
        if parameters.iter().any(|(known, _)| *known == name) {
            return Err(format!("{name} is given twice: give it once"));
        }
        parameters.push((name, value));
    }
    Ok(parameters)
}

fn decode(text: &str, what: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = behind.first_chunk().and_then(|[high, low]| {
            let value = |digit: &u8| char::from(*digit).to_digit(16);
            Some((value(high)? * 16 + value(low)?) as u8)
        });
        let Some(byte) = digits else {
            return Err(format!(
                "{what} has a % that two hexadecimal digits do not follow: write it as %25"
            ));
        };
        bytes.push(byte);
        rest = &behind[2..];
    }
    String::from_utf8(bytes).map_err(|_| format!("{what} is no UTF-8 when decoded: encode UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_encoded_slash_does_not_split() {
        assert_eq!(
            segments("/projects/a%2Fb/operations"),
            Ok(vec!["projects".into(), "a/b".into(), "operations".into()])
        );
        assert_eq!(segments("//x"), Ok(vec!["".into(), "x".into()]));
        assert!(segments("*").is_err());
    }

    #[test]
    fn parameters_are_decoded_as_forms_are() {
        assert_eq!(
            parameters("command=a+b%2Bc&&status=%C3%A9"),
            Ok(vec![
                ("command".into(), "a b+c".into()),
                ("status".into(), "é".into())
            ])
        );
        for (query, error) in [
            ("command=", "command is '': give a value, or leave it out"),
            ("command", "command is '': give a value, or leave it out"),
            ("a=1&b=2&%61=3", "a is given twice: give it once"),
            ("a=%", "a has a % that"),
            ("a=%1", "a has a % that"),
            ("a=%zz", "a has a % that"),
            ("a=%+1", "a has a % that"),
            ("a=%ff", "a is no UTF-8"),
            // An overlong slash, and half of a surrogate pair.
            ("a=%c0%af", "a is no UTF-8"),
            ("a=%ed%a0%80", "a is no UTF-8"),
        ] {
            let refusal = parameters(query).unwrap_err();
            assert!(refusal.starts_with(error), "{query}: {refusal}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_encoded_is_decoded(text in "\\PC*") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(decode(&encoded, "it"), Ok(text));
        }

        #[test]
        fn nothing_panics(text in "\\PC*") {
            let _ = (parameters(&text), segments(&text), decode(&text, "it"));
        }
    }
}
