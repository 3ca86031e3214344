//! Runs every `.test` file below a directory against one DuckDB engine with oplog loaded.
//!
//! Each file gets a process, a database and a temporary directory of its own. The exit code is 0 only if every
//! file passed. `test/README.md` says how to write such a file.

mod arguments;
mod discover;
mod driver;
mod expectations;
mod run;
mod script;
mod session;
mod variables;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::thread;

use arguments::Arguments;

fn main() -> ExitCode {
    let outcome =
        Arguments::parse(std::env::args().skip(1)).and_then(|arguments| run_all(&arguments));
    match outcome {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("sqllogictest-runner: {message}");
            ExitCode::from(2)
        }
    }
}

/// Runs the files, two or more at a time, and returns how many failed.
fn run_all(arguments: &Arguments) -> Result<usize, String> {
    let files = discover::test_files(&arguments.directory, arguments.filter.as_deref())?;
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());

    thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = file
                        .strip_prefix(&arguments.directory)
                        .unwrap_or(file)
                        .display();
                    match run::run_file(file, arguments) {
                        Ok(checks) => println!("ok      {name} ({checks} checks)"),
                        Err(message) => {
                            println!("FAILED  {name}\n{message}");
                            failures.lock().unwrap().push(name.to_string());
                        }
                    }
                }
            });
        }
    });

    let failures = failures.into_inner().unwrap();
    for name in &failures {
        println!("failed: {name}");
    }
    println!(
        "sqllogictest {}: {} passed, {} failed",
        arguments.engine,
        files.len() - failures.len(),
        failures.len()
    );
    Ok(failures.len())
}
