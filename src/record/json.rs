//! An operation given as a JSON object.

use super::{BatchBuilder, Field, Problem, Value};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Reads one JSON object as the builder's next row. A part that becomes `metadata` is kept to the letter.
pub fn push_json(builder: &mut BatchBuilder, text: &str) -> Result<(), Problem> {
    let object: BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(text).map_err(|error| {
            Problem(format!(
            "{} is no operation: give a JSON object such as {{\"command\": \"import\"}} ({error})",
            Value::Text(text.into())
        ))
        })?;
    for (name, raw) in object {
        let field = Field::by_name(&name).ok_or_else(|| Problem(Field::unknown(&name)))?;
        let value = match field {
            Field::Metadata if raw.get() != "null" => Value::Json(raw.get().into()),
            _ => value(raw.get()),
        };
        builder.push(field, &value)?;
    }
    Ok(())
}

/// `raw` is valid JSON: its first character tells what it is.
fn value(raw: &str) -> Value<'_> {
    match raw.as_bytes().first() {
        Some(b'n') => Value::Null,
        Some(b't') => Value::Boolean(true),
        Some(b'f') => Value::Boolean(false),
        Some(b'"') => match serde_json::from_str::<Cow<'_, str>>(raw) {
            Ok(text) => Value::Text(text),
            Err(_) => Value::Json(raw.into()),
        },
        Some(b'{' | b'[') => Value::Json(raw.into()),
        _ => match raw.parse::<i128>() {
            Ok(integer) => Value::Integer(integer),
            Err(_) => raw.parse().map_or(Value::Json(raw.into()), Value::Double),
        },
    }
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
    fn a_text_as_metadata_stays_a_json_text() {
        let (builder, outcome) = push(r#"{"command": "x", "metadata": "plain"}"#);
        assert_eq!(outcome, Ok(()));
        let batch = builder.finish(Source::Record, 1).0.unwrap();
        assert_eq!(batch.text(Field::Metadata, 0), Some("\"plain\""));
    }

    #[test]
    fn what_is_no_object_says_so() {
        for bad in ["", "{", "[]", "7", "{\"command\": }"] {
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
