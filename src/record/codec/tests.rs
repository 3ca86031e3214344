use super::*;
use crate::record::value::STATUSES;
use crate::record::{BatchBuilder, Value};
use proptest::collection::vec;
use proptest::prelude::*;

const STAMP: Stamp = Stamp {
    first_seq: 7,
    ids: IdRange {
        millis: 1_700_000_000_123,
        counter: 1 << 70 | 5,
    },
    recorded_at_us: 1_700_000_000_123_456,
};

/// A value that the field accepts, made of a text and a number.
fn value(field: Field, text: &str, number: u64) -> Value<'static> {
    match field.kind() {
        Kind::Text if field == Field::Command => Value::Text(format!("c{text}").into()),
        Kind::Text => Value::Text(text.to_owned().into()),
        Kind::Status => Value::Text(STATUSES[number as usize % STATUSES.len()].into()),
        Kind::Json => Value::Json(format!("{text:?}").into()),
        Kind::Milliseconds => Value::Double((number >> 30) as f64 / 7.0),
        Kind::Count => Value::Integer(number as i128 >> 1),
        Kind::Time => Value::Time(number as i64 >> 8),
        Kind::TraceParent => unreachable!("it has no column"),
    }
}

/// A batch of random shape: absent, full and sparse columns, texts short and long.
fn random_batch(random: &mut fastrand::Rng, rows: usize) -> Batch {
    const CHARACTERS: [char; 8] = ['a', 'Z', ' ', '"', 'é', '漢', '🦆', '\0'];
    let mut builder = BatchBuilder::new(rows);
    for field in Field::stored() {
        let share = match random.u8(..5) {
            _ if *field == Field::Command => 1.0,
            0 => 1.0,
            1 => random.f64(),
            _ => continue,
        };
        for row in 0..rows {
            if random.f64() < share {
                let length = match random.u16(..) {
                    0 => 70_000,
                    1..100 => 300,
                    _ => random.usize(..12),
                };
                let text: String = (0..length)
                    .map(|_| CHARACTERS[random.usize(..CHARACTERS.len())])
                    .collect();
                builder.seek(row);
                builder
                    .push(*field, &value(*field, &text, random.u64(..)))
                    .unwrap();
            }
        }
    }
    let mut batch = builder.finish(Source::Record, rows).0.unwrap();
    batch.connection_id = random.u64(..);
    batch
}

fn batches() -> impl Strategy<Value = (Stamp, Batch)> {
    let rows = prop_oneof![Just(1_usize), 2..10_usize, 60..70_usize, 120..140_usize];
    (rows, any::<u64>()).prop_map(|(rows, seed)| {
        let random = &mut fastrand::Rng::with_seed(seed);
        let stamp = Stamp {
            first_seq: random.u64(..u64::MAX - 1000),
            ids: IdRange {
                millis: random.u64(..1 << 48),
                counter: random.u128(..1 << 73),
            },
            recorded_at_us: random.i64(..),
        };
        (stamp, random_batch(random, rows))
    })
}

fn encoded(stamp: &Stamp, batch: &Batch) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(stamp, batch, &mut bytes);
    bytes
}

fn one(command: &str) -> Batch {
    let mut builder = BatchBuilder::new(1);
    builder
        .push(Field::Command, &Value::Text(command.to_owned().into()))
        .unwrap();
    builder.finish(Source::Record, 1).0.unwrap()
}

