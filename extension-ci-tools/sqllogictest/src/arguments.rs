//! The command line.

use std::path::PathBuf;

pub const USAGE: &str = "usage: sqllogictest-runner --engine LABEL --known-engine LABEL... --python PATH --driver PATH \
     --extension PATH [--jobs N] [--filter TEXT] DIRECTORY";

#[derive(Debug)]
pub struct Arguments {
    /// The label of the engine under test, for `skipif` and `onlyif`.
    pub engine: String,
    /// Every label that a file may name. A misspelled one would skip a check for good without a word.
    pub known_engines: Vec<String>,
    /// The interpreter that has the engine's Python client.
    pub python: PathBuf,
    pub driver: PathBuf,
    pub extension: PathBuf,
    pub jobs: usize,
    /// Run only the files whose path contains this.
    pub filter: Option<String>,
    pub directory: PathBuf,
}

impl Arguments {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut engine, mut python, mut driver, mut extension) = (None, None, None, None);
        let (mut filter, mut directory) = (None, None);
        let mut known_engines = Vec::new();
        let mut jobs = 2;

        while let Some(word) = words.next() {
            if !word.starts_with("--") {
                directory = Some(PathBuf::from(word));
                continue;
            }
            let value = words
                .next()
                .ok_or_else(|| format!("{word} needs a value\n{USAGE}"))?;
            match word.as_str() {
                "--engine" => engine = Some(value),
                "--known-engine" => known_engines.push(value),
                "--python" => python = Some(PathBuf::from(value)),
                "--driver" => driver = Some(PathBuf::from(value)),
                "--extension" => extension = Some(PathBuf::from(value)),
                "--filter" => filter = Some(value),
                "--jobs" => match value.parse() {
                    Ok(count) if count > 0 => jobs = count,
                    _ => return Err(format!("--jobs {value}: a number above 0 is needed")),
                },
                _ => return Err(format!("unknown option {word}\n{USAGE}")),
            }
        }

        let missing = |what: &str| format!("{what} is missing\n{USAGE}");
        let engine = engine.ok_or_else(|| missing("--engine"))?;
        if !known_engines.contains(&engine) {
            return Err(format!(
                "engine {engine} is none of the known engines {known_engines:?}"
            ));
        }
        Ok(Self {
            engine,
            known_engines,
            python: python.ok_or_else(|| missing("--python"))?,
            driver: driver.ok_or_else(|| missing("--driver"))?,
            extension: extension.ok_or_else(|| missing("--extension"))?,
            jobs,
            filter,
            directory: directory.ok_or_else(|| missing("DIRECTORY"))?,
        })
    }
}
