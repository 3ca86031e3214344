//! The child process that holds the database, and the JSON lines spoken with it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::arguments::Arguments;

#[derive(Serialize)]
pub struct Request<'a> {
    /// Any text; equal texts mean the same connection.
    pub connection: &'a str,
    pub sql: &'a str,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Response {
    Rows {
        types: String,
        rows: Vec<Vec<String>>,
    },
    Complete {
        complete: u64,
    },
    Error {
        error: String,
    },
}

pub struct Driver {
    child: Child,
    // None once the driver was told to finish.
    requests: Option<ChildStdin>,
    responses: BufReader<ChildStdout>,
}

impl Driver {
    pub fn start(arguments: &Arguments, working_directory: &Path) -> Result<Self, String> {
        let mut child = Command::new(&arguments.python)
            .arg(&arguments.driver)
            .arg(&arguments.extension)
            // A file that a test writes under a relative name is its own, and goes away with it.
            .current_dir(working_directory)
            // Results must not depend on where the tests run.
            .env("TZ", "UTC")
            .env_remove("OPLOG_PATH")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", arguments.python.display()))?;
        let requests = child.stdin.take();
        let responses = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Ok(Self {
            child,
            requests,
            responses,
        })
    }

    pub fn ask(&mut self, request: &Request) -> Result<Response, String> {
        let requests = self.requests.as_mut().ok_or("the driver has finished")?;
        let line = serde_json::to_string(request).expect("a request is plain text");
        // A driver that is gone shows as an end of its answers too, which says more.
        let _ = writeln!(requests, "{line}");

        let mut answer = String::new();
        match self.responses.read_line(&mut answer) {
            Ok(0) => Err(format!(
                "the engine's process ended while it ran this ({})",
                self.wait()
            )),
            Ok(_) => serde_json::from_str(&answer)
                .map_err(|error| format!("{error} in the driver's answer {answer}")),
            Err(error) => Err(format!("cannot read the driver's answer: {error}")),
        }
    }

    /// Closes the database and ends the process. A crash on the way out is an error like any other.
    pub fn finish(&mut self) -> Result<(), String> {
        self.requests = None;
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            _ => Err(format!(
                "the engine's process did not end well ({})",
                self.wait()
            )),
        }
    }

    fn wait(&mut self) -> String {
        match self.child.wait() {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }
}

impl Drop for Driver {
    /// A file that failed half-way leaves its process waiting for requests.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