/// Reads every cell, which panics where an invariant of a batch does not hold.
fn read_all(batch: &Batch) {
    for row in 0..batch.rows() {
        assert!(batch.text(Field::Command, row).is_some());
        for field in Field::stored() {
            let _ = (batch.text(*field, row), batch.number(*field, row));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_encoded_is_decoded((stamp, batch) in batches()) {
        let bytes = encoded(&stamp, &batch);
        let (stamp_again, batch_again) = decode(&bytes).unwrap();
        prop_assert_eq!(stamp_again, stamp);
        prop_assert_eq!(&*batch_again, &batch);
    }

    #[test]
    fn a_batch_can_be_stamped_later((stamp, batch) in batches()) {
        let mut bytes = encoded(&STAMP, &batch);
        restamp(&stamp, &mut bytes);
        prop_assert_eq!(bytes, encoded(&stamp, &batch));
    }

    #[test]
    fn a_prefix_is_no_batch((stamp, batch) in batches(), part in 0.0..1.0_f64) {
        let bytes = encoded(&stamp, &batch);
        let kept = (bytes.len() as f64 * part) as usize;
        prop_assert!(decode(&bytes[..kept]).is_err());
    }

    /// Checksums are the frame's business: here any bytes may come, and what is accepted must be a whole batch.
    #[test]
    fn changed_bytes_do_no_harm((stamp, batch) in batches(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = encoded(&stamp, &batch);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok((_, batch)) = decode(&bytes) {
            read_all(&batch);
        }
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(mut bytes in vec(any::<u8>(), 0..400), plausible in any::<bool>()) {
        if plausible && bytes.len() > HEAD_BYTES {
            bytes[1..4].fill(0);
            bytes[0] %= 8;
            bytes[44] = 1;
            bytes[45] %= 4;
            bytes[46..48].fill(0);
            bytes[43] = 0;
            bytes[HEAD_BYTES] = 0;
        }
        if let Ok((_, batch)) = decode(&bytes) {
            read_all(&batch);
        }
    }
}

#[test]
fn one_operation_takes_few_bytes() {
    assert_eq!(encoded(&STAMP, &one("import")).len(), HEAD_BYTES + 3 + 6);
}

#[test]
fn the_format_is_what_the_table_says() {
    let mut batch = one("ab");
    batch.connection_id = 0x0102;
    let bytes = encoded(&STAMP, &batch);
    let mut expected = vec![1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0];
    expected.extend(STAMP.recorded_at_us.to_le_bytes());
    expected.extend([2, 1, 0, 0, 0, 0, 0, 0]);
    expected.extend(&STAMP.ids.millis.to_le_bytes()[..6]);
    expected.extend([5, 0, 0, 0, 0, 0, 0, 0, 0x40, 0]);
    expected.extend([1, 1, 0, 0]);
    expected.extend([0, 0, 2, b'a', b'b']);
    assert_eq!(bytes, expected);
}

/// Journals outlive the program that wrote them. A field that comes in between would be read as another: new ones go
/// behind the last, and a change here needs a new format version.
#[test]
fn the_numbers_of_fields_and_sources_are_part_of_the_format() {
    let names: Vec<&str> = Field::stored().iter().map(|field| field.name()).collect();
    assert_eq!(
        names,
        [
            "command",
            "status",
            "duration_ms",
            "timestamp",
            "project_id",
            "branch_id",
            "bucket_name",
            "table_name",
            "queue_wait_ms",
            "rows_affected",
            "bytes_in",
            "bytes_out",
            "error_code",
            "error_message",
            "request_id",
            "connection_job_id",
            "connection_run_id",
            "trace_id",
            "span_id",
            "parent_span_id",
            "metadata",
        ]
    );
    let texts: Vec<u8> = (0..COLUMNS as u8)
        .filter(|number| is_text(Field::stored()[*number as usize]))
        .collect();
    assert_eq!(
        texts,
        [0, 1, 4, 5, 6, 7, 12, 13, 14, 15, 16, 17, 18, 19, 20]
    );
    assert_eq!(source_number(Source::Record), 1);
    assert_eq!(source_number(Source::Span), 2);
    for number in 0..=u8::MAX {
        if let Some(source) = source_of(number) {
            assert_eq!(source_number(source), number);
        }
    }
}

#[test]
fn what_would_break_a_batch_is_refused() {
    let good = encoded(&STAMP, &one("né"));
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        decode(&bytes).unwrap_err().0
    };
    assert_eq!(refused(&|b| b[0] = 0), "its number of rows is out of range");
    assert_eq!(
        refused(&|b| b[3] = 255),
        "its number of rows is out of range"
    );
    assert_eq!(refused(&|b| b[4..12].fill(255)), "its seq is out of range");
    assert_eq!(refused(&|b| b[43] = 0x04), "its ids are out of range");
    assert_eq!(refused(&|b| b[44] = 9), "its source is unknown");
    assert_eq!(refused(&|b| b[47] = 1), "a reserved byte is not zero");
    assert_eq!(
        refused(&|b| b[48] = COLUMNS as u8),
        "a field is unknown or out of order"
    );
    assert_eq!(refused(&|b| b[49] = 6), "a column's form is unknown");
    assert_eq!(refused(&|b| b[52] = 0xFF), "a text is not UTF-8");
    assert_eq!(
        refused(&|b| b.push(0)),
        "there is more behind its last column"
    );
    assert_eq!(refused(&|b| b[48] = 1), "a row has no command");
    // Two rows whose border lies within the é.
    let split = |b: &mut Vec<u8>| {
        b[0] = 2;
        b.splice(50..51, [2, 1]);
    };
    assert_eq!(refused(&split), "a text ends within a character");
    let null = |b: &mut Vec<u8>| {
        b[49] = HAS_BITMAP;
        b.insert(50, 0);
    };
    assert_eq!(refused(&null), "a row has no command");
    let many = |b: &mut Vec<u8>| {
        b[49] = HAS_BITMAP;
        b.insert(50, 3);
    };
    assert_eq!(refused(&many), "a bitmap has more bits than rows");
}

#[test]
fn metadata_of_an_earlier_version_is_repaired() {
    let mut builder = BatchBuilder::new(3);
    let texts = [r#"{"x": "\ud800"}"#, r#"{"x": "\ud83d\ude00"}"#, "{}"];
    for row in 0..texts.len() {
        builder.seek(row);
        let command = Value::Text("c".into());
        builder.push(Field::Command, &command).unwrap();
    }
    let mut batch = builder.finish(Source::Record, texts.len()).0.unwrap();
    let column = BatchColumn {
        data: Data::Text(TextColumn {
            bytes: texts.concat(),
            ends: texts
                .iter()
                .scan(0, |end, text| {
                    *end += text.len() as u32;
                    Some(*end)
                })
                .collect(),
        }),
        valid: vec![0b111],
        rows: texts.len(),
    };
    batch.columns[Field::Metadata as usize] = Some(column);
    let mut bytes = Vec::new();
    encode(&STAMP, &batch, &mut bytes);
    let (_, read) = decode(&bytes).unwrap();
    let read: Vec<_> = (0..3).map(|row| read.text(Field::Metadata, row)).collect();
    assert_eq!(
        read,
        [Some(r#"{"x": "\ufffd"}"#), Some(texts[1]), Some(texts[2])]
    );
}
