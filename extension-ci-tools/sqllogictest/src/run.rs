//! Runs one file.

use std::path::Path;
use std::sync::{Arc, Mutex};

use sqllogictest::{Record, RecordOutput, Runner};

use crate::arguments::Arguments;
use crate::driver::Driver;
use crate::expectations::types_match;
use crate::script::{self, is_check};
use crate::session::Session;
use crate::variables::Variables;

/// Runs `file` up to its first failure. Returns how many of its records were checked.
pub fn run_file(file: &Path, arguments: &Arguments) -> Result<usize, String> {
    let records = script::read(file, &arguments.known_engines)?;
    let directory = tempfile::tempdir()
        .map_err(|error| format!("cannot make a temporary directory: {error}"))?;

    let mut variables = Variables::default();
    variables.set("__TEST_DIR__", directory.path().to_string_lossy());
    variables.set("__EXTENSION__", arguments.extension.to_string_lossy());
    let variables = Arc::new(Mutex::new(variables));
    let driver = Arc::new(Mutex::new(Driver::start(arguments, directory.path())?));

    let mut sessions = 0;
    let mut runner = Runner::new(|| {
        sessions += 1;
        let session = Session {
            driver: driver.clone(),
            variables: variables.clone(),
            name: format!("connection {sessions}"),
        };
        async { Ok(session) }
    });
    runner.add_label(&arguments.engine);
    runner.with_column_validator(types_match);

    let mut checks = 0;
    for record in records {
        let names = match &record {
            Record::Let { variables, .. } => variables.clone(),
            _ => Vec::new(),
        };
        let counts = is_check(&record);
        let output = runner.run(record).map_err(|error| error.to_string())?;
        if let RecordOutput::Let { values, .. } = &output {
            let mut variables = variables.lock().unwrap();
            names
                .iter()
                .zip(values)
                .for_each(|(name, value)| variables.set(name, value));
        }
        // A record that an engine label skips has no output.
        if counts && !matches!(output, RecordOutput::Nothing) {
            checks += 1;
        }
    }
    drop(runner);

    let finished = driver.lock().unwrap().finish();
    finished.map(|()| checks)
}
