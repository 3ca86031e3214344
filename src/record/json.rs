//! An operation given as a JSON object.

use super::{BatchBuilder, Field, Kind, Problem, Value};
use crate::json;
use std::borrow::Cow;

/// Reads one JSON object as the builder's next row. A part that becomes `metadata` is kept to the letter.
pub fn push_json(builder: &mut BatchBuilder, text: &str) -> Result<(), Problem> {
    let members = json::members(text).map_err(|error| {
        Problem(format!(
            "{} is no operation: give a JSON object such as {{\"command\": \"import\"}} ({error})",
            Value::Text(text.into())
        ))
    })?;
    // A null is pushed nowhere, and is given all the same.
    let mut given = Vec::with_capacity(members.len());
    for (key, raw) in members {
        let name = decoded(key)?;
        let field = Field::by_name(&name).ok_or_else(|| Problem(Field::unknown(&name)))?;
        if given.contains(&field) {
            return Err(Problem(format!("{} is given twice", field.name())));
        }
        given.push(field);
        let value = match field {
            Field::Metadata if raw != "null" => Value::Json(raw.into()),
            _ => value(field, raw)?,
        };
        builder.push(field, &value)?;
    }
    Ok(())
}

/// The text that a JSON string stands for.
fn decoded(raw: &str) -> Result<Cow<'_, str>, Problem> {
    let plain = &raw[1..raw.len() - 1];
    if !plain.contains('\\') {
        return Ok(Cow::Borrowed(plain));
    }
    serde_json::from_str(raw)
        .map(Cow::Owned)
        .map_err(|error| Problem(format!("{} is no text: {error}", Value::Json(raw.into()))))
}

/// `raw` is a value of JSON: its first character tells what it is.
fn value(field: Field, raw: &str) -> Result<Value<'_>, Problem> {
    Ok(match raw.as_bytes() {
        b"null" => Value::Null,
        b"true" => Value::Boolean(true),
        b"false" => Value::Boolean(false),
        [b'"', ..] => Value::Text(decoded(raw)?),
        [b'{' | b'[', ..] => Value::Json(raw.into()),
        // A number that becomes text keeps all its digits.
        _ if field.kind() == Kind::Text => Value::Text(raw.into()),
        _ => match raw.parse::<i128>() {
            Ok(integer) => Value::Integer(integer),
            Err(_) => raw.parse().map_or(Value::Json(raw.into()), Value::Double),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::{BatchBuilder, Source};
    use super::*;

    fn push(text: &str) -> (BatchBuilder, Result<(), Problem>) {
        let mut builder = BatchBuilder::new(1);
        let outcome = push_json(&mut builder, text);
        (builder, outcome)
    }

    #[test]
    fn each_kind_of_value_reaches_its_field() {
        let (builder, outcome) = push(
            r#"{"command": "im\\port", "duration_ms": 1e2, "rows_affected": 3, "bucket_name": null,
                "project_id": 7, "metadata": {"z": 1.10, "a": [true]}}"#,
        );
        assert_eq!(outcome, Ok(()));
        let (batch, problems) = builder.finish(Source::Record, 1);
        assert_eq!(problems, []);
        let batch = batch.unwrap();
        assert_eq!(batch.text(Field::Command, 0), Some("im\\port"));
        assert_eq!(
            batch.number(Field::DurationMs, 0).map(f64::from_bits),
            Some(100.0)
        );
        assert_eq!(batch.number(Field::RowsAffected, 0), Some(3));
        assert_eq!(batch.text(Field::BucketName, 0), None);
        assert_eq!(batch.text(Field::ProjectId, 0), Some("7"));
        assert_eq!(
            batch.text(Field::Metadata, 0),
            Some(r#"{"z": 1.10, "a": [true]}"#)
        );
    }

    #[test]
    fn a_number_that_becomes_text_keeps_its_digits() {
        for number in [
            "7",
            "1.10",
            "-0",
            "1e2",
            "123456789012345678901234567890123456789012345",
        ] {
            let (builder, outcome) =
                push(&format!(r#"{{"command": "x", "project_id": {number}}}"#));
            assert_eq!(outcome, Ok(()));
            let batch = builder.finish(Source::Record, 1).0.unwrap();
            assert_eq!(batch.text(Field::ProjectId, 0), Some(number));
        }
    }

    #[test]
    fn what_duckdb_writes_and_rfc_8259_lacks_is_kept_to_the_letter() {
        let (builder, outcome) =
            push(r#"{"command": "x", "metadata": {"ratio": NaN, "best": -Infinity}}"#);
        assert_eq!(outcome, Ok(()));
        let batch = builder.finish(Source::Record, 1).0.unwrap();
        assert_eq!(
            batch.text(Field::Metadata, 0),
            Some(r#"{"ratio": NaN, "best": -Infinity}"#)
        );
        assert_eq!(
            push(r#"{"command": "x", "duration_ms": NaN}"#)
                .1
                .unwrap_err()
                .0,
            "duration_ms is NaN: a duration is 0 or more; leave it out if it is unknown"
        );
    }

    #[test]
    fn a_field_is_given_once() {
        for twice in [
            r#"{"command": "x", "command": "y"}"#,
            r#"{"command": "x", "Command": "y"}"#,
            r#"{"command": "x", "command": null}"#,
            r#"{"command": null, "command": "x"}"#,
        ] {
            assert_eq!(push(twice).1.unwrap_err().0, "command is given twice");
        }
    }

    #[test]
    fn a_text_as_metadata_stays_a_json_text() {
        let (builder, outcome) = push(r#"{"command": "x", "metadata": "plain"}"#);
        assert_eq!(outcome, Ok(()));
        let batch = builder.finish(Source::Record, 1).0.unwrap();
        assert_eq!(batch.text(Field::Metadata, 0), Some("\"plain\""));
    }

    #[test]
    fn what_is_no_object_says_so() {
        for bad in [
            "",
            "{",
            "[]",
            "7",
            "{\"command\": }",
            "{\"command\": \"\\ud800\"}",
        ] {
            let problem = push(bad).1.unwrap_err().0;
            assert!(
                problem.starts_with(&format!("'{bad}' is no operation: give a JSON object")),
                "{problem}"
            );
        }
    }

    #[test]
    fn an_unknown_name_is_told_its_nearest_field() {
        assert_eq!(
            push(r#"{"comand": "x"}"#).1.unwrap_err().0,
            "unknown field \"comand\"; did you mean \"command\"?"
        );
    }
}
