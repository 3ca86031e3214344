//! Reads a `.test` file and refuses what would make it check less than it seems to.

use std::path::Path;

use sqllogictest::{parse_file, Condition, Control, DefaultColumnType, Record};

pub type TestRecord = Record<DefaultColumnType>;

pub fn read(file: &Path, known_engines: &[String]) -> Result<Vec<TestRecord>, String> {
    let records = parse_file(file).map_err(|error| error.to_string())?;
    refuse_silent_skips(&records, known_engines)?;
    Ok(records)
}

fn refuse_silent_skips(records: &[TestRecord], known_engines: &[String]) -> Result<(), String> {
    if !records.iter().any(is_check) {
        return Err("the file has no statement and no query: it checks nothing".into());
    }
    for record in records {
        match record {
            Record::Halt { loc } => {
                return Err(format!(
                    "{loc}: `halt` leaves the rest of the file unchecked"
                ))
            }
            Record::Control(Control::Substitution(_)) => {
                return Err(
                    "`control substitution` is not needed: known $NAMES are always replaced".into(),
                )
            }
            Record::Condition(Condition::OnlyIf { label } | Condition::SkipIf { label })
                if !known_engines.contains(label) =>
            {
                return Err(format!(
                    "`{label}` is no engine; engines are {}",
                    known_engines.join(", ")
                ))
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a record compares something with something, be it only "this succeeds".
pub fn is_check(record: &TestRecord) -> bool {
    matches!(
        record,
        Record::Statement { .. } | Record::Query { .. } | Record::System { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(script: &str) -> Result<(), String> {
        let records = sqllogictest::parse(script).expect("the script parses");
        refuse_silent_skips(&records, &["duckdb-1.5.6".to_owned()])
    }

    #[test]
    fn known_engines_may_be_named() {
        verdict("skipif duckdb-1.5.6\nstatement ok\nSELECT 1\n").unwrap();
    }

    #[test]
    fn scripts_that_would_skip_silently_are_refused() {
        for (script, reason) in [
            ("# nothing here\n", "checks nothing"),
            ("statement ok\nSELECT 1\n\nhalt\n", "halt"),
            (
                "control substitution on\n\nstatement ok\nSELECT 1\n",
                "substitution",
            ),
            (
                "onlyif duckdb-1.5.7\nstatement ok\nSELECT 1\n",
                "`duckdb-1.5.7` is no engine",
            ),
        ] {
            assert!(verdict(script).unwrap_err().contains(reason), "{script}");
        }
    }
}
